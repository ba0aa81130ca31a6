"""Nearly the same texts: all pairs that a comparison of each with each finds, and shared phrases."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from corpussamples import write

from zoo.corpora import check, compare, overlap
from zoo.corpora.overlap import Text, between, folded, jaccard, within
from zoo.errors import InputError

TUTOR = Path(__file__).parents[2] / "recipes/corpora/tutor"
PROMPTS = [
    json.loads(line)["user"]
    for part in ("train", "heldout")
    for line in (TUTOR / f"prompts.{part}.jsonl").read_text(encoding="utf-8").splitlines()
]


def changed(text: str, rng: random.Random, share: float) -> str:
    """The text with some words replaced."""
    others = ["maison", "river", "quick", "bleu", "stone", "hier", "table", "wind"]
    return " ".join(rng.choice(others) if rng.random() < share else word for word in text.split())


def planted() -> list[Text]:
    rng = random.Random(16)
    texts = [*PROMPTS, *(changed(rng.choice(PROMPTS), rng, rng.choice((0.0, 0.05, 0.1, 0.3))) for _ in range(160))]
    texts += ["a", "ab", "abcd", "abcde", "abcdef", "abcdefg", "Abcdefg!", "aaaaaaaaaaaa", "aaaaaaaa"]
    rng.shuffle(texts)
    return [Text(0, number, folded(text)) for number, text in enumerate(texts, 1)]


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.55, 0.8, 0.95, 1.0])
def test_every_near_pair_is_found_and_no_other(threshold: float) -> None:
    texts = planted()
    near = {
        late.line: first.line
        for place, late in enumerate(texts)
        for first in reversed(texts[:place])
        if jaccard(late.words, first.words) >= threshold
    }
    assert len(near) > 10
    assert {one.text.line: one.other.line for one in within(texts, threshold)} == near
    half = len(texts) // 2
    wanted = {
        text.line: max(jaccard(text.words, other.words) for other in texts[:half])
        for text in texts[half:]
        if any(jaccard(text.words, other.words) >= threshold for other in texts[:half])
    }
    found = {one.text.line: one.share for one in between(texts[half:], texts[:half], threshold) if not one.phrase}
    assert found == wanted


def test_a_pair_that_reaches_the_threshold_exactly_is_found() -> None:
    """0.55 of 100 is 55.00000000000001 in floating point, and so are others of their products."""
    alphabet = [chr(place) for place in range(0x4E00, 0x4E00 + 400)]
    for shared, threshold in ((55, 0.55), (56, 0.56), (57, 0.57), (58, 0.58), (29, 0.29)):
        both, rest = alphabet[: shared + 4], iter(alphabet[shared + 4 :])
        one = Text(0, 1, "".join(both))
        other = Text(0, 2, "".join(both) + "".join(next(rest) for _ in range(100 - shared)))
        assert jaccard(one.words, other.words) == threshold
        for pair in ((one, other), (other, one)):
            assert len(list(within(pair, threshold))) == 1
            assert len(list(between(pair[:1], pair[1:], threshold))) == 1


def test_many_copies_of_one_text_are_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def counted(one: str, other: str) -> float:
        compared.append(one)
        return jaccard(one, other)

    monkeypatch.setattr(overlap, "jaccard", counted)
    texts = [Text(0, number, "the same words of a text that was copied often") for number in range(1, 10_001)]
    found = list(within(texts, 0.8))
    assert len(found) == 9_999 and {one.other.line for one in found} == {1}
    assert len(list(between(texts[:10], texts, 0.8))) == 10
    assert len(compared) == 10


def test_the_prompts_of_the_project_do_not_overlap() -> None:
    assert list(within([Text(0, number, folded(text)) for number, text in enumerate(PROMPTS)], 0.8)) == []


def test_a_phrase_inside_a_longer_text_is_found() -> None:
    phrase = "the snow on the old bridge melts before noon"
    held = [Text(1, 1, folded(f"Yesterday I read that {phrase}."))]
    long = "Ceci est une longue introduction sans rapport avec la suite. " * 3
    text = Text(0, 7, folded(f"{long} The snow, on the old BRIDGE, melts before noon! {long}"))
    (found,) = between([text], held, 0.8)
    assert (found.text.line, found.other.line) == (7, 1)
    assert found.phrase == "the snow on the old bridge melts before"


def test_a_phrase_of_the_form_is_no_copy() -> None:
    form = "answer in at most three short and simple sentences"
    held = [Text(1, number, folded(f"{form} question {number} about lamps")) for number in range(6)]
    texts = [Text(0, number, folded(f"what is object {number} for in a kitchen {form}")) for number in range(6)]
    assert list(between(texts, held, 0.8)) == []
    assert len(list(between(texts[:1], held[:1], 0.8))) == 1


def test_files_are_compared_with_text_and_records(tmp_path: Path) -> None:
    rows = {"user": "How do I get wax out of a cloth?"}, {"user": "Why is ice slippery?"}
    train = write(tmp_path / "train.jsonl", *rows)
    held = write(tmp_path / "held.jsonl", {"user": "why is ICE slippery"})
    text = tmp_path / "eval.txt"
    text.write_text("A heading\n\nOne paragraph. How do I get wax out of a cloth, she asked.\n", encoding="utf-8")
    files = [check.File(path, path.name) for path in (train, held, text)]
    found = compare.compare(files[:1], files[1:], 0.8, 60)
    assert [(one.file, one.line, one.what.partition(": ")[0]) for one in found.problems] == [
        ("train.jsonl", 1, "has 8 words in a row of line 3 of eval.txt"),
        ("train.jsonl", 2, "the same words as line 1 of held.jsonl"),
    ]
    assert (found.found, found.texts) == (2, 5)
    assert len(compare.compare(files[:1], files[1:], 0.8, 1).problems) == 1
    with pytest.raises(InputError, match="the record is not valid"):
        compare.compare([check.File(write(tmp_path / "bad.jsonl", {"usr": 1}), "bad.jsonl")], [], 0.8, 60)
