"""A conversation as the tokens of its prompt: the template's markers are tokens, people's text is text."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from zoo.errors import ModelFileError
from zoo.llama.model import Model
from zoo.templates import markers

_BLANK = " \t\n\v\f\r"
"""What C's ``isspace`` takes for white space."""


class MarkedText(ModelFileError):
    """A vocabulary treats a text as an end of turn even if a person wrote it."""


def render(model: Model, messages: Sequence[Mapping[str, str]]) -> str:
    """The text of ``messages`` and the beginning of an answer, for ``tokens`` of the same model.

    Markers in a content carry a sign (``zoo.templates.markers``). Raises ModelFileError as ``Model.render`` does, and
    MarkerLost if the template changes such a marker.
    """
    return markers.rendered(model.render, messages, model.control_tokens)


def shared(model: Model, messages: Sequence[Mapping[str, str]]) -> str:
    """With what the rendering of ``messages`` begins whatever the last of them says, for ``tokens``: the template's own
    words and the messages before. Raises as ``render`` does.
    """
    first, second = (render(model, [*messages[:-1], {**messages[-1], "content": text}]) for text in "01")
    both = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))
    return "".join(character for character, _ in both)


def tokens(model: Model, rendered: str) -> list[int]:
    """Token ids of a rendered text.

    With protected markers in it, the text is divided at the template's as ``llama_tokenize`` does at every one
    (``tokenizer_st_partition`` in llama.cpp's src/llama-vocab.cpp), and the rest is tokenized as plain text.
    For a file without a chat template the text is bare, with the beginning that its vocabulary requires.
    Raises MarkedText if the vocabulary makes even plain text an end of turn.
    """
    if model.chat_template is None:
        begin = [model.bos] if model.adds_bos and model.bos >= 0 else []
        return begin + model.tokenize(rendered, add_special=False, parse_special=False)
    if not markers.is_protected(rendered):
        return model.tokenize(rendered, add_special=False, parse_special=True)
    parts = markers.divided(rendered, model.control_tokens)
    found: list[int] = []
    for number, (text, is_marker) in enumerate(parts):
        if is_marker:
            found.append(model.control_tokens[text])
            continue
        if number and _strips(model, parts[number - 1], model.lib.LLAMA_TOKEN_ATTR_RSTRIP):
            text = text.lstrip(_BLANK)
        if number + 1 < len(parts) and _strips(model, parts[number + 1], model.lib.LLAMA_TOKEN_ATTR_LSTRIP):
            text = text.rstrip(_BLANK)
        found += _text_tokens(model, text)
    return found


def _strips(model: Model, part: tuple[str, bool], attribute: int) -> bool:
    text, is_marker = part
    return is_marker and bool(
        model.lib.llama_vocab_get_attr(model.vocab, model.control_tokens[text]) & attribute
    )


def _text_tokens(model: Model, text: str) -> list[int]:
    if not text:
        return []
    found = model.tokenize(text, add_special=False, parse_special=False)
    if ends := model.end_tokens.intersection(found):
        written = model.text_of(min(ends))
        raise MarkedText(
            f"{model.path.name} ends a turn at the text {written!r}, even if a person wrote it",
            remedy="Remove that text from the prompts: the vocabulary has it as an ordinary token, not as a marker",
        )
    return found
