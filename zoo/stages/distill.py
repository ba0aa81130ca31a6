"""distill: the student learns from the teacher on the labelled conversations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from catalog import jsontext, sharding, sources
from catalog.jsonvalues import table, text, whole
from catalog.recipe import Distill, build
from catalog.shapes import shaped
from catalog.teacherweights import LLAMA, VLLM
from zoo.corpora.rows import Message
from zoo.errors import InputError
from zoo.files.digests import pretty_json
from zoo.files.whole import write_atomic
from zoo.settings import VLLM_PACKAGES
from zoo.sources import resolve
from zoo.stages import Context, Facts
from zoo.stages.artifact import MODEL_FILE
from zoo.stages.table import AS_STORED, is_asked
from zoo.teachers.door import announced
from zoo.training import require

if TYPE_CHECKING:
    from zoo.teachers.logits import LogitServer
    from zoo.training.conversations import Conversation
    from zoo.training.teacher.vllm import Vllm


def run(context: Context) -> Facts:
    """Writes the model folder ``model/`` and ``distill-report.json``."""
    require()
    spec = build(Distill, {name: value for name, value in context.spec.items() if name != "threads"})
    student = context.inputs["student"].whole()
    return train(context, Models(student, _teacher(context)), spec, "distill")


@dataclass(frozen=True)
class Models:
    """Folders: the model that is trained, and the one that it learns from, None for text alone. role: what the first is
    in the recipe."""

    student: Path
    teacher: Path | None
    role: str = "student"


def train(context: Context, models: Models, spec: Distill, name: str) -> Facts:
    """Train on the labelled conversations of the context: ``model/``, and the report and timing of the step."""
    from zoo.training.loop import Run, distill

    labels = context.inputs["labels"]
    heldout = read_conversations(labels.path("heldout.jsonl"))
    _refuse_too_few(models, heldout, spec)
    model = context.out / "model"
    model.mkdir(exist_ok=True)
    report = distill(
        Run(
            models.student,
            models.teacher,
            read_conversations(labels.path("train.jsonl")),
            heldout,
            spec,
            model,
            context.scratch,
            context.report,
            threads=whole(context.spec["threads"]),
            device=context.device,
            shared=context.work / "teachers",
            processes=whole(context.spec.get("processes", 1)),
            sharded=context.spec.get("sharding") == sharding.FULL,
            as_stored=context.spec.get("teacher_dtype") == AS_STORED,
            role=models.role,
            server=_server(context, spec.top_k),
            vllm=_vllm(context),
        )
    ).to_json()
    timing = report.pop("timing")
    # A separate file, because it is never the same twice.
    write_atomic(context.out / f"{name}-report.json", pretty_json(report))
    write_atomic(context.out / f"{name}-timing.json", pretty_json(timing))
    return report


def _teacher(context: Context) -> Path | None:
    """A model folder, or a GGUF file for llama.cpp. Of a teacher on a server there is only the text: None."""
    by_llama = context.spec.get("teacher_engine") == LLAMA
    if "teacher" in context.inputs:
        made = context.inputs["teacher"]
        return made.path(MODEL_FILE) if by_llama else made.model()
    if not by_llama:
        return None
    return resolve.resolve(table(context.spec["teacher"]), context.root, context.work, context.report)


def _server(context: Context, top_k: int) -> LogitServer | None:
    """Where the teacher's log-probabilities are asked for, if its server gives them."""
    if not is_asked(context.spec):
        return None
    from zoo.teachers.logits import opened

    model = sources.served_model(text(table(context.spec["teacher"])["source"]))
    door = announced(context.teacher, context.report)
    return opened(door, model, text(context.spec["teacher_engine"]), top_k, context.report)


def _vllm(context: Context) -> Vllm | None:
    from zoo.training.teacher.vllm import Vllm

    if context.spec.get("teacher_engine") != VLLM or is_asked(context.spec):
        return None
    found = context.vllm.version(VLLM_PACKAGES) if context.vllm else ""
    if context.vllm is None or not found:
        raise InputError("the setting vllm names no environment with vLLM", remedy="Set it again: export ZOO_VLLM=...")
    return Vllm(context.vllm, found)


def _refuse_too_few(models: Models, heldout: list[Conversation], spec: Distill) -> None:
    """Checked before hours of training rather than after them: a standard error requires two conversations."""
    from zoo.training.conversations import encode
    from zoo.training.models import load_tokenizer

    usable = len(encode(load_tokenizer(models.student), heldout, spec.row_tokens, models.role).rows)
    if usable < 2:
        raise InputError(
            f"{usable} of {len(heldout)} held-out conversations have an answer within their first {spec.row_tokens} "
            "tokens, but a standard error requires two",
            safe="Nothing was trained; the labels are kept.",
            remedy="Raise distill.row_tokens, or add prompts under corpus.heldout",
        )


class _Row(TypedDict):
    """What is trained on of a labelled row."""

    key: str
    messages: list[Message]
    tags: list[str]
    finish: str


def read_conversations(path: Path) -> list[Conversation]:
    """The rows of a labelled file."""
    from zoo.training.conversations import Conversation

    found = []
    # Not splitlines(): an answer may contain U+2028, which splitlines() treats as the end of a line.
    for line in path.read_text(encoding="utf-8").rstrip("\n").split("\n"):
        row = shaped(jsontext.parse(line), _Row)
        messages = tuple((message["role"], message["content"]) for message in row["messages"])
        found.append(Conversation(row["key"], messages, tuple(row["tags"]), complete=row["finish"] == "stop"))
    return found
