"""Tokens, logits, template and end of turn of both sides against each other; the first difference in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zoo.divergence import compare as divergence
from zoo.parity.material import CONVERSATIONS, STRINGS
from zoo.parity.seen import Logits, Rendering, Seen

CHECKS = ("tokenizer", "logits", "template", "end_of_turn")


@dataclass(frozen=True)
class Bound:
    """KLD from the folder's logits to the file's, in nats: of any one position, and of a text on average."""

    most_nats: float
    mean_nats: float


BOUNDS: Mapping[str, Bound] = {
    "f32": Bound(0.005, 0.0005),
    "f16": Bound(0.005, 0.0005),
    "bf16": Bound(0.2, 0.02),
}
"""By type of the exported file. SmolLM2-135M in f16: at most 0.00004, mean 0.000003; its rope base at a tenth: 1.07 and
0.09. bf16 keeps 8 bits of a weight's 11."""


@dataclass(frozen=True)
class Check:
    """passed, and a sentence: what was compared, or the first difference and where it is."""

    name: str
    passed: bool
    detail: str


def compare(folder: Seen, file: Seen, export_type: str, turn_ends: Sequence[int] | None) -> list[Check]:
    """The four checks, in the order of CHECKS.

    turn_ends: ids of what the template writes after an answer, as the file cuts them; None without a template.
    """
    return [
        tokenizer(folder, file),
        logits(folder, file, BOUNDS[export_type]),
        template(folder.renderings, file.renderings),
        end_of_turn(folder, file, turn_ends),
    ]


def tokenizer(folder: Seen, file: Seen) -> Check:
    """Ids with and without markers, and the way back from ids to bytes."""
    for what, ours, theirs in (
        ("", folder.tokens, file.tokens),
        (" with its markers", folder.whole, file.whole),
    ):
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            place = first_difference(one, other)
            if place is not None:
                words = (
                    f"{_string(number)}{what}, token {place}: {_token(folder, one, place)} in {folder.side}"
                )
                return Check("tokenizer", False, f"{words}, {_token(file, other, place)} in {file.side}.")
    for number, (one_bytes, other_bytes) in enumerate(zip(folder.decoded, file.decoded, strict=True)):
        if one_bytes != other_bytes:
            place = first_difference(one_bytes, other_bytes)
            return Check(
                "tokenizer",
                False,
                f"{_string(number)}: its tokens decode to other bytes from byte {place} on: {one_bytes!r} in "
                f"{folder.side}, {other_bytes!r} in {file.side}.",
            )
    lossy = sum(text.encode() != raw for text, raw in zip(STRINGS, file.decoded, strict=True))
    back = (
        "each decodes to itself" if not lossy else f"{lossy} do not decode to themselves, on both sides alike"
    )
    return Check("tokenizer", True, f"{len(STRINGS)} strings give the same tokens on both sides; {back}.")


def logits(folder: Seen, file: Seen, bound: Bound) -> Check:
    """KLD at every position of every text; the tokens are those of the folder's tokenizer on both sides."""
    worst, positions = 0.0, 0
    for number, (ids, ours, theirs) in enumerate(zip(folder.texts, folder.logits, file.logits, strict=True)):
        if ours.shape != theirs.shape:
            return Check(
                "logits", False, f"The vocabularies have {ours.shape[1]} and {theirs.shape[1]} tokens."
            )
        kld = _kld(ours, theirs)
        worst, positions = max(worst, float(kld.max())), positions + len(kld)
        bad = np.flatnonzero(~(kld <= bound.most_nats))
        if len(bad):
            return Check(
                "logits", False, _apart(folder, file, number, int(bad[0]), ids, ours, theirs, kld, bound)
            )
        if not kld.mean() <= bound.mean_nats:
            said = (
                f"Text {number + 1}: mean KLD {kld.mean():.2g} nats, at most {bound.mean_nats:g} is allowed."
            )
            return Check("logits", False, said)
    return Check("logits", True, f"{positions} positions are at most {worst:.2g} nats of KLD apart.")


def template(ours: Sequence[Rendering], theirs: Sequence[Rendering]) -> Check:
    """Every conversation, byte for byte. One that both refuse (such as one with a system message) is alike."""
    alike = 0
    for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        name = f"Conversation {number // 2 + 1}{' with the prompt for an answer' if number % 2 else ''}"
        if one.text is None and other.text is None:
            continue
        if one.text is None or other.text is None:
            side, why = ("transformers", one.error) if one.text is None else ("llama.cpp", other.error)
            return Check("template", False, f"{name} cannot be rendered by {side} only: {why}.")
        place = first_difference(one.text.encode(), other.text.encode())
        if place is not None:
            parts = [raw.encode()[place : place + 24] for raw in (one.text, other.text)]
            return Check(
                "template",
                False,
                f"{name}, byte {place}: {parts[0]!r} in transformers, {parts[1]!r} in llama.cpp.",
            )
        alike += 1
    if not alike:
        return Check("template", True, "Neither side has a chat template.")
    return Check(
        "template",
        True,
        f"{alike} of {2 * len(CONVERSATIONS)} renderings are equal, byte for byte; both refuse the rest.",
    )


def end_of_turn(folder: Seen, file: Seen, turn_ends: Sequence[int] | None) -> Check:
    """What ends an answer in the template, and what ends it in transformers, must end it in llama.cpp."""
    for token in sorted(folder.ends - file.ends):
        said = f"{folder.side} stops after {_named(folder, token)}, {file.side} goes on."
        return Check("end_of_turn", False, said)
    if turn_ends is None:
        return Check("end_of_turn", True, f"Both stop after {_list(folder)}; there is no chat template.")
    if not set(turn_ends) & file.ends:
        first = _named(file, turn_ends[0]) if turn_ends else "nothing"
        return Check(
            "end_of_turn", False, f"The template ends an answer with {first}, after which llama.cpp goes on."
        )
    return Check(
        "end_of_turn",
        True,
        f"Both stop after {_list(folder)}, and so does what the template writes after an answer.",
    )


def first_difference(one: Sequence[int], other: Sequence[int]) -> int | None:
    """The place where two sequences part, None if they are equal."""
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return place
    return None if len(one) == len(other) else min(len(one), len(other))


def _kld(ours: Logits, theirs: Logits) -> np.ndarray:
    """[positions], in nats, not finite where a logit is not."""
    return divergence(ours, theirs, np.zeros(len(ours), dtype=np.int64)).kld_nats


def _apart(
    folder: Seen, file: Seen, number: int, place: int, ids: Sequence[int], ours: Logits, theirs: Logits,
    kld: np.ndarray, bound: Bound,
) -> str:  # fmt: skip
    tops = [_named(side, int(np.argmax(rows[place]))) for side, rows in ((folder, ours), (file, theirs))]
    return (
        f"Text {number + 1}, token {place} ({_named(folder, ids[place])}): KLD {kld[place]:.2g} nats, at most "
        f"{bound.most_nats:g} is allowed; the most probable next token is {tops[0]} in {folder.side}, {tops[1]} in "
        f"{file.side}."
    )


def _string(number: int) -> str:
    text = STRINGS[number]
    short = text if len(text) <= 40 else f"{text[:37]}..."
    return f"String {number + 1} ({short!a})"


def _token(side: Seen, ids: Sequence[int], place: int) -> str:
    return _named(side, ids[place]) if place < len(ids) else "nothing more"


def _named(side: Seen, token: int) -> str:
    return f"{token} {side.name_of(token)!a}"


def _list(side: Seen) -> str:
    return ", ".join(_named(side, token) for token in sorted(side.ends)) or "no token"
