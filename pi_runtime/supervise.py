"""Measure in a child process, so that whatever happens to it becomes a sentence.

llama.cpp ends the whole process on some damaged files, the kernel kills the largest process when memory
runs out, and C code does not listen to Ctrl-C. A child of our own takes all three away from the person.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import IO

from pi_runtime.bench import Progress, quiet
from pi_runtime.settings import CouldNot, Settings
from pi_runtime.shape import Done, Failed, Message, Report

_DAMAGED = "llama.cpp crashed; most likely the file is damaged. Download it again and compare its sha256"

CRASHES: dict[int, str] = {
    signal.SIGABRT: _DAMAGED,
    signal.SIGSEGV: _DAMAGED,
    signal.SIGFPE: _DAMAGED,
    signal.SIGBUS: "reading it failed partway: the storage is failing, or the file was cut during the run",
    signal.SIGILL: "this llama.cpp was compiled for another processor. Compile it on this machine: "
    "pip install --force-reinstall --no-cache-dir --no-binary llama-cpp-python llama-cpp-python",
    signal.SIGKILL: "the process was killed, most likely because memory ran out. "
    "Use a smaller file, a smaller --context, or stop other programs",
}


def measure_in_child(path: Path, settings: Settings, progress: Progress = quiet) -> Report:
    """As ``bench.measure``, in a process of its own. The child is gone when this returns or raises."""
    with tempfile.TemporaryFile() as errors, _start(errors) as child:
        try:
            answer = _converse(child, path, settings, progress)
        finally:
            child.kill()
            code = child.wait()
        if answer is None:
            raise CouldNot(_why(path, code, errors))
    if "report" in answer:
        return answer["report"]
    raise _refusal(answer)


def _start(errors: IO[bytes]) -> subprocess.Popen[str]:
    """The child, in a session of its own: Ctrl-C at the terminal reaches only us, and we end the child."""
    folder = str(Path(__file__).resolve().parent.parent)
    paths = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [sys.executable, "-m", "pi_runtime.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        encoding="utf-8",
        start_new_session=True,
        # A module of the same name in the current folder is not ours.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"},
    )


def _converse(
    child: subprocess.Popen[str], path: Path, settings: Settings, progress: Progress
) -> Done | Failed | None:
    """Hand over the request, pass the progress on, and return the answer; None if none arrived."""
    assert child.stdin is not None and child.stdout is not None
    try:
        with child.stdin as request:
            json.dump({"path": str(path), "settings": asdict(settings)}, request)
    except BrokenPipeError:
        return None
    for line in child.stdout:
        message: Message = json.loads(line)
        if "progress" not in message:
            child.wait()
            return message
        progress(message["progress"], message["runs"])
    child.wait()
    return None


def _refusal(answer: Failed) -> CouldNot:
    refusal = CouldNot(answer["failed"])
    refusal.exit_code = answer["exit_code"]
    return refusal


def _why(path: Path, code: int, errors: IO[bytes]) -> str:
    """A sentence for a child that ended without an answer."""
    errors.seek(0)
    words = errors.read().decode("utf-8", errors="replace").strip().splitlines()
    # After an assertion ggml prints a back trace; the line that names the assertion says more.
    telling = next((line for line in words if "GGML_ASSERT" in line or "ggml_abort" in line), "")
    telling = telling or (words[-1] if words else "")
    cause = CRASHES.get(-code, f"the measuring process ended with code {code}")
    sentence = f"{path.name} could not be measured: {cause}."
    return f"{sentence} Its last output: {telling}" if telling else sentence
