"""The watch: nothing is reported for unchanged files, and everything that was changed is found."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from faultserver import Fault, FaultServer
from publishsamples import make_release, publish
from test_yanks import served as served
from test_yanks import settings as settings
from test_yanks import zoo as zoo

from catalog import index, schema
from catalog import watch as reports
from catalog.release import (
    Correction,
    EvidenceFile,
    Location,
    ModelFile,
    RecipeRecord,
    Repository,
    YankEvent,
)
from catalog.watch import Report
from zoo import catalogfile
from zoo import settings as settings_room
from zoo.corpora import datafiles
from zoo.files.listing import FileRecord
from zoo.files.listing import records as file_records
from zoo.hub import FolderHub, FolderRepo, connect
from zoo.progress import Silent, unheard
from zoo.publish import record
from zoo.release import ReleaseFolder
from zoo.settings import Settings
from zoo.upkeep import watch, yank

NAME = "smollm2-135m-instruct"
DAY = "2026-11-24"
GGUF = "tutor-Q8_0.gguf"
DATA = "data/train.jsonl"


def released(zoo: Path, settings: Settings, *versions: str, data_recorded: bool = True) -> None:
    """Versions whose catalog entries match what was published.

    data_recorded: with the digests of the data as evidence, which older releases lack.
    """
    for version in versions:
        made = with_data(make_release(zoo, version, **{GGUF: f"weights of {version}"}), data_recorded)
        files = {file.path: file for file in made.model_files}
        template: ModelFile = made.release.files[0]
        gguf, evidence = files[GGUF], [one for one in made.model_files if one.path.startswith("evidence/")]
        release = dataclasses.replace(
            made.release,
            files=(dataclasses.replace(template, path=GGUF, size_bytes=gguf.size_bytes, sha256=gguf.sha256),),
            evidence=tuple(EvidenceFile(f.path.partition("/")[2], f.size_bytes, f.sha256) for f in evidence),
            recipe=RecipeRecord("tutor.yaml", hashlib.sha256(version.encode()).hexdigest(), version),
        )
        done = publish(made, settings, connect(settings.hub, zoo))
        record.record(dataclasses.replace(made, release=release), done.location, settings)


def with_data(made: ReleaseFolder, recorded: bool) -> ReleaseFolder:
    """The release with data of its own, a manifest over it and, if ``recorded``, its digests as evidence."""
    folder = made.folder / "dataset"
    (folder / DATA).write_text(f"rows of {made.release.version}", encoding="utf-8")
    listed = [vars(file) for file in file_records(folder)]
    data = {"name": NAME, "version": made.release.version, "files": listed}
    (folder / "MANIFEST.json").write_text(json.dumps(data), encoding="utf-8")
    if recorded:
        text = json.dumps(datafiles.listing({DATA: folder / DATA}))
        (made.folder / "model" / "evidence" / datafiles.FILE).write_text(text, encoding="utf-8")
    return dataclasses.replace(
        made, model_files=file_records(made.folder / "model"), dataset_files=file_records(folder)
    )


def look(settings: Settings, ask: Any = None, before: Report | None = None, *, full: bool = False) -> Report:
    catalog = catalogfile.read_catalog(settings.catalog, "x")
    return watch.look(catalog, settings, DAY, before, Silent(), watch.How(ask, full))


def repo_of(zoo: Path, kind: str = "model") -> FolderRepo:
    name = "tutor-gguf" if kind == "model" else "tutor-prompts"
    return FolderHub(zoo / "build" / "hub").repo(kind, "local", name)


def commit(zoo: Path, path: str, content: str | None, kind: str = "model") -> str:
    """Somebody else's commit on the branch: new content, or the file deleted."""
    repo, head = repo_of(zoo, kind), repo_of(zoo, kind).refs().branches["main"]
    if content is None:
        return repo.commit(head, [], [path], "by hand")
    source = zoo / "content"
    source.write_text(content, encoding="utf-8")
    record = FileRecord(path, len(content), hashlib.sha256(content.encode()).hexdigest())
    repo.put(source, record.sha256, unheard)
    return repo.commit(head, [record], [], "by hand")


@pytest.fixture(params=["folder", "http", "http-without-sha256"])
def there(request: pytest.FixtureRequest, zoo: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    if request.param == "folder":
        return settings
    address = request.getfixturevalue("served")
    if request.param == "http-without-sha256":
        # As the Hugging Face Hub answers for small files.
        from zoo.hub.server import files

        whole = files.resolve

        def resolve(store: Any, repo: FolderRepo, revision: str, path: str, asked: Any) -> Any:
            answer = whole(store, repo, revision, path, asked)
            if answer.status == 200 and not path.endswith(".gguf"):
                digest = answer.headers["ETag"].strip('"')
                stored = zoo / "build" / "hub" / "objects" / digest[:2] / digest
                body = stored.read_bytes()
                git = hashlib.sha1(b"blob %d\0%b" % (len(body), body)).hexdigest()
                answer.headers.update({"ETag": f'"{git}"', "X-Linked-ETag": f'"{git}"'})
            return answer

        monkeypatch.setattr(files, "resolve", resolve)
    return settings_room.load(zoo, {"hub": address}, {})


def test_what_stands_as_recorded_is_no_finding(there: Settings, zoo: Path) -> None:
    released(zoo, there, "1.0.0", "1.1.0")
    found = look(there)
    assert found.findings == () and found.unchecked == ()
    # Weights, recipe, two files of evidence, the card and the list of all; the data, the dataset's card and its list. A
    # hub may tell git's digest only of the two cards.
    assert [(one.version, one.files, one.files_equal + one.files_size_only) for one in found.releases] == [
        ("1.1.0", 9, 9),
        ("1.0.0", 9, 9),
    ]
    assert all(one.files_size_only <= 2 for one in found.releases)
    badge = reports.badge(found)
    assert badge.state == "as recorded"
    assert badge.words == "on 2026-11-24, 18 files of 2 releases were served as recorded"
    assert reports.parse(reports.to_text(found), "x") == (found, [])


def test_a_banner_on_the_branch_is_no_drift(there: Settings, zoo: Path) -> None:
    released(zoo, there, "1.0.0", "1.1.0")
    done = yank.yank(NAME, YankEvent("1.0.0", DAY, "yank", "bad", "low", None), settings=there)
    assert done.banner.state == "committed"
    found = look(there)
    assert found.findings == ()
    # The head differs from the newest release's commit now, so its files were asked for too.
    assert found.requests > 12


def test_other_bytes_on_the_branch_are_found(there: Settings, zoo: Path) -> None:
    released(zoo, there, "1.0.0", "1.1.0")
    text = there.catalog.read_bytes()
    commit(zoo, GGUF, "weights of 9.9.9")
    (finding,) = look(there).findings
    assert (finding.kind, finding.path, finding.revision, finding.version) == ("digest", GGUF, "main", "1.1.0")
    assert finding.found == hashlib.sha256(b"weights of 9.9.9").hexdigest()
    assert reports.badge(look(there)).state == "drift"
    commit(zoo, "evidence/gates.json", "{}")
    assert {one.path for one in look(there).findings} == {GGUF, "evidence/gates.json"}
    commit(zoo, GGUF, None)
    assert {one.kind for one in look(there).findings} == {"missing", "digest"}
    assert there.catalog.read_bytes() == text


def test_versions_beside_the_branch_are_no_drift(there: Settings, zoo: Path) -> None:
    released(zoo, there, "1.0.0", "2.0.0", "1.0.1", "2.1.0-rc.1")
    assert look(there).findings == ()


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_a_branch_that_was_turned_back_is_found(kind: str, there: Settings, zoo: Path) -> None:
    released(zoo, there, "1.0.0", "2.0.0")
    repo = repo_of(zoo, kind)
    refs = repo.refs()
    repo.commit(refs.branches["main"], repo.tree(refs.tags["v1.0.0"]).values(), [], "by hand")
    (finding,) = look(there).findings
    assert (finding.kind, finding.version, finding.expected, finding.found) == ("branch", "2.0.0", "2.0.0", "1.0.0")
    assert "holds 1.0.0, but people should get 2.0.0" in finding.what


def test_a_tag_that_moved_or_went_is_found(there: Settings, zoo: Path) -> None:
    released(zoo, there, "1.0.0", "1.1.0")
    tags = repo_of(zoo).folder / "refs" / "tags"
    (tags / "v1.0.0").write_text((tags / "v1.1.0").read_text(encoding="ascii"), encoding="ascii")
    (finding,) = look(there).findings
    assert finding.kind == "tag" and "moved from" in finding.what and finding.version == "1.0.0"
    assert finding.repair and "/v1.0.0" in finding.repair and "then set it again with: zoo publish" in finding.repair
    (tags / "v1.0.0").unlink()
    (finding,) = look(there).findings
    assert "tag v1.0.0 of local/tutor-gguf no longer exists" in finding.what
    # A file that lost its content, as when the power fails.
    (tags / "v1.0.0").write_text("")
    (tags.parent / "heads/main").write_text("")
    found = look(there).findings
    assert sorted(one.kind for one in found) == ["branch", "branch", "tag"], "the branch with each version"
    assert all("no longer exists" in one.what for one in found)


def test_a_commit_that_went_is_found(there: Settings, zoo: Path) -> None:
    released(zoo, there, "1.0.0", "1.1.0")
    oid = repo_of(zoo).refs().tags["v1.0.0"]
    (repo_of(zoo).folder / "commits" / f"{oid}.json").unlink()
    found = look(there).findings
    assert ("commit", "1.0.0") in {(one.kind, one.version) for one in found}, found
    assert all(one.version == "1.0.0" for one in found)


def test_a_repository_that_went_is_found(there: Settings, zoo: Path) -> None:
    released(zoo, there, "1.0.0")
    repo_of(zoo).folder.rename(zoo / "away")
    (finding,) = look(there).findings
    assert finding.kind == "repository" and "no longer exists" in finding.what


def test_an_object_that_was_cut_off_is_found(zoo: Path, settings: Settings) -> None:
    released(zoo, settings, "1.0.0")
    file = repo_of(zoo).tree(repo_of(zoo).refs().branches["main"])[GGUF]
    stored = zoo / "build" / "hub" / "objects" / file.sha256[:2] / file.sha256
    stored.chmod(0o644)
    os.truncate(stored, 3)
    (finding,) = look(settings).findings
    assert finding.kind == "size" and "has 3 bytes, but the record says 16" in finding.what
    stored.unlink()
    (finding,) = look(settings).findings
    assert finding.kind == "missing"


def test_without_a_copy_of_the_evidence_only_sizes_are_compared(there: Settings, zoo: Path) -> None:
    released(zoo, there, "1.0.0")
    (there.evidence / NAME / "1.0.0" / "gates.json").write_text("[1]", encoding="utf-8")  # not the recorded one
    found = look(there)
    assert found.findings == ()
    (one,) = found.releases
    assert one.files_equal + one.files_size_only == 9


@pytest.mark.parametrize("recorded", [True, False])
def test_other_data_is_found(recorded: bool, there: Settings, zoo: Path) -> None:
    released(zoo, there, "1.0.0", "1.1.0", data_recorded=recorded)
    assert look(there).findings == ()
    # What was not recorded is compared by its size where a hub tells git's digest only.
    commit(zoo, DATA, "rows of 9.9.9" if recorded else "rows of nobody", "dataset")
    (finding,) = look(there).findings
    assert (finding.repository, finding.path, finding.revision) == ("local/tutor-prompts", DATA, "main")
    commit(zoo, DATA, "rows of 1.1.0", "dataset")
    assert look(there).findings == ()


def test_data_that_went_is_found(zoo: Path, settings: Settings) -> None:
    released(zoo, settings, "1.0.0", "1.1.0")
    repo = repo_of(zoo, "dataset")
    file = repo.tree(repo.refs().tags["v1.0.0"])[DATA]
    stored = zoo / "build" / "hub" / "objects" / file.sha256[:2] / file.sha256
    stored.unlink()
    (finding,) = look(settings).findings
    assert (finding.kind, finding.path, finding.version) == ("missing", DATA, "1.0.0")


def test_a_manifest_that_was_changed_is_found(there: Settings, zoo: Path) -> None:
    """The data and the manifest of the pinned commit, both from somebody else; the recorded digests do not change."""
    released(zoo, there, "1.0.0")
    before = repo_of(zoo, "dataset").tree(repo_of(zoo, "dataset").refs().tags["v1.0.0"])
    other = "rows of 6.6.6"
    listed = [{"path": DATA, "size_bytes": len(other), "sha256": hashlib.sha256(other.encode()).hexdigest()}]
    commit(zoo, "MANIFEST.json", json.dumps({"files": listed}), "dataset")
    pinned = commit(zoo, DATA, other, "dataset")
    catalog = json.loads(there.catalog.read_text(encoding="utf-8"))
    place = catalog["models"][0]["releases"][0]["location"]["dataset"]
    shown = place["commit"]
    place["commit"] = pinned[: len(shown)]
    there.catalog.write_text(json.dumps(catalog), encoding="utf-8")
    found = [one for one in look(there).findings if one.kind == "digest"]
    assert before and f"lists a different {DATA} from the one recorded" in found[0].what
    assert [one.path for one in found] == [None, DATA], "the data is compared with what was recorded"
    # A zoo without a copy of the evidence takes the hub's, if it is the recorded one.
    (there.evidence / NAME / "1.0.0" / datafiles.FILE).unlink()
    assert [one.what for one in look(there).findings if one.kind == "digest"] == [one.what for one in found]


@pytest.mark.parametrize("content", [None, "{", "[]", '{"files": [{"path": 1}]}'])
def test_a_manifest_that_is_invalid(content: str | None, zoo: Path, settings: Settings) -> None:
    released(zoo, settings, "1.0.0")
    repo = repo_of(zoo, "dataset")
    pinned = commit(zoo, "MANIFEST.json", content, "dataset")
    text = settings.catalog.read_text(encoding="utf-8")
    settings.catalog.write_text(text.replace(repo.refs().tags["v1.0.0"], pinned), encoding="utf-8")
    found = [one for one in look(settings).findings if one.kind == "digest"]
    assert len(found) == 1 and "MANIFEST.json" in found[0].what and found[0].repository == "local/tutor-prompts"


def test_a_hub_that_cannot_be_requested_is_reported_and_no_drift(zoo: Path, settings: Settings) -> None:
    released(zoo, settings, "1.0.0")
    (zoo / "build" / "hub").rename(zoo / "away")
    found = look(settings)
    assert found.findings == () and found.releases == ()
    assert "the folder hub does not exist" in found.unchecked[0].why
    assert reports.badge(found).state == "unchecked"
    (zoo / "zoo.toml").write_text('hub = "http://127.0.0.1:9"\n', encoding="utf-8")
    assert "the folder hub does not exist" in look(settings_room.load(zoo, {}, {})).unchecked[0].why
    (zoo / "build/releases/folder_hubs.json").unlink()
    assert "was published to hub folder" in look(settings_room.load(zoo, {}, {})).unchecked[0].why


def test_what_a_hub_refuses_is_unchecked_and_hides_nothing_else(zoo: Path, settings: Settings, served: str) -> None:
    """The list of a dataset's files, then one file of a branch that has moved on."""
    released(zoo, settings, "1.0.0")
    head = commit(zoo, "evidence/gates.json", "{}")
    with FaultServer(served) as proxy:
        catalog = settings.catalog.read_text(encoding="utf-8")
        settings.catalog.write_text(catalog.replace('"hub": "folder"', f'"hub": "{proxy.address}"'), encoding="utf-8")
        proxy.break_(Fault("answer", status=403), path="datasets/local/tutor-prompts/tree/", times=99)
        found = look(settings)
        proxy.heal()
        proxy.break_(Fault("answer", status=403), path=f"/resolve/{head[:40]}/{GGUF}", times=99)
        other = look(settings)
    told = f"{proxy.address} does not allow reading local/tutor-"
    assert [(one.what, told in one.why) for one in found.unchecked] == [(f"{NAME} 1.0.0", True)]
    assert [(one.repository, one.path) for one in found.findings] == [("local/tutor-gguf", "evidence/gates.json")]
    assert [(one.what, told in one.why) for one in other.unchecked] == [("the branch of local/tutor-gguf", True)]
    assert other.findings == () and other.releases[0].files_equal == 9, "what can be looked at is as recorded"


# --- What people read first, and every byte


def test_a_file_that_no_release_has_is_found(there: Settings, zoo: Path) -> None:
    released(zoo, there, "1.0.0", "1.1.0")
    commit(zoo, "pytorch_model.bin", "a pickle")
    commit(zoo, "data/more.jsonl", "a row", "dataset")
    found = look(there).findings
    assert {(one.kind, one.path, one.repository, one.version) for one in found} == {
        ("foreign", "pytorch_model.bin", "local/tutor-gguf", "1.1.0"),
        ("foreign", "data/more.jsonl", "local/tutor-prompts", "1.1.0"),
    }
    assert schema.problems(reports.Document("x", json.loads(reports.to_text(look(there)))), "watch-v1") == []


def test_a_card_with_other_words_is_found(there: Settings, zoo: Path) -> None:
    released(zoo, there, "1.0.0", "1.1.0")
    commit(zoo, "README.md", "# buy my coin")
    (finding,) = look(there).findings
    assert (finding.kind, finding.path, finding.revision) == ("card", "README.md", "main")
    assert "neither a released card nor a recorded correction" in finding.what
    text = "# corrected"
    entry = Correction("1.1.0", DAY, "a word", (), "0" * 64, hashlib.sha256(text.encode()).hexdigest(), "x")
    catalog = catalogfile.read_catalog(there.catalog, "x")
    model = dataclasses.replace(catalog.models[0], corrections=(entry,))
    there.catalog.write_text(index.to_text(dataclasses.replace(catalog, models=(model,))), encoding="utf-8")
    assert [one.kind for one in look(there).findings] == ["card"]
    commit(zoo, "README.md", text)
    assert look(there).findings == ()
    commit(zoo, "README.md", None)
    assert [(one.kind, one.path) for one in look(there).findings] == [("missing", "README.md")]


def test_a_notice_that_somebody_else_wrote_is_found(there: Settings, zoo: Path) -> None:
    released(zoo, there, "1.0.0", "1.1.0")
    done = yank.yank(NAME, YankEvent("1.0.0", DAY, "yank", "bad", "low", None), settings=there)
    assert done.banner.state == "committed" and look(there).findings == ()
    repo = repo_of(zoo)
    card = yank.read_card(repo, repo.refs().branches["main"])
    commit(zoo, "README.md", card.replace("bad", "excellent, go on"))
    (finding,) = look(there).findings
    assert finding.kind == "card" and "another notice about withdrawn versions" in finding.what


def test_a_list_that_is_not_the_published_one_is_found(there: Settings, zoo: Path) -> None:
    released(zoo, there, "1.0.0")
    text = there.catalog.read_text(encoding="utf-8")
    pin = json.loads(text)["models"][0]["releases"][0]["location"]["model"]["manifest_sha256"]
    there.catalog.write_text(text.replace(pin, "9" * 64), encoding="utf-8")
    (finding,) = look(there).findings
    assert finding.kind == "digest" and "MANIFEST.json" in finding.what and "not the one that was" in finding.what


def test_an_older_record_without_the_lists_digest_is_watched_as_before(there: Settings, zoo: Path) -> None:
    released(zoo, there, "1.0.0", "1.1.0")
    catalog = json.loads(there.catalog.read_text(encoding="utf-8"))
    for release in catalog["models"][0]["releases"]:
        for place in ("model", "dataset"):
            del release["location"][place]["manifest_sha256"]
    there.catalog.write_text(json.dumps(catalog), encoding="utf-8")
    found = look(there)
    assert found.findings == () and found.unchecked == ()
    commit(zoo, "x.bin", "theirs")
    assert [one.kind for one in look(there).findings] == ["foreign"]


def test_the_branch_of_a_mirror_is_looked_at(zoo: Path, settings: Settings, served: str) -> None:
    released(zoo, settings, "1.0.0", "1.1.0")
    other = zoo / "build" / "hub" / "repos" / "model" / "other"
    other.mkdir()
    shutil.copytree(repo_of(zoo).folder, other / "copy")
    tags = connect(served, zoo).repo("model", "other", "copy").refs().tags
    catalog = catalogfile.read_catalog(settings.catalog, "x")
    mirrored = tuple(
        dataclasses.replace(
            one, mirrors=(Location(served, Repository("other/copy", tags[f"v{one.version}"], f"v{one.version}"), None),)
        )
        for one in catalog.models[0].releases
    )
    model = dataclasses.replace(catalog.models[0], releases=mirrored)
    settings.catalog.write_text(index.to_text(dataclasses.replace(catalog, models=(model,))), encoding="utf-8")
    assert look(settings).findings == () and look(settings).unchecked == ()
    commit(zoo, "x.bin", "theirs")  # in the first place
    shutil.rmtree(other / "copy")
    shutil.copytree(repo_of(zoo).folder, other / "copy")
    assert {(one.kind, one.repository, one.what.partition("(")[2]) for one in look(settings).findings} == {
        ("foreign", "local/tutor-gguf", ""), ("foreign", "other/copy", f"mirror on {served})"),
    }  # fmt: skip


@pytest.mark.parametrize("path", [GGUF, "README.md"])
def test_a_flipped_byte_is_found_by_reading_everything(path: str, zoo: Path, settings: Settings) -> None:
    released(zoo, settings, "1.0.0")
    assert look(settings, full=True).findings == ()
    file = repo_of(zoo).tree(repo_of(zoo).refs().branches["main"])[path]
    stored = zoo / "build" / "hub" / "objects" / file.sha256[:2] / file.sha256
    stored.chmod(0o644)
    raw = stored.read_bytes()
    stored.write_bytes(bytes([raw[0] ^ 1]) + raw[1:])
    if path == GGUF:
        assert look(settings).findings == ()  # the folder hub's lists say what they always said
    found = look(settings, full=True)
    assert ("digest", path) in {(one.kind, one.path) for one in found.findings}
    assert found.releases[0].files_equal == 8


def stored(zoo: Path, path: str) -> Path:
    sha256 = repo_of(zoo).tree(repo_of(zoo).refs().tags["v1.0.0"])[path].sha256
    return zoo / "build" / "hub" / "objects" / sha256[:2] / sha256


def test_lost_and_flipped_contents_are_both_drift(there: Settings, zoo: Path) -> None:
    released(zoo, there, "1.0.0")
    stored(zoo, GGUF).unlink()
    found = look(there, full=True)
    (lost,) = found.findings
    assert lost.path == GGUF and "the hub has lost its content" in lost.what and "--repair" in str(lost.repair)
    assert not found.unchecked
    flipped = stored(zoo, "recipe.yaml")
    flipped.chmod(0o644)
    flipped.write_bytes(b"2" + flipped.read_bytes()[1:])
    found = look(there, full=True)
    assert {one.path for one in found.findings} == {GGUF, "recipe.yaml"} and not found.unchecked
    assert all("--repair" in str(one.repair) for one in found.findings)


def test_a_lost_list_does_not_hide_other_damage(there: Settings, zoo: Path) -> None:
    released(zoo, there, "1.0.0")
    stored(zoo, "MANIFEST.json").unlink()
    stored(zoo, GGUF).unlink()
    words = [one.what for one in look(there).findings if one.repository == "local/tutor-gguf"]
    assert len(words) == 2 and "MANIFEST.json" in words[0] and GGUF in words[1], words


def test_a_version_that_only_the_hub_knows(there: Settings, zoo: Path) -> None:
    """Another machine published it, and the catalog comes by a pull request."""
    released(zoo, there, "1.0.0")
    catalog = there.catalog.read_bytes()
    released(zoo, there, "1.1.0")
    there.catalog.write_bytes(catalog)
    found = look(there)
    assert {(one.kind, one.revision, one.path) for one in found.findings} == {("tag", "v1.1.0", None)}
    one = found.findings[0]
    assert "has v1.1.0 (tag), which this catalog does not know" in one.what
    assert str(one.repair).startswith("Get the newest catalog, for example with: git pull")
