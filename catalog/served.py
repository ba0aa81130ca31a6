"""What a recipe may say about a teacher on a server, of which only the answers are seen."""

from __future__ import annotations

from collections.abc import Iterator

from catalog import sources
from catalog.jsontext import JsonObject
from catalog.problems import Problem
from catalog.yamltext import Document

_NEEDS_TEACHER = "distill_kld_ratio"


def problems(document: Document, data: JsonObject) -> Iterator[Problem]:
    """What does not go together with a source on a server. Tolerates any shape."""
    if _source(data, "student"):
        what = "a student is made from its weights, but a server gives only answers"
        yield document.problem(("student", "source"), what, "Write package:, file: or hf: and where the weights are")
    if not _source(data, "teacher"):
        return
    teacher, distill = data["teacher"], data.get("distill")
    if isinstance(teacher, dict) and teacher.get("sha256"):
        what = "nobody here can compare the weights of a server with a digest"
        yield document.problem(("teacher", "sha256"), what, "Delete this line")
    is_text = not isinstance(teacher, dict) or not teacher.get("engine")
    if is_text and isinstance(distill, dict) and distill.get("method") == "logits":
        what = "a server gives text, unless the recipe says how to ask it for log-probabilities"
        instead = "Write `method: labels`, or `engine: vllm` or `engine: sglang` under `teacher:`"
        yield document.problem(("distill", "method"), what, instead)
    gates = data.get("gates")
    for number, gate in enumerate(gates if isinstance(gates, list) else ()):
        if isinstance(gate, dict) and gate.get("metric") == _NEEDS_TEACHER:
            what = "the student cannot be compared with the probabilities of a teacher on a server"
            yield document.problem(("gates", number, "metric"), what, "Delete the gate, or name distill_ppl_ratio")
    texts = data.get("licence_files")
    for number, name in enumerate(texts if isinstance(texts, list) else ()):
        if isinstance(name, str) and name.startswith("teacher:"):
            what = "a server has no licence text that can be fetched"
            yield document.problem(("licence_files", number), what, "Save the text in the zoo, and name its path")


def _source(data: JsonObject, role: str) -> bool:
    section = data.get(role)
    uri = section.get("source") if isinstance(section, dict) else None
    return isinstance(uri, str) and sources.is_served(uri)
