"""A Problem is one thing that is wrong with one place of one file, and what to write instead."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from catalog.unseen import JOINERS, visible

LIMIT = 60
"""Most problems reported per file; more would not help. One more line says that there are others."""
LISTED = 10
"""Most known words that a message lists."""
LONGEST_KEY = 60
"""Characters of a key that are shown in a path."""


@dataclass(frozen=True, order=True)
class Problem:
    """line and column count from 1; path is dotted, with list positions in brackets: ``gates[0].metric``."""

    file: str
    line: int
    column: int
    path: str
    what: str
    instead: str

    def __post_init__(self) -> None:
        # Words of another program may end with a full stop; ``text`` has it.
        for name in ("what", "instead"):
            words = getattr(self, name)
            if words.endswith(".") and not words.endswith(".."):
                object.__setattr__(self, name, words[:-1])

    def __str__(self) -> str:
        return visible(f"{self.file}:{self.line}:{self.column}: {self.text}")

    @property
    def statement(self) -> str:
        """Without what to write instead: the file is not the reader's."""
        return visible(f"{self.file}:{self.line}:{self.column}: {self.path or '(file)'}: {self.what}.")

    @property
    def text(self) -> str:
        """``path: what. instead.`` without the place."""
        return (
            f"{self.path or '(file)'}: {self.what}. {self.instead}{'' if self.instead.endswith('?') else '.'}"
        )

    def as_dict(self) -> dict[str, object]:
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "path": self.path,
            "what": self.what,
            "instead": self.instead,
        }

    def as_github(self) -> str:
        """A GitHub Actions annotation: shown on the line itself in the pull request."""
        place = f"file={_property(visible(self.file))},line={self.line},col={self.column}"
        message = _message(visible(self.text, kept="\r\n\t"))
        return f"::error {place}::{message}"


def limited(found: Iterable[Problem]) -> list[Problem]:
    """The problems of one file in order, each once: the first LIMIT, and one that says that there are others."""
    ordered = sorted({problem for problem in found if problem.what != _OTHERS})
    cut = len(ordered) > LIMIT or any(problem.what == _OTHERS for problem in found)
    if not cut:
        return ordered
    last = ordered[:LIMIT][-1]
    others = Problem(last.file, last.line, 1, "", _OTHERS, "Fix those that are listed, then check again")
    return [*ordered[:LIMIT], others]


_OTHERS = f"only {LIMIT} problems of this file are listed, and it has more"


def dotted(path: Iterable[str | int]) -> str:
    """``("gates", 0, "metric")`` as ``gates[0].metric``; characters that would break the line become escapes."""
    text = ""
    for part in path:
        word = (
            part
            if isinstance(part, int)
            else part
            if len(part) <= LONGEST_KEY
            else f"{part[: LONGEST_KEY - 4]} ..."
        )
        text += f"[{word}]" if isinstance(part, int) else (f".{word}" if text else str(word))
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The known word nearest to ``word``, if one is near."""
    names = list(known)
    folded = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(word.casefold()[:80], folded, n=1, cutoff=0.6)
    return folded[near[0]] if near else None


def similar(word: str, known: Iterable[str]) -> list[str]:
    """At most three known words that ``word`` may stand for: those spelt almost like it, else those with it in them."""
    names, asked = list(known), word.casefold()[:80]
    folded = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(asked, folded, n=3, cutoff=0.6)
    alike = [difflib.SequenceMatcher(None, one, asked).ratio() for one in near]
    near = [one for one, share in zip(near, alike, strict=True) if share > alike[0] - 0.1]
    if not near and len(asked) > 2:
        near = [one for one in folded if asked in one or (len(one) > 2 and one in asked)][:3]
    return [folded[one] for one in near]


def instead_of(word: str, known: Iterable[str], nothing: str = "None exist yet", more: str = "") -> str:
    """The advice for a wrong ``word``: the known words like it, else the first known ones; or ``nothing``.

    more: another sentence, unless there are no known words.
    """
    names = list(known)
    if not names:
        return nothing
    if near := similar(word, names):
        advice = f"Did you mean {' or '.join(filter(None, (', '.join(near[:-1]), near[-1])))}?"
    else:
        others = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
        advice = f"Available: {', '.join(names[:LISTED])}{others}"
    return f"{advice}{'' if advice.endswith('?') else '.'} {more}" if more else advice


def show(value: object, longest: int = 60) -> str:
    """A value as a person would recognise it, on one line, short, control characters escaped."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = "".join(char if char.isprintable() or char in JOINERS else f"\\u{ord(char):04x}" for char in text)
    if len(text) <= longest:
        return text
    # A quotation mark that stays open would take in the sentence after it.
    end = ' ..."' if text.startswith('"') else " ..."
    return f"{text[: longest - len(end)]}{end}"


def _message(text: str) -> str:
    # ##[ begins an older kind of command, anywhere in a line.
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A").replace("##[", "#\\u0023[")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
