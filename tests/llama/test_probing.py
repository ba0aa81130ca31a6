"""Probes asked of real files: a shared beginning changes nothing, rows do not mix, broken weights are refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from tinygguf import make_tiny_gguf

from zoo.errors import ModelFileError
from zoo.judge import probes
from zoo.judge.probes.item import Answer, Probe
from zoo.llama.measure import probing
from zoo.llama.measure.logits import window_logits
from zoo.llama.model import Model

pytest.importorskip("llama_cpp")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def ask(path: Path, probe: Probe) -> list[Answer]:
    (found,) = probing.ask(path, [probe], threads=1)
    return found


def test_answers_are_those_of_one_item_alone(path: Path) -> None:
    probe = probes.make("copying", 20, 0)
    together = ask(path, probe)
    assert [answer.id for answer in together] == [question.id for question in probe.questions]
    for number in (0, 7, 19):
        alone = dataclasses.replace(probe, questions=probe.questions[number : number + 1])
        assert ask(path, alone) == together[number : number + 1]


def test_pairs_against_the_complete_sentences(path: Path) -> None:
    probe = probes.make("pairs_en", 20, 0)
    answers = ask(path, probe)
    with Model.open(path, threads=1, context_tokens=256) as model:
        for pair, answer in zip(probe.pairs, answers, strict=True):
            good, bad = (_log_likelihood(model, text) for text in (pair.good, pair.bad))
            assert float(answer.text) == pytest.approx(good - bad, abs=2e-3)
            assert answer.correct == (float(answer.text) > 0) and answer.finish == ""


def _log_likelihood(model: Model, text: str) -> float:
    """Of every token but the first, each sentence read by itself from an empty cache."""
    tokens = model.tokenize(text, add_special=True, parse_special=False)
    logits = window_logits(model, tokens[:-1]).astype(np.float64)
    top = logits.max(axis=1, keepdims=True)
    logs = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
    return float(logs[np.arange(len(logs)), tokens[1:]].sum())


def test_every_probe_answers_within_its_bounds(path: Path) -> None:
    made = [probes.make(name, 3, 0) for name in probes.MAKERS]
    heard: list[float] = []
    found = probing.ask(path, made, threads=1, advance=heard.append)
    assert [len(answers) for answers in found] == [3] * len(made) and sum(heard) == 3 * len(made)
    for probe, answers in zip(made, found, strict=True):
        assert all(answer.finish in (("",) if probe.pairs else ("stop", "length")) for answer in answers)
    assert probing.ask(path, made, threads=1) == found
    assert probing.ask(path, [], threads=1) == []


def test_a_file_without_a_template_is_asked_in_plain_words(path: Path, tmp_path: Path) -> None:
    from zoo.gguf.header import rewrite_header

    bare = tmp_path / "bare.gguf"
    rewrite_header(path, bare, {"tokenizer.chat_template": None})
    answers = ask(bare, probes.make("arithmetic", 2, 0))
    assert len(answers) == 2 and all("\nQuestion:" not in answer.text for answer in answers)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    broken = make_tiny_gguf(tmp_path / "nan.gguf", spoil="blk.1.ffn_down.weight")
    with pytest.raises(ModelFileError, match="not finite"):
        ask(broken, probes.make("arithmetic", 2, 0))
