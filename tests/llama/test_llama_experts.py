"""A mixture of experts: stacks of matrices, each with its own importance. And how many cores are idle."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
import tinygguf
from llamaquant import llama_quantize, tensors

from zoo.llama.measure import calibrate
from zoo.llama.measure.windows import Text
from zoo.llama.quantize.quantize import Wanted, quantize
from zoo.machine import resources

pytest.importorskip("llama_cpp")

EXPERTS, USED, WIDTH, TOKENS = 4, 2, 256, 300
TEXT = Text(
    "a.txt", "en", "The quick brown fox jumps over the lazy dog, and the dog does not mind at all. " * 6
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("experts") / "experts.gguf"
    writer = gguf.GGUFWriter(str(path), "llama")
    tinygguf._describe(writer, WIDTH, 2 * WIDTH, 2, TOKENS)
    writer.add_expert_count(EXPERTS)
    writer.add_expert_used_count(USED)
    random = np.random.default_rng(7)
    for name, shape in tinygguf._shapes(WIDTH, 2 * WIDTH, 2, TOKENS).items():
        if ".ffn_" in name and "norm" not in name:
            name, shape = name.replace(".weight", "_exps.weight"), (EXPERTS, *shape)
        values = random.normal(size=shape, scale=1.5 / WIDTH**0.5).astype(np.float16)
        writer.add_tensor(name, np.ones(shape, dtype=np.float32) if len(shape) == 1 else values)
    for layer in range(2):
        router = random.normal(size=(EXPERTS, WIDTH)).astype(np.float32)
        writer.add_tensor(f"blk.{layer}.ffn_gate_inp.weight", router)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_each_expert_has_importance_of_its_own(model: Path, tmp_path: Path) -> None:
    matrix = calibrate.collect(model, [TEXT], threads=1, window_tokens=64)
    read = matrix.chunk_count * 64
    for name in ("ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"):
        assert matrix.sums[f"blk.1.{name}.weight"].shape[0] == EXPERTS
        # Every token goes to so many experts.
        assert matrix.counts[f"blk.1.{name}.weight"].sum() == USED * read
    assert matrix.counts["blk.1.attn_q.weight"].tolist() == [read]
    gate, up = (matrix.sums[f"blk.0.ffn_{part}_exps.weight"] for part in ("gate", "up"))
    # The two read the same rows, sent to the same experts.
    assert np.array_equal(gate, up)
    # All inputs of a layer together, whichever expert they went to: each token's row counts once per expert used.
    router = matrix.sums["blk.0.ffn_gate_inp.weight"][0]
    assert np.allclose(gate.sum(axis=0), USED * router, rtol=1e-6)
    for type_name in ("Q4_K_M", "Q5_0"):
        llama_quantize(model, tmp_path / "theirs.gguf", type_name, matrix)
        quantize(model, tmp_path / "ours.gguf", Wanted(type_name, imatrix=matrix), threads=2)
        assert tensors(tmp_path / "ours.gguf") == tensors(tmp_path / "theirs.gguf")


def test_idle_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = tmp_path / "stat"
    monkeypatch.setattr("os.cpu_count", lambda: 8)

    def look(busy: int, idle: int) -> int:
        stat.write_text("cpu  100 0 0 100 0 0 0 0\n")

        def pass_time(seconds: float) -> None:
            del seconds
            stat.write_text(f"cpu  {100 + busy} 0 0 {100 + idle} 0 0 0 0\n")

        monkeypatch.setattr("time.sleep", pass_time)
        return resources.free_cores(6, stat=stat)

    assert look(0, 800) == 6
    assert look(400, 400) == 4
    assert look(800, 0) == 1
    assert resources.free_cores(3, stat=tmp_path / "absent") == 3
