"""Invisible characters, and characters that look like a plain space: which ones there are, and which are allowed.

Sources: the categories Cc, Cf, Zs, Zl and Zp of the Unicode character database; UTS 51 for the joiners and tags inside
emoji; the Unicode Standard, chapters 9 and 12, for U+200C and U+200D in Persian and in the scripts of India.
"""

from __future__ import annotations

import re
import unicodedata

JOINERS = frozenset("\u200c\u200d\ufe0e\ufe0f")
"""Zero width non-joiner and joiner, and the two selectors of text and emoji style: part of how words look."""

DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks, embeddings, overrides and isolates of direction, which can make text look different from what it is."""

_FLAG = "\U0001f3f4[\U000e0020-\U000e007e]{1,6}\U000e007f"
_COMMON = {
    "\u00a0": "no-break space",
    "\u202f": "narrow no-break space",
    "\ufeff": "byte order mark",
    "\u200b": "zero width space",
    "\u2028": "line separator",
    "\u2029": "paragraph separator",
    "\u00ad": "soft hyphen",
    "\x00": "NUL",
    "\t": "tab",
}
_UNSEEN_CATEGORIES = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))


def named(char: str) -> str:
    """``U+00A0 (no-break space)``."""
    name = _COMMON.get(char) or unicodedata.name(char, "").lower()
    return f"U+{ord(char):04X} ({name})" if name else f"U+{ord(char):04X}"


def is_odd_space(char: str) -> bool:
    """A space other than U+0020, as web pages and keyboards produce; YAML treats it as a letter."""
    return char != " " and (unicodedata.category(char) == "Zs" or char in "\u200b\u2060\ufeff")


def blank(text: str) -> bool:
    """Whether the text is completely invisible: white space, controls, zero width characters, fillers."""
    return all(
        char.isspace() or char in JOINERS or char in "\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5"
        or unicodedata.category(char) in _UNSEEN_CATEGORIES
        or "\ufe00" <= char <= "\ufe0f"
        for char in text
    )  # fmt: skip


def visible(text: str, kept: str = "") -> str:
    r"""``text`` with control and direction characters escaped, as in ``\u202e``.

    Joiners stay, since Persian, Hindi and emoji need them, and so do the tags of a flag such as Scotland's.
    ``kept`` names more characters that stay, such as a line break.
    """
    if text.isascii() and text.isprintable():
        return text
    parts = []
    last = 0
    for flag in re.finditer(_FLAG, text):
        parts += [_written(text[last : flag.start()], kept), flag.group()]
        last = flag.end()
    return "".join([*parts, _written(text[last:], kept)])


def _written(text: str, kept: str) -> str:
    return "".join(char if char in kept else _shown(char) for char in text)


def _shown(char: str) -> str:
    if char in JOINERS or unicodedata.category(char) not in _UNSEEN_CATEGORIES:
        return char
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def same_text(text: str) -> str:
    """A form that is equal for texts that look the same: NFC (Unicode Annex 15), no zero width space, single spaces."""
    if text.isascii():
        return " ".join(text.split())  # Nothing to fold, and prompts are compared by the million.
    if any(char in text for char in _FOLDED):
        text = text.translate(dict.fromkeys(map(ord, _FOLDED)))
    return " ".join(unicodedata.normalize("NFC", text).split())


_FOLDED = "\u200b\u2060\ufeff\u00ad"
_PLAIN = "[!-~\u00a1-\u00ac\u00ae-\u02ff\u2010-\u2027\u2030-\u205e\u20a0-\u20c0\U0001f300-\U0001f64f]"
PLAIN_TEXT = f"^{_PLAIN}+(?: {_PLAIN}+)*$"
"""A regular expression for texts that can be seen, and that ``same_text`` leaves as they are: visible characters of
which none combines with another, and single spaces between them. Most texts in European languages are such."""
