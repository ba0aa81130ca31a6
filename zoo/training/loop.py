"""Distillation: steps over the teacher's answers until the student is a finished model folder.

The same call continues after a SIGKILL. Everything a step needs is either in the last checkpoint (weights,
moments) or a function of the step's number (rows, learning rate, dropout), so the finished weights have the
same bytes as those of an uninterrupted run with the same threads.
"""

from __future__ import annotations

import gc
import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from catalog.recipe import Distill
from zoo.errors import InputError, ZooError
from zoo.files.digests import digest
from zoo.files.locks import locked
from zoo.modelfolder.files import TOKENIZER
from zoo.progress import Reporter
from zoo.training import checkpoints, precision, versions
from zoo.training.adapters import compute_dtype, load_trainable, merge, preset_named
from zoo.training.checkpoints import Progress
from zoo.training.conversations import Conversation, EncodedRow, Encoding, encode
from zoo.training.files import read_json, weights_digest, write_json
from zoo.training.heldout import Heldout, measure
from zoo.training.losses import label_cross_entropy, topk_kld
from zoo.training.models import check_head, inference_dtype, load_model, load_tokenizer, logits_at, save_model
from zoo.training.repeatable import repeatable, seed_for
from zoo.training.report import DistillReport
from zoo.training.schedule import batch_rows, learning_rate
from zoo.training.teacher import TeacherCache, cache_digest, cache_teacher

CLIP_NORM = 1.0
FLOAT16_LOSS_SCALE = 1024.0
"""Keeps small float16 gradients from becoming zero; constant, so a resumed run has no state to lose
(Micikevicius et al. 2018, "Mixed Precision Training", section 3.2). A power of two: scaling rounds nothing.
"""


@dataclass(frozen=True)
class Job:
    """What stays the same over all steps."""

    spec: Distill
    rows: tuple[EncodedRow, ...]
    cache: TeacherCache | None
    dtype: torch.dtype
    device: str
    pad: int


def distill(
    student: Path,
    teacher: Path | None,
    train: Sequence[Conversation],
    heldout: Sequence[Conversation],
    spec: Distill,
    out: Path,
    scratch: Path,
    report: Reporter,
    *,
    threads: int,
    device: str = "cpu",
    shared: Path | None = None,
) -> DistillReport:
    """Train ``student`` on ``train`` and write the finished folder into ``out``; ``scratch`` keeps what a
    resume needs.

    shared: folder of teacher caches by digest, which other students then use too; None keeps this one in ``scratch``.
    Raises InputError for settings that do not fit together, ZooError for a loss that is no number.
    """
    with repeatable(threads, device):
        dtype = compute_dtype(preset_named(spec.preset), device, report)
        tokenizer = load_tokenizer(student)
        train_set, heldout_set = (encode(tokenizer, part, spec.row_tokens) for part in (train, heldout))
        judge = _usable_teacher(teacher, tokenizer, spec, report)
        _check(train_set, spec)
        checkpoints.open_run(
            scratch, _identity(student, judge, train_set, heldout_set, spec, device, dtype), report
        )
        cache = None
        if spec.method == "logits" and judge is not None:
            cache = _cache(judge, train_set.rows, spec, scratch / "teacher", shared, report, device)
        before = _before(student, judge, heldout_set, scratch, report, device)
        job = Job(spec, train_set.rows, cache, dtype, device, tokenizer.pad_token_id or 0)
        progress, resumed = _train(student, job, out, scratch, report, threads)
        after = _measure(out, judge, heldout_set, report, "held-out after", device)
    return _report(job, train_set, progress, resumed, threads, before, after)


def _train(
    student: Path, job: Job, out: Path, scratch: Path, report: Reporter, threads: int
) -> tuple[Progress, int | None]:
    """Run the steps left, merge and write ``out``; returns the progress and the step resumed from."""
    spec = job.spec
    torch.manual_seed(seed_for(spec.seed, "adapter"))
    model = load_trainable(student, spec.adapter, preset_named(spec.preset), job.dtype, job.device)
    if spec.adapter != "qlora":
        # bitsandbytes repacks 4-bit weights on a CPU at the first forward pass in evaluation mode, and the
        # repacked product has no gradient: a 4-bit model must not be run before it is trained.
        check_head(model.eval(), job.rows[0].input_ids)
        model.train()
    parameters = list(checkpoints.trainable(model).values())
    optimizer = torch.optim.AdamW(
        parameters, lr=spec.learning_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True
    )
    found = checkpoints.restore(scratch, model, optimizer, report)
    progress = found or Progress(0, [], 0, 0, 0.0, threads)
    resumed = progress.step if found else None
    if found:
        report.say(f"Continuing after step {found.step} of {spec.steps}")
        if found.threads != threads:
            report.warn(
                f"Started with {found.threads} threads, now using {threads}: the last bits of the weights may differ"
            )
    with report.task("distil", spec.steps, "steps") as advance:
        advance(progress.step)
        while progress.step < spec.steps:
            _one_step(model, optimizer, parameters, job, progress)
            if progress.step % spec.checkpoint_every_steps == 0 or progress.step == spec.steps:
                checkpoints.save(scratch, model, optimizer, progress)
            advance(1)
    _finish(model, student, out, job)
    return progress, resumed


def _one_step(model: Any, optimizer: Any, parameters: list[Any], job: Job, progress: Progress) -> None:
    """One optimizer step over one batch; ``progress`` is moved on."""
    started = time.monotonic()
    spec, step = job.spec, progress.step
    numbers = batch_rows(step, [len(row.input_ids) for row in job.rows], spec.batch_rows, spec.seed)
    rate = learning_rate(step, spec.steps, spec.warmup_steps, spec.learning_rate)
    for group in optimizer.param_groups:
        group["lr"] = rate
    torch.manual_seed(seed_for(spec.seed, f"step {step}"))
    loss = _loss(model, job, numbers)
    scale = FLOAT16_LOSS_SCALE if job.dtype == torch.float16 else 1.0
    (loss * scale).backward()
    if scale != 1.0:
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad.div_(scale)
    norm = torch.nn.utils.clip_grad_norm_(parameters, CLIP_NORM)
    value = float(loss.detach())
    if not (math.isfinite(value) and math.isfinite(float(norm))):
        raise ZooError(
            f"The loss became NaN or infinite at step {step + 1} of {spec.steps} "
            f"(loss {value}, gradient {float(norm)})",
            safe="Earlier checkpoints are kept",
            remedy=f"Lower distill.learning_rate (now {spec.learning_rate:g}) or raise distill.warmup_steps "
            f"(now {spec.warmup_steps})",
        )
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    progress.step += 1
    progress.losses.append({"step": progress.step, "loss": value, "learning_rate": rate})
    progress.assistant_tokens += sum(len(job.rows[number].positions) for number in numbers)
    progress.row_tokens += sum(len(job.rows[number].input_ids) for number in numbers)
    progress.seconds += time.monotonic() - started


def _loss(model: Any, job: Job, numbers: Sequence[int]) -> torch.Tensor:
    """Mean loss per assistant token of the batch, in nats."""
    rows = [job.rows[number] for number in numbers]
    longest = max(len(row.input_ids) for row in rows)
    padded = [[*row.input_ids, *[job.pad] * (longest - len(row.input_ids))] for row in rows]
    where = [(number, position) for number, row in enumerate(rows) for position in row.positions]
    at_rows, positions = (torch.tensor(part, device=job.device) for part in zip(*where, strict=True))
    mixed = job.spec.adapter == "none" and job.dtype != torch.float32
    with torch.autocast(torch.device(job.device).type, dtype=job.dtype, enabled=mixed):
        logits = logits_at(model, torch.tensor(padded, device=job.device), at_rows, positions)
    if job.cache is None:
        labels = torch.tensor([label for row in rows for label in row.labels], device=job.device)
        return label_cross_entropy(logits, labels).mean()
    goal = job.cache.targets(numbers)
    ids, logp, tail = (tensor.to(job.device) for tensor in (goal.ids, goal.logp, goal.tail_logp))
    return topk_kld(logits, ids, logp, tail, job.spec.temperature).mean()


def _finish(model: Any, student: Path, out: Path, job: Job) -> None:
    """Merge the adapter and write the finished folder, the tokenizer byte for byte the student's."""
    base = None if job.spec.adapter == "none" else load_model(student, torch.float32, "cpu")
    merged = merge(model, base, job.spec.adapter, preset_named(job.spec.preset))
    out.mkdir(parents=True, exist_ok=True)
    save_model(merged, out, precision.kept(student))
    for name in (*TOKENIZER, "generation_config.json"):
        if (student / name).is_file():
            shutil.copyfile(student / name, out / name)


def _cache(
    teacher: Path,
    rows: Sequence[EncodedRow],
    spec: Distill,
    own: Path,
    shared: Path | None,
    report: Reporter,
    device: str,
) -> TeacherCache:
    """The teacher over the rows, made by one process at a time where several share the folder."""
    if shared is None:
        return cache_teacher(teacher, rows, spec.top_k, spec.temperature, own, report, device=device)
    folder = shared / cache_digest(teacher, rows, spec.top_k, spec.temperature)[:32]
    with locked(folder.with_suffix(".lock"), lambda: report.say("another zoo is reading this teacher; waiting")):
        return cache_teacher(teacher, rows, spec.top_k, spec.temperature, folder, report, device=device)


def _before(
    student: Path, teacher: Path | None, rows: Encoding, scratch: Path, report: Reporter, device: str
) -> Heldout | None:
    """The untrained student's figures; kept in ``scratch`` so that a resume does not measure again."""
    known = read_json(scratch / "heldout-before.json")
    if isinstance(known, dict) and known.pop("sha256", "") == digest(known):
        return Heldout(**known)
    found = _measure(student, teacher, rows, report, "held-out before", device)
    if found is not None:
        write_json(scratch / "heldout-before.json", {**asdict(found), "sha256": digest(asdict(found))})
    return found


def _measure(
    folder: Path, teacher: Path | None, rows: Encoding, report: Reporter, what: str, device: str
) -> Heldout | None:
    """Measure the model as it lies in ``folder`` (so the float16 rounding of a finished one counts), in
    float32.
    """
    if not rows.rows:
        return None
    gc.collect()
    judge = load_model(teacher, inference_dtype(device), device) if teacher else None
    model = load_model(folder, torch.float32, device)
    check_head(model, rows.rows[0].input_ids)
    return measure(model, judge, rows.rows, report, what)


def _usable_teacher(teacher: Path | None, tokenizer: Any, spec: Distill, report: Reporter) -> Path | None:
    """The teacher if its tokens are the student's; without that only its text can be learned from."""
    if teacher is None:
        if spec.method == "logits":
            raise InputError(
                "distill.method logits requires a teacher", remedy="Add a teacher, or use method: labels"
            )
        return None
    if load_tokenizer(teacher).get_vocab() == tokenizer.get_vocab():
        return teacher
    if spec.method == "logits":
        raise InputError(
            "Teacher and student have different vocabularies, so their logits cannot be compared",
            remedy="Use a teacher of the student's family, or method: labels",
        )
    report.warn("Teacher and student have different vocabularies: no divergence is measured")
    return None


def _check(train: Encoding, spec: Distill) -> None:
    if not train.rows:
        raise InputError(
            f"No training conversation has an assistant token within its first {spec.row_tokens} tokens",
            remedy="Raise distill.row_tokens or add conversations",
        )


def _identity(
    student: Path,
    teacher: Path | None,
    train: Encoding,
    heldout: Encoding,
    spec: Distill,
    device: str,
    dtype: torch.dtype,
) -> str:
    """Digest of everything that decides the finished bytes, except the number of threads."""
    models = [weights_digest(student), weights_digest(teacher) if teacher else None]
    rows = [[row.input_ids, row.positions] for part in (train, heldout) for row in part.rows]
    return digest([models, rows, len(train.rows), asdict(spec), device, str(dtype), versions()])


def _report(
    job: Job,
    train: Encoding,
    progress: Progress,
    resumed: int | None,
    threads: int,
    before: Heldout | None,
    after: Heldout | None,
) -> DistillReport:
    speed = progress.row_tokens / progress.seconds if progress.seconds > 0 else None
    return DistillReport(
        method=job.spec.method,
        adapter=job.spec.adapter,
        preset=job.spec.preset,
        steps=progress.step,
        rows=len(train.rows),
        dropped_rows=len(train.dropped),
        assistant_tokens_seen=progress.assistant_tokens,
        loss_curve=progress.losses,
        dtype=str(job.dtype).removeprefix("torch."),
        device=job.device,
        threads=threads,
        heldout_before=before,
        heldout_after=after,
        timing={"wall_seconds": progress.seconds, "tokens_per_second": speed, "resumed_from_step": resumed},
    )
