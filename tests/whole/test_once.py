"""Things with one place: each was written several times before, with different rules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

ONCE = {
    "the command that chats with a file": (r"llama-cli -m", ("zoo/choose/commands.py",)),
    "git's digest of a blob": (r"\bsha1\(|new\(.sha1", ("zoo/files/digests.py",)),
    "a journal cut after its last complete line": (r"rfind\(b.\\n.\)", ("zoo/files/journal.py",)),
    "a hard link, else a copy": (r"except OSError:\n\s+shutil\.copy", ("zoo/files/whole.py",)),
    "the releases that are not yanked": (
        r"in (\w+\.)*releases if (not \w+\.yank_of|\w+\.yank_of\([^)]*\) is None)|if self\.yank_of\(",
        ("catalog/release.py",),
    ),
    "types with one number per weight": (r'\("F32", "F16", "BF16"\)', ("zoo/gguf/layout.py",)),
}
"""What it is -> how it reads in code, and the only places that may hold it. The browser's chooser is a twin that a test
compares."""


@pytest.mark.parametrize("what", ONCE)
def test_it_is_written_once(what: str) -> None:
    pattern, places = ONCE[what]
    found = {
        path.relative_to(ROOT).as_posix()
        for room in ("catalog", "zoo", "pi_runtime", "site/assets", "site/templates")
        for path in (ROOT / room).rglob("*")
        if path.suffix in (".py", ".js", ".html", ".j2") and re.search(pattern, path.read_text(encoding="utf-8"))
    }
    assert found == set(places)
