"""Conversations rendered by transformers itself, for comparison with this project's renderer and the exported file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zoo.judge.parity.seen import NO_TEMPLATE, Rendering
from zoo.templates.oracle import with_fixed_clock
from zoo.templates.renderer import Message
from zoo.training.prompts import Prompts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def renderings(
    tokenizer: PreTrainedTokenizerBase, shown: Sequence[tuple[Sequence[Message], bool]]
) -> list[Rendering]:
    """One rendering for each (messages, whether with the beginning of an answer), with the fixed clock.

    transformers renders without limits, so our own renderer goes first: raises OverLimit for a template that uses more
    than ``zoo.templates.limits`` allow.
    """
    if not tokenizer.chat_template:
        return [Rendering(None, NO_TEMPLATE)] * len(shown)
    with Prompts(tokenizer, "source") as prompts:
        for messages, prompt in shown:
            prompts.refuse_over_limit(messages, prompt=prompt)
    return [_rendering(tokenizer, messages, prompt) for messages, prompt in shown]


def _rendering(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], prompt: bool) -> Rendering:
    try:
        text = tokenizer.apply_chat_template(
            [dict(message) for message in messages],
            tokenize=False,
            add_generation_prompt=prompt,
            chat_template=with_fixed_clock(tokenizer.get_chat_template()),
        )
    except Exception as error:  # noqa: BLE001  # whatever a template does that is not valid
        return Rendering(None, str(error) or type(error).__name__)
    return Rendering(str(text))
