"""llama.cpp's programs for a Debian package, compiled from a pinned source and kept by a digest of what they depend on.

    python scripts/pi/compile.py arm64            prints the folder with the stripped programs and libraries
    python scripts/pi/compile.py amd64 --again    compiles although the result is there, for a comparison of two builds

The source is the sdist of llama-cpp-python, whose sha256 is below. The compiler is Debian's, a cross-compiler for
another architecture. No path, time or state of git is in the result, so two builds in different folders are equal.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

VERSION = "0.3.36"
SDIST = f"llama_cpp_python-{VERSION}.tar.gz"
SDIST_SHA256 = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"
INNER = f"llama_cpp_python-{VERSION}/vendor/llama.cpp/"
PROGRAMS = ("llama-server", "llama-bench", "llama-quantize")
EPOCH = "1764288000"
"""SOURCE_DATE_EPOCH of everything: 2025-11-28."""

FLAGS = (
    "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=ON", "-DGGML_NATIVE=OFF", "-DGGML_BACKEND_DL=ON",
    "-DGGML_CPU_ALL_VARIANTS=ON", "-DGGML_CCACHE=OFF", "-DLLAMA_OPENSSL=OFF", "-DLLAMA_BUILD_UI=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF", "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_APP=OFF",
    "-DLLAMA_BUILD_COMMON=ON", "-DLLAMA_BUILD_TOOLS=ON", "-DLLAMA_BUILD_SERVER=ON", "-DLLAMA_ALL_WARNINGS=OFF",
    "-DLLAMA_BUILD_NUMBER=0", f"-DLLAMA_BUILD_COMMIT=llama-cpp-python-{VERSION}", "-DLLAMA_BUILD_IS_DEV=OFF",
    "-DCMAKE_BUILD_WITH_INSTALL_RPATH=ON", "-DCMAKE_INSTALL_RPATH=$ORIGIN", "-DCMAKE_POSITION_INDEPENDENT_CODE=ON",
)  # fmt: skip
"""Without a fixed build number and commit cmake asks git. The RUNPATH of a build folder would be in the files."""

HARDENED = ("-fstack-protector-strong", "-D_FORTIFY_SOURCE=2", "-Wformat", "-Werror=format-security")
LINKED = "-Wl,-z,relro -Wl,-z,now"
STRIPPED = ("--strip-unneeded", "--remove-section=.comment", "--remove-section=.note")


@dataclass(frozen=True)
class Target:
    """triple: GNU's name of the architecture; variants: builds of ggml's CPU library, chosen at run time."""

    triple: str
    processor: str
    variants: tuple[str, ...]


TARGETS = {
    # The variants of a newer Arm need a compiler that knows SME, and no board of the profiles has these cores.
    "arm64": Target("aarch64-linux-gnu", "aarch64", ("armv8.0_1", "armv8.2_1", "armv8.2_2")),
    "amd64": Target("x86_64-linux-gnu", "x86_64", ("x64", "haswell", "icelake", "alderlake")),
}


class CouldNot(Exception):
    """The compile is not possible here; the text is a sentence with what to do next."""


def cache() -> Path:
    """Where compiled programs and the source are kept: ``PI_ZOO_CACHE``, else the user's cache folder."""
    given = os.environ.get("PI_ZOO_CACHE")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "pi-zoo-runtime")


def compilers(target: Target) -> tuple[str, str]:
    """Paths of the C and C++ compilers. Raises CouldNot with the package that has a missing tool."""
    found = {}
    for tool, package in ((f"{target.triple}-gcc", f"gcc-{target.triple.replace('_', '-')}"),
                          (f"{target.triple}-g++", f"g++-{target.triple.replace('_', '-')}"),
                          (f"{target.triple}-strip", f"binutils-{target.triple.replace('_', '-')}"),
                          ("cmake", "cmake"), ("ninja", "ninja-build")):  # fmt: skip
        path = shutil.which(tool, path=os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/bin")))
        if path is None:
            raise CouldNot(f"{tool} was not found. Install it with: apt-get install {package}")
        found[tool] = path
    return found[f"{target.triple}-gcc"], found[f"{target.triple}-g++"]


def key(name: str) -> str:
    """Digest of everything that the programs depend on: source, options, and the compiler with its version."""
    target = TARGETS[name]
    c, _ = compilers(target)
    version = subprocess.run([c, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    facts = [SDIST_SHA256, name, target.triple, target.variants, PROGRAMS, FLAGS, HARDENED, LINKED, STRIPPED, EPOCH,
             version]  # fmt: skip
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]


def sdist() -> Path:
    """The source, from the cache or by pip. Raises CouldNot if it cannot be had or has another digest."""
    kept = cache() / SDIST
    if kept.is_file() and _sha256(kept) == SDIST_SHA256:
        return kept
    cache().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache()) as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "llama-cpp-python",
                   "--disable-pip-version-check", "--dest", scratch, f"llama-cpp-python=={VERSION}"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        got = Path(scratch, SDIST)
        if not got.is_file():
            lines = done.stderr.strip().splitlines() or ["no reason was given"]
            raise CouldNot(f"pip could not download {SDIST}: {lines[-1]}. Put the file into {cache()} and try again.")
        if _sha256(got) != SDIST_SHA256:
            raise CouldNot(f"{SDIST} has the sha256 {_sha256(got)}, not {SDIST_SHA256}. It was not used.")
        got.replace(kept)
    return kept


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def unpack(into: Path, target: Target) -> None:
    """llama.cpp's source, with only the wanted variants. Raises CouldNot if the source does not list one of them."""
    with tarfile.open(sdist()) as archive:
        members = [m for m in archive if m.name.startswith(INNER) and (m.isfile() or m.isdir())]
        for member in members:
            member.name = member.name.removeprefix(INNER)
        # Debian 12's Python has no filters yet; the source is pinned by its digest.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(into, members)
    listing = into / "ggml/src/CMakeLists.txt"
    kept, seen = [], set()
    for line in listing.read_text(encoding="utf-8").splitlines(keepends=True):
        words = line.strip().removesuffix(")").partition("ggml_add_cpu_backend_variant(")
        variant = words[2].split()[0] if words[1] and not words[0] else None
        if variant is None or variant in target.variants:
            kept.append(line)
            seen |= {variant} & set(target.variants)
    if seen != set(target.variants):
        raise CouldNot(f"The source does not list these variants: {', '.join(set(target.variants) - seen)}")
    listing.write_text("".join(kept), encoding="utf-8")


def compile_in(work: Path, name: str, jobs: int) -> Path:
    """Compile in a folder and return the folder with the result. Raises CouldNot with the end of the log."""
    target = TARGETS[name]
    c, cpp = compilers(target)
    source, build, result = work / "source", work / "build", work / "result"
    unpack(source, target)
    plain = " ".join((*HARDENED, f"-ffile-prefix-map={source}=.", f"-ffile-prefix-map={build}=./build"))
    configure = ["/usr/bin/cmake" if Path("/usr/bin/cmake").exists() else "cmake", "-G", "Ninja", "-S", str(source)]
    configure += ["-B", str(build), *FLAGS, "-DCMAKE_SYSTEM_NAME=Linux"]
    configure += [f"-DCMAKE_SYSTEM_PROCESSOR={target.processor}", f"-DCMAKE_C_COMPILER={c}"]
    configure += [f"-DCMAKE_CXX_COMPILER={cpp}", f"-DCMAKE_C_FLAGS={plain}", f"-DCMAKE_CXX_FLAGS={plain}"]
    configure += [f"-DCMAKE_{kind}_LINKER_FLAGS={LINKED}" for kind in ("EXE", "SHARED", "MODULE")]
    _run(configure, work)
    _run(["ninja", "-C", str(build), "-j", str(jobs), *PROGRAMS], work)
    _collect(build / "bin", result, target)
    return result


def _run(command: list[str], work: Path) -> None:
    # A repository around the folder must not give its commit to the programs.
    world = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH, "GIT_DIR": os.devnull, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    with (work / "log").open("ab") as log:
        done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, env=world, check=False)
    if done.returncode:
        end = (work / "log").read_text(encoding="utf-8", errors="replace").splitlines()[-30:]
        raise CouldNot(f"{command[0]} failed with exit code {done.returncode}:\n" + "\n".join(end))


def _collect(binaries: Path, result: Path, target: Target) -> None:
    """Each program, and each library under the name that the loader looks for; stripped, with fixed modes."""
    result.mkdir()
    wanted = {program: binaries / program for program in PROGRAMS}
    for path in sorted(binaries.glob("lib*.so*")):
        if path.is_symlink() and path.suffix != ".so":
            wanted[path.name] = path.resolve()
        elif not path.is_symlink() and path.suffix == ".so":
            wanted[path.name] = path
    for name, path in wanted.items():
        shutil.copyfile(path, result / name)
        (result / name).chmod(0o755 if name in PROGRAMS else 0o644)
        subprocess.run([f"{target.triple}-strip", *STRIPPED, str(result / name)], check=True)


def compiled(name: str, *, again: bool = False, jobs: int | None = None) -> Path:
    """The folder with the programs for an architecture; compiles if it is not in the cache yet (10 to 20 minutes)."""
    place = cache() / f"{name}-{key(name)}"
    if place.is_dir() and not again:
        return place
    cache().mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=cache(), prefix=f"{name}-work-"))
    try:
        result = compile_in(work, name, jobs or os.cpu_count() or 1)
        if again:
            place = place.with_name(f"{place.name}-again")
            shutil.rmtree(place, ignore_errors=True)
        result.rename(place)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return place


def main() -> int:
    """Print the folder; exit code 1 with a sentence if it cannot be made."""
    parser = argparse.ArgumentParser(description="Compile llama.cpp's programs for the Debian package.")
    parser.add_argument("architecture", choices=sorted(TARGETS))
    parser.add_argument("--again", action="store_true", help="compile although the result is kept")
    parser.add_argument("--jobs", type=int, help="compilers at the same time; default: one for each processor")
    given = parser.parse_args()
    try:
        print(compiled(given.architecture, again=given.again, jobs=given.jobs))
    except CouldNot as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
