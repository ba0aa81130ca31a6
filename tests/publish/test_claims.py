"""Where the catalog records nothing yet, no release of another zoo is replaced. Ours, or loose files, do not matter."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

pytest.importorskip("huggingface_hub")

from hubserving import Start
from publishsamples import NAMES, complete_release, put_by_hand, through_flow, zoo

from zoo import flow
from zoo import settings as settings_room
from zoo.errors import ZooError
from zoo.hub import BRANCH, FolderHub
from zoo.hub.otherrepo import OtherRepository
from zoo.plan.prepare import Planned
from zoo.progress import Silent
from zoo.publish.asked import Asked
from zoo.publish.places import Way
from zoo.release import ReleaseFolder
from zoo.settings import Settings

FIXTURES = (zoo,)
pytest_plugins = ["hubserving"]
pytestmark = pytest.mark.usefixtures("online")
MODEL = "smollm2-135m-instruct"
REPOSITORIES = (("model", NAMES[0]), ("dataset", NAMES[1]))


@pytest.fixture(params=["folder", "http"])
def place(request: pytest.FixtureRequest, tmp_path: Path, start: Start) -> tuple[str, Path]:
    """A hub as the setting ``hub`` names it, and its folder."""
    folder = tmp_path / "place"
    return (start(folder=folder).address if request.param == "http" else "place"), folder


def at(zoo: Path, hub: str) -> Settings:
    return settings_room.load(zoo, {"hub": hub}, {})


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hubs of another zoo with the same repositories, by the version that they have."""
    made = tmp_path_factory.mktemp("others")
    (made / "zoo.toml").touch()
    for version in ("0.9.0", "1.0.0", "2.0.0"):
        there = settings_room.load(made, {"hub": version, "catalog": f"{version}.json"}, {})
        through_flow(complete_release(made, version, "Words of another zoo."), there)
    return made


def state(folder: Path) -> dict[str, bytes]:
    """Every file of a hub but its locks."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


def asked(release: ReleaseFolder, settings: Settings, asked: Asked) -> None:
    names = SimpleNamespace(model=NAMES[0], dataset=NAMES[1], access=None)
    planned = cast("Planned", SimpleNamespace(recipe=SimpleNamespace(publish=names)))
    flow.publish(planned, release, settings, Silent(), asked)


@pytest.mark.parametrize(
    ("place", "way", "version"),
    [
        *(("folder", Way.PLACE, version) for version in ("0.9.0", "1.0.0", "2.0.0")),
        *(("folder", way, "0.9.0") for way in (Way.MIRROR, Way.MOVE)),
        *(("http", way, "1.0.0") for way in Way),
    ],
    indirect=["place"],
)
def test_another_zoos_main_branch_is_not_replaced(
    way: Way, version: str, place: tuple[str, Path], zoo: Path, others: Path, start: Start
) -> None:
    hub, folder = place
    shutil.copytree(others / version, folder, dirs_exist_ok=True)
    release, before = complete_release(zoo), state(folder)
    if way is not Way.PLACE:
        through_flow(release, at(zoo, start(folder=zoo / "first").address))
    with pytest.raises(OtherRepository) as told:
        through_flow(release, at(zoo, hub), way)
    said = str(told.value)
    assert f'at {hub} has the release "{version}" on its main branch, which is not this' in said, said
    assert "name another repository under `publish:`" in said and state(folder) == before
    word = "" if way is Way.PLACE else f" --{way.value}"
    first = "" if version == "0.9.0" else f', raise the version in the recipe above "{version}", then run'
    if version == "1.0.0" and way is not Way.PLACE:
        first = ", rename or delete local/tutor-gguf on the hub, then run"
    assert f"To replace what is there{first}: zoo publish {MODEL} --delete-others{word} --hub {hub}" in said, said
    with pytest.raises(OtherRepository):
        asked(release, at(zoo, hub), Asked(way=way, stage=way is Way.PLACE))
    assert state(folder) == before


def test_it_is_replaced_if_that_is_asked(place: tuple[str, Path], zoo: Path, others: Path) -> None:
    hub, folder = place
    shutil.copytree(others / "0.9.0", folder, dirs_exist_ok=True)
    release = complete_release(zoo)
    asked(release, at(zoo, hub), Asked(delete_others=True))
    for kind, name in REPOSITORIES:
        repo = FolderHub(folder).repo(kind, "local", name)
        assert set(repo.refs().tags) == {"v0.9.0", "v1.0.0"}
        assert repo.refs().branches[BRANCH] == repo.refs().tags["v1.0.0"]
    through_flow(complete_release(zoo, "1.1.0"), at(zoo, hub))


def test_a_higher_version_of_another_zoo_is_not_replaced_even_so(
    place: tuple[str, Path], zoo: Path, others: Path
) -> None:
    """Main would stay at it."""
    hub, folder = place
    shutil.copytree(others / "2.0.0", folder, dirs_exist_ok=True)
    before = state(folder)
    with pytest.raises(OtherRepository, match=r"above .2\.0\.0., then run"):
        asked(complete_release(zoo), at(zoo, hub), Asked(delete_others=True))
    assert state(folder) == before


@pytest.mark.parametrize(
    "files",
    [
        {},
        {".gitattributes": "*.gguf filter=lfs\n", "README.md": "---\nlicense: mit\n---\n"},
        {"images/logo.png": "a picture", "MANIFEST.json": '{"manifest_version": 3}'},
    ],
    ids=["empty", "as the Hub makes it", "loose files"],
)
def test_what_no_release_put_there_is_no_obstacle(
    files: dict[str, str], place: tuple[str, Path], zoo: Path
) -> None:
    hub, folder = place
    put_by_hand(folder, REPOSITORIES, **files)
    through_flow(complete_release(zoo), at(zoo, hub))
    for kind, name in REPOSITORIES:
        repo = FolderHub(folder).repo(kind, "local", name)
        there = set(repo.tree(repo.refs().tags["v1.0.0"]))
        assert {"README.md", *files} - {"README.md"} <= there


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("step", "again"), [("free", "here"), ("tag", "in a fresh clone")])
def test_our_own_first_publication_that_was_killed_is_finished(
    step: str, again: str, place: tuple[str, Path], zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, folder = place
    with monkeypatch.context() as stopped, pytest.raises(KeyboardInterrupt):
        stopped.setattr(f"zoo.publish.steps.{step}", interrupt)
        through_flow(complete_release(zoo), at(zoo, hub))
    if again == "in a fresh clone":
        shutil.rmtree(zoo / "build")
        flow.refuse_other_owner(planned("1.0.0"), at(zoo, hub), Silent())
    through_flow(complete_release(zoo), at(zoo, hub))
    assert set(FolderHub(folder).repo("model", "local", NAMES[0]).refs().tags) == {"v1.0.0"}


def planned(version: str, text: str = "") -> Planned:
    names = SimpleNamespace(model=NAMES[0], dataset=NAMES[1])
    checked = SimpleNamespace(text=(text or version).encode())
    plan = SimpleNamespace(name=MODEL, version=version)
    return cast("Planned", SimpleNamespace(recipe=SimpleNamespace(publish=names), plan=plan, checked=checked))


def looks_before(planned: Planned, settings: Settings) -> None:
    flow.refuse_other_owner(planned, settings, Silent())


@pytest.mark.parametrize("look", [looks_before, flow.unstage])
def test_it_is_looked_at_before_the_first_step(
    look: Callable[[Planned, Settings], None], place: tuple[str, Path], zoo: Path, others: Path
) -> None:
    hub, folder = place
    shutil.copytree(others / "1.0.0", folder, dirs_exist_ok=True)
    before = state(folder)
    for other in (planned("1.0.0", "another recipe"), planned("1.1.0")):
        with pytest.raises(ZooError, match="which is not this zoo's") as told:
            look(other, at(zoo, hub))
        assert f"zoo build {MODEL} --hub {hub} && zoo publish {MODEL} --delete-others --hub {hub}" in str(told.value)
    assert state(folder) == before


def test_the_recorded_place_is_looked_at_before_the_first_step(
    place: tuple[str, Path], zoo: Path, others: Path
) -> None:
    hub, folder = place
    through_flow(complete_release(zoo), at(zoo, hub))
    looks_before(planned("1.1.0"), at(zoo, hub))
    shutil.rmtree(folder)
    shutil.copytree(others / "0.9.0", folder, dirs_exist_ok=True)
    with pytest.raises(ZooError, match=f"local/tutor-gguf at {hub} is not the recorded repository"):
        looks_before(planned("1.1.0"), at(zoo, hub))
