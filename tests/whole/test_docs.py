"""What the documents name exists: commands, options, make targets, files, links, exit codes, rooms, settings."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urldefrag

import click
import pytest

import zoo as package
from catalog import checks, yamltext
from catalog.lock import Lock
from pi_runtime.__main__ import parser as pi_parser
from zoo import cli, errors, settings

ROOT = Path(__file__).resolve().parents[2]
TOP = [ROOT / f"{name}.md" for name in ("CODE_OF_CONDUCT", "CONTRIBUTING", "README", "SECURITY")]
PAGES = sorted([*TOP, *(ROOT / "site/docs").rglob("*.md")])
PAGES += [path for path in [ROOT / "CHANGELOG.md", *sorted((ROOT / "benchmarks").glob("*.md"))] if path.is_file()]
PLACES = ("zoo", "catalog", "pi_runtime", "recipes", "site", "tests", "benchmarks")


def snippets(page: Path) -> Iterator[str]:
    """Lines of fenced blocks, and inline code."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|;", line.partition("  #")[0]):
                yield part.strip().removeprefix("$ ")
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from (" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose))


def zoo_lines() -> list[tuple[str, str]]:
    """(page, command line) of everything that begins with ``zoo``, also after variables or a YAML key."""
    found = []
    for page in PAGES:
        for snippet in snippets(page):
            words = snippet.removeprefix("- run: ").split()
            while words and re.match(r"[A-Z_]+=", words[0]):
                words.pop(0)
            # The program itself writes its usage lines.
            if words[:1] == ["zoo"] and len(words) > 1 and "[OPTIONS]" not in words:
                found.append((page.relative_to(ROOT).as_posix(), " ".join(words)))
    return sorted(set(found))


def parse(line: str) -> click.Command:
    """The command of a line, its options and arguments understood by click; placeholders are allowed."""
    context = click.Context(cli.zoo, info_name="zoo")
    command: click.Command = cli.zoo
    arguments = shlex.split(re.sub(r"[\[\]]|\.\.\.", " ", line))[1:]
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        name, found, arguments = command.resolve_command(context, arguments)
        assert found is not None, f"{line}: command {name} not found"
        command, context = found, click.Context(found, info_name=name, parent=context)
    if arguments and "--help" not in arguments and not isinstance(command, click.Group):
        command.make_context(context.info_name, list(arguments), parent=context.parent)
    return command


@pytest.mark.parametrize(("page", "line"), zoo_lines())
def test_every_command_line_is_understood(page: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    try:
        parse(line)
    except click.UsageError as error:
        pytest.fail(f"{page}: {line}: {error.format_message()}")


def test_every_option_is_one_of_some_command() -> None:
    known = {"--help", "--version"}
    for name in cli.COMMANDS:
        command = cli.zoo.get_command(click.Context(cli.zoo), name)
        inner = command.commands.values() if isinstance(command, click.Group) else [command]
        known |= {option for one in inner if one for param in one.params for option in param.opts}
    for script in (*(ROOT / "benchmarks").rglob("*.py"), *(ROOT / "pi_runtime").rglob("*.py")):
        known |= set(re.findall(r'"(--[a-z-]+)"', script.read_text(encoding="utf-8")))
    for page in PAGES:
        for snippet in snippets(page):
            if re.match(r"--[a-z]", snippet):
                assert snippet.split()[0].partition("=")[0] in known, (page.name, snippet)


def test_every_pi_runtime_line_is_understood() -> None:
    start = re.compile(r"(?:sudo )?(?:python3 -m pi_runtime|pi-zoo) (?=[a-z-])")
    lines = {s for page in PAGES for s in snippets(page) if start.match(s)}
    assert lines
    for line in lines:
        with contextlib.redirect_stderr(io.StringIO()) as said:
            try:
                pi_parser().parse_args(shlex.split(start.sub("", line).partition(" | ")[0]))
            except SystemExit:
                pytest.fail(f"{line}: {said.getvalue()}")


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert set(phony.split()) <= targets
    named = {s.split()[1] for page in PAGES for s in snippets(page) if re.match(r"make [a-z-]+\b", s)}
    assert {"demo", "test"} <= named <= targets
    head = makefile.partition("\n\n")[0]
    assert set(re.findall(r"^# make ([a-z-]+) ", head, re.MULTILINE)) <= targets


def test_the_readme_begins_with_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert [block.strip() for block in blocks[:2]] == ["make demo", "make test"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    missing = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, fragment = urldefrag(target)
        if re.match(r"[a-z]+:", target):
            continue
        place = page.parent / path if path else page
        if not place.exists() or (fragment and place.suffix == ".md" and fragment not in anchors(place)):
            missing.append(target)
    assert not missing


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip()) for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_file_that_is_named_exists(page: Path) -> None:
    """Paths of this repository in code style; those with a placeholder, of a reader's own zoo, or that the reader
    writes are skipped."""
    written = set(re.findall(r"^Write `([^`]+)`:", page.read_text(encoding="utf-8"), re.M))
    paths = {s.rstrip(":,") for s in snippets(page) if re.fullmatch(rf"({'|'.join(PLACES)})/[\w./-]*", s)} - written
    own = re.compile(r"my-|NAME|site/evidence|[A-Z]{4,}(?!\.)")
    assert not sorted(path for path in paths if not own.search(path) and not (ROOT / path).exists())


def test_every_recipe_in_the_readme_exists() -> None:
    """And the catalog's are all there. A recipe that somebody contributes must need no line in the README."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `([\w.-]+)` \|", readme.partition("| Recipe |")[2], re.MULTILINE))
    released = {one["name"] for one in json.loads((ROOT / "model_catalog.json").read_text(encoding="utf-8"))["models"]}
    assert released <= named <= {path.stem for path in (ROOT / "recipes").glob("*.yaml")}


def test_every_setting_that_is_named_exists() -> None:
    known = {variable for _, variable, _, _ in settings.describe()} | {*settings.OTHER_VARIABLES, "ZOO_UPDATE_GOLDEN"}
    for page in PAGES:
        assert set(re.findall(r"\bZOO_[A-Z_]+\b", page.read_text(encoding="utf-8"))) <= known, page


def test_the_exit_codes_are_those_of_the_errors() -> None:
    page = (ROOT / "site/docs/reference/exit-codes.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\d+) \| ([^|]+) \|", page, re.MULTILINE))
    classes = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.ZooError)]
    assert {int(code) for code in rows} == {0, 129, 130, 143} | {cls.exit_code for cls in classes}
    assert "gate" in rows[str(errors.GateRefused.exit_code)]
    assert "invalid" in rows[str(errors.InputError.exit_code)]
    assert "could not" in rows[str(errors.ZooError.exit_code)]


def test_the_architecture_page_names_every_room_and_no_other() -> None:
    page = (ROOT / "site/docs/explanation/architecture.md").read_text(encoding="utf-8")
    table = page.partition("## Rooms")[2].partition("\n## ")[0]
    named = {room.rstrip("/") for room in re.findall(r"`([\w./]+)`", table)}
    assert not sorted(room for room in named if not (ROOT / room).exists())
    modules = {path for path in (ROOT / "zoo").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    rooms = {path.relative_to(ROOT).as_posix() for path in modules} - {"zoo/__init__.py"}
    assert sorted(rooms - named) == []
    drawing = re.findall(r"<text[^>]*>(.*?)</text>", page)
    assert all((ROOT / path).exists() for line in drawing for path in re.findall(r"\bzoo/\w+(?:\.py)?", line))


def test_the_recipe_of_the_how_to_is_valid() -> None:
    page = (ROOT / "site/docs/how-to/write-a-recipe.md").read_text(encoding="utf-8")
    (text,) = [block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if block.startswith("zoo: 1")]
    document = yamltext.parse(text.encode(), "my-model.yaml")
    assert not document.problems
    assert checks.check_document(document, Lock.empty(), "my-model", lambda _path: None) == []


def test_versions_agree() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{package.__version__}"' in project
    assert f"\n## {package.__version__} " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
