"""Which chat template of a model folder is used if there are several.

transformers prefers ``chat_template.jinja`` to ``tokenizer_config.json``. llama.cpp's converter prefers the opposite,
and also reads ``chat_template.json``. So one is chosen, reported, and kept as the only one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from catalog import shell
from zoo.files.whole import write_atomic
from zoo.modelfolder.commands import FileRefused
from zoo.modelfolder.smallfiles import read_json, read_text

JINJA, CONFIG, PROCESSOR = "chat_template.jinja", "tokenizer_config.json", "chat_template.json"
KEY = "chat_template"


@dataclass(frozen=True)
class Choice:
    """text: the template for plain conversations, None without one. file: where it is. notes: what is reported."""

    text: str | None
    file: str
    notes: tuple[str, ...] = ()


def choose(files: Mapping[str, Path]) -> Choice:
    """The template that counts among ``files`` (name to path). Raises ModelFileError for a file that is not valid."""
    given: dict[str, str] = {}
    notes = []
    if JINJA in files:
        given[JINJA] = read_text(files[JINJA], JINJA)
    if CONFIG in files:
        text, said = _configured(read_json(files[CONFIG], CONFIG).get(KEY))
        given |= {CONFIG: text} if text else {}
        notes += said if JINJA not in files else []
    if PROCESSOR in files:
        whole = read_json(files[PROCESSOR], PROCESSOR).get(KEY)
        given |= {PROCESSOR: whole} if isinstance(whole, str) and whole else {}
    if not given:
        return Choice(None, "", tuple(notes))
    counts = next(iter(given))
    others = [name for name, text in given.items() if text != given[counts]]
    if others:
        notes.append(f"the chat template of {counts} counts; another one, in {' and '.join(others)}, does not")
    return Choice(given[counts], counts, tuple(notes))


def refuse_empty(files: Mapping[str, Path]) -> None:
    """Raise ModelFileError for an empty chat_template.jinja: transformers takes it instead of any other template."""
    if JINJA in files and not read_text(files[JINJA], JINJA).strip():
        raise FileRefused(
            "The chat template is empty, and transformers uses this file instead of any other template",
            where=JINJA,
            remedy=lambda place: "Fetch the file again, or write the chat template into it. If the model has none, "
            f"delete the file: rm {shell.argument(place)}",
        )


def settle(folder: Path) -> None:
    """Keep only the template that counts in ``folder``, an imported copy, so that every program uses the same."""
    names = [name for name in (JINJA, CONFIG, PROCESSOR) if (folder / name).is_file()]
    choice = choose({name: folder / name for name in names})
    if choice.file == PROCESSOR:
        write_atomic(folder / JINJA, choice.text or "")
    if CONFIG in names and choice.file != CONFIG:
        data = read_json(folder / CONFIG, CONFIG)
        if data.pop(KEY, None) is not None:
            write_atomic(folder / CONFIG, json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    (folder / PROCESSOR).unlink(missing_ok=True)


def _configured(value: object) -> tuple[str | None, list[str]]:
    """The template of tokenizer_config.json, and notes about a list of named ones."""
    if isinstance(value, list):
        named = {one["name"]: one["template"] for one in value}
        names = ", ".join(sorted(named))
        if "default" in named:
            return named["default"], [f"of the named chat templates ({names}) the one named default counts"]
        return None, [f"none of the named chat templates ({names}) is named default, so none counts"]
    return (value if isinstance(value, str) and value else None), []
