"""Commands in remedies: the words FOLDER, ADAPTER, MERGED and NEW_FOLDER become the user's paths. Pure."""

from __future__ import annotations

import re
import shlex

_PLAIN = re.compile(r"[^\s'\"$`\\!][^'\"$`\\!\n]*\Z")
"""A path that is itself inside single quotes inside double quotes."""
_WORD = re.compile(r"(?P<quote>')?\b(?P<word>NEW_FOLDER|FOLDER|ADAPTER|MERGED)(?P<rest>/[\w./-]+)?(?P<end>')?")


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
        return shlex.quote(path)

    return _WORD.sub(put, remedy)
