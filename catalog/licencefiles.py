"""The texts that licences require in a release: their names and their content."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from catalog import licences, packed, plainfiles, shell, sources, terms
from catalog.jsontext import JsonObject
from catalog.lock import Lock
from catalog.paths import unsafe_reason
from catalog.problems import Problem, show
from catalog.recipe import Recipe
from catalog.unseen import blank
from catalog.yamltext import Document

MAX_BYTES = 512 * 1024
_NAME = re.compile(
    r"[\w.-]*(licen[cs]e|notice|policy|terms|copying|attribution|copyright)[\w.-]*(\.txt|\.md|\.html)?\Z",
    re.IGNORECASE | re.ASCII,
)
_SUFFIXES = ("", ".txt", ".md", ".html")
_OF_SOURCE = re.compile(r"(student|teacher):([^/\\]+)\Z")


def of_source(entry: str) -> tuple[str, str] | None:
    """(role, file) of an entry such as ``student:LICENSE``, which names a file of a source; None for a path."""
    match = _OF_SOURCE.match(entry)
    return (match[1], match[2]) if match else None


def path_in_zoo(entry: str, recipe_name: str) -> str:
    """Where the zoo has the text of an entry: the path itself, or where ``zoo lock`` puts the text of a source.

    A teacher's text gets the role behind its name, so that both sources may have a LICENSE.
    """
    found = of_source(entry)
    if found is None:
        return entry
    role, file = found
    name = PurePosixPath(file)
    own = file if role == "student" else f"{name.stem}-{role}{name.suffix}"
    return f"licences/{recipe_name}/{own}"


def is_text_name(name: str) -> bool:
    """Whether a file's name is that of a licence text."""
    return bool(_NAME.match(name)) and name.endswith(_SUFFIXES) and _suffix(name) in _SUFFIXES


def published_name(path: str) -> str:
    """The file's name in the repositories of the release: at the top, where people and the Hub look for it."""
    return PurePosixPath(path).name


def problems(
    document: Document, data: JsonObject, missing: Callable[[str], str | None]
) -> Iterator[Problem]:
    """What is wrong with the names. Tolerates any shape."""
    files = data.get("licence_files")
    seen: dict[str, int] = {}
    for number, name in enumerate(files if isinstance(files, list) else []):
        path = ("licence_files", number)
        if not isinstance(name, str):
            continue
        role = of_source(name)
        if role and not isinstance(data.get(role[0]), dict):
            yield document.problem(path, f"the recipe has no {role[0]}", "Name a file that the source has")
            continue
        entry, name = name, path_in_zoo(name, str(data.get("name")))
        own = published_name(name)
        if role and missing(name):
            what = f"{show(entry)} is not in the zoo yet ({name} {missing(name)})"
            lock = f"zoo lock {shell.argument(document.file)}"
            yield document.problem(path, what, f"Fetch it from the source with: {lock}")
        elif reason := unsafe_reason(name):
            yield document.problem(path, f"the path {reason}", "Write a path inside the zoo, from its folder")
        elif wrong := missing(name):
            yield document.problem(path, f"{show(name)} {wrong}", "Name an existing file of the zoo")
        elif not is_text_name(own):
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


def _words(document: Document, data: JsonObject) -> Iterator[Problem]:
    licence = data.get("licence")
    if data.get("licence_name") and isinstance(licence, str) and licences.hub_identifier(licence) != "other":
        what = (
            f"the Hub calls {show(licence)} {licences.hub_identifier(licence)}, so it needs no other name"
        )
        yield document.problem(("licence_name",), what, "Delete licence_name", key=True)


def read(document: Document, recipe: Recipe, root: Path) -> tuple[dict[str, str], list[Problem]]:
    """(published name -> text) of every licence file, and what is wrong with their content. Every path exists."""
    texts, found = {}, []
    for number, name in enumerate(recipe.licence_files):
        path = ("licence_files", number)
        # One byte more shows that it is too large.
        raw = b"" if (root / name).is_dir() else plainfiles.read_bytes(root / name, MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            what = f"{show(name)} is larger than {MAX_BYTES // 1024} KiB"
            found.append(document.problem(path, what, "Name the licence text only"))
            continue
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            what, instead = packed.fault(raw, name) or packed.NOT_UTF8
            found.append(document.problem(path, f"{show(name)}: {what}", instead))
            continue
        if blank(text):
            found.append(document.problem(path, f"{show(name)} has no text", "Name a file with the text"))
        else:
            texts[published_name(name)] = text
    return texts, found


def demands(document: Document, recipe: Recipe, root: Path) -> list[Problem]:
    """What is wrong with the content of the files, or what the licences of the recipe still require."""
    texts, found = read(document, recipe, root)
    return found or list(terms.problems(document, recipe, texts))


def outdated(
    document: Document, recipe: Recipe, root: Path, wanted_of: Callable[[str, str], str | None]
) -> Iterator[Problem]:
    """Copies in the zoo that are not the text of their source, because the pin, the source or the copy was changed.

    wanted_of: the digest of a file of a source, by its URI and its name; None for a source that is not compared.
    """
    assert isinstance(document.data, dict)
    entries = document.data.get("licence_files")
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        part = of_source(str(entry))
        source = part and (recipe.student if part[0] == "student" else recipe.teacher)
        if part is None or source is None:
            continue
        wanted = wanted_of(source.source, part[1])
        copy = recipe.licence_files[number]
        if wanted and _sha256(root / copy) != wanted:
            what = f"{show(copy)} is not the {part[1]} of the {part[0]}'s source"
            lock = f"zoo lock {shell.argument(document.file)}"
            yield document.problem(("licence_files", number), what, f"Fetch it again with: {lock}")


def sha256_of(uri: str, file: str, *, lock: Lock, root: Path) -> str | None:
    """The digest of a file at the top of a source on a hub, whose pin has it, or in the zoo; None for a package."""
    source = sources.parse(uri)
    if isinstance(source, sources.FileSource):
        place = root / source.path
        path = (place if place.is_dir() else place.parent) / file
        return _sha256(path) if path.is_file() else None
    pin = lock.pins.get(uri)
    return {one.path: one.sha256 for one in pin.files}.get(file) if pin else None


def _sha256(path: Path) -> str:
    """The digest of a licence text; that of a much longer file is not computed, and differs from every text's."""
    raw = plainfiles.read_bytes(path, MAX_BYTES + 1)
    return hashlib.sha256(raw).hexdigest() if len(raw) <= MAX_BYTES else ""
