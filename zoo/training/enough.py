"""Whether a training has enough conversations to learn from and to be measured on: found out before it, not hours
later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.words import counted
from zoo.errors import InputError
from zoo.training import UNTRAINED
from zoo.training.conversations import Conversation, Encoding, encode

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BUT = {"train": "but a training requires one", "heldout": "but a standard error requires two"}
_LEAST = {"train": 1, "heldout": 2}
_NOUNS = {"train": "training", "heldout": "held-out"}
_ENDLESS = 1 << 40
_TRIED = 256
"""Conversations that are tried first, because the training reads them all again."""


@dataclass(frozen=True)
class Part:
    """name: train or heldout. conversations: those with an answer. invalid: reasons why other prompts have none."""

    name: str
    conversations: Sequence[Conversation]
    invalid: Sequence[str] = ()

    @property
    def prompts(self) -> str:
        """Its prompts, for a sentence that says what to do."""
        return f"prompts under corpus.{self.name}"


@dataclass(frozen=True)
class Learner:
    """The model that is trained. role: what it is in the recipe; context_tokens: None if unknown."""

    tokenizer: PreTrainedTokenizerBase
    role: str
    context_tokens: int | None


def refuse_too_few(part: Part, learner: Learner, row_tokens: int) -> None:
    """Raises InputError if a part has too few conversations, with what helps: more of them, or longer rows."""
    every, least = part.conversations, _LEAST[part.name]
    if len(every) < least:
        why = f" (the first without one: {part.invalid[0]})" if part.invalid else ""
        asked = counted(len(every) + len(part.invalid), f"{_NOUNS[part.name]} prompt")
        raise _error(part, f"{len(every)} of {asked} have a valid answer{why}", f"Add {part.prompts}")
    if len(encode(learner.tokenizer, every[:_TRIED], row_tokens, learner.role).rows) < least:
        found = encode(learner.tokenizer, every, row_tokens, learner.role)
        if len(found.rows) < least:
            raise _unusable(part, learner, row_tokens, found)


def _unusable(part: Part, learner: Learner, row_tokens: int, found: Encoding) -> InputError:
    had = f"{len(found.rows)} of {counted(len(part.conversations), f'{_NOUNS[part.name]} conversation')} have"
    needed = _needed(encode(learner.tokenizer, part.conversations, _ENDLESS, learner.role), _LEAST[part.name])
    if needed is None:
        why = f" (the first: {found.refused[0][1]})" if found.refused else ""
        what = f"{had} an answer that the {learner.role}'s chat template shows{why}"
        return _error(part, what, f"Add {part.prompts}, or use a model with another chat template")
    what, most = f"{had} an answer within their first {row_tokens} tokens", learner.context_tokens
    if most is not None and needed > most:
        what += f", and {needed} are more than the model's context of {most}"
        return _error(part, what, f"Shorten the {part.prompts}, or add others")
    return _error(part, what, f"Raise distill.row_tokens to {needed} or more, or add {part.prompts}")


def _needed(every: Encoding, least: int) -> int | None:
    """Tokens of a row with which so many conversations have a token of an answer that is predicted."""
    ends = sorted(row.positions[0] + 2 for row in every.rows)
    return ends[least - 1] if len(ends) >= least else None


def _error(part: Part, what: str, remedy: str) -> InputError:
    return InputError(f"{what}, {_BUT[part.name]}", safe=UNTRAINED, remedy=remedy)
