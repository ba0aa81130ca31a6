"""Names and passwords inside addresses (``https://user:word@host``): found, and never shown. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Every message of the program passes through ``hidden``, so this module does not import the YAML parser.
    from catalog.problems import Problem
    from catalog.yamltext import Document

# Patterns are compiled when they are first needed: every start of the program would pay for them.
# Up to the last @ before the path, as programs read it: a password may contain an @.
_SECRET = r"((?<=://)|\b[Hh][Tt][Tt][Pp][Ss]?:[/\\]*)[^\s/?#\"'<>]*@"
"""Also where slashes are missing or are backslashes: what is mistyped is not an address, but is shown as it is."""


_TOKEN = r"\b(hf_[A-Za-z0-9]{30,}|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}|AKIA[A-Z0-9]{16})\b"
"""Access tokens of Hugging Face, GitHub and AWS, by the beginnings that their makers gave them to be found."""
_LONG, _AWS = "_[A-Za-z0-9_]{30}", "AKIA"
"""Every token has one of these. They are searched for from a rare character on, and so much sooner than the pattern."""

TOKEN = "what looks like an access token, which would be published"
REVOKE = "Remove it, and revoke the token where it was made"
"""What is wrong with a text that has one, after "contains", and what to do."""


def hidden(text: str) -> str:
    """Text with names and passwords removed from addresses."""
    return re.sub(_SECRET, r"\1***@", text) if "@" in text else text


def scrubbed(text: str) -> str:
    """The same, and without what looks like an access token: for what stays on a disk."""
    return re.sub(_TOKEN, "***", hidden(text))


def has_secret(text: str) -> bool:
    """Whether an address in the text contains a name or password."""
    return "@" in text and re.search(_SECRET, text) is not None


def has_token(text: str) -> bool:
    """Whether the text contains what looks like an access token."""
    return (_AWS in text or re.search(_LONG, text) is not None) and re.search(_TOKEN, text) is not None


def may_have_token(lines: bytes) -> bool:
    """False if no line has a token. The pattern decides about the others."""
    return _AWS.encode() in lines or re.search(_LONG.encode(), lines) is not None


def problems(document: Document) -> Iterator[Problem]:
    """Every text of a recipe that contains one: a recipe is published with its release."""
    waiting: list[tuple[tuple[str | int, ...], object]] = [((), document.data)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [((*path, key), part) for key, part in value.items()]
        elif isinstance(value, list):
            waiting += [((*path, number), part) for number, part in enumerate(value)]
        elif isinstance(value, str) and has_secret(value):
            what = "the address contains a name or a password, which would be published"
            yield document.problem(path, what, "Write the address without them, and change the password")
        elif isinstance(value, str) and has_token(value):
            yield document.problem(path, f"the text contains {TOKEN}", REVOKE)


def in_comments(text: str) -> Iterator[tuple[int, str, str]]:
    """(line, what is wrong, what to do) for every comment of a recipe with one: its text is published as it is."""
    for number, line in enumerate(text.splitlines(), 1):
        comment = line.partition("#")[2]
        if has_token(comment):
            yield number, f"the comment contains {TOKEN}", REVOKE
        elif has_secret(comment):
            what = "the comment contains an address with a name or a password, which would be published"
            yield number, what, "Write the address without them, and change the password"
