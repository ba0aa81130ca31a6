"""The house stands as the architecture page says: imports point down, no circles, one door to each neighbour."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Higher floors may import lower ones and their own; the longest prefix counts.
FLOORS = {
    "catalog": 0,
    "zoo": 0,
    "zoo.errors": 0,
    "zoo.extras": 0,
    "zoo.progress": 0,
    "zoo.processor": 0,
    "zoo.data": 0,
    "zoo.workspace": 0,
    "zoo.settings": 0,
    "zoo.journal": 0,
    "zoo.checked": 0,
    "zoo.machine": 0,
    "zoo.stopping": 0,
    "zoo.addresses": 0,
    "zoo.filelist": 0,
    "zoo.plan": 1,
    "zoo.gates": 1,
    "zoo.costs": 1,
    "zoo.distributions": 1,
    "zoo.divergence": 1,
    "zoo.knapsack": 1,
    "zoo.curve": 1,
    "zoo.probes": 1,
    "zoo.parity": 1,
    "zoo.roofline": 1,
    "zoo.domination": 1,
    "zoo.picks": 1,
    "zoo.choosing": 1,
    "zoo.choose": 1,
    "zoo.cards": 1,
    "zoo.templates": 1,
    "zoo.banner": 1,
    "zoo.upstream": 1,
    "zoo.provenance": 1,
    "zoo.provenance.signing": 2,
    "zoo.pages": 1,
    "zoo.llama": 2,
    "zoo.modelfolder": 2,
    "zoo.training": 2,
    "zoo.hub": 2,
    "zoo.fetch": 2,
    "zoo.hubsource": 2,
    "zoo.sources": 2,
    "zoo.packagesource": 2,
    "zoo.licencesources": 2,
    "zoo.output": 2,
    "zoo.datasetfiles": 2,
    "zoo.stages": 2,
    "zoo.world": 3,
    "zoo.sourcefacts": 3,
    "zoo.contradictions": 3,
    "zoo.foresight": 3,
    "zoo.preflight": 3,
    "zoo.engine": 3,
    "zoo.agreement": 3,
    "zoo.assemble": 3,
    "zoo.reproduce": 3,
    "zoo.records": 3,
    "zoo.yanking": 3,
    "zoo.watch": 3,
    "zoo.recorded": 3,
    "zoo.cleaning": 3,
    "zoo.signing": 3,
    "zoo.publish": 3,
    "zoo.pull": 3,
    "zoo.site": 3,
    "zoo.flow": 3,
    "zoo.cli": 4,
    "zoo.__main__": 5,
}

DOORS = {
    "torch": "zoo.training",
    "transformers": "zoo.training",
    "peft": "zoo.training",
    "bitsandbytes": "zoo.training",
    "llama_cpp": "zoo.llama",
    "huggingface_hub": "zoo.hub.huggingface",
    "rich": "zoo.output",
    "click": "zoo.cli",
    "cyclonedx": "zoo.provenance",
    "packageurl": "zoo.provenance",
    "model_signing": "zoo.provenance.signing",
    "cryptography": "zoo.provenance.signing",
}
"""Outside package -> the only room or rooms that may import it. The exit may catch click's errors."""


@functools.cache
def modules() -> dict[str, Path]:
    found = {}
    for package in ("catalog", "zoo"):
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(path: Path) -> set[str]:
    """Absolute names that a file imports, at any depth; ``from a import b`` gives a.b where b is a module, else a."""
    known = modules()
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in known else node.module for name in names}
    return found


def room(name: str) -> str:
    """The longest entry of FLOORS that ``name`` is in."""
    return max((r for r in FLOORS if name == r or name.startswith(f"{r}.")), key=len)


@pytest.mark.parametrize("name", sorted(modules()))
def test_imports_point_down(name: str) -> None:
    known = modules()
    for target in imports(known[name]) & known.keys():
        assert FLOORS[room(target)] <= FLOORS[room(name)], f"{name} imports {target}, which is above it"


@pytest.mark.parametrize("name", sorted(modules()))
def test_every_neighbour_has_one_door(name: str) -> None:
    for target in imports(modules()[name]):
        found = DOORS.get(target.partition(".")[0], ())
        doors = (found,) if isinstance(found, str) else found
        if doors and not (name == "zoo.__main__" and target == "click"):
            inside = any(name == door or name.startswith(f"{door}.") for door in doors)
            assert inside, f"{name} imports {target}; only {doors} may"


def test_no_circles() -> None:
    known = modules()
    arrows = {name: {t for t in imports(path) & known.keys() if t != name} for name, path in known.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in done:
            for target in arrows[name]:
                visit(target, (*trail, name))
            done.add(name)

    for name in sorted(arrows):
        visit(name, ())


def test_catalog_imports_nothing_of_zoo() -> None:
    for name, path in modules().items():
        if name.startswith("catalog"):
            assert not any(target == "zoo" or target.startswith("zoo.") for target in imports(path)), name


def test_every_module_has_a_floor_of_its_own() -> None:
    for name in modules():
        if name != "zoo":
            assert room(name) != "zoo", f"{name} is on no floor"


def test_json_of_others_has_one_reader() -> None:
    """A new reader takes catalog.jsontext, which fails in one way; these read what this program or its child wrote."""
    own = {
        "catalog.jsontext",  # the reader itself
        "catalog.schema", "catalog.hublists",  # files of this package
        "zoo.probes.json_schema",  # a constant
        "zoo.probes.verdict",  # an answer of a model, judged as JSON
        "zoo.provenance.bom",  # made a line above
        "zoo.templates.renderer", "zoo.templates.worker",  # a child of ours
        "zoo.training.models", "zoo.training.parity", "zoo.training.normalizing",  # what transformers wrote
    }  # fmt: skip
    readers = set()
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in ("json.loads", "json.load"):
                readers.add(name)
    assert readers <= own
