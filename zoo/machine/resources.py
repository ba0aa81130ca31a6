"""What a program may use of this machine: processors, idle cores, memory, disk. Linux; every file may be absent.

``root`` is the file system's root; tests pass a folder with made-up files. ``pi_runtime.cores`` has the same rules for
processors, because a board has no other part of this program; a test compares them. Formats: the kernel's
``Documentation/admin-guide/cgroup-v2.rst``, ``cgroup-v1/`` and ``cputopology.rst``.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from catalog.words import counted

ROOT = Path("/")
_CPUS = "sys/devices/system/cpu"
_SAMPLE_SECONDS = 0.2
_SLOW_SHARE = 0.8
"""Favoured cores of one kind have at most a tenth more clock speed; slow kinds have about half the speed."""
_NO_LIMIT_BYTES = 1 << 60
"""cgroup v1 writes a number near 2^63 for no limit."""


@dataclass(frozen=True)
class Processors:
    """logical: CPUs that this process may run on; physical: cores behind them, hyperthreads counted once; fast: those
    of the fastest kind. quota: CPUs' worth of time that its control group allows, None without a limit.
    """

    logical: int
    physical: int
    fast: int
    quota: float | None

    @property
    def threads(self) -> int:
        """Threads that do not wait for each other: one for each fast core, within the quota; at least one."""
        return max(1, min(self.fast, self.fast if self.quota is None else int(self.quota)))

    @property
    def words(self) -> str:
        """For people."""
        parts = [f"{self.fast} fast of {self.physical} cores, {self.logical} logical CPUs"]
        if self.quota is not None:
            parts.append(f"a quota of {self.quota:g} CPUs")
        return f"{', '.join(parts)}: {counted(self.threads, 'thread')}"


def processors(root: Path = ROOT, allowed: Collection[int] | None = None) -> Processors:
    """``allowed``: numbers of the CPUs that may be used; the affinity of this process, which a cpuset narrows too."""
    usable = set(_affinity() if allowed is None else allowed)
    on_one_core = {_siblings(root, cpu) for cpu in usable}
    speeds = [max(_speed(root, cpu) for cpu in cpus & usable) for cpus in on_one_core]
    fast = [speed for speed in speeds if speed >= _SLOW_SHARE * max(speeds)]
    return Processors(len(usable), len(speeds), len(fast), quota(root))


def _affinity() -> Collection[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)


def _siblings(root: Path, cpu: int) -> frozenset[int]:
    for name in ("core_cpus_list", "thread_siblings_list"):
        if cpu in (found := _numbers(_text(root / _CPUS / f"cpu{cpu}/topology/{name}"))):
            return found
    return frozenset({cpu})


def _speed(root: Path, cpu: int) -> float:
    # Intel's hybrid processors name their slow cores; the clocks of both kinds are near each other.
    if slow := _numbers(_text(root / "sys/devices/cpu_atom/cpus")):
        return 0.5 if cpu in slow else 1.0
    files = (root / _CPUS / f"cpu{cpu}" / name for name in ("cpu_capacity", "cpufreq/cpuinfo_max_freq"))
    return next((value for file in files if (value := _number(_text(file)))), 1.0)


def quota(root: Path = ROOT) -> float | None:
    """CPUs' worth of time that the control groups above this process allow, the least of them."""
    limits = []
    for folder in _groups(root, "cpu"):
        share, _, period = _text(folder / "cpu.max").partition(" ")
        if not share:
            share, period = (_text(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
        if _number(share) > 0 and _number(period) > 0:
            limits.append(_number(share) / _number(period))
    return min(limits, default=None)


def memory_bytes(root: Path = ROOT) -> tuple[int, int]:
    """(total, available) memory in bytes, within the limit of the control groups; zeros if unknown."""
    lines = [line.partition(":") for line in _text(root / "proc/meminfo").splitlines()]
    values = {name: int(_number((rest.split() or [""])[0])) * 1024 for name, _, rest in lines}
    total, available = values.get("MemTotal", 0), values.get("MemAvailable", 0)
    for folder in _groups(root, "memory"):
        for limit_name, used_name in (
            ("memory.max", "memory.current"),
            ("memory.high", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            limit = int(_number(_text(folder / limit_name)))
            if 0 < limit < _NO_LIMIT_BYTES:
                total = min(total or limit, limit)
                left = max(limit - int(_number(_text(folder / used_name))) + _cached(folder), 0)
                available = min(available or left, left)
    return total, min(available, total)


def addresses_bytes(root: Path = ROOT) -> int | None:
    """Addresses that the limit of this process leaves (``ulimit -v``), in bytes; None without a limit.

    Whatever is mapped counts, a library's file as a whole. Source of what is in use: ``proc_pid_statm(5)``.
    """
    try:
        import resource
    except ImportError:  # only Unix has limits
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    pages, _, _ = _text(root / "proc/self/statm").partition(" ")
    return max(limit - int(_number(pages)) * resource.getpagesize(), 0)


def _cached(group: Path) -> int:
    """Bytes of cached files that the kernel can drop immediately."""
    for line in _text(group / "memory.stat").splitlines():
        name, _, value = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file"):
            return int(_number(value))
    return 0


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folder of this process's control group and all above it. In a container its path may be the host's; then the
    folder of the mount itself is the group's."""
    base = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if number == "0" and not names:
            mounts = [base, base / "unified"]
        elif controller in names.split(","):
            mounts = [base / names, base / controller]
        else:
            continue
        parts = [part for part in path.split("/") if part not in ("", "..", ".")]
        yield from (mount.joinpath(*parts[:depth]) for mount in mounts for depth in range(len(parts), -1, -1))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _numbers(text: str) -> frozenset[int]:
    """``0-3,8`` as numbers; empty for anything else."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        if not (first.isdigit() and (last or first).isdigit() and int(last or first) - int(first) < 1 << 16):
            return frozenset()
        found |= {*range(int(first), int(last or first) + 1)}
    return frozenset(found)


def free_bytes(folder: Path) -> int:
    """Free space where ``folder`` is or will be."""
    return shutil.disk_usage(_there(folder)).free


def disk_bytes(folder: Path) -> int:
    """The size of the disk where ``folder`` is or will be."""
    return shutil.disk_usage(_there(folder)).total


def _there(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def free_cores(most: int, *, stat: Path = Path("/proc/stat"), sample_seconds: float = _SAMPLE_SECONDS) -> int:
    """At most ``most``, at least 1: the cores that were idle during a short measurement.

    More threads than idle cores make ggml slower, because its threads spin. ``most`` if the system does not report it.
    The load average is not usable: it still includes our own last step.
    """
    cores = os.cpu_count() or 1
    before = _ticks(stat)
    time.sleep(sample_seconds)
    after = _ticks(stat)
    if before is None or after is None or after[1] <= before[1]:
        return max(1, most)
    idle = (after[0] - before[0]) / (after[1] - before[1])
    return max(1, min(most, round(idle * cores)))


def _ticks(stat: Path) -> tuple[int, int] | None:
    """(idle, all) ticks of all cores together since the start."""
    try:
        line = stat.read_text(encoding="ascii").splitlines()[0].split()
        numbers = [int(number) for number in line[1:9]]
        return numbers[3] + numbers[4], sum(numbers)
    except (OSError, ValueError, IndexError):
        return None
