"""A damaged list of a repository is one problem of its own: what the catalog knows without it is still compared."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from publishsamples import complete_release, serving, settings, through_flow, zoo

from catalog.release import EvidenceFile
from zoo import settings as settings_room
from zoo.__main__ import main
from zoo.corpora import datafiles
from zoo.files.digests import pretty_json
from zoo.files.listing import records
from zoo.hub import FolderHub
from zoo.settings import Settings

FIXTURES = (settings, zoo)
NAME, DATA = "smollm2-135m-instruct", "data/train.jsonl"


def _flip(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"#" + path.read_bytes()[1:])


DAMAGE: dict[str, Callable[[Path], None]] = {"lost": Path.unlink, "flipped": _flip}


@pytest.fixture(params=["folder", "http"])
def there(request: pytest.FixtureRequest, zoo: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the hub of a release with data, whose digests are evidence."""
    with serving(zoo, monkeypatch) if request.param == "http" else contextlib.nullcontext("build/hub") as address:
        release = complete_release(zoo)
        folder = release.folder
        listed = datafiles.listing({one.path: folder / "dataset" / one.path for one in records(folder / "dataset")})
        (folder / "model/evidence" / datafiles.FILE).write_text(json.dumps(listed), encoding="utf-8")
        files = [one for one in records(folder / "model") if one.path not in ("MANIFEST.json", "SHA256SUMS")]
        manifest = {"name": NAME, "version": "1.0.0", "files": [vars(one) for one in files]}
        (folder / "model/MANIFEST.json").write_text(pretty_json(manifest), encoding="utf-8")
        sums = "".join(f"{one.sha256}  {one.path}\n" for one in files)
        (folder / "model/SHA256SUMS").write_text(sums, encoding="utf-8")
        data = next(one for one in files if one.path == f"evidence/{datafiles.FILE}")
        evidence = (*release.release.evidence, EvidenceFile(datafiles.FILE, data.size_bytes, data.sha256))
        entry = dataclasses.replace(release.release, evidence=evidence)
        made = dataclasses.replace(release, release=entry, model_files=records(folder / "model"))
        through_flow(made, settings_room.load(zoo, {"hub": address}, {}))
        (zoo / "zoo.toml").write_text(f'hub = "{address}"\n', encoding="utf-8")
        monkeypatch.chdir(zoo)
        yield address


def stored(zoo: Path, kind: str, path: str) -> Path:
    name = "tutor-gguf" if kind == "model" else "tutor-prompts"
    repo = FolderHub(zoo / "build/hub").repo(kind, "local", name)
    sha256 = repo.tree(repo.refs().tags["v1.0.0"])[path].sha256
    return zoo / "build/hub/objects" / sha256[:2] / sha256


@pytest.mark.parametrize("how", sorted(DAMAGE))
@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_a_damaged_list_hides_nothing(
    kind: str, how: str, there: str, zoo: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    del there, settings
    commands = (["watch", "--no-upstream", "--full"], ["verify", NAME, "--on-hub", "--full"])
    for command in commands:
        assert main(command) == 0, capsys.readouterr()
    other = DATA if kind == "dataset" else "recipe.yaml"
    capsys.readouterr()
    DAMAGE[how](stored(zoo, kind, "MANIFEST.json"))
    for command in commands:
        assert main(command) == 3
        told = capsys.readouterr().out
        assert "MANIFEST.json" in told and other not in told, told
    stored(zoo, kind, other).unlink()
    stored(zoo, kind, "SHA256SUMS").unlink()
    for command in commands:
        assert main(command) == 3
        told = capsys.readouterr().out
        assert "MANIFEST.json" in told and other in told, told
        assert "SHA256SUMS" in told or command[0] == "watch", told
