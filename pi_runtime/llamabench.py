"""llama-bench's own figures, for comparison. It does not tokenize, sample or serve, so its speeds differ.

Its JSON changed over the years: older builds have ``use_mmap``, newer ones ``load_mode``; the figures kept their names.
"""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pi_runtime import plainjson, programs
from pi_runtime.plainjson import Json
from pi_runtime.settings import CouldNot
from pi_runtime.words import rate

SECONDS = 3600


@dataclass(frozen=True)
class Row:
    """One test: tokens of the prompt, or tokens that were decoded. speeds: tokens/s of each repetition."""

    prompt_tokens: int
    decode_tokens: int
    speeds: tuple[float, ...]
    threads: int
    build: str
    mapped: bool | None

    @property
    def words(self) -> str:
        """The median, for a person."""
        what = f"prompt {self.prompt_tokens}" if self.prompt_tokens else f"decode {self.decode_tokens}"
        return f"llama-bench, {what}: {rate(statistics.median(self.speeds))} tokens/s"


def parse(text: str) -> list[Row]:
    """The rows of ``llama-bench -o json``. Raises CouldNot."""
    return [_row(one) for one in plainjson.parse(text, "llama-bench's output").items]


def measure(path: Path, arguments: Sequence[str]) -> list[Row]:
    """Run llama-bench on a file. arguments: those of ``Plan.bench``. Raises CouldNot."""
    command = [str(programs.find("llama-bench")), "-m", str(path), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, cwd="/")
    except (OSError, subprocess.SubprocessError) as error:
        raise CouldNot(f"llama-bench could not run: {error}.") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        raise CouldNot(f"llama-bench ended with code {done.returncode}. Its last output: {last}")
    return parse(done.stdout)


def _row(data: Json) -> Row:
    speeds = tuple(one.number for one in data["samples_ts"].items)
    if not speeds:
        raise CouldNot(f"{data.place} has no samples.")
    return Row(
        prompt_tokens=data["n_prompt"].whole,
        decode_tokens=data["n_gen"].whole,
        speeds=speeds,
        threads=data["n_threads"].whole,
        build=data["build_commit"].text,
        mapped=_mapped(data),
    )


def _mapped(data: Json) -> bool | None:
    """Whether the file was mapped into memory; None if llama.cpp decided."""
    old, new = data.get("use_mmap"), data.get("load_mode")
    if old is not None:
        return old.flag
    return None if new is None or new.text == "auto" else new.text == "mmap"
