"""What the repository keeps of its own releases: everything but the weights, and enough to publish them again."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from pullsamples import LARGE, NAME, Zoo, make_zoo

from catalog import index
from zoo import settings as settings_room
from zoo.files.digests import sha256_file
from zoo.files.listing import FileRecord
from zoo.pull.accounts import read_manifest

REPOSITORY = Path(__file__).parents[2]
MOST_KEPT_BYTES = 3_000_000
"""Of evidence and published files together: git keeps each version of them for ever."""
PAGES_BYTES = 1_000_000_000
"""Of a site on GitHub Pages at most, as its documentation says."""
REST_BYTES = 50_000_000
"""Of the site, for everything but model files: 25 MB are the engine of the page "try", 6 MB were pages and evidence."""


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("recorded", REPOSITORY / "scripts" / "recorded.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["recorded"] = module
    spec.loader.exec_module(module)
    return module


RECORDED = script()


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zoo:
    """A zoo with a release whose small files and evidence are kept, and whose hub is lost."""
    made = make_zoo(tmp_path / "zoo")
    (made.folder / "zoo.toml").write_text("site_files_mb = 100\n")
    evidence = made.folder / "site" / "evidence" / NAME / "1.0.0"
    for path, raw in made.contents.items():
        if path.startswith("evidence/"):
            target = evidence / path.removeprefix("evidence/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(raw)
    monkeypatch.chdir(made.folder)
    assert RECORDED.main(["keep"]) == 0
    shutil.move(made.hub.folder, tmp_path / "lost")
    return made


def weights(zoo: Zoo, folder: Path) -> Path:
    """The model files, named by their digests."""
    folder.mkdir(parents=True)
    for file in zoo.release.files:
        (folder / file.sha256).write_bytes(zoo.contents[file.path])
    return folder


def test_no_weights_are_kept(zoo: Zoo) -> None:
    kept = {path.name for path in (zoo.folder / "published").rglob("*") if path.is_file()}
    assert kept == {"README.md", "recipe.yaml", "MANIFEST.json", "SHA256SUMS", "model.json"}


def test_the_hub_is_the_same_again(zoo: Zoo) -> None:
    folder = weights(zoo, zoo.folder / "weights")
    assert RECORDED.main(["restore", str(folder)]) == 0
    tree = zoo.repo.tree(zoo.commit)
    assert tree == {p: FileRecord(p, len(r), hashlib.sha256(r).hexdigest()) for p, r in zoo.contents.items()}
    assert not zoo.repo.lost(tree.values())
    assert zoo.repo.refs().branches["main"] == zoo.repo.refs().tags["v1.0.0"] == zoo.commit


@pytest.mark.parametrize(("ci", "mark"), [("true", "::warning::"), ("", "warning: ")])
def test_other_bytes_and_files_that_nobody_wants_are_removed(
    ci: str, mark: str, zoo: Zoo, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", ci)
    folder = weights(zoo, zoo.folder / "weights")
    large = next(file for file in zoo.release.files if file.size_bytes == LARGE)
    (folder / large.sha256).write_bytes(b"x" * LARGE)
    (folder / "other").write_bytes(b"x")
    assert RECORDED.main(["restore", str(folder)]) == 1
    assert f"{mark}files of {NAME} are missing: 1 (this machine does not have them)" in capsys.readouterr().err
    assert {path.name for path in folder.iterdir()} == {f.sha256 for f in zoo.release.files if f != large}
    assert [file.path for file in zoo.repo.lost(zoo.repo.tree(zoo.commit).values())] == [large.path]


def test_files_above_the_size_that_the_site_carries_are_not_wanted(zoo: Zoo) -> None:
    (zoo.folder / "zoo.toml").write_text("site_files_mb = 5\n")
    folder = weights(zoo, zoo.folder / "weights")
    assert RECORDED.main(["restore", str(folder)]) == 0
    assert len(list(folder.iterdir())) == len(zoo.release.files) - 1


@pytest.mark.parametrize("releases", ["build/releases", "build/demo/build/releases"])
def test_what_was_built_here_is_taken_if_it_is_the_same(releases: str, zoo: Zoo) -> None:
    built = zoo.folder / releases / NAME / "1.0.0" / "model"
    built.mkdir(parents=True)
    for file in zoo.release.files:
        (built / file.path).write_bytes(zoo.contents[file.path])
    assert RECORDED.main(["restore", "weights", "--make"]) == 0
    assert {path.name for path in Path("weights").iterdir()} == {file.sha256 for file in zoo.release.files}


def test_kept_files_that_changed_are_refused(zoo: Zoo) -> None:
    (zoo.folder / "published" / NAME / "1.0.0" / "model" / "MANIFEST.json").write_text(
        (zoo.folder / "published" / NAME / "1.0.0" / "model" / "MANIFEST.json").read_text() + "\n"
    )
    with pytest.raises(SystemExit, match="restore it from version control"):
        RECORDED.main(["restore", str(weights(zoo, zoo.folder / "weights"))])


def test_a_new_record_begins_empty_and_keeps_the_hub_aside(zoo: Zoo) -> None:
    assert RECORDED.main(["restore", str(weights(zoo, zoo.folder / "weights"))]) == 0
    assert RECORDED.main(["begin"]) == 0
    assert index.parse((zoo.folder / "model_catalog.json").read_text(), "x") == (index.EMPTY, [])
    assert not (zoo.folder / "published").exists() and not (zoo.folder / "site" / "evidence").exists()
    assert not zoo.hub.folder.exists() and (zoo.hub.folder.with_name("hub.1") / "objects").is_dir()


@pytest.mark.parametrize("words", [[], ["restore"], ["x"], ["restore", "a", "--b"]])
def test_other_words_get_the_help(words: list[str], zoo: Zoo, capsys: pytest.CaptureFixture[str]) -> None:
    assert zoo.folder and RECORDED.main(words) == 2
    assert "restore FOLDER --make" in capsys.readouterr().err


# --- The repository itself


def test_everything_that_the_catalog_of_the_repository_names_is_in_git() -> None:
    settings = settings_room.load(REPOSITORY, {}, {})
    catalog, problems = index.parse(settings.catalog.read_text(encoding="utf-8"), "model_catalog.json")
    assert not problems
    for model in catalog.models:
        for release in model.releases:
            for file in release.evidence:
                assert sha256_file(settings.evidence / model.name / release.version / file.path) == file.sha256
    for place in RECORDED.places(settings):
        pin = place.repository.manifest_sha256
        raw = (place.kept / "MANIFEST.json").read_bytes()
        manifest = read_manifest(raw)
        assert manifest and pin == manifest.sha256
        for path, one in manifest.files.items():
            if not path.endswith(RECORDED.WEIGHTS):
                assert sha256_file(place.source(path)) == one.sha256, path
    kept = [path for top in (settings.evidence, REPOSITORY / "published") for path in top.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in kept) < MOST_KEPT_BYTES
    known = subprocess.run(["git", "ls-files", "*.gguf"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert not known.stdout.strip()


def test_the_published_site_stays_below_the_limit_of_its_host() -> None:
    settings = settings_room.load(REPOSITORY, {}, {})
    catalog, _ = index.parse(settings.catalog.read_text(encoding="utf-8"), "model_catalog.json")
    most = settings.site_files_mb * RECORDED.MEGA
    sizes = [file.size_bytes for model in catalog.models for file in model.releases[0].files]
    assert sum(size for size in sizes if size <= most) < PAGES_BYTES - REST_BYTES


def test_the_workflow_publishes_what_the_repository_records() -> None:
    job = yaml.safe_load((REPOSITORY / ".github/workflows/site.yml").read_text(encoding="utf-8"))["jobs"]["build"]
    assert "bash scripts/site.sh" in [step.get("run") for step in job["steps"]]
    lines = (REPOSITORY / "scripts/site.sh").read_text(encoding="utf-8")
    assert "python scripts/recorded.py restore build/weights" in lines and "zoo site build" in lines
    assert lines.index("restore") < lines.index("zoo site build")
    (cache,) = [step["with"] for step in job["steps"] if step.get("uses", "").startswith("actions/cache")]
    assert cache["path"] == "build/weights" and "model_catalog.json" in cache["key"]
