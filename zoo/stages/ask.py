"""ask: a teacher behind a server answers every prompt, one result per row.

The key of this step has the name of the model, but not its weights: nobody here sees them, and no server answers the
same twice. What the server says of the model is in the report, and in the name of the journal, so that answers of two
models of one name are not mixed. Rows are read, asked and written one after the other, so memory does not grow with the
answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from catalog import sources
from catalog.jsonvalues import table, text
from catalog.recipe import Label, build
from catalog.words import counted
from zoo.corpora.rows import Answer, Row, Tally, labelled
from zoo.errors import AGAIN, RemoteError
from zoo.files.digests import canonical_json, digest, pretty_json
from zoo.files.locks import locked
from zoo.files.whole import write_atomic
from zoo.stages import Context, Facts
from zoo.stages.asked import Answered
from zoo.stages.questions import questions
from zoo.teachers.asking import Asked, Asking
from zoo.teachers.door import Line, announced
from zoo.teachers.looking import look
from zoo.teachers.pace import Pace
from zoo.teachers.servers import Served

_MOST_BUILDS = 8
"""Different words of a server about itself that a report lists."""


def run(context: Context) -> Facts:
    """Writes ``train.jsonl``, ``heldout.jsonl`` (valid rows in the order of the prompts) and ``label-report.json``."""
    uri = text(table(context.spec["teacher"])["source"])
    door = announced(context.teacher, context.report)
    model = look(Line(door), sources.served_model(uri), Pace(context.report))
    asked = {name: value for name, value in context.spec.items() if name != "teacher"}
    identity = {**asked, "model": uri, "served": {"model": model.model, **model.facts, **model.private}}
    journal = context.work / "labels" / f"asked-{digest(identity)}.jsonl"
    asking = Asking(door, model, build(Label, asked), context.report)
    waiting = "another zoo is labelling with this teacher; waiting"
    with locked(journal.with_suffix(".lock"), lambda: context.report.say(waiting)), Answered(journal) as answered:
        refused = _ask_missing(context, identity, asking, answered)
        found = _Results(context, identity, answered, refused)
        for part in ("train", "heldout"):
            write_atomic(context.out / f"{part}.jsonl", found.lines(part))
    facts = {**found.tally.facts(), "usage": dict(found.usage), "teacher": {**_about(model), "builds": found.builds}}
    write_atomic(context.out / "label-report.json", pretty_json(facts))
    _say_cost(context, found.usage)
    return facts


def _about(model: Served) -> dict[str, object]:
    return {"model": model.model, **model.facts}


def _ask_missing(
    context: Context, identity: Mapping[str, object], asking: Asking, answered: Answered
) -> dict[str, Answer]:
    """Ask what the journal lacks. Returns the rows whose request the server refused, which are not recorded: they cost
    nothing, and another version of the server may take them. Raises RemoteError."""
    every = missing = 0
    for row in questions(context, identity):
        every, missing = every + 1, missing + (row.key not in answered)
    if 0 < missing < every:
        context.report.say(f"{every - missing} of {every} rows already have an answer")
    refused: dict[str, Answer] = {}
    if not missing:
        return refused
    with context.report.task("asking the teacher", missing, "rows") as advance:
        for one in asking.answers(_first(questions(context, identity), answered)):
            if one.is_refused:
                refused[one.answer.key] = one.answer
            else:
                answered.add(one)
            advance(1)
    if len(refused) == every:
        first = next(iter(refused.values()))
        raise RemoteError(f"no request was answered: {first.invalid}", kind="refused", again=AGAIN)
    return refused


def _first(rows: Iterator[Row], answered: Answered) -> Iterator[Row]:
    """The rows without an answer, each once."""
    given: set[bytes] = set()
    for row in rows:
        key = bytes.fromhex(row.key)
        if row.key not in answered and key not in given:
            given.add(key)
            yield row



@dataclass
class _Results:
    """The rows of the corpus with their answers, read once."""

    context: Context
    identity: Mapping[str, object]
    answered: Answered
    refused: Mapping[str, Answer]
    tally: Tally = field(default_factory=Tally)
    usage: Counter[str] = field(default_factory=Counter)
    builds: list[str] = field(default_factory=list)
    _told: set[bytes] = field(default_factory=set)

    def lines(self, part: str) -> Iterator[bytes]:
        """The valid rows of a part, as its file has them."""
        for row in questions(self.context, self.identity):
            if row.part != part:
                continue
            answer = self.refused.get(row.key) or self._count(row.key, self.answered[row.key])
            self.tally.add(row, answer)
            if not answer.invalid:
                yield canonical_json(labelled(row, answer)).encode() + b"\n"

    def _count(self, key: str, one: Asked) -> Answer:
        if (raw := bytes.fromhex(key)) not in self._told:
            # Two prompts of one text are one question.
            self._told.add(raw)
            self.usage.update({
                "requests": one.requests, "prompt_tokens": one.prompt_tokens,
                "answer_tokens": one.answer_tokens, "requests_without_usage": one.uncounted,
            })  # fmt: skip
            if one.build not in self.builds and len(self.builds) < _MOST_BUILDS:
                self.builds.append(one.build)
        return one.answer


def _say_cost(context: Context, usage: Mapping[str, int]) -> None:
    words = (
        f"the server counted {counted(usage['prompt_tokens'], 'token')} read and "
        f"{counted(usage['answer_tokens'], 'token')} written, in {counted(usage['requests'], 'request')}"
    )
    prices = context.teacher.prices
    if prices:
        words += f": {prices.words(usage['prompt_tokens'], usage['answer_tokens'])}"
    if unknown := usage["requests_without_usage"]:
        words += f"; of {unknown} it did not say how many"
    context.report.say(words)
