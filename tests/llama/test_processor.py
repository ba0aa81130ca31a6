"""llama.cpp that was compiled for another processor is detected before it crashes a run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.llama import library, processor

NEW = "CPU : SSE3 = 1 | SSSE3 = 1 | AVX = 1 | AVX_VNNI = 1 | AVX2 = 1 | F16C = 1 | FMA = 1 | AVX512 = 1 | OPENMP = 1"
ARM = "CPU : NEON = 1 | ARM_FMA = 1 | FP16_VA = 1 | DOTPROD = 1 | MATMUL_INT8 = 1 | SVE_CNT = 16 | REPACK = 1 |"
OLD_BOX = "processor\t: 0\nflags\t\t: fpu pni ssse3 avx f16c fma avx2 bmi2\n"
PI_4 = "processor\t: 0\nFeatures\t: fp asimd evtstrm crc32 cpuid\n"


@pytest.mark.parametrize(
    ("compiled", "cpuinfo", "kernel", "names"),
    [
        (NEW, OLD_BOX, "6.1.0-18-amd64", ["AVX_VNNI", "AVX512"]),
        (NEW, OLD_BOX, "4.18.0-553.el8", ["AVX512"]),
        (NEW, OLD_BOX.replace("bmi2", "bmi2 avx512f avx_vnni"), "6.12.1", []),
        (ARM, PI_4, "6.6.31+rpt-rpi-v8", ["FP16_VA", "DOTPROD", "MATMUL_INT8"]),
        (ARM, PI_4.replace("cpuid", "asimdhp asimddp i8mm"), "6.6.31+rpt-rpi-2712", []),
        (NEW, "nothing of that kind", "6.1", []),
        ("", OLD_BOX, "6.1", []),
    ],
)
def test_what_the_processor_lacks(compiled: str, cpuinfo: str, kernel: str, names: list[str]) -> None:
    assert processor.lacking(compiled, cpuinfo, kernel) == names


def test_every_set_that_this_build_uses_is_known() -> None:
    pytest.importorskip("llama_cpp")
    said = library.system_info()
    others = {"LLAMAFILE", "OPENMP", "REPACK", "ARM_FMA", "KLEIDIAI", "ACCELERATE", "CPU_HBM"}
    used = {part.split("=")[0].strip().removeprefix("CPU : ") for part in said.split("|") if "= 1" in part}
    assert used - others <= {*processor.FLAGS, *processor.NEW_FLAGS}
    assert processor.fault() is None


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "signal 4 (SIGILL); it may have been compiled"),
        ("raise OSError('libllama.so: wrong ELF class: ELFCLASS32')", "wrong ELF class: ELFCLASS32"),
    ],
)  # fmt: skip
def test_a_build_that_dies_is_a_sentence(code: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "llama_cpp").mkdir()
    (tmp_path / "llama_cpp" / "__init__.py").write_text(code, encoding="utf-8")
    search = os.pathsep.join((str(tmp_path), os.environ["PYTHONPATH"]))
    done = subprocess.run(
        [sys.executable, "-m", "zoo.llama.processor"],
        env={**os.environ, "PYTHONPATH": search},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and done.stderr == ""
    assert done.stdout.startswith("llama.cpp cannot run here: ") and says in done.stdout
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(("library_name", "expected"), [("libggml-cuda.so", "cuda:1"), ("libggml-cpu.so", "cpu")])
def test_a_teacher_is_on_the_gpu_if_llama_cpp_was_compiled_for_it(
    library_name: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "llama_cpp" / "lib").mkdir(parents=True)
    (tmp_path / "llama_cpp" / "__init__.py").write_text("raise ImportError('never loaded')")
    (tmp_path / "llama_cpp" / "lib" / library_name).touch()
    monkeypatch.delitem(sys.modules, "llama_cpp", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert processor.teacher_device("cuda:1") == expected
    assert processor.teacher_device("cpu") == "cpu"
