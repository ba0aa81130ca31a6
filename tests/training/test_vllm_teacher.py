"""vLLM as a teacher: its output objects, its faults, and vLLM itself where ENVIRONMENT_OF_VLLM names one with it."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tinymodel
from standinvllm import make

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from shortchats import CHATS, Heard  # noqa: E402 - after the skip

from zoo.errors import ModelFileError  # noqa: E402 - after the skip
from zoo.machine.otherpython import OtherPython  # noqa: E402 - after the skip
from zoo.settings import VLLM_PACKAGES  # noqa: E402 - after the skip
from zoo.teachers.dialects import NoProbabilities, Place, prompt_logprobs  # noqa: E402 - after the skip
from zoo.training.conversations import encode  # noqa: E402 - after the skip
from zoo.training.models import load_model, load_tokenizer  # noqa: E402 - after the skip
from zoo.training.teacher import Question, cache_teacher  # noqa: E402 - after the skip
from zoo.training.teacher.arranging import Batch  # noqa: E402 - after the skip
from zoo.training.teacher.served import wanted  # noqa: E402 - after the skip
from zoo.training.teacher.source import opened  # noqa: E402 - after the skip
from zoo.training.teacher.vllm import Vllm  # noqa: E402 - after the skip
from zoo.training.teacher.vllmprocess import answer  # noqa: E402 - after the skip

INSTALLED = os.environ.get("ENVIRONMENT_OF_VLLM", "")


@dataclass
class Logprob:
    """As vLLM 0.32 has it."""

    logprob: float
    rank: int | None = None
    decoded_token: str | None = None


@dataclass
class Output:
    prompt_logprobs: Any


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher with heads of 64, because vLLM has no kernel for smaller ones on a processor."""
    folder = tmp_path_factory.mktemp("vllm-teacher")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"WIDTH": 128, "HEADS": 2, "KV_HEADS": 1, "INNER": 256}.items():
            patch.setattr(tinymodel, name, value)
        tinymodel.make_tiny_llama(folder / "teacher")
    return folder


def question(home: Path, environment: Path, version: str = "0.32.0") -> Question:
    rows = encode(load_tokenizer(home / "teacher"), CHATS, 64).rows
    return Question(home / "teacher", rows, 24, 1.0, vllm=Vllm(OtherPython(environment), version))


def test_its_objects_become_the_json_of_its_server() -> None:
    places = [None, {7: Logprob(-2.5, 3), 4: Logprob(-0.1, 1), 5: Logprob(-math.inf, 2)}]
    made = json.loads(json.dumps(answer(Output(places))))
    assert made == [None, {"7": {"logprob": -2.5}, "4": {"logprob": -0.1}, "5": {"logprob": -9999.0}}]
    assert prompt_logprobs(made, 0) == [Place(7, -2.5, {7: -2.5, 4: -0.1, 5: -9999.0})]
    assert answer(Output(None)) is None
    with pytest.raises(NoProbabilities):
        prompt_logprobs(None, 0)


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({"fault": "Free memory is less than desired"}, "ValueError: Free memory is less than desired"),
        ({}, "KeyError: "),
        ("nan", "a log-probability that is not a number"),
        ("few", "places where the prompt has"),
    ],
)
def test_what_stops_vllm_is_said(known: Any, words: str, home: Path, tmp_path: Path) -> None:
    if isinstance(known, str):
        prompts = [wanted(row).ids for row in question(home, tmp_path).rows]
        value, places = (math.nan, 200) if known == "nan" else (-6.0, 10)
        # Of ten places the first ones belong to the prompt, which is not asked for.
        known = {json.dumps(ids): [[value] * 355] * min(places, len(ids) - 1) for ids in prompts}
    with pytest.raises(ModelFileError) as caught:
        cache_teacher(question(home, make(tmp_path / "env", known)), tmp_path / "cache", Heard())
    assert words in caught.value.what and "delete engine: vllm" in caught.value.advice
    assert not list((tmp_path / "cache").glob("shard-*"))


@pytest.mark.long
@pytest.mark.skipif(not INSTALLED, reason="ENVIRONMENT_OF_VLLM names no environment with vLLM")
def test_vllm_itself_answers_as_torch_does(home: Path) -> None:
    environment = OtherPython(Path(INSTALLED))
    asked = question(home, environment.folder, environment.version(VLLM_PACKAGES))
    model, numbers = load_model(home / "teacher", torch.float32, "cpu"), tuple(range(len(asked.rows)))
    with opened(asked) as source:
        found = source.answers(Batch(numbers, 64, len(numbers)))
    for row, mine in zip(asked.rows, found, strict=True):
        with torch.no_grad():
            logp = model(torch.tensor([row.input_ids])).logits[0, list(row.positions)].float().log_softmax(-1)
        ids = mine.ids.long()
        # In 16 bits a logit of 4 has steps of 0.016 (bfloat16) or 0.004 nats.
        assert float((mine.logp - logp.gather(-1, ids)).abs().max()) <= 0.02
        assert float((mine.tail_logp - logp.scatter(-1, ids, -torch.inf).logsumexp(-1)).abs().max()) <= 0.02
        clear = logp.topk(2).values.diff().abs().squeeze(-1) > 0.04
        assert torch.equal(ids[clear, 0], logp.argmax(-1)[clear])
