"""How one machine simulates several: torch and llama.cpp limited to older instructions, and another Debian's Python.

torch chooses its kernels by ``ATEN_CPU_CAPABILITY``; oneDNN and MKL, which multiply its matrices, by their own
variables. llama.cpp is compiled again with the wanted instructions. Both then give the bits that a processor without
the newer instructions would give, if these libraries choose by instruction and not by the processor's maker.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.pairs import Say
from zoo.errors import ZooError

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "matrix"
REQUIREMENT = "llama-cpp-python"


@dataclass(frozen=True)
class Torch:
    """A level of instructions for torch. needs: the flag of /proc/cpuinfo without which it cannot be run."""

    name: str
    environment: Mapping[str, str]
    needs: str = ""


@dataclass(frozen=True)
class Llama:
    """A build of llama.cpp. flags: of CMake; none for the build that is installed."""

    name: str
    flags: tuple[str, ...] = ()
    needs: str = ""


def _levels(aten: str, onednn: str, mkl: str) -> Mapping[str, str]:
    return {"ATEN_CPU_CAPABILITY": aten, "ONEDNN_MAX_CPU_ISA": onednn, "MKL_CBWR": mkl}


_X86_TORCH = (
    Torch("default", _levels("default", "SSE41", "COMPATIBLE")),
    Torch("avx2", _levels("avx2", "AVX2", "AVX2"), "avx2"),
    Torch("avx512", {"ATEN_CPU_CAPABILITY": "avx512"}, "avx512f"),
)
_OFF = ("AVX", "AVX2", "FMA", "F16C", "BMI2", "AVX512", "AVX_VNNI")


def _x86(*wanted: str) -> tuple[str, ...]:
    switches = (f"-DGGML_{name}={'ON' if name in wanted else 'OFF'}" for name in _OFF)
    return ("-DGGML_NATIVE=OFF", "-DGGML_SSE42=ON", *switches)


_X86_LLAMA = (
    Llama("native"),
    Llama("avx2", _x86("AVX", "AVX2", "FMA", "F16C", "BMI2"), "avx2"),
    Llama("sse42", _x86(), "sse4_2"),
)
_ARM_TORCH = (Torch("default", {"ATEN_CPU_CAPABILITY": "default"}), Torch("native", {}))
_ARM_LLAMA = (
    Llama("native"),
    Llama("armv8.0", ("-DGGML_NATIVE=OFF", "-DGGML_CPU_ARM_ARCH=armv8-a")),
    Llama("armv8.2", ("-DGGML_NATIVE=OFF", "-DGGML_CPU_ARM_ARCH=armv8.2-a+dotprod"), "asimddp"),
)


def torch_levels() -> tuple[Torch, ...]:
    """Those that this processor can run."""
    rows = _X86_TORCH if platform.machine() == "x86_64" else _ARM_TORCH
    return tuple(row for row in rows if _has(row.needs))


def llama_builds() -> tuple[Llama, ...]:
    """Those that this processor can run; the installed one first."""
    rows = _X86_LLAMA if platform.machine() == "x86_64" else _ARM_LLAMA
    return tuple(row for row in rows if _has(row.needs))


def _has(flag: str) -> bool:
    return not flag or flag in processor_flags()


def processor_flags() -> frozenset[str]:
    """Instruction sets by the names of /proc/cpuinfo; none if the system does not list them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    found = (line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Features")))
    return frozenset(next(found, ()))


def compiled(build: Llama, say: Say) -> Path | None:
    """The folder to put first on PYTHONPATH; None for the installed build. Compiled once, a few minutes on two cores.

    Raises ZooError with pip's last line when it cannot be compiled.
    """
    if not build.flags:
        return None
    target = FOLDER / f"llama-{build.name}"
    if (target / "llama_cpp").is_dir():
        return target
    say(f"compiling llama.cpp for {build.name}, once")
    common = ("-DLLAVA_BUILD=OFF", "-DLLAMA_OPENSSL=OFF", "-DCMAKE_UNITY_BUILD=ON")
    include = f"-DCMAKE_PROJECT_INCLUDE={ROOT / 'zoo' / 'llama' / 'build.cmake'}"
    environment = {
        **os.environ,
        "CMAKE_ARGS": " ".join((*build.flags, *common, include)),
        "CMAKE_BUILD_PARALLEL_LEVEL": str(os.cpu_count() or 1),
    }
    part = target.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    # pip's cache knows no flags: a wheel of other instructions must neither be taken from it nor left in it.
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-cache-dir",
        "--no-binary",
        REQUIREMENT,
    ]
    constraints = ["-c", str(ROOT / "constraints.txt")]
    run([*pip, *constraints, "--target", str(part), REQUIREMENT], environment=environment)
    part.rename(target)
    return target


@dataclass(frozen=True)
class Debian:
    """A separate Debian in a folder, entered by chroot, with the repository at ``/zoo``."""

    suite: str
    python: str
    packages: tuple[str, ...] = field(default=("build-essential", "ca-certificates", "make", "git"))

    @property
    def folder(self) -> Path:
        return FOLDER / self.suite

    def make(self, say: Say) -> None:
        """Make the folder with mmdebstrap and copy the repository's tracked files into it.

        Raises ZooError if that fails: it needs root, mmdebstrap and Debian's packages.
        """
        if os.geteuid() or not shutil.which("mmdebstrap"):
            raise ZooError(
                f"Debian {self.suite} needs root and mmdebstrap",
                remedy="Run it as root after: apt install mmdebstrap; or leave it out with --no-debian",
            )
        if not (self.folder / "etc").is_dir():
            say(f"making Debian {self.suite} in {self.folder.relative_to(ROOT)}")
            FOLDER.mkdir(parents=True, exist_ok=True)
            wanted = ",".join((self.python, f"{self.python}-venv", *self.packages))
            run(["mmdebstrap", "--variant=minbase", f"--include={wanted}", self.suite, str(self.folder)])
        for name in ("resolv.conf", "hosts"):
            shutil.copyfile(Path("/etc") / name, self.folder / "etc" / name)
        run(["sh", "-c", f"cp -rL /etc/ssl/certs/. '{self.folder}/etc/ssl/certs/' 2>/dev/null || true"])
        there = self.folder / "zoo"
        there.mkdir(exist_ok=True)
        run(["sh", "-c", f"git -C '{ROOT}' archive HEAD | tar -x -C '{there}'"])

    def command(self, *words: str) -> list[str]:
        """``words`` as a command inside, in a separate mount namespace with /proc and /dev."""
        mounts = " && ".join(f"mount --rbind /{name} '{self.folder}/{name}'" for name in ("proc", "dev"))
        inner = f'{mounts} && exec chroot "$@"'
        return ["unshare", "--mount", "sh", "-c", inner, "sh", str(self.folder), *words]


def run(command: list[str], *, environment: Mapping[str, str] | None = None) -> None:
    """Raises ZooError with the last line of a command that failed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "it gave no reason").splitlines()[-1]
        raise ZooError(f"{Path(command[0]).name} failed with exit code {done.returncode}: {said}")
