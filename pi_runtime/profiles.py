"""Device profiles: which one this machine is, and what its file says. Files follow the schema ``device-v1``.

A profile is data: ``devices/ID.json`` next to ``data/token-costs.json``, in the folder that ``data_folder`` finds.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pi_runtime import parsers, plainjson
from pi_runtime.plainjson import Json
from pi_runtime.settings import CouldNot, InvalidArguments
from pi_runtime.system import ROOT, meminfo, read_text

VARIABLE = "PI_ZOO_DATA"
OWN = Path(__file__).resolve().parent.parent
"""Where the package is: next to ``catalog`` in a checkout, next to ``devices`` where the Debian package puts it."""

RESERVE_SHARE = 8
LEAST_RESERVE_BYTES = 128 * 2**20
"""One part in eight of the memory is left to the system, at least 128 MiB, unless the profile has another figure."""

SOLD_SHARE = 1.1
"""Linux reports less memory than a machine is sold with; the share by which a profile may be larger than the report."""

SMALLER_VARIANT = 1.5
"""A board that reports less than the profile's memory divided by this is sold with less."""

GENERIC_CONTEXT = 2048
KV_TYPES = ("f16", "q8_0", "q4_0")


@dataclass(frozen=True)
class Runtime:
    """How llama.cpp runs on a device. Threads that are None are one for each fast core. kv_types: the default first."""

    instructions: tuple[str, ...] = ()
    accelerator: str = "cpu"
    threads_decode: int | None = None
    threads_prompt: int | None = None
    kv_types: tuple[str, ...] = KV_TYPES
    context_tokens: int = GENERIC_CONTEXT
    flags: tuple[str, ...] = ()
    repacked: tuple[str, ...] = ()
    boards: tuple[str, ...] = ()
    processors: tuple[str, ...] = ()
    generic: bool = False


@dataclass(frozen=True)
class Profile:
    """A device. Memory in bytes, bandwidths (low, typical, high) in bytes/s, kernels in bytes/s and core by ggml type.

    single: the bandwidth is one figure. token_seconds: the fixed time per token. kind: processor and bandwidth, which
    devices with the same measurements share; None if the processor is not named.
    """

    id: str
    name: str
    memory_bytes: int
    reserve_bytes: int
    bandwidths: tuple[float, float, float]
    single: bool
    cores: int | None
    kernels: dict[str, float]
    token_seconds: float
    kind: tuple[str, float] | None
    order: int
    runtime: Runtime

    @property
    def free_bytes(self) -> int:
        """Memory that a model may take."""
        return self.memory_bytes - self.reserve_bytes


@dataclass(frozen=True)
class Machine:
    """What this machine says about itself; None is what it does not say."""

    board: str | None
    processor: str | None
    memory_bytes: int | None


def data_folder() -> Path:
    """Where profiles are: ``PI_ZOO_DATA``, else next to this package."""
    chosen = os.environ.get(VARIABLE)
    places = [Path(chosen)] if chosen else [OWN, OWN / "catalog"]
    for place in places:
        if (place / "devices").is_dir():
            return place
    raise CouldNot(
        f"No device profiles found in {' or '.join(map(str, places))}. "
        f"Set {VARIABLE} to a folder that contains devices/."
    )


def profiles(folder: Path | None = None) -> list[Profile]:
    """Every profile, in the order of lists. Raises CouldNot for a file that is not a profile."""
    folder = folder or data_folder()
    costs = plainjson.read(folder / "data" / "token-costs.json")["seconds_per_token"]
    files = sorted((folder / "devices").glob("*.json"))
    return sorted((_of(plainjson.read(path), costs) for path in files), key=lambda one: one.order)


def find(device_id: str, some: Sequence[Profile]) -> Profile:
    """The profile with that id. Raises InvalidArguments."""
    found = next((one for one in some if one.id == device_id), None)
    if found is None:
        raise InvalidArguments(f"No device has the id {device_id!r}. Ids: {', '.join(one.id for one in some)}.")
    return found


def custom(memory_gb: float, bandwidth_gbs: float, some: Sequence[Profile]) -> Profile:
    """A machine that the user describes. some: profiles, for the fixed time per token of a processor."""
    memory, speed = memory_gb * 2**30, bandwidth_gbs * 1e9
    if not (0 < memory < 2**60 and 0 < speed <= 1e15):
        raise InvalidArguments("--memory-gb and --bandwidth-gbs must be positive numbers, such as 16 and 40.")
    size = round(memory)
    fixed = next((one.token_seconds for one in some if one.runtime.generic), 0.0)
    name = f"a machine with {memory_gb:g} GB of memory, {bandwidth_gbs:g} GB/s"
    reserve = reserve_bytes(size)
    return Profile("custom", name, size, reserve, (speed,) * 3, True, None, {}, fixed, None, 0, Runtime())


def reserve_bytes(memory_bytes: int) -> int:
    """What is kept for the system where a profile names no other figure."""
    return min(max(memory_bytes // RESERVE_SHARE, LEAST_RESERVE_BYTES), memory_bytes)


def sisters(profile: Profile, some: Sequence[Profile]) -> tuple[str, ...]:
    """Other profiles with the same processor and bandwidth: what is measured there holds here."""
    if profile.kind is None:
        return ()
    return tuple(one.id for one in some if one.id != profile.id and one.kind == profile.kind)


def machine(root: Path = ROOT) -> Machine:
    """What this machine says about itself, from ``/proc``; on macOS from ``sysctl``."""
    cpuinfo = read_text(root / "proc/cpuinfo")
    board = parsers.board_model(read_text(root / "proc/device-tree/model"), cpuinfo)
    processor = parsers.cpu_model(cpuinfo) if cpuinfo else None
    memory = meminfo("MemTotal", root)
    if root == ROOT and platform.system() == "Darwin":
        size = _sysctl("hw.memsize")
        return Machine(None, _sysctl("machdep.cpu.brand_string"), int(size) if size and size.isdigit() else None)
    return Machine(board, processor, memory)


def detect(found: Machine, some: Sequence[Profile]) -> Profile | None:
    """The profile of a machine; None if it is not known.

    The longest beginning of the board's name decides, then the processor's name. Of profiles that differ in memory, a
    board gets the smallest one that is not below what Linux reports; other machines the largest one that is not above.
    """
    named = _named(found.board or "", some)
    memory = found.memory_bytes or 0
    if named:
        enough = [one for one in named if one.memory_bytes >= memory]
        best = min(enough or named, key=lambda one: abs(one.memory_bytes - memory))
        # A variant with less memory than any profile, such as a Raspberry Pi 3 A+.
        return _resized(best, memory) if memory and best.memory_bytes > SMALLER_VARIANT * memory else best
    words = found.processor or ""
    if found.board:
        return None
    like = [one for one in some if any(part in words for part in one.runtime.processors)]
    like = like or [one for one in some if one.runtime.generic]
    return _within(like, memory)


def _within(some: Sequence[Profile], memory: int) -> Profile | None:
    """The largest profile that is not above the memory, else the smallest one with the memory that there is."""
    if not some or not memory:
        return None
    fitting = [one for one in some if one.memory_bytes <= memory * SOLD_SHARE]
    if fitting:
        return max(fitting, key=lambda one: one.memory_bytes)
    return _resized(min(some, key=lambda one: one.memory_bytes), memory)


def _resized(profile: Profile, memory: int) -> Profile:
    """The profile with the memory that Linux reports."""
    return replace(profile, memory_bytes=memory, reserve_bytes=min(reserve_bytes(memory), memory))


def _named(board: str, some: Sequence[Profile]) -> list[Profile]:
    matched = [(len(start), one) for one in some for start in one.runtime.boards if f"{board} ".startswith(start)]
    longest = max((length for length, _ in matched), default=0)
    return [one for length, one in matched if length == longest]


def _sysctl(name: str) -> str | None:
    try:
        done = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def _of(data: Json, costs: Json) -> Profile:
    speed, memory = data["bandwidth"], data["memory_bytes"].whole
    low, typical, high = (speed[f"{name}_bytes_per_second"].number for name in ("low", "typical", "high"))
    if low <= 0 or typical <= 0 or high <= 0:
        raise CouldNot(f"{speed.place} has a figure that is not above 0.")
    reserve, reports, cores = data.get("reserve"), speed.get("reports"), data.get("cores")
    processor, engine, runtime = data.get("processor"), data.get("engine"), data.get("runtime")
    return Profile(
        id=data["id"].text,
        name=data["name"].text,
        memory_bytes=memory,
        reserve_bytes=reserve["bytes"].whole if reserve else reserve_bytes(memory),
        bandwidths=(low, typical, high),
        single=reports is not None and reports.whole == 1,
        cores=cores.whole if cores else None,
        kernels={one["type"].text: one["bytes_per_second_per_core"].number for one in data["kernels"].items},
        token_seconds=costs[engine.text if engine else "processor"].number,
        kind=(processor.text, typical) if processor else None,
        order=data["order"].whole,
        runtime=_runtime(runtime) if runtime else Runtime(),
    )


def _runtime(data: Json) -> Runtime:
    decode, prompt, detect = data.get("threads_decode"), data.get("threads_prompt"), data["detect"]
    generic, kv_types = detect.get("generic"), data["kv_types"].texts
    if not kv_types or not set(kv_types) <= set(KV_TYPES):
        raise CouldNot(f"{data.place}.kv_types must be some of {', '.join(KV_TYPES)}.")
    return Runtime(
        instructions=data["instructions"].texts,
        accelerator=data["accelerator"].text,
        threads_decode=decode.whole if decode else None,
        threads_prompt=prompt.whole if prompt else None,
        kv_types=kv_types,
        context_tokens=data["context_tokens"].whole,
        flags=data["flags"].texts,
        repacked=data["repacked"].texts,
        boards=detect["boards"].texts,
        processors=detect["processors"].texts,
        generic=generic is not None and generic.flag,
    )
