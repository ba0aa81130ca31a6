"""label: the teacher answers every prompt, through llama.cpp, one result per row.

A row's key is the digest of its messages, the sampling and the teacher file, and every result goes into a journal
that all recipes with the same teacher and sampling share. So an interrupted run continues with the rows that are
missing, and editing one prompt asks the teacher one question.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path

from catalog.jsonvalues import table, text
from catalog.recipe import Label, build
from catalog.templateclock import TEMPLATE_CLOCK
from zoo.corpora.rows import Answer, Row, invalid, labelled, summary
from zoo.errors import InputError, ModelFileError
from zoo.files import journal as journals
from zoo.files.digests import canonical_json, digest, pretty_json, sha256_file
from zoo.files.locks import locked
from zoo.files.whole import write_atomic
from zoo.gguf.header import read_header
from zoo.llama import lanes, library, prompt
from zoo.llama.generate import Job
from zoo.llama.grammar import schema_to_gbnf
from zoo.llama.model import Model
from zoo.llama.prompt import MarkedText
from zoo.machine.processor import here
from zoo.machine.resources import free_cores
from zoo.sources import resolve
from zoo.stages import Context, Facts, answering
from zoo.stages.questions import questions
from zoo.stages.table import PROMPT_TOKENS, capability
from zoo.templates.markers import MarkerLost
from zoo.templates.oracle import NAME as CLOCK_NAME

_JOURNAL_BYTES = 4 << 30
"""Of the journal of labels: the largest file of prompts, with an answer of several times its length to each."""

RETRY_TEMPERATURE = 0.7
"""A greedy answer would only repeat itself; a retry samples at this temperature or higher."""


def run(context: Context) -> Facts:
    """Writes ``train.jsonl``, ``heldout.jsonl`` (valid rows in the order of the prompts) and ``label-report.json``."""
    teacher = _teacher(context)
    asked = {name: value for name, value in context.spec.items() if name != "teacher"}
    identity = asked | {"model": sha256_file(teacher)} | _clock(teacher)
    rows = list(questions(context, identity))
    # Answers of another processor would make a step that nobody can make again.
    journal = context.work / "labels" / f"{digest(identity | {'processor': capability('label', here())})}.jsonl"
    with locked(
        journal.with_suffix(".lock"),
        lambda: context.report.say("another zoo is labelling with this teacher; waiting"),
    ):
        answers = answer_all(rows, journal, teacher, context)
    facts = summary(rows, answers)
    for part in ("train", "heldout"):
        lines = [
            labelled(row, answers[row.key])
            for row in rows
            if row.part == part and not answers[row.key].invalid
        ]
        write_atomic(context.out / f"{part}.jsonl", "".join(canonical_json(line) + "\n" for line in lines))
    write_atomic(context.out / "label-report.json", pretty_json(facts))
    return facts


def _clock(teacher: Path) -> dict[str, str]:
    """Part of a journal's name when the teacher's template reads the date: answers from another date are not mixed
    in."""
    template = read_header(teacher).metadata.get("tokenizer.chat_template")
    return {"clock": TEMPLATE_CLOCK.isoformat()} if CLOCK_NAME in str(template) else {}


def _spec(context: Context) -> Label:
    spec: Label = build(Label, context.spec)
    return spec


def _teacher(context: Context) -> Path:
    if "teacher" in context.inputs:
        return context.inputs["teacher"].path("model.gguf")
    return resolve.resolve(table(context.spec["teacher"]), context.root, context.work, context.report)


def answer_all(rows: Sequence[Row], journal: Path, teacher: Path, context: Context) -> dict[str, Answer]:
    """Answers by key: those of the journal, and new ones for the rest, which are recorded as they arrive."""
    answers = read_journal(journal)
    wanted = {row.key: row for row in rows}
    answers = {key: answer for key, answer in answers.items() if key in wanted}
    missing = [row for row in wanted.values() if row.key not in answers]
    if not missing:
        return answers
    if answers:
        context.report.say(f"{len(answers)} of {len(wanted)} rows already have an answer")
    spec = _spec(context)
    with (
        _opened(teacher, len(missing), context) as models,
        journals.open_to_append(journal, "label journal") as stream,
        context.report.task("labelling", len(missing), "rows") as advance,
    ):
        for attempt in range(1 + spec.retries):
            retry = []
            with closing(_ask(models, missing, attempt, context)) as asked:
                for answer in asked:
                    answers[answer.key] = answer
                    final = not answer.invalid or answer.attempts > spec.retries
                    if final:
                        journals.append(stream, vars(answer), "label journal", _JOURNAL_BYTES)
                        advance(1)
                    else:
                        retry.append(wanted[answer.key])
            # In the order of the prompts, not in the order in which rows finished.
            missing = sorted(retry, key=lambda row: (row.part, row.number))
    return answers


def _opened(teacher: Path, rows: int, context: Context) -> AbstractContextManager[tuple[Model, ...]]:
    """The teacher, for so many rows."""
    spec = _spec(context)
    device = _device(context)
    wanted = answering.Wanted(spec.batch_rows, PROMPT_TOKENS + 2 * spec.max_tokens, rows, bool(spec.repack), device)
    return answering.opened(teacher, wanted, free_cores(context.threads), context.scratch)


def _device(context: Context) -> str:
    """Where the teacher runs: the device of the step's key, or the processor if llama.cpp cannot use it."""
    wanted = text(context.spec.get("device", "cpu"))
    if wanted == "cpu" or library.has_gpu():
        return wanted
    context.report.warn(
        f"device is {wanted}, but llama.cpp was not compiled for a GPU or finds none. The teacher answers on the "
        "processor"
    )
    return "cpu"


def _ask(
    models: Sequence[Model], rows: Sequence[Row], attempt: int, context: Context
) -> Generator[Answer, None, None]:
    spec, model = _spec(context), models[0]
    schemas = {row.key: row.schema for row in rows}
    sound = []
    for row in rows:
        if fault := unanswerable(row, model):
            yield Answer(row.key, "", "stop", 0, spec.retries + 1, fault)
        else:
            sound.append(row)
    heads = {row.messages[:-1]: row.conversation for row in sound}
    shared = {head: prompt.shared(model, conversation) for head, conversation in heads.items()}
    jobs = [
        Job(
            key=row.key,
            prompt_text=prompt.render(model, row.conversation),
            # Incomplete JSON cannot be completed, so a retry gets more room.
            max_tokens=spec.max_tokens * (2 if attempt or row.schema else 1),
            temperature=spec.temperature if not attempt else max(spec.temperature, RETRY_TEMPERATURE),
            top_p=spec.top_p,
            seed=spec.seed + attempt,
            json_schema=row.schema,
            shared_text=shared[row.messages[:-1]],
        )
        for row in sound
    ]
    with closing(lanes.answered(models, jobs, batch_rows=spec.batch_rows)) as results:
        for result in results:
            text = result.text.strip()
            fault = invalid(text, result.finish, schemas[result.key])
            yield Answer(result.key, text, result.finish, len(result.tokens), attempt + 1, fault)


def unanswerable(row: Row, model: Model) -> str:
    """Why a prompt cannot be sent to the teacher, "" if it can."""
    try:
        tokens = len(prompt.tokens(model, prompt.render(model, row.conversation)))
    except (MarkedText, MarkerLost) as error:
        return error.what
    except ModelFileError as error:
        safe = "The answers made so far are kept."
        raise ModelFileError(error.what, where="teacher", safe=safe, remedy=error.remedy, again=error.again) from error
    if tokens > PROMPT_TOKENS:
        return f"the prompt has {tokens} tokens, but the limit is {PROMPT_TOKENS}"
    try:
        if row.schema is not None:
            schema_to_gbnf(row.schema)
    except InputError as error:
        return f"tool_schema cannot be converted to a grammar: {error.what}"
    return ""


def read_journal(path: Path) -> dict[str, Answer]:
    """Answers by key; the last one of a key counts."""
    return {answer.key: answer for answer in journals.read(path, _answer, _JOURNAL_BYTES)}


def _answer(found: object) -> Answer:
    data = table(found)
    if data.keys() != {field.name for field in dataclasses.fields(Answer)}:
        raise KeyError("not the keys of an answer")
    key, text, finish, invalid_ = (journals.text(data[name]) for name in ("key", "text", "finish", "invalid"))
    if finish not in ("stop", "length"):
        raise ValueError("not how an answer ends")
    return Answer(
        key, text, finish, journals.count(data["tokens"]), journals.count(data["attempts"]), invalid_
    )
