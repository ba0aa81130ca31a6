"""What documents say of data files: where a list comes from, what a workflow runs, which options a form has."""

from __future__ import annotations

import datetime
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from catalog import device as devices_room
from catalog import hublists, schema, yamltext
from catalog.jsontext import Json, JsonObject, NotJson, parse
from catalog.jsonvalues import listed, tables
from zoo.files.digests import pretty_json, sha256_file
from zoo.sync.derived import Disagrees

LISTS = "catalog/data/sources.json"
WORKFLOWS = ".github/workflows"
COMMANDS = "zoo.cli.reference"
"""The module that prints the command line as data."""


def recipe_keys(root: Path) -> str:
    """The tables of the recipe reference, for readers of the source; a site has them in its own form instead."""
    from zoo.site.pages.reference import blocks  # needs what builds sites, which other rows do not

    del root
    lines: list[str] = []
    for one in blocks(schema.load("recipe-v1")):
        lines += [f"### {one.title}", "", *([_cell(one.description), ""] if one.description else [])]
        lines += ["| Key | Type | Default | Bounds | What it is |", "|---|---|---|---|---|"]
        for key in one.keys:
            values = ", ".join(f"`{_cell(value)}`" for value in key.values)
            plain = key.default in ("required", "none", "empty")
            pattern = f"`{_cell(key.pattern)}`" if key.pattern else ""
            cells = (
                f"`{key.name}`", f"{key.kind} {values}".strip(), key.default if plain else f"`{_cell(key.default)}`",
                "; ".join(part for part in (key.bounds, pattern) if part), _cell(key.description),
            )  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def commands(root: Path) -> str:
    """The commands and their options, for readers of the source. A process of its own has the command line, which is
    above this room."""
    del root
    done = subprocess.run([sys.executable, "-P", "-m", COMMANDS], stdout=subprocess.PIPE, check=True, text=True)
    lines: list[str] = []
    for one in tables(parse(done.stdout)):
        lines += [f"### {one['name']}", "", "```text", str(one["usage"]), "```", ""]
        lines += [line for paragraph in listed(one["paragraphs"]) for line in (_plain(str(paragraph)), "")]
        lines += ["| Option | What it does |", "|---|---|"]
        rows = [(_cell(str(two["names"])), _cell(_plain(str(two["help"])))) for two in tables(one["options"])]
        lines += [f"| `{names}` | {words} |" for names, words in rows]
        lines.append("")
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Text of the command line, whose signs mean nothing in Markdown outside of code."""
    return re.sub(r"(`[^`]*`)|([\\*<])", lambda found: found[1] or f"\\{found[2]}", text)


def _cell(text: str) -> str:
    """Text for a cell of a table. A vertical line would end the cell, also in code."""
    return " ".join(text.split()).replace("|", "\\|")


def lists(root: Path, now: str) -> str:
    """Digest and date of the lists of others that are kept in ``catalog/data``, next to the addresses where they come
    from. A changed list gets today's date. Raises Disagrees if a list has no address."""
    try:
        before = parse(now)
    except NotJson as error:
        raise Disagrees(f"not valid JSON: {error}", where=LISTS) from error
    folder = (root / LISTS).parent
    after: JsonObject = {}
    for name in sorted(path.name for path in folder.iterdir() if path.name != Path(LISTS).name):
        kept = before.get(name) if isinstance(before, dict) else None
        sources = kept.get("sources") if isinstance(kept, dict) else None
        if not isinstance(kept, dict) or not isinstance(sources, list) or not sources:
            raise Disagrees(
                f"{name} has no source",
                where=LISTS,
                remedy=f'Write where it comes from: "{name}": {{"sources": [...]}}',
            )
        digest = sha256_file(folder / name)
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        taken = kept.get("changed_on") if kept.get("sha256") == digest else today
        after[name] = {"changed_on": taken, "sha256": digest, "sources": sources}
    return pretty_json(after)


def workflows(root: Path) -> str:
    """The table of the workflows of this repository: when each runs, and its commands."""
    lines = ["| Workflow | Runs | Commands |", "|---|---|---|"]
    for path in sorted((root / WORKFLOWS).glob("*.yml")):
        shown = f"{WORKFLOWS}/{path.name}"
        found = yamltext.parse(path.read_bytes(), shown)
        if found.problems or not isinstance(found.data, dict):
            raise Disagrees(f"{shown} is not a valid workflow", where=shown)
        commands = ", ".join(
            f"`{command}`" for command in dict.fromkeys(_commands(found.data)) if not _installs(command)
        )
        lines.append(f"| `{shown}` | {_events(found.data.get('on'))} | {commands} |")
    return "\n".join(lines)


def _installs(command: str) -> bool:
    return "pip install" in command


def _commands(workflow: JsonObject) -> list[str]:
    jobs = workflow.get("jobs")
    steps = (
        [job.get("steps") for job in jobs.values() if isinstance(job, dict)] if isinstance(jobs, dict) else []
    )
    each = [step for some in steps if isinstance(some, list) for step in some if isinstance(step, dict)]
    return [str(step["run"]).strip() for step in each if "run" in step]


_EVENTS = {
    "pull_request": "on pull requests",
    "push": "on pushes",
    "schedule": "at fixed times",
    "workflow_dispatch": "by hand",
    "workflow_run": "after another workflow",
}


def _events(on: Json) -> str:
    names = [on] if isinstance(on, str) else list(on) if isinstance(on, (dict, list)) else []
    return ", ".join(_EVENTS.get(str(name), str(name)) for name in names)


def devices(_root: Path) -> str:
    """The names of the device profiles, as options of an issue form."""
    names = [one.name for one in devices_room.DEVICES]
    return _options([*names, "Another one"])


def licences(_root: Path) -> str:
    """The licences that the Hub knows, as options of an issue form."""
    return _options(hublists.licences())


def _options(words: Iterable[str]) -> str:
    return "\n".join(f"        - {json.dumps(word, ensure_ascii=False)}" for word in words)
