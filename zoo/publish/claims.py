"""Whether the repositories that a release goes to are this zoo's, before the first byte is sent.

Another zoo may have repositories of the same names. Where the catalog records one, it must be that one. Where it
records none, what somebody else's release put on the main branch is not replaced. Loose files of other people do not
matter.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from catalog.problems import show
from catalog.release import Model, Repository
from catalog.versions import preference
from zoo.files.filelist import MANIFEST
from zoo.hub import BRANCH, Hub, Refs, Repo, otherrepo
from zoo.hub.located import here
from zoo.hub.otherrepo import Head, Held, OtherRepository
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

    def refuse_recorded(self, kind: str, name: str, repo: Repo) -> None:
        """Raises OtherRepository if the catalog records versions in a repository, and this one is another zoo's.
        RemoteError if the hub does not answer."""
        if self.model and not self.is_recorded_too and (places := self._recorded(kind, name)):
            at = of_hub(self.hub, self.settings)
            otherrepo.refuse(repo, places[0], self.model, self.settings.releases, at)

    def refuse(self, kind: str, name: str, repo: Repo, refs: Refs) -> None:
        """Raises OtherRepository if the main branch, or without a release there that of a staging, holds a release that
        is not this zoo's: neither the catalog nor a release folder of this machine has its manifest. RemoteError if the
        hub does not answer."""
        full, places = f"{self.settings.namespace}/{name}", self._recorded(kind, name)
        if places and not self.is_recorded_too:
            return
        for head in otherrepo.heads(repo, refs):
            if head.held is None or self._is_ours(kind, repo, head.commit, head.held):
                continue
            if any(otherrepo.has_recorded(repo, one) for one in places):
                return
            self._refuse_head(kind, full, head, head.held.version)

    def _refuse_head(self, kind: str, full: str, head: Head, version: str) -> None:
        """Raises OtherRepository, unless the user replaces it and its version allows that."""
        is_out, is_main = bool(self.model and self.model.release(self.version)), head.branch == BRANCH
        ours, theirs = preference(self.version), preference(version) if VERSION.match(version) else None
        # A tag never moves, and the main branch stays at the highest version.
        if theirs is None or theirs < ours or not is_main:
            first = ""
        elif is_out:
            first = f", rename or delete {full} on the hub, then run"
        else:
            first = f", raise the version in the recipe above {show(version)}, then run"
        if self.is_replacing and (not first or (theirs == ours and not is_out)):
            return
        branch = "its main branch" if is_main else f"its branch {head.branch}"
        raise OtherRepository(
            f"{kind} {full} at {of_hub(self.hub, self.settings)} has the release {show(version)} on {branch}, which is "
            "not this zoo's: neither the catalog nor a release folder of this machine has it",
            safe="Nothing was changed there.",
            remedy="If it is yours, get the newest catalog (git pull), or finish the publication on the machine where "
            "it began. Otherwise name another repository under `publish:` in the recipe. To replace what is "
            f"there{first}: {self.replace}",
        )

    def refuse_any(self, names: Names) -> None:
        """Raises OtherRepository if one of the repositories, of the model or of the dataset, is another zoo's."""
        for kind, name in zip(("model", "dataset"), names, strict=True):
            if name:
                repo = self.hub.repo(kind, self.settings.namespace, name)
                self.refuse_recorded(kind, name, repo)
                self.refuse(kind, name, repo, repo.refs())

    def _recorded(self, kind: str, name: str) -> list[Repository]:
        return recorded(self.model, self.hub, self.settings, kind, f"{self.settings.namespace}/{name}")

    def _is_ours(self, kind: str, repo: Repo, head: str, held: Held) -> bool:
        names = (self.name, *(self.model.former_names if self.model else ()))
        ours = otherrepo.ours(self.model, names, self.settings.releases)
        if held.manifest_sha256 in self.manifests or ours.has(head, held):
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
