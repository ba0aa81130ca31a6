"""The table of extras, and what is reported about a package that is missing, broken or of another version."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from zoo import extras
from zoo.__main__ import main
from zoo.errors import MissingExtra

REPOSITORY = Path(__file__).parents[2]


BROUGHT_BY_A_TIER = {"coremltools", "ray"}
"""Installed by make coreml and make long, whose tests import them by this name; nothing else needs them."""


def test_the_table_is_that_of_pyproject() -> None:
    declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {
        extra: {one.name for one in map(Requirement, texts) if not one.marker or one.marker.evaluate()}
        for extra, texts in declared["optional-dependencies"].items()
        if extra != extras.DEVELOPMENT
    }
    assert {extra: {one.name for one in found} for extra, found in extras.table().items()} == wanted, (
        "pyproject.toml is newer than the installed package. Install it again: pip install -e . --no-deps"
    )
    for name in {name for names in wanted.values() for name in names} - BROUGHT_BY_A_TIER:
        module = extras.MODULES.get(name, name.replace("-", "_"))
        brought = metadata.packages_distributions().get(module)
        assert brought and name in {canonicalize_name(one) for one in brought}, (
            f"{name} is not installed, or is imported by another name: then add it to MODULES in zoo/extras.py"
        )


def test_the_readme_names_every_extra() -> None:
    table = (REPOSITORY / "README.md").read_text(encoding="utf-8").partition("| Extra |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == extras.table().keys(), (
        "README.md must have a row for every extra"
    )


def test_the_makefile_installs_every_extra() -> None:
    lists = re.findall(r"^(?:LIGHT|HEAVY)_EXTRAS := (.*)$", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE)
    named = sorted(extra for one in lists for extra in one.split(","))
    assert named == sorted(extras.table()), (
        "LIGHT_EXTRAS and HEAVY_EXTRAS in the Makefile must together name every extra once"
    )


@pytest.mark.parametrize(
    ("names", "covering"),
    [
        (["cyclonedx-python-lib"], ["provenance"]),
        (["numpy"], ["gguf"]),
        (["cyclonedx-python-lib", "llama-cpp-python"], ["gguf"]),
        (["torch", "numpy"], ["train"]),
        (["torch", "llama-cpp-python", "huggingface-hub"], ["gguf", "hub", "train"]),
        (["packaging", "nothing-of-ours"], []),
    ],
)
def test_the_fewest_extras_are_named(names: list[str], covering: list[str]) -> None:
    assert extras.covering(names) == covering


def loaded(folder: Path, module: str, package: str, code: str, then: str = "") -> str:
    """What ``extras.load(module)``, or what comes then, says in a process where ``package`` holds ``code``."""
    (folder / package).mkdir()
    (folder / package / "__init__.py").write_text(code, encoding="utf-8")
    script = "import zoo.training\nfrom zoo import extras\nfrom zoo.errors import MissingExtra\n"
    script += f"try: extras.load({module!r}); {then}\n"
    script += "except MissingExtra as error: print(error)"
    search = os.pathsep.join((str(folder), str(REPOSITORY)))
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": search},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


AGAIN = "Install it again: pip install --force-reinstall --no-cache-dir --no-deps segno=="


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("raise OSError('x.so: wrong ELF class')", "is installed but does not load: x.so: wrong ELF class. " + AGAIN),
        ("raise AttributeError('gone')", "is installed but does not load: gone. " + AGAIN),
        ("import segno.missing_part", "does not load: No module named 'segno.missing_part'. " + AGAIN),
        ("from json import nothing", "does not load: cannot import name 'nothing' from 'json'"),
        ("import never_installed", "needs never_installed, which is not installed. Install it with: "
         "pip install 'model-zoo-publisher[site]'"),
    ],
)  # fmt: skip
def test_a_broken_package_is_a_sentence(code: str, says: str, tmp_path: Path) -> None:
    said = loaded(tmp_path, "segno", "segno", code)
    assert said.startswith("segno 1.") and says in said and "\n" not in said


def test_what_is_broken_under_a_module_of_ours_is_found(tmp_path: Path) -> None:
    said = loaded(tmp_path, "zoo.training.losses", "torch", "raise OSError('libc10.so: invalid ELF header')")
    assert said.startswith("torch ") and "libc10.so: invalid ELF header" in said


def test_a_broken_torch_stops_an_import_with_a_sentence(tmp_path: Path) -> None:
    broken = "raise OSError('libtorch.so: cannot open shared object file')"
    said = loaded(tmp_path, "zoo.stages.importing", "torch", broken, "zoo.training.require()")
    assert said.startswith("torch ") and "does not load: libtorch.so" in said and "pip install" in said


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """transformers 4.1.0 is what is installed."""
    held = tmp_path / "transformers-4.1.0.dist-info"
    held.mkdir()
    (held / "METADATA").write_text("Metadata-Version: 2.1\nName: transformers\nVersion: 4.1.0\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert extras.version("transformers") == "4.1.0"


@pytest.mark.usefixtures("older")
def test_another_version_is_named_with_the_one_that_is_needed() -> None:
    with pytest.raises(MissingExtra, match=r"transformers 4\.1\.0 is installed.*is required.*\[train\]"):
        extras.require("Training", "torch", "transformers")


@pytest.mark.usefixtures("older")
def test_another_version_stops_a_build_before_it_begins(
    zoo_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(zoo_folder)
    assert main(["release", "smollm2-135m-instruct"]) == 1
    said = capsys.readouterr().err
    assert "cannot be built here yet" in said and "transformers 4.1.0 is installed, but transformers" in said
    assert "pip install 'model-zoo-publisher[train]'" in said
    assert main(["doctor"]) == 0
    assert "transformers: transformers 4.1.0 is installed" in capsys.readouterr().out.replace("\n", " ")


def test_a_fault_of_ours_stays_one(tmp_path: Path) -> None:
    (tmp_path / "ours.py").write_text("import never_installed", encoding="utf-8")
    sys.path.insert(0, str(tmp_path))
    try:
        with pytest.raises(ModuleNotFoundError):
            extras.load("ours")
    finally:
        sys.path.remove(str(tmp_path))
