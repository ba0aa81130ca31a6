"""Training in 16 bits: an adapter computes in the format of its products, and a loss scale follows the gradients."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from shortchats import CHATS, Heard  # noqa: E402 - after the skip
from tinymodel import make_tiny_llama  # noqa: E402 - after the skip

from catalog.recipe import Distill  # noqa: E402 - after the skip
from zoo.errors import ZooError  # noqa: E402 - after the skip
from zoo.progress import Silent  # noqa: E402 - after the skip
from zoo.training import scaling  # noqa: E402 - after the skip
from zoo.training.adapters import load_trainable, preset_named  # noqa: E402 - after the skip
from zoo.training.checkpoints import Progress  # noqa: E402 - after the skip
from zoo.training.conversations import EncodedRow  # noqa: E402 - after the skip
from zoo.training.loop import Run, distill  # noqa: E402 - after the skip
from zoo.training.objective import Job, Objective  # noqa: E402 - after the skip
from zoo.training.report import DistillReport  # noqa: E402 - after the skip
from zoo.training.scaling import LossScale  # noqa: E402 - after the skip
from zoo.training.schedule import Batches  # noqa: E402 - after the skip
from zoo.training.step import one_step  # noqa: E402 - after the skip

SPEC = Distill(
    method="labels", adapter="lora", preset="turing-safe", steps=4, batch_rows=2, row_tokens=64, learning_rate=1e-3,
    warmup_steps=1, top_k=16, temperature=1.0, seed=1, checkpoint_every_steps=2, loss=None, micro_tokens=None,
    gradient_checkpointing=None,
)  # fmt: skip


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_llama(tmp_path_factory.mktemp("sixteen") / "student", layers=1)


@pytest.mark.parametrize("preset", ["ampere-balanced", "cpu-small"])
def test_an_adapter_computes_in_the_format_of_its_preset(student: Path, preset: str) -> None:
    """Its weights are in float32. Its products must not be, or a GPU spends most of a step on them."""
    dtype = getattr(torch, preset_named(preset).compute)
    model = load_trainable(student, "lora", preset_named(preset), dtype, "cpu")
    seen: set[Any] = set()
    for name, module in model.named_modules():
        if name.endswith("lora_A.default"):
            module.register_forward_hook(lambda _module, _given, made: seen.add(made.dtype))
    job, optimizer, parameters = _job(model, dtype)
    one_step(Objective(model, job), optimizer, parameters, job, Progress(0, [], 0, 0, 0.0, 1))
    assert seen == {dtype}


# --- The loss scale


def _job(model: Any, dtype: Any) -> tuple[Job, Any, list[Any]]:
    rows = tuple(EncodedRow(f"r{n}", (5, 6, 7 + n, 8), (False, False, True, True)) for n in range(4))
    job = Job(SPEC, rows, Batches([4] * 4, 2, 1), None, dtype, "cpu", 0, Silent())
    parameters = [one for one in model.parameters() if one.requires_grad]
    return job, torch.optim.AdamW(parameters, lr=1e-3, fused=True), parameters


def test_the_scale_halves_at_an_overflow_and_doubles_after_many_steps() -> None:
    scale = LossScale()
    assert scale.overflowed(3) and (scale.value, scale.overflows) == (512.0, [3])
    for _ in range(scaling.DOUBLED_AFTER - 1):
        scale.held()
    assert scale.value == 512.0
    scale.held()
    assert (scale.value, scale.steady) == (1024.0, 0)
    for _ in range(20 * scaling.DOUBLED_AFTER):
        scale.held()
    assert scale.value == scaling.LARGEST
    assert not LossScale(1.0).overflowed(9), "a scale of one is not what makes gradients infinite"


def run(student: Path, folder: Path, name: str, report: Any, **changes: Any) -> DistillReport:
    spec = dataclasses.replace(SPEC, **changes)
    return distill(
        Run(student, None, CHATS, [], spec, folder / f"{name}-out", folder / f"{name}-s", report, threads=1)
    )


def test_an_overflow_leaves_its_step_out_and_a_resume_knows_the_scale(
    student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaling, "START", 2.0**30)
    heard = Heard()
    whole = run(student, tmp_path, "whole", heard, steps=20)
    lost = whole.overflowed_steps
    assert lost == list(range(1, len(lost) + 1)) and 5 < len(lost) < 20
    assert heard.warnings[0].startswith("Step 1 is left out: its gradient is beyond float16's range")
    assert len(whole.loss_curve) == 20 and whole.to_json()["overflowed_steps"] == lost

    class Stopping(Heard):
        def warn(self, text: str) -> None:
            if text.startswith("Step 5 is left out"):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(student, tmp_path, "cut", Stopping(), steps=20)
    resumed = run(student, tmp_path, "cut", Silent(), steps=20)
    assert resumed.timing["resumed_from_step"] == 4
    assert resumed.overflowed_steps == lost
    names = ("whole-out", "cut-out")
    one, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in names)
    assert one == other


def test_a_loss_that_no_scale_makes_finite_stops_the_training(student: Path, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="NaN or infinite"):
        run(student, tmp_path, "nan", Heard(), learning_rate=1e30, steps=40)


def test_a_training_in_float32_has_no_scale(student: Path, tmp_path: Path) -> None:
    done = run(student, tmp_path, "wide", Heard(), preset="cpu-small")
    assert "overflowed_steps" not in done.to_json() and "refused_rows" not in done.to_json()
