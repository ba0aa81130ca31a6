"""The measurements, a function for each row: shapes, device and an empty folder in, values with units out."""

from __future__ import annotations

import functools
import gc
import importlib.util
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.gpu.shapes import Model, Shapes
from zoo.progress import Silent

NEAR_LOGITS, NEAR_TEACHER = 3.1, 0.098
"""Deviations of the logits and of the teacher's from them: about 0.003 nats, where rounding hurts most."""
LARGEST = 0.01
"""Of the gradient's error."""

TOP = ("top_ids", "top_logp", "tail_logp")
COMBINATIONS = (
    ("none", "cpu-small"), ("lora", "ampere-balanced"), ("qlora", "ampere-balanced"), ("qlora", "turing-safe"),
    ("qlora", "ada-memory"), ("qlora", "ada-memory-nf4"),
)  # fmt: skip


def _now(device: str) -> float:
    import torch

    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def _timed(run: Callable[[], object], repeats: int, device: str) -> dict[str, float | None]:
    """Median seconds after one run for warmth, and the highest memory above that before; None on a processor."""
    import torch

    run()
    gc.collect()
    before = 0
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    seconds = []
    for _ in range(repeats):
        started = _now(device)
        run()
        seconds.append(_now(device) - started)
    peak = torch.cuda.max_memory_allocated() - before if device == "cuda" else None
    return {"seconds": median(seconds), "peak_bytes": peak}


def _dtype(device: str) -> Any:
    import torch

    return torch.bfloat16 if device != "cuda" or torch.cuda.is_bf16_supported() else torch.float16


def random_model(shape: Model, device: str) -> Any:
    """A model of this shape with random weights in 16 bits, made where it is used: on a processor it takes minutes."""
    import torch
    import transformers

    config = transformers.Qwen2Config(
        hidden_size=shape.width, intermediate_size=shape.inner, num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads, num_key_value_heads=shape.key_heads, vocab_size=shape.vocabulary,
        tie_word_embeddings=True,
    )  # fmt: skip
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(_dtype(device))
    try:
        with torch.device(device):
            return transformers.Qwen2ForCausalLM(config).eval()
    finally:
        torch.set_default_dtype(before)


def student_folder(shapes: Shapes, device: str, folder: Path) -> Path:
    """The student as a model folder without a tokenizer, made once."""
    made = folder / "student"
    if not made.is_dir():
        random_model(shapes.student, device).save_pretrained(made)
    return made


def _rows(shapes: Shapes, count: int) -> tuple[Any, ...]:
    """Conversations of random tokens; the second half of each is the assistant's."""
    import torch

    from zoo.training.conversations import EncodedRow

    random = torch.Generator().manual_seed(1)
    size, half = shapes.row_tokens, shapes.row_tokens // 2
    return tuple(
        EncodedRow(
            f"row {number}", tuple(torch.randint(shapes.student.vocabulary, (size,), generator=random).tolist()),
            (False,) * half + (True,) * (size - half),
        )
        for number in range(count)
    )  # fmt: skip


@functools.cache
def _answers(shapes: Shapes) -> Answers:
    return Answers(_rows(shapes, shapes.rows), shapes)


class Answers:
    """A teacher's answers to rows, in memory."""

    def __init__(self, rows: tuple[Any, ...], shapes: Shapes) -> None:
        import torch

        from zoo.training.teacher import top_of

        random = torch.Generator().manual_seed(2)
        self.made = [
            top_of(torch.randn(len(row.positions), shapes.student.vocabulary, generator=random), shapes.top_k, 1.0)
            for row in rows
        ]

    def targets(self, numbers: Any) -> Any:
        """Of these rows, one after the other."""
        import torch

        from zoo.training.teacher.targets import Targets

        return Targets(*(torch.cat([self.made[number][name] for number in numbers]) for name in TOP))


def gradient(shapes: Shapes, device: str, folder: Path) -> Mapping[str, Any]:
    """The fused loss in 16 bits against float64, near the teacher."""
    del folder
    import torch

    from zoo.training.fused import Goal, Loss, sparse_loss
    from zoo.training.teacher import top_of

    random = torch.Generator().manual_seed(0)
    width, vocabulary = shapes.student.width, shapes.near_vocabulary
    hidden = torch.randn(64, width, generator=random).to(_dtype(device)).to(device).requires_grad_()
    weight = torch.randn(vocabulary, width, generator=random) * NEAR_LOGITS / width**0.5
    weight = weight.to(_dtype(device)).to(device)
    exact = hidden.detach().double().requires_grad_()
    z = exact @ weight.double().T
    noise = torch.randn(z.shape, generator=random).to(device)
    found = top_of(z.detach() + NEAR_TEACHER * noise, shapes.top_k, 1.0)
    goal = Goal(found["top_ids"], found["top_logp"], found["tail_logp"])
    logq = z.log_softmax(-1)
    top = logq.gather(-1, goal.ids.long())
    tail = logq.scatter(-1, goal.ids.long(), float("-inf")).logsumexp(-1)
    right = (goal.logp.double().exp() * (goal.logp.double() - top)).sum(-1)
    right = (right + goal.tail.double().exp() * (goal.tail.double() - tail)).mean()
    (true,) = torch.autograd.grad(right, exact)
    ours = sparse_loss(hidden, weight, goal, Loss(), denominator=len(hidden))
    (own,) = torch.autograd.grad(ours, hidden)
    error = float((own.double() - true).norm() / true.norm())
    return {"error_share": error, "at_most": LARGEST, "reached": error <= LARGEST, "divergence_nats": float(right)}


def head(shapes: Shapes, device: str, folder: Path) -> Mapping[str, Any]:
    """The check of the output head, with a model in 16 bits."""
    from zoo.training.models import check_head, load_model

    model = load_model(student_folder(shapes, device, folder), _dtype(device), device)
    check_head(model, _rows(shapes, 1)[0].input_ids)
    return {"accepted": True, "dtype": str(model.dtype)}


def resume(shapes: Shapes, device: str, folder: Path) -> Mapping[str, Any]:
    """Four steps, against two, a checkpoint, and two more in a new optimizer."""
    import torch

    from zoo.training.checkpoints import open_run, restore, save, trainable

    student = student_folder(shapes, device, folder)
    whole = _Training(student, shapes, device, "lora", "ampere-balanced")
    whole.run(4)
    first = _Training(student, shapes, device, "lora", "ampere-balanced")
    first.run(2)
    open_run(folder / "scratch", "gpu", Silent())
    save(folder / "scratch", first.model, first.optimizer, first.progress)
    second = _Training(student, shapes, device, "lora", "ampere-balanced")
    restored = restore(folder / "scratch", second.model, second.optimizer, Silent())
    assert restored is not None
    second.progress = restored
    second.run(2)
    others = trainable(second.model)
    furthest = max(float((value - others[name]).detach().abs().max()) for name, value in trainable(whole.model).items())
    place = {str(state["step"].device) for state in second.optimizer.state.values()}
    return {"largest_difference": furthest, "same": furthest == 0.0, "step_count_on": sorted(place),
            "deterministic": torch.are_deterministic_algorithms_enabled()}  # fmt: skip


class _Training:
    """The training loop's own step over random rows, with a teacher's answers in memory."""

    def __init__(self, student: Path, shapes: Shapes, device: str, adapter: str, preset: str) -> None:
        import torch

        from catalog.recipe import Distill
        from zoo.training.adapters import load_trainable, preset_named
        from zoo.training.checkpoints import Progress, trainable
        from zoo.training.objective import Job, Objective, chosen_loss
        from zoo.training.schedule import Batches

        chosen = preset_named(preset)
        dtype = _dtype(device) if chosen.compute == "bfloat16" else getattr(torch, chosen.compute)
        torch.manual_seed(0)
        self.model = load_trainable(student, adapter, chosen, dtype, device)
        rows = _rows(shapes, shapes.rows)
        spec = Distill(
            method="logits", adapter=adapter, preset=preset, steps=100, batch_rows=shapes.rows,
            row_tokens=shapes.row_tokens, learning_rate=1e-4, warmup_steps=2, top_k=shapes.top_k, temperature=1.0,
            seed=1, checkpoint_every_steps=50, loss=None, micro_tokens=None, gradient_checkpointing=None,
        )  # fmt: skip
        batches = Batches([len(row.input_ids) for row in rows], spec.batch_rows, spec.seed)
        loss = chosen_loss(self.model, spec, dtype, device)
        self.rows, self.answers = rows, _answers(shapes)
        self.job = Job(spec, rows, batches, self.answers, dtype, device, 0, Silent(), loss=loss)  # type: ignore[arg-type]  # answers in memory
        self.objective = Objective(self.model, self.job)
        self.moving = [*trainable(self.model).values()]
        self.optimizer = torch.optim.AdamW(self.moving, lr=1e-4, weight_decay=0.0, fused=True)
        self.progress = Progress(0, [], 0, 0, 0.0, torch.get_num_threads())

    def run(self, steps: int = 1) -> None:
        from zoo.training.step import one_step

        for _ in range(steps):
            one_step(self.objective, self.optimizer, self.moving, self.job, self.progress)


def loss(shapes: Shapes, device: str, folder: Path) -> Mapping[str, Any]:
    """Head and loss alone, forward and backward, with a trained head."""
    del folder
    import torch

    from zoo.training.fused import Goal, Loss, sparse_loss
    from zoo.training.losses import topk_kld
    from zoo.training.teacher import top_of

    made: dict[str, Any] = {}
    width, vocabulary = shapes.student.width, shapes.student.vocabulary
    weight = torch.randn(vocabulary, width, device=device, dtype=_dtype(device)).requires_grad_()
    for count in shapes.positions:
        hidden = torch.randn(count, width, device=device, dtype=_dtype(device)).requires_grad_()
        parts = [top_of(torch.randn(64, vocabulary, device=device), shapes.top_k, 1.0) for _ in range(-(-count // 64))]
        goal = Goal(*(torch.cat([part[name] for part in parts])[:count] for name in TOP))

        def run(way: str, hidden: Any = hidden, goal: Any = goal, count: int = count) -> None:
            if way == "chunked":
                value = sparse_loss(hidden, weight, goal, Loss(), denominator=count)
            else:
                value = topk_kld((hidden @ weight.T).float(), *goal, 1.0).mean()
            value.backward()
            hidden.grad = weight.grad = None

        made[str(count)] = {
            way: _timed(lambda way=way, run=run: run(way), shapes.repeats, device) for way in ("chunked", "together")
        }
    has_liger = importlib.util.find_spec("liger_kernel") is not None
    return {"positions": made, "liger": None, "why_no_liger": "not compared here" if has_liger else "not installed"}


def teacher(shapes: Shapes, device: str, folder: Path) -> Mapping[str, Any]:
    """Reading rows and writing the top tokens of their positions, as the cache does, one row and many at a time."""
    del folder
    import torch

    from zoo.training.models import hidden_at, logits_of
    from zoo.training.teacher import top_of

    model = random_model(shapes.teacher, device)
    rows = _rows(shapes, shapes.teacher_rows)
    ids = torch.tensor([row.input_ids for row in rows], device=device) % shapes.teacher.vocabulary

    def run(together: int) -> None:
        with torch.no_grad():
            for start in range(0, len(rows), together):
                part = ids[start : start + together]
                count = len(part) * len(rows[0].positions)
                at = torch.arange(len(part), device=device).repeat_interleave(len(rows[0].positions))
                where = torch.tensor(rows[0].positions, device=device).repeat(len(part))
                hidden = hidden_at(model, part, at, where)
                for begin in range(0, count, 1024):
                    top_of(logits_of(model, hidden[begin : begin + 1024]), shapes.top_k, 1.0)["top_logp"].cpu()

    tokens = ids.numel()
    speed = {}
    for together in (1, shapes.teacher_rows):
        seconds = _timed(lambda together=together: run(together), min(2, shapes.repeats), device)["seconds"]
        speed[str(together)] = tokens / float(seconds or 1)
    return {"tokens_per_second": speed, "ratio": speed[str(shapes.teacher_rows)] / speed["1"]}


def presets(shapes: Shapes, device: str, folder: Path) -> Mapping[str, Any]:
    """Every combination by itself; one that fails says why."""
    student = student_folder(shapes, device, folder)
    made: dict[str, Any] = {}
    for adapter, preset in COMBINATIONS:
        try:
            training = _Training(student, shapes, device, adapter, preset)
            figures = _timed(training.run, shapes.steps, device)
            trained = sum(value.numel() for value in training.moving)
            made[f"{adapter} {preset}"] = {**figures, "trained_weights": trained,
                                           "last_loss_nats": training.progress.losses[-1]["loss"]}  # fmt: skip
        except Exception as error:  # noqa: BLE001 - the others are measured
            made[f"{adapter} {preset}"] = {"why": f"{type(error).__name__}: {error}"[:300]}
    return made


def autocast(shapes: Shapes, device: str, folder: Path) -> Mapping[str, Any]:
    """Forward and backward of the layers alone, with the adapter's products in 16 bits and in float32."""
    import torch

    from zoo.training.adapters import load_trainable, preset_named

    student = student_folder(shapes, device, folder)
    model = load_trainable(student, "lora", preset_named("ampere-balanced"), _dtype(device), device)
    ids = torch.tensor([row.input_ids for row in _rows(shapes, shapes.rows)], device=device)

    def run(is_on: bool) -> None:
        with torch.autocast(device, dtype=_dtype(device), enabled=is_on):
            found = model.base_model.model.model(input_ids=ids, use_cache=False).last_hidden_state
        found.float().square().mean().backward()
        model.zero_grad(set_to_none=True)

    with_, without = (_timed(lambda is_on=is_on: run(is_on), shapes.repeats, device) for is_on in (True, False))
    return {"with": with_, "without": without, "ratio": float(without["seconds"] or 0) / float(with_["seconds"] or 1)}


def step(shapes: Shapes, device: str, folder: Path) -> Mapping[str, Any]:
    """A whole step: ours with answers at hand; a plain loop that runs the teacher, with all logits of both.

    The plain loop is written here in the form of TRL's chunked loss with a local teacher; TRL itself is not compared.
    """
    import torch
    import torch.utils.checkpoint

    student = student_folder(shapes, device, folder)
    ours = _Training(student, shapes, device, "none", "cpu-small" if device == "cpu" else "ampere-balanced")
    cached = _timed(ours.run, shapes.repeats, device)
    plain = _Training(student, shapes, device, "none", "cpu-small" if device == "cpu" else "ampere-balanced")
    beside = random_model(shapes.teacher, device)
    ids = torch.tensor([row.input_ids for row in plain.rows], device=device)
    wanted = torch.tensor([row.positions for row in plain.rows], device=device)
    picked = torch.arange(len(plain.rows), device=device)[:, None]

    def run() -> None:
        with torch.no_grad():
            theirs = beside.model(input_ids=ids, use_cache=False).last_hidden_state[picked, wanted].flatten(0, 1)
        with torch.autocast(device, dtype=_dtype(device), enabled=device == "cuda"):
            own = plain.model.model(input_ids=ids, use_cache=False).last_hidden_state[picked, wanted].flatten(0, 1)
        head_, other = plain.model.lm_head.weight, beside.lm_head.weight
        total = own.new_zeros((), dtype=torch.float32)
        for begin in range(0, len(own), 256):
            def part(mine: Any, far: Any) -> Any:
                q = (mine.to(head_.dtype) @ head_.T).float().log_softmax(-1)
                p = (far @ other.T).float().log_softmax(-1)
                return (p.exp() * (p - q)).sum()

            args = own[begin : begin + 256], theirs[begin : begin + 256]
            total = total + torch.utils.checkpoint.checkpoint(part, *args, use_reentrant=False)
        (total / len(own)).backward()
        plain.optimizer.step()
        plain.optimizer.zero_grad(set_to_none=True)

    online = _timed(run, shapes.repeats, device)
    tokens = ids.numel()
    speeds = {name: tokens / float(one["seconds"] or 1) for name, one in (("cached", cached), ("online", online))}
    return {"tokens_per_second": speeds, "ratio": speeds["cached"] / speeds["online"],
            "peak_bytes": {"cached": cached["peak_bytes"], "online": online["peak_bytes"]}}  # fmt: skip
