"""What else a report says about a board: swap, storage, firmware, package, energy, and another process's CPU time.

Every reader returns None for what this machine does not say. ``root`` is the file system's root, as in ``system``.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import BinaryIO, Literal

from pi_runtime import parsers
from pi_runtime.settings import CouldNot, InvalidArguments
from pi_runtime.shape import Energy, Swap
from pi_runtime.system import ROOT, meminfo, read_text


def cpu_seconds(pid: int, root: Path = ROOT) -> float:
    """User and system time of a process; 0 if it is gone."""
    fields = _stat(pid, root)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def major_faults(pid: int, root: Path = ROOT) -> int:
    """Times a process waited for storage to bring a page in; 0 if it is gone."""
    fields = _stat(pid, root)
    return int(fields[9]) if fields else 0


def _stat(pid: int, root: Path) -> list[str]:
    """The columns of ``/proc/PID/stat`` from the third on: the name before them may contain spaces."""
    text = read_text(root / f"proc/{pid}/stat")
    return text.rpartition(")")[2].split() if text else []


def memory(pid: int, name: str, root: Path = ROOT) -> int | None:
    """A line of ``/proc/PID/status`` in bytes: VmHWM (peak resident), VmRSS, RssAnon, RssFile."""
    text = read_text(root / f"proc/{pid}/status")
    return None if text is None else parsers.kilobytes_as_bytes(text, name)


def reset_peak_memory(pid: int) -> bool:
    """Set VmHWM of a process back to what is resident now. False where the kernel does not allow it."""
    try:
        Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def storage_reads(pid: int, root: Path = ROOT) -> int | None:
    """Bytes that storage had to deliver for a process since it started; None if the kernel does not say."""
    found = re.search(r"^read_bytes: (\d+)$", read_text(root / f"proc/{pid}/io") or "", re.MULTILINE)
    return int(found[1]) if found else None


def start(reads_bytes: int | None, size_bytes: int) -> Literal["cold", "warm"]:
    """Whether a file of that size was loaded from storage or from the page cache, by what storage delivered."""
    return "cold" if reads_bytes is not None and reads_bytes >= size_bytes / 2 else "warm"


def forget(file: BinaryIO) -> None:
    """Drop an open file from the page cache as far as it is written and no process uses it. Raises CouldNot."""
    if not hasattr(os, "posix_fadvise"):
        raise CouldNot("A cold start needs Linux: leave out --cold.")
    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def swapped_pages(root: Path = ROOT) -> int | None:
    """Pages written to swap and read from it since boot, by the whole machine."""
    text = read_text(root / "proc/vmstat")
    found = re.findall(r"^pswp(?:in|out) (\d+)$", text or "", re.MULTILINE)
    return sum(map(int, found)) if found else None


def swap(before: int | None, root: Path = ROOT) -> Swap:
    """Swapping since ``before``, a result of ``swapped_pages``."""
    total, free, now = meminfo("SwapTotal", root), meminfo("SwapFree", root), swapped_pages(root)
    used = total - free if total is not None and free is not None else None
    moved = now - before if now is not None and before is not None else None
    return {"total_bytes": total, "used_bytes": used, "pages_moved": moved}


def page_size() -> int:
    """Bytes of a memory page: 4,096, or 16,384 with the usual kernel of a Raspberry Pi 5."""
    return int(os.sysconf("SC_PAGE_SIZE"))


def firmware(root: Path = ROOT) -> str | None:
    """The bootloader's time stamp as the device tree has it, which identifies a Raspberry Pi's firmware."""
    try:
        raw = (root / "proc/device-tree/chosen/bootloader/build-timestamp").read_bytes()
    except OSError:
        return None
    return f"bootloader built at {int.from_bytes(raw, 'big')} (Unix time)" if len(raw) == 4 else None


def package_version() -> str | None:
    """The version of the Debian package, if this program is from it."""
    command = ["dpkg-query", "--show", "--showformat=${Version}", "pi-zoo-runtime"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def storage(path: Path, root: Path = ROOT) -> str | None:
    """The kind of disk that a file is on, by the device of its file system."""
    try:
        number = path.stat().st_dev
        block = (root / f"sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve(strict=True)
    except OSError:
        return None
    disk = block.parent if (block / "partition").is_file() else block
    model = (read_text(disk / "device/model") or read_text(disk / "device/name") or "").strip()
    return f"{_kind(disk.name)} {disk.name}{f' ({model})' if model else ''}"


def _kind(name: str) -> str:
    for start, kind in (
        ("mmcblk", "SD card or eMMC"),
        ("nvme", "NVMe"),
        ("sd", "USB or SATA disk"),
        ("vd", "virtual disk"),
    ):
        if name.startswith(start):
            return kind
    return "disk"


class Meter:
    """A file with a growing count of energy: joules, or microjoules if its name ends with ``_uj`` (Linux powercap)."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._before = self._read()

    def _read(self) -> float | None:
        if self._path is None:
            return None
        try:
            value = float(self._path.read_text(encoding="ascii").split()[0])
        except (OSError, ValueError, IndexError) as error:
            raise InvalidArguments(f"{self._path} has no count of energy: {error}.") from error
        return value / 1e6 if self._path.name.endswith("_uj") else value

    def used(self, tokens: int) -> Energy:
        """Energy since this object was made."""
        after = self._read()
        if after is None or self._before is None or after < self._before:
            return {"joules": None, "joules_per_token": None}
        joules = after - self._before
        return {"joules": joules, "joules_per_token": joules / max(tokens, 1)}
