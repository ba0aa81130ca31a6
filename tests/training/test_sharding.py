"""Training in shares (FSDP2): the weights of one process, checkpoints as complete as without shares, and refusals."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from shortchats import Heard  # noqa: E402 - after the skip
from togetherruns import PARTS, Signalling, models, processes_of, run, trained  # noqa: E402 - after the skip
from torch import distributed  # noqa: E402 - after the skip

from zoo.errors import InputError, ZooError  # noqa: E402 - after the skip
from zoo.files.digests import sha256_file  # noqa: E402 - after the skip
from zoo.training import checkpoints, shares  # noqa: E402 - after the skip
from zoo.training.checkpoints import Progress  # noqa: E402 - after the skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models(tmp_path_factory.mktemp("sharding"))


# --- In this process


@pytest.fixture
def alone() -> Iterator[None]:
    """This process as the only one of a training."""
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def stepped(*, sharded: bool, scratch: Path) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    """A model of two layers after the steps that its checkpoint lacks, saved again."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Linear(5, 1, bias=False))
    if sharded:
        shares.shard(model, [model[0]], "cpu")
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    scratch.mkdir(exist_ok=True)
    found = checkpoints.restore(scratch, model, optimizer, Heard())
    done = found or Progress(0, [], 0, 0, 0.0, 1)
    for _ in range(2):
        model(torch.ones(2, 3)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        done.step += 1
    checkpoints.save(scratch, model, optimizer, done)
    return model, optimizer


def test_a_checkpoint_of_shares_is_the_complete_one_and_either_kind_continues_it(alone: None, tmp_path: Path) -> None:
    del alone
    for sharded in (False, True):
        stepped(sharded=sharded, scratch=tmp_path / str(sharded))
    for step in (2, 4):
        for name in ("weights", "optimizer"):
            one, other = (
                tmp_path / f"{sharded}/checkpoint-{step:08d}/{name}.safetensors" for sharded in (False, True)
            )
            assert one.read_bytes() == other.read_bytes()
        # Each continues what the other kind has written.
        (tmp_path / "False").rename(tmp_path / "swap")
        (tmp_path / "True").rename(tmp_path / "False")
        (tmp_path / "swap").rename(tmp_path / "True")
        for sharded in (False, True) if step == 2 else ():
            model, _ = stepped(sharded=sharded, scratch=tmp_path / str(sharded))
            assert all(hasattr(one, "device_mesh") == sharded for one in model.parameters())


def test_checkpoints_of_another_run_are_told_of_where_there_are_any(tmp_path: Path) -> None:
    for name, said in (("one", []), ("two", []), ("three", ["belong to a different student"])):
        heard = Heard()
        checkpoints.open_run(tmp_path, name, heard)
        assert [words in line for words, line in zip(said, heard.said, strict=True)] == [True] * len(said)
        if name == "two":
            (tmp_path / "checkpoint-00000002").mkdir()
    assert [one.name for one in tmp_path.iterdir()] == ["run.json"]


def test_whoever_does_not_write_gathers_and_keeps_nothing(alone: None, tmp_path: Path) -> None:
    del alone
    model, optimizer = stepped(sharded=True, scratch=tmp_path)
    before = sorted(tmp_path.rglob("*"))
    checkpoints.save(tmp_path, model, optimizer, Progress(3, [], 0, 0, 0.0, 1), write=False)
    assert sorted(tmp_path.rglob("*")) == before
    assert shares.gathered(dict(model.named_parameters()), keep=False) == {}


def test_qlora_is_refused_before_anything_is_trained(home: Path) -> None:
    with pytest.raises(InputError, match="sharding does not fit adapter qlora: a weight in 4 bits") as caught:
        run(home, "packed", sharded=True, adapter="qlora", preset="ampere-balanced")
    assert caught.value.remedy == "Set sharding to none, or take adapter lora"
    assert not (home / "packed-scratch").exists()


# --- Real processes


@pytest.fixture(scope="module")
def whole(home: Path) -> list[float]:
    """The losses of an uninterrupted training in two processes with shares, whose rows go through it in parts."""
    return run(home, "whole", sharded=True, **PARTS)


def farthest(home: Path, one: str, other: str) -> float:
    """The largest difference of two trainings' float32 weights."""
    found, right = trained(home, one), trained(home, other)
    assert found.keys() == right.keys()
    return max(float((found[name] - right[name]).abs().max()) for name in found)


@pytest.mark.long
def test_shares_give_the_training_of_one_process(home: Path, whole: list[float]) -> None:
    assert whole == pytest.approx(run(home, "alone", processes=1), rel=1e-5)
    assert farthest(home, "whole", "alone") <= 1e-5


@pytest.mark.long
@pytest.mark.parametrize(
    ("adapter", "more"), [("lora", {}), ("dora", {}), ("none", {"gradient_checkpointing": True})]
)  # fmt: skip
def test_shares_give_the_training_of_complete_copies(adapter: str, more: dict[str, bool], home: Path) -> None:
    """Of adapters, one process is no measure: their first gradients are so small that the order of a sum decides the
    sign of an update. Copies add up the same two numbers."""
    losses = [run(home, f"{adapter}-{kind}", sharded=kind, adapter=adapter, **more) for kind in (False, True)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert farthest(home, f"{adapter}-True", f"{adapter}-False") <= 1e-5


@pytest.mark.long
def test_frozen_weights_of_16_bits_are_shared_together_with_an_adapter_in_float32(home: Path) -> None:
    more = {"adapter": "lora", "preset": "ampere-balanced", "steps": 3}
    one, other = (run(home, f"half-{kind}", sharded=kind, **more) for kind in (False, True))
    assert other == one


@pytest.mark.long
def test_a_process_without_rows_takes_part(home: Path) -> None:
    """The last step of an epoch has two conversations for three processes."""
    assert run(home, "three", processes=3, sharded=True) == pytest.approx(run(home, "one", processes=1), rel=1e-5)
    assert farthest(home, "three", "one") <= 1e-5


@pytest.mark.long
@pytest.mark.parametrize(("rank", "after"), [("0", 2), ("1", 4), ("0", 6), ("1", 9)])
def test_whichever_process_is_killed_whenever_a_resume_has_the_same_bytes(
    rank: str, after: int, home: Path, whole: list[float]
) -> None:
    name = f"killed{rank}-{after}"
    folder = home / f"{name}-scratch"
    with pytest.raises(ZooError, match=rf"Process {int(rank) + 1} of 2 of the training was killed \(SIGKILL\)"):
        run(home, name, Signalling(folder, rank, signal.SIGKILL, after), sharded=True, **PARTS)
    assert processes_of(folder) == []
    assert run(home, name, sharded=True, **PARTS) == whole
    one, other = (home / f"{own}-out" / "model.safetensors" for own in (name, "whole"))
    assert sha256_file(one) == sha256_file(other)


@pytest.mark.long
def test_a_process_that_hangs_is_named(home: Path) -> None:
    folder = home / "hangs-scratch"
    with pytest.raises(ZooError, match="Process 2 of 2 of the training no longer answers the others"):
        run(home, "hangs", Signalling(folder, "1", signal.SIGSTOP), sharded=True, patience_seconds=20.0)
    assert processes_of(folder) == []
