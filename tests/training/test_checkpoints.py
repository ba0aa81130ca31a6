"""A training resumes from the newest unchanged checkpoint, whatever happened to the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from shortchats import Heard  # noqa: E402 - after the skip

from zoo.files.digests import digest  # noqa: E402 - after the skip
from zoo.progress import Silent  # noqa: E402 - after the skip
from zoo.training.checkpoints import Progress, restore, save  # noqa: E402 - after the skip
from zoo.training.scaling import LossScale  # noqa: E402 - after the skip


def trained(scratch: Path) -> list[list[float]]:
    """Checkpoints of steps 1 and 2; the weights at each."""
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    weights = []
    for step in (1, 2):
        optimizer.zero_grad()
        model(torch.ones(1, 3)).sum().backward()
        optimizer.step()
        losses = [{"step": step, "loss": 0.1, "learning_rate": 0.01}]
        save(scratch, model, optimizer, Progress(step, losses, 3, 4, 1.5, 1))
        weights.append(model.weight.detach().flatten().tolist())
    return weights


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-3] ^= 1
    path.write_bytes(raw)


def state(change: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        change(data)
        (folder / "state.json").write_text(json.dumps(data), encoding="utf-8")

    return damage


def other_model(folder: Path) -> None:
    """Files that are complete, but of another training."""
    model = torch.nn.Linear(5, 5)
    (folder.parent / "other").mkdir(exist_ok=True)
    save(folder.parent / "other", model, torch.optim.AdamW(model.parameters()), Progress(2, [], 0, 0, 0.0, 1))
    for path in (folder.parent / "other" / "checkpoint-00000002").iterdir():
        path.replace(folder / path.name)


DAMAGE: dict[str, Callable[[Path], None]] = {
    "a flipped bit of the weights": lambda folder: flip(folder / "weights.safetensors"),
    "a flipped bit of the optimizer": lambda folder: flip(folder / "optimizer.safetensors"),
    "cut weights": lambda folder: (folder / "weights.safetensors").write_bytes(b"x" * 100) and None,
    "no optimizer": lambda folder: (folder / "optimizer.safetensors").unlink(),
    "no record": lambda folder: (folder / "state.json").unlink(),
    "a record of something else": lambda folder: (folder / "state.json").write_text("[1]") and None,
    "a record without end": lambda folder: (folder / "state.json").write_text("[" * 99_999) and None,
    "another step": state(lambda data: data.update(step=7)),
    "a key more": state(lambda data: data.update(more=1)),
    "a key less": state(lambda data: data.pop("losses")),
    "another model": other_model,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_left_out_and_touches_nothing(damage: str, tmp_path: Path) -> None:
    tmp_path /= "scratch"
    tmp_path.mkdir()
    weights = trained(tmp_path)
    DAMAGE[damage](tmp_path / "checkpoint-00000002")
    model, heard = torch.nn.Linear(3, 2), Heard()
    found = restore(tmp_path, model, torch.optim.AdamW(model.parameters()), heard)
    assert found and found.step == 1 and model.weight.detach().flatten().tolist() == weights[0]
    assert heard.warnings == ["checkpoint-00000002 is damaged and is ignored"]
    DAMAGE[damage](tmp_path / "checkpoint-00000001")
    before = model.weight.detach().clone()
    assert restore(tmp_path, model, torch.optim.AdamW(model.parameters()), heard) is None
    assert torch.equal(model.weight.detach(), before)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_process_that_writes_none_deletes_none(damage: str, tmp_path: Path) -> None:
    """What another machine sees of a shared folder may be old."""
    tmp_path /= "scratch"
    tmp_path.mkdir()
    trained(tmp_path)
    DAMAGE[damage](tmp_path / "checkpoint-00000002")
    (tmp_path / "checkpoint-00000003.part").mkdir()
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    model, heard = torch.nn.Linear(3, 2), Heard()
    found = restore(tmp_path, model, torch.optim.AdamW(model.parameters()), heard, sweep=False)
    assert found and found.step == 1 and heard.warnings == ["checkpoint-00000002 is damaged and is ignored"]
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before


def test_a_valid_one_is_taken(tmp_path: Path) -> None:
    weights = trained(tmp_path)
    model = torch.nn.Linear(3, 2)
    found = restore(tmp_path, model, torch.optim.AdamW(model.parameters()), Silent())
    assert found == Progress(2, [{"step": 2, "loss": 0.1, "learning_rate": 0.01}], 3, 4, 1.5, 1)
    assert model.weight.detach().flatten().tolist() == weights[1]


def test_the_step_count_of_a_fused_optimizer_is_where_its_weights_are(tmp_path: Path) -> None:
    """The kernels of a GPU read it there. torch's device without memory takes the place of one."""
    trained(tmp_path)
    model = torch.nn.Linear(3, 2, device="meta")
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    assert restore(tmp_path, model, optimizer, Silent())
    kept = optimizer.state[model.weight]
    assert set(kept) == {"step", "exp_avg", "exp_avg_sq"}
    assert {tensor.device.type for tensor in kept.values()} == {"meta"}
    plain = torch.optim.AdamW(model.parameters())
    assert restore(tmp_path, model, plain, Silent())
    assert plain.state[model.weight]["step"].device.type == "cpu"


def test_the_loss_scale_is_part_of_a_checkpoint(tmp_path: Path) -> None:
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    progress = Progress(7, [], 0, 0, 0.0, 1, LossScale(256.0, 4, [2, 3]))
    save(tmp_path, model, optimizer, progress)
    assert restore(tmp_path, model, optimizer, Silent()) == progress


def test_a_checkpoint_without_a_loss_scale_is_read(tmp_path: Path) -> None:
    """Those of versions in which it was constant."""
    trained(tmp_path)
    path = tmp_path / "checkpoint-00000002" / "state.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    del data["scale"], data["state_sha256"]
    path.write_text(json.dumps({**data, "state_sha256": digest(data)}), encoding="utf-8")
    model = torch.nn.Linear(3, 2)
    found = restore(tmp_path, model, torch.optim.AdamW(model.parameters()), Silent())
    assert found and found.step == 2 and found.scale == LossScale()
