"""Results of evaluations: ``model-index`` in a model card, and the files ``.eval_results/*.yaml``.

Sources: modelcard.md and eval_results.yaml of hub-docs; huggingface_hub.repocard_data.model_index_to_eval_results and
huggingface_hub.EvalResultEntry, which say what is required.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from catalog.cardrules.shape import Rule, anything, block, boolean, keys, repo_id, several, text, url
from catalog.cardrules.traps import traps
from catalog.jsontext import Json
from catalog.problems import Problem, limited, show
from catalog.yamltext import Document, Path_, parse

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?\Z")
_COMMIT = re.compile(r"[0-9a-f]{7,40}\Z")


def check_eval_results(text_: str, shown_as: str) -> list[Problem]:
    """Every problem of the text of a ``.eval_results/*.yaml`` file."""
    document = parse(text_.encode(), shown_as)
    if document.data is None:
        return document.problems
    found = traps(text_, document)
    taken = {(problem.line, problem.column) for problem in found}
    entries = several(_entry, alone=False)(document, (), document.data)
    found += [problem for problem in entries if (problem.line, problem.column) not in taken]
    return limited(found)


def model_index(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
    """A list of models, each with its results."""
    yield from several(_model, alone=False)(document, path, value)


def _value(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
    """A number, or text around one such as "20.0 ± 1.2". A word, including ``.nan``, is not a measurement."""
    a_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not a_number and not (isinstance(value, str) and re.search(r"\d", value)):
        yield document.problem(
            path, f"{show(value)} is not a value of a metric", "Write a number, such as 20.9"
        )


def _date(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
    if not isinstance(value, str) or not _DATE.match(value):
        yield document.problem(
            path, f"{show(value)} is not a date", 'Write "2026-11-24" or "2026-11-24T10:30:00Z"'
        )


def _commit(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
    if not isinstance(value, str) or not _COMMIT.match(value):
        yield document.problem(
            path, f"{show(value)} is not a commit", "Write its 40 hexadecimal digits, in quotes"
        )


_named: Rule = keys({"url": url}, {"name": text})
_metric: Rule = keys(
    {"type": text, "value": _value},
    {"name": text, "config": text, "args": anything, "verified": boolean, "verifyToken": text},
)
_dataset: Rule = keys(
    {"type": text, "name": text}, {"config": text, "split": text, "revision": _commit, "args": anything}
)
_task: Rule = keys({"type": text}, {"name": text})
_result: Rule = keys(
    {"task": _task, "dataset": _dataset, "metrics": several(_metric, alone=False)}, {"source": _named}
)
_model: Rule = keys({"name": text, "results": several(_result, alone=False, none=True)}, {})


def _entry(document: Document, path: Path_, value: Json) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield from block(document, path, value)
        return
    yield from _entry_keys(document, path, value)
    dataset = value.get("dataset")
    if isinstance(dataset, dict) and "task_id" not in dataset and "config" in dataset:
        what = "config was the name of this key in an earlier form of the format"
        yield document.problem((*path, "dataset", "config"), what, "Write task_id", key=True)


_entry_keys: Rule = keys(
    {"dataset": keys({"id": repo_id, "task_id": text}, {"revision": _commit}), "value": _value},
    {
        "date": _date,
        "verifyToken": text,
        "notes": text,
        "source": keys({"url": url}, {"name": text, "user": text, "org": text}),
    },
)
