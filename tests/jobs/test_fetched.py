"""Steps on a machine that does not see the zoo's folder: what is sent, what arrives damaged, in part or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import manyplans
import pytest
import smalldisk

from catalog import jsontext
from catalog.jsonvalues import table
from zoo.errors import Damaged, DamagedStep, ZooError
from zoo.files.digests import pretty_json
from zoo.jobs import fetched, given, parcels
from zoo.jobs.depot import VARIABLE, Depot, place
from zoo.jobs.parcels import File, Parcel
from zoo.jobs.raytask import Seat
from zoo.jobs.tasks import union
from zoo.machine.processor import Processor
from zoo.plan.prepare import Planned
from zoo.plan.store import Workspace
from zoo.settings import Settings
from zoo.sources import resolve
from zoo.stages.artifact import RECORD, Artifact

FILES = {"large": b"0123456789" * 1000, "empty": b"", "in/folder": b"text", "same": b"text"}
KEY = "e" * 64


@pytest.fixture(autouse=True)
def _pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetched, "PIECE_BYTES", 3000)


def finish(store: Workspace, key: str = KEY, files: Mapping[str, bytes] = FILES) -> Artifact:
    out = store.partial(key) / "out"
    for path, content in files.items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_bytes(content)
    return store.finish(key, "export", out, {"n": 1}, {})


def parcel_of(made: Artifact) -> Parcel:
    record = made.folder / RECORD
    files = {one.path: File(one.sha256, one.size_bytes, made.folder / one.path) for one in made.files}
    sha256 = hashlib.sha256(record.read_bytes()).hexdigest()
    return Parcel({made.key: {**files, RECORD: File(sha256, record.stat().st_size, record)}})


def same(one: Path, other: Path) -> bool:
    return all((one / path).read_bytes() == (other / path).read_bytes() for path in (*FILES, RECORD))


class Counting(Seat):
    """A node that counts what it is sent and asked for, and spoils the first pieces."""

    def __init__(self, folder: Path, spoil: int = 0, break_at: int = 0) -> None:
        super().__init__(folder)
        self.received, self.sent, self.spoil, self.break_at = list[int](), list[int](), spoil, break_at

    def add(self, sha256: str, start: int, data: bytes) -> None:
        super().add(sha256, start, self._through(data))
        self.received.append(len(data))

    def piece(self, key: str, path: str, start: int, count: int) -> bytes:
        data = self._through(super().piece(key, path, start, count))
        self.sent.append(len(data))
        return data

    def _through(self, data: bytes) -> bytes:
        if self.break_at and len(self.received) + len(self.sent) + 1 == self.break_at:
            raise ConnectionError("the node is gone")
        if self.spoil:
            self.spoil -= 1
            return bytes([data[0] ^ 1, *data[1:]])
        return data


def test_a_step_goes_to_a_node_and_comes_back_in_pieces_and_nothing_is_sent_twice(tmp_path: Path) -> None:
    made = finish(Workspace(tmp_path / "here"))
    node = Counting(tmp_path / "node")
    fetched.give(parcel_of(made), node)
    record = (made.folder / RECORD).stat().st_size
    # Equal files are one.
    assert sum(node.received) == 10_004 + record and max(node.received) == 3000
    assert node.steps_missing([KEY]) == [] and same(made.folder, tmp_path / "node/work" / KEY)
    fetched.give(parcel_of(made), node)
    assert sum(node.received) == 10_004 + record
    back = Workspace(tmp_path / "back")
    with back.growing(KEY, lambda: None):
        fetched.take(KEY, node, back)
    found = back.finished(KEY)
    assert found and found.files == made.files and found.facts == made.facts and same(found.whole(), made.folder)
    assert not [*(tmp_path / "back/partial").iterdir()]


@pytest.mark.parametrize("key", ["../../etc", "..", "", "a" * 63, "A" * 64, f"{'a' * 64}/x"])
def test_what_is_no_key_of_a_step_is_refused(tmp_path: Path, key: str) -> None:
    there = Depot(tmp_path / "node")
    for ask in (lambda: there.steps_missing([key]), lambda: there.adopt(key, {}), lambda: there.made(key),
                lambda: there.piece(key, RECORD, 0, 1)):  # fmt: skip
        with pytest.raises(Damaged, match="is not the key of a step"):
            ask()
    assert not [*tmp_path.rglob("*.lock"), *tmp_path.glob("etc*")]


def test_what_arrives_damaged_is_sent_again_and_never_counts(tmp_path: Path) -> None:
    made = finish(Workspace(tmp_path / "here"))
    node = Counting(tmp_path / "node", spoil=1)
    fetched.give(parcel_of(made), node)
    assert same(made.folder, tmp_path / "node/work" / KEY)
    bad = Counting(tmp_path / "bad", spoil=1000)
    with pytest.raises(ZooError, match=r"did not arrive as it is, 3 times"):
        fetched.give(parcel_of(made), bad)
    assert bad.steps_missing([KEY]) == [KEY]
    assert not any(one.stat().st_size for one in (tmp_path / "bad/files").iterdir() if one.is_file())
    back = Workspace(tmp_path / "back")
    node.spoil = 1
    fetched.take(KEY, node, back)
    assert same(made.folder, tmp_path / "back" / KEY)
    node.spoil = 1000
    with pytest.raises(ZooError, match=r"did not arrive as it is on the node, 3 times"):
        fetched.take(KEY, node, Workspace(tmp_path / "other"))
    assert Workspace(tmp_path / "other").finished(KEY) is None


def test_what_has_arrived_before_a_node_or_the_command_ends_is_not_sent_again(tmp_path: Path) -> None:
    made = finish(Workspace(tmp_path / "here"), files={"large": FILES["large"]})
    parcel = parcel_of(made)
    large = Parcel({KEY: {"large": parcel.steps[KEY]["large"]}})
    first = Counting(tmp_path / "node", break_at=3)
    with pytest.raises(ConnectionError):
        fetched.give(large, first)
    first.leave()  # its locks end with its process
    second = Counting(tmp_path / "node")
    fetched.give(parcel, second)
    record = parcel.steps[KEY][RECORD].size_bytes
    assert sum(first.received) == 6000 and sum(second.received) == 4000 + record
    back = Workspace(tmp_path / "back")
    second.break_at = len(second.received) + 3
    with pytest.raises(ConnectionError):
        fetched.take(KEY, second, back)
    assert back.finished(KEY) is None
    second.break_at, before = 0, sum(second.sent)
    fetched.take(KEY, second, back)
    assert before == 6000 and sum(second.sent) == 10_000 + record


def test_a_full_disk_is_said_and_what_had_arrived_leaves_room_for_others(tmp_path: Path) -> None:
    with smalldisk.mounted(tmp_path / "small", "200k") as small, ExitStack() as held:
        held.callback((node := Seat(small / "cache")).leave)
        with pytest.raises(ZooError, match=r"must be free at .*small/cache for what the step needs"):
            node.expect(10)
        node.begin("a" * 64)
        with pytest.raises(ZooError, match=rf"small/cache is full. Free some space there.*{VARIABLE}"):
            node.add("a" * 64, 0, bytes(1 << 20))
        assert not (small / "cache/files" / f"{'a' * 64}.part").exists()
        assert node.begin("a" * 64) == 0
        made = finish(Workspace(tmp_path / "here"))
        fetched.give(parcel_of(made), (other := Seat(tmp_path / "node")))
        with pytest.raises(ZooError, match=r"are free on this machine"):
            fetched.take(KEY, other, Workspace(small / "work"))


def test_a_file_that_changed_on_the_node_is_found_and_sent_again(tmp_path: Path) -> None:
    made = finish(Workspace(tmp_path / "here"))
    node = Counting(tmp_path / "node")
    fetched.give(parcel_of(made), node)
    (tmp_path / "node/work" / KEY / "large").write_bytes(b"9" * 10_000)
    found = node.store.finished(KEY)
    with pytest.raises(DamagedStep):
        assert found and found.whole()
    node.store.discard(KEY)
    fetched.give(parcel_of(made), node)
    assert same(made.folder, tmp_path / "node/work" / KEY)


def test_a_file_that_is_gone_is_said_with_what_to_do(tmp_path: Path) -> None:
    made = finish(Workspace(tmp_path / "here"))
    node = Counting(tmp_path / "node")
    fetched.give(parcel_of(made), node)
    place = tmp_path / "node/work" / KEY
    # While it is fetched: the record is still there.
    (place / "large").unlink()
    with pytest.raises(ZooError, match=r"large of step \w{12} was deleted from \S+node before it was fetched") as gone:
        node.piece(KEY, "large", 0, 1)
    assert "Run the same command again" in str(gone.value) and "No such file" not in str(gone.value)
    # The next command finds that the step is not finished, and it is made again.
    assert node.steps_missing([KEY]) == [KEY]
    (place / "large").mkdir()
    with pytest.raises(ZooError, match=r"large of step \w{12} in \S+node cannot be read: Is a directory"):
        node.piece(KEY, "large", 0, 1)
    node.hold([], [], [])
    with pytest.raises(ZooError, match=r"what was sent to \S+node was deleted before it was used.*sends it again"):
        node.lay("{}", {"a": "0" * 64}, {})
    made.path("large").unlink()
    with pytest.raises(ZooError, match="a file that a step reads was deleted or moved") as here:
        fetched.give(parcel_of(made), Counting(tmp_path / "other"))
    assert here.value.where.endswith("large") and here.value.safe and here.value.remedy == "Put it back"


def test_names_of_the_other_side_cannot_lead_out_of_a_folder(tmp_path: Path) -> None:
    made = finish(Workspace(tmp_path / "here"))
    node = Seat(tmp_path / "node")
    fetched.give(parcel_of(made), node)
    sha256 = made.files[0].sha256
    for ask in (
        lambda: node.begin("../x"), lambda: node.lay("{}", {"../x": sha256}, {}), lambda: node.piece(KEY, "../x", 0, 1),
        lambda: node.lay("{}", {}, {"/x": sha256}), lambda: node.piece("..", "x", 0, 1),
        lambda: node.hold(["../x"], [], []), lambda: node.hold([], ["../x"], []), lambda: node.hold([], [], ["../x"]),
    ):  # fmt: skip
        with ExitStack() as held:
            held.callback(node.leave)
            node.hold([KEY], [sha256], [])
            with pytest.raises(Damaged):
                ask()
    store = Workspace(tmp_path / "other")
    digests = {path: file.sha256 for path, file in parcel_of(made).steps[KEY].items()}
    places = {path: made.folder / path for path in digests}
    for key, wrong in (
        (KEY, {"../x": sha256}), ("f" * 64, {}), (KEY, {"large": "0" * 64}), (KEY, {"more": sha256}),
    ):  # fmt: skip
        with pytest.raises(Damaged):
            store.adopt(key, {**places, **dict.fromkeys(wrong, made.folder / "same")}, {**digests, **wrong})
        assert store.finished(key) is None
    assert not [*tmp_path.rglob("x")]


def test_folders_of_steps_that_are_gone_are_deleted_and_one_that_is_used_stays(tmp_path: Path) -> None:
    node, other = Seat(tmp_path / "node"), Seat(tmp_path / "node")
    node.hold([], [], [])
    used, work, told = map(Path, node.lay("{}", {}, {}))
    (left := tmp_path / "node/zoos/left").mkdir()
    other.hold([], [], [])
    mine, _, _ = map(Path, other.lay("{}", {}, {}))
    assert used.is_dir() and mine.is_dir() and not left.exists() and work == tmp_path / "node/work"
    assert told.read_text() == "{}" and not told.is_relative_to(used), "a source may have any name"
    for closed in ("work", "files", "zoos"):
        assert (tmp_path / "node" / closed).stat().st_mode & 0o777 == 0o700, "others cannot read what was sent"
    node.leave()
    other.leave()
    assert not [*(tmp_path / "node/zoos").iterdir()]


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return manyplans.zoo_of(tmp_path_factory.mktemp("fetched") / "zoo", ("aa", "bb"))


@pytest.fixture(scope="module")
def plans(zoo: Path) -> dict[str, Planned]:
    return manyplans.plans_of(zoo)


@pytest.fixture
def settings(zoo: Path) -> Settings:
    return manyplans.settings_of(zoo)


def test_only_what_a_step_reads_is_sent(plans: dict[str, Planned], settings: Settings) -> None:
    plan = plans["bb"].plan
    model = {f"models/teacher/{path.name}" for path in (settings.root / "models/teacher").iterdir()}
    sent = parcels.of(plan, "import/student", settings)
    assert {*sent.zoo} == {"zoo.toml"} | model and not sent.steps and not sent.work
    store, key = Workspace(settings.work), plan.step("import/student").key
    made = finish(store, key)
    sent = parcels.of(plan, "prune", settings)
    assert {*sent.steps} == {key} and {*sent.steps[key]} == {*FILES, RECORD} and {*sent.zoo} == {"zoo.toml"}
    assert all(file.at == made.folder / path for path, file in sent.steps[key].items())
    (made.folder / "large").write_bytes(b"9" * 10_000)
    with pytest.raises(DamagedStep):
        parcels.of(plan, "prune", settings)
    store.discard(key)


def test_a_source_that_was_fetched_from_a_hub_is_sent_with_its_record(tmp_path: Path) -> None:
    spec = {"source": "hf:them/model", "revision": "c" * 40, "sha256": None, "files": None}
    work = tmp_path / "work"
    assert resolve.files_read(spec, tmp_path, work) == (work, {})
    folder = tmp_path / "work/hub/them--model" / ("c" * 40)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    digests = {"config.json": hashlib.sha256(b"{}").hexdigest()}
    record = folder.with_name(f"{folder.name}.json")
    record.write_text(pretty_json({"repo": "them/model", "revision": "c" * 40, "sha256": digests}))
    name = f"hub/them--model/{'c' * 40}"
    assert resolve.files_read(spec, tmp_path, work) == (
        work, {f"{name}/config.json": folder / "config.json", f"{name}.json": record}
    )  # fmt: skip
    assert resolve.files_read({**spec, "source": "package:some/file.gguf"}, tmp_path, work) == (tmp_path, {})
    (tmp_path / "work/teacher.gguf").write_bytes(b"GGUF")
    (tmp_path / "linked.gguf").symlink_to("work/teacher.gguf")
    for path in ("linked.gguf", "work/teacher.gguf"):
        found = resolve.files_read({**spec, "source": f"file:{path}"}, tmp_path, work)
        assert found == (tmp_path, {path: (tmp_path / "work/teacher.gguf").resolve()})


def test_a_node_with_another_processor_makes_a_step_of_its_own_and_takes_what_is_finished(
    plans: dict[str, Planned], settings: Settings
) -> None:
    planned, store = plans["bb"], Workspace(settings.work)
    mine = planned.world.processors[0]
    assert fetched.plan_on(planned, mine, store) == planned.plan
    other = fetched.plan_on(planned, Processor("riscv64", "", ()), store)
    assert other.step("export").key != planned.plan.step("export").key  # it is made of trained weights
    assert other.step("label").key != planned.plan.step("label").key
    finish(store, planned.plan.step("label").key)
    after = fetched.plan_on(planned, Processor("riscv64", "", ()), store)
    assert after.step("label").key == planned.plan.step("label").key
    assert after.step("distill").key != planned.plan.step("distill").key
    store.discard(planned.plan.step("label").key)


def test_the_inputs_of_a_step_keep_their_order(plans: dict[str, Planned]) -> None:
    plan = plans["aa"].plan
    told = table(jsontext.parse(given.text(plan, "evaluate", 5)))
    assert [*table(told["inputs"])] == [*plan.step("evaluate").inputs]
    assert [*plan.step("evaluate").inputs] != sorted(plan.step("evaluate").inputs)
    assert told["memory_bytes"] == 5


def test_the_folder_of_a_node_is_the_one_that_its_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "~/elsewhere")
    assert place() == Path(os.environ["HOME"]) / "elsewhere"
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert place() == Path("/caches/zoo/node")


def test_a_step_that_another_program_finished_is_not_made(plans: dict[str, Planned], settings: Settings) -> None:
    """Nothing is asked of the node."""
    task = next(one for one in union(plans) if one.step == "import/student")
    store = Workspace(settings.work)
    finish(store, task.key)
    home = fetched.Home(settings, {task.recipe: plans[task.recipe]}, lambda _: [], {})
    nobody = replace(plans[task.recipe].world.processors[0])
    assert fetched.make(task, object(), nobody, home, lambda _: None) == 0  # type: ignore[arg-type]  # never asked
    store.discard(task.key)
