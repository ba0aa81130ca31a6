"""zoo lock"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from catalog import licencefiles, yamltext
from catalog import sources as source_uris
from catalog.jsontext import JsonObject
from catalog.lock import Lock, Pin, PinnedFile
from catalog.paths import unsafe_reason
from catalog.words import counted
from zoo.cli.common import Call, options
from zoo.errors import InputError, ModelFileError, RemoteError, ZooError
from zoo.files.whole import write_alone
from zoo.output import Output
from zoo.plan import prepare
from zoo.settings import Settings
from zoo.sources import facts, hub, licences, resolve


@click.command()
@options("work")
@click.argument("recipe")
def command(call: Call, recipe: str) -> int:
    """Pin the sources of RECIPE in NAME.lock.yaml: the digest of a file, the commit and digests of a Hub source.

    Licence texts that the recipe names as files of a source (student:LICENSE) are fetched into licences/NAME/.

    Exit code 1 if a source cannot be reached, or is not the one that the recipe's own sha256 names; its earlier pin is
    kept.
    """
    settings = call.settings
    path = prepare.find_recipe(recipe, settings)
    data = _data(path)
    uris, imported = _uris(data, path)
    pins: dict[str, Pin] = {}
    failures: dict[str, ZooError] = {}
    for uri in uris:
        try:
            pin = _pin(uri, settings, call.output, is_imported=uri in imported)
            _refuse_other(data, uri, pin, settings, call.output)
            pins[uri] = pin
        except ZooError as error:
            # A sentence that begins with the source needs no place in front of it.
            error.where = error.where or ("" if error.what.startswith(uri) else uri)
            failures[uri] = error
    if not pins and len(failures) == 1:
        raise next(iter(failures.values()))
    for failure in failures.values():
        call.output.warn(str(failure))
    if not pins:
        raise ZooError(
            "no source could be pinned", safe="The lock file was not changed."
        )
    target = path.with_name(f"{path.stem}.lock.yaml")
    # A source that was pinned before but cannot be reached now keeps its pin.
    before = _before(target, settings).pins if target.exists() else {}
    kept = {uri: pin for uri, pin in before.items() if uri in uris}
    write_alone(target, Lock({**kept, **pins}).to_text())
    texts = _texts(data, path.stem, pins, failures, settings, call.output)
    shown = settings.shown(target)
    pinned = {uri: [vars(file) for file in pin.files] for uri, pin in pins.items()}
    failed = [_told(uri, error) for uri, error in failures.items()]
    call.output.answer(
        {"lock": shown, "pinned": pinned, "licence_texts": texts, "failed": failed},
        f"Pinned {len(pins)} of {counted(len(uris), 'source')} in {shown}."
        + "".join(f"\nFetched the licence text {text}." for text in texts),
    )
    return 1 if failures else 0


def _texts(
    data: JsonObject, stem: str, pins: Mapping[str, Pin], failures: dict[str, ZooError], settings: Settings,
    report: Output,
) -> list[str]:  # fmt: skip
    """Fetch the files of sources that the recipe names; returns their paths in the zoo. Failures go into
    ``failures``."""
    name, found = data.get("name"), []
    listed = data.get("licence_files")
    for entry in listed if isinstance(listed, list) else []:
        if not isinstance(entry, str):
            continue
        part = licencefiles.of_source(entry)
        section = data.get(part[0]) if part else None
        uri = section.get("source") if isinstance(section, dict) else None
        if part is None or not isinstance(uri, str) or uri not in pins:
            continue
        target = licencefiles.path_in_zoo(entry, name if isinstance(name, str) else stem)
        try:
            _refuse_unsafe(target, settings)
            raw = licences.read(uri, part[1], pins[uri], settings.root, report)
        except ZooError as error:
            failures[f"{uri} ({entry})"] = error
            report.warn(str(error))
            continue
        (settings.root / target).parent.mkdir(parents=True, exist_ok=True)
        write_alone(settings.root / target, raw)
        found.append(target)
    return found


def _refuse_unsafe(target: str, settings: Settings) -> None:
    """Raise InputError for a name that is not a licence text's, or a path outside the zoo."""
    place = (settings.root / target).resolve()
    if unsafe_reason(target) or not place.is_relative_to(settings.root.resolve()):
        raise InputError(f"{target} is not a path in the zoo", remedy="Correct `name:` in the recipe")
    if not licencefiles.is_text_name(licencefiles.published_name(target)):
        raise InputError(
            f"{licencefiles.published_name(target)} is not the name of a licence text",
            remedy="Name a LICENSE, NOTICE, USE_POLICY or the like under licence_files",
        )


def _told(uri: str, error: ZooError) -> dict[str, object]:
    told: dict[str, object] = {"source": uri, "error": error.what, "safe": error.safe, "remedy": error.advice}
    return told | ({"kind": error.kind, "facts": error.facts} if isinstance(error, RemoteError) else {})


def _before(target: Path, settings: Settings) -> Lock:
    """The lock that is there. One with faults is written again, but not a file of another kind. Raises InputError."""
    document = yamltext.read(target, settings.shown(target))
    if isinstance(document.data, dict) and "zoo_lock" not in document.data:
        raise InputError(
            "this file is not a lock file, but has the name of one", where=settings.shown(target),
            safe="It was not changed.", remedy="Rename it, then run the same command again",
        )  # fmt: skip
    return Lock.read(target, settings.shown(target))[0]


def _data(path: Path) -> JsonObject:
    """The data of a recipe that need not be sound yet: this command adds the pins that it lacks."""
    document = yamltext.read(path, str(path))
    if document.problems:
        raise InputError("\n".join(map(str, document.problems)))
    return document.data if isinstance(document.data, dict) else {}


def _uris(data: JsonObject, path: Path) -> tuple[list[str], set[str]]:
    """All sources of a recipe, and those that are imported."""
    given: dict[str, str] = {}
    for role in ("student", "teacher"):
        section = data.get(role)
        uri = section.get("source") if isinstance(section, dict) else None
        # Of a model on a server nothing can be pinned.
        if isinstance(uri, str) and not source_uris.is_served(uri):
            given[role] = uri
    if not given:
        raise InputError("the recipe names no source", where=str(path), remedy="Add `student: source:`")
    imported = {uri for role, uri in given.items() if role == "student" or data.get("distill")}
    return sorted(set(given.values())), imported


def _refuse_other(data: JsonObject, uri: str, pin: Pin, settings: Settings, report: Output) -> None:
    """Raise SourceError if the recipe itself pins another digest of this source: the import would refuse it."""
    path = None if pin.revision else resolve.locate(uri, settings.root, settings.work)
    for role in ("student", "teacher"):
        section = data.get(role)
        if path is None or not isinstance(section, dict) or section.get("source") != uri:
            continue
        own = section.get("sha256")
        if isinstance(own, str) and own != pin.files[0].sha256:
            resolve.verify(path, own, uri, report, settings.root)


def _pin(uri: str, settings: Settings, report: Output, *, is_imported: bool) -> Pin:
    try:
        source = source_uris.parse(uri)
    except source_uris.SourceSyntax as error:
        raise InputError(*error.args[:1], remedy=error.args[1]) from error
    if isinstance(source, source_uris.HubSource):
        judge = resolve.inspect_small if is_imported and not source.file else None
        revision, files = hub.resolve_revision(source, report, judge=judge)
        return Pin(revision, tuple(PinnedFile(*entry) for entry in files))
    path = resolve.locate(uri, settings.root, settings.work)
    if path is None:
        raise ZooError("it is not on this machine", remedy=resolve.missing_remedy(uri))
    report.say(f"reading {path.name}")
    try:
        if is_imported:
            resolve.refuse_gguf(path, settings.root)
        # What zoo check reads too: a source that it refuses is not pinned.
        facts.read(path, settings.root)
    except ModelFileError as error:
        # The message must not include the user's folders.
        error.where = path.name if error.where == str(path) else error.where
        raise
    found = resolve.folder_records(path, settings.root) if path.is_dir() else ()
    size = sum(record.size_bytes for record in found) if path.is_dir() else path.stat().st_size
    return Pin(None, (PinnedFile(path.name, size, resolve.content_sha256(path, settings.root)),))
