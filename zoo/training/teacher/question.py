"""What a teacher is asked, and the digest under which its answers are kept."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import torch

from catalog import jsontext
from zoo.files.digests import digest
from zoo.llama import library
from zoo.modelfolder.files import CONFIG
from zoo.training import versions
from zoo.training.conversations import EncodedRow
from zoo.training.files import model_digest
from zoo.training.precision import teaching_dtype
from zoo.training.teacher import served, vllm
from zoo.training.teacher.arranging import Width, width_of
from zoo.training.teacher.served import ServedTeacher
from zoo.training.teacher.vllm import Vllm

FORMAT = 2


@dataclass(frozen=True)
class Question:
    """The request to a teacher: its top_k most probable tokens at the rows' positions, softened by a temperature.

    teacher: a model folder, which torch reads, or vLLM if it is given; a GGUF file, which llama.cpp reads; or a model
    on a server. width: logits that are looked at, from the first one on; None for all. device: where the teacher
    computes. together: how much it reads together, by device unless given. as_stored: torch computes in the format of
    the folder's weights.
    """

    teacher: Path | ServedTeacher
    rows: Sequence[EncodedRow]
    top_k: int
    temperature: float
    width: int | None = None
    device: str = "cpu"
    together: Width | None = None
    as_stored: bool = False
    vllm: Vllm | None = None

    @cached_property
    def reading(self) -> Width:
        """How much is read together."""
        if self.together:
            return self.together
        if isinstance(self.teacher, ServedTeacher):
            return served.TOGETHER
        if self.vllm:
            return vllm.TOGETHER
        config = None if self.is_gguf else jsontext.read(self.teacher / CONFIG, bounded=False)
        return width_of(self.device, config)

    @cached_property
    def dtype(self) -> torch.dtype:
        """What torch computes in."""
        assert isinstance(self.teacher, Path)
        return teaching_dtype(self.teacher, self.device, as_stored=self.as_stored)

    @property
    def is_gguf(self) -> bool:
        """Whether llama.cpp reads the teacher."""
        return isinstance(self.teacher, Path) and not self.teacher.is_dir()

    @cached_property
    def weights(self) -> str:
        """Digest of the teacher's bytes, or of what its server says of it."""
        if isinstance(self.teacher, ServedTeacher):
            return self.teacher.weights
        return model_digest(self.teacher)

    @cached_property
    def rows_digest(self) -> str:
        """Digest of the tokens and positions of all rows, without a copy of them in memory."""
        sha = hashlib.sha256()
        for row in self.rows:
            sha.update(array("i", (len(row.input_ids), *row.input_ids)).tobytes())
            sha.update(bytes(row.mask))
        return sha.hexdigest()

    def head(self) -> dict[str, object]:
        """Everything that affects the answers' bytes, by name."""
        return {
            "format": FORMAT,
            "teacher": self.weights,
            "rows": self.rows_digest,
            "top_k": self.top_k,
            "temperature": self.temperature,
            "width": self.width,
            "engine": _engine(self),
            "together": asdict(self.reading),
        }


def cache_digest(question: Question) -> str:
    """Everything that affects the cache's content: the teacher's bytes, the rows' tokens and positions, k, T, the width
    where it cuts something off, and who computes in which way.
    """
    return digest(question.head())


def _engine(question: Question) -> dict[str, str]:
    if isinstance(question.teacher, ServedTeacher):
        return {"name": "server"}
    if question.vllm:
        return {"name": "vllm", "version": question.vllm.version}
    if question.is_gguf:
        return {"name": "llama.cpp", "version": str(library.versions()["llama-cpp-python"])}
    known = versions()
    dtype = str(question.dtype).removeprefix("torch.")
    return {"name": "torch", "version": known["torch"], "transformers": known["transformers"], "dtype": dtype}
