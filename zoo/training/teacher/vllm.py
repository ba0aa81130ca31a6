"""A teacher in vLLM: a model folder, in a process of the environment that has vLLM.

vLLM pins other versions of transformers than this program, so the two cannot be in one environment.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from catalog import jsontext
from catalog.jsontext import Json
from catalog.unseen import visible
from zoo import stopping
from zoo.errors import AGAIN, ModelFileError
from zoo.machine.otherpython import OtherPython
from zoo.teachers.dialects import NoProbabilities, prompt_logprobs
from zoo.teachers.likely import Top, Unfit, tops
from zoo.teachers.replies import NotAReply
from zoo.training.conversations import EncodedRow
from zoo.training.teacher import vllmprocess
from zoo.training.teacher.arranging import Batch, Width, tokens_read
from zoo.training.teacher.served import targets_of, wanted
from zoo.training.teacher.targets import Targets

TOGETHER = Width(batch_tokens=65_536, head_positions=1, shard_positions=65_536)
"""vLLM decides itself how much it reads at the same time."""

_LOG_BYTES = 1 << 20
_ERROR = re.compile(r"\b\w+(?:Error|Exception): \S.*")
_ENDS_SECONDS = 60.0
"""Of the process, once it has no more work."""
_OFFLINE = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
"""Nothing is fetched, and nothing is reported to anybody."""


@dataclass(frozen=True)
class Vllm:
    """Where vLLM is, and its version."""

    environment: OtherPython
    version: str


class VllmSource:
    """A ``Source``."""

    def __init__(self, process: _Process, rows: Sequence[EncodedRow], top_k: int, vocabulary: int) -> None:
        self._process, self._rows, self._top_k, self._vocabulary = process, rows, top_k, vocabulary

    def answers(self, batch: Batch) -> list[Targets]:
        """See ``Source``."""
        rows = [self._rows[number] for number in batch.rows]
        found = self._process.asked({"prompts": [wanted(row).ids for row in rows]})
        answers = found.get("answers") if isinstance(found, dict) else None
        if not isinstance(answers, list) or len(answers) != len(rows):
            raise self._process.failed("it gave another number of answers")
        return [targets_of(row, self._tops(row, one)) for row, one in zip(rows, answers, strict=True)]

    def _tops(self, row: EncodedRow, answer: Json) -> list[Top]:
        asked = wanted(row)
        try:
            places = prompt_logprobs(answer, asked.skipped)
            return tops(places, asked.ids[asked.skipped + 1 :], self._top_k, self._vocabulary)
        except (NoProbabilities, NotAReply, Unfit) as error:
            raise self._process.failed(str(error) or "it gave no log-probabilities of the prompt") from error


@dataclass
class _Process:
    process: subprocess.Popen[bytes]
    log: IO[bytes]

    def asked(self, work: object) -> Json:
        """The answer to a piece of work. Raises ModelFileError if the process ends instead."""
        assert self.process.stdin and self.process.stdout
        with suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(work).encode() + b"\n")
            self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line.endswith(b"\n"):
            self.process.wait()
            raise self.failed(self._words())
        try:
            return jsontext.parse(line, bounded=False)
        except jsontext.NotJson as error:
            raise self.failed(f"its process wrote {error}") from error

    def failed(self, why: str) -> ModelFileError:
        return ModelFileError(
            f"vLLM cannot answer: {why}", safe="Answers before this shard are kept; nothing was trained on it.",
            remedy="Check that vLLM reads this model, or delete engine: vllm from the recipe", again=AGAIN,
        )  # fmt: skip

    def _words(self) -> str:
        """The first error that it printed, which the others follow from; else its last line."""
        self.log.seek(max(0, self.log.seek(0, os.SEEK_END) - _LOG_BYTES))
        text = self.log.read().decode(errors="replace")
        error = _ERROR.search(text)
        return visible(error[0] if error else (text.strip().splitlines() or ["its process ended"])[-1])[:300]


@contextmanager
def opened(
    where: Vllm, folder: Path, rows: Sequence[EncodedRow], top_k: int, vocabulary: int
) -> Iterator[VllmSource]:
    """The teacher in ``folder``. vocabulary: tokens that it may name. Raises ModelFileError for one that vLLM cannot
    read."""
    most = min(top_k, vocabulary)
    longest = max(map(tokens_read, rows)) + 1
    command = [str(where.environment.program.absolute()), "-P", str(Path(vllmprocess.__file__).absolute())]
    with tempfile.TemporaryFile() as log:
        process = stopping.start(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env={**os.environ, **_OFFLINE}
        )
        assert process.stdin and process.stdout
        try:
            held = _Process(process, log)
            held.asked({"model": str(folder.absolute()), "top_k": most, "tokens": longest + 1})
            yield VllmSource(held, rows, most, vocabulary)
        finally:
            with suppress(BrokenPipeError):
                process.stdin.close()
            try:
                process.wait(_ENDS_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()
