"""distill: the student learns from the teacher on the labelled conversations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from catalog import jsontext, sharding, sources
from catalog.jsonvalues import table, tables, text, whole
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
from zoo.stages.artifact import ANSWERS_FILE, MODEL_FILE, Artifact
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
    return train(context, Models(student, _teacher(context), "student", longest(context, "student")), spec, "distill")


def longest(context: Context, name: str) -> int | None:
    """Tokens of context that the input of this name has as an imported model; None if unknown."""
    tokens = context.inputs[name].facts.get("context_tokens")
    return tokens if isinstance(tokens, int) else None


@dataclass(frozen=True)
class Models:
    """Folders: the model that is trained, and the one that it learns from, None for text alone. role: what the first is
    in the recipe; context_tokens: of the first, None if unknown."""

    student: Path
    teacher: Path | None
    role: str = "student"
    context_tokens: int | None = None


def train(context: Context, models: Models, spec: Distill, name: str) -> Facts:
    """Train on the labelled conversations of the context: ``model/``, and the report and timing of the step."""
    from zoo.training.loop import Run, distill

    labels = context.inputs["labels"]
    parts = {name: read_conversations(labels.path(f"{name}.jsonl")) for name in ("train", "heldout")}
    _refuse_too_few(models, labels, parts, spec)
    model = context.out / "model"
    model.mkdir(exist_ok=True)
    report = distill(
        Run(
            models.student,
            models.teacher,
            parts["train"],
            parts["heldout"],
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
            machines=whole(context.spec.get("machines", 1)),
            meeting=context.meeting,
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


def _refuse_too_few(
    models: Models, labels: Artifact, parts: Mapping[str, Sequence[Conversation]], spec: Distill
) -> None:
    """Checked before hours of training rather than after them."""
    from zoo.training.enough import Learner, Part, refuse_too_few
    from zoo.training.models import load_tokenizer

    # Conversations that people wrote have no such report.
    asked = any(one.path == ANSWERS_FILE for one in labels.files)
    failures = tables(table(labels.json(ANSWERS_FILE))["failures"]) if asked else []
    learner = Learner(load_tokenizer(models.student), models.role, models.context_tokens)
    for name, conversations in parts.items():
        invalid = [text(one["reason"]) for one in failures if one["part"] == name]
        refuse_too_few(Part(name, conversations, invalid), learner, spec.row_tokens)


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
