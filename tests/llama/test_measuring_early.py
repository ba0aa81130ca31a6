"""An evaluation that may end early: the same figures, fewer windows, and the same bytes after a kill."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinygguf import make_tiny_gguf

from zoo.judge.evaluation import comparable_perplexity
from zoo.judge.questions import KLD, Bound, Question, Rule
from zoo.llama.measure import lockstep
from zoo.llama.measure.early import BLOCK_WINDOWS, order_of
from zoo.llama.measure.evaluate import evaluate
from zoo.llama.measure.windows import Early, Text, Window, Windows
from zoo.llama.quantize.quantize import Wanted, quantize
from zoo.progress import unheard

pytest.importorskip("llama_cpp")

TEXTS = [Text("one", "en", "the cat is on the mat and " * 90), Text("two", "fr-CA", "le chat est là " * 120)]
ALL = 24
CLEAR = Rule((Question("q4 is close", (Bound("q4", KLD, 3.0, True, 2.0),)),), None)
NEVER = Rule(None, 1e-9)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Path]]:
    folder = tmp_path_factory.mktemp("gguf")
    path = make_tiny_gguf(folder / "tiny.gguf")
    return path, {"q4": quantize_to(path, folder / "q4.gguf", "Q4_0")}


def quantize_to(path: Path, out: Path, type_: str) -> Path:
    quantize(path, out, Wanted(type_), threads=1)
    return out


def wanted(rule: Rule | None, folder: Path) -> Windows:
    return Windows(32, ALL, Early(rule, folder) if rule else None)


def test_it_stops_when_the_question_is_decided_and_says_why(
    files: tuple[Path, dict[str, Path]], tmp_path: Path
) -> None:
    path, candidates = files
    found = evaluate(path, candidates, TEXTS, wanted(CLEAR, tmp_path / "a"), threads=1)
    assert found["rule"]["windows"] < ALL == found["rule"]["windows_asked"] == found["stop"]["windows_at_most"]
    assert found["rule"]["windows"] % BLOCK_WINDOWS == 0
    assert sum(text["windows"] for text in found["texts"]) == found["rule"]["windows"]
    assert set(found["candidates"]["q4"]["languages"]) == {"en", "fr-CA"}
    assert found["stop"]["why"] == "decided"
    tokens = found["reference"]["tokens"]
    assert found["stop"]["words"].startswith(f"Measured on {tokens} of 360 tokens, because by then every gate")
    assert evaluate(path, candidates, TEXTS, wanted(CLEAR, tmp_path / "b"), threads=2) == found


def test_a_file_that_is_settled_sooner_has_the_figures_of_its_first_windows(
    files: tuple[Path, dict[str, Path]], tmp_path: Path
) -> None:
    path, candidates = files
    both = {"q8": quantize_to(path, tmp_path / "q8.gguf", "Q8_0"), **candidates}
    whole = evaluate(path, both, TEXTS, wanted(None, tmp_path), threads=1)["candidates"]
    limit = whole["q4"]["kld_mean_nats"]
    rule = Rule((Question("q4 is at its limit", (Bound("q4", KLD, limit, True, 0.0),)),), None)
    found = evaluate(path, both, TEXTS, wanted(rule, tmp_path / "a"), threads=2)
    assert found["stop"]["why"] == "end"
    assert found["candidates"]["q4"] == whole["q4"]
    sooner = found["candidates"]["q8"]
    assert BLOCK_WINDOWS <= sooner["windows"] < ALL == found["rule"]["windows"] == found["reference"]["windows"]
    assert set(sooner["languages"]) == {"en", "fr-CA"}
    assert f"Settled sooner, on fewer: q8 on {sooner['tokens']}." in found["stop"]["words"]
    value, error = comparable_perplexity(sooner, found["reference"])
    assert value == pytest.approx(whole["q8"]["perplexity"], rel=4 * sooner["ln_ppl_ratio_se"] + 1e-9)
    assert error and error > sooner["ln_ppl_ratio_se"]
    assert comparable_perplexity(whole["q4"], found["reference"]) == (
        whole["q4"]["perplexity"], whole["q4"]["perplexity_se"]
    )  # fmt: skip
    names = sorted(one.name for one in (tmp_path / "a").glob("*.npz"))
    assert names[0] == "00000.npz" and names[-1] == f"{ALL // BLOCK_WINDOWS - 1:05}-1.npz", "q4 is the second"
    assert evaluate(path, both, TEXTS, wanted(rule, tmp_path / "a"), threads=1) == found


def test_to_the_end_it_measures_what_it_always_did(files: tuple[Path, dict[str, Path]], tmp_path: Path) -> None:
    path, candidates = files
    found = dict(evaluate(path, candidates, TEXTS, wanted(NEVER, tmp_path), threads=1))
    stop = found.pop("stop")
    assert isinstance(stop, dict)
    assert stop["why"] == "end"
    assert found == evaluate(path, candidates, TEXTS, wanted(None, tmp_path), threads=1)


CHILD = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = [sys.argv[1], str(Path(sys.argv[1]).parent)]
from test_measuring_early import NEVER, TEXTS, wanted
from zoo.llama.measure import early
from zoo.llama.measure.evaluate import evaluate

real, folder = early.write_atomic, Path(sys.argv[2])
def killed_after_the_third(path, data):
    real(path, data)
    if path.name == "00002.npz":
        os.kill(os.getpid(), signal.SIGKILL)
early.write_atomic = killed_after_the_third
evaluate(folder / "tiny.gguf", {"q4": folder / "q4.gguf"}, TEXTS, wanted(NEVER, Path(sys.argv[3])), threads=2)
"""


@pytest.mark.long
def test_after_a_kill_it_continues_to_the_same_bytes(files: tuple[Path, dict[str, Path]], tmp_path: Path) -> None:
    path, candidates = files
    kept = tmp_path / "kept"
    command = [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(path.parent), str(kept)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert [one.name for one in sorted(kept.glob("*.npz"))] == ["00000.npz", "00001.npz", "00002.npz"]
    (kept / "00001.npz").write_bytes(b"damaged")
    before = (kept / "00000.npz").stat().st_mtime_ns
    found = evaluate(path, candidates, TEXTS, wanted(NEVER, kept), threads=1)
    assert (kept / "00000.npz").stat().st_mtime_ns == before
    whole = evaluate(path, candidates, TEXTS, wanted(NEVER, tmp_path / "new"), threads=1)
    assert json.dumps(found, sort_keys=True) == json.dumps(whole, sort_keys=True)


def test_the_order_is_a_function_of_the_tokens() -> None:
    taken = [Window("en", [number, 2, 3, 4], 2) for number in range(50)]
    assert sorted(order_of(taken)) == list(range(50))
    assert order_of(taken) == order_of(list(taken)) != list(range(50))
    assert order_of(taken) != order_of([*taken[1:], taken[0]])


def test_the_next_window_is_read_while_the_last_files_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else every worker but one waits at the beginning of each block."""
    first, second = Window("en", [1, 3, 3], 0), Window("en", [2, 3, 3], 0)
    read, begun = list[int](), threading.Event()

    def window_logits(judge: object, tokens: list[int], first: int) -> np.ndarray:
        del judge, first
        read.append(tokens[0])
        if tokens[0] == 2:
            begun.set()
        return np.zeros((2, 4), np.float32)

    def compare_window(model: object, window: Window, expected: np.ndarray) -> bool:
        del model, expected
        return window == second or begun.wait(20)

    monkeypatch.setattr(lockstep, "window_logits", window_logits)
    monkeypatch.setattr(lockstep, "compare_window", compare_window)
    models: Any = {"a": None}
    nobody: Any = None
    with lockstep.comparing(nobody, models, 2) as some:
        _, found = some.compare([first], ["a"], unheard, second)
        assert found == {"a": [True]}
        own, _ = some.compare([second], ["a"], unheard)
    assert read == [1, 2] and own[0].tolist() == pytest.approx([math.log(4)] * 2)
