"""A measuring program (engine) for ``pi-zoo bench FILE --engine COMMAND``, in a process of its own.

It is any program that speaks ``bench-engine/1``: a JSON object in each line, requests on its stdin, answers on stdout.

    it says first    {"engine": "bench-engine/1", "versions": {...}}      once its library is loaded; see shape.Versions
    it is asked      {"load": {"path", "threads", "context_tokens", "batch_tokens"}}
    it answers       {"loaded": {"seconds", "context_tokens", "ubatch_tokens", "model": {...}}}     see shape.ModelFacts
    it is asked      {"run": {"prompt": [ids], "decode_tokens": n}}     as often as wanted, each from an empty context
    it answers       {"ran": {"tokens": [ids], "prompt_seconds", "first_token_seconds", "decode_seconds"}}
    or at any time   {"failed": sentence}, its last word

``tokens`` are the first token and ``decode_tokens`` more, each the most likely one. It ends when its stdin ends. The
process that is started must be the one that computes: its memory and its processor time are in the report.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from pi_runtime import plainjson
from pi_runtime.children import CRASHES, die_with_parent
from pi_runtime.plainjson import Json
from pi_runtime.sampling import Run
from pi_runtime.settings import CouldNot, InvalidArguments, Settings
from pi_runtime.shape import ModelFacts, Versions

FORMAT = "bench-engine/1"


@dataclass(frozen=True)
class Loaded:
    """A loaded file. context_tokens: what the engine made of the context that was asked for."""

    seconds: float
    context_tokens: int
    ubatch_tokens: int
    model: ModelFacts


class Engine:
    """A running engine; ``with Engine(command, path) as engine``. It is gone when the block ends, whatever happened."""

    def __init__(self, command: Sequence[str], path: Path) -> None:
        """Starts it and waits until its library is loaded. path: the file to measure. Raises CouldNot."""
        self._path = path
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the engine, and close() closes it
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                encoding="utf-8",
                # Ctrl-C at the terminal reaches only this program, which then ends the engine.
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        except OSError as error:
            self._errors.close()
            raise CouldNot(f"The engine {command[0]} could not be started: {error.strerror}.") from error
        try:
            self.versions = self._hello()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def load(self, settings: Settings) -> Loaded:
        """Load the file and make a context. Raises CouldNot."""
        wanted = {
            "path": str(self._path.absolute()),
            "threads": settings.threads_used,
            "context_tokens": settings.context_wanted,
            "batch_tokens": settings.prompt_tokens,
        }
        found = self._ask({"load": wanted})["loaded"]
        facts, description = found["model"], found["model"].get("description")
        return Loaded(
            found["seconds"].number,
            found["context_tokens"].whole,
            found["ubatch_tokens"].whole,
            {
                "description": description.text if description else None,
                "parameters": facts["parameters"].whole,
                "tensor_bytes": facts["tensor_bytes"].whole,
                "vocabulary_tokens": facts["vocabulary_tokens"].whole,
                "context_trained_tokens": facts["context_trained_tokens"].whole,
            },
        )

    def run(self, prompt: Sequence[int], decode_tokens: int) -> Run:
        """The prompt from an empty context, its first token, and ``decode_tokens`` more. Raises CouldNot."""
        found = self._ask({"run": {"prompt": list(prompt), "decode_tokens": decode_tokens}})["ran"]
        prompt_seconds, decode_seconds = found["prompt_seconds"].number, found["decode_seconds"].number
        tokens = [one.whole for one in found["tokens"].items]
        if len(tokens) != decode_tokens + 1:
            raise CouldNot(f"The engine decoded {len(tokens)} tokens, not {decode_tokens + 1}.")
        if prompt_seconds <= 0 or decode_seconds <= 0:
            raise CouldNot("The machine's clock did not advance during a sample, so nothing can be measured.")
        return Run(
            tokens,
            {
                "prompt_seconds": prompt_seconds,
                "decode_seconds": decode_seconds,
                "time_to_first_token_seconds": found["first_token_seconds"].number,
                "prompt_tokens_per_second": len(prompt) / prompt_seconds,
                "decode_tokens_per_second": decode_tokens / decode_seconds,
            },
            0,
        )

    def close(self) -> None:
        """End it; safe to call twice."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                assert pipe
                pipe.close()
        self._process.wait()
        self._errors.close()

    def _hello(self) -> Versions:
        found = self._answer()
        spoken = found.get("engine")
        if spoken is None or spoken.text != FORMAT:
            raise CouldNot(f"The engine does not speak {FORMAT}.")
        said = found["versions"]

        def version(name: str) -> str | None:
            one = said.get(name)
            return one.text if one else None

        return {
            "llama_cpp_version": version("llama_cpp_version"),
            "llama_cpp_system_info": version("llama_cpp_system_info"),
            "llama_cpp_python_version": version("llama_cpp_python_version"),
        }

    def _ask(self, request: dict[str, object]) -> Json:
        assert self._process.stdin
        # Of an engine that has ended, its last word or how it ended tells more.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Json:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            raise CouldNot(self._why())
        found = plainjson.parse(line, "the engine's answer")
        failed = found.get("failed")
        if failed is not None:
            raise CouldNot(failed.text)
        return found

    def _why(self) -> str:
        """A sentence for an engine that ended without an answer."""
        code = self._process.wait()
        self._errors.seek(0, os.SEEK_SET)
        words = self._errors.read().decode("utf-8", errors="replace").strip().splitlines()
        # After an assertion ggml prints a back trace; the line that names the assertion says more.
        telling = next((line for line in words if "GGML_ASSERT" in line or "ggml_abort" in line), "")
        telling = telling or (words[-1] if words else "")
        cause = CRASHES.get(-code, f"the engine ended with code {code}")
        sentence = f"{self._path.name} could not be measured: {cause}."
        return f"{sentence} Its last output: {telling}" if telling else sentence


def command_of(text: str) -> list[str]:
    """The words of ``--engine``. Raises InvalidArguments."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InvalidArguments(f"--engine is not a command: {error}.") from error
    if not words:
        raise InvalidArguments("--engine needs a command.")
    return words
