"""Evaluation and the smoke test on tiny random models."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tinygguf import make_tiny_gguf

from zoo.errors import InputError, ModelFileError
from zoo.gguf.header import rewrite_header
from zoo.judge.divergence import compare
from zoo.llama.generate import Result
from zoo.llama.measure import smoke as measure_smoke
from zoo.llama.measure.evaluate import evaluate
from zoo.llama.measure.logits import window_logits
from zoo.llama.measure.smoke import smoke
from zoo.llama.measure.windows import Text, Windows, share_out
from zoo.llama.model import Model
from zoo.llama.quantize.quantize import Wanted, quantize
from zoo.progress import Silent

pytest.importorskip("llama_cpp")

TEXTS = [Text("one", "en", "the cat is on the mat and " * 60), Text("two", "fr-CA", "le chat est là " * 60)]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def test_a_file_against_itself_is_zero_and_its_quants_are_not(path: Path, tmp_path: Path) -> None:
    small = tmp_path / "q4.gguf"
    quantize(path, small, Wanted("Q4_0"), threads=1)
    result = evaluate(
        path, {"self": path, "q4": small}, TEXTS, Windows(window_tokens=64, windows=6), threads=1
    )
    own, other = result["candidates"]["self"], result["candidates"]["q4"]
    assert own["kld_max_nats"] == 0
    assert own["same_top_share"] == 1
    assert own["perplexity"] == own["reference_perplexity"]
    assert own["perplexity"] == pytest.approx(result["reference"]["perplexity"], rel=1e-12)
    assert 0 < other["kld_mean_nats"] < 5
    assert other["tokens"] == 6 * 31 == result["reference"]["tokens"]
    assert set(other["languages"]) == {"en", "fr-CA"}
    assert [text["windows"] for text in result["texts"]] == [3, 3]
    again = evaluate(
        path, {"self": path, "q4": small}, TEXTS, Windows(window_tokens=64, windows=6), threads=2
    )
    assert json.loads(json.dumps(result)) == again


def test_a_window_is_what_the_two_models_say_of_it(path: Path, tmp_path: Path) -> None:
    other = make_tiny_gguf(tmp_path / "other.gguf", seed=1)
    text = TEXTS[0]
    result = evaluate(path, {"other": other}, [text], Windows(window_tokens=64, windows=1), threads=1)
    rows = []
    for file in (path, other):
        with Model.open(file, threads=1, context_tokens=64) as model:
            tokens = model.tokenize(text.content, add_special=False, parse_special=False)[:64]
            rows.append(window_logits(model, tokens))
    scored = compare(rows[0][32:63], rows[1][32:63], np.array(tokens[33:64]))
    assert result["candidates"]["other"]["kld_mean_nats"] == pytest.approx(scored.kld_nats.mean(), rel=1e-6)
    assert result["candidates"]["other"]["kld_mean_se_nats"] is None
    nll = scored.reference_nll_nats.mean(), scored.candidate_nll_nats.mean()
    assert result["reference"]["perplexity"] == pytest.approx(np.exp(nll[0]), rel=1e-6)
    assert result["candidates"]["other"]["perplexity"] == pytest.approx(np.exp(nll[1]), rel=1e-6)


def test_logits_from_a_place_on_are_the_same_logits(path: Path) -> None:
    with Model.open(path, threads=1, context_tokens=256, batch_tokens=48) as model:
        tokens = list(range(300, 420))
        whole = window_logits(model, tokens)
        assert whole.shape == (120, 1024)
        assert whole.dtype == np.float32
        assert np.array_equal(window_logits(model, tokens), whole)
        assert np.allclose(window_logits(model, tokens, first=61), whole[61:], atol=1e-4)
        with pytest.raises(InputError, match="does not fit"):
            window_logits(model, [300] * 257)


def test_windows_are_shared_out_evenly() -> None:
    assert share_out(7, [10, 10, 1]) == [3, 3, 1]
    assert share_out(100, [2, 0, 3]) == [2, 0, 3]


def test_fewer_windows_than_asked_are_reported(path: Path) -> None:
    heard: list[str] = []

    class Listening(Silent):
        def warn(self, text: str) -> None:
            heard.append(text)

    result = evaluate(path, {}, TEXTS, Windows(window_tokens=128, windows=99), threads=1, report=Listening())
    assert result["rule"]["windows"] < result["rule"]["windows_asked"] == 99
    assert len(heard) == 1


def test_a_short_text_and_another_vocabulary_are_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="less than one window"):
        evaluate(path, {}, [Text("tiny", "en", "hello")], Windows(window_tokens=64, windows=1), threads=1)
    other = make_tiny_gguf(tmp_path / "other.gguf", vocabulary=1000)
    with pytest.raises(ModelFileError, match="a different vocabulary"):
        evaluate(path, {"other": other}, TEXTS, Windows(window_tokens=64, windows=1), threads=1)


def test_weights_that_are_not_finite_are_refused(path: Path, tmp_path: Path) -> None:
    bad = make_tiny_gguf(tmp_path / "bad.gguf", spoil="blk.0.ffn_up.weight")
    with pytest.raises(ModelFileError, match=r"bad\.gguf computes logits that are not finite"):
        evaluate(path, {"bad": bad}, TEXTS, Windows(window_tokens=64, windows=1), threads=1)


@pytest.mark.parametrize("whose", ["reference", "candidate"])
def test_a_perplexity_that_is_infinite_is_refused(path: Path, tmp_path: Path, whose: str) -> None:
    """Its logits are finite, but the mean loss is so large that no 64-bit float holds its exponential."""
    huge = make_tiny_gguf(tmp_path / "huge.gguf", norm=10_000.0)
    one, other = (huge, path) if whose == "reference" else (path, huge)
    with pytest.raises(ModelFileError, match=r"huge\.gguf gives .* perplexity is infinite"):
        evaluate(one, {"x": other}, TEXTS[:1], Windows(window_tokens=64, windows=2), threads=1)


def test_smoke_of_random_weights_says_what_failed(path: Path) -> None:
    result = smoke(path, threads=1, max_tokens=8)
    assert result["checks"]["chat_template"]["passed"]
    assert not result["checks"]["stops"]["passed"]
    assert not result["passed"]
    assert len(result["answers"]) == 3
    json.dumps(result)


def test_a_model_that_writes_nothing_continues_no_text() -> None:
    silent, cut = Result("a", "", (), "stop", 3), Result("b", "x", (5,), "length", 3)
    assert not measure_smoke._continues([silent, silent])["passed"]
    assert measure_smoke._continues([silent, cut])["passed"]
    assert not measure_smoke._stops([silent, cut])["passed"]


def test_smoke_of_a_file_without_a_template(path: Path, tmp_path: Path) -> None:
    """A model that continues texts has no conversation to render."""
    bare = tmp_path / "bare.gguf"
    rewrite_header(path, bare, {"tokenizer.chat_template": None})
    checks = smoke(bare, threads=1, max_tokens=8)["checks"]
    assert checks["chat_template"] == {
        "passed": True, "detail": "No chat template: 3 texts are continued as they are."
    }  # fmt: skip
    assert checks["stops"] == {
        "passed": True,
        "detail": "3 of 3 texts were continued, and 0 ended by themselves, which a model without a chat template need "
        "not do.",
    }
    assert smoke(path, threads=1, max_tokens=8)["checks"]["chat_template"]["detail"] == "3 conversations rendered."
