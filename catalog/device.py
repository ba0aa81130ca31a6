"""Boards and machines that a file may run on, as data. A figure without a source has no place here.

Units: bytes, bytes per second. Memory is counted as it is sold, 1 GB = 2^30 bytes; bandwidth in 10^9 bytes per second.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from catalog.problems import did_you_mean

MEBI = 2**20
GIBI = 2**30
GIGA = 10**9

RESERVE_SHARE = 8
"""One part in eight of the memory is left to the system."""

LEAST_RESERVE_BYTES = 128 * MEBI

MOST_BANDWIDTH = 10**15
"""Bytes per second that no machine reaches; more than that is a slip of the unit."""

RESERVE_REASON = (
    "Left to the system, its firmware and graphics, and other programs: an eighth of the memory, at least 128 MiB. "
    "This is a choice of this project, not a measurement."
)

DESKTOP_RESERVE_SHARE = 4
DESKTOP_RESERVE_BYTES = 4 * GIBI
DESKTOP_RESERVE_REASON = (
    "Left to a desktop system and the programs that are open beside: a quarter of the memory, at least 4 GiB. "
    "This is a choice of this project, not a measurement."
)


@dataclass(frozen=True)
class Range:
    """A reported figure. reports is how many reports it rests on; None means several, whose number is not recorded."""

    low: float
    typical: float
    high: float
    reports: int | None
    source: str


@dataclass(frozen=True)
class Kernel:
    """How fast one core works through the data of one ggml type, whatever the memory could deliver."""

    type: str
    bytes_per_second_per_core: float
    source: str


@dataclass(frozen=True)
class Device:
    """A device profile. kernels holds the types whose speed is known; cores is None where nobody said.

    family groups profiles that people look for together.
    """

    id: str
    name: str
    memory_bytes: int
    memory_source: str
    reserve_bytes: int
    reserve_reason: str
    bandwidth_bytes_per_second: Range
    cores: int | None
    cores_source: str
    kernels: tuple[Kernel, ...]
    family: str = "Your own machine"

    @property
    def free_bytes(self) -> int:
        """Memory that a model may take."""
        return self.memory_bytes - self.reserve_bytes

    def kernel(self, ggml_type: str | None) -> Kernel | None:
        return next((kernel for kernel in self.kernels if kernel.type == ggml_type), None)


def reserve_bytes(memory_bytes: int) -> int:
    """What is left to the system; RESERVE_REASON says why."""
    return min(max(memory_bytes // RESERVE_SHARE, LEAST_RESERVE_BYTES), memory_bytes)


def custom(memory_bytes: int, bandwidth_bytes_per_second: float) -> Device:
    """A machine that the user describes. Raises ValueError unless both figures are positive and of a sane size."""
    if memory_bytes <= 0:
        raise ValueError(f"memory of {memory_bytes:,} bytes is not more than none")
    if not 0 < bandwidth_bytes_per_second <= MOST_BANDWIDTH:
        raise ValueError(
            f"a bandwidth of {bandwidth_bytes_per_second / GIGA:g} GB/s is none that a machine has"
        )
    figure = bandwidth_bytes_per_second
    words = f"{memory_bytes / GIBI:g} GB of memory, {figure / GIGA:g} GB/s"
    return Device(
        id="custom",
        name=f"a machine with {words}",
        memory_bytes=memory_bytes,
        memory_source="Given by the user.",
        reserve_bytes=reserve_bytes(memory_bytes),
        reserve_reason=RESERVE_REASON,
        bandwidth_bytes_per_second=Range(figure, figure, figure, 1, "One figure, given by the user."),
        cores=None,
        cores_source="Not given.",
        kernels=(),
    )


def find(device_id: str) -> Device | None:
    """The device with exactly this id."""
    return _by_id().get(device_id)


@functools.cache
def _by_id() -> dict[str, Device]:
    return {device.id: device for device in DEVICES}


def nearest(device_id: str) -> str | None:
    """The id that was probably meant."""
    return did_you_mean(device_id, [device.id for device in DEVICES])


_NOTES = "Collected in this project's notes on Raspberry Pi boards"

_ZERO_2 = Range(0.55 * GIGA, 0.55 * GIGA, 0.55 * GIGA, 1, f"{_NOTES}: 0.55 GB/s, from one report only.")
_PI_4 = Range(
    3.1 * GIGA, 3.3 * GIGA, 3.5 * GIGA, None, f"{_NOTES}: 3.3 GB/s, 3.1 to 3.5 GB/s over the reports."
)
_PI_5 = Range(
    9.1 * GIGA, 10.5 * GIGA, 11.6 * GIGA, None, f"{_NOTES}: 10.5 GB/s, 9.1 to 11.6 GB/s over the reports."
)

_A72 = tuple(
    Kernel(name, speed * GIGA, f"{_NOTES}: {speed:.2f} GB/s of {name} data per core on a Cortex-A72.")
    for name, speed in (("f16", 1.92), ("q8_0", 2.53), ("q4_K", 1.30), ("q2_K", 0.80))
)


def _pi(
    device_id: str,
    name: str,
    memory_bytes: int,
    bandwidth: Range,
    core: str,
    kernels: tuple[Kernel, ...] = (),
) -> Device:
    size = f"{memory_bytes // MEBI} MB" if memory_bytes < GIBI else f"{memory_bytes // GIBI} GB"
    return Device(
        id=device_id,
        name=f"Raspberry Pi {name}, {size}",
        memory_bytes=memory_bytes,
        memory_source=f"The board is sold with {size}.",
        reserve_bytes=reserve_bytes(memory_bytes),
        reserve_reason=RESERVE_REASON,
        bandwidth_bytes_per_second=bandwidth,
        cores=4,
        cores_source=f"Raspberry Pi's description of the board: four {core} cores.",
        kernels=kernels,
        family="Raspberry Pi",
    )


_ORIN_NANO = Range(
    34 * GIGA,
    51 * GIGA,
    102 * GIGA,
    None,
    "NVIDIA's data sheets give a peak of 68 GB/s, 102 GB/s in the later Super mode; three quarters of the lower one, "
    "51 GB/s, are taken as typical and half of it as the low end, which is a choice of this project.",
)
_APPLE = Range(
    50 * GIGA,
    80 * GIGA,
    120 * GIGA,
    None,
    "Apple gives a peak of 68 GB/s for the M1, 100 GB/s for M2 and M3, 120 GB/s for the M4; a report in normiebench "
    "(2026) of an 8B model in Q4_K_M, 4.92 GB, at 20.9 tokens/s on an M4 makes 103 GB/s, 86 % of its peak. "
    "80 GB/s, four fifths of 100, are taken as typical.",
)
_LAPTOP = Range(
    20 * GIGA,
    40 * GIGA,
    90 * GIGA,
    None,
    "8 bytes x transfers per second x channels: 25.6 GB/s for one channel of DDR4-3200, 51.2 for two, 89.6 for two of "
    "DDR5-5600. Measured were 40 GB/s on two channels of DDR4-2666 and 46 on DDR4-3200 "
    "(Guru3D, G.Skill Trident Z Royal DDR4-3200 review, 2018).",
)


def _desktop(
    device_id: str,
    name: str,
    family: str,
    memory_gb: int,
    bandwidth: Range,
    reserve: tuple[int, str] | None = None,
) -> Device:
    """A computer whose processor or graphics is not told any nearer. ``reserve``: bytes and reason."""
    memory_bytes = memory_gb * GIBI
    kept = max(memory_bytes // DESKTOP_RESERVE_SHARE, DESKTOP_RESERVE_BYTES)
    reserved, reason = reserve or (kept, DESKTOP_RESERVE_REASON)
    return Device(
        id=device_id,
        name=f"{name}, {memory_gb} GB",
        memory_bytes=memory_bytes,
        memory_source=f"It is sold with {memory_gb} GB.",
        reserve_bytes=reserved,
        reserve_reason=reason,
        bandwidth_bytes_per_second=bandwidth,
        cores=None,
        cores_source="Not told: machines of this kind differ.",
        kernels=(),
        family=family,
    )


_ORIN_RESERVE = (
    2867 * MEBI,
    "One public report (2025, seven models on this board) counts 5.2 of the 8 GB as free once the system is up.",
)

DEVICES = (
    _pi("pi-zero-2", "Zero 2 W", 512 * MEBI, _ZERO_2, "Cortex-A53"),
    _pi("pi-4-2gb", "4", 2 * GIBI, _PI_4, "Cortex-A72", _A72),
    _pi("pi-4-4gb", "4", 4 * GIBI, _PI_4, "Cortex-A72", _A72),
    _pi("pi-4-8gb", "4", 8 * GIBI, _PI_4, "Cortex-A72", _A72),
    _pi("pi-400", "400", 4 * GIBI, _PI_4, "Cortex-A72", _A72),
    _pi("pi-5-2gb", "5", 2 * GIBI, _PI_5, "Cortex-A76"),
    _pi("pi-5-4gb", "5", 4 * GIBI, _PI_5, "Cortex-A76"),
    _pi("pi-5-8gb", "5", 8 * GIBI, _PI_5, "Cortex-A76"),
    _pi("pi-5-16gb", "5", 16 * GIBI, _PI_5, "Cortex-A76"),
    _desktop("jetson-orin-nano", "Jetson Orin Nano", "Jetson", 8, _ORIN_NANO, _ORIN_RESERVE),
    _desktop("apple-8gb", "Apple silicon (M1 to M4)", "Apple silicon", 8, _APPLE),
    _desktop("apple-16gb", "Apple silicon (M1 to M4)", "Apple silicon", 16, _APPLE),
    _desktop("apple-24gb", "Apple silicon (M1 to M4)", "Apple silicon", 24, _APPLE),
    _desktop("laptop-8gb", "Laptop without a graphics card", "Laptop", 8, _LAPTOP),
    _desktop("laptop-16gb", "Laptop without a graphics card", "Laptop", 16, _LAPTOP),
    _desktop("laptop-32gb", "Laptop without a graphics card", "Laptop", 32, _LAPTOP),
)
"""Every profile, family by family, each from the smallest to the largest. Pro, Max and Ultra processors of Apple have
two to eight times the bandwidth: they are machines to describe with ``custom``."""
