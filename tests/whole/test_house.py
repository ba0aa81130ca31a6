"""The house is as the architecture page says: imports point down, no circles, one door to each neighbour."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

from zoo.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]

ROOMS = (
    "catalog",
    "zoo.errors",
    "zoo.progress",
    "zoo.stopping",
    "zoo.machine",
    "zoo.extras",
    "zoo.addresses",
    "zoo.files",
    "zoo.meters",
    "zoo.output",
    "zoo.settings",
    "zoo.commandline",
    "zoo.runs",
    "zoo.catalogfile",
    "zoo.choose",
    "zoo.judge",
    "zoo.templates",
    "zoo.corpora",
    "zoo.gguf",
    "zoo.modelfolder",
    "zoo.hub",
    "zoo.teachers",
    "zoo.llama",
    "zoo.training",
    "zoo.coreml",
    "zoo.sources",
    "zoo.stages",
    "zoo.plan",
    "zoo.jobs",
    "zoo.release",
    "zoo.history",
    "zoo.fleet",
    "zoo.site",
    "zoo.sync",
    "zoo.pull",
    "zoo.publish",
    "zoo.upkeep",
    "zoo.review",
    "zoo.flow",
    "zoo.forms",
    "zoo.views",
    "zoo.tui",
    "zoo.cli",
    "zoo.__main__",
)
"""The rooms of the house from the ground up. A room imports only rooms before it in this list, and its own modules."""

MOST_FLAT = 14
"""Modules that may be flat in ``zoo/``, so that its folders are what a reader sees."""

DOORS: dict[str, str | tuple[str, ...]] = {
    "torch": ("zoo.training", "zoo.coreml", "benchmarks"),
    "transformers": ("zoo.training", "zoo.coreml", "benchmarks"),
    "peft": "zoo.training",
    "vllm": "zoo.training",
    "bitsandbytes": "zoo.training",
    "safetensors": ("zoo.training", "benchmarks"),
    "coremltools": "zoo.coreml",
    "gguf": ("zoo.training", "benchmarks"),
    "llama_cpp": "zoo.llama",
    "numpy": (
        "zoo.gguf.imatrix", "zoo.gguf.overflow", "zoo.judge.divergence", "zoo.judge.parity",
        "zoo.judge.sequence", "zoo.llama", "zoo.training", "zoo.coreml", "benchmarks",
    ),
    "huggingface_hub": ("zoo.hub.huggingface", "benchmarks"),
    "yaml": (
        "catalog.yamltext", "catalog.yamledit", "catalog.lock", "catalog.cardrules", "zoo.release.cards", "benchmarks",
    ),
    "jsonschema_rs": ("catalog.quick", "catalog.toolschemas", "benchmarks.corpus_check"),
    "msgspec": ("zoo.corpora.quickjson", "benchmarks.corpus_check"),
    "phonenumbers": "zoo.corpora.privacy.phones",
    "jinja2": ("zoo.templates", "zoo.release.cards", "zoo.site.pages", "zoo.hub.server.pages", "site.hooks"),
    "ray": "zoo.jobs.raycluster",
    "markupsafe": ("zoo.site.pages", "zoo.hub.server.pages"),
    "markdown_it": "zoo.hub.server.pages",
    "segno": "zoo.site.pages.qr",
    "minify_html": "zoo.site.pages.lean",
    "mkdocs": "site.hooks",
    "markdown": "site.hooks",
    "playwright": "benchmarks",
    "rich": ("zoo.output", "zoo.views.screen", "zoo.tui"),
    "textual": ("zoo.tui", "benchmarks"),
    "click": "zoo.cli",
    "cyclonedx": "zoo.release.provenance",
    "packageurl": "zoo.release.provenance",
    "model_signing": "zoo.release.provenance.signing",
    "cryptography": "zoo.release.provenance.signing",
}  # fmt: skip
"""External package -> the only places that may import it."""

NEIGHBOURS = ("pi_runtime", "site", "benchmarks")
"""What is next to the house: a board's program, the hooks of mkdocs, the measurements."""


@functools.cache
def modules(*packages: str) -> dict[str, Path]:
    """Every module of the packages, of the house without an argument, by its dotted name."""
    found = {}
    for package in packages or ("catalog", "zoo"):
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


@functools.cache
def imports(path: Path) -> frozenset[str]:
    """Absolute names that a file imports, at any depth; ``from a import b`` gives a.b where b is a module, else a.

    Imports only for types also count, and modules loaded by name in ``extras.load``.
    """
    known = modules() | modules(*NEIGHBOURS)
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in known else node.module for name in names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("extras.load", "import_module") and node.args:
            given = node.args[0]
            found |= {given.value} if isinstance(given, ast.Constant) and isinstance(given.value, str) else set()
    return frozenset(found)


def room(name: str) -> str:
    """The room that a module is in."""
    return next((r for r in ROOMS if name == r or name.startswith(f"{r}.")), "")


@pytest.mark.parametrize("name", sorted(modules()))
def test_a_room_imports_only_rooms_before_it(name: str) -> None:
    known = modules()
    for target in imports(known[name]) & known.keys() - {"zoo"}:
        if room(target) != room(name):
            above = ROOMS.index(room(target)) > ROOMS.index(room(name))
            assert not above, (
                f"{name} imports {target}, and the room {room(target)} is above {room(name)}. Let the room above call "
                "this one and hand over what it needs, or move what both use to a room below both (architecture page)."
            )


@pytest.mark.parametrize("name", sorted(modules() | modules(*NEIGHBOURS)))
def test_every_outside_package_has_its_doors(name: str) -> None:
    for target in imports((modules() | modules(*NEIGHBOURS))[name]):
        found = DOORS.get(target.partition(".")[0], ())
        doors = (found,) if isinstance(found, str) else found
        if doors:
            inside = any(name == door or name.startswith(f"{door}.") for door in doors)
            assert inside, (
                f"{name} imports {target}, which only these may import: {', '.join(doors)}. Call a function there, or "
                "write one. If the package needs a new place, add it to DOORS in this file."
            )


def test_the_board_and_the_house_share_no_code() -> None:
    for name, path in modules("pi_runtime").items():
        assert not any(target.partition(".")[0] in ("zoo", "catalog") for target in imports(path)), name
    for name, path in modules().items():
        assert not any(target.partition(".")[0] == "pi_runtime" for target in imports(path)), name


def test_nothing_in_the_house_imports_what_is_next_to_it() -> None:
    for name, path in modules().items():
        assert not any(target.partition(".")[0] in ("site", "benchmarks", "tests") for target in imports(path)), name


def test_every_module_is_in_a_room_and_every_room_says_what_it_is_for() -> None:
    outside = [name for name in modules() if name != "zoo" and not room(name)]
    assert not outside, (
        f"{outside} is in no room. Move it into the folder of a room, or add a room: to ROOMS in this file, and to the "
        "table and the picture of site/docs/explanation/architecture.md."
    )
    for name in ROOMS:
        doc = ast.get_docstring(ast.parse(modules()[name].read_text(encoding="utf-8")))
        assert doc and doc.partition("\n\n")[0].rstrip().endswith((".", ":")), (
            f"{name} does not say what it is for. Write a docstring whose first paragraph is a sentence."
        )


def test_few_modules_are_flat() -> None:
    flat = len(list((ROOT / "zoo").glob("*.py")))
    assert flat <= MOST_FLAT, f"zoo/ has {flat} modules, {MOST_FLAT} are allowed: put the new one into a room's folder"


def test_the_architecture_page_lists_the_rooms_in_their_order() -> None:
    page = (ROOT / "site/docs/explanation/architecture.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| ((?:`[\w/.]+`(?:, )?)+) \|", page.partition("## Rooms")[2].partition("\n## ")[0], re.M)
    paths = [path for cell in cells for path in re.findall("`(.+?)`", cell)]
    listed = [path.removesuffix(".py").strip("/").replace("/", ".") for path in paths]
    assert [name for name in listed if name in ROOMS] == list(reversed(ROOMS)), (
        "The table of rooms in site/docs/explanation/architecture.md must name ROOMS of this file, from top to bottom"
    )


def test_no_circles() -> None:
    known = modules()
    arrows = {name: {t for t in imports(path) & known.keys() if t != name} for name, path in known.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, (
            f"a circle: {' -> '.join((*trail, name))}. Move what two of these modules share into a module below both."
        )
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


def test_json_of_others_has_one_reader() -> None:
    """A new reader uses catalog.jsontext, which fails in one way; these read what this program or its child wrote."""
    own = {
        "catalog.jsontext",  # the reader itself
        "catalog.schema", "catalog.hublists",  # files of this package
        "catalog.toolschemas",  # the key of a cache, made a line above
        "zoo.judge.probes.json_schema",  # a constant
        "zoo.judge.probes.verdict",  # an answer of a model, judged as JSON
        "zoo.release.provenance.bom",  # made a line above
        "zoo.sync.parts.scripts.comment",  # GitHub's own answers, in a job that installs nothing
        "zoo.templates.renderer", "zoo.templates.worker",  # a child of ours
        "zoo.training.teacher.vllmprocess",  # what this program wrote, in an environment without it
        "zoo.training.models", "zoo.training.parity", "zoo.training.normalizing",  # what transformers wrote
    }  # fmt: skip
    readers = set()
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in ("json.loads", "json.load"):
                readers.add(name)
    assert readers <= own, (
        f"{readers - own} reads JSON by itself. Use catalog.jsontext, or, if only this program writes what is read, "
        "add the module to this list with the reason."
    )


def test_no_command_imports_another() -> None:
    commands = {f"zoo.cli.{name}" for name in COMMANDS}
    for name in commands:
        others = imports(modules()[name]) & commands
        assert not others, f"{name} imports {sorted(others)}: move what both use into a module below"


PASSED_OVER: dict[str, tuple[int, int]] = {
    "catalog": (1, 0),
    "zoo.cli": (0, 3),
    "zoo.site": (2, 0),
    "zoo.stopping": (2, 0),
    "zoo.templates": (5, 0),
}
"""Room -> how often it says ``Any``, and how many of its functions take more than six parameters. None elsewhere.

To lower a number: a document that is read becomes a TypedDict or a dataclass (``catalog.shapes.shaped`` checks it),
whatever JSON can hold is ``catalog.jsontext.Json``, what is only handed on is ``object``, and a callable or a part of
an untyped library is a Protocol. Parameters that belong together become a frozen dataclass. Then write the new number
here.
"""

MOST_PARAMETERS = 6


@functools.cache
def passed_over() -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for name, path in (modules() | modules("pi_runtime")).items():
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        untyped = sum(isinstance(node, ast.Name) and node.id == "Any" for node in nodes)
        wide = sum(parameters(node) > MOST_PARAMETERS for node in nodes if isinstance(node, FUNCTIONS))
        before = found.get(room(name) or name.partition(".")[0], (0, 0))
        found[room(name) or name.partition(".")[0]] = (before[0] + untyped, before[1] + wide)
    return found


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """``self`` and ``cls`` are not counted."""
    names = [one.arg for one in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


@pytest.mark.parametrize("name", [*ROOMS, "pi_runtime"])
def test_types_say_what_they_hold_and_functions_take_few_things(name: str) -> None:
    untyped, wide = passed_over()[name]
    most_untyped, most_wide = PASSED_OVER.get(name, (0, 0))
    assert untyped <= most_untyped, (
        f"{name} says Any {untyped} times, at most {most_untyped}. PASSED_OVER in this file says what to use instead."
    )
    assert wide <= most_wide, (
        f"{name} has {wide} functions of more than {MOST_PARAMETERS} parameters, at most {most_wide}. Put parameters "
        "that belong together into a frozen dataclass."
    )


def test_modules_of_the_tests_have_names_of_their_own() -> None:
    """pytest imports them by their bare name, so the second of two would not be found in a whole run."""
    names = [path.stem for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert not {name for name in names if names.count(name) > 1}, "Give one of them another name"
    importing = re.compile(r"^(from|import) conftest", re.MULTILINE)
    found = [path for path in (ROOT / "tests").rglob("*.py") if importing.search(path.read_text(encoding="utf-8"))]
    assert not found, "There are several conftest.py: move what is shared into a module with a name of its own"
