"""Recorded texts of boards as folders: what ``/proc`` and ``/sys`` of a Raspberry Pi, a Jetson or a laptop say."""

from __future__ import annotations

from pathlib import Path

ARM = "processor\t: {number}\nFeatures\t: {features}\nCPU implementer\t: 0x41\nCPU part\t: {part}\n\n"
V8_0 = "fp asimd evtstrm crc32 cpuid"
V8_2 = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
X86 = "processor\t: 0\nvendor_id\t: {vendor}\nmodel name\t: {name}\nflags\t\t: fpu sse2 avx avx2 fma\n\n"

BOARDS = {
    "zero2": ("Raspberry Pi Zero 2 W Rev 1.0", ["0xd03"] * 4, V8_0, 430_000, "pi-zero-2"),
    "pi3": ("Raspberry Pi 3 Model B Plus Rev 1.3", ["0xd03"] * 4, V8_0, 944_000, "pi-3"),
    "pi4": ("Raspberry Pi 4 Model B Rev 1.4", ["0xd08"] * 4, V8_0, 3_884_000, "pi-4-4gb"),
    "pi400": ("Raspberry Pi 400 Rev 1.0", ["0xd08"] * 4, V8_0, 3_884_000, "pi-400"),
    "cm4": ("Raspberry Pi Compute Module 4 Rev 1.1", ["0xd08"] * 4, V8_0, 7_945_000, "pi-4-8gb"),
    "pi5": ("Raspberry Pi 5 Model B Rev 1.0", ["0xd0b"] * 4, V8_2, 8_245_000, "pi-5-8gb"),
    "pi5small": ("Raspberry Pi 5 Model B Rev 1.1", ["0xd0b"] * 4, V8_2, 2_060_000, "pi-5-2gb"),
    "pi500": ("Raspberry Pi 500 Rev 1.0", ["0xd0b"] * 4, V8_2, 8_245_000, "pi-500"),
    "opi5": ("Orange Pi 5", ["0xd05"] * 4 + ["0xd0b"] * 4, V8_2, 7_930_000, "orange-pi-5-8gb"),
    "orin": ("NVIDIA Jetson Orin Nano Developer Kit", ["0xd42"] * 6, V8_2, 7_800_000, "jetson-orin-nano"),
}
"""Name -> board's name, part of each core, features, MemTotal in kB, and the profile that it is."""


def board(root: Path, name: str) -> Path:
    """A folder with the texts of a board of BOARDS."""
    model, parts, features, memory, _ = BOARDS[name]
    cpuinfo = "".join(ARM.format(number=n, features=features, part=part) for n, part in enumerate(parts))
    return folder(root, model, cpuinfo, memory)


def folder(root: Path, model: str | None, cpuinfo: str, memory_kb: int) -> Path:
    """A folder with ``/proc`` of a machine; model: its device tree's name, None on a PC."""
    tree = root / "proc/device-tree"
    tree.mkdir(parents=True)
    if model:
        (tree / "model").write_bytes(model.encode() + b"\0")
    (root / "proc/cpuinfo").write_text(cpuinfo)
    (root / "proc/meminfo").write_text(f"MemTotal:       {memory_kb} kB\nMemAvailable:   {memory_kb // 2} kB\n")
    return root
