"""Training with another loss, or with one that is computed chunk by chunk."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("peft")

from denseloss import dense  # noqa: E402 - after the skip
from tinymodel import make_tiny_llama  # noqa: E402 - after the skip

from catalog.losses import BETAS, KINDS  # noqa: E402 - after the skip
from catalog.recipe import Distill, DistillLoss  # noqa: E402 - after the skip
from zoo.errors import InputError  # noqa: E402 - after the skip
from zoo.progress import Silent  # noqa: E402 - after the skip
from zoo.training.checkpoints import Progress  # noqa: E402 - after the skip
from zoo.training.conversations import Conversation, EncodedRow, encode  # noqa: E402 - after the skip
from zoo.training.fused import Goal, Loss  # noqa: E402 - after the skip
from zoo.training.loop import Run, distill  # noqa: E402 - after the skip
from zoo.training.models import load_model, load_tokenizer  # noqa: E402 - after the skip
from zoo.training.objective import Job, Objective, chosen_loss  # noqa: E402 - after the skip
from zoo.training.report import DistillReport  # noqa: E402 - after the skip
from zoo.training.schedule import Batches  # noqa: E402 - after the skip
from zoo.training.step import one_step  # noqa: E402 - after the skip
from zoo.training.teacher import Question, cache_teacher  # noqa: E402 - after the skip

SPEC = Distill(
    method="logits", adapter="none", preset="cpu-small", steps=1, batch_rows=3, row_tokens=64, learning_rate=1e-3,
    warmup_steps=1, top_k=16, temperature=1.5, seed=1, checkpoint_every_steps=2, loss=None, micro_tokens=None,
    gradient_checkpointing=None,
)  # fmt: skip
CHATS = [
    Conversation(f"c{number}", (("user", f"q {number}"), ("assistant", "a" * (2 + number)))) for number in range(8)
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("losses")
    make_tiny_llama(folder / "student", layers=1, seed=5)
    make_tiny_llama(folder / "teacher", layers=1)
    return folder


def run(home: Path, folder: Path, report: Any = None, **changes: Any) -> DistillReport:
    spec = dataclasses.replace(SPEC, **changes)
    folders = (folder / "out", folder / "scratch")
    models = (home / "student", home / "teacher")
    return distill(Run(*models, CHATS, CHATS[:3], spec, *folders, report or Silent(), threads=1))


def first_loss(done: DistillReport) -> float:
    return float(done.loss_curve[0]["loss"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunk", [1, None])
def test_a_training_has_the_loss_of_its_recipe(kind: str, chunk: int | None, home: Path, tmp_path: Path) -> None:
    wanted = DistillLoss(kind, BETAS.get(kind), chunk)
    done = run(home, tmp_path, loss=wanted)
    assert done.to_json()["loss"] == dataclasses.asdict(wanted)
    rows = encode(load_tokenizer(home / "student"), CHATS, SPEC.row_tokens).rows
    numbers = Batches([len(row.input_ids) for row in rows], SPEC.batch_rows, SPEC.seed).rows(0)
    question = Question(home / "teacher", rows, SPEC.top_k, SPEC.temperature)
    found = cache_teacher(question, tmp_path / "again", Silent()).targets(numbers)
    model = load_model(home / "student", torch.float32, "cpu")
    with torch.no_grad():
        hidden = torch.cat([
            model.base_model(input_ids=torch.tensor([rows[number].input_ids])).last_hidden_state[0][
                list(rows[number].positions)
            ]
            for number in numbers
        ])  # fmt: skip
        loss = Loss(kind, BETAS.get(kind, 0.0), SPEC.temperature)
        goal = Goal(found.ids, found.logp, found.tail_logp)
        right = dense(hidden, model.get_output_embeddings().weight, goal, loss) / len(hidden)
    assert first_loss(done) == pytest.approx(float(right), rel=1e-4) and float(right) > 0.01


@pytest.mark.parametrize("changes", [{}, {"method": "labels"}, {"adapter": "lora"}])
def test_chunks_give_the_training_of_all_positions_together(
    changes: dict[str, Any], home: Path, tmp_path: Path
) -> None:
    """The first loss is the same; after some steps, gradients are. Labels have no temperature."""
    before = run(home, tmp_path / "together", steps=6, **changes)
    after = run(home, tmp_path / "chunks", steps=6, loss=DistillLoss("forward_kl", None, 2), **changes)
    assert "loss" not in before.to_json()
    losses = [[one["loss"] for one in done.loss_curve] for done in (before, after)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert losses[0][0] == pytest.approx(losses[1][0], rel=1e-6)


def test_another_loss_learns_and_resumes_with_the_same_bytes(home: Path, tmp_path: Path) -> None:
    loss = DistillLoss("jsd", 0.5, None)
    whole = run(home, tmp_path / "whole", steps=40, loss=loss)
    assert whole.heldout_before and whole.heldout_after
    assert whole.heldout_after.kld_mean_nats < 0.8 * whole.heldout_before.kld_mean_nats

    class Stopping(Silent):
        def task(self, what: str, total: int, unit: str) -> Any:
            if what == "held-out after":
                raise KeyboardInterrupt
            return super().task(what, total, unit)

    with pytest.raises(KeyboardInterrupt):
        run(home, tmp_path / "cut", Stopping(), steps=40, loss=loss)
    assert run(home, tmp_path / "cut", steps=40, loss=loss).timing["resumed_from_step"] == 40
    one, other = ((tmp_path / name / "out" / "model.safetensors").read_bytes() for name in ("whole", "cut"))
    assert one == other


SMALL: dict[str, Any] = {
    "vocab_size": 96, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "head_dim": 16,
}  # fmt: skip


def step_of(model: Any, loss: Loss | None, width: int | None = None) -> tuple[float, list[Any]]:
    """The loss of a step of ``model`` on labels, and its gradients of the head. The model stays as it is."""
    rows = tuple(EncodedRow(f"r{n}", (5, 6, 7 + n, 8), (False, False, True, True)) for n in range(4))
    job = Job(
        dataclasses.replace(SPEC, method="labels"), rows, Batches([4] * 4, 3, 1), None, torch.float32, "cpu", 0,
        Silent(), width, loss,
    )  # fmt: skip
    kept: list[Any] = []

    class Kept(torch.optim.SGD):  # type: ignore[misc]  # of an optional library
        def step(self) -> Any:
            kept.extend(one.grad.clone() for one in model.get_output_embeddings().parameters())

    progress = Progress(0, [], 0, 0, 0.0, 1)
    one_step(Objective(model, job), Kept(model.parameters()), list(model.parameters()), job, progress)
    return progress.losses[0]["loss"], kept


@pytest.mark.parametrize("bound", [0.5, None])
@pytest.mark.parametrize("biased", [False, True])
def test_heads_with_a_bias_and_bounded_logits(biased: bool, bound: float | None) -> None:
    transformers.set_seed(0)
    config = transformers.Gemma2Config(**SMALL, final_logit_softcapping=bound)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    if biased:
        own, model.lm_head = model.lm_head, torch.nn.Linear(64, 96)
        model.lm_head.weight = own.weight
    wanted = dataclasses.replace(SPEC, method="labels", loss=DistillLoss("forward_kl", None, 3))
    loss = chosen_loss(model, wanted, torch.float32, "cpu")
    assert loss and loss.softcap == bound and loss.temperature == 1.0
    together, chunked = step_of(model, None), step_of(model, loss)
    assert chunked[0] == pytest.approx(together[0], rel=1e-6)
    assert len(chunked[1]) == 1 + biased
    for one, other in zip(together[1], chunked[1], strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-7)


def test_scaled_logits() -> None:
    transformers.set_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(transformers.GraniteConfig(**SMALL, logits_scaling=8.0))
    wanted = dataclasses.replace(SPEC, method="labels", loss=DistillLoss("forward_kl", None, 3))
    loss = chosen_loss(model, wanted, torch.float32, "cpu")
    assert loss and loss.scale == 1 / 8
    together, chunked = step_of(model, None), step_of(model, loss)
    assert chunked[0] == pytest.approx(together[0], rel=1e-6)
    for one, other in zip(together[1], chunked[1], strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-7)


def test_a_head_that_is_cut_gets_no_gradient_beyond() -> None:
    transformers.set_seed(0)
    config = transformers.LlamaConfig(**SMALL)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    _, (gradient,) = step_of(model, Loss(), width=40)
    assert float(gradient[:40].norm()) > 0 and not gradient[40:].any()


def test_which_trainings_compute_their_loss_chunk_by_chunk() -> None:
    model = transformers.AutoModelForCausalLM.from_config(transformers.LlamaConfig(**SMALL))
    asked = dataclasses.replace(SPEC, loss=DistillLoss("tv", None, None))
    assert chosen_loss(model, SPEC, torch.float32, "cpu") is None, "releases have its bytes"
    for dtype, device in ((torch.bfloat16, "cpu"), (torch.float16, "cpu"), (torch.float32, "cuda")):
        assert chosen_loss(model, SPEC, dtype, device) == Loss("forward_kl", 0.0, 1.5)
    assert chosen_loss(model, asked, torch.float32, "cpu") == Loss("tv", 0.0, 1.5)

    class Odd(torch.nn.Linear):  # type: ignore[misc]  # of an optional library
        pass

    model.lm_head = Odd(64, 96, bias=False)
    assert chosen_loss(model, SPEC, torch.bfloat16, "cpu") is None
    with pytest.raises(InputError, match="needs an output head that is one matrix, but this model's is a Odd"):
        chosen_loss(model, asked, torch.float32, "cpu")
