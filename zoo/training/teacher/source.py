"""Who answers: torch or vLLM with a model folder, llama.cpp with a GGUF file, or a server. One contract for all
(``Source``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch

from zoo.errors import ModelFileError
from zoo.llama.measure.logits import logits_in_batches
from zoo.llama.model import Model
from zoo.training.conversations import EncodedRow
from zoo.training.models import NAN_REMEDY, check_head, hidden_at, load_model, logits_of
from zoo.training.pairing import head_width
from zoo.training.teacher import alongside, vllm
from zoo.training.teacher.arranging import Batch, padded, tokens_read
from zoo.training.teacher.question import Question
from zoo.training.teacher.served import ServedSource, ServedTeacher
from zoo.training.teacher.targets import Targets, joined, top_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

READ_TOKENS = 128
"""Tokens that llama.cpp reads at a time: it keeps the logits of so many."""


class Source(Protocol):
    """A teacher that answers a ``Question``.

    A row's answers do not depend on the other rows of its batch: the same row in another batch of the same length and
    capacity has the same bytes. The answer of position i predicts token i + 1. The k tokens of a position are in
    descending order of probability, at the question's temperature; top and tail add up to 1.
    """

    def answers(self, batch: Batch) -> list[Targets]:
        """Of every row of the batch, in its order, at all its positions."""


@contextmanager
def opened(question: Question) -> Iterator[Source]:
    """The source for a question, with the teacher loaded. Raises ModelFileError for one that cannot be read, and
    RemoteError or InputError for a server that cannot be learnt from."""
    teacher = question.teacher
    if isinstance(teacher, ServedTeacher):
        yield ServedSource(teacher.opened(), question.rows)
    elif question.is_gguf:
        with opened_gguf(teacher, question.rows, question.device) as model:
            yield LlamaTeacher(model, question)
    elif question.vllm:
        vocabulary = question.width or head_width(teacher)
        with vllm.opened(question.vllm, teacher, question.rows, question.top_k, vocabulary) as source:
            yield source
    else:
        yield TorchTeacher(teacher, question)


class TorchTeacher:
    """A model folder, in transformers. A batch is read in one pass, and the head in passes of the same size."""

    def __init__(self, folder: Path, question: Question) -> None:
        self._question = question
        self._model: PreTrainedModel = load_model(folder, question.dtype, question.device)
        check_head(self._model, question.rows[0].input_ids)

    def answers(self, batch: Batch) -> list[Targets]:
        """See ``Source``."""
        hidden = self._hidden(batch)
        found = joined([self._top(part) for part in torch.split(hidden, self._question.reading.head_positions)])
        return _cut(found, self._rows(batch))

    def of_all(self, batches: Sequence[Batch], read: Read) -> list[Targets]:
        """The answers of all rows of these batches, with the same bytes as batch by batch."""
        if not alongside.keeps_bytes(self._model.device):
            return _in_turn(self, batches, read)
        with alongside.workers() as pool:
            hidden = self._all_hidden(pool, batches, read)
            counts = [len(one) for one in hidden]
            every = torch.cat(hidden)
            together, alone = alongside.passes(counts, self._question.reading.head_positions)
            found = [*pool.map(lambda places: self._top(every[places]), together)]
        found += [self._top(every[places]) for places in alone]
        order = torch.tensor([place for places in (*together, *alone) for place in places]).argsort()
        answers = joined(found)
        rows = [row for batch in batches for row in self._rows(batch)]
        return _cut(Targets(answers.ids[order], answers.logp[order], answers.tail_logp[order]), rows)

    def _all_hidden(self, pool: Executor, batches: Sequence[Batch], read: Read) -> list[torch.Tensor]:
        """Of every batch. One that is too small to be read by one thread with the same result is read by all."""
        large = [batch.length * batch.capacity >= alongside.SHARED_BELOW for batch in batches]
        begun = [pool.submit(self._hidden, batch) if own else None for batch, own in zip(batches, large, strict=True)]
        found = []
        for batch, running in zip(batches, begun, strict=True):
            found.append(running.result() if running else self._hidden(batch))
            read(batch)
        return found

    def _rows(self, batch: Batch) -> list[EncodedRow]:
        return [self._question.rows[number] for number in batch.rows]

    def _hidden(self, batch: Batch) -> torch.Tensor:
        """What the head reads [positions, width], of all rows of the batch."""
        rows = self._rows(batch)
        # Filled with tokens that are there anyway: one that is not could have values that are not numbers.
        read = [row.input_ids[: tokens_read(row)] for row in rows]
        read += [read[0]] * (batch.capacity - len(rows))
        ids = torch.tensor([[*tokens, *tokens[-1:] * (batch.length - len(tokens))] for tokens in read])
        where = [(place, position) for place, row in enumerate(rows) for position in row.positions]
        device = self._model.device
        at_rows, positions = torch.tensor(where, device=device).T
        with torch.no_grad():
            return hidden_at(self._model, ids.to(device), at_rows, positions)

    def _top(self, hidden: torch.Tensor) -> Targets:
        question, count = self._question, len(hidden)
        missing = question.reading.head_positions - count
        with torch.no_grad():
            full = torch.cat([hidden, hidden.new_zeros(missing, hidden.shape[1])]) if missing else hidden
            logits = logits_of(self._model, full)[:count, : question.width]
            return Targets(*(part.cpu() for part in top_of(logits, question.top_k, question.temperature).values()))


Read = Callable[[Batch], None]
"""Called with every batch that has been read."""


def answers_of(source: Source, batches: Sequence[Batch], read: Read) -> list[Targets]:
    """The answers of all rows of these batches, in their order, as fast as the source can."""
    if isinstance(source, TorchTeacher):
        return source.of_all(batches, read)
    return _in_turn(source, batches, read)


def _in_turn(source: Source, batches: Sequence[Batch], read: Read) -> list[Targets]:
    found = list[Targets]()
    for batch in batches:
        found += source.answers(batch)
        read(batch)
    return found


class LlamaTeacher:
    """A GGUF file, in llama.cpp. Rows are read one by one, in parts of ``READ_TOKENS``."""

    def __init__(self, model: Model, question: Question) -> None:
        self._model, self._question = model, question

    def answers(self, batch: Batch) -> list[Targets]:
        """See ``Source``."""
        return [self._row(self._question.rows[number]) for number in batch.rows]

    def _row(self, row: EncodedRow) -> Targets:
        question, first, parts = self._question, row.positions[0], list[Targets]()
        for start, rows in logits_in_batches(self._model, row.input_ids[: tokens_read(row)], first=first):
            wanted = [position - first - start for position in row.positions]
            places = [place for place in wanted if 0 <= place < len(rows)]
            # llama.cpp overwrites its logits in the next step; taking the rows that count is a copy.
            logits = torch.from_numpy(rows[places])[:, : question.width]
            parts.append(Targets(*top_of(logits, question.top_k, question.temperature).values()))
        return joined(parts)


@contextmanager
def opened_gguf(path: Path, rows: Sequence[EncodedRow], device: str) -> Iterator[Model]:
    """A GGUF file in llama.cpp, with a context for the longest of these rows."""
    longest = max(padded(tokens_read(row)) for row in rows)
    with Model.open(
        path,
        threads=torch.get_num_threads(),
        context_tokens=longest,
        batch_tokens=READ_TOKENS,
        device=device,
    ) as model:
        yield model


def _cut(found: Targets, rows: Sequence[EncodedRow]) -> list[Targets]:
    parts, start = [], 0
    for row in rows:
        end = start + len(row.positions)
        parts.append(found.part(start, end))
        start = end
    return parts


def refuse_nan(answers: Sequence[Targets], rows: Sequence[EncodedRow]) -> None:
    """Raise ModelFileError for answers that are not numbers, with the conversation.

    Not with the token: attention multiplies later tokens by 0, so NaN also spreads to the tokens before it.
    """
    for found, row in zip(answers, rows, strict=True):
        if torch.isnan(found.logp).any() or torch.isnan(found.tail_logp).any():
            raise ModelFileError(
                f"The teacher's logits are NaN or infinite in conversation {row.key}",
                safe="Answers before this shard are kept; nothing was trained on it.",
                remedy=NAN_REMEDY,
            )
