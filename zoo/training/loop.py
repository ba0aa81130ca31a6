"""Distillation: steps over the teacher's answers until the student is a finished model folder.

The same call continues after a SIGKILL. Everything a step needs is either in the last checkpoint (weights,
moments) or a function of the step's number (rows, learning rate, dropout), so the finished weights have the
same bytes as those of an uninterrupted run with the same threads.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from catalog import sharding
from catalog.recipe import Distill, plain
from zoo.errors import InputError
from zoo.files.digests import digest
from zoo.files.locks import locked
from zoo.llama import library
from zoo.machine.processor import here
from zoo.progress import Reporter, Silent
from zoo.teachers.logits import LogitServer
from zoo.training import UNTRAINED, checkpoints, devices, handover, leading, meeting, precision, versions
from zoo.training.adapters import compute_dtype, preset_named
from zoo.training.checkpoints import Progress
from zoo.training.conversations import Conversation, Encoding, encode
from zoo.training.files import model_digest, read_json, weights_digest, write_json
from zoo.training.handover import Handover
from zoo.training.heldout import Heldout, RowSums, Teacher, figures, row_sums
from zoo.training.merges import Merges, finish, keep_better, worse
from zoo.training.models import check_head, load_model, load_tokenizer
from zoo.training.objective import Job
from zoo.training.pairing import (
    common_width,
    compare_gguf,
    compare_templates,
    head_width,
    usable_gguf,
    usable_teacher,
)
from zoo.training.repeatable import repeatable
from zoo.training.report import DistillReport
from zoo.training.schedule import Batches
from zoo.training.teacher import Question, TeacherCache, cache_digest, cache_teacher, served
from zoo.training.teacher.served import ServedTeacher
from zoo.training.teacher.source import opened_gguf
from zoo.training.teacher.vllm import Vllm
from zoo.training.together import train_together
from zoo.training.trainer import train

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SHOWN = 3
"""Conversations left out for whose reason there is a warning; the report has all."""

OTHER = "merged-4-bit"
"""Of ``scratch``: the folder of qlora's second merge."""

PATIENCE_SECONDS = 600.0
"""Longer than any step or checkpoint of a sound training takes."""


@dataclass(frozen=True)
class Run:
    """A training: who learns what from whom, how, and where.

    out: gets the finished folder; scratch keeps what a resume needs. shared: folder of teacher caches by digest, which
    other students then use too; None keeps this one in ``scratch``. processes: that train together, each on its rows
    of a step; patience_seconds: how long one waits for another before it gives up; sharded: each keeps its share of the
    weights instead of all of them. machines: on which the processes run, as many on each; meeting: host and port where
    the others find this one. as_stored: the teacher computes in the format of its weights. role: what ``student``
    is in the recipe, for messages: a teacher is trained as a student of text. server: of a teacher whose logits a
    server gives; then there is no ``teacher``. vllm: computes the logits of the model folder ``teacher``, if given.
    """

    student: Path
    teacher: Path | None
    train: Sequence[Conversation]
    heldout: Sequence[Conversation]
    spec: Distill
    out: Path
    scratch: Path
    report: Reporter
    threads: int
    device: str = "cpu"
    shared: Path | None = None
    processes: int = 1
    patience_seconds: float = PATIENCE_SECONDS
    sharded: bool = False
    as_stored: bool = False
    role: str = "student"
    server: LogitServer | None = None
    vllm: Vllm | None = None
    machines: int = 1
    meeting: tuple[str, int] | None = None

    @property
    def trained(self) -> str:
        """What was trained, for a sentence."""
        if self.spec.adapter == "none":
            return f"trained {self.role}"
        return f"{self.role} with its merged adapter ({self.spec.adapter})"


@dataclass(frozen=True)
class Rows:
    """The conversations of a run as tokens."""

    train: Encoding
    heldout: Encoding


def distill(run: Run) -> DistillReport:
    """Train the student and write the finished folder; called again after a kill, it continues.

    Raises InputError for settings that do not fit together, ZooError for a loss that is NaN or infinite.
    """
    spec, device = run.spec, run.device
    with repeatable(run.threads, device):
        dtype = compute_dtype(preset_named(spec.preset), device, run.report)
        tokenizer = load_tokenizer(run.student)
        rows = Rows(*(encode(tokenizer, part, spec.row_tokens, run.role) for part in (run.train, run.heldout)))
        _announce(rows, run.report)
        judge = _judge(run, tokenizer, rows.train)
        _check(rows.train, spec)
        _check_processes(run)
        width = common_width(run.student, judge, tokenizer) if judge and spec.method == "logits" else None
        source = _source(run, judge, tokenizer, rows.train)
        checkpoints.open_run(run.scratch, _identity(run, source, rows, dtype, width), run.report)
        cache, about = None, None
        if spec.method == "logits" and source is not None:
            asked = (source, rows.train.rows, spec.top_k, spec.temperature, width, device)
            cache = _cache(run, Question(*asked, as_stored=run.as_stored, vllm=run.vllm))
            about = served.keep(source, run.scratch) if isinstance(source, ServedTeacher) else None
        before = _before(run, judge, rows.heldout)
        batches = Batches([len(row.input_ids) for row in rows.train.rows], spec.batch_rows, spec.seed)
        pad = tokenizer.pad_token_id or 0
        job = Job(spec, rows.train.rows, batches, cache, dtype, device, pad, run.report, width)
        progress, resumed = _train(run, job, source)
        after, merges = _after(run, judge, rows.heldout)
        if words := worse(before, after, run.trained):
            run.report.warn(words)
    made = _report(run, rows.train, progress, resumed, dtype)
    older = cache is not None and cache.has_older
    made = replace(made, heldout_before=before, heldout_after=after, older_answers=older, merges=merges)
    return replace(made, teacher=about or {})


def _train(run: Run, job: Job, source: Path | ServedTeacher | None) -> tuple[Progress, int | None]:
    """Run the steps left, merge and write ``out``; returns the progress and the step resumed from."""
    resumed = None
    if run.processes > 1:
        resumed = _together(run, job, source)
        # What the processes have trained is in the last checkpoint. What was in shares may not fit one GPU.
        job = replace(job, report=Silent(), device="cpu" if run.sharded else job.device)
    trained = train(run.student, run.scratch, job, run.threads)
    finish(trained.model, run.student, run.out, job, run.scratch / OTHER if run.heldout else None)
    return trained.progress, resumed if run.processes > 1 else trained.resumed


def _together(run: Run, job: Job, source: Path | ServedTeacher | None) -> int | None:
    """Train in several processes; the step resumed from."""
    if (last := checkpoints.last(run.scratch)) == job.spec.steps:
        return last  # nothing is left for other machines, which may be gone
    folder = (run.scratch / "together").resolve()
    each = run.processes // run.machines
    threads = max(1, run.threads // each) if run.device == "cpu" else run.threads
    given = Handover(
        student=str(run.student.resolve()),
        scratch=str(run.scratch.resolve()),
        teacher=str(source.resolve()) if isinstance(source, Path) and job.cache else None,
        cache=str(job.cache.folder.resolve()) if job.cache else None,
        dtype=str(job.dtype).removeprefix("torch."),
        device=run.device,
        pad=job.pad,
        width=job.width,
        threads=threads,
        patience_seconds=run.patience_seconds,
        sharded=run.sharded,
        as_stored=run.as_stored,
        served=dict(source.identity) if isinstance(source, ServedTeacher) else None,
        vllm=run.vllm.version if run.vllm else None,
    )
    handover.write(folder, given, job.spec, job.rows)
    place = meeting.alone(each)
    if run.meeting and run.machines > 1:
        offer = meeting.Offer(str(folder), handover.digest(folder), run.device, each, run.machines, threads)
        place = leading.lead(run.meeting, offer, run.report)
    return train_together(folder, place, job.spec.steps, threads, run.report)


def _cache(run: Run, question: Question) -> TeacherCache:
    """The teacher over the rows, made by one process at a time if several share the folder."""
    if (shared := run.shared) is None:
        return cache_teacher(question, run.scratch / "teacher", run.report)

    def place(name: str) -> Path:
        # Another processor's answers are not the same to the last bit.
        return shared / digest([name, asdict(here())])[:32]

    folder = place(cache_digest(question))
    with locked(
        folder.with_suffix(".lock"), lambda: run.report.say("another zoo is reading this teacher; waiting")
    ):
        # What was used lately is kept.
        folder.with_suffix(".lock").touch()
        return cache_teacher(question, folder, run.report, earlier=place)


def _before(run: Run, teacher: Path | None, rows: Encoding) -> Heldout | None:
    """The untrained student's figures; kept in ``scratch`` so that a resume does not measure again."""
    known = read_json(run.scratch / "heldout-before.json")
    if isinstance(known, dict) and known.pop("sha256", "") == digest(known):
        return Heldout(**known)
    found = _measure(run, run.student, teacher, rows, "held-out before")
    if found is not None:
        write_json(run.scratch / "heldout-before.json", {**asdict(found), "sha256": digest(asdict(found))})
    return found


def _measure(run: Run, folder: Path, teacher: Path | None, rows: Encoding, what: str) -> Heldout | None:
    """Measure the model in ``folder`` (including the float16 rounding of a finished one), in float32."""
    return figures(_sums(run, folder, teacher, rows, what)) if rows.rows else None


def _sums(run: Run, folder: Path, teacher: Path | None, rows: Encoding, what: str) -> RowSums:
    gc.collect()
    with _loaded(teacher, run, rows) as judge:
        model = load_model(folder, torch.float32, run.device)
        check_head(model, rows.rows[0].input_ids)
        return row_sums(model, judge, rows.rows, run.report, what)


def _after(run: Run, judge: Path | None, rows: Encoding) -> tuple[Heldout | None, Merges | None]:
    """The figures of the finished student and, with qlora, of both merges, of which the better one is kept."""
    if run.spec.adapter != "qlora" or not rows.rows:
        return _measure(run, run.out, judge, rows, "held-out after"), None
    return keep_better(run.out, run.scratch / OTHER, lambda folder, what: _sums(run, folder, judge, rows, what))


@contextmanager
def _loaded(teacher: Path | None, run: Run, rows: Encoding) -> Iterator[Teacher | None]:
    if teacher is None:
        yield None
    elif teacher.is_file():
        with opened_gguf(teacher, rows.rows, run.device) as model:
            yield model
    else:
        dtype = precision.teaching_dtype(teacher, run.device, as_stored=run.as_stored)
        yield load_model(teacher, dtype, run.device)


def _announce(rows: Rows, report: Reporter) -> None:
    """Warn of conversations that are left out, with the reason of some."""
    for part in (rows.train, rows.heldout):
        for key, reason in part.refused[:SHOWN]:
            report.warn(f"Conversation {key} is left out: {reason}")
        if len(part.refused) > SHOWN:
            report.warn(f"{len(part.refused) - SHOWN} more conversations are left out for such reasons")


def _judge(run: Run, tokenizer: PreTrainedTokenizerBase, train: Encoding) -> Path | None:
    """The teacher, if its logits can be compared with the student's. Of one on a server not all are known: None."""
    if run.server:
        return None
    if run.teacher and run.teacher.is_file():
        if not usable_gguf(run.teacher, tokenizer, run.spec.method, run.report):
            return None
        compare_gguf(run.teacher, run.train, train.rows, run.report)
        return run.teacher
    own = usable_teacher(run.teacher, tokenizer, run.spec.method, run.report)
    if own is None:
        return None
    compare_templates(own, run.train, train.rows, run.spec.row_tokens, run.report)
    return run.teacher


def _source(
    run: Run, judge: Path | None, tokenizer: PreTrainedTokenizerBase, train: Encoding
) -> Path | ServedTeacher | None:
    """Who gives the logits that the student learns from."""
    if (run.server or run.vllm) and run.spec.temperature != 1:
        raise InputError(
            "log-probabilities of a prompt are those of temperature 1, with vLLM and SGLang",
            remedy="Write temperature: 1 under distill:",
        )
    if run.server is None:
        return judge
    return served.teacher_of(run.server, tokenizer, train.rows, head_width(run.student), run.scratch)


def _check(train: Encoding, spec: Distill) -> None:
    if not train.rows:
        raise InputError(
            f"No training conversation has an assistant token within its first {spec.row_tokens} tokens",
            remedy="Raise distill.row_tokens or add conversations",
        )


def _check_processes(run: Run) -> None:
    """Raise InputError for more processes than rows of a step, or than GPUs, and for what cannot be shared."""
    if run.sharded and run.processes > 1:
        what, remedy = sharding.fault(run.spec.adapter)
        if what:
            raise InputError(what, safe=UNTRAINED, remedy=remedy.capitalize())
    if run.processes > run.spec.batch_rows:
        raise InputError(
            sharding.crowded(run.processes, run.spec.batch_rows), safe=UNTRAINED,
            remedy="Raise distill.batch_rows, or lower the setting processes",
        )  # fmt: skip
    if what := sharding.uneven(run.processes, run.machines):
        raise InputError(what, safe=UNTRAINED, remedy="Change the setting processes or machines")
    what, remedy = devices.fault(run.device, run.processes // run.machines)
    if what:
        raise InputError(what, safe=UNTRAINED, remedy=remedy[0].upper() + remedy[1:])


def _identity(
    run: Run, teacher: Path | ServedTeacher | None, rows: Rows, dtype: torch.dtype, width: int | None
) -> str:
    """Digest of everything that affects the finished bytes, except the numbers of threads and processes."""
    theirs = teacher.weights if isinstance(teacher, ServedTeacher) else model_digest(teacher) if teacher else None
    models = [weights_digest(run.student), theirs]
    tokens = [[row.input_ids, row.positions] for part in (rows.train, rows.heldout) for row in part.rows]
    cut = [] if width is None else [width]
    # A checkpoint of a version that rounded 16-bit logits to 16 bits is of another training.
    head = [] if dtype == torch.float32 else ["float32 logits"]
    head += ["teacher as stored"] if run.as_stored else []
    is_gguf = isinstance(teacher, Path) and teacher.is_file()
    head += [str(library.versions()["llama-cpp-python"])] if is_gguf else []
    head += [f"vLLM {run.vllm.version}"] if run.vllm else []
    return digest(
        [models, tokens, len(rows.train.rows), plain(run.spec), run.device, str(dtype), versions(), *cut, *head]
    )


def _report(
    run: Run, train: Encoding, progress: Progress, resumed: int | None, dtype: torch.dtype
) -> DistillReport:
    """The account of the steps; what was measured before and after them is not in it yet."""
    speed = progress.row_tokens / progress.seconds if progress.seconds > 0 else None
    return DistillReport(
        method=run.spec.method,
        adapter=run.spec.adapter,
        preset=run.spec.preset,
        steps=progress.step,
        rows=len(train.rows),
        dropped_rows=len(train.dropped) + len(train.refused),
        assistant_tokens_seen=progress.assistant_tokens,
        loss_curve=progress.losses,
        dtype=str(dtype).removeprefix("torch."),
        device=run.device,
        threads=run.threads,
        heldout_before=None,
        heldout_after=None,
        refused_rows=[{"key": key, "reason": reason} for key, reason in train.refused],
        overflowed_steps=progress.scale.overflows,
        loss=asdict(run.spec.loss) if run.spec.loss else {},
        processes=run.processes if run.processes > 1 else None,
        sharding=sharding.FULL if run.sharded and run.processes > 1 else None,
        machines=run.machines if run.machines > 1 else None,
        timing={"wall_seconds": progress.seconds, "tokens_per_second": speed, "resumed_from_step": resumed},
    )
