"""How prompts and texts of a corpus are read: without what editors add, and each text in one part only.

Editors add byte order marks and Windows line ends. They are removed when a file is read, so that they are not measured
or learnt; the digest in the plan is that of the original file.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from catalog import jsontext
from catalog.problems import Problem, show
from catalog.unseen import blank, same_text
from catalog.yamltext import Document

BOM = "\ufeff"
SHORTEST_CHARACTERS = 40
"""Shorter paragraphs (headings, greetings) may be in two texts by chance."""


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
        return "U+0000 (NUL) is in the text, as UTF-16 has it", "Save the file as UTF-8", text.index("\x00")
    if blank(text):
        return "the file has no text", "Write text into it, or delete its line in the recipe", 0
    return None


def prompt_key(user: str, system: str | None) -> str:
    """Equal for prompts that read the same: Unicode forms and white space are ignored."""
    return json.dumps([same_text(user), same_text(system or "")], ensure_ascii=False)


def overlaps(document: Document, root: Path) -> Iterator[Problem]:
    """Prompts that are in two parts of the corpus. Every path is known to exist."""
    corpus = document.data.get("corpus", {})
    learnt: dict[str, str] = {}
    for entry in corpus.get("train", []):
        for line, user, system in _prompts(root / entry["path"]):
            learnt.setdefault(_digest(prompt_key(user, system)), f"line {line} of {entry['path']}")
    for number, entry in enumerate(corpus.get("heldout", [])):
        shared = [
            (line, user, learnt[key])
            for line, user, system in _prompts(root / entry["path"])
            if (key := _digest(prompt_key(user, system))) in learnt
        ]
        if shared:
            line, user, where = shared[0]
            what = f"line {line} of the file{_more(shared)} is the same prompt as {where}: {show(user)}"
            instead = "Delete one of the two; held-out prompts must not be used for training"
            yield document.problem(("corpus", "heldout", number, "path"), what, instead)
    yield from _measured(document, root)


def _measured(document: Document, root: Path) -> Iterator[Problem]:
    """Training prompts that are a paragraph of an evaluation text."""
    corpus = document.data.get("corpus", {})
    measured = {
        key: f"line {line} of {entry['path']}"
        for entry in corpus.get("evaluation", [])
        for line, key in paragraphs(root / entry["path"])
    }
    for number, entry in enumerate(corpus.get("train", [])):
        shared = [
            (line, user, measured[key])
            for line, user, _ in _prompts(root / entry["path"])
            if (key := _paragraph(user)) in measured
        ]
        if shared:
            line, user, where = shared[0]
            what = (
                f"line {line} of the file{_more(shared)} is the same as {where}, which is used for measurement: "
                f"{show(user)}"
            )
            yield document.problem(
                ("corpus", "train", number, "path"), what, "Train and evaluate on different text"
            )


def paragraphs(path: Path) -> Iterator[tuple[int, str]]:
    """(line number, digest) of every longer paragraph; white space, case and Unicode form are ignored."""
    text, _ = clean(path.read_bytes().decode("utf-8", errors="replace"))
    for number, line in enumerate(text.split("\n"), 1):
        if key := _paragraph(line):
            yield number, key


def _paragraph(text: str) -> str | None:
    folded = same_text(text).casefold()
    return _digest(folded) if len(folded) >= SHORTEST_CHARACTERS else None


def _prompts(path: Path) -> Iterator[tuple[int, str, str | None]]:
    """(line number, user, system_hint) of every line that is a valid record; the corpus step reports the others."""
    for number, line in enumerate(path.read_bytes().removeprefix(BOM.encode()).splitlines(), 1):
        try:
            row = jsontext.parse(line)
        except jsontext.NotJson:
            continue
        if isinstance(row, dict) and isinstance(row.get("user"), str):
            system = row.get("system_hint")
            yield number, row["user"], system if isinstance(system, str) else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _more(shared: list[tuple[int, str, str]]) -> str:
    return f" and {len(shared) - 1} more" if len(shared) > 1 else ""
