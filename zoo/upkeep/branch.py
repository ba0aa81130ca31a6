"""The main branch of a repository, apart from its releases: files that no release has, and the card."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from catalog.release import Model
from zoo.files.filelist import MANIFEST, SUMS
from zoo.hub import Repo
from zoo.release.provenance import SIGNATURE
from zoo.upkeep import banner
from zoo.upkeep.recorded import Account
from zoo.upkeep.yank import CARD, read_card

ADDED_BY_HUB = ".gitattributes"


@dataclass(frozen=True)
class Strange:
    """A file of the branch that no release put there, or a card with other words. kind is ``foreign``, ``card`` or
    ``missing``."""

    kind: str
    path: str
    found: str | None
    what: str


def strange(
    repo: Repo, head: str, name: str, model: Model, accounts: Iterable[Account], *, late: bool
) -> Iterator[Strange]:
    """What differs at the head of the branch of the repository ``name``, which has the releases of ``accounts``.

    late: the card does not show yet what is withdrawn, and that is known. Raises ZooError if the hub does not answer.
    """
    known = [account.listed for account in accounts if account.listed is not None]
    ours = {path for paths in known for path in paths} | {MANIFEST, SUMS, SIGNATURE, ADDED_BY_HUB}
    there = repo.listing(head)
    for path in sorted(there.keys() - ours):
        what = f"{path} on the branch of {name} belongs to no release"
        yield Strange("foreign", path, there[path].sha256 or there[path].git_sha1, what)
    cards = {paths[CARD].sha256 for paths in known if CARD in paths}
    cards |= {one.card_sha256 for one in model.corrections or ()}
    if not cards:
        return
    if CARD not in there:
        yield Strange("missing", CARD, None, f"on the branch of {name}, {CARD} no longer exists")
        return
    card = read_card(repo, head)
    bare = banner.take_off(card)
    if _sha256(bare) not in cards:
        what = f"{CARD} on the branch of {name} is neither a released card nor a recorded correction of one"
        yield Strange("card", CARD, _sha256(card), what)
    elif card not in (bare, banner.put(bare, model)) and not late:
        what = f"{CARD} on the branch of {name} has another notice about withdrawn versions than the catalog"
        yield Strange("card", CARD, _sha256(card), what)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
