"""What a recipe says of its teacher: a model on a server, a GGUF file for llama.cpp, one that is trained itself."""

from __future__ import annotations

import pytest
from recipesamples import GGUF, SHA256, TUTORED, Check, edited, found

from catalog.teacherweights import SERVERS
from zoo.teachers.dialects import DIALECTS

# --- A teacher on a server

_PINNED_TEACHER = f"teacher:\n  source: {GGUF}\n  sha256: {SHA256}\n"
_SERVED = edited(edited(TUTORED, _PINNED_TEACHER, "teacher:\n  source: server:parrot/1b\n"), "distill:\n",
                 "distill:\n  method: labels\n")  # fmt: skip
_KLD_GATE = "  - {metric: distill_kld_ratio, at_most: 0.7}\n"


def test_a_teacher_on_a_server_needs_no_pin(check_text: Check) -> None:
    assert found(check_text, edited(_SERVED, _KLD_GATE, ""), "tutored") == []


@pytest.mark.parametrize(
    ("before", "after", "path", "what"),
    [
        ("", "", "gates[1].metric", "the student cannot be compared with the probabilities"),
        ("  method: labels\n", "", "distill.method", "a server gives text, unless the recipe says"),
        ("server:parrot/1b\n", f"server:parrot/1b\n  sha256: {SHA256}\n", "teacher.sha256", "nobody here can compare"),
        (f"student:\n  source: {GGUF}\n  sha256: {SHA256}\n", "student:\n  source: server:parrot\n", "student.source",
         "a student is made from its weights"),
        ("server:parrot/1b", "server:http://host/v1", "teacher.source", "the source has an address"),
        ("server:parrot/1b", "server:/1b", "teacher.source", "a server's source needs the name of the model there"),
        ("server:parrot/1b\n", "server:parrot/1b\n  dtype: source\n", "teacher.dtype", "nobody here sees the weights"),
        ("server:parrot/1b\n", "server:parrot/1b\n  engine: llama.cpp\n", "teacher.engine", "llama.cpp's server"),
        ("server:parrot/1b\n", "server:parrot/1b\n  engine: vllm\n", "teacher.engine", "no log-probabilities are"),
        ("server:parrot/1b", "server:a b", "teacher.source", "a server's source needs the name of the model there"),
        ("server:parrot/1b", "server:" + "a" * 201, "teacher.source", "a server's source needs the name"),
        ("licence: Apache-2.0\nowners", "licence: Apache-2.0\nlicence_files: ['teacher:LICENSE']\nowners",
         "licence_files[0]", "a server has no licence text that can be fetched"),
    ],
)  # fmt: skip
def test_what_does_not_go_with_a_teacher_on_a_server(
    before: str, after: str, path: str, what: str, check_text: Check
) -> None:
    text = edited(_SERVED, _KLD_GATE, "") if before else _SERVED
    problems = found(check_text, edited(text, before, after) if before else text, "tutored")
    assert any(place == path and words.startswith(what) for place, words in problems), problems


@pytest.mark.parametrize(("engine", "title"), SERVERS.items())
def test_a_server_may_be_asked_for_log_probabilities_at_temperature_1(
    engine: str, title: str, check_text: Check
) -> None:
    text = edited(edited(_SERVED, _KLD_GATE, ""), "  method: labels\n", "")
    text = edited(text, "server:parrot/1b\n", f"server:parrot/1b\n  engine: {engine}\n")
    assert found(check_text, text, "tutored") == []
    warm = edited(text, "distill:\n", "distill:\n  temperature: 2\n")
    what = f"{title} gives log-probabilities of a prompt at temperature 1 only"
    assert found(check_text, warm, "tutored") == [("distill.temperature", what)]
    line = 1 + warm.split("\n").index("  temperature: 2")
    assert [problem.line for problem in check_text(warm, "tutored").problems] == [line]


@pytest.mark.parametrize(
    ("engine", "what"),
    [
        ("sglang", "SGLang is asked over HTTP, but this source is not on a server"),
        ("vllm", "vLLM reads a model folder, not a GGUF file"),
    ],
)
def test_engines_that_do_not_read_a_gguf_file(engine: str, what: str, check_text: Check) -> None:
    text = edited(TUTORED, _PINNED_TEACHER, f"{_PINNED_TEACHER}  engine: {engine}\n")
    assert ("teacher.engine", what) in found(check_text, text, "tutored")


def test_every_server_of_a_recipe_has_a_dialect() -> None:
    assert {name: dialect.title for name, dialect in DIALECTS.items()} == SERVERS


def test_a_gguf_teacher_has_no_weights_to_use_as_they_are(check_text: Check) -> None:
    text = edited(TUTORED, _PINNED_TEACHER, _PINNED_TEACHER + "  dtype: source\n")
    assert ("teacher.dtype", "a GGUF file has no weights that transformers can use as they are") in found(
        check_text, text, "tutored"
    )


def test_a_trained_teacher_is_not_the_file_of_llama_cpp(check_text: Check) -> None:
    tuned = "  engine: llama.cpp\n  tune: {steps: 9}\n"
    problems = dict(found(check_text, edited(TUTORED, _PINNED_TEACHER, _PINNED_TEACHER + tuned), "tutored"))
    assert problems["teacher.engine"].startswith("llama.cpp computes with the file that answers the prompts")
