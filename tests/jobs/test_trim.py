"""The bound of a node's folder: the oldest goes first, nothing that a running step uses, and nothing by half."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import smalldisk

from zoo.errors import InputError, ZooError
from zoo.jobs import raytask, trim
from zoo.jobs.depot import Depot
from zoo.machine import resources
from zoo.plan.costs import RESERVE_BYTES

MB = 10**6
KEYS = [f"{number:064x}" for number in range(4)]
HUB = f"hub/them--model/{'c' * 40}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a node that may keep 1 GB."""
    monkeypatch.setenv(trim.VARIABLE, "1")
    return tmp_path / "node"


@pytest.fixture
def node(folder: Path) -> Iterator[Depot]:
    """A place on it, for a step that uses nothing of the others."""
    with ExitStack() as held:
        held.callback((made := Depot(folder)).leave)
        made.hold([], [], [])
        yield made


def put(folder: Path, path: str, size_bytes: int, hours: float) -> Path:
    """A file without content, and how long ago it was used last."""
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
    os.truncate(place, size_bytes)
    for one in (place, place.parent):
        os.utime(one, (then := time.time() - hours * 3600, then))
    return place


def steps(folder: Path, size_bytes: int) -> None:
    """The first one was used last longest ago."""
    for number, key in enumerate(KEYS):
        put(folder, f"work/{key}/model", size_bytes, 10 - number)
        put(folder, f"work/checked/{key}.json", 10, 10 - number)


def left(folder: Path) -> list[int]:
    return [number for number, key in enumerate(KEYS) if (folder / "work" / key / "model").exists()]


def test_what_was_not_used_for_longest_goes_until_there_is_room(node: Depot) -> None:
    steps(node.folder, 300 * MB)
    node.expect(0)
    assert left(node.folder) == [1, 2, 3] and not (node.folder / f"work/checked/{KEYS[0]}.json").exists()
    node.expect(200 * MB)
    assert left(node.folder) == [2, 3]
    node.leave()
    assert left(node.folder) == [2, 3]
    assert not [*(node.folder / trim.GOING).iterdir()] and (node.folder / f"work/checked/{KEYS[2]}.json").exists()


def test_what_running_steps_use_stays_and_counts_as_used_now(node: Depot) -> None:
    other = Depot(node.folder)
    steps(node.folder, 600 * MB)
    blob = put(node.folder, f"files/{KEYS[0]}", 600 * MB, 20)
    put(node.folder, f"files/locks/{KEYS[0]}", 0, 20)
    put(node.folder, f"work/partial/{KEYS[1]}/checkpoint", 600 * MB, 20)
    put(node.folder, f"work/{HUB}/model", 600 * MB, 20)
    put(node.folder, f"work/locks/{KEYS[1]}", 0, 20)
    other.hold([KEYS[1]], [KEYS[0]], [HUB])
    node.expect(0)
    assert left(node.folder) == [1], "beyond the bound"
    assert blob.exists() and (node.folder / "work" / HUB).is_dir() and [*(node.folder / "work/partial").iterdir()]
    put(node.folder, f"files/{KEYS[0]}", 900 * MB, -0.01)
    put(node.folder, f"work/{KEYS[2]}/model", 300 * MB, 1)
    other.leave()
    assert left(node.folder) == [] and blob.exists(), "what was used last stays"


def test_what_a_step_used_is_no_longer_the_oldest(node: Depot) -> None:
    steps(node.folder, 300 * MB)
    put(node.folder, f"work/locks/{KEYS[0]}", 0, 20)
    (other := Depot(node.folder)).hold([KEYS[0]], [], [])
    assert left(node.folder) == [0, 2, 3]
    other.leave()
    node.expect(200 * MB)
    assert left(node.folder) == [0, 3]


def test_what_no_step_names_stays_if_it_was_used_since_the_oldest_running_step_began(node: Depot) -> None:
    paths = ("work/teachers/one/shard", "work/tensors/aa/one", "work/joined/one/model", "work/labels/one.jsonl")
    for name in ("old", "new"):
        for path in paths:
            put(node.folder, path.replace("one", name), 900 * MB, 5 if name == "old" else -0.001)
    node.expect(0)
    assert [(node.folder / path.replace("one", "old")).exists() for path in paths] == [False] * 4
    assert all((node.folder / path.replace("one", "new")).exists() for path in paths)


def test_files_that_are_links_to_each_other_count_once(node: Depot) -> None:
    steps(node.folder, 240 * MB)
    for key in KEYS:
        os.link(node.folder / "work" / key / "model", node.folder / "files" / key)
    node.expect(0)
    assert left(node.folder) == [0, 1, 2, 3] and len([*(node.folder / "files").glob("0*")]) == 4
    node.expect(100 * MB)
    assert left(node.folder) == [1, 2, 3] and not (node.folder / "files" / KEYS[0]).exists()


def test_a_step_of_another_version_or_one_that_is_being_written_keeps_everything(node: Depot) -> None:
    steps(node.folder, 600 * MB)
    (said,) = (node.folder / "zoos").glob("*/uses.json")
    said.rename(said.with_name("elsewhere"))
    node.expect(0)
    assert left(node.folder) == [0, 1, 2, 3]
    said.with_name("elsewhere").rename(said)
    with node.store.growing(KEYS[1], lambda: None):
        put(node.folder, f"work/locks/{KEYS[1]}", 0, 9)
        node.expect(0)
    assert left(node.folder) == [1, 3]


def test_what_a_kill_left_half_deleted_goes(node: Depot) -> None:
    put(node.folder, f"{trim.GOING}/{KEYS[0]}/model", 5, 0)
    (node.folder / "zoos/left").mkdir()
    Depot(node.folder).hold([], [], [])
    assert not [*(node.folder / trim.GOING).iterdir()] and not (node.folder / "zoos/left").exists()


def test_a_disk_that_is_almost_full_gets_room_for_what_arrives(tmp_path: Path) -> None:
    with smalldisk.mounted(tmp_path / "small", "600m") as small, ExitStack() as held:
        held.callback((node := Depot(small / "node")).leave)
        node.hold([], [], [])
        for number, key in enumerate(KEYS):
            put(node.folder, f"work/{key}/model", 12 * MB, 10 - number).write_bytes(bytes(12 * MB))
            put(node.folder, f"work/{key}/model", 12 * MB, 10 - number)
        # Some of the disk stays in reserve.
        node.expect(resources.free_bytes(small) - RESERVE_BYTES + 20 * MB)
        assert left(node.folder) == [2, 3]
        with pytest.raises(ZooError, match="must be free at"):
            node.expect(200 * MB)
        assert left(node.folder) == [2, 3], "nothing is deleted for what has no room even so"


@pytest.mark.parametrize("said", ["0", "-1", "1.5", "many", "²", "9" * 10])
def test_a_bound_that_is_no_number_is_refused_before_anything_starts(
    said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(trim.VARIABLE, said)
    with pytest.raises(InputError, match=f"{trim.VARIABLE} is .* not a whole number of GB from 1"):
        raytask.look("nothing")


def test_the_usual_bound_leaves_half_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(trim.VARIABLE, raising=False)
    with smalldisk.mounted(tmp_path / "small", "4m") as small:
        assert trim.most_bytes(small / "node") == 2 << 20
    monkeypatch.setenv(trim.VARIABLE, "50")
    assert trim.most_bytes(tmp_path) == 50 * 10**9
