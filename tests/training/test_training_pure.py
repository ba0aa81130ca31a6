"""Masks, losses, schedules and standard errors: what is decided before any training step."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tinymodel import make_tiny_llama  # noqa: E402 - after the skip

from zoo import extras  # noqa: E402 - after the skip
from zoo.errors import MissingExtra, ZooError  # noqa: E402 - after the skip
from zoo.training import NEEDED, require, schedule, versions  # noqa: E402 - after the skip
from zoo.training.conversations import PATIENCE, Conversation, Refused, encode  # noqa: E402 - after the skip
from zoo.training.heldout import Estimate, perplexity_of, ratio  # noqa: E402 - after the skip
from zoo.training.losses import full_kld, label_cross_entropy, topk_kld  # noqa: E402 - after the skip
from zoo.training.models import load_tokenizer  # noqa: E402 - after the skip
from zoo.training.schedule import Batches, epoch_batches, learning_rate  # noqa: E402 - after the skip
from zoo.training.teacher import top_of  # noqa: E402 - after the skip

TWO_TURNS = Conversation(
    "two", (("system", "s"), ("user", "Hé?"), ("assistant", "Yes, é."), ("user", "more"), ("assistant", "No"))
)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load_tokenizer(make_tiny_llama(tmp_path_factory.mktemp("tokenizer")))


def test_importing_the_package_loads_no_heavy_library() -> None:
    code = (
        "import sys, zoo.training; print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"


def test_versions_and_require(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(NEEDED) <= set(versions())
    monkeypatch.setattr(extras, "version", lambda name: extras.ABSENT if name == "torch" else "9.9")
    with pytest.raises(MissingExtra, match=r"needs torch, which is not installed.*\[train\]"):
        require()


def test_the_mask_covers_each_assistant_message_and_its_end_and_nothing_else(tokenizer: Any) -> None:
    row = encode(tokenizer, [TWO_TURNS], 512).rows[0]
    pieces: list[list[int]] = []
    previous = False
    for token, wanted in zip(row.input_ids, row.mask, strict=True):
        if wanted:
            if not previous:
                pieces.append([])
            pieces[-1].append(token)
        previous = wanted
    assert [tokenizer.decode(piece) for piece in pieces] == ["Yes, é.<|im_end|>", "No<|im_end|>"]
    assert row.labels == tuple(token for token, wanted in zip(row.input_ids, row.mask, strict=True) if wanted)


def test_rows_are_cut_and_rows_without_an_answer_are_dropped_and_named(tokenizer: Any) -> None:
    whole = encode(tokenizer, [TWO_TURNS], 512).rows[0]
    first = whole.mask.index(True)
    cut = encode(tokenizer, [TWO_TURNS], first + 3)
    assert cut.rows[0].input_ids == whole.input_ids[: first + 3]
    assert len(cut.rows[0].positions) == 3
    assert encode(tokenizer, [TWO_TURNS], first).dropped == ("two",)


def test_a_template_that_rewrites_earlier_turns_is_refused(tmp_path: Path) -> None:
    folder = make_tiny_llama(tmp_path)
    (folder / "chat_template.jinja").write_text(
        "{{ messages | length }}{% for m in messages %}"
        "<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    with pytest.raises(ZooError, match="rewrites earlier turns"):
        encode(load_tokenizer(folder), [TWO_TURNS], 512)


def test_a_conversation_that_the_template_refuses_is_named(tmp_path: Path) -> None:
    folder = make_tiny_llama(tmp_path)
    (folder / "chat_template.jinja").write_text("{{ raise_exception('roles must alternate') }}")
    with pytest.raises(ZooError, match=r"two: .*roles must alternate"):
        encode(load_tokenizer(folder), [TWO_TURNS], 512)


ONLY_SHORT = "{% if messages[-1]['content'] | length > 9 %}{{ raise_exception('too long') }}{% endif %}"


def test_one_conversation_that_the_template_refuses_is_left_out_with_the_reason(tmp_path: Path) -> None:
    folder = make_tiny_llama(tmp_path)
    template = folder / "chat_template.jinja"
    template.write_text(ONLY_SHORT + template.read_text())
    good = [Conversation(f"good {number}", (("user", "q"), ("assistant", "short"))) for number in range(3)]
    odd = Conversation("odd", (("user", "q"), ("assistant", "much longer")))
    found = encode(load_tokenizer(folder), [good[0], odd, *good[1:]], 512)
    assert [row.key for row in found.rows] == ["good 0", "good 1", "good 2"]
    assert not found.dropped
    ((key, reason),) = found.refused
    assert key == "odd" and "too long" in reason


def test_a_template_that_refuses_the_first_hundred_is_at_fault_itself(tmp_path: Path) -> None:
    folder = make_tiny_llama(tmp_path)
    template = folder / "chat_template.jinja"
    template.write_text(ONLY_SHORT + template.read_text())
    odd = [Conversation(f"odd {n}", (("user", "q"), ("assistant", "much longer"))) for n in range(PATIENCE)]
    with pytest.raises(Refused, match=r"odd 0: .*too long"):
        encode(load_tokenizer(folder), [*odd, TWO_TURNS], 512)


def _logits(seed: int, count: int = 7, vocabulary: int = 50) -> Any:
    return torch.randn(count, vocabulary, generator=torch.Generator().manual_seed(seed)) * 3


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_the_top_k_loss_is_the_full_divergence_when_k_is_the_vocabulary(temperature: float) -> None:
    teacher, student = _logits(1), _logits(2)
    top = top_of(teacher, 50, temperature)
    assert torch.isneginf(top["tail_logp"]).all()
    ours = topk_kld(student, top["top_ids"], top["top_logp"], top["tail_logp"], temperature)
    theirs = full_kld(student / temperature, teacher / temperature) * temperature**2
    assert torch.allclose(ours.double(), theirs, rtol=1e-5, atol=1e-6)


def test_the_top_k_loss_is_a_lower_bound_that_grows_with_k() -> None:
    teacher, student = _logits(1), _logits(2)
    losses = []
    for k in (1, 5, 20, 50):
        top = top_of(teacher, k, 1.0)
        total = top["top_logp"].exp().sum(-1) + top["tail_logp"].exp()
        assert torch.allclose(total, torch.ones(7), atol=1e-5)
        losses.append(topk_kld(student, top["top_ids"], top["top_logp"], top["tail_logp"], 1.0).mean().item())
    assert 0 < losses[0] < losses[1] < losses[2] < losses[3]


def test_the_loss_and_its_gradient_are_finite_when_the_teacher_is_certain() -> None:
    teacher = torch.full((2, 50), -math.inf)
    teacher[:, 3] = 0.0
    student = _logits(2, 2).requires_grad_()
    for k in (4, 50):
        top = top_of(teacher, k, 1.0)
        loss = topk_kld(student, top["top_ids"], top["top_logp"], top["tail_logp"], 1.0)
        # A teacher that puts everything on one token makes the divergence the cross-entropy of that token.
        assert torch.allclose(loss, label_cross_entropy(student, torch.tensor([3, 3])), atol=1e-5)
        (gradient,) = torch.autograd.grad(loss.sum(), student)
        assert torch.isfinite(gradient).all()


def test_the_learning_rate_warms_up_and_falls_to_nearly_nothing() -> None:
    rates = [learning_rate(step, 100, 10, 1.0) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == max(rates) == 1.0
    assert rates[55] == pytest.approx(0.5)
    assert rates[99] < 0.001
    assert learning_rate(0, 1, 0, 1.0) == 1.0


def test_every_row_occurs_once_per_epoch_whatever_the_global_random_state() -> None:
    lengths = [17 * number % 29 for number in range(37)]
    torch.manual_seed(1)
    epoch = [Batches(lengths, 4, 3).rows(step) for step in range(10)]
    torch.manual_seed(2)
    assert epoch == epoch_batches(0, lengths, 4, 3)
    assert sorted(row for batch in epoch for row in batch) == list(range(37))
    assert epoch != epoch_batches(1, lengths, 4, 3)
    assert epoch != epoch_batches(0, lengths, 4, 4)


def test_an_epoch_is_arranged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def arranged(epoch: int, *rest: Any) -> list[list[int]]:
        asked.append(epoch)
        return epoch_batches(epoch, *rest)

    monkeypatch.setattr(schedule, "epoch_batches", arranged)
    lengths = [17 * number % 29 for number in range(37)]
    batches = Batches(lengths, 4, 3)
    steps = [batches.rows(step) for step in range(30)]
    assert asked == [0, 1, 2]
    assert steps == [batch for epoch in range(3) for batch in epoch_batches(epoch, lengths, 4, 3)]
    assert Batches(lengths, 4, 3).rows(15) == steps[15], "of a training that resumes there"


def test_the_standard_error_is_that_of_the_mean_when_rows_are_equally_long() -> None:
    estimate = ratio([2.0, 4.0, 6.0, 12.0], [2, 2, 2, 2])
    values = torch.tensor([1.0, 2.0, 3.0, 6.0], dtype=torch.float64)
    assert estimate.mean == pytest.approx(3.0)
    assert estimate.se == pytest.approx(float(values.std() / 2))


def test_the_standard_error_counts_conversations_not_tokens() -> None:
    once = ratio([1.0, 9.0], [4, 4])
    longer = ratio([100.0, 900.0], [400, 400])
    assert once.se == pytest.approx(longer.se)
    assert ratio([3.0], [3]) == Estimate(1.0, None)
    assert math.isnan(ratio([], []).mean)


def test_perplexity_by_the_delta_method() -> None:
    value = perplexity_of(Estimate(2.0, 0.1))
    assert value == Estimate(math.exp(2.0), math.exp(2.0) * 0.1)
    assert perplexity_of(Estimate(1e6, None)).mean == math.inf
