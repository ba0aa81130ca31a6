"""A recipe means the same with and without libyaml: PyYAML's own parser decides, libyaml only makes it faster."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import yaml

from catalog import yamltext

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
SMALL = [
    "a: 1\nb: [x, y]\n", "a: {b: c, d: 'e'}\n", "a: |\n  text\n  more\nb: >-\n  x\n", "- a\n- b: c\n  d: e\n",
    'a: "x\\u00e9 y"\n# c\nb: ~\n',
]  # fmt: skip
PIECES = [
    *"\t :,-?#&*!|>'\"%@`[]{}\n\\.~0a", "  ", "\n  ", "\n- ", ": ", "? ", "--- ", "...\n", "%YAML 1.2\n", "!!str ",
    "&a ", "*a", "<<: ", "|+\n", "|2\n", ">-\n", "\r\n", "\r", "\\x41", "\\N", "é", "\u00a0", "😀", "''", '""', "{}",
    "[]", "\n\n", "# c", "0x1", "1e9", ".inf", "-\t", "a:\tb", ":\t",
]  # fmt: skip
DAMAGED = 1500


def seen(document: yamltext.Document) -> str:
    return repr((document.data, document.problems, document.value_places, document.key_places))


def damaged(rng: random.Random) -> str:
    text = rng.choice(SMALL)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(text) + 1)
        removed = rng.randint(1, 3) if rng.random() < 0.4 else 0
        text = text[:at] + ("" if removed else rng.choice(PIECES)) + text[at + removed :]
    return text


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="this PyYAML has no libyaml")
def test_damaged_texts_are_the_same_with_both_parsers(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(7)
    texts = [*(path.read_text(encoding="utf-8") for path in RECIPES.glob("*.yaml")), *SMALL]
    texts += [damaged(rng) for _ in range(DAMAGED)]
    quick = [yamltext._quickly(text, "x") is not None for text in texts]
    assert all(quick[:-DAMAGED]) and sum(quick) > DAMAGED // 6, "libyaml reads ordinary recipes"
    found = [seen(yamltext.parse(text.encode(), "x")) for text in texts]
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    for text, both in zip(texts, found, strict=True):
        assert seen(yamltext.parse(text.encode(), "x")) == both, text


@pytest.mark.parametrize(
    "text",
    ["a: {b, d: }\n", "a: |#\n  x\n", "a~: 1\nb: [x?,]\n", "- b: !\n- c\n", "a:\tb\n", "a: 1\nb: [x, y]\n?"],
)
def test_what_libyaml_reads_differently_is_left_to_the_other(text: str) -> None:
    assert yamltext._quickly(text, "x") is None
