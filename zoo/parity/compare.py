"""Tokens, logits, template and end of turn of both sides against each other; the first difference in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zoo.parity import parameters
from zoo.parity.material import CONVERSATIONS, STRINGS
from zoo.parity.seen import Generated, Logits, Rendering, Seen

CHECKS = ("tokenizer", "parameters", "logits", "template", "end_of_turn")

F16_ROUNDING = 2.0**-11
"""Relative rounding error of one f16 number: llama.cpp rounds what goes into an f16 matrix to that."""


@dataclass(frozen=True)
class Bound:
    """How far logits may be apart, as a share: the root mean square of the difference of two rows of logits, over that
    of the row of the folder, both without their mean, which softmax does not see.

    most: at any one position; mean: of a text's positions.
    """

    most: float
    mean: float


BOUNDS: Mapping[str, Bound] = {
    "f32": Bound(40 * F16_ROUNDING, 8 * F16_ROUNDING),
    "f16": Bound(40 * F16_ROUNDING, 8 * F16_ROUNDING),
    "bf16": Bound(320 * F16_ROUNDING, 64 * F16_ROUNDING),
}
"""By type of the exported file. Rounding errors add up over layers, so the bounds are multiples of one. Measured over
448 positions of good f16 files: SmolLM2-135M most 0.0013, mean 0.00065; random models of one and two layers 0.0015 to
0.0030 and 0.0006 to 0.0016. With the rope base a tenth too large: SmolLM2-135M 0.025 and 0.0077, random models 0.17 to
1.3 and 0.05 to 0.47. f32 files are computed with an f16 cache; bf16 keeps 8 bits of a weight's 11."""


@dataclass(frozen=True)
class Check:
    """passed, and a sentence: what was compared, or the first difference and where it is."""

    name: str
    passed: bool
    detail: str


def compare(folder: Seen, file: Seen, export_type: str, generated: Generated | None) -> list[Check]:
    """The checks, in the order of CHECKS.

    generated: how the file behaves when it writes what the template writes after an answer; None without a template.
    """
    return [
        tokenizer(folder, file),
        same_parameters(folder, file),
        logits(folder, file, BOUNDS[export_type]),
        template(folder.renderings, file.renderings),
        end_of_turn(folder, file, generated),
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


def same_parameters(folder: Seen, file: Seen) -> Check:
    """Shape and constants: the folder's configuration against the file's header."""
    found = parameters.first_difference(folder.parameters, file.parameters)
    if found is not None:
        return Check("parameters", False, f"{found}.")
    count = parameters.compared(folder.parameters, file.parameters)
    return Check(
        "parameters", True, f"{count} of the configuration's figures stand in the header as they are."
    )


def logits(folder: Seen, file: Seen, bound: Bound) -> Check:
    """Every position of every text; the tokens are those of the folder's tokenizer on both sides."""
    worst, positions = 0.0, 0
    for number, (ids, ours, theirs) in enumerate(zip(folder.texts, folder.logits, file.logits, strict=True)):
        if ours.shape != theirs.shape:
            return Check(
                "logits", False, f"The vocabularies have {ours.shape[1]} and {theirs.shape[1]} tokens."
            )
        apart = relative_errors(ours, theirs)
        worst, positions = max(worst, float(apart.max())), positions + len(apart)
        bad, limit = np.flatnonzero(~(apart <= bound.most)), f"at most {bound.most:.2g} is allowed"
        if not len(bad) and not apart.mean() <= bound.mean:
            bad = np.flatnonzero(apart > bound.mean)
            limit = f"at most {bound.mean:.2g} is allowed on average, and the text's average is {apart.mean():.2g}"
        if len(bad):
            place = int(bad[0])
            said = f"Text {number + 1}, token {place} ({_named(folder, ids[place])}): the logits are apart by a share "
            said += f"of {apart[place]:.2g}, {limit}; {_tops(folder, file, ours[place], theirs[place])}."
            return Check("logits", False, said)
    return Check(
        "logits", True, f"The logits of {positions} positions are apart by a share of at most {worst:.2g}."
    )


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


def end_of_turn(folder: Seen, file: Seen, generated: Generated | None) -> Check:
    """What ends an answer in transformers must be an end for llama.cpp, and what the template writes after an answer
    must really end a generation.
    """
    for token in sorted(folder.ends - file.ends):
        said = f"{folder.side} stops after {_named(folder, token)}, {file.side} goes on."
        return Check("end_of_turn", False, said)
    if generated is None:
        return Check("end_of_turn", True, f"Both stop after {_list(folder)}; there is no chat template.")
    if not generated.stopped:
        first = _named(file, generated.forced[0]) if generated.forced else "nothing"
        said = f"The template ends an answer with {first}, after which llama.cpp goes on: "
        said += f"{len(generated.forced)} tokens were forced upon it, and it stopped at none of them."
        return Check("end_of_turn", False, said)
    last = _named(file, generated.forced[generated.written])
    return Check(
        "end_of_turn",
        True,
        f"Both stop after {_list(folder)}; a generation that had to write {last} stopped there.",
    )


def first_difference(one: Sequence[int], other: Sequence[int]) -> int | None:
    """The place where two sequences part, None if they are equal."""
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return place
    return None if len(one) == len(other) else min(len(one), len(other))


def relative_errors(ours: Logits, theirs: Logits) -> np.ndarray:
    """[positions], see ``Bound``; not finite where a logit is not."""
    with np.errstate(all="ignore"):
        one = ours - ours.mean(axis=1, keepdims=True, dtype=np.float64)
        apart = theirs - theirs.mean(axis=1, keepdims=True, dtype=np.float64) - one
        spread = np.sqrt(np.square(one).mean(axis=1))
        wrong = np.sqrt(np.square(apart).mean(axis=1))
        return np.where(wrong == 0, 0.0, wrong / spread)


def _tops(folder: Seen, file: Seen, ours: Logits, theirs: Logits) -> str:
    one, other = int(np.argmax(ours)), int(np.argmax(theirs))
    said = f"the most probable next token is {_named(folder, one)} in "
    return said + ("both" if one == other else f"{folder.side}, {_named(file, other)} in {file.side}")


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
