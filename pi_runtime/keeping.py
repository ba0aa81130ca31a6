"""``pi-zoo pull``, ``use``, ``verify`` and ``remove``: the models on this board."""

from __future__ import annotations

import argparse
import glob
import hashlib
import sys
import time

from pi_runtime import arithmetic, choosing, download, plainjson, service, sources, store
from pi_runtime import board as boards
from pi_runtime.asking import check_withdrawn, say, warn
from pi_runtime.board import Board
from pi_runtime.catalogue import File, Model, Release
from pi_runtime.choosing import Wish
from pi_runtime.download import Expected
from pi_runtime.profiles import GENERIC_CONTEXT
from pi_runtime.settings import CouldNot
from pi_runtime.sources import Catalog
from pi_runtime.store import Kept, Receipt
from pi_runtime.words import data_size

MANIFEST = "MANIFEST.json"


def pull(arguments: argparse.Namespace) -> None:
    """Download a file: the named type, else the one that is recommended for this board. Raises CouldNot."""
    catalog, board = sources.load(arguments.source, warn), boards.of(arguments)
    model, release = catalog.find(arguments.name)
    if not arguments.force:
        check_withdrawn(model, release)
    wish = board.wish(arguments)
    if arguments.context is None:
        wish = wish.within(release)
    file = _wanted(arguments, release, wish)
    need = arithmetic.need(file, release, wish.context_tokens, wish.kv)
    boards.check_memory(need, file.path, board, wish.context_tokens, arguments.force)
    kept = _pulled(catalog, model, release, file)
    say(f"{kept.spec} is on this board, and every byte is as the catalog lists it: {kept.path}")
    say(
        f"Chat: pi-zoo run {kept.receipt.name}"
        if release.chats
        else f"Serve it: pi-zoo serve {kept.receipt.name}"
    )


def _wanted(arguments: argparse.Namespace, release: Release, wish: Wish) -> File:
    kind = store.parse_spec(arguments.name).type
    if kind:
        return sources.of_type(release, kind)
    found = choosing.pick(release, wish) if wish.context_tokens <= release.context_tokens else None
    if found:
        return found[0].file
    if arguments.force:
        return min(
            (one for one in release.files if one.passed),
            key=lambda one: one.size_bytes,
            default=release.files[0],
        )
    raise CouldNot(
        f"No file of {arguments.name} fits {wish.profile.name} with {wish.context_tokens:,} tokens of context. "
        "Name a type (NAME:TYPE) with --force to download one anyway."
    )


def _pulled(catalog: Catalog, model: Model, release: Release, file: File) -> Kept:
    receipt = Receipt(
        name=model.name,
        version=release.version,
        file=file.path,
        type=file.type,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        manifest_sha256=release.places[0].manifest,
        source=catalog.source,
    )
    kept = Kept(store.home(), receipt)
    if kept.path.is_file() and store.problem(kept) is None:
        say(f"{file.path} is already on this board.")
    else:
        _first(catalog, model, release, file, kept)
    if receipt.manifest_sha256:
        _manifest(catalog, model, release, kept)
    store.write_receipt(kept)
    return kept


def _first(catalog: Catalog, model: Model, release: Release, file: File, kept: Kept) -> None:
    """The file from the first place that has it."""
    refused: CouldNot | None = None
    expected = Expected(file.size_bytes, file.sha256)
    for address in sources.addresses(catalog, model, release, file.path):
        bar = _Bar(file.path)
        try:
            download.fetch(address, kept.path, expected, bar)
            return
        except download.Gone as error:
            refused = refused or error
        finally:
            bar.end()
    if refused is None:
        raise CouldNot(
            f"The catalog names no address of {model.name} {release.version}. Read it from its site: "
            f"pi-zoo pull {model.name} --from https://..."
        )
    raise refused


def _manifest(catalog: Catalog, model: Model, release: Release, kept: Kept) -> None:
    """The list of the release's files: it must have the digest that the catalog pins, and list the file as it is."""
    receipt, refused = kept.receipt, None
    for address in sources.addresses(catalog, model, release, MANIFEST):
        try:
            text = download.document(address)
        except download.Gone as error:
            refused = refused or error
            continue
        found = hashlib.sha256(text).hexdigest()
        if found != receipt.manifest_sha256:
            raise CouldNot(
                f"{address} is not the list that the catalog pins: its sha256 is {found}, "
                f"not {receipt.manifest_sha256}."
            )
        listed = {
            one["path"].text: one["sha256"].text for one in plainjson.parse(text, address)["files"].items
        }
        if listed.get(receipt.file) != receipt.sha256:
            raise CouldNot(
                f"{address} and the catalog disagree about {receipt.file}. Tell the owner of the site."
            )
        store.write(kept.folder / MANIFEST, text.decode("utf-8"))
        return
    raise refused or CouldNot(f"The catalog names no address of {MANIFEST}.")


class _Bar:
    """Progress on a terminal, once a second; nothing elsewhere but the end."""

    def __init__(self, name: str) -> None:
        self._name, self._last, self._shown = name, 0.0, False

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if sys.stderr.isatty() and (now - self._last > 0.5 or done == total):
            self._last, self._shown = now, True
            text = f"\r{self._name}: {data_size(done)} of {data_size(total)} ({done * 100 // max(total, 1)} %)   "
            print(text, end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._shown:
            print(file=sys.stderr, flush=True)


def use(arguments: argparse.Namespace) -> None:
    """Write what ``pi-zoo@INSTANCE`` starts. Raises CouldNot."""
    kept, board = store.find(arguments.name), boards.of(arguments)
    plan = board.plan(arguments)
    need = need_of(kept, plan.context_tokens, plan.kv_type)
    boards.check_memory(need, kept.receipt.file, board, plan.context_tokens, arguments.force)
    instance = arguments.instance or kept.receipt.name
    flags = [*plan.flags, *(["--n-gpu-layers", str(plan.gpu_layers)] if plan.gpu_layers else [])]
    flags += ["--flash-attn", "on"] if plan.kv_type != "f16" else []
    made = service.Service(
        model=str(kept.path.resolve()),
        manifest=str((kept.folder / MANIFEST).resolve()),
        manifest_sha256=kept.receipt.manifest_sha256,
        host=arguments.host,
        port=arguments.port,
        api_key_file=arguments.api_key_file,
        context_tokens=plan.context_tokens,
        threads=plan.threads_decode,
        threads_batch=plan.threads_prompt,
        cache_type_k=plan.kv_type,
        cache_type_v=plan.kv_type,
        memory_bytes=_limit(board, need),
        flags=tuple(flags),
    )
    try:
        written = service.write(made, instance)
    except service.BadService as error:
        raise CouldNot(str(error)) from error
    except OSError as error:
        raise CouldNot(
            f"{error.filename} cannot be written: {error.strerror}. Run: sudo pi-zoo use {arguments.name}"
        ) from error
    for path in written:
        say(f"wrote {path}")
    say("Start it, now and at every boot:")
    say(f"  sudo systemctl daemon-reload && sudo systemctl enable --now pi-zoo@{instance}")


def _limit(board: Board, need: arithmetic.Parts | None) -> int | None:
    """What the service may take: all that the profile has free for a model, at least what the file needs."""
    return max(board.profile.free_bytes, need.total if need else 0)


def need_of(kept: Kept, context_tokens: int, kv: str) -> arithmetic.Parts | None:
    """The memory that a file on this board needs, from the catalog as it was last read; None if that is not known."""
    release = _release_of(kept)
    file = (
        next((one for one in release.files if one.sha256 == kept.receipt.sha256), None) if release else None
    )
    return arithmetic.need(file, release, context_tokens, kv) if file and release else None


def context_of(kept: Kept) -> int:
    """The longest context of the model, from the catalog as it was last read; a usual one if that is not known."""
    release = _release_of(kept)
    return release.context_tokens if release else GENERIC_CONTEXT


def _release_of(kept: Kept) -> Release | None:
    try:
        return sources.last().find(kept.spec)[1]
    except CouldNot:
        return None


def verify(arguments: argparse.Namespace) -> None:
    """Hash files again. Raises CouldNot if one is not as it was verified when it arrived."""
    every = [store.find(arguments.name)] if arguments.name else store.kept()
    if not every:
        say("No model is on this board.")
    bad = []
    for one in every:
        found = store.problem(one) or _manifest_problem(one)
        say(f"{'DAMAGED' if found else 'good':<8} {one.spec}  {data_size(one.receipt.size_bytes)}")
        if found:
            bad.append(f"{found} Run: pi-zoo remove {one.spec}, then pi-zoo pull {one.spec}")
    if bad:
        raise CouldNot("\n".join(bad))


def _manifest_problem(one: Kept) -> str | None:
    wanted, path = one.receipt.manifest_sha256, one.folder / MANIFEST
    if wanted is None:
        return None
    if not path.is_file():
        return f"{path} is missing."
    return None if store.digest(path) == wanted else f"{path} is not the list that the catalog pinned."


def remove(arguments: argparse.Namespace) -> None:
    """Delete a file of a model, or with --all all of them, and what stopped commands left of it. Raises CouldNot."""
    name = store.parse_spec(arguments.name).name
    here, rest = [one for one in store.kept() if one.receipt.name == name], store.leftovers(glob.escape(name))
    some = here if arguments.all or (rest and not here) else [store.find(arguments.name)]
    if not some and not rest:
        raise CouldNot(f"{name} is not on this board.")
    for one in some:
        size = sum(path.stat().st_size for path in (one.path,) if path.exists())
        store.remove(one)
        say(f"removed {one.spec}, {data_size(size)}")
    # Last: the system's leftovers, which only root may delete, do not keep anybody from deleting their own files.
    for path in rest:
        size = path.stat().st_size
        store.discard(path)
        say(f"removed {path}, {data_size(size)} without a receipt")
