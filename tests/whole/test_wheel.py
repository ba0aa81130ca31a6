"""The wheel outside the clone: a new environment, a new zoo, a release and a site."""

from __future__ import annotations

import os
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
import tinyzoo
from builtwheel import REPOSITORY, call, wheel

for module in ("build", "hatchling", "torch", "llama_cpp", "mkdocs", "material"):
    pytest.importorskip(module)

from zoo.llama.convert import source  # noqa: E402 - after the skip

__all__ = ["wheel"]


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of a new environment with the wheel in it; the dependencies are those of this environment."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    call([sys.executable, "-m", "venv", "--without-pip", folder], folder.parent)
    python = folder / "bin" / "python"
    install = ["-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", wheel]
    call([sys.executable, *install], folder.parent)
    (site,) = folder.glob("lib/python*/site-packages")
    # A folder that a .pth file names comes after site-packages, and .pth files in it are not read: so the
    # dependencies are found there, and the clone, which is installed there as editable, is not.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_the_wheel_carries_schemas_templates_site_and_recipes(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    folders = {"catalog/schemas": "catalog/schemas", "recipes": "zoo/_data/recipes"}
    folders |= {f"site/{part}": f"zoo/_data/site/{part}" for part in ("docs", "templates", "assets", "theme")}
    for folder, place in folders.items():
        ours = tinyzoo.tree(REPOSITORY / folder)
        assert ours
        for name, raw in ours.items():
            if "__pycache__" not in name:
                assert held[f"{place}/{name}"] == raw, name
    for name, place in (("site/hooks.py", "zoo/_data/site/hooks.py"), ("mkdocs.yml", "zoo/_data/mkdocs.yml")):
        assert held[place] == (REPOSITORY / name).read_bytes()
    code = {path.relative_to(REPOSITORY).as_posix() for room in ("zoo", "catalog", "pi_runtime")
            for path in (REPOSITORY / room).rglob("*.py")}  # fmt: skip
    assert code <= held.keys()
    assert "zoo/llama/build.cmake" in held
    assert not [name for name in held if name.startswith(("tests/", "benchmarks/", "build/")) or "__pycache__" in name]


@pytest.mark.long
def test_a_zoo_of_its_own_lives_outside_the_clone(python: Path, tmp_path: Path) -> None:
    environment = tinyzoo.environment(ZOO_CONVERTER=str(source.found()), **tinyzoo.STRANGER)
    environment.pop("PYTHONPATH", None)
    program = python.with_name("zoo")

    where = "import zoo, catalog, pi_runtime, torch; print(zoo.__file__, catalog.__file__, pi_runtime.__file__)"
    for path in call([python, "-c", where], tmp_path, environment).split():
        assert path.startswith(str(python.parents[1]) + os.sep)

    call([program, "init", "my-zoo", "--title", "Mine: a 'zoo'"], tmp_path, environment)
    zoo = tmp_path / "my-zoo"
    assert "no problems" in call([program, "check"], zoo, environment)

    tinyzoo.fill(zoo)
    call([program, "release", "plain"], zoo, environment)
    assert "no problems" in call([program, "check"], zoo, environment)
    assert "plain" in call([program, "show", "plain"], zoo, environment)
    call(["sha256sum", "-c", "--quiet", "SHA256SUMS"], zoo / "build/releases/plain/1.0.0/model")

    call([program, "site", "build"], zoo, environment)
    page = (zoo / "build/site/index.html").read_text(encoding="utf-8")
    assert "Mine: a" in page and "plain" in page
    assert "plain" in (zoo / "build/site/catalog.json").read_text(encoding="utf-8")
    assert str(REPOSITORY) not in page
