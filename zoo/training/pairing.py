"""Whether a teacher fits a student: the same tokens, the same chat template, and how many logits both have."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import transformers

from zoo.errors import InputError, OutOfMemory, ZooError
from zoo.progress import Reporter
from zoo.training.conversations import Conversation, EncodedRow, encode
from zoo.training.models import LOCAL, load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SAMPLES = 16
"""Conversations that both chat templates render to be compared."""


def usable_teacher(
    teacher: Path | None, tokenizer: PreTrainedTokenizerBase, method: str, report: Reporter
) -> PreTrainedTokenizerBase | None:
    """The teacher's tokenizer if it has the student's tokens; otherwise only its text can be learned from: None.

    Raises InputError if the method needs its logits.
    """
    if teacher is None:
        if method == "logits":
            raise InputError(
                "distill.method logits requires a teacher", remedy="Add a teacher, or use method: labels"
            )
        return None
    found = load_tokenizer(teacher)
    if found.get_vocab() == tokenizer.get_vocab():
        return found
    if method == "logits":
        raise InputError(
            "Teacher and student have different vocabularies, so their logits cannot be compared",
            remedy="Use a teacher of the student's family, or method: labels",
        )
    report.warn("Teacher and student have different vocabularies: no divergence is measured")
    return None


def common_width(student: Path, teacher: Path, tokenizer: PreTrainedTokenizerBase) -> int | None:
    """How many logits the two heads have in common if one is wider than the other, as in families that pad the heads
    of their models to different widths for one tokenizer (Qwen2.5: 151,936 and 152,064); None if they are equal.

    Raises InputError for a tokenizer with tokens that the narrower head does not have.
    """
    widths = [_width(folder) for folder in (student, teacher)]
    if widths[0] == widths[1]:
        return None
    last = max(tokenizer.get_vocab().values())
    if last >= min(widths):
        raise InputError(
            f"The tokenizer has token {last}, but the heads of student and teacher have {widths[0]} and {widths[1]} "
            "logits",
            remedy="Use models whose head has a logit for every token of the tokenizer",
        )
    return min(widths)


def _width(folder: Path) -> int:
    return int(transformers.AutoConfig.from_pretrained(folder, **LOCAL).get_text_config().vocab_size)


def compare_templates(
    teachers: PreTrainedTokenizerBase,
    conversations: Sequence[Conversation],
    rows: Sequence[EncodedRow],
    row_tokens: int,
    report: Reporter,
) -> None:
    """Warn if the teacher's chat template renders ``conversations`` differently from the student's ``rows``.

    A teacher reads the student's rows. In a form that it never saw its answers are worse, and nothing else shows it.
    """
    ours = {row.key: row.input_ids for row in rows}
    samples = list(islice((one for one in conversations if one.key in ours), SAMPLES))
    try:
        theirs = {row.key: row.input_ids for row in encode(teachers, samples, row_tokens).rows}
    except OutOfMemory:
        raise
    except ZooError as error:
        report.warn(
            f"The teacher's own chat template cannot render the conversations ({error.what}). The teacher reads them "
            "in the student's, which it may never have seen"
        )
        return
    for key in (one.key for one in samples if theirs.get(one.key) != ours[one.key]):
        report.warn(
            f"Teacher and student have different chat templates: they render {key} differently, from token "
            f"{_first_other(ours[key], theirs.get(key, ()))} on. The teacher reads the conversations in the student's, "
            "which it may never have seen"
        )
        return


def _first_other(ours: Sequence[int], theirs: Sequence[int]) -> int:
    """The first token, counted from 1, at which two different rows differ."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(ours, theirs, strict=False))
    return sum(1 for _ in same) + 1
