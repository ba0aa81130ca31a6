"""What a recipe may say about a teacher's weights: their format, and what computes with them."""

from __future__ import annotations

from collections.abc import Iterator

from catalog import sources
from catalog.jsontext import Json, JsonObject
from catalog.problems import Problem
from catalog.yamltext import Document

LLAMA, VLLM, SGLANG = "llama.cpp", "vllm", "sglang"
"""Values of ``teacher.engine``."""
SERVERS = {VLLM: "vLLM", SGLANG: "SGLang"}
"""Those that a server may be asked as for log-probabilities, as they are called."""

_ENGINE = ("teacher", "engine")


def is_asked(source: object, engine: object) -> bool:
    """Whether a teacher is on a server that is asked for log-probabilities. Tolerates any shape."""
    return isinstance(source, str) and sources.is_served(source) and engine in SERVERS


def problems(document: Document, data: JsonObject) -> Iterator[Problem]:
    """What does not go together with the teacher's source. Tolerates any shape."""
    teacher = data.get("teacher")
    uri = teacher.get("source") if isinstance(teacher, dict) else None
    if not isinstance(teacher, dict) or not isinstance(uri, str):
        return
    engine, distill = teacher.get("engine"), data.get("distill")
    if engine in SERVERS:
        yield from _at_one(document, distill, str(engine))
    if sources.is_served(uri):
        if teacher.get("dtype"):
            what = "nobody here sees the weights of a server"
            yield document.problem(("teacher", "dtype"), what, "Delete this line")
        yield from _of_server(document, engine, distill)
        return
    if engine == SGLANG:
        what = "SGLang is asked over HTTP, but this source is not on a server"
        yield document.problem(_ENGINE, what, "Write `source: server:MODEL`, or delete this line")
    if engine == VLLM and _is_gguf(uri):
        what = "vLLM reads a model folder, not a GGUF file"
        yield document.problem(_ENGINE, what, "Write llama.cpp, or name a model folder")
    tune = teacher.get("tune")
    if engine == LLAMA and isinstance(tune, dict) and tune.get("corpus") is None:
        what = "llama.cpp computes with the file that answers the prompts, not with the trained teacher"
        yield document.problem(_ENGINE, what, "Delete this line, or the block `tune:`")
    if teacher.get("dtype") and _is_gguf(uri):
        what = "a GGUF file has no weights that transformers can use as they are"
        yield document.problem(("teacher", "dtype"), what, "Delete this line, or name a model folder")


def _of_server(document: Document, engine: Json, distill: Json) -> Iterator[Problem]:
    if engine == LLAMA:
        what = "llama.cpp's server gives no log-probabilities of a prompt"
        yield document.problem(_ENGINE, what, "Write vllm or sglang, or name the GGUF file as the source")
    elif engine and not (isinstance(distill, dict) and distill.get("method", "logits") == "logits"):
        what = "no log-probabilities are asked for: the student learns from the text alone"
        yield document.problem(_ENGINE, what, "Delete this line, or write `method: logits` under `distill:`")


def _at_one(document: Document, distill: Json, engine: str) -> Iterator[Problem]:
    if isinstance(distill, dict) and distill.get("temperature", 1) != 1:
        what = f"{SERVERS[engine]} gives log-probabilities of a prompt at temperature 1 only"
        yield document.problem(("distill", "temperature"), what, "Write 1, or use another engine")


def _is_gguf(uri: str) -> bool:
    try:
        return sources.is_gguf(uri)
    except sources.SourceSyntax:
        return False
