"""A step in parts: any size gives the same training, apart from the rounding of its sums."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("peft")

from shortchats import CHATS  # noqa: E402 - after the skip
from tinymodel import make_tiny_llama  # noqa: E402 - after the skip

from catalog.recipe import Distill, DistillLoss  # noqa: E402 - after the skip
from zoo.errors import InputError  # noqa: E402 - after the skip
from zoo.files.digests import sha256_file  # noqa: E402 - after the skip
from zoo.progress import Silent  # noqa: E402 - after the skip
from zoo.training.checkpoints import Progress  # noqa: E402 - after the skip
from zoo.training.conversations import EncodedRow  # noqa: E402 - after the skip
from zoo.training.loop import Run, distill  # noqa: E402 - after the skip
from zoo.training.objective import Job, Objective, chosen_loss, recompute  # noqa: E402 - after the skip
from zoo.training.parts import parts  # noqa: E402 - after the skip
from zoo.training.schedule import Batches  # noqa: E402 - after the skip
from zoo.training.step import one_step  # noqa: E402 - after the skip

SPEC = Distill(
    method="labels", adapter="none", preset="cpu-small", steps=10, batch_rows=5, row_tokens=64, learning_rate=1e-3,
    warmup_steps=1, top_k=16, temperature=1.0, seed=1, checkpoint_every_steps=5, loss=None, micro_tokens=None,
    gradient_checkpointing=None,
)  # fmt: skip
ANSWERS = (3, 20, 5, 12, 1, 9, 2)
ROWS = tuple(
    EncodedRow(f"r{row}", tuple(5 + (7 * row + n) % 80 for n in range(4 + size)), (False,) * 4 + (True,) * size)
    for row, size in enumerate(ANSWERS)
)
SMALL: dict[str, Any] = {
    "vocab_size": 96, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "head_dim": 8, "tie_word_embeddings": True,
}  # fmt: skip


def test_parts_hold_every_row_once_and_their_padding() -> None:
    lengths = [len(row.input_ids) for row in ROWS]
    for most in (1, 8, 24, 40, 100, 1000, None):
        found = parts(range(7), lengths, most)
        assert sorted(row for part in found for row in part) == list(range(7))
        for part in found:
            assert most is None or len(part) == 1 or len(part) * max(lengths[row] for row in part) <= most
    assert parts([4, 0, 1], lengths, None) == parts([4, 0, 1], lengths, 72) == [[4, 0, 1]], "in the step's order"
    assert parts([4, 0, 1], lengths, 71) == [[4, 0], [1]]
    assert len(parts(range(7), lengths, 1)) == 7


def trained(dtype: Any, **changes: Any) -> tuple[list[float], list[Any]]:
    """The losses of ten steps of a small model, and its weights."""
    spec = dataclasses.replace(SPEC, **changes)
    transformers.set_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(transformers.LlamaConfig(**SMALL)).to(dtype).train()
    batches = Batches([len(row.input_ids) for row in ROWS], spec.batch_rows, spec.seed)
    job = Job(spec, ROWS, batches, None, dtype, "cpu", 0, Silent(), None, chosen_loss(model, spec, dtype, "cpu"))
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=spec.learning_rate, betas=(0.9, 0.95), weight_decay=0.0)
    if spec.gradient_checkpointing:
        recompute(model)
    objective, progress = Objective(model, job), Progress(0, [], 0, 0, 0.0, 1)
    for _ in range(spec.steps):
        one_step(objective, optimizer, parameters, job, progress)
    return [one["loss"] for one in progress.losses], [one.detach() for one in parameters]


ADAM_EPSILON = 1e-8
"""Of torch: a weight's move is the learning rate times g / (|g| + this) at the first step, and no steeper later."""


def bound(dtype: Any) -> float:
    """How far two orders of the same sums may put a weight apart, after all steps.

    A gradient is a sum over the step's tokens, layers and widths, each term rounded once on either side, and is clipped
    to 1. AdamW divides by its size, so that an error of it counts 1 / epsilon times as much, but a move is never larger
    than the learning rate, in either direction.
    """
    terms = sum(len(row.input_ids) for row in ROWS) * int(SMALL["intermediate_size"])
    share = min(2.0, 2 * terms * float(torch.finfo(dtype).eps) / ADAM_EPSILON)
    return SPEC.steps * SPEC.learning_rate * share



@pytest.mark.parametrize("micro", [1, 30, 48])
def test_any_size_gives_the_same_losses_and_weights(micro: int) -> None:
    loss = DistillLoss("forward_kl", None, 3)
    whole, right = trained(torch.float64, loss=loss)
    losses, weights = trained(torch.float64, loss=loss, micro_tokens=micro)
    most = bound(torch.float64)
    assert most < 1e-3 * SPEC.learning_rate * SPEC.steps, "the bound says something"
    # Weights that are off by so much change the logits, and with them the loss, by their number at most.
    assert losses == pytest.approx(whole, abs=most * SMALL["hidden_size"])
    assert max(float((one - other).abs().max()) for one, other in zip(weights, right, strict=True)) <= most


@pytest.mark.parametrize("loss", [None, DistillLoss("forward_kl", None, 3)])
def test_float32_is_as_near_as_promised(loss: DistillLoss | None) -> None:
    whole, right = trained(torch.float32, loss=loss)
    losses, weights = trained(torch.float32, loss=loss, micro_tokens=30)
    assert losses == pytest.approx(whole, rel=1e-5)
    assert max(float((one - other).abs().max()) for one, other in zip(weights, right, strict=True)) <= 1e-5


def test_a_mean_of_each_part_is_another_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the bound above is for: with a denominator of its own for every part, it is exceeded."""
    loss = DistillLoss("forward_kl", None, 3)
    _, right = trained(torch.float64, loss=loss)
    forward = Objective.forward

    def own(self: Any, numbers: Any, _: int) -> Any:
        return forward(self, numbers, sum(len(ROWS[number].positions) for number in numbers))

    monkeypatch.setattr(Objective, "forward", own)
    _, weights = trained(torch.float64, loss=loss, micro_tokens=30)
    apart = max(float((one - other).abs().max()) for one, other in zip(weights, right, strict=True))
    assert apart > 100 * bound(torch.float64)


# --- Layers that are computed again


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("micro")
    make_tiny_llama(folder / "student", layers=2)
    make_tiny_llama(folder / "teacher", layers=1, seed=3)
    return folder


def run(home: Path, name: str, **changes: Any) -> str:
    """The digest of the finished weights."""
    spec = dataclasses.replace(SPEC, steps=3, method="logits", **changes)
    out, scratch, shared = (home / f"{name}-{part}" for part in ("out", "scratch", "teachers"))
    models = home / "student", home / "teacher"
    distill(Run(*models, CHATS, [], spec, out, scratch, Silent(), threads=1, shared=shared))
    return sha256_file(out / "model.safetensors")


@pytest.mark.parametrize(
    "changes", [{}, {"adapter": "lora", "preset": "ampere-balanced"}], ids=["all weights", "adapter with dropout"]
)
def test_layers_computed_again_give_the_same_weights(home: Path, changes: dict[str, Any]) -> None:
    usual = run(home, "usual", micro_tokens=128, **changes)
    assert run(home, "again", micro_tokens=128, gradient_checkpointing=True, **changes) == usual


def test_less_is_kept_for_the_gradient() -> None:
    """Of every layer its input alone, and of one layer at a time the rest. The loss keeps as much either way."""

    def kept(again: bool, layers: int) -> int:
        config = transformers.LlamaConfig(**{**SMALL, "num_hidden_layers": layers})
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).train()
        if again:
            recompute(model)
        job = Job(SPEC, ROWS, Batches([1], 1, 1), None, torch.float32, "cpu", 0, Silent())
        weights = {one.untyped_storage().data_ptr() for one in model.parameters()}
        seen: dict[int, Any] = {}

        def keep(tensor: Any) -> Any:
            seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            Objective(model, job)([1, 3, 5], 41)
        return sum(storage.nbytes() for where, storage in seen.items() if where not in weights)

    a_layers_input = 3 * len(ROWS[1].input_ids) * SMALL["hidden_size"] * 4
    assert kept(True, 8) - kept(True, 2) == 6 * a_layers_input
    assert kept(False, 8) - kept(False, 2) > 10 * 6 * a_layers_input


def test_an_architecture_that_cannot_is_refused() -> None:
    model = transformers.AutoModelForCausalLM.from_config(transformers.LlamaConfig(**SMALL))
    model.supports_gradient_checkpointing = False
    with pytest.raises(InputError, match="LlamaForCausalLM cannot compute its layers again"):
        recompute(model)
