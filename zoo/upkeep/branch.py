"""The main branch of a repository, apart from its releases: files that no release has, and the card."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from catalog.release import Model
from zoo.hub import Repo
from zoo.upkeep import banner, cardnow, correction, foreign
from zoo.upkeep.cardnow import CARD, digest
from zoo.upkeep.recorded import Account
from zoo.upkeep.yank import read_card


@dataclass(frozen=True)
class Strange:
    """A file of the branch that no release put there, or a card with other words. kind is ``foreign``, ``card``,
    ``correction`` or ``notice`` (a card without them), ``stale`` (one that says more than the catalog) or ``missing``.
    """

    kind: str
    path: str
    found: str | None
    what: str


@dataclass(frozen=True)
class Known:
    """What is known of a repository: its kind and name, its model, and its releases' files by version. recorded: the
    recorded card that a card is, see ``cardnow``."""

    kind: str
    name: str
    model: Model
    accounts: Mapping[str, Account]
    recorded: Callable[[str], str] = str


def strange(repo: Repo, head: str, at: Known) -> Iterator[Strange]:
    """What differs at the head of the branch of a repository. Raises ZooError if the hub does not answer."""
    name, accounts = at.name, at.accounts
    there = repo.listing(head)
    for path in foreign.paths(there, (path for account in accounts.values() for path in account.listed or ())):
        what = f"{path} on the branch of {name} belongs to no release"
        yield Strange("foreign", path, there[path].sha256 or there[path].git_sha1, what)
    lists = {version: one.listed or {} for version, one in accounts.items()}
    released = {paths[CARD].sha256: version for version, paths in lists.items() if CARD in paths}
    cards = {*released, *(one.card_sha256 for one in at.model.corrected(at.kind))}
    if not cards:
        return
    if CARD not in there:
        yield Strange("missing", CARD, None, f"on the branch of {name}, {CARD} no longer exists")
        return
    card = read_card(repo, head)
    bare = banner.take_off(card)
    if digest(at.recorded(bare)) not in cards:
        what = f"{CARD} on the branch of {name} is neither a released card nor a recorded correction of one"
        yield Strange("stale" if correction.TITLE in bare else "card", CARD, digest(card), what)
    else:
        yield from _words(repo, card, at, released)


def _words(repo: Repo, card: str, at: Known, released: Mapping[str, str]) -> Iterator[Strange]:
    """What a card of this zoo lacks. released: version by the digest of its card."""
    where = f"{CARD} on the branch of {at.name}"
    sha256 = digest(at.recorded(banner.take_off(card)))
    last = cardnow.latest(at.model, sha256, released, at.kind)
    if last and last.card_sha256 != sha256:
        yield Strange("correction", CARD, digest(card), f"{where} lacks the correction of {last.date}")
    # Only the card of a model lists what is withdrawn.
    if at.kind != "model":
        return
    is_shown = banner.shows(card, at.model)
    newer = banner.says_more(card, at.model, () if is_shown else cardnow.titles_of(repo))
    if newer or not is_shown:
        yield Strange("stale" if newer else "notice", CARD, digest(card), f"{where} {_notice(card, at.model)}")


def _notice(card: str, model: Model) -> str:
    """What is wrong with the notice of a card."""
    if not banner.notice(card):
        return "lacks the notice about withdrawn versions"
    if not banner.of(model):
        return "still says that a version is withdrawn, but the catalog says that none is"
    return "has another notice about withdrawn versions than the catalog"
