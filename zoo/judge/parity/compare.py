"""All comparisons of both sides: tokens, parameters, logits, template and end of turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from catalog.words import counted
from zoo.judge.parity import parameters
from zoo.judge.parity.agreement import logits
from zoo.judge.parity.check import Check, first_difference
from zoo.judge.parity.material import CONVERSATIONS
from zoo.judge.parity.seen import NO_TEMPLATE, Distances, Generated, Rendering, Seen
from zoo.judge.parity.source import source
from zoo.judge.parity.sourcerecord import SourceRecord, VocabularyFacts
from zoo.judge.parity.tokens import tokenizer

CHECKS = ("tokenizer", "parameters", "logits", "template", "end_of_turn", "source")


@dataclass(frozen=True)
class Stated:
    """record: the import's record of the source, None if there is none. facts: the file's facts about its
    vocabulary."""

    record: SourceRecord | None
    facts: VocabularyFacts


def compare(
    folder: Seen,
    file: Seen,
    *,
    exact: Sequence[Distances],
    longest_row: int,
    generated: Generated | None,
    stated: Stated,
) -> list[Check]:
    """The checks, in the order of CHECKS.

    exact: distances of the file's logits computed in float32, text by text. longest_row: numbers in the file's longest
    row. generated: how the file behaves when it writes what the template writes after an answer; None without a
    template. stated: what the source and the file state of themselves.
    """
    return [
        tokenizer(folder, file),
        same_parameters(folder, file),
        logits(folder, file, exact, longest_row),
        template(folder.renderings, file.renderings),
        end_of_turn(folder, file, generated),
        source(stated.record, file, stated.facts),
    ]


def same_parameters(folder: Seen, file: Seen) -> Check:
    """Shape and constants: the folder's model against the file's header."""
    found = parameters.first_difference(folder.parameters, file.parameters)
    if found is not None:
        return Check("parameters", False, f"{found}.")
    count = parameters.compared(folder.parameters, file.parameters)
    return Check(
        "parameters", True, f"{count} figures of the folder's model are the same in the file's header."
    )


def template(ours: Sequence[Rendering], theirs: Sequence[Rendering]) -> Check:
    """Every conversation, byte for byte. If both refuse it (such as one with a system message), it counts as equal.

    A template that neither side can use for any conversation fails: nobody can chat with such a model.
    """
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
        reasons = [one.error for one in ours if one.error != NO_TEMPLATE]
        if not reasons:
            return Check("template", True, "Neither side has a chat template.")
        said = f"Neither side can render any conversation with the chat template: {reasons[0]}."
        return Check("template", False, said)
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
        said = f"{folder.side} stops after {folder.named(token)}, {file.side} goes on."
        return Check("end_of_turn", False, said)
    if generated is None:
        return Check("end_of_turn", True, f"Both stop after {_list(folder)}; there is no chat template.")
    if not generated.stopped and generated.strange:
        what, one = ("which is not a token", "it") if len(generated.strange) == 1 else ("which are not tokens", "them")
        said = f"The template ends an answer with {' and '.join(generated.strange)}, {what} of this vocabulary, so "
        said += f"llama.cpp goes on after {one}. Add {one} to the tokenizer as a special token, or use a template that "
        said += "ends an answer with a token."
        return Check("end_of_turn", False, said)
    if not generated.stopped:
        first = file.named(generated.forced[0]) if generated.forced else "nothing"
        tokens = counted(len(generated.forced), "token")
        said = f"The template ends an answer with {first}, after which llama.cpp goes on: "
        said += f"it had to write {tokens} and stopped at none of them."
        return Check("end_of_turn", False, said)
    last = file.named(generated.forced[generated.written])
    return Check(
        "end_of_turn",
        True,
        f"Both stop after {_list(folder)}; a generation that had to write {last} stopped there.",
    )


def _list(side: Seen) -> str:
    return ", ".join(side.named(token) for token in sorted(side.ends)) or "no token"
