"""The contract of a teacher source: any of them passes it. The same weights are a model folder and a GGUF file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("llama_cpp")

import gguf  # noqa: E402 - after the skip
import standinvllm as standin  # noqa: E402 - after the skip
from logitserver import MODEL, LogitServer, in_bytes  # noqa: E402 - after the skip
from safetensors.numpy import save_file  # noqa: E402 - after the skip
from shortchats import Heard  # noqa: E402 - after the skip
from tinygguf import make_tiny_gguf  # noqa: E402 - after the skip

from zoo.errors import ModelFileError  # noqa: E402 - after the skip
from zoo.machine.otherpython import OtherPython  # noqa: E402 - after the skip
from zoo.teachers.door import Door  # noqa: E402 - after the skip
from zoo.teachers.logits import Probe  # noqa: E402 - after the skip
from zoo.teachers.logits import opened as logits_of_server  # noqa: E402 - after the skip
from zoo.training import models  # noqa: E402 - after the skip
from zoo.training.conversations import EncodedRow  # noqa: E402 - after the skip
from zoo.training.models import load_model, logits_at  # noqa: E402 - after the skip
from zoo.training.teacher import (  # noqa: E402 - after the skip
    Question,
    Targets,
    alongside,
    cache_digest,
    cache_teacher,
    codec,
    source,
)
from zoo.training.teacher.arranging import Width, arranged, shape_of  # noqa: E402 - after the skip
from zoo.training.teacher.served import ServedTeacher, identity_of, wanted  # noqa: E402 - after the skip
from zoo.training.teacher.source import answers_of, opened  # noqa: E402 - after the skip
from zoo.training.teacher.vllm import Vllm  # noqa: E402 - after the skip

WIDTH, HEADS, KV_HEADS, TOKENS = 64, 4, 2, 400
TOGETHER = Width(batch_tokens=128, head_positions=16, shard_positions=100)
NAMES = {
    "token_embd": "model.embed_tokens", "output_norm": "model.norm",
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}  # fmt: skip
KINDS = ("torch", "llama.cpp")
ASKED = {"a vLLM server": "vllm", "an SGLang server": "sglang", "vLLM": ""}
"""Teachers whose answers are log-probabilities at temperature 1. Each is a folder in the tests' server, or in a package
with the interface of vLLM's that knows the answers: it is not installed here."""
EVERY = (*KINDS, *ASKED)
SERVERS: dict[str, LogitServer] = {}


def rows() -> list[EncodedRow]:
    """Two turns of the assistant each, of many lengths."""
    found = []
    for number in range(14):
        tokens = 12 + number * 11 % 60
        ids = tuple((17 + 31 * number + 7 * place) % TOKENS for place in range(tokens))
        mask = tuple(3 < place < 7 or place > tokens - 5 for place in range(tokens))
        found.append(EncodedRow(f"c{number}", ids, mask))
    return found


ROWS = rows()


def as_folder(path: Path, folder: Path) -> Path:
    """A tiny GGUF file as a model folder. llama.cpp has the two halves of every head interleaved."""
    folder.mkdir()
    tensors = {}
    for tensor in gguf.GGUFReader(path).tensors:
        *layer, name, _ = tensor.name.removeprefix("blk.").split(".")
        values = np.array(tensor.data)
        for kind, heads in (("attn_q", HEADS), ("attn_k", KV_HEADS)):
            if name == kind:
                values = values.reshape(heads, -1, 2, WIDTH).swapaxes(1, 2).reshape(values.shape)
        at = f"model.layers.{layer[0]}." if layer else ""
        tensors[f"{at}{NAMES[name]}.weight"] = np.ascontiguousarray(values.astype(np.float16))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": WIDTH, "dtype": "float16",
        "intermediate_size": 2 * WIDTH, "num_hidden_layers": 1, "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS, "vocab_size": TOKENS, "rms_norm_eps": 1e-5, "rope_theta": 10_000.0,
        "tie_word_embeddings": True, "max_position_embeddings": 512, "bos_token_id": 1, "eos_token_id": 2,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("sources")
    make_tiny_gguf(folder / "llama.cpp", width=WIDTH, layers=1, vocabulary=TOKENS)
    as_folder(folder / "llama.cpp", folder / "torch")
    with ExitStack() as open_:
        for owner in filter(None, ASKED.values()):
            SERVERS[owner] = open_.enter_context(LogitServer(folder / "torch", owner))
        known = {json.dumps(wanted(row).ids): SERVERS["vllm"].logps(wanted(row).ids).tolist() for row in ROWS}
        standin.make(folder / "vllm", known)
        yield folder


def question(home: Path, kind: str, **changes: Any) -> Question:
    asked = Question(home / "torch", ROWS, 24, 1.0, together=TOGETHER)
    if owner := ASKED.get(kind):
        asked = dataclasses.replace(asked, teacher=served(SERVERS[owner].host + "/v1", owner))
    elif kind == "vLLM":
        asked = dataclasses.replace(asked, vllm=Vllm(OtherPython(home / "vllm"), "0"))
    elif kind in KINDS:
        asked = dataclasses.replace(asked, teacher=home / kind)
    return dataclasses.replace(asked, **changes)


def served(address: str, engine: str, top_k: int = 24, **changes: Any) -> ServedTeacher:
    server = logits_of_server(Door(address), MODEL, engine, top_k, Heard())
    text, row = "The fox: 0123, café 🦊", wanted(ROWS[0]).ids
    probe = Probe(text, tuple(in_bytes(text)["input_ids"]), row, 5, max(len(one.input_ids) for one in ROWS), TOKENS)
    return ServedTeacher(identity_of(server), server, dataclasses.replace(probe, **changes))


def answered(asked: Question) -> list[Targets]:
    """By row."""
    found = {}
    with opened(asked) as source:
        for batch in (batch for shard in arranged(asked.rows, asked.reading) for batch in shard):
            found.update(zip(batch.rows, source.answers(batch), strict=True))
    return [found[number] for number in range(len(asked.rows))]


@pytest.fixture(scope="module")
def logits(home: Path) -> list[Any]:
    """Of the weights in float32, row by row, at the positions before the assistant's tokens."""
    model = load_model(home / "torch", torch.float32, "cpu")
    found = []
    for row in ROWS:
        positions = torch.tensor([place - 1 for place, wanted in enumerate(row.mask) if wanted])
        with torch.no_grad():
            found.append(logits_at(model, torch.tensor([row.input_ids]), torch.zeros_like(positions), positions))
    return found


@pytest.mark.parametrize(
    ("kind", "temperature", "width"),
    [
        *((kind, 1.0, None) for kind in EVERY),
        *((kind, *asked) for kind in KINDS for asked in ((2.0, None), (1.0, 300))),
    ],
)
def test_a_source_answers_what_was_asked(
    kind: str, temperature: float, width: int | None, home: Path, logits: list[Any]
) -> None:
    found = answered(question(home, kind, temperature=temperature, width=width))
    for mine, right in zip(found, logits, strict=True):
        logp = (right[:, :width] / temperature).log_softmax(-1)
        assert mine.ids.dtype == torch.int32 and mine.ids.shape == mine.logp.shape == (len(right), 24)
        ids = mine.ids.long()
        assert int(ids.max()) < logp.shape[-1]
        # Not shifted: the neighbouring positions have other answers.
        assert float((mine.logp - logp.gather(-1, ids)).abs().max()) <= 0.02
        assert float((mine.tail_logp - logp.scatter(-1, ids, -torch.inf).logsumexp(-1)).abs().max()) <= 0.02
        best = logp.topk(2, dim=-1)
        clear = best.values[:, 0] - best.values[:, 1] > 0.04
        assert torch.equal(ids[clear, 0], best.indices[clear, 0])
        assert bool((mine.logp.diff(dim=-1) <= 0).all())
        assert torch.allclose(mine.logp.exp().sum(-1) + mine.tail_logp.exp(), torch.ones(len(right)), atol=1e-5)


@pytest.mark.parametrize("kind", EVERY)
def test_a_row_has_the_same_bytes_alone_and_in_company(kind: str, home: Path) -> None:
    together = answered(question(home, kind))
    for number in (0, 5, 13):
        one, (other,) = together[number], answered(question(home, kind, rows=[ROWS[number]]))
        assert torch.equal(one.ids, other.ids)
        assert torch.equal(one.logp, other.logp) and torch.equal(one.tail_logp, other.tail_logp)


@pytest.mark.parametrize("kind", KINDS)
def test_several_batches_at_one_time_have_the_bytes_of_one_after_another(kind: str, home: Path) -> None:
    asked, threads = question(home, kind), torch.get_num_threads()
    batches = [batch for shard in arranged(asked.rows, asked.reading) for batch in shard]
    heard: list[Any] = []
    torch.set_num_threads(2)
    try:
        with opened(asked) as source:
            right = [answer for batch in batches for answer in source.answers(batch)]
            found = answers_of(source, batches, heard.append)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert heard == batches
    for one, other in zip(found, right, strict=True):
        assert torch.equal(one.ids, other.ids)
        assert torch.equal(one.logp, other.logp) and torch.equal(one.tail_logp, other.tail_logp)


@pytest.mark.parametrize("counts", [[4], [9, 3, 5], [1, 5, 4, 6], [7, 6], [2, 2, 1], [11, 11, 3]])
def test_a_position_is_alone_in_a_pass_of_the_head_only_if_its_batch_left_it_alone(counts: list[int]) -> None:
    together, alone = alongside.passes(counts, 4)
    assert sorted(place for places in (*together, *alone) for place in places) == list(range(sum(counts)))
    assert all(2 <= len(places) <= 4 for places in together)
    ends = [sum(counts[: number + 1]) for number in range(len(counts))]
    assert alone == [[end - 1] for end, count in zip(ends, counts, strict=True) if count % 4 == 1]
    # Nearly nothing is filled up: all but the last two passes are full.
    assert all(len(places) == 4 for places in together[:-2])


def test_a_row_is_read_in_the_same_shapes_alone_and_in_company(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels of other sizes than these may add in another order when a shape is another one."""
    read, multiplied = [], []

    def hidden_at(model: Any, ids: Any, *where: Any) -> Any:
        read.append(tuple(ids.shape))
        return models.hidden_at(model, ids, *where)

    def logits_of(model: Any, hidden: Any) -> Any:
        multiplied.append(tuple(hidden.shape))
        return models.logits_of(model, hidden)

    monkeypatch.setattr(source, "hidden_at", hidden_at)
    monkeypatch.setattr(source, "logits_of", logits_of)
    expected = {shape_of(row.positions[-1] + 1, TOGETHER)[::-1] for row in ROWS}
    answered(question(home, "torch"))
    assert set(read) == expected and len(expected) > 3
    answered(question(home, "torch", rows=[ROWS[3]]))
    assert read[-1] == shape_of(ROWS[3].positions[-1] + 1, TOGETHER)[::-1]
    assert set(multiplied) == {(16, WIDTH)}


@pytest.mark.parametrize("kind", EVERY)
def test_answers_of_a_source_are_kept(kind: str, home: Path, tmp_path: Path) -> None:
    asked = question(home, kind)
    cache, direct = cache_teacher(asked, tmp_path / "cache", Heard()), answered(asked)
    for number in range(len(ROWS)):
        kept = cache.targets([number])
        assert torch.equal(kept.ids, direct[number].ids)
        assert float((kept.logp - direct[number].logp).abs().max()) <= codec.COARSEST


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_that_computes_nan_is_refused(kind: str, tmp_path: Path) -> None:
    make_tiny_gguf(tmp_path / "llama.cpp", width=WIDTH, layers=1, vocabulary=TOKENS, spoil="blk.0.ffn_down.weight")
    as_folder(tmp_path / "llama.cpp", tmp_path / "torch")
    with pytest.raises(ModelFileError, match="NaN"):
        cache_teacher(question(tmp_path, kind), tmp_path / "cache", Heard())
    assert not list((tmp_path / "cache").glob("shard-*"))


def test_every_kind_has_a_cache_of_its_own(home: Path) -> None:
    assert len({cache_digest(question(home, kind)) for kind in EVERY}) == len(EVERY)


