"""Whether the installed llama.cpp was compiled for this processor, or for its GPU. A wheel in a shared cache may come
from another machine.

``python -m zoo.llama.processor`` exits with 1 and prints what is wrong, or exits with 0.
"""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from zoo.errors import says_no_memory
from zoo.machine import endings

REBUILD = "pip install --force-reinstall --no-cache-dir --no-deps llama-cpp-python"

FLAGS: Mapping[str, str] = {
    "SSE3": "pni",
    "SSSE3": "ssse3",
    "AVX": "avx",
    "AVX2": "avx2",
    "F16C": "f16c",
    "FMA": "fma",
    "BMI2": "bmi2",
    "AVX512": "avx512f",
    "AVX512_VBMI": "avx512vbmi",
    "AVX512_VNNI": "avx512_vnni",
    "NEON": "asimd",
    "FP16_VA": "asimdhp",
    "DOTPROD": "asimddp",
    "SVE": "sve",
}
"""llama.cpp's name for a set of instructions -> Linux's name in /proc/cpuinfo."""

NEW_FLAGS: Mapping[str, str] = {
    "AVX_VNNI": "avx_vnni",
    "AVX512_BF16": "avx512_bf16",
    "AMX_INT8": "amx_int8",
    "MATMUL_INT8": "i8mm",
    "SME": "sme",
}
"""The same for sets that older kernels do not list: there, their absence means nothing."""

NAMES_KNOWN_SINCE = (6, 1)
"""The Linux version that has the names of all of these."""

GPU_LIBRARIES = ("*ggml-cuda.*", "*ggml-hip.*")
"""The parts of a llama.cpp for the GPUs that torch calls cuda."""

_CODE = "from zoo.llama import library; print(library.system_info())"


def teacher_device(device: str) -> str:
    """Where a GGUF teacher answers if training runs on ``device``: there too if the installed llama.cpp was compiled
    for such GPUs, else on the processor. Reads names of files only; loading llama.cpp would slow down every plan.
    """
    found = importlib.util.find_spec("llama_cpp") if device != "cpu" else None
    folder = Path(found.origin).parent / "lib" if found and found.origin else None
    return device if folder and any(one for name in GPU_LIBRARIES for one in folder.glob(name)) else "cpu"


def fault() -> str | None:
    """What is wrong with the installed llama.cpp, as a sentence without full stop; None if it can run here.

    It is loaded in a separate process: if it was compiled for another processor, it would crash this one.
    """
    done = subprocess.run([sys.executable, "-P", "-c", _CODE], capture_output=True, text=True, check=False)
    if done.returncode == -signal.SIGKILL or says_no_memory(done.stderr):
        return None  # memory ran out, which says nothing about the processor
    if done.returncode < 0:
        return (
            f"loading it {endings.words(done.returncode)}; it may have been compiled for a different processor"
        )
    if done.returncode != 0:
        return "it does not load: " + (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    names = lacking(done.stdout, cpuinfo, os.uname().release)
    return f"it was compiled for a different processor: this one does not support {', '.join(names)}" if names else None


def lacking(system_info: str, cpuinfo: str, kernel: str) -> list[str]:
    """Sets of instructions that llama.cpp was compiled with and this processor does not have.

    system_info: llama.cpp's own line, such as ``CPU : AVX2 = 1 | FMA = 1``; cpuinfo: the text of /proc/cpuinfo;
    kernel: the version of Linux. Empty if the system does not list the processor's instructions.
    """
    compiled = re.findall(r"(\w+) = 1\b", system_info)
    there = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo, re.MULTILINE)
    version = tuple(map(int, re.findall(r"\d+", kernel)[:2]))
    known = {**FLAGS, **(NEW_FLAGS if version >= NAMES_KNOWN_SINCE else {})}
    has = set(there[1].split()) if there else set(known.values())
    return [name for name in compiled if name in known and known[name] not in has]


def main() -> int:
    """Print what is wrong; returns the exit code."""
    found = fault()
    if found:
        print(f"llama.cpp cannot run here: {found}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
