"""How prompts and texts of a corpus are read: without what editors add, and each text in one part only.

Editors add byte order marks and Windows line ends. They are removed when a file is read, so that they are not measured
or learnt; the digest in the plan is that of the original file.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from catalog import jsontext
from catalog.unseen import blank, same_text

BOM = "\ufeff"
SHORTEST_CHARACTERS = 40
"""Shorter paragraphs (headings, greetings) may be in two texts by chance."""

NUL_IN_TEXT = "U+0000 (NUL) is in the text, as UTF-16 has it", "Save the file as UTF-8"
NO_TEXT = "the file has no text", "Write text into it, or delete its line in the recipe"
"""What is wrong with a text, and what to do."""


def clean(text: str) -> tuple[str, list[str]]:
    """``text`` with line feeds only and no byte order mark, and what was left out: for people to read."""
    left_out = []
    if text.startswith(BOM):
        left_out.append("a byte order mark")
    if "\r" in text:
        left_out.append("line ends of Windows (CR LF)" if "\r\n" in text else "line ends of old Macs (CR)")
    return re.sub(r"\r\n?", "\n", text.removeprefix(BOM)), left_out


def text_fault(text: str) -> tuple[str, str, int] | None:
    """Why ``text`` cannot be used for measurement: (what, what to do, offset)."""
    if "\x00" in text:
        return *NUL_IN_TEXT, text.index("\x00")
    if blank(text):
        return *NO_TEXT, 0
    return None


def prompt_key(user: str, system: str | None) -> str:
    """Equal for prompts that read the same: Unicode forms and white space are ignored."""
    asked = same_text(user)
    return f"{len(asked)} {asked}{same_text(system or '')}"


def paragraph_key(text: str) -> str | None:
    """Equal for longer paragraphs that a person reads as the same; None for a short one."""
    folded = same_text(text.removeprefix(BOM)).casefold()
    return folded if len(folded) >= SHORTEST_CHARACTERS else None


class Spoken(NamedTuple):
    """A prompt's texts, and whether its conversation begins with a system message."""

    user: str
    system_hint: str | None
    has_system: bool


def prompt_in(line: bytes) -> Spoken | None:
    """The texts of a line of a prompt file; None for what is not a record."""
    try:
        row = jsontext.parse(line)
    except jsontext.NotJson:
        return None
    if not isinstance(row, dict) or not isinstance(user := row.get("user"), str):
        return None
    system = row.get("system_hint")
    has_system = bool(system or row.get("requires_json"))
    return Spoken(user, system if isinstance(system, str) else None, has_system)


class Asked(NamedTuple):
    """What people ask in a record: each question with what is equal for questions that read the same. has_system:
    whether its conversation begins with a system message."""

    questions: tuple[tuple[str, str], ...]
    has_system: bool


def asked_in_prompt(line: bytes) -> Asked | None:
    """The question of a line of a prompt file; None for what is not a record."""
    found = prompt_in(line)
    return found and Asked(((found.user, prompt_key(found.user, found.system_hint)),), found.has_system)


def asked_in_conversation(line: bytes) -> Asked | None:
    """Every question of a line of a file of conversations, under any system message; None for what is not a record."""
    try:
        row = jsontext.parse(line)
    except jsontext.NotJson:
        return None
    messages = row.get("messages") if isinstance(row, dict) else None
    turns = [one for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []
    if not turns:
        return None
    said = [one.get("content") for one in turns if one.get("role") == "user"]
    questions = tuple((one, prompt_key(one, None)) for one in said if isinstance(one, str))
    return Asked(questions, turns[0].get("role") == "system")
