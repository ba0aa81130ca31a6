"""Texts of /proc, /sys and vcgencmd to values. Pure: text in, value out, None for what is not there."""

from __future__ import annotations

import re

ARM_PARTS = {
    "0xb76": "ARM1176",
    "0xc07": "ARM Cortex-A7",
    "0xd03": "ARM Cortex-A53",
    "0xd05": "ARM Cortex-A55",
    "0xd07": "ARM Cortex-A57",
    "0xd08": "ARM Cortex-A72",
    "0xd0a": "ARM Cortex-A75",
    "0xd0b": "ARM Cortex-A76",
    "0xd0c": "ARM Neoverse-N1",
}
"""Main ID part numbers of cores designed by ARM (implementer 0x41); 64-bit kernels print no model name."""

THROTTLE_BITS = {
    0: "under-voltage now",
    1: "frequency capped now",
    2: "throttled now",
    3: "soft temperature limit now",
    16: "under-voltage has occurred",
    17: "frequency capping has occurred",
    18: "throttling has occurred",
    19: "soft temperature limit has occurred",
}
"""Bits of ``vcgencmd get_throttled`` as Raspberry Pi documents them.

The upper ones stay up until somebody clears them; the kernel's hwmon driver does so every few seconds.
"""

NOW_BITS = 0x0000F
OCCURRED_BITS = 0xF0000


def _field(text: str, name: str) -> str | None:
    """The first ``name : value`` of a /proc text, or None when it is absent or empty."""
    match = re.search(rf"^{re.escape(name)}[ \t]*:[ \t]*(.*)$", text, re.MULTILINE)
    return (match.group(1).strip() or None) if match else None


def cpu_model(cpuinfo: str) -> str | None:
    """Name of the processor from /proc/cpuinfo; on ARM from the part numbers of its cores.

    A board with two kinds of cores lists both, for example "ARM Cortex-A55 + ARM Cortex-A76".
    """
    parts = sorted(set(re.findall(r"^CPU part[ \t]*:[ \t]*(0x[0-9a-f]+)", cpuinfo, re.MULTILINE)))
    if parts and _field(cpuinfo, "CPU implementer") == "0x41":
        return " + ".join(ARM_PARTS.get(part, f"ARM part {part}") for part in parts)
    return _field(cpuinfo, "model name")


def board_model(device_tree: str | None, cpuinfo: str | None) -> str | None:
    """Name of the board: the device tree's (ends with a NUL byte), else the Model line of Pi kernels.

    The serial number next to it in /proc/cpuinfo identifies a person's board and is never read.
    """
    if device_tree and device_tree.strip("\0 \n"):
        return device_tree.strip("\0 \n")
    return _field(cpuinfo, "Model") if cpuinfo else None


def kilobytes_as_bytes(text: str, name: str) -> int | None:
    """A ``Name:   123 kB`` line of /proc/meminfo or /proc/self/status, in bytes (the kernel's kB is 1024)."""
    match = re.search(rf"^{re.escape(name)}:\s*(\d+) kB$", text, re.MULTILINE)
    return int(match.group(1)) * 1024 if match else None


def load_average(text: str) -> list[float] | None:
    """The 1, 5 and 15 minute load averages of /proc/loadavg."""
    fields = text.split()
    try:
        return [float(field) for field in fields[:3]] if len(fields) >= 3 else None
    except ValueError:
        return None


def cpu_ticks(stat: str) -> tuple[int, int] | None:
    """(busy, all) clock ticks over every CPU since boot, from the first line of /proc/stat.

    Columns: user nice system idle iowait irq softirq steal guest guest_nice. The guest columns are
    inside user and nice already. Steal is time that another virtual machine had: busy, but not ours.
    """
    match = re.match(r"cpu +([\d ]+)", stat)
    if not match:
        return None
    columns = [int(field) for field in match.group(1).split()][:8]
    if len(columns) < 4:
        return None
    idle = sum(columns[3:5])
    return sum(columns) - idle, sum(columns)


def millidegrees(text: str) -> float | None:
    """Degrees Celsius from a thermal zone's ``temp`` file; None for the absurd values of broken sensors."""
    try:
        celsius = int(text.strip()) / 1000
    except ValueError:
        return None
    return celsius if -50 < celsius < 200 else None


def kilohertz(text: str) -> int | None:
    """Hertz from a cpufreq file, which holds kHz."""
    stripped = text.strip()
    return int(stripped) * 1000 if stripped.isdecimal() else None


def throttled_flags(text: str) -> int | None:
    """Flags from ``throttled=0x50000`` (vcgencmd) or ``50000`` (the firmware driver's file, hexadecimal)."""
    match = re.fullmatch(r"(?:throttled=)?(?:0x)?([0-9a-fA-F]{1,8})", text.strip())
    return int(match.group(1), 16) if match else None


def throttle_names(flags: int) -> list[str]:
    """Words for the flags that are set."""
    return [name for bit, name in THROTTLE_BITS.items() if flags & (1 << bit)]
