"""Which processors a program may use, and how many threads of it do useful work. Linux; every file may be absent.

``root`` is the file system's root; tests hand in a folder with made-up files. Formats: the kernel's
``Documentation/admin-guide/cgroup-v2.rst``, ``cgroup-v1/`` and ``cputopology.rst``.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/")
CPUS = "sys/devices/system/cpu"
CGROUPS = "sys/fs/cgroup"

SLOW_SHARE = 0.8
"""Below this share of the fastest core's speed a core is of a slow kind. Cores of one kind differ by less: a maker's
favoured cores reach at most a tenth more clock. Slow kinds have about half of the speed of fast ones."""

NO_LIMIT_BYTES = 1 << 60
"""cgroup v1 writes a number near 2^63 for no limit."""


@dataclass(frozen=True)
class Cores:
    """logical: CPUs that the process may run on; physical: cores behind them, hyperthreads counted once; fast: those of
    the fastest kind. quota: CPUs' worth of time that its control group allows, None without a limit.
    """

    logical: int
    physical: int
    fast: int
    quota: float | None

    @property
    def threads(self) -> int:
        """Threads that do not wait for each other: one for each fast core, within the quota; at least one.

        ggml's threads wait for the slowest: one on a slow core, on a core that another thread works on, or stopped by
        the quota holds up all.
        """
        return max(1, min(self.fast, int(self.quota) if self.quota is not None else self.fast))


def cores(root: Path = ROOT, allowed: Collection[int] | None = None) -> Cores:
    """``allowed``: numbers of the CPUs that may be used; the affinity of this process, which a cpuset narrows too."""
    usable = sorted(_affinity() if allowed is None else allowed)
    groups = {_siblings(root, cpu) for cpu in usable}
    speeds = [max(_speed(root, cpu) for cpu in group if cpu in usable) for group in groups]
    fast = sum(speed >= SLOW_SHARE * max(speeds) for speed in speeds)
    return Cores(len(usable), len(groups), fast, quota(root))


def _affinity() -> Collection[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)


def _siblings(root: Path, cpu: int) -> frozenset[int]:
    """The CPUs on one core with this one, itself included."""
    for name in ("core_cpus_list", "thread_siblings_list"):
        found = _list(_text(root / CPUS / f"cpu{cpu}/topology/{name}"))
        if cpu in found:
            return found
    return frozenset((cpu,))


def _speed(root: Path, cpu: int) -> float:
    """Of the kernel's own measure of a core, where cores differ; else by kind, else its highest clock; else 1."""
    slow = _list(_text(root / "sys/devices/cpu_atom/cpus"))
    if slow:
        # Intel's hybrid processors: what the names say, for the clocks of both kinds are near each other.
        return 0.5 if cpu in slow else 1.0
    for name in ("cpu_capacity", "cpufreq/cpuinfo_max_freq"):
        if value := _number(_text(root / CPUS / f"cpu{cpu}/{name}")):
            return value
    return 1.0


# --- Control groups


def quota(root: Path = ROOT) -> float | None:
    """CPUs' worth of time that the control groups of this process allow: the least of all above it."""
    found: list[float] = []
    for folder in _folders(root, "cpu"):
        limit, _, period = _text(folder / "cpu.max").partition(" ")
        if not limit:
            limit, period = _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")
        share, span = _number(limit), _number(period)
        if share > 0 and span > 0:
            found.append(share / span)
    return min(found, default=None)


def memory_limit_bytes(root: Path = ROOT) -> int | None:
    """The least memory limit of the control groups of this process; None without one."""
    names = ("memory.max", "memory.high", "memory.limit_in_bytes")
    limits = [_number(_text(folder / name)) for folder in _folders(root, "memory") for name in names]
    return min((int(n) for n in limits if 0 < n < NO_LIMIT_BYTES), default=None)


def _folders(root: Path, controller: str) -> Iterator[Path]:
    """The folder of this process's group and all above it. In a container its path may be the host's, and the folder
    of the mount itself is then the group's."""
    base = root / CGROUPS
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
        for mount in mounts:
            for depth in range(len(parts), -1, -1):
                yield mount.joinpath(*parts[:depth])


# --- Small files


def _text(path: Path) -> str:
    """Content of a small file without the spaces around it; "" where it cannot be read."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _number(text: str) -> float:
    """A number; 0 for anything else ("max")."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def _list(text: str) -> frozenset[int]:
    """``0-3,8`` as numbers; empty for anything else."""
    found: set[int] = set()
    for part in text.split(",") if text else []:
        first, _, last = part.partition("-")
        if not (first.isdigit() and (last or first).isdigit() and int(last or first) - int(first) < 1 << 16):
            return frozenset()
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)
