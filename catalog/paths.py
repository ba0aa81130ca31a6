"""Which relative paths are safe to read, publish and unpack anywhere."""

from __future__ import annotations

import re
from pathlib import Path

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f\\:*?"<>|\u200e\u200f\u202a-\u202e\u2066-\u2069]')

THROUGH_LINK = "leads outside the zoo through a link"


def unsafe_reason(path: str) -> str | None:
    """Why ``path`` is not a safe relative path ("is absolute", ...), or None if it is one."""
    if not path:
        return "is empty"
    if path.startswith(("/", "~")):
        return "is absolute"
    if len(path.encode("utf-8", "replace")) > 300:
        return "is longer than 300 bytes"
    if _FORBIDDEN.search(path):
        return "has a character that some systems cannot store"
    parts = path.split("/")
    if ".." in parts:
        return "leads outside its folder (..)"
    if any(part in ("", ".") for part in parts):
        return "has an empty part"
    if any(part.endswith((" ", ".")) for part in parts):
        return "has a part that ends in a dot or a space"
    return None


_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
"""Names that Windows keeps for devices, whatever follows the first dot (Microsoft, "Naming Files, Paths")."""


def unusable_name(name: str) -> str | None:
    """Why a recipe cannot have this name, although its characters are right; None if it can."""
    if name.endswith(".lock"):
        return "is that of a lock file: zoo lock writes NAME.lock.yaml"
    if _DEVICES.fullmatch(name):
        return "cannot be stored by Windows, which keeps it for a device"
    return None


def within(path: Path, root: Path) -> str:
    """The path from the folder ``root``; as it is if it is elsewhere. A link is at its own place."""
    for place in (path,) if path.name in ("", "..") else (path.parent, path):
        try:
            inside = place.resolve().relative_to(root.resolve())
        except (ValueError, OSError, RuntimeError):
            continue  # elsewhere, or a loop of links
        return (inside if place is path else inside / path.name).as_posix()
    return str(path)
