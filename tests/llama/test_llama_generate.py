"""Generation on a tiny random model: bytes that depend only on the job, grammars, and clear refusals."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy
import pytest
from tinygguf import make_tiny_gguf

from zoo.errors import InputError, ModelFileError
from zoo.gguf.header import rewrite_header
from zoo.llama import library, prompt
from zoo.llama.generate import Job, Result, generate
from zoo.llama.model import Model
from zoo.llama.opening import model_params
from zoo.templates.renderer import Renderer

pytest.importorskip("llama_cpp")

WORDS = ["the", "of", "and", "in", "to", "is", "was", "for", "with", "on", "as", "are", "at", "this"]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "boolean"}, "b": {"enum": ["x", "y"]}},
    "required": ["a", "b"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture
def model(path: Path) -> Iterator[Model]:
    with Model.open(path, threads=1, context_tokens=256, parallel=4) as opened:
        yield opened


def jobs(count: int) -> list[Job]:
    """Prompts and answers of many lengths, half of them greedy."""
    dice = random.Random(3)
    return [
        Job(
            key=str(number),
            prompt_text=" ".join(dice.choices(WORDS, k=dice.randint(1, 90))),
            max_tokens=dice.randint(1, 24),
            temperature=number % 2 * 0.9,
            top_p=0.9,
            seed=number,
            json_schema=SCHEMA if number % 5 == 4 else None,
        )
        for number in range(count)
    ]


def by_key(results: Iterator[Result]) -> dict[str, Result]:
    return {result.key: result for result in results}


def test_a_row_does_not_depend_on_the_others(model: Model) -> None:
    todo = jobs(26)
    together = by_key(generate(model, todo, batch_rows=4))
    assert set(together) == {job.key for job in todo}
    shuffled = todo.copy()
    random.Random(1).shuffle(shuffled)
    assert by_key(generate(model, shuffled, batch_rows=4)) == together
    for job in todo:
        assert list(generate(model, [job], batch_rows=4)) == [together[job.key]]


def test_layers_are_on_a_gpu_where_one_is_asked_for_and_found(monkeypatch: pytest.MonkeyPatch) -> None:
    lib = library.require()
    monkeypatch.setattr(library, "has_gpu", lambda: True)
    on_processor: Any = model_params(lib, "cpu")
    assert on_processor.n_gpu_layers == 0
    every: Any = model_params(lib, "cuda")
    assert (every.n_gpu_layers, every.split_mode) == (-1, lib.llama_model_default_params().split_mode)
    second: Any = model_params(lib, "cuda:1")
    assert (second.n_gpu_layers, second.split_mode, second.main_gpu) == (-1, lib.LLAMA_SPLIT_MODE_NONE, 1)
    monkeypatch.setattr(library, "has_gpu", lambda: False)
    without: Any = model_params(lib, "cuda:1")
    assert without.n_gpu_layers == 0


def test_without_a_gpu_the_processor_answers(path: Path, model: Model) -> None:
    if library.has_gpu():
        pytest.skip("llama.cpp finds a GPU here")
    todo = jobs(3)
    with Model.open(path, threads=1, context_tokens=256, parallel=4, device="cuda:1") as other:
        assert by_key(generate(other, todo, batch_rows=4)) == by_key(generate(model, todo, batch_rows=4))


def test_an_interrupted_run_leaves_the_model_usable(model: Model) -> None:
    todo = jobs(9)
    whole = by_key(generate(model, todo, batch_rows=4))
    running = generate(model, todo, batch_rows=4)
    done = [next(running), next(running)]
    running.close()
    rest = [job for job in todo if job.key not in {result.key for result in done}]
    assert {result.key: result for result in done} | by_key(generate(model, rest, batch_rows=4)) == whole


def test_the_seed_counts_when_the_temperature_does(model: Model) -> None:
    def tokens(temperature: float, seed: int) -> tuple[int, ...]:
        job = Job("a", "the of", 24, temperature=temperature, seed=seed)
        return next(iter(generate(model, [job], batch_rows=1))).tokens

    assert tokens(1.0, 1) == tokens(1.0, 1)
    assert tokens(1.0, 1) != tokens(1.0, 2)
    assert tokens(0.0, 1) == tokens(0.0, 2)


def test_a_schema_makes_even_random_weights_write_json(model: Model) -> None:
    todo = [Job(str(seed), "the of", 60, temperature=1.0, seed=seed, json_schema=SCHEMA) for seed in range(6)]
    for result in generate(model, todo, batch_rows=4):
        assert result.finish == "stop"
        jsonschema.validate(json.loads(result.text), SCHEMA)


def test_lengths_are_counted_and_kept(model: Model) -> None:
    result = next(iter(generate(model, [Job("a", "the of", 5)], batch_rows=2)))
    assert (len(result.tokens), result.finish) == (5, "length")
    assert result.prompt_tokens == len(model.tokenize("the of", add_special=False, parse_special=True))


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (Job("k", "", 5), "empty prompt"),
        (Job("k", "the " * 250, 50), "asks for 50 more"),
        (Job("k", "the", 0), "out of range"),
        (Job("k", "the", 5, top_p=0.0), "out of range"),
        (Job("k", "the", 5, json_schema={"$ref": "#/nowhere"}), "JSON Schema"),
    ],
)
def test_a_job_that_cannot_be_done_is_refused(model: Model, job: Job, said: str) -> None:
    with pytest.raises(InputError, match=said):
        list(generate(model, [job], batch_rows=1))


def test_more_rows_than_the_model_was_opened_for(model: Model) -> None:
    with pytest.raises(InputError, match="opened for 4"):
        list(generate(model, [], batch_rows=5))


def test_tokens_and_text_go_both_ways(model: Model) -> None:
    text = "the cat é 漢 <|im_end|>"
    plain = model.tokenize(text, add_special=False, parse_special=False)
    assert model.detokenize(plain) == text.encode()
    marked = model.tokenize(text, add_special=False, parse_special=True)
    assert marked[-1] == 2
    assert 2 not in plain
    assert model.detokenize(marked, special=True) == text.encode()
    assert 2 in model.end_tokens
    assert model.vocabulary_size == 1024


def test_a_closed_model_leaves_no_process(path: Path) -> None:
    with Model.open(path, threads=1, context_tokens=64) as opened:
        opened.render([{"role": "user", "content": "U"}])
        worker = opened._renderer._worker
        assert worker is not None and worker.ready()
    with pytest.raises(ProcessLookupError):
        os.kill(worker._process.pid, 0)


def test_the_chat_template_is_rendered(model: Model) -> None:
    text = model.render([{"role": "system", "content": "S"}, {"role": "user", "content": "U"}])
    expected = "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n"
    assert text == expected


@pytest.mark.parametrize(
    "template",
    ["{% if %}", "{{ raise_exception('no system please') }}", "{{ ''.__class__.__mro__ }}", "{{ 1 / 0 }}"],
)
def test_a_bad_template_is_a_model_file_error(template: str) -> None:
    with pytest.raises(ModelFileError, match="chat template"):
        Renderer(template, special={}, source="a test").render([])


def test_a_load_failure_quotes_llama_cpp(path: Path, tmp_path: Path) -> None:
    strange = tmp_path / "strange.gguf"
    strange.write_bytes(path.read_bytes().replace(b"blk.1.ffn_up.weight", b"blk.1.ffn_xp.weight", 1))
    with (
        pytest.raises(ModelFileError, match=r"strange\.gguf.*ffn_up"),
        Model.open(strange, threads=1, context_tokens=64),
    ):
        pass


def test_a_string_under_a_grammar_holds_no_raw_line_break(model: Model) -> None:
    """JSON forbids control characters in strings; llama-cpp-python's grammar would let a model write them."""
    from zoo.llama import grammar

    schema = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 9}}, "required": ["a"]}
    rules = grammar.schema_to_gbnf(schema)
    assert grammar.STRICT_CHARACTER in rules and grammar.LOOSE_CHARACTER not in rules
    asked = [Job(str(n), f"line {n}\n\n", 60, temperature=1.5, seed=n, json_schema=schema) for n in range(12)]
    for result in generate(model, asked, batch_rows=4):
        if result.finish == "stop":
            assert set(json.loads(result.text)) == {"a"}


@pytest.mark.parametrize("wanted", [True, False])
def test_a_file_without_a_template_is_asked_in_text_that_begins_as_its_vocabulary_requires(
    path: Path, tmp_path: Path, wanted: bool
) -> None:
    bare = tmp_path / "bare.gguf"
    rewrite_header(path, bare, {"tokenizer.chat_template": None, "tokenizer.ggml.add_bos_token": wanted})
    with Model.open(bare, threads=1, context_tokens=256) as opened:
        plain = opened.tokenize("Say hello.", add_special=False, parse_special=False)
        assert prompt.tokens(opened, "Say hello.") == ([opened.bos] if wanted else []) + plain


@pytest.mark.parametrize("schema", [None, SCHEMA])
@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_weights_that_are_not_finite_answer_nothing(
    tmp_path: Path, schema: dict[str, Any] | None, temperature: float
) -> None:
    """The sampler would take any token, and that of a grammar would end the process."""
    bad = make_tiny_gguf(tmp_path / "bad.gguf", layers=1, spoil="blk.0.ffn_down.weight")
    with Model.open(bad, threads=1, context_tokens=256, parallel=2) as opened:
        job = Job("a", "the of", 8, temperature=temperature, json_schema=schema)
        with pytest.raises(ModelFileError, match=r"bad\.gguf computes values that are NaN or infinite"):
            list(generate(opened, [job], batch_rows=2))


def test_the_likeliest_token_is_that_of_llama_cpp_s_greedy_sampler(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also among equal logits, which rounding makes of most."""
    lib, decode = model.lib, model.decode

    def rounded(tokens: list[tuple[int, int, int, bool]]) -> None:
        decode(tokens)
        for output in range(sum(asked for *_, asked in tokens)):
            pointer = lib.llama_get_logits_ith(model.context, -1 - output)
            logits = numpy.ctypeslib.as_array(pointer, (model.vocabulary_size,))
            logits.round(out=logits)

    monkeypatch.setattr(Model, "decode", lambda _, tokens: rounded(tokens))
    plain = [job for job in jobs(12) if job.temperature == 0 and job.json_schema is None]
    found = by_key(generate(model, plain, batch_rows=1))
    chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
    lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_greedy())
    for job in plain:
        model.clear()
        tokens = prompt.tokens(model, job.prompt_text)
        right: list[int] = []
        rounded([(token, place, 0, place == len(tokens) - 1) for place, token in enumerate(tokens)])
        while len(right) < job.max_tokens:
            token = int(lib.llama_sampler_sample(chain, model.context, -1))
            if token in model.end_tokens:
                break
            right.append(token)
            rounded([(token, len(tokens) + len(right) - 1, 0, True)])
        assert found[job.key].tokens == tuple(right)
    lib.llama_sampler_free(chain)
