"""The compiled programs as the loader of a board sees them. They are read with binutils; nothing is run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from llamaserver import compiled, compiling
from piservers import ROOT, packaged, packaging

NEWEST = {"GLIBC": (2, 34), "GLIBCXX": (3, 4, 30), "CXXABI": (1, 3, 13), "GOMP": (4, 5), "GCC": (7, 0)}
"""Debian 12 has all of these."""
FROM_DEBIAN = {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "libgomp.so.1", "libstdc++.so.6", "ld-linux-aarch64.so.1",
               "ld-linux-x86-64.so.2"}  # fmt: skip
MACHINE = {"arm64": "AArch64", "amd64": "Advanced Micro Devices X86-64"}


@pytest.fixture(scope="module", params=["arm64", "amd64"])
def programs(request: pytest.FixtureRequest) -> tuple[str, Path]:
    """(architecture, folder). What is not compiled yet is skipped; make pi compiles arm64."""
    place = compiled(request.param)
    if place is None:
        pytest.skip(f"not compiled here: python scripts/pi/compile.py {request.param}")
    return request.param, place


def read(architecture: str, option: str, path: Path) -> str:
    tool = shutil.which(f"{compiling.TARGETS[architecture].triple}-readelf") or "readelf"
    return subprocess.run([tool, "-W", option, path], capture_output=True, text=True, check=True).stdout


def test_every_file_is_there(programs: tuple[str, Path]) -> None:
    architecture, place = programs
    names = {path.name for path in place.iterdir()}
    variants = {f"libggml-cpu-{variant}.so" for variant in compiling.TARGETS[architecture].variants}
    assert variants | set(compiling.PROGRAMS) <= names
    assert {name for name in names if name.startswith("libggml-cpu")} == variants
    assert sum(path.stat().st_size for path in place.iterdir()) < 40_000_000


def test_they_are_for_this_processor_and_say_nothing_of_their_build(programs: tuple[str, Path]) -> None:
    architecture, place = programs
    for path in place.iterdir():
        assert f"Machine:                           {MACHINE[architecture]}" in read(architecture, "-h", path)
        assert ".debug_" not in read(architecture, "-S", path)
        content = path.read_bytes()
        for trace in (b"/work/", b"/tmp/", b"/root/", b"/home/", str(compiling.cache()).encode(), b"-work-"):
            assert trace not in content, (path.name, trace)


def test_they_load_only_from_their_folder_and_debian(programs: tuple[str, Path]) -> None:
    architecture, place = programs
    ours = {path.name for path in place.iterdir()}
    for path in place.iterdir():
        dynamic = read(architecture, "-d", path)
        assert set(re.findall(r"\(R(?:UN)?PATH\).*\[(.*)\]", dynamic)) == {"$ORIGIN"}, path.name
        assert set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)) <= ours | FROM_DEBIAN, path.name
        assert "BIND_NOW" in dynamic and "GNU_RELRO" in read(architecture, "-l", path)


def test_debian_12_is_new_enough(programs: tuple[str, Path]) -> None:
    architecture, place = programs
    for path in place.iterdir():
        for family, number in re.findall(r"\b([A-Z]+)_(\d[\d.]*)\b", read(architecture, "-V", path)):
            if family in NEWEST:
                assert tuple(map(int, number.split("."))) <= NEWEST[family], (path.name, family, number)


def instructions(path: Path) -> str:
    line = ["aarch64-linux-gnu-objdump", "-d", "--no-show-raw-insn", path]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout


def test_only_newer_processors_get_dot_products(programs: tuple[str, Path]) -> None:
    architecture, place = programs
    if architecture != "arm64" or shutil.which("aarch64-linux-gnu-objdump") is None:
        pytest.skip("for arm64, with binutils-aarch64-linux-gnu")
    found = {variant: instructions(place / f"libggml-cpu-{variant}.so")
             for variant in compiling.TARGETS["arm64"].variants}  # fmt: skip
    assert {variant: "\tsdot\t" in text for variant, text in found.items()} == {
        "armv8.0_1": False, "armv8.2_1": True, "armv8.2_2": True,
    }  # fmt: skip
    assert re.search(r"\tfmla\tv\d+\.8h", found["armv8.2_2"]) and not re.search(r"\tfmla\tv\d+\.8h", found["armv8.2_1"])


@pytest.fixture(scope="module")
def deb(programs: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not installed")
    return packaged(*programs, tmp_path_factory.getbasetemp())


def test_the_package_is_small(deb: Path) -> None:
    assert 1_000_000 < deb.stat().st_size <= packaging.MOST_BYTES


def test_lintian_has_nothing_to_say_of_the_programs(deb: Path) -> None:
    if shutil.which("lintian") is None:
        pytest.skip("lintian is not installed: make pi-checkers")
    line = ["lintian", "--no-cfg", "--allow-root", "--info", "--pedantic", "--display-info", deb]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_no_binary_is_in_the_repository() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file():
            with path.open("rb") as handle:
                assert handle.read(4) != b"\x7fELF", name
