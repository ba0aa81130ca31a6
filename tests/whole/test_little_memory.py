"""Memory that runs out, in this process or a child: a sentence, nothing half-written, and the same command resumes."""

from __future__ import annotations

import errno
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tinyzoo

from zoo import extras, stages
from zoo.__main__ import main
from zoo.errors import InputError, ModelFileError, OutOfMemory, ZooError, is_no_memory
from zoo.llama import processor
from zoo.llama.convert import failing
from zoo.machine import endings, resources

pytest.importorskip("torch")
pytest.importorskip("llama_cpp")
pytest.importorskip("gguf")


class ArrayMemoryError(MemoryError):
    """As numpy's."""


@pytest.mark.parametrize(("error", "expected"), [
    (MemoryError(), True),
    (ArrayMemoryError("Unable to allocate 154. MiB for an array"), True),
    (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 28311552 bytes."), True),
    (RuntimeError("can't start new thread"), True),
    (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
    (ModelFileError("llama.cpp cannot open it: failed to allocate buffer for kv cache"), True),
    (ImportError("/usr/lib/resource.so: failed to map segment from shared object"), True),
    (ImportError("/mnt/resource.so: failed to map segment from shared object: Operation not permitted"), False),
    (ImportError("No module named 'memory'"), False),
    (OSError(errno.ENOENT, "No such file", "out of memory.txt"), False),
    (InputError("summary: 'we ran out of memory' is too short"), False),
    (RuntimeError("shape mismatch"), False),
    (OutOfMemory("step import"), False),
])  # fmt: skip
def test_what_counts_as_memory_that_ran_out(error: Exception, expected: bool) -> None:
    assert is_no_memory(error) == expected


def test_torch_reports_it_in_words_that_are_known() -> None:
    """The real library under a real limit, in a process of its own."""
    code = "import torch, resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 33, 1 << 33)); torch.ones(1 << 34)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and is_no_memory(RuntimeError(done.stderr.splitlines()[-1])), done.stderr


@pytest.mark.parametrize(("code", "last", "expected"), [
    (-signal.SIGKILL, "", "it was killed (SIGKILL), which the system does when memory runs out."),
    (-signal.SIGABRT, "throwing 'std::bad_alloc'", "it ended with signal 6 (SIGABRT): throwing"),
    (1, "MemoryError", "it needs more memory than is free (MemoryError)."),
])  # fmt: skip
def test_how_a_child_ended(code: int, last: str, expected: str) -> None:
    error = endings.fault("it", code, last)
    assert error and str(error).startswith(expected) and "use a machine with more memory" in error.advice
    assert "Run the same command again" in error.advice


def test_other_endings_are_left_to_the_caller() -> None:
    assert endings.fault("it", 1, "KeyError: 'x'") is None
    crashed = endings.fault("it", -signal.SIGSEGV)
    assert crashed and "signal 11 (SIGSEGV)" in crashed.what and "memory" not in crashed.advice


def test_a_killed_converter_is_not_a_fault_of_the_model(tmp_path: Path) -> None:
    error = failing.failure([], -signal.SIGKILL, tmp_path)
    assert type(error) is ZooError and "converter was killed (SIGKILL)" in error.what
    assert "needs more memory" in failing.failure(["MemoryError"], 1, tmp_path).what


def test_a_child_killed_while_llama_is_tried_says_nothing_about_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "_CODE", "import os; os.kill(os.getpid(), 9)")
    assert processor.fault() is None
    monkeypatch.setattr(processor, "_CODE", "import os; os.kill(os.getpid(), 4)")
    assert "signal 4 (SIGILL)" in str(processor.fault())


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tinyzoo.make_tiny_zoo(tmp_path / "zoo")
    tinyzoo.write_recipe(folder, tinyzoo.smallest_recipe(folder))
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.long
@pytest.mark.usefixtures("zoo")
@pytest.mark.parametrize("name", ["import", "export", "quantize", "evaluate"])
def test_a_step_without_memory_stops_with_a_sentence_and_the_same_command_resumes(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """The stage itself runs, and memory ends when its files are there but not yet finished."""
    real = stages.stage

    def short(stage: str) -> Any:
        run = real(stage)

        def ended(context: stages.Context) -> Any:
            run(context)
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")

        return ended if stage == name else run

    monkeypatch.setattr(stages, "stage", short)
    assert main(["build", "plain"]) == 1
    said = capsys.readouterr().err
    last = said[said.index("zoo: ") :]
    assert "needs more memory than is free (DefaultCPUAllocator" in last and f"step {name}" in last
    assert "Run the same command again" in last and "bug" not in said and "Traceback" not in said
    monkeypatch.setattr(stages, "stage", real)
    assert main(["build", "plain"]) == 0
    assert "was killed" not in capsys.readouterr().err, "it ended by itself"


def test_a_run_that_was_killed_in_a_step_is_reported_by_the_next(zoo: Path) -> None:
    killer = "from zoo import stages\nfrom zoo.__main__ import main\nimport os\n"
    killer += "real = stages.stage\n"
    killer += "stages.stage = lambda name: (lambda c: os.kill(os.getpid(), 9)) if name == 'export' else real(name)\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{killer}main(['build', 'plain'])"],
        cwd=zoo, env=tinyzoo.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    again = tinyzoo.run(zoo, "build", "plain")
    assert again.returncode == 0 and "an earlier run was killed in export" in again.stderr
    assert "use a machine with more memory" in again.stderr


def test_a_limit_below_the_programs_own_need_is_refused_before_the_first_step(
    zoo: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr("zoo.machine.resources.memory_bytes", lambda: (380_000_000, 300_000_000))
    assert main(["build", "plain"]) == 1
    said = capsys.readouterr().err
    assert "memory: about 45" in said and "380.0 MB are available" in said
    assert not list((zoo / "build" / "work").glob("partial/*"))


ENDED_BY_A_LIBRARY = {
    -signal.SIGABRT: "bad_alloc",  # C++
    127: "cannot allocate memory",  # glibc: thread-local data
    1: "OpenBLAS error: Memory allocation",
}
"""What a library that ends the process without asking Python writes, by exit code."""


@pytest.mark.long
def test_a_real_limit_ends_in_a_sentence_at_any_step(zoo: Path) -> None:
    """From too little for the first import to nearly enough: never a traceback, and at the end it is released."""
    for megabytes in (620, 820, 1000, 1100, 1200):
        done = _below(zoo, megabytes << 20)
        assert "Traceback" not in done.stderr and "bug in zoo" not in done.stderr, done.stderr[-2000:]
        _, begun, said = done.stderr.rpartition("\nzoo: " if "\nzoo: " in done.stderr else "zoo: ")
        named = bool(begun) and "memory" in said.casefold()
        ended = ENDED_BY_A_LIBRARY.get(done.returncode)
        assert done.returncode == 0 or named or (ended and ended in done.stderr), done.stderr[-2000:]
    assert tinyzoo.run(zoo, "build", "plain").returncode == 0


def _below(zoo: Path, limit: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "zoo", "build", "plain"], cwd=zoo, env=tinyzoo.environment(), text=True, timeout=300,
        capture_output=True, check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )  # fmt: skip


def test_addresses_too_few_for_the_libraries_are_refused_before_the_first_step(zoo: Path) -> None:
    """With so few, torch ends the process, or never ends its import."""
    done = _below(zoo, 800 << 20)
    assert done.returncode == 1 and "Nothing was changed." in done.stderr, done.stderr[-2000:]
    assert re.search(r"memory: a limit on addresses leaves [67]\d\d\.\d MB of them.* for its libraries", done.stderr)
    assert "ulimit -v unlimited" in done.stderr and not list((zoo / "build" / "work").glob("partial/*"))


def test_what_a_process_may_map_is_the_limit_less_what_it_has_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statm = tmp_path / "proc/self/statm"
    statm.parent.mkdir(parents=True)
    statm.write_text("25600 300 20 1 0 99 0\n", encoding="ascii")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1 << 30, 1 << 30))
    assert resources.addresses_bytes(tmp_path) == (1 << 30) - 25600 * resource.getpagesize()
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert resources.addresses_bytes(tmp_path) is None


def test_a_package_that_finds_no_memory_is_not_called_broken() -> None:
    """As numpy says it under torch, and transformers under its lazy modules."""
    scope: dict[str, Any] = {"__name__": "torch.numbers"}
    exec("def load():\n  try: raise ImportError('a.so: failed to map segment from shared object')\n"
         "  except ImportError as e: raise ImportError('IMPORTANT: PLEASE READ THIS') from e", scope)  # fmt: skip
    with pytest.raises(ImportError) as caught:
        scope["load"]()
    told = extras.explain(caught.value)
    assert type(told) is OutOfMemory and str(told).startswith("loading torch needs more memory than is free")
