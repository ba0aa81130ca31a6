"""What this processor supports, as far as it affects the last bits of what torch and llama.cpp compute.

Both choose their kernels by the instructions that the processor has, and torch's matrix library also by its maker.
Kernels add in different orders, so sums differ in their last bits, and so does everything that is computed from them:
trained weights, a teacher's answers, an importance matrix. Copies, conversions and the rounding of single blocks do
not.
"""

from __future__ import annotations

import functools
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_SETS = (
    "sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512_vnni",
    "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16",
    "asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "sme",
)  # fmt: skip
"""Flags of /proc/cpuinfo by which ggml, oneDNN, MKL and torch choose kernels, x86 and then Arm."""


@dataclass(frozen=True)
class Processor:
    """machine: as the system names it, such as ``x86_64``. maker: such as ``GenuineIntel``, empty where unknown.

    instruction_sets: those of the list above that it has. kernels: those that llama.cpp was compiled to use.
    """

    machine: str
    maker: str
    instruction_sets: tuple[str, ...]
    kernels: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """For people, the newest instructions only."""
        newest = next((name for name in reversed(self.instruction_sets)), "")
        compiled = f"with llama.cpp compiled for {self.kernels[-1]}" if self.kernels else ""
        return " ".join(p for p in (self.machine, self.maker, newest and f"up to {newest}", compiled) if p)


@functools.cache
def here(cpuinfo: Path = Path("/proc/cpuinfo")) -> Processor:
    """This machine's processor; without instruction sets where the system does not list them."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    values = _first_block(text)
    flags = set((values.get("flags") or values.get("Features") or "").split())
    maker = values.get("vendor_id") or " ".join(
        values[key] for key in ("CPU implementer", "CPU part") if key in values
    )
    return Processor(platform.machine(), maker, tuple(name for name in _SETS if name in flags))


def from_record(record: object) -> Processor | None:
    """The processor that a release records; None without a readable record."""
    if not isinstance(record, Mapping) or not isinstance(record.get("machine"), str):
        return None
    sets, kernels = (
        tuple(map(str, names)) if isinstance(names := record.get(key), list) else ()
        for key in ("instruction_sets", "kernels")
    )
    return Processor(record["machine"], str(record.get("maker", "")), sets, kernels)


def _first_block(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip() and found:
            break
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    return found
