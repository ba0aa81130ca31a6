"""zoo lock"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from catalog import sources as source_uris
from catalog.lock import Lock, Pin, PinnedFile
from zoo.cli.common import Call, options
from zoo.errors import InputError, RemoteError, ZooError
from zoo.files.whole import write_atomic
from zoo.output import Output
from zoo.plan import prepare
from zoo.settings import Settings
from zoo.sources import hub, resolve


@click.command()
@options("work")
@click.argument("recipe")
def command(call: Call, recipe: str) -> int:
    """Pin the sources of RECIPE in NAME.lock.yaml: the digest of a file, the commit and digests of a Hub source.

    Exit code 1 when a source could not be reached; its earlier pin is kept.
    """
    settings = call.settings
    path = prepare.find_recipe(recipe, settings)
    uris, imported = _uris(path)
    pins: dict[str, Pin] = {}
    failures: dict[str, ZooError] = {}
    for uri in uris:
        try:
            pins[uri] = _pin(uri, settings, call.output, is_imported=uri in imported)
        except ZooError as error:
            error.where = error.where or uri
            failures[uri] = error
    if not pins and len(failures) == 1:
        raise next(iter(failures.values()))
    for failure in failures.values():
        call.output.warn(str(failure))
    if not pins:
        raise ZooError(
            "no source could be reached, so nothing was pinned", safe="The lock file was not changed."
        )
    target = path.with_name(f"{path.stem}.lock.yaml")
    # What was pinned before and cannot be reached now keeps its pin.
    before = Lock.read(target, str(target))[0].pins if target.exists() else {}
    kept = {uri: pin for uri, pin in before.items() if uri in uris}
    write_atomic(target, Lock({**kept, **pins}).to_text())
    shown = settings.shown(target)
    pinned = {uri: [vars(file) for file in pin.files] for uri, pin in pins.items()}
    call.output.answer(
        {"lock": shown, "pinned": pinned, "failed": [_told(uri, error) for uri, error in failures.items()]},
        f"Pinned {len(pins)} of {len(uris)} source{'s' * (len(uris) != 1)} in {shown}.",
    )
    return 1 if failures else 0


def _told(uri: str, error: ZooError) -> dict[str, Any]:
    told = {"source": uri, "error": error.what, "safe": error.safe, "remedy": error.advice}
    return told | ({"kind": error.kind, "facts": error.facts} if isinstance(error, RemoteError) else {})


def _uris(path: Path) -> tuple[list[str], set[str]]:
    """All sources, and those that are imported, of a recipe that need not be sound yet.

    This command adds the pins that a recipe lacks.
    """
    from catalog import yamltext

    document = yamltext.read(path, str(path))
    if document.problems:
        raise InputError("\n".join(map(str, document.problems)))
    data = document.data if isinstance(document.data, dict) else {}
    sections = [data[role] for role in ("student", "teacher") if isinstance(data.get(role), dict)]
    uris = sorted({section["source"] for section in sections if isinstance(section.get("source"), str)})
    if not uris:
        raise InputError("the recipe names no source", where=str(path), remedy="Add `student: source:`")
    roles = ("student", "teacher") if data.get("distill") else ("student",)
    given = [data[role].get("source") for role in roles if isinstance(data.get(role), dict)]
    return uris, set(uris) & {one for one in given if isinstance(one, str)}


def _pin(uri: str, settings: Settings, report: Output, *, is_imported: bool) -> Pin:
    try:
        source = source_uris.parse(uri)
    except source_uris.SourceSyntax as error:
        raise InputError(*error.args[:1], remedy=error.args[1]) from error
    if isinstance(source, source_uris.HubSource):
        judge = resolve.inspect_small if is_imported else None
        revision, files = hub.resolve_revision(source.repo, source.revision, report, judge=judge)
        return Pin(revision, tuple(PinnedFile(*entry) for entry in files))
    path = resolve.locate(uri, settings.root)
    if path is None:
        raise ZooError("it is not on this machine", remedy=resolve.missing_remedy(uri))
    report.say(f"reading {path.name}")
    resolve.inspect_folder(path, settings.root)
    if is_imported:
        resolve.refuse_gguf(path, settings.root)
    found = resolve.folder_records(path, settings.root) if path.is_dir() else ()
    size = sum(record.size_bytes for record in found) if path.is_dir() else path.stat().st_size
    return Pin(None, (PinnedFile(path.name, size, resolve.content_sha256(path, settings.root)),))
