"""The head that training runs at some positions only gives what the model's own forward pass gives, in any format."""

from __future__ import annotations

from typing import Any

import pytest

from zoo.errors import ZooError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SMALL: dict[str, Any] = {
    "vocab_size": 96, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip


def check(name: str, dtype: Any, spread: float, kind: Any = None, **more: Any) -> None:
    """A random model whose head is ``spread`` times as large as usual, and its logits with it. kind: its class."""
    from zoo.training.models import check_head

    transformers.set_seed(0)
    config = getattr(transformers, f"{name}Config")(**{**SMALL, **more})
    model = kind(config).to(dtype) if kind else transformers.AutoModelForCausalLM.from_config(config, dtype=dtype)
    model.eval()
    with torch.no_grad():
        model.get_output_embeddings().weight.mul_(spread)
    check_head(model, [5, 6, 7, 8, 9])


@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_logits_of_any_size_agree(dtype: str, spread: float) -> None:
    """An absolute bound would refuse large logits and miss differences in small ones."""
    check("Llama", getattr(torch, dtype), spread)


@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_an_unknown_step_after_the_head_is_found(dtype: str, spread: float) -> None:
    class Scaled(transformers.LlamaForCausalLM):  # type: ignore[misc]  # of an optional library
        def forward(self, *given: Any, **named: Any) -> Any:
            found = super().forward(*given, **named)
            found.logits = found.logits / 1.25
            return found

    with pytest.raises(ZooError, match="changes its logits after the output head"):
        check("Llama", getattr(torch, dtype), spread, Scaled)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize(("name", "more"), [
    ("Granite", {"logits_scaling": 8.0}), ("Cohere", {"logit_scale": 0.0625}),
    ("GraniteMoe", {"logits_scaling": 1.25, "num_local_experts": 2, "num_experts_per_tok": 1}),
])  # fmt: skip
def test_scaled_logits_agree(name: str, more: dict[str, Any], dtype: str) -> None:
    check(name, getattr(torch, dtype), 1.0, **more)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_logits_of_16_bit_weights_are_not_rounded_to_16_bits(dtype: str) -> None:
    from zoo.training.models import logits_at

    transformers.set_seed(0)
    config = transformers.LlamaConfig(**SMALL)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype)).eval()
    tokens, rows, where = torch.tensor([[5, 6, 7, 8]]), torch.tensor([0, 0]), torch.tensor([1, 3])
    with torch.no_grad():
        found = logits_at(model, tokens, rows, where)
        hidden = model.base_model(input_ids=tokens).last_hidden_state[0, where]
        exact = hidden.double() @ model.get_output_embeddings().weight.double().T
    assert found.dtype == torch.float32
    assert (found - exact).abs().max() < 1e-5 * exact.abs().max()


def test_the_gradient_of_a_student_near_its_teacher_is_right_to_a_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 0.003 nats, where logits that were rounded to bfloat16 give a gradient that is off by a fifth."""
    from zoo.training import head
    from zoo.training.losses import topk_kld
    from zoo.training.teacher import top_of

    monkeypatch.setattr(head, "BLOCK", 1000)
    random = torch.Generator().manual_seed(0)
    hidden = torch.randn(64, 128, generator=random).bfloat16()
    weight = torch.nn.Parameter((torch.randn(4096, 128, generator=random) * 3 / 128**0.5).bfloat16())
    teacher = hidden.double() @ weight.detach().double().T
    goal = top_of(teacher + 0.095 * torch.randn(teacher.shape, generator=random), 64, 1.0)

    def loss(logits: Any) -> Any:
        return topk_kld(logits, goal["top_ids"], goal["top_logp"], goal["tail_logp"], 1.0).mean()

    layer = torch.nn.Linear(128, 4096, bias=False, dtype=torch.bfloat16)
    layer.weight = weight
    ours = torch.autograd.grad(loss(head.logits(layer, hidden.requires_grad_())), [hidden, weight])
    exact_hidden, exact_weight = (one.detach().double().requires_grad_() for one in (hidden, weight))
    value = loss((exact_hidden @ exact_weight.T).float())
    assert 0.002 < float(value.detach()) < 0.004
    for found, exact in zip(ours, torch.autograd.grad(value, [exact_hidden, exact_weight]), strict=True):
        assert found.dtype == torch.bfloat16
        assert float((found.double() - exact).norm() / exact.norm()) < 0.01
    rounded = torch.autograd.grad(loss(layer(hidden).float()), hidden)[0]
    exact = torch.autograd.grad(loss((exact_hidden @ exact_weight.T).float()), exact_hidden)[0]
    assert float((rounded.double() - exact).norm() / exact.norm()) > 0.05, "so that this test can fail"


def test_a_float32_head_with_a_bias_under_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo.training import head

    monkeypatch.setattr(head, "BLOCK", 7)
    layer, hidden = torch.nn.Linear(8, 20), torch.randn(3, 8)
    assert torch.equal(head.logits(layer, hidden), layer(hidden)), "the very same sum without it"
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = head.logits(layer, hidden)
    exact = hidden.bfloat16().float() @ layer.weight.bfloat16().float().T + layer.bias
    assert torch.allclose(found, exact, rtol=1e-6, atol=1e-6)
    found.sum().backward()
    assert layer.weight.grad is not None and layer.weight.grad.dtype == torch.float32
    assert torch.allclose(layer.weight.grad, hidden.bfloat16().float().sum(0).expand(20, 8), rtol=1e-6)


@pytest.mark.parametrize("quick", [False, True])
def test_the_products_of_a_head_in_float32_are_right_in_either_library(
    quick: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zoo.training import head

    device = torch.device("cpu")
    if quick and not head.is_quick(torch.float32, device):
        pytest.skip("this processor has no AVX-512")
    monkeypatch.setattr(head, "is_quick", lambda *_: quick)
    random = torch.Generator().manual_seed(0)
    hidden = torch.randn(5, 8, generator=random)
    weight = torch.randn(head.QUICK_BLOCK + 9, 8, generator=random)
    room = torch.full((5, len(weight)), torch.nan)
    made = head.product(hidden, weight, torch.float32, room)
    assert made.data_ptr() == room.data_ptr()
    back = head.for_hidden(made, weight, torch.float32)
    # Each sum is rounded at most once for each of its terms.
    for found, one, other in ((made, hidden, weight.T), (back, made, weight)):
        right = one.double() @ other.double()
        most = one.double().abs() @ other.double().abs() * (one.shape[1] * torch.finfo(torch.float32).eps)
        assert found.dtype == torch.float32 and bool(((found.double() - right).abs() <= most).all())
