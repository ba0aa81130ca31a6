"""The fused loss: its gradients, its agreement with dense float64, its corners, and what it never allocates."""

from __future__ import annotations

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from denseloss import dense  # noqa: E402 - after the skip

from catalog.losses import KINDS  # noqa: E402 - after the skip
from zoo.training.fused import Goal, Loss, sparse_loss  # noqa: E402 - after the skip
from zoo.training.losses import label_cross_entropy, topk_kld  # noqa: E402 - after the skip
from zoo.training.teacher import top_of  # noqa: E402 - after the skip

COUNT, VOCABULARY, WIDTH = 7, 40, 6
SMALL = (4, 11, 3)
"""The same three where every entry is a gradient of its own: the loss is computed twice for each."""


def made(
    dtype: Any = torch.float64, *, k: int = 5, temperature: float = 1.0, spread: float = 2.0,
    sizes: tuple[int, int, int] = (COUNT, VOCABULARY, WIDTH),
) -> Any:  # fmt: skip
    count, vocabulary, width = sizes
    random = torch.Generator().manual_seed(3)
    hidden = torch.randn(count, width, generator=random, dtype=torch.float64)
    weight = torch.randn(vocabulary, width, generator=random, dtype=torch.float64) * spread
    teacher = torch.randn(count, vocabulary, generator=random, dtype=torch.float64) * 2
    logp = (teacher / temperature).log_softmax(-1)
    top = logp.topk(k)
    tail = logp.scatter(-1, top.indices, -math.inf).logsumexp(-1)
    return (
        hidden.to(dtype).requires_grad_(),
        weight.to(dtype).requires_grad_(),
        Goal(top.indices.int(), top.values, tail),
    )


class Again(torch.autograd.Function):  # type: ignore[misc]  # of an optional library
    """The loss computed again for every gradient, because each can be taken once only and gradcheck takes many."""

    @staticmethod
    def forward(ctx: Any, hidden: Any, weight: Any, goal: Goal, loss: Loss, chunk: int) -> Any:
        ctx.kept = hidden, weight, goal, loss, chunk
        return sparse_loss(hidden.detach(), weight.detach(), goal, loss, denominator=3.0, chunk=chunk)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        hidden, weight, goal, loss, chunk = ctx.kept
        fresh = [one.detach().requires_grad_() for one in (hidden, weight)]
        with torch.enable_grad():
            value = sparse_loss(*fresh, goal, loss, denominator=3.0, chunk=chunk)
        return (*torch.autograd.grad(value, fresh, gradient), None, None, None)


LOSSES = [
    Loss(kind, 0.3, temperature, cap, scale)
    for kind in KINDS for temperature, cap, scale in ((1.0, None, 1.0), (2.5, 5.0, 1.0), (2.0, 5.0, 0.7))
]  # fmt: skip


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: f"{loss.kind}-{loss.temperature}")
@pytest.mark.parametrize("k", [1, 5, SMALL[1]])
def test_every_loss_has_its_gradient(loss: Loss, k: int) -> None:
    hidden, weight, goal = made(k=k, temperature=loss.temperature, sizes=SMALL)
    assert torch.autograd.gradcheck(lambda *ours: Again.apply(*ours, goal, loss, 3), (hidden, weight))
    ours = sparse_loss(hidden, weight, goal, loss, denominator=1.0)
    assert float(ours.detach()) == pytest.approx(float(dense(hidden, weight, goal, loss).detach()), rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_the_chunk_does_not_matter(kind: str) -> None:
    hidden, weight, goal = made(torch.float32)
    found = []
    for chunk in (1, 3, COUNT, 100):
        value = sparse_loss(hidden, weight, goal, Loss(kind), denominator=2.0, chunk=chunk)
        found.append([value.detach(), *torch.autograd.grad(value, (hidden, weight))])
    # Products and sums have at most this many terms, each rounded once on both sides; what cancels is as large as the
    # largest entry. A chunk that is left out or counted twice is off by a seventh.
    bound = 2 * (VOCABULARY + WIDTH + COUNT) * torch.finfo(torch.float32).eps
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            assert (one - two).abs().max() <= bound * one.abs().max()


@pytest.mark.parametrize("temperature", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("k", [1, 16, VOCABULARY])
def test_it_is_the_loss_of_the_training_loop(temperature: float, k: int) -> None:
    hidden, weight, _ = made(torch.float32)
    teacher = torch.randn(COUNT, VOCABULARY, generator=torch.Generator().manual_seed(9)) * 3
    top = top_of(teacher, k, temperature)
    goal = Goal(top["top_ids"], top["top_logp"], top["tail_logp"])
    ours = sparse_loss(hidden, weight, goal, Loss(temperature=temperature), denominator=COUNT)
    theirs = topk_kld(hidden @ weight.T, *goal, temperature).mean()
    assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    pairs = zip(*(torch.autograd.grad(value, (hidden, weight)) for value in (ours, theirs)), strict=True)
    assert all(torch.allclose(one, other, rtol=1e-4, atol=1e-5) for one, other in pairs)


def test_a_label_is_a_teacher_that_is_certain() -> None:
    hidden, weight, _ = made(torch.float32)
    labels = torch.arange(COUNT)
    goal = Goal(labels[:, None], torch.zeros(COUNT, 1), torch.full((COUNT,), -math.inf))
    ours = sparse_loss(hidden, weight, goal, Loss(), denominator=COUNT)
    assert torch.allclose(ours, label_cross_entropy(hidden @ weight.T, labels).mean())


@pytest.mark.parametrize("kind", ["forward_kl", "jsd", "skew_kl", "tv"])
def test_tokens_that_the_teacher_excludes_and_tails_that_vanish(kind: str) -> None:
    """A student whose tail is below 1e-30 against a teacher with a tail of a tenth: finite in each."""
    hidden, weight, goal = made(torch.float32, spread=400.0)
    logp = goal.logp.clone()
    logp[:, -1] = -math.inf
    best = (hidden @ weight.T).topk(6)
    assert float((best.values[:, 5] - best.values[:, 0]).max().detach()) < math.log(1e-30)
    goal = Goal(best.indices[:, :5], logp, torch.full((COUNT,), math.log(0.1)))
    value = sparse_loss(hidden, weight, goal, Loss(kind), denominator=COUNT)
    assert math.isfinite(float(value.detach()))
    gradients = torch.autograd.grad(value, (hidden, weight))
    assert all(bool(torch.isfinite(one).all()) for one in gradients)
    # The other losses have no slope where the student is certain.
    assert kind != "forward_kl" or float(gradients[0].norm()) > 1e-3


@pytest.mark.parametrize(("dtype", "most"), [(torch.bfloat16, 0.01), (torch.float16, 0.002)])
def test_16_bits_near_the_teacher(dtype: Any, most: float) -> None:
    """At 0.003 nats and a denominator that puts most of the gradients below what float16 can hold."""
    random = torch.Generator().manual_seed(0)
    hidden = torch.randn(64, 128, generator=random).to(dtype)
    weight = (torch.randn(4096, 128, generator=random) * 3 / 128**0.5).to(dtype)
    teacher = hidden.double() @ weight.double().T
    top = top_of((teacher + 0.095 * torch.randn(teacher.shape, generator=random)).float(), 64, 1.0)
    goal = Goal(top["top_ids"], top["top_logp"], top["tail_logp"])
    value = sparse_loss(hidden.requires_grad_(), weight.requires_grad_(), goal, Loss(), denominator=64.0)
    exact = [one.detach().double().requires_grad_() for one in (hidden, weight)]
    right = dense(*exact, goal, Loss()) / 64
    assert 0.002 < float(right.detach()) < 0.004
    found, expected = torch.autograd.grad(value * 4096, (hidden, weight)), torch.autograd.grad(right, exact)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == dtype
        assert float((one.double() / 4096 - other).norm() / other.norm()) < most


def test_nothing_as_large_as_all_logits_is_kept() -> None:
    hidden, weight, goal = made(torch.float32)
    sizes: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda one: sizes.append(one.numel()) or one, lambda one: one):
        sparse_loss(hidden, weight, goal, Loss(), denominator=1.0, chunk=2).backward()
    assert not [size for size in sizes if size >= COUNT * VOCABULARY]
    with torch.profiler.profile(profile_memory=True) as seen:
        sparse_loss(hidden.detach(), weight.detach(), goal, Loss(), denominator=1.0, chunk=2)
    largest = max(event.self_cpu_memory_usage for event in seen.events())
    assert 0 < largest <= 2 * (2 * VOCABULARY * 4) < COUNT * VOCABULARY * 4


def test_a_frozen_head_and_no_gradient_at_all() -> None:
    hidden, weight, goal = made(torch.float32)
    (only,) = torch.autograd.grad(sparse_loss(hidden, weight.detach(), goal, Loss(), denominator=1.0), hidden)
    both, _ = torch.autograd.grad(sparse_loss(hidden, weight, goal, Loss(), denominator=1.0), (hidden, weight))
    assert torch.equal(only, both)
    with torch.no_grad():
        assert not sparse_loss(hidden, weight, goal, Loss(), denominator=1.0).requires_grad


def test_a_gradient_is_taken_once() -> None:
    hidden, weight, goal = made(torch.float32)
    value = sparse_loss(hidden, weight, goal, Loss(), denominator=1.0)
    value.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="already been taken"):
        value.backward()


@pytest.mark.parametrize(
    ("loss", "words"),
    [(Loss("kl"), "no loss 'kl'"), (Loss("jsd", 1.0), "beta is 1.0"), (Loss(temperature=0.0), "temperature is 0.0")],
)
def test_settings_that_are_no_loss_are_refused(loss: Loss, words: str) -> None:
    hidden, weight, goal = made()
    with pytest.raises(ValueError, match=words):
        sparse_loss(hidden, weight, goal, loss, denominator=1.0)
