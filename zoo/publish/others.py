"""Files of other people in a repository: what no release of this zoo put there stays, unless asked otherwise."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from catalog import jsontext
from catalog.shapes import shaped
from zoo.errors import InputError
from zoo.files import filelist
from zoo.files.filelist import MANIFEST, SUMS
from zoo.files.listing import FileRecord
from zoo.hub import Repo, refuse_clashes
from zoo.release.provenance import SIGNATURE

CARD = "README.md"
_BYTES = 4 << 20


@dataclass(frozen=True)
class Cards:
    """Which cards are this zoo's own, although no list of a release has them. bare: a card without the notice of
    withdrawn versions; corrected: digests of corrected cards without it."""

    bare: Callable[[str], str] = str
    corrected: Collection[str] = ()


AS_RELEASED = Cards()


def foreign(
    repo: Repo, base: str | None, there: Mapping[str, FileRecord], paths: Collection[str], cards: Cards
) -> frozenset[str]:
    """Those of ``paths`` that the release at ``base`` did not put there, by its own list.

    A file of the list with other content was changed by someone, so it is theirs. Without a list everything is.
    """
    if base is None or not paths:
        return frozenset()
    listed = released(repo, base, there)
    ours = {path for path, sha256 in listed.items() if path in there and there[path].sha256 == sha256}
    if CARD in paths and CARD in listed and CARD not in ours:
        with repo.open(base, CARD) as stream:
            bare = cards.bare(stream.read(_BYTES).decode("utf-8", "replace"))
        if hashlib.sha256(bare.encode()).hexdigest() in (listed[CARD], *cards.corrected):
            ours.add(CARD)
    return frozenset(paths) - ours - ({MANIFEST, SUMS, SIGNATURE} if listed else set())


def released(repo: Repo, base: str, there: Collection[str]) -> dict[str, str]:
    """The digests of the files that the list at ``base`` names; empty without a valid list. there: all files of
    ``base``."""
    if MANIFEST not in there:
        return {}
    with repo.open(base, MANIFEST) as stream:
        raw = stream.read(_BYTES)
    try:
        listed = filelist.checked(shaped(jsontext.parse(raw), filelist.Listing)["files"])
    except ValueError:
        return {}
    return {file.path: file.sha256 for file in listed}


def refuse_in_the_way(label: str, kept: Iterable[str], ours: Iterable[str]) -> None:
    """Raises InputError if files of others cannot stay next to ours on every file system."""
    try:
        refuse_clashes(dict.fromkeys((*kept, *ours)))
    except InputError as error:
        raise InputError(
            f"{label} has a file of someone else that cannot stay next to this release: {error.what}",
            safe="Nothing was changed.",
            remedy="Rename it on the hub, or add --delete-others, which deletes every file that no release put there",
        ) from error
