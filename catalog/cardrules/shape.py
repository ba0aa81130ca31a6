"""Small checks that the rules are built from. Each yields problems and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from catalog.jsontext import Json
from catalog.problems import Problem, did_you_mean, show
from catalog.yamltext import Document, Path_

Rule = Callable[[Document, Path_, Json], Iterator[Problem]]

# huggingface_hub.utils.validate_repo_id, which repeats the server's rule.
_REPO_ID = re.compile(r"(\b[\w\-.]{1,96}\b/)?\b[\w\-.]{1,96}\b", re.ASCII)
_URL = re.compile(r"https?://[^\s<>\"]+\Z")


def text(document: Document, path: Path_, value: Json, longest: int = 1000) -> Iterator[Problem]:
    """Not empty, not longer than ``longest`` characters."""
    if not isinstance(value, str):
        quoted = (
            f'Put it in quotes: "{_as_written(value)}"' if _is_scalar(value) else "Write one word or sentence"
        )
        yield document.problem(path, f"text is required here, not {_named(value)}", quoted)
    elif not value.strip():
        yield document.problem(path, "the text is empty", "Write it, or delete the key")
    elif len(value) > longest:
        what = f"the text has {len(value)} characters"
        yield document.problem(path, what, f"Write at most {longest}")


def one_of(known: Sequence[str], what: str) -> Rule:
    """A word from a closed list."""

    def rule(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
        if not isinstance(value, str):
            yield from text(document, path, value)
        elif value not in known:
            near = did_you_mean(value, known)
            instead = f"Write {near}" if near else f"Write one of: {', '.join(known)}"
            yield document.problem(path, f"{show(value)} is not a {what} of the Hub", instead)

    return rule


def repo_id(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
    """``name`` or ``owner/name``, as the Hub allows them."""
    if not isinstance(value, str):
        yield from text(document, path, value)
        return
    what = repo_id_fault(value)
    if what:
        instead = "Write OWNER/NAME"
        if found := re.match(r"https://(?:huggingface\.co|hf\.co)/(?:datasets/)?([\w.-]+/[\w.-]+)", value):
            instead = f"Write {found[1]}"
        yield document.problem(path, f"{show(value)} is not a repository name: {what}", instead)


def repo_id_fault(value: str) -> str | None:
    """Why the Hub would not accept ``value`` as a repository name, or None."""
    if "://" in value:
        return "it is an address"
    if value.count("/") > 1:
        return "it has more than one /"
    if "--" in value or ".." in value:
        return "it has -- or .. in it"
    if value.endswith(".git"):
        return "it ends in .git"
    if not _REPO_ID.fullmatch(value):
        return "a name has 1 to 96 letters, digits, - _ . and begins and ends with a letter or digit"
    return None


def url(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
    """An http address."""
    if not isinstance(value, str) or not _URL.match(value):
        yield document.problem(path, f"{show(value)} is not an address", "Write https://...")


def boolean(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
    """true or false."""
    if not isinstance(value, bool):
        yield document.problem(path, f"{show(value)} is neither true nor false", "Write true or false")


def block(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
    """A block of keys and values."""
    if not isinstance(value, dict):
        yield document.problem(
            path, f"a block is required here, not {_named(value)}", "Write `key: value` lines"
        )


def several(rule: Rule, *, alone: bool = True, none: bool = False, longest: int = 500) -> Rule:
    """A list, each entry by ``rule`` and once. alone: a single entry may be written without a list. none: it may be
    empty."""

    def check(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
        if not isinstance(value, list):
            if alone and not isinstance(value, dict) and value is not None:
                yield from rule(document, path, value)
            else:
                yield document.problem(
                    path, f"a list is required here, not {_named(value)}", "Write `- entry` lines"
                )
            return
        if not value and not none:
            yield document.problem(path, "the list is empty", "Name at least one, or delete the key")
        if len(value) > longest:
            yield document.problem(path, f"the list has {len(value)} entries", f"Write at most {longest}")
            return
        for index, entry in enumerate(value):
            yield from rule(document, (*path, index), entry)
            if _is_scalar(entry) and entry in value[:index]:
                yield document.problem(
                    (*path, index), f"{show(entry)} is listed twice", "Delete one of the two"
                )

    return check


def keys(required: dict[str, Rule], optional: dict[str, Rule]) -> Rule:
    """A block that must have ``required``; keys besides these two groups are near misses or ignored."""
    known = [*required, *optional]

    def check(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield from block(document, path, value)
            return
        for name in required:
            if value.get(name) is None:
                near = next((key for key in value if key not in known and did_you_mean(key, [name])), None)
                instead = f"Write {name} instead of {near}" if near else f"Add `{name}:`"
                # At the key without a value, else at the first key of the block that lacks it.
                at = name if name in value else near or next(iter(value), None)
                place = path if at is None else (*path, at)
                yield document.problem(place, f'key "{name}" is missing', instead, key=True)
        for name, entry in value.items():
            rule = required.get(name) or optional.get(name)
            if rule and entry is not None:
                yield from rule(document, (*path, name), entry)

    return check


def anything(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
    """No rule."""
    del document, path, value
    yield from ()


def _is_scalar(value: Json) -> bool:
    return isinstance(value, str | int | float | bool)


def _as_written(value: Json) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _named(value: Json) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, list):
        return "a list"
    return "a block" if isinstance(value, dict) else show(value)
