"""zoo pull"""

from __future__ import annotations

import dataclasses

import click

from catalog import shell
from catalog.device import Device
from catalog.release import ModelFile
from catalog.words import data_size
from zoo import commandline
from zoo.choose import commands, ranking, saying
from zoo.choose import pick as picks
from zoo.choose.pick import CONTEXT_TOKENS, Pick
from zoo.cli.common import Call, device_named, options
from zoo.cli.shelf import shelf_of, staged_shelf
from zoo.cli.signatures import Check, signature_options
from zoo.commandline import TAKES
from zoo.errors import InputError
from zoo.files.named import named_path
from zoo.hub.download import Patience
from zoo.pull import names, pulling, remembered
from zoo.pull.accounts import UNPINNED
from zoo.pull.arriving import some
from zoo.pull.machine import this_machine
from zoo.pull.mirrors import Source, first_that_serves
from zoo.pull.names import Chosen
from zoo.pull.pulling import Pulled
from zoo.pull.sites import catalog_address


@click.command()
@options(*TAKES["pull"])
@click.option(
    "--device", "device_id", metavar="PROFILE", help="Choose a file for this board. [default: this machine]"
)
@click.option(
    "--context", "asked_tokens", type=click.IntRange(1), metavar="N",
    help=f"Context length in tokens. [default: {CONTEXT_TOKENS}, or the model's own if that is shorter]",
)  # fmt: skip
@click.option(
    "--from", "from_", metavar="ADDRESS",
    help="Take the catalog of this site, or the catalog at this address. It is remembered for the next time.",
)  # fmt: skip
@click.option("--to", "target", metavar="FOLDER", help="Where to put the files. [default: NAME-VERSION]")
@click.option("--force", is_flag=True, help="Replace files of the same name in the folder that zoo pull did not write.")
@click.option("--allow-yanked", is_flag=True, help="Accept a yanked version.")
@click.option("--staged", is_flag=True, help="Take a version that is staged by this zoo and not published yet.")
@click.option("--pre", is_flag=True, help="Accept a pre-release, such as 1.1.0-rc.1, if it is the newest version.")
@click.option(
    "--timeout", type=float, default=Patience.stall_seconds, show_default=True, metavar="SECONDS",
    help="Reconnect if no data arrives for this many seconds.",
)  # fmt: skip
@signature_options
@click.argument("name")
def command(
    call: Call,
    name: str,
    device_id: str | None,
    asked_tokens: int | None,
    from_: str | None,
    target: str | None,
    force: bool,
    allow_yanked: bool,
    staged: bool,
    pre: bool,
    timeout: float,
    check: Check | None,
) -> None:
    """Download and verify one file of NAME[@VERSION][:QUANT], with its manifest, card and licence texts.

    Without VERSION, the newest stable version that is not yanked is taken. Without QUANT, the file recommended for the
    device is chosen, and the reason is shown. Each file is compared with the hub's file list, the release's manifest
    and the catalog. Files get their places only when every check has passed. Files that other programs wrote are not
    replaced. After an interruption, run the same command to resume.

    Outside a zoo, --from names a site such as https://USER.github.io/PROJECT/. --catalog may be the path or the address
    of another zoo's catalog.
    """
    if not 0 < timeout < 3600:
        raise InputError("--timeout is not a valid time", remedy="Write seconds, such as --timeout 30")
    wish, device = names.parse(name), _device(device_id)
    shelf = staged_shelf(call, from_) if staged else shelf_of(call, from_)
    try:
        chosen = names.choose(shelf.catalog, wish, allow_yanked, pre)
    except names.Yanked as error:
        error.remedy = commandline.flagged(error.remedy, call.flags)
        raise
    _tell(call, chosen)
    context_tokens = asked_tokens or picks.usual_context(chosen.release)
    file, pick = _file(chosen, wish.quant, device, context_tokens)
    if pick:
        if share := ranking.at_chance(chosen.model, chosen.release, shelf.catalog.models):
            call.output.warn(f"{chosen.model.name} is no better than guessing. {saying.chance(share)}")
        call.output.say(f"Chosen: {file.path}. {pick.reason}")
    folder = named_path(target or f"{chosen.model.name}-{chosen.release.version}")
    patience = Patience(stall_seconds=timeout)

    def use(source: Source) -> Pulled:
        order = pulling.Order(dataclasses.replace(chosen, release=source.release), file, folder, force)
        return pulling.pull(source.hub, order, call.output, patience, check)

    source, pulled = first_that_serves(shelf, chosen.release, call.output, use)
    chosen = dataclasses.replace(chosen, release=source.release)
    if pulled.unlisted:
        what = "the hub also has files that the release does not list. They were not downloaded"
        call.output.warn(f"{what}: {some(pulled.unlisted)}")
    if from_ and remembered.note(catalog_address(from_, "flag --from")):
        call.output.say("This address is remembered: outside a zoo, you need not write --from again")
    check_line = commandline.with_flags({"catalog": call.flags.get("catalog")}, "verify", shell.argument(str(folder)))
    call.output.answer(*_answer(chosen, pulled, pick, context_tokens, (source.hub.name, check_line)))


def _tell(call: Call, chosen: Chosen) -> None:
    for note in chosen.notes:
        call.output.say(note)
    if chosen.model.experimental:
        bad = f" It is bad at: {'; '.join(chosen.model.bad_at)}" if chosen.model.bad_at else ""
        call.output.warn(f"{chosen.model.name} is experimental, so no file of it is recommended.{bad}")
    if chosen.yank:
        call.output.warn(f"{chosen.model.name} {chosen.release.version} is yanked: {chosen.yank.reason}")


def _device(device_id: str | None) -> Device | None:
    if device_id is None:
        return None
    return device_named(device_id)


def _file(
    chosen: Chosen, quant: str, device: Device | None, context_tokens: int
) -> tuple[ModelFile, Pick | None]:
    """The named file, else the recommended one with the reason."""
    if quant:
        return names.file_of(chosen.release, quant), None
    try:
        device = device or this_machine()
    except ValueError as error:
        raise InputError(
            f"the memory of this machine is not known: {error}", remedy="Name a board with --device, or a file"
        ) from error
    pick = pulling.recommended(chosen.release, device, context_tokens)
    assert pick.file
    return pick.file, pick


def _answer(
    chosen: Chosen, pulled: Pulled, pick: Pick | None, context_tokens: int, from_: tuple[str, str]
) -> tuple[dict[str, object], str]:
    """The answer as data and as text. from_: the hub, and the command that checks the folder again."""
    hub, check = from_
    place, file = chosen.release.location.model, pulled.file
    run = commands.start(chosen.release, pulled.path, context_tokens)
    texts = list(chosen.release.terms.files) if chosen.release.terms else []
    data: dict[str, object] = {
        "name": chosen.model.name,
        "version": chosen.release.version,
        "yanked": vars(chosen.yank) if chosen.yank else None,
        "file": {"path": file.path, "type": file.type, "size_bytes": file.size_bytes, "sha256": file.sha256},
        "device": pick.device.id if pick else None,
        "reason": pick.reason if pick else None,
        "context_tokens": context_tokens,
        "predicted_memory_bytes": pick.memory_bytes if pick else None,
        "hub": hub,
        "repository": place.name,
        "commit": place.commit,
        "folder": str(pulled.folder),
        "path": str(pulled.path),
        "received_bytes": pulled.received_bytes,
        "files": [
            {"path": one.file.path, "sha256": one.file.sha256, "size_bytes": one.file.size_bytes, "by": one.by,
             "received_bytes": one.received_bytes, "resumed_bytes": one.resumed_bytes}
            for one in pulled.fetched
        ],
        "checked_against": ["hub", "MANIFEST.json", "SHA256SUMS", "catalog"],
        "manifest_sha256": place.manifest_sha256,
        "licence_texts": texts,
        "signer": pulled.signer,
        "unlisted": list(pulled.unlisted),
        "commands": [run, check],
    }  # fmt: skip
    came = data_size(pulled.received_bytes)
    how = f"{came} fetched" if pulled.received_bytes else "everything was already here"
    human = [
        f"{chosen.model.name} {chosen.release.version} {file.type}: {pulled.path} "
        f"({data_size(file.size_bytes)}, {how}).",
        f"It matches the hub, MANIFEST.json, SHA256SUMS and the catalog: sha256 {file.sha256}.",
        *([] if place.manifest_sha256 else [f"{UNPINNED}."]),
        *([f"It is signed by {pulled.signer}."] if pulled.signer else []),
        *([f"Its licence texts are next to it, also verified: {', '.join(texts)}. Read them first."] if texts else []),
        "",
        *([commands.COMPLETES] if commands.completes(chosen.release) else []),
        "Run it:", f"  {run}", "Check it again at any time:", f"  {check}",
    ]  # fmt: skip
    return data, "\n".join(human)
