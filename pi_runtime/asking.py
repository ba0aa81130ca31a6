"""``pi-zoo list`` and ``pi-zoo recommend``: what there is, and what suits this board, before anything is downloaded."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from pi_runtime import board as boards
from pi_runtime import choosing, ranking, sources, store
from pi_runtime.board import Board
from pi_runtime.catalogue import Model, Release
from pi_runtime.choosing import Candidate, Offer, Wish
from pi_runtime.settings import CouldNot
from pi_runtime.words import counted, data_size, harmless

NEXT_BEST = 3
PREDICTED = "A predicted speed is computed from the memory's bandwidth. Nobody has measured it on this board."


def show_list(arguments: argparse.Namespace) -> None:
    """One line for each model: its recommended file for this board, or why there is none; and what is on this board."""
    catalog, board = sources.load(arguments.source, warn), boards.of(arguments)
    wish, here = board.wish(arguments), {(one.receipt.name, one.receipt.version) for one in store.kept()}
    rows, data = [], []
    for one in ranking.rank(catalog.models):
        found = _pick(one.release, wish)
        mark = "on this board" if (one.model.name, one.release.version) in here else ""
        note = _note(one, found)
        size = data_size(found.file.size_bytes) if found else ""
        speed = printable(found.decode.words) if found else ""
        rows.append(
            (
                one.model.name,
                one.release.version,
                found.file.type if found else "-",
                size,
                speed or note,
                mark or (note if speed else ""),
            )
        )
        data.append({"name": one.model.name, "version": one.release.version, "note": note, "on_this_board": bool(mark),
                     **(_data(found) if found else {})})  # fmt: skip
    if arguments.json:
        answer({"device": board.profile.id, "context_tokens": wish.context_tokens, "models": data})
        return
    say(f"{counted(len(rows), 'model')} for {board.profile.name}, {wish.context_tokens:,} tokens of context")
    say(table(("MODEL", "VERSION", "FILE", "SIZE", "TOKENS/S ON THIS BOARD", ""), rows))
    say("Details: pi-zoo recommend NAME. Download: pi-zoo pull NAME")


def show_recommendation(arguments: argparse.Namespace) -> None:
    """The answer with its arithmetic. Raises CouldNot if nothing suits the board."""
    catalog, board = sources.load(arguments.source, warn), boards.of(arguments)
    wish = board.wish(arguments)
    if arguments.name and arguments.context is None:
        wish = wish.within(catalog.find(arguments.name)[1])
    offers = _offers(arguments, catalog, wish)
    if not offers:
        raise CouldNot(_nothing(arguments, board, wish))
    first, others = offers[0], offers[1 : NEXT_BEST + 1]
    if arguments.json:
        answer({"device": board.profile.id, "context_tokens": wish.context_tokens, "answer": offer_data(first),
                "next_best": [offer_data(one) for one in others]})  # fmt: skip
        return
    say("\n".join(_explained(first, board, wish)))
    if others:
        say("\nNext best:")
        say(
            table(
                (),
                [
                    (
                        f"  {spec_of(one)}",
                        data_size(one.candidate.file.size_bytes),
                        printable(one.candidate.decode.words),
                    )
                    for one in others
                ],
            )
        )
    say(f"\nDownload it: pi-zoo pull {spec_of(first)}")


def _offers(arguments: argparse.Namespace, catalog: sources.Catalog, wish: Wish) -> list[Offer]:
    task, language = arguments.task, arguments.language
    if arguments.name:
        model, release = catalog.find(arguments.name)
        check_withdrawn(model, release)
        if model.experimental and not arguments.experimental:
            raise CouldNot(f"{model.name} is experimental. For a file of it anyway, add --experimental.")
        _check_context(model, release, wish)
        ranked = next((one for one in ranking.rank(catalog.models) if one.model is model), None)
        if ranked and ranked.at_chance and not arguments.experimental:
            raise CouldNot(
                f"{model.name} is no better than guessing. For a file of it anyway, add --experimental."
            )
        found = choosing.pick(release, wish)
        one = ranking.Ranked(model, release, ranked.share if ranked else None, ranked.tier if ranked else 0)
        return [Offer(one, *found)] if found else []
    some = [
        one
        for one in ranking.rank(catalog.models, language)
        if task in (None, one.model.task) and language in (None, *one.model.languages)
    ]
    return choosing.choose(some, wish)


def check_withdrawn(model: Model, release: Release) -> None:
    """Raises CouldNot for a version that its owner withdrew."""
    reason = model.withdrawn.get(release.version)
    if reason:
        raise CouldNot(f"{model.name} {release.version} was withdrawn: {printable(reason)}")


def _check_context(model: Model, release: Release, wish: Wish) -> None:
    if wish.context_tokens > release.context_tokens:
        raise CouldNot(
            f"The context of {model.name} is at most {release.context_tokens:,} tokens, and "
            f"{wish.context_tokens:,} are wanted. Run: pi-zoo recommend {model.name} --context {release.context_tokens}"
        )


def _explained(offer: Offer, board: Board, wish: Wish) -> list[str]:
    """The answer for a person: what, why, the sum, and the speed."""
    one, release, profile = offer.candidate, offer.ranked.release, board.profile
    file = one.file
    found = "" if board.here else ", named by you"
    lines = [
        f"Device: {profile.name}{found}, {data_size(profile.free_bytes)} free for a model",
        f"Recommended: {spec_of(offer)} ({file.path}, {data_size(file.size_bytes)})",
        f"  {printable(offer.ranked.model.summary)}",
        f"  Licence: {printable(release.licence)}",
    ]
    if release.display:
        lines.append(f"  {printable(release.display)}")
    if one.need:
        left = profile.free_bytes - one.need.total
        lines.append(
            f"  Memory: {boards.total(one.need, wish.context_tokens)}. {data_size(max(left, 0))} stay free."
        )
    lines.append(f"  Loss: {_loss(one)}")
    lines.append(f"  Speed: {printable(one.decode.words)}")
    if not one.decode.measured:
        lines.append(f"  {PREDICTED}")
    if not offer.quick:
        lines.append(f"  No good file reaches {wish.quick:g} tokens/s here. This is the fastest one.")
    if not offer.roomy:
        lines.append("  It fits, but little memory stays free for other programs.")
    if _repacked(file.type, board):
        lines.append("  llama.cpp rearranges this type for the board's processor as it loads it.")
    return lines


def _repacked(kind: str, board: Board) -> bool:
    start = kind.lower().removesuffix("_m").removesuffix("_s")
    return any(start == one.lower() for one in board.profile.runtime.repacked)


def _loss(one: Candidate) -> str:
    file = one.file
    if file.kld is None:
        return "none: the other files are compared with it"
    same = f"{100 * file.same_top:.0f} of 100 next words are the same as the original's"
    return f"KLD {file.kld:.4f} nats, {same}"


def _nothing(arguments: argparse.Namespace, board: Board, wish: Wish) -> str:
    name = f"of {arguments.name} " if arguments.name else ""
    speed = f" and reaches {wish.least:g} tokens/s" if wish.least else ""
    return (
        f"No file {name}fits {board.profile.name} with {wish.context_tokens:,} tokens of context{speed}. It has "
        f"{data_size(board.profile.free_bytes)} free for a model. Try a shorter --context, such as 512, or --kv q8_0."
    )


def _note(one: ranking.Ranked, found: Candidate | None) -> str:
    if one.model.experimental:
        return "experimental"
    if one.at_chance:
        return "no better than guessing"
    return "" if found else "does not fit"


def _pick(release: Release, wish: Wish) -> Candidate | None:
    if wish.context_tokens > release.context_tokens:
        return None
    found = choosing.pick(release, wish)
    return found[0] if found else None


def spec_of(offer: Offer) -> str:
    """``NAME@VERSION:TYPE``."""
    return f"{offer.ranked.model.name}@{offer.ranked.release.version}:{offer.candidate.file.type}"


def offer_data(offer: Offer) -> dict[str, object]:
    """An answer as data."""
    return {
        "name": offer.ranked.model.name,
        "version": offer.ranked.release.version,
        "leaves_room": offer.roomy,
        "fast_enough": offer.quick,
        **_data(offer.candidate),
    }


def _data(one: Candidate) -> dict[str, object]:
    need = one.need._asdict() | {"total": one.need.total} if one.need else None
    speed = {
        "measured": one.decode.measured,
        "low": one.decode.low,
        "typical": one.decode.typical,
        "high": one.decode.high,
    }
    file = one.file
    return {"file": file.path, "type": file.type, "size_bytes": file.size_bytes, "sha256": file.sha256,
            "memory_bytes": need, "decode_tokens_per_second": speed}  # fmt: skip


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Columns as wide as their longest cell."""
    every = [*([head] if head else []), *rows]
    if not every:
        return ""
    widths = [max(len(row[place]) for row in every) for place in range(len(every[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in every
    )


def printable(text: str) -> str:
    """Text of a catalog on one line, without what could move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def answer(data: dict[str, object]) -> None:
    """The answer as JSON on stdout."""
    say(json.dumps(data, indent=2, ensure_ascii=False))


def say(text: str) -> None:
    """Lines of the answer; what others wrote in them cannot move a terminal's cursor."""
    print(harmless(text), flush=True)


def warn(text: str) -> None:
    """Lines of progress and errors, as ``say`` prints them."""
    print(harmless(text), file=sys.stderr, flush=True)
