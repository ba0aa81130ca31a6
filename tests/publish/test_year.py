"""A year of versions as a maintainer lives it: a rehearsal, candidates, a backport, a yank, a move, a mirror.

After every step the catalog is valid, each version has one commit and one tag at each of its places, the main branch
holds the highest stable version, and what people get without naming a version is that version or, if it is withdrawn,
the next.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

pytest.importorskip("huggingface_hub")

from hubserving import Start
from publishsamples import NAMES, complete_release, settings, through_flow, write_record, zoo

from catalog import index
from catalog.release import Correction, Release
from zoo import catalogfile
from zoo import settings as settings_room
from zoo.__main__ import main
from zoo.files.whole import write_atomic
from zoo.hub import FolderHub
from zoo.hub.located import hub_of_settings
from zoo.hub.server import HubServer
from zoo.publish.places import Way
from zoo.publish.plan import VersionTaken
from zoo.release import ReleaseFolder
from zoo.settings import Settings
from zoo.upkeep import banner, restore, yank

FIXTURES = (settings, zoo)
pytest_plugins = ["hubserving"]
pytestmark = pytest.mark.usefixtures("online")
NAME = "smollm2-135m-instruct"
QUANT = "Q4_0"


@dataclass
class Year:
    """The zoo, where it publishes now (a folder or an address), and the folder behind every hub so far."""

    root: Path
    hub: str
    behind: Path
    say: Callable[..., tuple[int, str, str]]
    versions: dict[str, ReleaseFolder] = field(default_factory=dict)

    def settings(self, hub: str) -> Settings:
        return settings_room.load(self.root, {"hub": hub}, {})

    def publish(self, version: str, hub: str = "", way: Way = Way.PLACE) -> bool:
        """Publish a version, new or not; whether it was already there."""
        release = self.versions.setdefault(version, complete_release(self.root, version))
        write_record(release, release.folder)
        return through_flow(release, self.settings(hub or self.hub), way).already

    def correct(self, version: str, words: str, hub: str) -> None:
        """Record other words for the card of a version, as ``zoo card --publish`` does, and commit them."""
        card = f"---\nlicense: mit\n---\n{words}\n\n# {version}\n"
        sha256 = hashlib.sha256(card.encode()).hexdigest()
        reason, evidence = "A word was wrong.", "corrections/x.md"
        entry = Correction(version, "2026-10-01", reason, ("summary",), "0" * 64, sha256, evidence)
        settings = self.settings(hub)
        write_atomic(settings.evidence / NAME / version / entry.evidence, card)
        model = restore.model_of(NAME, settings)
        catalogfile.change_model(settings, NAME, lambda one: index.with_correction(one, model, entry))
        now, release = restore.model_of(NAME, settings), self.recorded(version)
        assert yank.card_at(now, release, hub_of_settings(settings), settings).state == "committed"

    def recorded(self, version: str) -> Release:
        catalog, problems = index.parse((self.root / "model_catalog.json").read_text(encoding="utf-8"), "x")
        found = catalog.release(NAME, version)
        assert not problems and found
        return found

    def ask(self, *words: str) -> tuple[int, dict[str, object]]:
        """The exit code of a command and its answer."""
        code, out, err = self.say(*words, "--json")
        return code, json.loads(out) if out else {"error": err}

    def pulled(self, *words: str) -> str:
        """The version that somebody gets, who says no more than this; every byte of it is compared."""
        shutil.rmtree(self.root / "got", ignore_errors=True)
        code, answer = self.ask("pull", f"{NAME}:{QUANT}", "--to", "got", *words)
        assert code == 0, answer
        version = str(answer["version"])
        file = next(file for file in self.recorded(version).files if file.type == QUANT)
        ours = self.versions[version].folder / "model" / file.path
        assert (self.root / "got" / file.path).read_bytes() == ours.read_bytes()
        assert self.ask("verify", "got/")[0] == 0
        return version

    def check(self, main_version: str, people_get: str, behind: Path | None = None) -> None:
        """What holds after every step."""
        hub = FolderHub(behind or self.behind)
        for kind, name in zip(("model", "dataset"), NAMES, strict=True):
            repo = hub.repo(kind, "local", name)
            refs = repo.refs()
            assert set(refs.branches) == {"main"}
            there = {version for version in self.versions if f"v{version}" in refs.tags}
            assert set(refs.tags) == {f"v{version}" for version in there}
            for version in there:
                release = self.versions[version]
                files = release.model_files if kind == "model" else release.dataset_files
                assert repo.tree(refs.tags[f"v{version}"]) == {file.path: file for file in files}
            main_release = self.versions[main_version]
            files = main_release.model_files if kind == "model" else main_release.dataset_files
            now = repo.tree(refs.branches["main"])
            assert set(now) == {file.path for file in files}
            assert [path for path in now if path != "README.md" and now[path] not in files] == []
        assert banner.take_off(self.card(hub)).endswith(f"# {main_version}\n")
        assert self.pulled() == people_get
        assert self.ask("pick", NAME, "--device", "pi-5-8gb")[1]["version"] == people_get

    def card(self, hub: FolderHub | None = None) -> str:
        repo = (hub or FolderHub(self.behind)).repo("model", "local", NAMES[0])
        with repo.open(repo.refs().branches["main"], "README.md") as stream:
            return stream.read().decode()


@pytest.fixture(params=["folder", pytest.param("http", marks=pytest.mark.long)])
def year(
    request: pytest.FixtureRequest,
    zoo: Path,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Year:
    monkeypatch.chdir(zoo)
    behind = zoo / "build" / "hub" if request.param == "folder" else zoo / "first"
    hub = "build/hub" if request.param == "folder" else start(folder=behind).address

    def say(*words: str) -> tuple[int, str, str]:
        code = main(list(words))
        told = capsys.readouterr()
        return code, told.out, told.err

    return Year(zoo, hub, behind, say)


def test_a_year_of_versions(year: Year, start: Start) -> None:
    # January: the first version. People get it.
    assert not year.publish("1.0.0")
    year.check("1.0.0", "1.0.0")

    # March: a release candidate. Only those who ask for it get it.
    assert not year.publish("1.1.0-rc.1")
    year.check("1.0.0", "1.0.0")
    assert year.pulled("--pre") == "1.1.0-rc.1"

    # April: the version itself.
    assert not year.publish("1.1.0")
    year.check("1.1.0", "1.1.0")
    assert year.pulled("--pre") == "1.1.0"

    # May: a fix of the old line.
    assert not year.publish("1.0.1")
    year.check("1.1.0", "1.1.0")
    assert year.ask("pull", f"{NAME}@1.0.1:{QUANT}", "--to", "old")[0] == 0

    # June: 1.1.0 turns out to be wrong. Who has it is told, and nobody gets it any more.
    assert year.ask("pull", f"{NAME}@1.1.0:{QUANT}", "--to", "wrong")[0] == 0
    words = ("--reason", "It loses its end marker.", "--replacement", f"{NAME}@1.0.1", "--severity", "high")
    code, answer = year.ask("yank", f"{NAME}@1.1.0", *words)
    assert code == 0 and answer["changed"], answer
    year.check("1.1.0", "1.0.1")
    assert "Version 1.1.0 was withdrawn" in year.card()
    assert year.ask("pull", f"{NAME}@1.1.0:{QUANT}", "--to", "wrong")[0] == 3
    for told in (("verify", "wrong/"), ("catalog",), ("show", f"{NAME}@1.1.0")):
        assert "WITHDRAWN" in year.say(*told)[1], told

    # July: a candidate of the next version does not take the notice off the card, and is nothing for the others.
    assert not year.publish("1.2.0-rc.1")
    year.check("1.1.0", "1.0.1")
    assert "Version 1.1.0 was withdrawn" in year.card()

    # August: the fault was in one reader.
    assert year.ask("unyank", f"{NAME}@1.1.0", "--reason", "The fault was in one reader.")[0] == 0
    year.check("1.1.0", "1.1.0")
    assert "withdrawn" not in year.card()
    code, found = year.ask("watch", "--no-upstream")
    assert code == 0, found

    # September: the zoo moves to another hub, version by version; each is refused there until it is said.
    public = start(folder=year.root / "public")
    before = {version: year.recorded(version) for version in year.versions}
    for version in before:
        with pytest.raises(VersionTaken, match="already published at another place"):
            year.publish(version, public.address)
        assert not year.publish(version, public.address, Way.MOVE)
        assert year.recorded(version).location.hub == public.address
        assert year.publish(version, public.address)
    shutil.rmtree(year.behind)
    year.hub, year.behind = public.address, year.root / "public"
    year.check("1.1.0", "1.1.0")
    for version, release in before.items():
        assert dataclasses.replace(year.recorded(version), location=release.location) == release

    # A word on the page was wrong.
    year.correct("1.1.0", "Corrected words.", public.address)
    assert "Corrected words." in year.card()
    year.check("1.1.0", "1.1.0")

    # October: a mirror, which has the corrected page. Nobody notices it until the hub is away.
    mirror = start(folder=year.root / "mirror")
    for version in ("1.0.1", "1.1.0"):
        assert not year.publish(version, mirror.address, Way.MIRROR)
        assert year.publish(version, mirror.address)
    year.check("1.1.0", "1.1.0")
    year.check("1.1.0", "1.1.0", year.root / "mirror")
    assert "Corrected words." in year.card(FolderHub(year.root / "mirror"))
    # What was never at the mirror is no difference there.
    code, found = year.ask("watch", "--no-upstream", "--hub", mirror.address)
    assert code == 0 and len(cast("list[object]", found["releases"])) == 2, found
    code, found = year.ask("verify", NAME, "--on-hub", "--full")
    assert code == 0, found
    code, found = year.ask("watch", "--no-upstream")
    assert code == 0, found

    # November: the notice reaches the mirror, too; and a tag that is gone there is found and set again.
    assert year.ask("yank", f"{NAME}@1.0.1", "--reason", "Superseded.", "--severity", "low")[0] == 0
    for behind in (year.behind, year.root / "mirror"):
        assert "Version 1.0.1 was withdrawn" in year.card(FolderHub(behind))
    tag = FolderHub(year.root / "mirror").repo("model", "local", NAMES[0]).folder / "refs" / "tags" / "v1.0.1"
    tag.unlink()
    code, found = year.ask("watch", "--no-upstream")
    assert code == 3 and f"(mirror on {mirror.address})" in str(found["findings"])
    year.publish("1.0.1", mirror.address)
    assert year.ask("watch", "--no-upstream")[0] == 0 and tag.is_file()

    # Somebody deletes every repository of the public hub. The same files come back, with the page as it was.
    card = year.card()
    shutil.rmtree(year.root / "public" / "repos")
    code, found = year.ask("watch", "--no-upstream")
    assert code == 3 and "zoo publish" in str(found["findings"]) and "--repair" in str(found["findings"])
    code, found = year.ask("publish", NAME, "--repair", "--hub", public.address)
    assert code == 1 and "--repair --move" in str(found)
    code, found = year.ask("publish", NAME, "--repair", "--move", "--hub", public.address)
    assert code == 0, found
    assert year.card() == card and "Corrected words." in card and "Version 1.0.1 was withdrawn" in card
    year.check("1.1.0", "1.1.0")
    code, found = year.ask("watch", "--no-upstream")
    assert code == 0, found
    stop(public)
    assert year.pulled() == "1.1.0"
    code, out, err = year.say("pull", f"{NAME}@1.0.0:{QUANT}", "--to", "never")
    assert code == 1 and "cannot be reached" in err, out

    # December: the same commands once more change nothing.
    text = (year.root / "model_catalog.json").read_bytes()
    moves = {path: path.read_bytes() for path in year.root.rglob("refs.log")}
    for version in ("1.0.1", "1.1.0"):
        assert year.publish(version, mirror.address)
    assert (year.root / "model_catalog.json").read_bytes() == text
    assert {path: path.read_bytes() for path in year.root.rglob("refs.log")} == moves


def stop(server: HubServer) -> None:
    server.shutdown()
    server.server_close()
