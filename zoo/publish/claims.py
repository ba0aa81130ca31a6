"""Whether the repositories that a release goes to are this zoo's, before the first byte is sent.

Another zoo may have repositories of the same names. Where the catalog records one, it must be that one. Where it
records none, what somebody else's release put on the main branch is not replaced. Loose files of other people do not
matter.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from dataclasses import dataclass

from catalog.problems import show
from catalog.release import Model, Repository
from catalog.versions import preference
from zoo.errors import RemoteError
from zoo.files.filelist import MANIFEST
from zoo.hub import Hub, Repo, otherrepo
from zoo.hub.interface import is_same_commit
from zoo.hub.located import here
from zoo.hub.otherrepo import Held, OtherRepository
from zoo.hub.spoken import of_hub
from zoo.publish import others
from zoo.publish.line import VERSION
from zoo.settings import Settings

RECIPE = "recipe.yaml"
Names = tuple[str, str | None]


@dataclass(frozen=True)
class Claim:
    """What makes a release on a main branch this zoo's own, for a version of the model ``name``.

    model: as the catalog has it. replace: the command that replaces other people's releases; is_replacing: it is the
    one that runs. manifests: digests of the manifests that will be published. recipe_sha256: of a version that is not
    built yet, so that these are not known. is_recorded_too: repositories are looked at even if the catalog records
    them, because the release is to get another place there.
    """

    name: str
    version: str
    model: Model | None
    hub: Hub
    settings: Settings
    replace: str
    is_replacing: bool = False
    manifests: Collection[str] = ()
    recipe_sha256: str = ""
    is_recorded_too: bool = False

    def refuse(self, kind: str, name: str, repo: Repo, head: str | None) -> None:
        """Raises OtherRepository if ``head``, the commit of the main branch, holds a release that is not this zoo's:
        neither the catalog nor a release folder of this machine has its manifest. RemoteError if the hub does not
        answer."""
        full = f"{self.settings.namespace}/{name}"
        places = self._recorded(kind, full)
        if head is None or (places and not self.is_recorded_too):
            return
        held = otherrepo.held(repo, head)
        if held is None or self._is_ours(kind, repo, head, held):
            return
        if any(otherrepo.has(repo, one.commit) for one in places):
            return
        is_out = bool(self.model and self.model.release(self.version))
        ours, theirs = preference(self.version), preference(held.version) if VERSION.match(held.version) else None
        # A tag never moves, and the main branch stays at the highest version.
        if theirs is None or theirs < ours:
            first = ""
        elif is_out:
            first = f", rename or delete {full} on the hub, then run"
        else:
            first = f", raise the version in the recipe above {show(held.version)}, then run"
        if self.is_replacing and (not first or (theirs == ours and not is_out)):
            return
        raise OtherRepository(
            f"{kind} {full} at {of_hub(self.hub, self.settings)} has the release {show(held.version)} on its main "
            "branch, which is not this zoo's: neither the catalog nor a release folder of this machine has it",
            safe="Nothing was changed there.",
            remedy="If it is yours, get the newest catalog (git pull), or finish the publication on the machine where "
            "it began. Otherwise name another repository under `publish:` in the recipe. To replace what is "
            f"there{first}: {self.replace}",
        )

    def _recorded(self, kind: str, full: str) -> list[Repository]:
        return recorded(self.model, self.hub, self.settings, kind, full)

    def _is_ours(self, kind: str, repo: Repo, head: str, held: Held) -> bool:
        known = otherrepo.recorded(self.model) if self.model else []
        if held.manifest_sha256 in {*self.manifests, *(one.manifest_sha256 for one in known)}:
            return True
        if any(is_same_commit(head, one.commit) for one in known):
            return True
        names = (self.name, *(self.model.former_names if self.model else ()))
        if any(held.manifest_sha256 in otherrepo.made(self.settings.releases / one) for one in names):
            return True
        if not self.recipe_sha256 or held.version != self.version:
            return False
        # It may be what this machine would build: another one of this zoo may have been stopped while it published.
        return kind == "dataset" or others.released(repo, head, (MANIFEST,)).get(RECIPE) == self.recipe_sha256


def recorded(model: Model | None, hub: Hub, settings: Settings, kind: str, full: str) -> list[Repository]:
    """The places of a model's versions in a repository of a hub, the version that people should get first."""
    if model is None:
        return []
    known = here(model.releases, hub, settings=settings)
    places = [place for one in model.preferred() for place in one.places() if known.is_named(place, one)]
    there = [place.model if kind == "model" else place.dataset for place in places]
    return [one for one in there if one and one.name == full]


def refuse_other(model: Model | None, hub: Hub, names: Names, settings: Settings) -> None:
    """Raises OtherRepository if another zoo's repository is where the catalog records versions of the model. A hub that
    does not answer is left to the command itself, which reports it."""
    if model is None:
        return
    for kind, name in zip(("model", "dataset"), names, strict=True):
        newest = next(iter(recorded(model, hub, settings, kind, f"{settings.namespace}/{name}")), None)
        with contextlib.suppress(RemoteError, OSError):
            if newest and name:
                repo = hub.repo(kind, settings.namespace, name)
                otherrepo.refuse(repo, newest, model, settings.releases, of_hub(hub, settings))
