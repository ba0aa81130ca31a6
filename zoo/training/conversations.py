"""Conversations as token rows, with a mask that is true exactly on what the assistant wrote.

Any chat template works unchanged. For every assistant message the conversation is rendered up to it with
the template's generation prompt, and again with the message: the tokens that are new are the message, up to
and including its end-of-turn token. What the template puts after that token (a line break in ChatML) is not counted. A
template that rewrites earlier turns breaks this; it is detected, and the conversation is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.errors import ModelFileError, ZooError
from zoo.templates.markers import MarkerLost
from zoo.training import markertext
from zoo.training.prompts import Prompts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


PATIENCE = 100
"""So many conversations one after the other that a template refuses are its own fault."""


class Refused(ZooError):
    """A conversation that a chat template cannot render, or not so that the assistant's tokens are found in it."""


@dataclass(frozen=True)
class Conversation:
    """key: unique name; messages: (role, content) in order, role being system, user or assistant.

    complete: False if the last answer was cut off, so that its end of turn is not the teacher's.
    """

    key: str
    messages: tuple[tuple[str, str], ...]
    tags: tuple[str, ...] = ()
    complete: bool = True


@dataclass(frozen=True)
class EncodedRow:
    """One conversation as tokens. input_ids and mask have the same length [tokens]."""

    key: str
    input_ids: tuple[int, ...]
    mask: tuple[bool, ...]

    @property
    def positions(self) -> tuple[int, ...]:
        """Where an assistant token is predicted: one before it. The very first token of a row is predicted
        nowhere.
        """
        return tuple(number - 1 for number, wanted in enumerate(self.mask) if wanted and number > 0)

    @property
    def labels(self) -> tuple[int, ...]:
        """The assistant tokens, one per position."""
        return tuple(self.input_ids[position + 1] for position in self.positions)


@dataclass(frozen=True)
class Encoding:
    """rows with at least one assistant token, in the order given, and the keys of those without.

    refused: key and reason of those that the chat template cannot render, or not so that the answers are found.
    """

    rows: tuple[EncodedRow, ...]
    dropped: tuple[str, ...]
    refused: tuple[tuple[str, str], ...] = ()


def encode(
    tokenizer: PreTrainedTokenizerBase, conversations: Sequence[Conversation], row_tokens: int, role: str = "student"
) -> Encoding:
    """Render, tokenize and mask every conversation, cut to ``row_tokens`` tokens. role: whose tokenizer it is.

    A row whose assistant part is empty after the cut is dropped and its key kept in ``dropped``. A conversation that
    the template refuses, or for which it does not grow by appending, is in ``refused``. Raises Refused for the first
    one if it is the template that is at fault: if it refuses every conversation, or the first hundred.
    """
    rows, dropped, refused = [], [], []
    with Prompts(tokenizer, role) as prompts:
        for number, conversation in enumerate(conversations):
            try:
                row = _encode_one(tokenizer, prompts, conversation, row_tokens)
            except Refused as error:
                refused.append(error)
                if len(refused) == min(len(conversations), PATIENCE) == number + 1:
                    raise refused[0] from None
                continue
            if row.positions:
                rows.append(row)
            else:
                dropped.append(conversation.key)
    return Encoding(tuple(rows), tuple(dropped), tuple((error.where, error.what) for error in refused))


def _encode_one(
    tokenizer: PreTrainedTokenizerBase, prompts: Prompts, conversation: Conversation, row_tokens: int
) -> EncodedRow:
    tokens = _tokens(prompts, conversation, len(conversation.messages), prompt=False)
    mask = [False] * len(tokens)
    for number, (role, _) in enumerate(conversation.messages):
        if role != "assistant":
            continue
        before = _tokens(prompts, conversation, number, prompt=True)
        after = _tokens(prompts, conversation, number + 1, prompt=False)
        if after[: len(before)] != before or tokens[: len(after)] != after:
            raise Refused(
                f"The chat template rewrites earlier turns at message {number + 1}, "
                "so the assistant's tokens cannot be found",
                where=conversation.key,
                remedy="Use a model whose template only appends, or conversations with one turn",
            )
        end = len(before) + _message_tokens(tokenizer, after[len(before) :])
        if not conversation.complete and number == len(conversation.messages) - 1:
            end -= 1
        mask[len(before) : end] = [True] * (end - len(before))
    return EncodedRow(conversation.key, tuple(tokens[:row_tokens]), tuple(mask[:row_tokens]))


def _message_tokens(tokenizer: PreTrainedTokenizerBase, tokens: list[int]) -> int:
    """How many tokens a message has up to its end-of-turn token; all if the template has none."""
    special = markertext.ids(tokenizer)
    ends = [number for number, token in enumerate(tokens) if token in special]
    return ends[-1] + 1 if ends else len(tokens)


def _tokens(prompts: Prompts, conversation: Conversation, count: int, *, prompt: bool) -> list[int]:
    """Token ids of the first ``count`` messages, with the generation prompt if ``prompt``."""
    messages = [{"role": role, "content": content} for role, content in conversation.messages[:count]]
    try:
        return prompts.token_ids(messages, prompt=prompt)
    except (ModelFileError, MarkerLost) as error:
        raise Refused(error.what, where=conversation.key, remedy=error.remedy, again=error.again) from error
