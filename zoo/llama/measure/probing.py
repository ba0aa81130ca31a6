"""Probe items for one file: greedy answers, and which of two sentences is more probable.

Items with the same beginning share it: it is read once into a separate sequence, and every row continues from its cache
entries (``llama_memory_seq_cp`` in a unified cache copies no bytes). Rows are decoded together, each at its own place;
a finished one makes room for the next item.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.errors import ModelFileError
from zoo.judge.probes import verdict
from zoo.judge.probes.item import Answer, Pair, Probe
from zoo.llama import prompt as prompts
from zoo.llama.model import Model
from zoo.progress import Advance, unheard

ROWS = 16
"""Items that run at the same time."""

BATCH_TOKENS = 192
"""Tokens of one decode; it bounds the logits in memory."""

KEEPER = 0
"""The sequence that holds what all items share."""


@dataclass
class _Row:
    """An item in its sequence. pending: tokens to read, from position ``position`` on."""

    number: int
    pending: list[int]
    position: int
    answer: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class _Tokens:
    """A probe's items as token ids: one list for each question, two for each pair."""

    questions: tuple[list[int], ...]
    pairs: tuple[list[list[int]], ...]

    def room(self, probe: Probe) -> int:
        """Cache entries that this probe can need: the shared beginning once, and the rest of ROWS items."""
        shared = _common(self.questions)
        rest = [
            len(tokens) - shared + question.max_tokens
            for tokens, question in zip(self.questions, probe.questions, strict=True)
        ]
        rest += [len(tokens) for pair in self.pairs for tokens in pair]
        return shared + ROWS * max(rest, default=1)


def ask(
    path: Path, probes: Sequence[Probe], *, threads: int, advance: Advance = unheard
) -> list[list[Answer]]:
    """The answers to every probe, in the order of its items; ``advance`` is called for each item.

    Raises ModelFileError for a file that does not load or whose logits are not finite.
    """
    with Model.open(path, threads=threads, context_tokens=1) as model:
        tokens = [_tokens(model, probe) for probe in probes]
    room = max((its.room(probe) for its, probe in zip(tokens, probes, strict=True)), default=1)
    with Model.open(
        path, threads=threads, context_tokens=room, parallel=ROWS + 1, batch_tokens=BATCH_TOKENS, unified=True
    ) as model:
        return [_ask(model, probe, its, advance) for probe, its in zip(probes, tokens, strict=True)]


def _tokens(model: Model, probe: Probe) -> _Tokens:
    questions = (_render(model, probe.shots, question.prompt) for question in probe.questions)
    return _Tokens(
        tuple(_question_tokens(model, text) for text in questions),
        tuple(
            [model.tokenize(text, add_special=True, parse_special=False) for text in (pair.good, pair.bad)]
            for pair in probe.pairs
        ),
    )


def _ask(model: Model, probe: Probe, tokens: _Tokens, advance: Advance) -> list[Answer]:
    if probe.pairs:
        return _compare(model, probe.pairs, tokens.pairs, advance)
    limits = [question.max_tokens for question in probe.questions]
    written = _write(model, tokens.questions, limits, advance)
    markers = _markers(model)
    answers = []
    for question, (ids, finish) in zip(probe.questions, written, strict=True):
        text = model.detokenize(ids).decode("utf-8", errors="replace")
        if model.chat_template is None:
            text = text.partition("\nQuestion:")[0]
        correct = verdict.right(probe.name, question, text, finish, markers)
        answers.append(Answer(question.id, text, finish, correct))
    return answers


def _render(model: Model, shots: Sequence[tuple[str, str]], prompt: str) -> str:
    """Rendered with the file's chat template; without one, as plain text."""
    if model.chat_template is None:
        turns = [*shots, (prompt, "")]
        return "\n".join(f"Question: {asked}\nAnswer: {answer}".rstrip() for asked, answer in turns)
    messages = [
        {"role": role, "content": text}
        for shot in shots
        for role, text in zip(("user", "assistant"), shot, strict=True)
    ]
    return prompts.render(model, [*messages, {"role": "user", "content": prompt}])


def _question_tokens(model: Model, text: str) -> list[int]:
    if model.chat_template is None:
        return model.tokenize(text, add_special=True, parse_special=False)
    return prompts.tokens(model, text)


def _markers(model: Model) -> list[str]:
    """Texts of the tokens that begin and end turns, which an answer must not spell out."""
    found = {
        model.detokenize([token], special=True).decode("utf-8", errors="replace")
        for token in model.end_tokens
    }
    return sorted(text for text in found if len(text) > 2)


# --- Greedy answers


def _write(
    model: Model, prompts: Sequence[list[int]], limits: Sequence[int], advance: Advance
) -> list[tuple[list[int], str]]:
    """(tokens, finish) of the greedy answer to every prompt, in order."""
    shared = _common(prompts)
    model.clear()
    beginning = prompts[0][:shared] if prompts else []
    _decode(model, [(token, place, KEEPER) for place, token in enumerate(beginning)], wanted=False)
    done: list[tuple[list[int], str]] = [([], "")] * len(prompts)
    waiting = iter(range(len(prompts)))
    rows: dict[int, _Row] = {}
    while True:
        for sequence in range(KEEPER + 1, KEEPER + 1 + ROWS):
            if sequence not in rows and (number := next(waiting, None)) is not None:
                _copy(model, sequence)
                rows[sequence] = _Row(number, list(prompts[number][shared:]), shared)
        if not rows:
            return done
        for sequence, logits in _feed(model, rows):
            row = rows[sequence]
            token = int(np.argmax(logits))
            finish = "stop" if token in model.end_tokens else ""
            if not finish:
                row.answer.append(token)
                row.pending = [token]
                finish = "length" if len(row.answer) == limits[row.number] else ""
            if finish:
                done[row.number] = (row.answer, finish)
                del rows[sequence]
                _forget(model, sequence)
                advance(1)


def _feed(model: Model, rows: dict[int, _Row]) -> list[tuple[int, NDArray[np.float32]]]:
    """One decode of the pending tokens, as far as they fit; (sequence, logits) of the rows that have read
    everything."""
    batch: list[tuple[int, int, int, bool]] = []
    ready: list[int] = []
    for sequence, row in rows.items():
        part = row.pending[: BATCH_TOKENS - len(batch)]
        last = len(part) == len(row.pending) and bool(part)
        batch += [
            (token, row.position + i, sequence, last and i == len(part) - 1) for i, token in enumerate(part)
        ]
        row.position += len(part)
        row.pending = row.pending[len(part) :]
        if last:
            ready.append(sequence)
    model.decode(batch)
    return list(zip(ready, _logits(model, len(ready)), strict=True))


# --- Pairs


def _compare(
    model: Model, pairs: Sequence[Pair], tokens: Sequence[list[list[int]]], advance: Advance
) -> list[Answer]:
    """Each pair's beginning is read once; only what follows it is scored, because the rest adds the same to both."""
    answers: list[Answer] = []
    for start in range(0, len(pairs), ROWS // 2):
        scores = _scores(model, tokens[start : start + ROWS // 2])
        for pair, (good, bad) in zip(pairs[start : start + ROWS // 2], scores, strict=True):
            answers.append(Answer(pair.id, f"{good - bad:+.4f}", "", good > bad))
            advance(1)
    return answers


def _scores(model: Model, groups: Sequence[list[list[int]]]) -> list[list[float]]:
    """Sum of ln p of each sentence's tokens after what both of its pair share, in nats."""
    model.clear()
    # The last shared token is read in both sequences: its logits are needed in both.
    shared = [max(_common(sentences) - 1, 0) for sentences in groups]
    beginnings = [
        (token, position, 1 + 2 * number)
        for number, (first, _) in enumerate(groups)
        for position, token in enumerate(first[: shared[number]])
    ]
    _decode(model, beginnings, wanted=False)
    memory = model.lib.llama_get_memory(model.context)
    for number in range(len(groups)):
        model.lib.llama_memory_seq_cp(memory, 1 + 2 * number, 2 + 2 * number, -1, -1)
    rest, targets = [], []
    for number, sentences in enumerate(groups):
        for which, sentence in enumerate(sentences):
            for position in range(shared[number], len(sentence) - 1):
                rest.append((sentence[position], position, 1 + 2 * number + which))
                targets.append((number, which, sentence[position + 1]))
    result = [[0.0, 0.0] for _ in groups]
    for (number, which, target), logits in zip(targets, _decode(model, rest, wanted=True), strict=True):
        result[number][which] += _log_probability(logits, target)
    return result


def _log_probability(logits: NDArray[np.float32], token: int) -> float:
    values = logits.astype(np.float64)
    top = values.max()
    return float(values[token] - top - np.log(np.exp(values - top).sum()))


# --- Sequences and logits


def _common(sequences: Sequence[Sequence[int]]) -> int:
    """Length of the beginning that all share; at least one token is left for each."""
    if not sequences:
        return 0
    length = min(len(tokens) for tokens in sequences) - 1
    for place in range(length):
        if len({tokens[place] for tokens in sequences}) > 1:
            return place
    return max(length, 0)


def _decode(
    model: Model, tokens: Sequence[tuple[int, int, int]], *, wanted: bool
) -> Iterator[NDArray[np.float32]]:
    """Read (token, position, sequence) rows; yields the logits after each if they are needed."""

    def parts() -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(tokens), BATCH_TOKENS):
            part = tokens[start : start + BATCH_TOKENS]
            model.decode([(*row, wanted) for row in part])
            yield from _logits(model, len(part) if wanted else 0)

    found = parts()
    if not wanted:
        # No one asks for these logits, so they are read now.
        for _ in found:
            pass
    return found


def _copy(model: Model, sequence: int) -> None:
    model.lib.llama_memory_seq_cp(model.lib.llama_get_memory(model.context), KEEPER, sequence, -1, -1)


def _forget(model: Model, sequence: int) -> None:
    model.lib.llama_memory_seq_rm(model.lib.llama_get_memory(model.context), sequence, -1, -1)


def _logits(model: Model, count: int) -> NDArray[np.float32]:
    """A copy of the last decode's outputs, in the order in which the batch asked for them: [count, vocabulary]."""
    size = count * model.vocabulary_size
    if not count:
        return np.empty((0, model.vocabulary_size), dtype=np.float32)
    address = ctypes.cast(model.lib.llama_get_logits(model.context), ctypes.c_void_p).value or 0
    view = np.ctypeslib.as_array((ctypes.c_float * size).from_address(address))
    found: NDArray[np.float32] = view.reshape(count, model.vocabulary_size).copy()
    if not np.isfinite(found).all():
        raise ModelFileError(
            f"{model.path.name} computes logits that are not finite",
            where=str(model.path),
            remedy="Its weights are damaged or overflow: build it again, or use a type with a wider range",
        )
    return found
