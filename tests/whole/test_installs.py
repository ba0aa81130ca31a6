"""The wheel in new environments, each with one extra alone: nothing comes from the environment of the tests.

Packages come from the folder of wheels that ``make environment`` fills, so the network stays shut. The large extras run
with ``make installs``, which adds their wheels.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import bareinstall
import builtwheel
import pytest
from bareinstall import NAME
from builtwheel import wheel
from signingkeys import keys

__all__ = ["keys", "wheel"]

WHEELS = Path(sys.prefix) / "wheels"
MAKEFILE = Path(__file__).resolve().parents[2].joinpath("Makefile").read_text(encoding="utf-8")
LIGHT = ("", *re.findall(r"^LIGHT_EXTRAS := (.*)$", MAKEFILE, re.M)[0].split(","))
ALWAYS = ("", "hub")
"""Tried in every run of the tests; the others by make installs, and their imports by test_bare_imports.py."""
HEAVY = tuple(extra for extra in bareinstall.EXTRAS if extra not in LIGHT)

pytestmark = pytest.mark.skipif(
    not WHEELS.is_dir() and "CI" not in os.environ, reason="make environment puts the wheels there"
)


def call(command: Sequence[str | Path], cwd: Path) -> str:
    return builtwheel.call(command, cwd, bareinstall.environment())


@pytest.fixture(scope="module")
def released(
    tmp_path_factory: pytest.TempPathFactory, keys: dict[str, Path]
) -> Iterator[bareinstall.Released]:
    with bareinstall.released(tmp_path_factory.mktemp("released") / "zoo", keys["one"]) as made:
        yield made


def installed(wheel: Path, extra: str, folder: Path) -> Path:
    """Python of a new environment with the wheel and what its extra brings."""
    call([sys.executable, "-m", "venv", "--without-pip", folder], folder.parent)
    python = folder / "bin" / "python"
    install = ["-m", "pip", "--python", python, "install", "-q", "--no-index", "--find-links", WHEELS]
    call([sys.executable, *install, f"{wheel}[{extra}]" if extra else wheel], folder.parent)
    return python


PROMISES = {
    "gguf": """
import sys
from zoo.llama import library
library.require()
print(library.system_info())
import zoo.stages.quantize, zoo.stages.evaluate, zoo.stages.imatrix, zoo.stages.budget, zoo.stages.probe
print("promise kept")
""",
    "train": """
import pkgutil, importlib, zoo.training
for module in pkgutil.iter_modules(zoo.training.__path__):
    importlib.import_module(f"zoo.training.{module.name}")
import torch
print("promise kept" if float(torch.ones(2).sum()) == 2 else "")
""",
    "coreml": """
import coremltools
print("promise kept" if coremltools.target.iOS17 else "")
""",
    "cluster": """
from zoo.jobs import raycluster, raytask
import os, ray
# Ray writes a token to the home folder, and clusters that start later ask for it.
os.environ["HOME"] = os.getcwd()
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
code, said = ray.get(ray.remote(raytask.make).remote(["-c", "import sys; sys.exit('heard')"], ".", {}))
print("promise kept" if (code, said) == (1, ["heard\\n"]) else (code, said))
""",
    "starter": """
from pathlib import Path
from zoo.sources import resolve
from zoo.sources.packages import STARTER
print("promise kept" if resolve.locate(STARTER, Path(".")) else "")
""",
    "provenance": """
from catalog import index
from pathlib import Path
from zoo.release.provenance import bom
model = index.parse(Path("model_catalog.json").read_text(), "catalog")[0].models[0]
print("promise kept" if "CycloneDX" in bom.bom(model, model.releases[0], "local", "k" * 64) else "")
""",
}
"""What an extra is for, beyond the commands; run in the zoo that has a release."""


@pytest.mark.parametrize(
    "extra",
    [pytest.param(extra, marks=[] if extra in ALWAYS else [pytest.mark.installs]) for extra in (*LIGHT, *HEAVY)],
)
def test_a_new_environment_with_one_extra(
    extra: str, wheel: Path, released: bareinstall.Released, keys: dict[str, Path], tmp_path: Path
) -> None:
    python = installed(wheel, extra, tmp_path / "venv")
    assert "zoo" in call([python.with_name("zoo"), "--version"], tmp_path)
    asked = list(bareinstall.calls(tmp_path / "fresh", released, extra))
    signed = bareinstall.Call(
        released.folder, ("verify", str(tmp_path / "pulled"), "--public-key", str(keys["one.pub"])), needs="sign"
    )
    found = bareinstall.run(python, tmp_path, [*asked, signed], bareinstall.environment())
    bareinstall.judge(found["answers"], [*asked, signed], extra)
    if extra in PROMISES:
        assert "promise kept" in call([python, "-c", PROMISES[extra]], released.folder)
    assert NAME in call([python.with_name("zoo"), "catalog"], released.folder)
