"""Whether a version of a recipe is published already, by the catalog, and which folder of this machine holds it.

Another machine, or a fresh checkout, has the catalog but no release folder. What the catalog records then decides: the
recipe that a version was released from, and the commits of its tags on the hub.
"""

from __future__ import annotations

import dataclasses
import hashlib

from catalog import access, checks
from catalog.release import Location, Model, Release
from zoo import catalogfile, commandline
from zoo.errors import Damaged, ZooError
from zoo.files.filelist import MANIFEST
from zoo.hub import Hub
from zoo.hub.interface import ABSENT_COMMIT, is_same_commit
from zoo.hub.located import here, hub_of_settings
from zoo.hub.spoken import elsewhere, of_hub
from zoo.plan.prepare import Planned
from zoo.progress import Reporter
from zoo.publish import places
from zoo.publish.places import Way
from zoo.publish.plan import VersionTaken
from zoo.release import ReleaseFolder, find, kept, load
from zoo.release.folder import folders
from zoo.settings import Settings
from zoo.upkeep import correction, restore


def refuse(planned: Planned, settings: Settings) -> None:
    """Check before expensive work: raises VersionTaken if the catalog has this version from a different build.

    Bytes are only compared where this machine has a release folder of the version.
    """
    there = _known(planned, settings)[1]
    if there is None or find(planned.plan, settings) or published(planned, settings):
        return
    name, version = planned.plan.name, planned.plan.version
    if not _is_of(planned, settings):
        why = "from a different recipe"
    elif any(map(load, folders(settings.releases, name, version))):
        why = "with different bytes (other tools, settings or measurements)"
    else:
        return
    raise VersionTaken(
        f"{name} {version} is already released {why}",
        safe="Nothing was changed; published versions never change.",
        remedy=f"Raise the version in {planned.checked.file}, or look at it with: "
        f"{commandline.line(settings, 'show', name)}. If only words of its card are wrong, correct them with: "
        f"{commandline.line(settings, 'card', name)}",
    )


def is_out(planned: Planned, settings: Settings, way: Way) -> bool:
    """Whether nothing is left to publish for a recipe: by the catalog, and while a folder hub still has it. Raises
    VersionTaken if the version is published from another one."""
    refuse(planned, settings)
    known, there = _known(planned, settings)[1], hub_of_settings(settings)
    if known is None:
        return False
    other = elsewhere(known, there, settings)
    if any(restore.is_lost(place, there) for place in known.places() if place.hub == there.name and not other(place)):
        return False
    mirrors = tuple(one for one in known.mirrors or () if not other(one))
    here_ = dataclasses.replace(known, mirrors=mirrors or None)
    return places.is_out(here_, there.name, planned.recipe.publish.access, way)


def released_before(planned: Planned, settings: Settings) -> Location | None:
    """Where the version of a recipe is, if it was released from this recipe but this machine has no release folder of
    it. None if there is something to build or to publish.

    Raises VersionTaken if it is only at another place, Damaged if the hub does not have its tags as recorded, ZooError
    if something is left to do that needs the files.
    """
    known, publish = _known(planned, settings)[1], planned.recipe.publish
    name, version = planned.plan.name, planned.plan.version
    if known is None or not _is_of(planned, settings) or any(map(load, folders(settings.releases, name, version))):
        return None
    hub, at = hub_of_settings(settings), f"{settings.namespace}/"
    dataset = f"{at}{publish.dataset}" if known.location.dataset else None
    build, publish_there = (commandline.of(settings, command, name) for command in ("build", "publish"))
    place = places.Place(
        hub.name, f"{at}{publish.model}", dataset, publish_there, build, here([], hub).has,
        elsewhere(known, hub, settings), at=of_hub(hub, settings),
    )  # fmt: skip
    recorded = places.decide(name, known, known.location.model.manifest_sha256, known, place, Way.PLACE).recorded
    assert recorded
    _refuse_lost(name, version, recorded, hub, settings)
    if publish.access is not None and access.recorded(publish.access) != recorded.access:
        raise ZooError(
            f"{name} {version} is released, and who may read it can only be changed where its release folder is. This "
            "machine has none",
            safe="Nothing was changed.",
            remedy="Run the same command in the zoo that released it",
        )
    return recorded


def _refuse_lost(name: str, version: str, place: Location, hub: Hub, settings: Settings) -> None:
    """Raises Damaged unless the tags of a version are on the recorded commits."""
    for kind, there in (("model", place.model), ("dataset", place.dataset)):
        if there is None:
            continue
        namespace, _, repository = there.name.partition("/")
        tagged = hub.repo(kind, namespace, repository).refs().tags.get(there.tag)
        same = is_same_commit(tagged or "", there.commit)
        if same and hub.repo(kind, namespace, repository).served(there.commit, MANIFEST).absent != ABSENT_COMMIT:
            continue
        at, found = f"of {kind} {there.name} at {hub.name}", f"is on commit {tagged[:12]}" if tagged else "is lost"
        what = f"the commit of tag {there.tag} {at} is lost" if same else f"tag {there.tag} {at} {found}"
        raise Damaged(
            f"{name} {version} is released, but {what}. The "
            f"catalog records commit {there.commit[:12]}, and this machine has no copy of the files",
            safe="Nothing was changed.",
            remedy=f"In the zoo that released it, run: {commandline.line(settings, 'publish', name, '--repair')}",
        )


def say(planned: Planned, report: Reporter, more: str = "") -> None:
    """Report that a published version is not built. more: another fact, after a comma or a semicolon."""
    report.say(
        f"{planned.plan.name} {planned.plan.version} is published, so nothing is built{more}. "
        f"To release with changes, raise the version in {planned.checked.file}"
    )


def copy_of_older_build(planned: Planned, settings: Settings, report: Reporter) -> ReleaseFolder | None:
    """The folder of a published version of this recipe that this program would build in another way, which is said."""
    found = None if find(planned.plan, settings) else published(planned, settings)
    if found is not None:
        say(planned, report, ", even if the program, texts or settings changed")
    return found


def after_build(planned: Planned, built: ReleaseFolder, settings: Settings) -> str:
    """What can be done with a folder that was built."""
    name, version = planned.plan.name, planned.plan.version
    known, where = _known(planned, settings)[1], f"built in {settings.shown(built.folder)}"
    if known is None:
        return f"{where}; publish it with: {commandline.line(settings, 'publish', name)}"
    if kept.is_of(built.folder, known):
        return f"{where}, which is {name} {version} as it is published"
    why = "its files differ" if _is_of(planned, settings) else "its recipe differs"
    return (
        f"{where}. It cannot be published: {name} {version} is published already, and {why}. To publish this build, "
        f"raise the version in {planned.checked.file}, then run: {commandline.line(settings, 'release', name)}"
    )


def published(planned: Planned, settings: Settings) -> ReleaseFolder | None:
    """The release folder of a published version of this very recipe, or of one that corrected its card, whatever built
    it. None if the folder does not hold what the catalog records."""
    there = _known(planned, settings)[1]
    if there and _same_recipe(there, planned):
        return copy_of(there, planned.plan.name, settings)
    return corrected(planned, settings)


def corrected(planned: Planned, settings: Settings) -> ReleaseFolder | None:
    """The release folder of a published version whose card was corrected by this recipe: only words differ, so there is
    nothing to build. None if the folder no longer holds what the catalog records."""
    model, there = _known(planned, settings)
    if model is None or there is None or not _corrects(planned, model, there):
        return None
    return copy_of(there, model.name, settings)


def copy_of(there: Release, name: str, settings: Settings) -> ReleaseFolder | None:
    """The release folder that holds exactly what the catalog records of a version; None if there is none, or if it was
    published in another namespace than that of the settings."""
    if there.location.model.name.partition("/")[0] != settings.namespace:
        return None
    return kept.published(name, there, settings)


def _known(planned: Planned, settings: Settings) -> tuple[Model | None, Release | None]:
    """The model and the version of a recipe as the catalog records them."""
    model = catalogfile.read_model(settings, planned.plan.name)
    return model, model.release(planned.plan.version) if model else None


def _is_of(planned: Planned, settings: Settings) -> bool:
    """Whether the catalog's version was released from this recipe, or its card corrected by it."""
    model, there = _known(planned, settings)
    return bool(model and there and (_same_recipe(there, planned) or _corrects(planned, model, there)))


def _same_recipe(there: Release, planned: Planned) -> bool:
    """Whether a version was released from this recipe, but for how a hub is to keep it."""
    if there.recipe.text == planned.checked.text.decode():
        return True
    released = checks.recorded_recipe(there.recipe.text, there.recipe.file)
    return released is not None and correction.changed(released, planned.recipe) == ((), ())


def _corrects(planned: Planned, model: Model, there: Release) -> bool:
    """Whether the card of a version was corrected by this recipe."""
    recipes = {one.recipe_sha256 for one in model.corrections or () if one.version == there.version}
    return hashlib.sha256(planned.checked.text).hexdigest() in recipes
