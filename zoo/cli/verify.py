"""zoo verify"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import click

from catalog import yanks
from catalog.index import Catalog
from catalog.problems import LIMIT
from catalog.recipe import plain
from catalog.release import Model, Release
from catalog.words import counted, data_size
from zoo import commandline
from zoo.cli.common import Call, options
from zoo.cli.shelf import shelf_of
from zoo.cli.signatures import Check, signature_options
from zoo.commandline import TAKES
from zoo.errors import InputError
from zoo.files.named import named_path
from zoo.hub import FolderHub, ReadHub
from zoo.hub.download import Patience
from zoo.hub.folders import Folders
from zoo.hub.spoken import FolderGone, as_argument, refuse_gone
from zoo.pull import accounts, names, verifyhub, verifying
from zoo.pull.accounts import MANIFEST
from zoo.pull.arriving import some
from zoo.pull.catalogs import Shelf
from zoo.pull.mirrors import sources
from zoo.pull.verifying import Verified
from zoo.release import RECORD, kept
from zoo.release.folder import folders
from zoo.settings import NoZoo


@click.command()
@options(*TAKES["verify"])
@click.option("--on-hub", "remote", is_flag=True, help="Check the files on the hub, not those on this disk.")
@click.option(
    "--full", is_flag=True, help="With --on-hub: read every byte back (always done with a folder hub)."
)
@signature_options
@click.argument("what", required=False)
def command(call: Call, what: str | None, remote: bool, full: bool, check: Check | None) -> int:
    """Check that the files of a release are identical to the published ones.

    WHAT is a folder, NAME or NAME@VERSION; by default the current folder, else every release on this disk. Each
    file is compared with MANIFEST.json, SHA256SUMS, the receipt of the pull and the catalog, if there is one. A
    withdrawn version is marked, with the reason. Exit code 3 if anything differs, 1 if nothing differs but something
    could not be checked.
    """
    folder = _folder(what)
    if remote and check:
        raise InputError(
            "a signature can only be checked on disk", remedy="Run zoo pull, then zoo verify on its folder"
        )
    if remote:
        if folder and what:
            raise InputError("a folder is not on a hub", remedy="Name a model: zoo verify NAME --on-hub")
        found, unknown = _on_hub(call, what, full)
        return _tell(call, found, unknown)
    found = _in_folder(call, folder, _catalog(call), check) if folder else _on_disk(call, what, check)
    return _tell(call, found)


def _folder(what: str | None) -> Path | None:
    """The folder to check; a model's name wins over a folder of that name unless the folder has a release."""
    path = named_path(what or ".")
    if what and ("/" in what or what in (".", "..")):
        if not path.is_dir():
            found = "is a file, not a folder" if path.exists() else "was not found"
            raise InputError(f"{what} {found}", remedy="Name the folder of a release, or a model: zoo verify NAME")
        return path
    return path if (path / MANIFEST).is_file() or (path / "release.json").is_file() else None


def _in_folder(call: Call, path: Path, catalog: Catalog | None, check: Check | None) -> list[Verified]:
    built = (path / "release.json").is_file()
    parts = [path / part for part in ("model", "dataset") if (path / part).is_dir()] if built else [path]
    found = []
    for part in parts:
        one = verifying.folder(part, catalog, str(part), call.output, complete=built)
        found.append(verifying.signed(one, part, check) if check else one)
    return found


def _on_disk(call: Call, what: str | None, check: Check | None) -> list[Verified]:
    shelf = _shelf(call, what)
    found = []
    for model, release in _releases(shelf.catalog, what):
        pulled = Path(f"{model.name}-{release.version}")
        if (pulled / MANIFEST).is_file():
            found += _in_folder(call, pulled, shelf.catalog, check)
        for built in _built(call, model.name, release):
            found += _in_folder(call, built, shelf.catalog, check)
    if not found:
        again = commandline.with_flags(call.flags, "verify", *([what] if what else []), "--on-hub")
        raise InputError(f"no files of {what or 'the catalog'} are on this disk", remedy=f"Check the hub: {again}")
    return found


def _shelf(call: Call, what: str | None) -> Shelf:
    """The catalog to compare with. Raises InputError with the options that this command has."""
    try:
        return shelf_of(call)
    except NoZoo as error:
        nothing = f"{what} was not found" if what else "there is nothing to verify"
        raise InputError(
            f"{nothing}: this folder has no release of that name, and it is not in a zoo, so there is no catalog"
            if what else f"{nothing}: this folder is neither a release nor in a zoo",
            remedy="Name the folder of a release, or add --catalog and the path or address of a model_catalog.json",
        ) from error


def _on_hub(call: Call, what: str | None, full: bool) -> tuple[list[Verified], int]:
    """What is on the hubs, and how many places were not looked at because their hub is not known."""
    shelf = _shelf(call, what)
    named = shelf.named()
    found, left_out, hubs, unknown = list[Verified](), list[str](), dict[str, None](), list[InputError]()
    gone = dict[str, None]()
    for model, release in _releases(shelf.catalog, what):
        yank = yanks.standing(shelf.catalog, model.name, release.version)
        if named and named.place(release) is None:
            left_out.append(f"{model.name} {release.version}")
            hubs |= dict.fromkeys(shelf.spoken(release))
            continue
        for source in sources(shelf, release, named, unknown.append):
            gone |= dict.fromkeys(_gone(shelf, source.hub, model.name))
            whole = full or source.hub.name == "folder"
            there = verifyhub.on_hub(source.hub, model, source.release, call.output, Patience(), full=whole)
            found += [dataclasses.replace(one, withdrawn=yank) for one in there]
    if not found and left_out:
        raise InputError(
            f"the catalog records {some(left_out)} at another place than {shelf.hub_text}, which has no commit of it",
            remedy=f"Leave out --hub, or name {' or '.join(map(as_argument, hubs))}",
        )
    if left_out:
        were = counted(len(left_out), "version")
        call.output.say(f"{were} never published at {shelf.hub_text} left out: {some(left_out)}")
    for why in dict.fromkeys(map(str, unknown)):
        call.output.warn(f"not looked at: {why}")
    for why in gone:
        call.output.warn(why)
    if shelf.settings and not gone and any(one.differences for one in found):
        call.output.say(f"What repairs a hub is said by: {commandline.line(shelf.settings, 'watch')}")
    return found, len(unknown)


def _gone(shelf: Shelf, hub: ReadHub, name: str) -> Iterator[str]:
    """What to do about a folder of this zoo's hub that does not exist."""
    if shelf.settings is None or not isinstance(hub, FolderHub):
        return
    text = Folders(shelf.settings).text(hub)
    try:
        refuse_gone(hub, commandline.line(shelf.settings, "publish", name, "--repair", hub=text))
    except FolderGone as error:
        yield f"{text}: {error}"


def _releases(catalog: Catalog, what: str | None) -> Iterator[tuple[Model, Release]]:
    """The releases of a name, also yanked ones: they must not change either."""
    if what is None:
        yield from ((model, release) for model in catalog.models for release in model.releases)
        return
    wish = names.parse(what)
    if wish.version:
        chosen = names.choose(catalog, wish, allow_yanked=True)
        yield chosen.model, chosen.release
        return
    model = names.choose(catalog, wish, allow_yanked=True).model
    yield from ((model, release) for release in model.releases)


def _built(call: Call, name: str, release: Release) -> list[Path]:
    """The release folders of a version: the published ones, or without any of them the one that was built."""
    try:
        releases = call.settings.releases
    except NoZoo:
        return []
    here = [one for one in folders(releases, name, release.version) if (one / RECORD).is_file()]
    ours = [one for one in here if kept.is_of(one, release)]
    for other in here if ours else ():
        if other not in ours:
            call.output.say(f"{other} is another build of {name} {release.version}, not the published one")
    return ours or here[:1]


def _catalog(call: Call) -> Catalog | None:
    """The catalog if there is one; a pulled folder can be checked without it."""
    try:
        return shelf_of(call).catalog
    except NoZoo:
        return None


def _tell(call: Call, found: list[Verified], unknown: int = 0) -> int:
    """unknown: places that could not be looked at."""
    differences = sum(len(one.differences) for one in found)
    missed = sum(len(one.unchecked) for one in found) + unknown
    data: dict[str, object] = {
        "differences": differences,
        "unchecked": missed,
        "places": [
            {
                **vars(one),
                "differences": [vars(d) for d in one.differences],
                "unchecked": [vars(u) for u in one.unchecked],
                "withdrawn": plain(one.withdrawn),
            }
            for one in found
        ],
    }
    lines = []
    for one in found:
        verdict = counted(len(one.differences), "difference") if one.differences else "as released"
        if one.unchecked and not one.differences:
            verdict = "could not be checked"
        # An unreadable manifest gives no names.
        of = f" {one.name} {one.version}" if one.name else " an unknown release"
        rate = f", {data_size(one.bytes / one.seconds)}/s" if one.seconds > 1 else ""
        lines.append(
            f"{one.place}:{of}, {counted(one.files, 'file')}, {data_size(one.bytes)}{rate}: {verdict}"
            f" (by {', '.join(one.against)})"
        )
        lines += [f"  {yanks.sentence(one.withdrawn)}"] if one.withdrawn else []
        if one.pinned is False and not one.differences:
            lines.append(f"  {accounts.UNPINNED}")
        lines += [f"  {difference.sentence}" for difference in one.differences[:LIMIT]]
        if (more := len(one.differences) - LIMIT) > 0:
            lines.append(f"  and {more:,} more, which --json lists")
        lines += [f"  {unchecked.sentence}" for unchecked in one.unchecked]
        if one.absent and not one.differences:
            lines.append(f"  {one.absent} other files of the release are not here")
        if one.unlisted and not one.differences:
            lines.append(f"  not of the release: {', '.join(one.unlisted[:10])}")
    if any(one.against[0] == "hub" and "content" not in one.against for one in found):
        lines.append("The hub's own lists were compared; contents were not read. To read every byte, add: --full")
    call.output.answer(data, "\n".join(lines))
    if differences:
        return 3
    return 1 if missed else 0
