"""Teacher and student: heads of different widths, other chat templates, and conversations that are left out."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from safetensors.torch import load_file, save_file  # noqa: E402 - after the skip
from shortchats import CHATS, Heard  # noqa: E402 - after the skip
from tinymodel import make_tiny_llama  # noqa: E402 - after the skip

from catalog.recipe import Distill  # noqa: E402 - after the skip
from zoo.errors import InputError  # noqa: E402 - after the skip
from zoo.progress import Silent  # noqa: E402 - after the skip
from zoo.training.conversations import Conversation, encode  # noqa: E402 - after the skip
from zoo.training.loop import Run, distill  # noqa: E402 - after the skip
from zoo.training.models import load_tokenizer  # noqa: E402 - after the skip
from zoo.training.pairing import common_width  # noqa: E402 - after the skip
from zoo.training.report import DistillReport  # noqa: E402 - after the skip
from zoo.training.teacher import Question, cache_digest, cache_teacher  # noqa: E402 - after the skip

TOKENS = 355
SPEC = Distill(
    method="logits", adapter="none", preset="cpu-small", steps=3, batch_rows=2, row_tokens=64, learning_rate=1e-3,
    warmup_steps=1, top_k=16, temperature=1.0, seed=1, checkpoint_every_steps=2, loss=None, micro_tokens=None,
    gradient_checkpointing=None,
)  # fmt: skip


def widened(folder: Path, width: int, likely: bool = False) -> Path:
    """The same model with more rows in its head than the tokenizer has tokens. likely: they are its best answers."""
    make_tiny_llama(folder, layers=1)
    weights = load_file(folder / "model.safetensors")
    table = weights["model.embed_tokens.weight"]
    more = torch.zeros(width - len(table), table.shape[1], dtype=table.dtype)
    if likely:
        more += 3 * table[: len(more)]
    weights["model.embed_tokens.weight"] = torch.cat([table, more]).contiguous()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": width}))
    return folder


def run(student: Path, teacher: Path, folder: Path, report: Any, chats: Any = CHATS, **changes: Any) -> DistillReport:
    spec = dataclasses.replace(SPEC, **changes)
    return distill(Run(student, teacher, chats, CHATS[:3], spec, folder / "out", folder / "s", report, threads=1))


def test_the_wider_head_is_cut_to_the_narrower_one(tmp_path: Path) -> None:
    plain, wide = make_tiny_llama(tmp_path / "plain", layers=1), widened(tmp_path / "wide", 400, likely=True)
    tokenizer = load_tokenizer(plain)
    assert common_width(plain, plain, tokenizer) is None
    assert common_width(plain, wide, tokenizer) == common_width(wide, plain, tokenizer) == TOKENS
    for number, (student, teacher) in enumerate(((plain, wide), (wide, plain))):
        (tmp_path / str(number)).mkdir()
        done = run(student, teacher, tmp_path / str(number), Silent())
        # Below the cut both models are the same.
        assert abs(done.loss_curve[0]["loss"]) < 1e-5


def test_a_cache_is_cut_and_knows_it(tmp_path: Path) -> None:
    teacher = widened(tmp_path / "wide", 400, likely=True)
    rows = encode(load_tokenizer(teacher), CHATS, 64).rows
    whole, cut = (Question(teacher, rows, 16, 1.0, width) for width in (None, TOKENS))
    assert cache_digest(whole) != cache_digest(cut)
    made = cache_teacher(cut, tmp_path / "cut", Silent()).targets([0, 1])
    assert int(made.ids.max()) < TOKENS
    assert torch.allclose(made.logp.exp().sum(-1) + made.tail_logp.exp(), torch.ones(len(made.ids)), atol=1e-5)
    assert int(cache_teacher(whole, tmp_path / "whole", Silent()).targets([0, 1]).ids.max()) >= TOKENS


def test_a_head_that_lacks_tokens_is_refused(tmp_path: Path) -> None:
    plain = make_tiny_llama(tmp_path / "plain", layers=1)
    config = json.loads((plain / "config.json").read_text())
    narrow = make_tiny_llama(tmp_path / "narrow", layers=1)
    (narrow / "config.json").write_text(json.dumps({**config, "vocab_size": 300}))
    with pytest.raises(InputError, match="has token 354, but the heads of student and teacher have 355 and 300"):
        common_width(plain, narrow, load_tokenizer(plain))


OTHER = "{{ '<|im_start|>system\nBe short.<|im_end|>\n' }}"


def test_another_chat_template_of_the_teacher_is_reported(tmp_path: Path) -> None:
    student, teacher = (make_tiny_llama(tmp_path / str(seed), layers=1, seed=seed) for seed in range(2))
    heard = Heard()
    run(student, teacher, tmp_path, heard)
    assert heard.warnings == []
    template = teacher / "chat_template.jinja"
    own = template.read_text()
    template.write_text(OTHER + own)
    run(student, teacher, tmp_path, heard)
    (warning,) = heard.warnings
    assert warning.startswith("Teacher and student have different chat templates: they render c0 differently, from ")
    template.write_text("{{ raise_exception('no such role') }}")
    heard.warnings.clear()
    run(student, teacher, tmp_path, heard)
    assert "cannot render the conversations" in heard.warnings[0] and "no such role" in heard.warnings[0]


def test_conversations_that_are_left_out_are_in_the_report(tmp_path: Path) -> None:
    student = make_tiny_llama(tmp_path / "student", layers=1)
    template = student / "chat_template.jinja"
    refusing = "{% if 'odd' in messages[-1]['content'] %}{{ raise_exception('not odd ones') }}{% endif %}"
    template.write_text(refusing + template.read_text())
    odd = [Conversation(f"o{number}", (("user", "q"), ("assistant", "odd"))) for number in range(5)]
    heard = Heard()
    done = run(student, student, tmp_path, heard, [CHATS[0], *odd, *CHATS[1:]])
    assert (done.rows, done.dropped_rows) == (8, 5)
    assert [one["key"] for one in done.refused_rows] == ["o0", "o1", "o2", "o3", "o4"]
    assert "not odd ones" in done.refused_rows[0]["reason"]
    assert heard.warnings[0].startswith("Conversation o0 is left out: ")
    assert "2 more conversations are left out for such reasons" in heard.warnings
    assert done.to_json()["refused_rows"] == done.refused_rows
