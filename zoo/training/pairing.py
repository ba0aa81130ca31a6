"""Whether a teacher fits a student: the same tokens, the same chat template, and how many logits both have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import transformers

from zoo.errors import InputError, OutOfMemory, ZooError
from zoo.gguf.header import read_header
from zoo.gguf.tokentexts import token_texts
from zoo.llama import prompt
from zoo.llama.model import Model
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
    return found if _same(found.get_vocab() == tokenizer.get_vocab(), method, report) else None


def usable_gguf(teacher: Path, tokenizer: PreTrainedTokenizerBase, method: str, report: Reporter) -> bool:
    """Whether every token of the student has the same number in a GGUF file. The file may have more, which pad its
    embedding. Raises InputError as ``usable_teacher`` does."""
    texts = token_texts(teacher)
    known = all(number < len(texts) and texts[number] == text for text, number in tokenizer.get_vocab().items())
    return _same(known, method, report)


def _same(is_same: bool, method: str, report: Reporter) -> bool:
    if is_same:
        return True
    if method == "logits":
        raise InputError(
            "Teacher and student have different vocabularies, so their logits cannot be compared",
            remedy="Use a teacher of the student's family, or method: labels",
        )
    report.warn("Teacher and student have different vocabularies: no divergence is measured")
    return False


def common_width(student: Path, teacher: Path, tokenizer: PreTrainedTokenizerBase) -> int | None:
    """How many logits the two heads have in common if one is wider than the other, as in families that pad the heads
    of their models to different widths for one tokenizer (Qwen2.5: 151,936 and 152,064); None if they are equal.

    Raises InputError for a tokenizer with tokens that the narrower head does not have.
    """
    widths = [head_width(folder) for folder in (student, teacher)]
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


def head_width(folder: Path) -> int:
    """Logits per position of a model folder, or of a GGUF file."""
    if folder.is_file():
        return read_header(folder).vocabulary_size
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
    _compare(lambda samples: encode(teachers, samples, row_tokens).rows, conversations, rows, report)


def compare_gguf(
    teacher: Path, conversations: Sequence[Conversation], rows: Sequence[EncodedRow], report: Reporter
) -> None:
    """The same for a GGUF file: llama.cpp renders the template of its header, and splits the text into tokens."""
    whole = {row.key: row for row in rows}
    with Model.open(teacher, threads=1, context_tokens=SAMPLES) as model:

        def begun(samples: Sequence[Conversation]) -> list[EncodedRow]:
            return [_beginning(model, one, whole[one.key]) for one in samples]

        _compare(begun, conversations, rows, report)


def _beginning(model: Model, conversation: Conversation, row: EncodedRow) -> EncodedRow:
    """The row with its tokens before the last answer as llama.cpp makes them."""
    turn = max(number for number, (role, _) in enumerate(conversation.messages) if role == "assistant")
    messages = [{"role": role, "content": content} for role, content in conversation.messages[:turn]]
    found = prompt.tokens(model, prompt.render(model, messages))
    return replace(row, input_ids=(*found, *row.input_ids[len(found) :])[: len(row.input_ids)])


def _compare(
    teachers: Callable[[Sequence[Conversation]], Sequence[EncodedRow]],
    conversations: Sequence[Conversation],
    rows: Sequence[EncodedRow],
    report: Reporter,
) -> None:
    ours = {row.key: row.input_ids for row in rows}
    samples = list(islice((one for one in conversations if one.key in ours), SAMPLES))
    try:
        theirs = {row.key: row.input_ids for row in teachers(samples)}
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
