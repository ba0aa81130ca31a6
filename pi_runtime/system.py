"""The world a measurement happens in. Every reader returns None for what this machine does not say.

``root`` is the file system's root; tests hand in a folder with recorded files.
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pi_runtime import parsers
from pi_runtime.cores import cores, memory_limit_bytes
from pi_runtime.shape import Device, Look

ROOT = Path("/")
CPU_FOLDER = "sys/devices/system/cpu"
CPU_ZONES = ("cpu-thermal", "soc-thermal", "cpu_thermal", "x86_pkg_temp", "acpitz")
"""Thermal zones that speak for the processor, best first; boards also have zones for Wi-Fi and batteries."""

Value = TypeVar("Value")


def read_text(path: Path) -> str | None:
    """A small text file of /proc or /sys, or None when it is absent or refuses to be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def parse_file(path: Path, parse: Callable[[str], Value | None]) -> Value | None:
    """``parse`` of the file's text, or None when there is no such file."""
    text = read_text(path)
    return None if text is None else parse(text)


def device(label: str | None, root: Path = ROOT) -> Device:
    """What stays the same during a run. Host name, serial number and addresses are left out on purpose."""
    cpuinfo = read_text(root / "proc/cpuinfo")
    cpufreq = root / CPU_FOLDER / "cpu0/cpufreq"
    usable = cores(root)
    return {
        "label": label,
        "board_model": parsers.board_model(read_text(root / "proc/device-tree/model"), cpuinfo),
        "cpu_model": parsers.cpu_model(cpuinfo) if cpuinfo else None,
        "cores": os.cpu_count(),
        "cores_usable": usable.logical,
        "cores_physical": usable.physical,
        "cores_fast": usable.fast,
        "cpu_quota": usable.quota,
        "machine": platform.machine() or None,
        "kernel": platform.release() or None,
        "operating_system": operating_system(),
        "governor": parse_file(cpufreq / "scaling_governor", lambda text: text.strip() or None),
        "frequency_maximum_hertz": parse_file(cpufreq / "cpuinfo_max_freq", parsers.kilohertz),
        "memory_total_bytes": meminfo("MemTotal", root),
        "memory_limit_bytes": memory_limit_bytes(root),
    }


def operating_system() -> str | None:
    """The distribution's own name for itself, for example "Debian GNU/Linux 12 (bookworm)"."""
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return None


def conditions(root: Path = ROOT) -> Look:
    """What may change during a run; taken before the model is loaded and after the last sample."""
    celsius, zone = temperature(root)
    return {
        "load_average": parse_file(root / "proc/loadavg", parsers.load_average),
        "memory_available_bytes": meminfo("MemAvailable", root),
        "frequency_hertz": frequency(root),
        "temperature_celsius": celsius,
        "temperature_zone": zone,
        "throttled_flags": throttled(root),
    }


def meminfo(name: str, root: Path = ROOT) -> int | None:
    """One line of /proc/meminfo, in bytes."""
    return parse_file(root / "proc/meminfo", lambda text: parsers.kilobytes_as_bytes(text, name))


def frequency(root: Path = ROOT) -> int | None:
    """Clock of the fastest core right now, in hertz: idle cores of the same chip may be slower."""
    files = (root / CPU_FOLDER).glob("cpu[0-9]*/cpufreq/scaling_cur_freq")
    found = [hertz for file in files if (hertz := parse_file(file, parsers.kilohertz)) is not None]
    return max(found, default=None)


def temperature(root: Path = ROOT) -> tuple[float | None, str | None]:
    """(degrees Celsius, zone name) of the processor's thermal zone, else of the hottest zone."""
    zones: list[tuple[float, str]] = []
    for folder in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        celsius = parse_file(folder / "temp", parsers.millidegrees)
        if celsius is not None:
            zones.append((celsius, (read_text(folder / "type") or folder.name).strip()))
    for wanted in CPU_ZONES:
        for celsius, zone in zones:
            if zone == wanted:
                return celsius, zone
    return max(zones, default=(None, None))


def throttled(root: Path = ROOT) -> int | None:
    """Throttle flags of a Raspberry Pi: the firmware driver's file, else ``vcgencmd``; None elsewhere.

    The file comes first because ``vcgencmd`` starts a process and needs the ``video`` group.
    """
    for file in sorted((root / "sys/devices/platform").glob("soc*/*firmware/get_throttled")):
        flags = parse_file(file, parsers.throttled_flags)
        if flags is not None:
            return flags
    return _vcgencmd_throttled() if root == ROOT else None


def _vcgencmd_throttled() -> int | None:
    command = ["vcgencmd", "get_throttled"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return parsers.throttled_flags(done.stdout) if done.returncode == 0 else None


class CpuShare:
    """Share of the machine's CPU time that other processes used between the two calls, 0 to 1.

    Whole machine's busy time (/proc/stat) less this process's own, over all CPU time there was.
    The kernel counts in ticks of 10 ms, so a window below half a second says little.
    """

    def __init__(self, root: Path = ROOT, own_seconds: Callable[[], float] | None = None) -> None:
        self._root = root
        self._own_seconds = own_seconds or own_cpu_seconds
        self._before = self._read()

    def _read(self) -> tuple[float, float, float] | None:
        ticks = parse_file(self._root / "proc/stat", parsers.cpu_ticks)
        if ticks is None:
            return None
        per_second = os.sysconf("SC_CLK_TCK")
        return ticks[0] / per_second, ticks[1] / per_second, self._own_seconds()

    def others(self) -> float | None:
        """Share since this object was made; None where /proc/stat cannot be read or time stood still."""
        after = self._read()
        if self._before is None or after is None:
            return None
        busy, total, own = (late - early for late, early in zip(after, self._before, strict=True))
        return min(1.0, max(0.0, (busy - own) / total)) if total > 0 else None


def own_cpu_seconds() -> float:
    """CPU seconds of this process, all threads, user and system."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
