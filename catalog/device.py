"""Boards and machines that a file may run on, as data. Every figure needs a source.

Units: bytes, bytes per second. Memory is counted as it is sold, 1 GB = 2^30 bytes; bandwidth in 10^9 bytes per second.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict

from catalog import jsontext
from catalog.problems import did_you_mean
from catalog.shapes import shaped

MEBI = 2**20
GIBI = 2**30
GIGA = 10**9

RESERVE_SHARE = 8
"""One part in eight of the memory is left to the system."""

LEAST_RESERVE_BYTES = 128 * MEBI

MOST_BANDWIDTH = 10**15
"""Bytes per second that no machine reaches; a larger figure has the wrong unit."""

RESERVE_REASON = (
    "Kept for the system, its firmware and graphics, and other programs: an eighth of the memory, at least 128 MiB. "
    "This is a choice of this project, not a measurement."
)

FOLDER = Path(__file__).parent / "devices"
"""One JSON file for each profile, by its id. Adding a device is adding a file."""

COSTS = Path(__file__).parent / "data" / "token-costs.json"
"""Fixed time per token by engine, in seconds; ``benchmarks/token_costs.py`` fits it on ``data/speeds.json``."""


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
    """A device profile. kernels holds the types whose speed is known; cores is None if unknown.

    family groups profiles that people look for together. processor names the chip, if all machines of the profile have
    it. engine: what computes, a key of ``token_costs``. token_seconds: time that every token takes, whatever the model.
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
    processor: str | None = None
    engine: str = "processor"
    token_seconds: float = 0.0

    @property
    def free_bytes(self) -> int:
        """Memory that a model may take."""
        return self.memory_bytes - self.reserve_bytes

    def kernel(self, ggml_type: str | None) -> Kernel | None:
        return next((kernel for kernel in self.kernels if kernel.type == ggml_type), None)


def reserve_bytes(memory_bytes: int) -> int:
    """What is kept for the system; RESERVE_REASON explains why."""
    return min(max(memory_bytes // RESERVE_SHARE, LEAST_RESERVE_BYTES), memory_bytes)


def custom(memory_bytes: int, bandwidth_bytes_per_second: float) -> Device:
    """A machine that the user describes. Raises ValueError unless both figures are positive and of a sane size."""
    if memory_bytes <= 0:
        raise ValueError(f"memory of {memory_bytes:,} bytes is not a positive number")
    if not 0 < bandwidth_bytes_per_second <= MOST_BANDWIDTH:
        raise ValueError(
            f"a bandwidth of {bandwidth_bytes_per_second / GIGA:g} GB/s is more than any machine has"
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
        token_seconds=token_costs()["processor"],
    )


class HeldOut(TypedDict):
    """The prediction for a public measurement, with costs that were fitted without it. Tokens per second."""

    low: float
    typical: float
    high: float


class Costs(TypedDict):
    """What the fit found. held_out: one for each row of ``data/speeds.json``, in its order."""

    schema: str
    seconds_per_token: dict[str, float]
    held_out: list[HeldOut]


@functools.cache
def fitted() -> Costs:
    """The result of the last fit."""
    return shaped(jsontext.read(COSTS), Costs)


def token_costs() -> dict[str, float]:
    """Fixed time per token by engine, in seconds."""
    return fitted()["seconds_per_token"]


def find(device_id: str) -> Device | None:
    """The device with exactly this id."""
    return _by_id().get(device_id)


@functools.cache
def _by_id() -> dict[str, Device]:
    return {device.id: device for device in DEVICES}


@functools.cache
def sisters(device_id: str) -> tuple[str, ...]:
    """Other profiles with the same processor and memory bandwidth: what is measured there holds here."""
    device = find(device_id)
    if device is None or device.processor is None:
        return ()
    kind = device.processor, device.bandwidth_bytes_per_second.typical
    return tuple(
        one.id
        for one in DEVICES
        if one.id != device_id and (one.processor, one.bandwidth_bytes_per_second.typical) == kind
    )


def nearest(device_id: str) -> str | None:
    """The known id nearest to a misspelled one."""
    return did_you_mean(device_id, [device.id for device in DEVICES])


class _Speed(TypedDict):
    low_bytes_per_second: float
    typical_bytes_per_second: float
    high_bytes_per_second: float
    reports: int | None
    source: str


class _Kernel(TypedDict):
    type: str
    bytes_per_second_per_core: float
    source: str


class _Reserve(TypedDict):
    bytes: int
    reason: str


class Profile(TypedDict):
    """The content of a profile's file, as the schema ``device-v1`` has it."""

    order: float
    id: str
    name: str
    family: str
    engine: NotRequired[str]
    processor: NotRequired[str]
    memory_bytes: int
    memory_source: str
    reserve: NotRequired[_Reserve]
    bandwidth: _Speed
    cores: int | None
    cores_source: str
    kernels: list[_Kernel]


def of(data: Profile) -> Device:
    """A profile from the content of its file, which follows the schema ``device-v1``; a test holds every file to it."""
    speed, memory = data["bandwidth"], data["memory_bytes"]
    usual: _Reserve = {"bytes": reserve_bytes(memory), "reason": RESERVE_REASON}
    reserve = data.get("reserve", usual)
    engine = data.get("engine", "processor")
    return Device(
        id=data["id"],
        name=data["name"],
        memory_bytes=memory,
        memory_source=data["memory_source"],
        reserve_bytes=reserve["bytes"],
        reserve_reason=reserve["reason"],
        bandwidth_bytes_per_second=Range(
            low=speed["low_bytes_per_second"],
            typical=speed["typical_bytes_per_second"],
            high=speed["high_bytes_per_second"],
            reports=speed["reports"],
            source=speed["source"],
        ),
        cores=data["cores"],
        cores_source=data["cores_source"],
        kernels=tuple(Kernel(k["type"], k["bytes_per_second_per_core"], k["source"]) for k in data["kernels"]),
        family=data["family"],
        processor=data.get("processor"),
        engine=engine,
        token_seconds=token_costs()[engine],
    )


def _all() -> tuple[Device, ...]:
    found = [shaped(jsontext.read(path), Profile) for path in FOLDER.glob("*.json")]
    return tuple(map(of, sorted(found, key=lambda data: int(data["order"]))))


DEVICES = _all()
"""Every profile, family by family, each from the smallest to the largest. Pro, Max and Ultra processors of Apple have
two to eight times the bandwidth: describe those machines with ``custom``."""
