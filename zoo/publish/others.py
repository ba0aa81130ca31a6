"""Files of other people in a repository: what no release of this zoo put there stays, unless asked otherwise."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from catalog import jsontext
from catalog.shapes import shaped
from zoo.errors import InputError
from zoo.files import filelist
from zoo.files.filelist import MANIFEST, SUMS
from zoo.files.listing import FileRecord
from zoo.hub import Repo, refuse_clashes
from zoo.release.provenance import SIGNATURE

_MANIFEST_BYTES = 4 << 20


def foreign(
    repo: Repo, base: str | None, there: Mapping[str, FileRecord], paths: Collection[str]
) -> frozenset[str]:
    """Those of ``paths`` that the release at ``base`` did not put there, by its own list.

    A file of the list with other content was changed by someone, so it is theirs. Without a list everything is.
    """
    if base is None or not paths:
        return frozenset()
    return frozenset(paths) - _released(repo, base, there)


def _released(repo: Repo, base: str, there: Mapping[str, FileRecord]) -> frozenset[str]:
    if MANIFEST not in there:
        return frozenset()
    with repo.open(base, MANIFEST) as stream:
        raw = stream.read(_MANIFEST_BYTES)
    try:
        listed = filelist.checked(shaped(jsontext.parse(raw), filelist.Listing)["files"])
    except ValueError:
        return frozenset()
    unchanged = {file.path for file in listed if there.get(file.path) == file}
    return frozenset(unchanged | {MANIFEST, SUMS, SIGNATURE})


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
