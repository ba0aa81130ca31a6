"""Names of files that exist under another Unicode form: one system writes é as one character, another as two."""

from __future__ import annotations

import unicodedata
from pathlib import Path


def other_form(path: Path) -> Path | None:
    """The existing file or folder whose name looks like ``path`` but has other characters, or None."""
    found = Path(path.anchor) if path.is_absolute() else Path()
    for part in path.parts[1:] if path.is_absolute() else path.parts:
        try:
            if not (found / part).exists():
                wanted = unicodedata.normalize("NFC", part)
                names = [entry.name for entry in found.iterdir()]
                part = next(name for name in names if unicodedata.normalize("NFC", name) == wanted)
        except (OSError, StopIteration, ValueError):
            return None
        found /= part
    return found if found != path else None


def absence(path: Path) -> str:
    """``does not exist``, and the existing name if it only differs in its Unicode form."""
    if other_form(path) is None:
        return "does not exist"
    return (
        "does not exist, but a file whose name looks the same does: its accents are in another Unicode form "
        "(NFC or NFD); rename the file, or copy its name from the folder"
    )
