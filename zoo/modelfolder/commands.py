"""Paths in remedies: the words FOLDER, ADAPTER, MERGED and NEW_FOLDER become the user's, and so do files. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from catalog import shell
from zoo.errors import ModelFileError

_PLAIN = re.compile(r"[^\s'\"$`\\!][^'\"$`\\!\n]*\Z")
"""A path that is itself inside single quotes inside double quotes."""
_WORD = re.compile(r"(?P<quote>')?\b(?P<word>NEW_FOLDER|FOLDER|ADAPTER|MERGED)(?P<rest>/[\w./-]+)?(?P<end>')?")


class FileRefused(ModelFileError):
    """A refusal whose remedy names the file that it is about. remedy: makes it from the file's place."""

    def __init__(self, what: str, *, where: str, remedy: Callable[[str], str]) -> None:
        super().__init__(what, where=where, remedy=remedy(where))
        self.remedy_at = remedy


def filled(remedy: str, place: str) -> str:
    """The remedy with ``place``, a path from the zoo's folder. A path with shell characters is not inserted."""
    if not _PLAIN.match(place):
        return remedy
    places = {
        "FOLDER": place, "ADAPTER": place, "MERGED": f"{place}-merged", "NEW_FOLDER": f"{place}-copy",
    }  # fmt: skip

    def put(found: re.Match[str]) -> str:
        path = places[found["word"]] + (found["rest"] or "")
        # "file:" begins a source of a recipe, not a shell word.
        if found["quote"] or remedy[: found.start()].endswith("file:"):
            return f"{found['quote'] or ''}{path}{found['end'] or ''}"
        return shell.argument(path)

    return _WORD.sub(put, remedy)
