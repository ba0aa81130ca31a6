"""What comes next, read from the zoo when its site is built: recipes without a release, and measurements.

It is not kept in git, so that a contribution of a recipe changes no file but its own.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

from catalog import device as devices_room
from catalog import entries, reports, shell, yamltext
from catalog.unseen import visible
from catalog.words import counted
from zoo.settings import Settings
from zoo.site import content

PAGE = "explanation/roadmap/index.html"
"""The document that has it."""
MARK = "<!-- roadmap -->"
"""Where it is in the document."""
_HEAD = ("What", "State", "Next")
_UNRELEASED = re.compile(r"^## (\S+) - unreleased$", re.MULTILINE)
Row = tuple[str, str, str]


def rows(settings: Settings) -> tuple[Row, ...]:
    """What, its state, and what comes next, as plain text. Raises InputError for a catalog that cannot be read."""
    return (*_recipes(settings), *_program(settings.root), _measurements(settings))


def inserted(page: str, some: tuple[Row, ...]) -> str:
    """The page with the rows as a table; unchanged if it has no place for them."""
    lines = [_line("th", _HEAD), "</thead>", "<tbody>", *(_line("td", row) for row in some)]
    return page.replace(MARK, "\n".join(["<table>", "<thead>", *lines, "</tbody>", "</table>"]), 1)


def _line(tag: str, row: Row) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(visible(cell))}</{tag}>' for cell in row)}</tr>"


def _recipes(settings: Settings) -> Iterator[Row]:
    """A row for each recipe whose version has no release, and one for all others together."""
    files = sorted((settings.root / "recipes").glob("*.yaml"))
    wanted = {path.stem: path for path in files if not path.name.endswith(".lock.yaml")}
    pieces = {entries.name(text): text for text in content.pieces(settings)} if wanted else {}
    done = 0
    for name, path in wanted.items():
        data = yamltext.read(path, path.name).data
        version = data.get("version") if isinstance(data, dict) else None
        model = entries.model(pieces[name]) if name in pieces else None
        releases = model.releases if model else ()
        if not isinstance(version, str):
            yield name, "a recipe with problems", f"zoo check {shell.argument(f'recipes/{path.name}')}"
        elif any(one.version == version for one in releases):
            done += 1
        else:
            state = f"{releases[0].version} of {releases[0].date}" if releases else "a recipe"
            yield name, state, f"{version}: zoo release {shell.argument(name)}"
    if done:
        yield counted(done, "recipe"), "released", "nothing planned"


def _program(root: Path) -> Iterator[Row]:
    """In a clone of this program: whether its newest version is released."""
    changes = root / "CHANGELOG.md"
    if not (root / "pyproject.toml").is_file() or not changes.is_file():
        return
    found = _UNRELEASED.search(changes.read_text(encoding="utf-8"))
    if found:
        yield "the program", f"{found[1]} is not released", f"the changes under {found[1]} in CHANGELOG.md"
    else:
        yield "the program", "every change is released", "nothing planned"


def _measurements(settings: Settings) -> Row:
    shared = counted(len(reports.paths(settings.evidence)), "shared measurement")
    known = counted(len(devices_room.DEVICES), "known device")
    return "measurements on boards", shared, f"pi-zoo bench NAME --share on any of {known}"
