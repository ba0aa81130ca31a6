"""Both merges of qlora: each is the model that it should be, and the better one is kept."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
from tinymodel import make_tiny_llama

torch = pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("bitsandbytes")

from safetensors.torch import load_file  # noqa: E402 - after the skip
from shortchats import Heard  # noqa: E402 - after the skip
from test_training_loop import SPEC  # noqa: E402 - after the skip
from test_training_loop import run as trained  # noqa: E402 - after the skip

from zoo.progress import Silent  # noqa: E402 - after the skip
from zoo.training.adapters import dequantized, load_trainable, merge, preset_named  # noqa: E402 - after the skip
from zoo.training.heldout import RowSums, difference, figures  # noqa: E402 - after the skip
from zoo.training.loop import Run  # noqa: E402 - after the skip
from zoo.training.merges import keep_better, worse  # noqa: E402 - after the skip
from zoo.training.models import load_model  # noqa: E402 - after the skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("merges")
    make_tiny_llama(folder / "student", layers=1)
    make_tiny_llama(folder / "teacher", layers=2)
    return folder


@pytest.mark.parametrize("preset", ["ampere-balanced", "ada-memory"])
def test_the_second_merge_answers_as_the_adapter_on_its_own_4_bit_weights(home: Path, preset: str) -> None:
    chosen, student = preset_named(preset), home / "student"
    model = load_trainable(student, "qlora", chosen, torch.float32, "cpu").eval()
    torch.manual_seed(3)
    for name, value in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(value, std=0.02 if "lora_B" in name else 0.1)
    base = load_model(student, torch.float32, "cpu")
    floating = merge(model, load_model(student, torch.float32, "cpu"), "qlora", chosen).eval()
    rounded = merge(model, dequantized(base, student, chosen, torch.float32, "cpu"), "qlora", chosen).eval()
    ids = torch.arange(3, 67)[None]
    with torch.no_grad():
        own, one, other = (each(ids).logits for each in (model, rounded, floating))
    assert (own - other).abs().max() > 0.05, "4 bits round"
    assert (own - one).abs().max() <= 0.1 * (own - other).abs().max()


def sums(*kld: float, teacher: bool = True) -> RowSums:
    nothing = tuple(math.nan for _ in kld)
    return RowSums((2,) * len(kld), kld, kld if teacher else nothing, (1.0,) * len(kld), teacher)


@pytest.mark.parametrize("teacher", [True, False])
@pytest.mark.parametrize(
    ("floating", "rounded", "kept"),
    [((4.0, 8.0), (3.0, 8.0), "four_bit"), ((4.0, 8.0), (4.0, 8.0), "float"), ((4.0, 8.0), (5.0, 7.5), "float")],
)
def test_the_better_merge_is_kept(
    floating: tuple[float, ...], rounded: tuple[float, ...], kept: str, teacher: bool, tmp_path: Path
) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    for folder in (out, other):
        folder.mkdir()
        (folder / "model.safetensors").write_text(folder.name)
    found = {out: sums(*floating, teacher=teacher), other: sums(*rounded, teacher=teacher)}
    after, merges = keep_better(out, other, lambda folder, _: found[folder])
    assert (merges.kept, merges.compared) == (kept, "kld" if teacher else "loss")
    assert (out / "model.safetensors").read_text() == ("other" if kept == "four_bit" else "out")
    assert after == (merges.into_four_bit if kept == "four_bit" else merges.into_float) and not other.exists()
    assert merges.difference_nats == pytest.approx((sum(rounded) - sum(floating)) / 4)


def test_what_is_hard_for_both_does_not_widen_the_difference() -> None:
    one, other = sums(1.0, 100.0, 10.0), sums(1.5, 100.5, 10.5)
    paired, alone = difference(one, other), figures(one)
    assert paired.mean == pytest.approx(0.25) and paired.se == pytest.approx(0.0, abs=1e-12)
    assert alone.kld_mean_se_nats and alone.kld_mean_se_nats > 10


def test_a_student_that_became_worse_is_named() -> None:
    first, last = figures(sums(2.0, 3.0)), figures(sums(3.0, 4.0))
    said = worse(first, last, "trained student")
    assert "the trained student is worse than the untrained one" in said
    assert "divergence from the teacher is 1.75, and was 1.25" in said
    for pair in ((last, first), (first, first), (None, last), (first, None)):
        assert worse(*pair, "trained student") == ""
    silent = (dataclasses.replace(one, kld_mean_nats=None) for one in (first, last))
    assert "its perplexity is" in worse(*silent, "trained student")


@pytest.mark.parametrize(
    ("role", "adapter", "words"),
    [
        ("student", "none", "trained student"),
        ("teacher", "none", "trained teacher"),
        ("student", "qlora", "student with its merged adapter (qlora)"),
        ("teacher", "lora", "teacher with its merged adapter (lora)"),
    ],
)
def test_what_was_trained_has_its_own_words(role: str, adapter: str, words: str) -> None:
    spec = dataclasses.replace(SPEC, adapter=adapter)
    run = Run(Path("s"), None, [], [], spec, Path("o"), Path("s"), Silent(), threads=1, role=role)
    assert run.trained == words


def test_a_training_with_qlora_measures_both_and_says_so(home: Path) -> None:
    heard = Heard()
    changes: dict[str, Any] = {"adapter": "qlora", "preset": "ada-memory", "learning_rate": 5e-3}
    done = trained(home, "both", dataclasses.replace(SPEC, **changes), heard)
    merges = done.merges
    assert merges and done.to_json()["merges"]
    assert done.heldout_after == (merges.into_four_bit if merges.kept == "four_bit" else merges.into_float)
    gap = merges.into_four_bit.kld_mean_nats - merges.into_float.kld_mean_nats
    assert merges.difference_nats == pytest.approx(gap) and gap != 0
    assert merges.kept == ("four_bit" if gap < 0 else "float")
    assert not (home / "both-scratch" / "merged-4-bit").exists()
    weights = load_file(home / "both-out" / "model.safetensors")
    assert all(tensor.dtype == torch.float16 for tensor in weights.values())


def test_a_training_that_makes_the_student_worse_warns(home: Path) -> None:
    heard = Heard()
    spec = dataclasses.replace(SPEC, adapter="lora", preset="cpu-small", learning_rate=3.0)
    done = trained(home, "worse", spec, heard)
    assert done.heldout_after.kld_mean_nats > done.heldout_before.kld_mean_nats
    assert any("worse than the untrained one" in words for words in heard.warnings)
    assert done.merges is None and "merges" not in done.to_json()
