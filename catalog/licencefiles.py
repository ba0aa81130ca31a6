"""The texts that a release carries because its licences ask for them: what they may be called and what is in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from catalog import licences, terms
from catalog.paths import unsafe_reason
from catalog.problems import Problem, show
from catalog.unseen import blank
from catalog.yamltext import Document

MAX_BYTES = 512 * 1024
_NAME = re.compile(
    r"[\w.-]*(licen[cs]e|notice|policy|terms|copying|attribution|copyright)[\w.-]*(\.txt|\.md|\.html)?\Z",
    re.IGNORECASE | re.ASCII,
)
_SUFFIXES = ("", ".txt", ".md", ".html")


def published_name(path: str) -> str:
    """The file's name in the repositories of the release: at the top, where people and the Hub look for it."""
    return PurePosixPath(path).name


def problems(
    document: Document, data: dict[str, Any], missing: Callable[[str], str | None]
) -> Iterator[Problem]:
    """What is wrong with the names. Tolerates any shape."""
    files = data.get("licence_files")
    seen: dict[str, int] = {}
    for number, name in enumerate(files if isinstance(files, list) else []):
        path = ("licence_files", number)
        if not isinstance(name, str):
            continue
        own = published_name(name)
        if reason := unsafe_reason(name):
            yield document.problem(path, f"the path {reason}", "Write a path inside the zoo, from its folder")
        elif wrong := missing(name):
            yield document.problem(path, f"{show(name)} {wrong}", "Name an existing file of the zoo")
        elif not _NAME.match(own) or not own.endswith(_SUFFIXES) or _suffix(own) not in _SUFFIXES:
            instead = "Call it LICENSE, NOTICE, USE_POLICY or the like, as plain text, .txt, .md or .html"
            yield document.problem(path, f"{show(own)} is not the name of a licence text", instead)
        elif own.casefold() in seen:
            what = f"two files would be called {show(own)} in the release"
            yield document.problem(path, what, "Rename one of the two")
        seen.setdefault(own.casefold(), number)
    yield from _words(document, data)


def _suffix(name: str) -> str:
    """``.txt`` and the like; digits behind a dot, as in LICENSE-Llama-3.2, are part of the name."""
    suffix = PurePosixPath(name).suffix
    return "" if re.match(r"\.\d", suffix) else suffix


def _words(document: Document, data: dict[str, Any]) -> Iterator[Problem]:
    licence = data.get("licence")
    if data.get("licence_name") and isinstance(licence, str) and licences.hub_identifier(licence) != "other":
        what = (
            f"the Hub knows {show(licence)} as {licences.hub_identifier(licence)}, which needs no other name"
        )
        yield document.problem(("licence_name",), what, "Delete licence_name", key=True)


def read(document: Document, root: Path) -> tuple[dict[str, str], list[Problem]]:
    """(published name -> text) of every licence file, and what is wrong with their content. Every path exists."""
    texts, found = {}, []
    for number, name in enumerate(document.data.get("licence_files", [])):
        path = ("licence_files", number)
        raw = b"" if (root / name).is_dir() else (root / name).read_bytes()
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            found.append(document.problem(path, f"{show(name)} is not UTF-8 text", "Save the file as UTF-8"))
            continue
        if len(raw) > MAX_BYTES:
            what = f"{show(name)} is larger than {MAX_BYTES // 1024} KiB"
            found.append(document.problem(path, what, "Name the licence text only"))
        elif blank(text):
            found.append(document.problem(path, f"{show(name)} has no text", "Name a file with the text"))
        else:
            texts[published_name(name)] = text
    return texts, found


def demands(document: Document, root: Path) -> list[Problem]:
    """What is wrong with the content of the files, or what the licences of the recipe still ask for."""
    texts, found = read(document, root)
    return found or list(terms.problems(document, texts))
