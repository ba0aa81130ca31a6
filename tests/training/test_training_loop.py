"""Training a tiny model: it learns, survives a SIGKILL with the same bytes, and reports when it cannot continue."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from safetensors.torch import load_file  # noqa: E402 - after the skip
from tinymodel import make_tiny_llama  # noqa: E402 - after the skip

from catalog.recipe import Distill  # noqa: E402 - after the skip
from zoo.errors import InputError, ZooError  # noqa: E402 - after the skip
from zoo.files.digests import sha256_file  # noqa: E402 - after the skip
from zoo.progress import Silent  # noqa: E402 - after the skip
from zoo.training.adapters import PRESETS, compute_dtype, preset_named  # noqa: E402 - after the skip
from zoo.training.conversations import Conversation, encode  # noqa: E402 - after the skip
from zoo.training.loop import Run, distill  # noqa: E402 - after the skip
from zoo.training.models import load_tokenizer  # noqa: E402 - after the skip
from zoo.training.report import DistillReport  # noqa: E402 - after the skip
from zoo.training.teacher import Question, cache_teacher  # noqa: E402 - after the skip
from zoo.training.teacher.arranging import Width  # noqa: E402 - after the skip

SPEC = Distill(
    method="logits",
    adapter="none",
    preset="cpu-small",
    steps=8,
    batch_rows=4,
    row_tokens=64,
    learning_rate=2e-3,
    warmup_steps=2,
    top_k=16,
    temperature=1.0,
    seed=1,
    checkpoint_every_steps=3,
    loss=None, micro_tokens=None,
    gradient_checkpointing=None,
)
CHATS = [
    Conversation(
        f"c{number}", (("user", f"q {number}"), ("assistant", f"answer {number} " * (1 + number % 3)))
    )
    for number in range(40)
]
TRAIN, HELDOUT = CHATS[:34], CHATS[34:]
SHARDED = Width(batch_tokens=256, head_positions=32, shard_positions=120)

KILLED = """
import dataclasses, json, os, signal, sys
from contextlib import contextmanager
from pathlib import Path
sys.path[:0] = json.loads(sys.argv[1])
import test_training_loop as here
from zoo.progress import Silent
from zoo.training.teacher.arranging import WIDTHS

class Killer(Silent):
    @contextmanager
    def task(self, what, total, unit):
        done = 0
        def advance(amount):
            nonlocal done
            done += 1
            if what == asked["task"] and done == asked["count"]:
                os.kill(os.getpid(), signal.SIGKILL)
        yield advance

for line in sys.stdin:
    asked = json.loads(line)
    if not (pid := os.fork()):
        try:
            spec = dataclasses.replace(here.SPEC, **asked["changes"])
            if asked["task"] == "read the teacher":
                WIDTHS["cpu"] = here.SHARDED
            here.run(Path(asked["home"]), "killed", spec, Killer())
        finally:
            os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""
"""Each line of stdin is a training in a child of its own, which costs a fork and not the imports."""


def run(home: Path, name: str, spec: Distill, reporter: Any, student: str = "student") -> DistillReport:
    return distill(
        Run(
            home / student,
            home / "teacher",
            TRAIN,
            HELDOUT,
            spec,
            home / f"{name}-out",
            home / f"{name}-scratch",
            reporter,
            threads=1,
        )
    )


class Remembering(Silent):
    """A reporter that records its messages."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.said: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums are split among threads, so their number decides the last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    make_tiny_llama(folder / "student", layers=1, seed=0)
    make_tiny_llama(folder / "teacher", layers=2, seed=0)
    return folder


@pytest.fixture(scope="module")
def whole(home: Path) -> DistillReport:
    return run(home, "whole", SPEC, Silent())


Kill = Callable[..., None]


@pytest.fixture(scope="module")
def kill() -> Iterator[Kill]:
    """``kill(home, task, count)`` trains in a process that gets SIGKILL at the ``count``-th advance of ``task``."""
    paths = json.dumps([str(folder) for folder in Path(__file__).parents[:3]])
    command = [sys.executable, "-c", KILLED, paths]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def ask(home: Path, task: str, count: int, **changes: Any) -> None:
            assert process.stdin and process.stdout
            asked = {"home": str(home), "task": task, "count": count, "changes": changes}
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            assert process.stdout.readline().strip() == str(-signal.SIGKILL)

        yield ask


def test_the_student_comes_nearer_to_its_teacher(home: Path, whole: DistillReport) -> None:
    assert whole.loss_curve[-1]["loss"] < 0.5 * whole.loss_curve[0]["loss"]
    assert whole.heldout_before and whole.heldout_after
    assert whole.heldout_after.kld_mean_nats < 0.5 * whole.heldout_before.kld_mean_nats
    assert whole.heldout_after.tokens == whole.heldout_before.tokens > 0
    assert whole.steps == len(whole.loss_curve) == 8
    json.dumps(whole.to_json(), allow_nan=False)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"):
        assert (home / "whole-out" / name).read_bytes() == (home / "student" / name).read_bytes()
    weights = load_file(home / "whole-out" / "model.safetensors")
    assert set(weights) == set(load_file(home / "student" / "model.safetensors"))
    assert {tensor.dtype for tensor in weights.values()} == {torch.float16}


def test_a_killed_training_ends_with_the_same_bytes(home: Path, whole: DistillReport, kill: Kill) -> None:
    # The first advance tells where it starts: this is after step 5, two past a checkpoint.
    kill(home, "distil", 6)
    half_written = home / "killed-scratch" / "checkpoint-00000006.part"
    half_written.mkdir()
    resumed = run(home, "killed", SPEC, Silent())
    assert resumed.timing["resumed_from_step"] == 3
    assert not half_written.exists()
    for name in ("model.safetensors", "config.json"):
        assert sha256_file(home / "killed-out" / name) == sha256_file(home / "whole-out" / name)
    expected, found = whole.to_json(), resumed.to_json()
    expected.pop("timing")
    found.pop("timing")
    assert found == expected
    kept = sorted(path.name for path in (home / "killed-scratch").glob("checkpoint-*"))
    assert kept == ["checkpoint-00000006", "checkpoint-00000008"]


def test_a_damaged_checkpoint_is_left_out_and_other_settings_start_again(home: Path, tmp_path: Path) -> None:
    make_tiny_llama(tmp_path / "student", layers=1)
    make_tiny_llama(tmp_path / "teacher", layers=2)
    run(tmp_path, "a", SPEC, Silent())
    newest = tmp_path / "a-scratch" / "checkpoint-00000008" / "weights.safetensors"
    newest.write_bytes(newest.read_bytes()[:100])
    reporter = Remembering()
    again = run(tmp_path, "a", SPEC, reporter)
    assert again.timing["resumed_from_step"] == 6
    assert any("damaged" in text for text in reporter.warnings)
    assert sha256_file(tmp_path / "a-out" / "model.safetensors") == sha256_file(
        home / "whole-out/model.safetensors"
    )
    other = run(tmp_path, "a", dataclasses.replace(SPEC, seed=2), reporter)
    assert other.timing["resumed_from_step"] is None


def test_the_global_random_state_and_threads_are_given_back(home: Path) -> None:
    threads = torch.get_num_threads()
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    run(home, "whole", SPEC, Silent())
    assert torch.equal(torch.rand(1), expected)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.fixture(scope="module")
def kept(home: Path) -> Path:
    """A finished cache of the teacher's answers, in several shards."""
    cache_teacher(_question(home), home / "whole-cache", Silent())
    return home / "whole-cache"


def _question(home: Path) -> Question:
    rows = encode(load_tokenizer(home / "student"), TRAIN, SPEC.row_tokens).rows
    return Question(home / "teacher", rows, 16, 1.0, together=SHARDED)


@pytest.mark.parametrize("count", [1, 4, 7])
def test_a_teacher_cache_is_completed_after_a_kill_in_any_shard(
    count: int, home: Path, kept: Path, kill: Kill
) -> None:
    start = home / f"early-{count}"
    make_tiny_llama(start / "student", layers=1)
    make_tiny_llama(start / "teacher", layers=2)
    kill(start, "read the teacher", count)
    folder = start / "killed-scratch" / "teacher"
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("shard-*")}
    assert len(before) < len(list(kept.glob("shard-*")))
    (folder / ".shard-00009.answers.x.tmp").write_bytes(b"half")
    cache_teacher(_question(home), folder, Silent())
    _assert_same(folder, kept)
    assert all((folder / name).stat().st_mtime_ns == time for name, time in before.items()), "finished shards stay"


def _assert_same(left: Path, right: Path) -> None:
    names = sorted(path.name for path in right.iterdir())
    assert sorted(path.name for path in left.iterdir()) == names
    assert [sha256_file(left / name) for name in names] == [sha256_file(right / name) for name in names]


@pytest.mark.filterwarnings("error:.*autograd kernel was not registered.*:UserWarning")
@pytest.mark.parametrize(
    ("adapter", "preset"), [("lora", "cpu-small"), ("dora", "cpu-small"), ("qlora", "ampere-balanced")]
)
def test_adapters_are_merged_into_plain_weights(home: Path, adapter: str, preset: str) -> None:
    spec = dataclasses.replace(SPEC, adapter=adapter, preset=preset, learning_rate=5e-3)
    done = run(home, adapter, spec, Silent())
    merged = load_file(home / f"{adapter}-out" / "model.safetensors")
    before = load_file(home / "student" / "model.safetensors")
    assert set(merged) == set(before)
    changed = {name for name in before if not torch.equal(before[name], merged[name])}
    assert changed == {name for name in before if "_proj" in name}
    assert done.heldout_after.kld_mean_nats < 0.9 * done.heldout_before.kld_mean_nats


def test_a_killed_training_with_dropout_ends_with_the_same_bytes(home: Path, kill: Kill) -> None:
    changes: dict[str, Any] = {"adapter": "lora", "preset": "ampere-balanced"}
    spec = dataclasses.replace(SPEC, **changes)
    make_tiny_llama(home / "dropout" / "student", layers=1)
    make_tiny_llama(home / "dropout" / "teacher", layers=2)
    kill(home / "dropout", "distil", 5, **changes)
    assert run(home / "dropout", "killed", spec, Silent()).timing["resumed_from_step"] == 3
    run(home / "dropout", "whole", spec, Silent())
    assert sha256_file(home / "dropout/killed-out/model.safetensors") == sha256_file(
        home / "dropout/whole-out/model.safetensors"
    )


def test_bfloat16_falls_back_with_a_warning() -> None:
    reporter = Remembering()
    preset = PRESETS["ampere-balanced"]
    assert compute_dtype(preset, "cpu", reporter, lambda _: True) == torch.bfloat16
    assert not reporter.warnings
    assert compute_dtype(preset, "cpu", reporter, lambda _: False) == torch.float16
    assert "bfloat16" in reporter.warnings[0]
    assert compute_dtype(PRESETS["cpu-small"], "cpu", reporter, lambda _: False) == torch.float32


def test_settings_that_do_not_fit_together_are_refused(home: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no preset"):
        preset_named("hopper")
    with pytest.raises(InputError, match="ampere-balanced"):
        run(home, "bad", dataclasses.replace(SPEC, adapter="qlora"), Silent())
    with pytest.raises(InputError, match="requires a teacher"):
        distill(
            Run(home / "student", None, TRAIN, [], SPEC, tmp_path / "o", tmp_path / "s", Silent(), threads=1)
        )
    with pytest.raises(InputError, match="row_tokens"):
        run(home, "bad", dataclasses.replace(SPEC, row_tokens=8), Silent())


def test_labels_need_no_teacher(home: Path, tmp_path: Path) -> None:
    spec = dataclasses.replace(SPEC, method="labels")
    done = distill(
        Run(home / "student", None, TRAIN, HELDOUT, spec, tmp_path / "o", tmp_path / "s", Silent(), threads=1)
    )
    assert done.heldout_after and done.heldout_before
    assert done.heldout_after.perplexity < done.heldout_before.perplexity
    assert done.heldout_after.kld_mean_nats is None


def test_a_loss_that_is_nan_stops_with_the_step_and_what_to_do(home: Path) -> None:
    with pytest.raises(ZooError, match=r"step \d+ of 8.*learning_rate") as caught:
        run(home, "nan", dataclasses.replace(SPEC, learning_rate=1e30), Silent())
    assert caught.value.exit_code == 1
    assert not (home / "nan-out" / "model.safetensors").exists()


def test_a_second_student_uses_the_first_ones_teacher_cache(home: Path) -> None:
    make_tiny_llama(home / "sibling", layers=1, seed=5)
    heard: list[str] = []

    class Listening(Silent):
        @contextmanager
        def task(self, what: str, total: float | None, unit: str) -> Iterator[Any]:
            heard.append(what)
            with super().task(what, total, unit) as advance:
                yield advance

    for student in ("student", "sibling"):
        paths = (home / f"{student}-s-out", home / f"{student}-s-scratch")
        distill(
            Run(
                home / student,
                home / "teacher",
                TRAIN,
                HELDOUT,
                SPEC,
                *paths,
                Listening(),
                threads=1,
                shared=home / "shared",
            )
        )
    assert heard.count("read the teacher") == 1
    assert not (home / "sibling-s-scratch" / "teacher").exists()
