"""Text stays text: a chat marker inside a message never becomes the token that ends or begins a turn.

A rendered conversation is one text, in which a tokenizer cannot distinguish the template's ``<|im_end|>`` from one that
a person wrote. So before rendering, a character that no text contains is put into every marker of a message
(``protected``); afterwards the markers without it are the template's, and the text is divided there (``divided``). A
conversation without markers is unchanged and is tokenized as one text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Mapping, Sequence

from zoo.errors import InputError

SIGN = "\ufdd0"
"""A noncharacter (Unicode Standard, section 23.7): never exchanged as text. One that occurs anyway is doubled."""


class MarkerLost(InputError):
    """A template changes the text around a marker that a person wrote, so it cannot be distinguished from the
    template's own."""


def rendered(
    render: Callable[[Sequence[Mapping[str, str]]], str],
    messages: Sequence[Mapping[str, str]],
    markers: Collection[str],
) -> str:
    """The rendering of ``messages``, with SIGN in the markers that people wrote.

    A template sees the contents with the signs, and may inspect them. So a conversation with signs is also rendered
    without: the text must be the same, or must have the template's own markers only. Raises MarkerLost otherwise.
    """
    signed = protected(messages, markers)
    text = render(signed)
    if all(one["content"] == other["content"] for one, other in zip(signed, messages, strict=True)):
        return text
    wanted = render(messages)
    if plain(text) == wanted:
        return text
    own = [part for part, is_marker in divided(text, markers) if is_marker]
    # The template removed those markers, or changed them so that they are no longer markers.
    if own == [part for part, is_marker in divided(_signed(wanted, None), markers) if is_marker]:
        return _signed(wanted, None)
    raise MarkerLost(
        "a message has a chat marker in it, and the chat template changes the text around it, so it cannot be kept as "
        "text",
        remedy="Remove the chat marker from this message",
    )


def protected(messages: Sequence[Mapping[str, str]], markers: Collection[str]) -> list[dict[str, str]]:
    """The messages with SIGN after the first character of every marker in a content.

    markers: texts of the control tokens. One of a single character cannot be protected.
    """
    found = _starts(frozenset(markers))
    return [{**message, "content": _signed(message["content"], found)} for message in messages]


def is_protected(text: str) -> bool:
    """Whether a rendered text has a marker that a message had."""
    return SIGN in text


def plain(text: str) -> str:
    """``text`` as it was before ``protected``."""
    return re.sub(f"{SIGN}({SIGN}?)", r"\1", text)


def divided(rendered: str, markers: Collection[str]) -> list[tuple[str, bool]]:
    """(text, whether it is a marker of the template) in order; together they are ``plain(rendered)``."""
    parts = _markers(frozenset(markers)).split(rendered)
    return [(plain(part), bool(number % 2)) for number, part in enumerate(parts) if part]


def _signed(content: str, starts: re.Pattern[str] | None) -> str:
    doubled = content.replace(SIGN, SIGN + SIGN)
    places = [match.start() + 1 for match in starts.finditer(doubled)] if starts else []
    for place in reversed(places):
        doubled = doubled[:place] + SIGN + doubled[place:]
    return doubled


@functools.lru_cache(maxsize=8)
def _starts(markers: frozenset[str]) -> re.Pattern[str] | None:
    """Matches before every marker, also those that overlap."""
    long = [marker for marker in markers if len(marker) > 1]
    return re.compile(f"(?={_any_of(long)})") if long else None


@functools.lru_cache(maxsize=8)
def _markers(markers: frozenset[str]) -> re.Pattern[str]:
    return re.compile(_any_of([marker for marker in markers if marker]) if markers else "((?!))")


def _any_of(markers: Sequence[str]) -> str:
    """The longest first, as tokenizers take them."""
    return f"({'|'.join(re.escape(marker) for marker in sorted(markers, key=lambda m: (-len(m), m)))})"
