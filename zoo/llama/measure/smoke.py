"""Whether a file answers, or continues a text, as its model should: three checks that take seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from catalog import jsontext
from zoo.errors import ZooError
from zoo.llama.generate import Job, Result, generate
from zoo.llama.model import Model
from zoo.llama.prompt import render
from zoo.templates.markers import plain

PROMPTS = ("What is the capital of France?", "Say hello in one word.", "Is water wet? Answer yes or no.")
SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "answer": {"type": "string", "maxLength": 40},
        "certain": {"type": "boolean"},
    },
    "required": ["answer", "certain"],
    "additionalProperties": False,
}


class Check(TypedDict):
    """One check of a file, with a sentence for people."""

    passed: bool
    detail: str


class Shown(TypedDict):
    """An answer as it was written. finish: "stop" or "length"."""

    prompt: str
    text: str
    tokens: int
    finish: str


class Smoke(TypedDict):
    """What ``smoke`` returns; smoke.json has one for each file."""

    passed: bool
    checks: dict[str, Check]
    answers: list[Shown]


_JSON_TOKENS = 96
"""Enough for any answer that fits SCHEMA: 40 characters, rarely more than a token each, and the frame."""


def smoke(path: Path, *, threads: int, max_tokens: int, prompts: Sequence[str] = PROMPTS) -> Smoke:
    """Greedy answers to ``prompts`` and one under a JSON Schema; a dict ready for JSON.

    A file without a chat template continues ``prompts`` as they are. A chat model whose file lost its template is
    refused before, when the file is compared with its source (parity).

    ``passed`` is true if every check passed; ``checks`` has chat_template, stops and json, each with
    ``passed`` and ``detail`` (a sentence); ``answers`` shows what was written. A failed check is not an error; a file
    that does not load raises ModelFileError.
    """
    longest = max((len(prompt.encode()) for prompt in prompts), default=0)
    room = longest + 1024 + max(max_tokens, _JSON_TOKENS)
    with Model.open(path, threads=threads, context_tokens=room, parallel=1) as model:
        bare = model.chat_template is None
        rendered, template = _as_they_are(prompts) if bare else _render(model, prompts)
        jobs = [Job(str(number), text, max_tokens) for number, text in enumerate(rendered)]
        results = {result.key: result for result in generate(model, jobs, batch_rows=1)}
        answers = [results[job.key] for job in jobs]
        ends = _continues(answers) if bare else _stops(answers)
        checks = {"chat_template": template, "stops": ends, "json": _json(model, rendered)}
    return {
        "passed": all(check["passed"] for check in checks.values()),
        "checks": checks,
        "answers": [
            {"prompt": prompt, "text": answer.text, "tokens": len(answer.tokens), "finish": answer.finish}
            for prompt, answer in zip(prompts, answers, strict=True)
        ],
    }


def _check(passed: bool, detail: str) -> Check:
    return {"passed": passed, "detail": detail}


def _as_they_are(prompts: Sequence[str]) -> tuple[list[str], Check]:
    return list(prompts), _check(True, f"No chat template: {len(prompts)} texts are continued as they are.")


def _render(model: Model, prompts: Sequence[str]) -> tuple[list[str], Check]:
    """Rendered prompts; the bare ones if the template fails, so that the other checks still run."""
    try:
        rendered = [render(model, [{"role": "user", "content": prompt}]) for prompt in prompts]
    except ZooError as error:
        return list(prompts), _check(False, str(error))
    missing = [asked for asked, text in zip(prompts, rendered, strict=True) if asked not in plain(text)]
    if missing:
        return rendered, _check(False, f"The template leaves out what the user says: {missing[0]!r}.")
    return rendered, _check(True, f"{len(rendered)} conversations rendered.")


def _ended(answers: Sequence[Result]) -> int:
    return sum(answer.finish == "stop" and bool(answer.tokens) for answer in answers)


def _stops(answers: Sequence[Result]) -> Check:
    ended = _ended(answers)
    return _check(ended > 0, f"{ended} of {len(answers)} answers ended by themselves after at least one token.")


def _continues(answers: Sequence[Result]) -> Check:
    """Of a model that continues texts: where a text ends is not in it, so it only has to write something."""
    wrote, ended = sum(bool(answer.tokens) for answer in answers), _ended(answers)
    return _check(
        wrote > 0,
        f"{wrote} of {len(answers)} texts were continued, and {ended} ended by themselves, which a model without a "
        "chat template need not do.",
    )


def _json(model: Model, rendered: Sequence[str]) -> Check:
    import jsonschema

    if not rendered:
        return _check(False, "There is no prompt.")
    job = Job("json", rendered[0], _JSON_TOKENS, json_schema=SCHEMA)
    answer = next(iter(generate(model, [job], batch_rows=1)))
    try:
        jsonschema.validate(jsontext.parse(answer.text, bounded=False), SCHEMA)
    except jsontext.NotJson:
        return _check(False, f"Not JSON: {answer.text!r}.")
    except jsonschema.ValidationError as error:
        return _check(False, f"JSON that breaks the schema: {error.message}.")
    return _check(True, f"Valid: {answer.text}")
