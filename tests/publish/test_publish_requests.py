"""How many requests a publication costs, counted before the server; none is repeated, nothing is sent again."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

from faultserver import FaultServer
from hubserving import LARGE, Start, moves
from publishsamples import make_release, publish

from zoo import settings as settings_room
from zoo.hub import connect
from zoo.publish.line import Owner
from zoo.release import ReleaseFolder

pytest_plugins = ["hubserving"]
pytestmark = pytest.mark.usefixtures("online")
SMALL = {f"evidence/{number}.json": f"{number}" for number in range(10)}


def release_of(zoo: Path, version: str, **changes: str) -> ReleaseFolder:
    """One large file and ten small ones, no dataset."""
    made = make_release(zoo, version, **{"tutor-Q8_0.gguf": "w" * LARGE, **SMALL, **changes})
    return dataclasses.replace(made, dataset_files=())


def test_many_large_files_are_asked_for_at_once(start: Start, tmp_path: Path) -> None:
    (tmp_path / "zoo.toml").touch()
    settings, server = settings_room.load(tmp_path, {}, {}), start()
    files = {f"tutor-{number}.gguf": f"{number}" * LARGE for number in range(5)}
    # One content under two names is sent once.
    release = release_of(tmp_path, "1.0.0", **files, **{"twin.gguf": "1" * LARGE})
    with FaultServer(server.address) as counted:
        publish(release, settings, connect(counted.address, tmp_path))
        said = [f"{e.method} {e.path.partition('?')[0]}" for e in counted.exchanges]
        assert sum("/preupload/" in line for line in said) == sum(line.endswith("/batch") for line in said) == 1, said
        sent = {line for line in said if line.startswith("PUT ")}
        assert len(sent) == 6 and len(said) <= 9 + len(sent), said
        total = sum(file.size_bytes for file in release.model_files if file.path != "twin.gguf")
        assert total < counted.bytes_received() < 1.01 * total + 20_000


def test_requests(start: Start, tmp_path: Path) -> None:
    (tmp_path / "zoo.toml").touch()
    settings, server = settings_room.load(tmp_path, {}, {}), start()
    with FaultServer(server.address) as counted:

        commits: dict[str, str] = {}

        def asked(release: ReleaseFolder) -> list[str]:
            counted.heal()
            # As the catalog knows them, so that nobody needs to ask the hub whose repository it is.
            owner = Owner((release.model.name,), commits)
            place = publish(release, settings, connect(counted.address, tmp_path), owner=owner).location.model
            commits[place.commit] = place.tag.removeprefix("v")
            return [f"{e.method} {e.path.partition('?')[0].rpartition('/')[2][:10]}" for e in counted.exchanges]

        first = release_of(tmp_path, "1.0.0")
        said = asked(first)
        assert len(said) <= 12, said
        total = sum(file.size_bytes for file in first.model_files)
        assert total < counted.bytes_received() < 1.03 * total + 20_000
        again = asked(first)
        # The references, the files, and which large contents the hub lost.
        assert len(again) <= 3 and "POST batch" in again, again
        assert counted.bytes_received() < 1_000
        before = moves(tmp_path)
        edited = asked(release_of(tmp_path, "1.0.1", **{"README.md": "# edited", "recipe.yaml": "1.0.0"}))
        assert len(edited) <= 7, edited
        assert counted.bytes_received() < 0.005 * total  # of a release of one megabyte
        assert len(moves(tmp_path)) == len(before) + 2  # one commit, one tag
