"""Conversations under the chat template of a model folder, as ids of its tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from zoo.errors import ZooError
from zoo.templates import markers
from zoo.templates.renderer import Message, OverLimit, Renderer
from zoo.training import markertext

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Prompts:
    """A tokenizer's chat template, ready to render; use it in a ``with`` statement.

    tokenizer: one of transformers'; of several named templates the default, as in transformers.
    role: whose template it is, for messages. Raises ZooError without a template for plain conversations.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, role: str = "student") -> None:
        self._tokenizer = tokenizer
        special = {
            name: [str(one) for one in text] if isinstance(text, list | tuple) else str(text)
            for name, text in tokenizer.special_tokens_map.items()
        }
        try:
            template = tokenizer.get_chat_template()
        except ValueError as error:
            raise ZooError("The model has no chat template", remedy="Use an instruction-tuned model") from error
        self._renderer = Renderer(template, special=special, source=f"the {role}")

    def __enter__(self) -> Prompts:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._renderer.close()

    def token_ids(self, messages: Sequence[Message], *, prompt: bool) -> list[int]:
        """Ids of ``messages``, with the beginning of an answer if ``prompt``; markers that people wrote stay text.

        Raises ModelFileError if the template cannot be rendered or refuses, MarkerLost if it changes such a marker.
        """
        rendered = markers.rendered(
            lambda shown: self._renderer.render(shown, add_generation_prompt=prompt),
            messages,
            markertext.texts(self._tokenizer),
        )
        # The template itself writes the beginning-of-text token if the model requires one.
        return markertext.tokens(self._tokenizer, rendered)

    def refuse_over_limit(self, messages: Sequence[Message], *, prompt: bool) -> None:
        """Raise OverLimit for a template that uses too much; other errors are reported elsewhere."""
        try:
            self._renderer.render(messages, add_generation_prompt=prompt)
        except OverLimit:
            raise
        except ZooError:
            return
