"""Contexts side by side, and beginnings that prompts share: the bytes of an answer depend on its job alone."""

from __future__ import annotations

import ctypes
import dataclasses
import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tinygguf import make_tiny_gguf

from zoo.errors import InputError, ZooError
from zoo.llama import generate as generating
from zoo.llama import lanes, prompt
from zoo.llama.generate import Job, Result, generate
from zoo.llama.model import Model
from zoo.llama.quantize.quantize import Wanted, quantize
from zoo.llama.repack import repacked

pytest.importorskip("llama_cpp")

WORDS = ["the", "of", "and", "in", "to", "is", "was", "for", "with", "on", "as", "are", "at", "this"]
ROWS = 4
Opened = Iterator[tuple[Model, ...]]
HEADS = ("the of and in to is was for with on as are", "this at are as on with for was is to in and of the ", "the", "")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(scope="module", params=["plain", "repacked"])
def three(request: pytest.FixtureRequest, path: Path, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """Contexts of one thread, of two and of one."""
    folder = tmp_path_factory.mktemp("fast")
    with ExitStack() as stack:
        yield tuple(
            stack.enter_context(Model.open(**opening(request.param, path, folder / str(number), threads)))
            for number, threads in enumerate((1, 2, 1))
        )


def opening(kind: str, path: Path, folder: Path, threads: int) -> dict[str, Any]:
    """The options of ``Model.open``."""
    wanted: dict[str, Any] = {"threads": threads, "context_tokens": 768, "parallel": ROWS + 1}
    if kind == "plain":
        return {"path": path, **wanted}
    folder.mkdir()
    small = folder / "small.gguf"
    quantize(path, small, Wanted("Q4_1"), threads=1)
    made = repacked(small, folder / "fast")
    assert made.adapter is not None
    return {"path": made.path, "adapter": made.adapter, "fast": True, "flash": True, **wanted}


def jobs(count: int) -> list[Job]:
    """Prompts of a few beginnings, greedy or not."""
    dice = random.Random(5)
    heads = [HEADS[number % len(HEADS)] for number in range(count)]
    return [
        Job(
            str(number), head + " " + " ".join(dice.choices(WORDS, k=dice.randint(1, 60))), dice.randint(1, 16),
            temperature=number % 2 * 0.9, seed=number, shared_text=head,
        )
        for number, head in enumerate(heads)
    ]


def by_key(results: Iterator[Result]) -> dict[str, Result]:
    return {result.key: result for result in results}


def test_a_row_depends_neither_on_its_neighbours_nor_on_what_was_read_before(three: tuple[Model, ...]) -> None:
    todo, model = jobs(16), three[0]
    together = by_key(generate(model, todo, batch_rows=ROWS))
    assert by_key(generate(model, sorted(todo, key=lambda job: job.shared_text), batch_rows=ROWS)) == together
    for job in todo:
        assert list(generate(model, [job], batch_rows=ROWS)) == [together[job.key]]


def test_the_number_of_contexts_changes_no_answer(three: tuple[Model, ...]) -> None:
    todo = jobs(26)
    alone = by_key(lanes.answered(three[:1], todo, batch_rows=ROWS))
    assert set(alone) == {job.key for job in todo}
    assert by_key(lanes.answered(three[:2], todo, batch_rows=ROWS)) == alone
    assert by_key(lanes.answered(three, todo[::-1], batch_rows=ROWS)) == alone


@pytest.mark.parametrize("rest", [0, 1, 2])
def test_the_threads_of_a_context_change_no_sum(three: tuple[Model, ...], rest: int) -> None:
    """Flash attention divides the sums of a token that is read alone, once 512 tokens are before it."""
    text = " the" * (4 * three[0].batch_tokens + rest)

    def logits(model: Model, shared_text: str) -> bytes:
        """Of the first token, which the chain without a grammar leaves as they are."""
        job = Job("a", text, 1, shared_text=shared_text)
        assert next(iter(generate(model, [job], batch_rows=ROWS))).prompt_tokens % model.batch_tokens == rest
        pointer = model.lib.llama_get_logits_ith(model.context, -1)
        return bytes(ctypes.cast(pointer, ctypes.POINTER(ctypes.c_char * (4 * model.vocabulary_size))).contents)

    one, two = (logits(model, "") for model in three[:2])
    assert one == two
    assert logits(three[0], text[:-4]) == logits(three[1], text[:-4])


def test_pieces_of_a_prompt_are_full_but_none_is_too_small() -> None:
    def found(tokens: int, least: int) -> list[int]:
        return list(generating.pieces(tokens, 128, least))

    assert found(0, 2) == [] and found(1, 2) == [1] and found(128, 2) == [128]
    assert found(129, 1) == [128, 1] and found(129, 2) == [126, 3] and found(257, 2) == [128, 126, 3]
    assert all(sum(found(tokens, 2)) == tokens and min(found(tokens, 2)) > 1 for tokens in range(2, 600))


def test_an_interrupted_run_ends_its_threads_and_is_completed(three: tuple[Model, ...]) -> None:
    todo = jobs(20)
    whole = by_key(lanes.answered(three, todo, batch_rows=ROWS))
    before = threading.active_count()
    running = lanes.answered(three, todo, batch_rows=ROWS)
    done = by_key(iter([next(running), next(running)]))
    running.close()
    assert threading.active_count() == before
    rest = [job for job in todo if job.key not in done]
    assert done | by_key(lanes.answered(three[1:], rest, batch_rows=ROWS)) == whole


def test_a_beginning_is_read_once(three: tuple[Model, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    real = generating._read

    def spy(model: Model, sequence: int, tokens: list[int], position: int, *, with_logits: bool) -> None:
        read.append(len(tokens))
        real(model, sequence, tokens, position, with_logits=with_logits)

    monkeypatch.setattr(generating, "_read", spy)
    model = three[0]
    todo = [dataclasses.replace(job, prompt_text=f"{HEADS[0]} {job.key}", shared_text=HEADS[0]) for job in jobs(6)]
    results = by_key(generate(model, todo, batch_rows=ROWS))
    head = len(prompt.tokens(model, HEADS[0]))
    assert sum(read) == head + sum(result.prompt_tokens - head for result in results.values())


def test_a_beginning_that_a_prompt_does_not_have_is_not_used(three: tuple[Model, ...]) -> None:
    job = dataclasses.replace(jobs(1)[0], shared_text="")
    plain = list(generate(three[0], [job], batch_rows=ROWS))
    for other in (HEADS[1], job.prompt_text, job.prompt_text + " the"):
        assert list(generate(three[0], [dataclasses.replace(job, shared_text=other)], batch_rows=ROWS)) == plain


def test_an_error_of_one_context_ends_all(three: tuple[Model, ...]) -> None:
    before = threading.active_count()
    wrong = Job("wrong", "the " * 750, 50)
    with pytest.raises(InputError, match="asks for 50 more"):
        list(lanes.answered(three, [*jobs(5), wrong, *jobs(9)], batch_rows=ROWS))

    def broken() -> Iterator[Job]:
        yield from jobs(4)
        raise ZooError("no more jobs")

    with pytest.raises(ZooError, match="no more jobs"):
        list(lanes.answered(three, broken(), batch_rows=ROWS))
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("threads", "rows", "expected"),
    [(1, 99, (1, 1)), (2, 99, (2, 1)), (16, 99, (4, 4)), (7, 99, (4, 1)), (4, 9, (2, 2)), (8, 1, (1, 8))],
)
def test_threads_are_divided_among_contexts_that_have_jobs(threads: int, rows: int, expected: tuple[int, int]) -> None:
    assert lanes.divided(threads, rows, 8, 4) == expected


def test_what_a_conversation_shares_ends_where_its_question_begins(three: tuple[Model, ...]) -> None:
    system = {"role": "system", "content": "Be brief <|im_end|>."}
    asked = [{"role": "user", "content": text} for text in ("0", "Why?", "")]
    found = {prompt.shared(three[0], [system, one]) for one in asked}
    assert len(found) == 1
    text = found.pop()
    assert text.endswith("<|im_start|>user\n")
    for one in asked[:2]:
        whole = prompt.tokens(three[0], prompt.render(three[0], [system, one]))
        head = prompt.tokens(three[0], text)
        assert whole[: len(head)] == head
