"""What jsonschema-rs accepts, jsonschema accepts too, for valid data and for data broken in any place."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from sitesamples import hostile, sample

from catalog import index, quick, schema
from catalog.yamltext import Document

OTHERS: tuple[Any, ...] = (
    None, True, 0, 1, 1.0, -1, 0.5, 60.0, 1e308, float("inf"), 2**70, -(2**70), "", "x", "1.0.0\n", "١.0.0", "1.0.0",
    "2026-01-01", "2026-01-01\n", "٢026-01-01", "a" * 64, "A" * 64, "a" * 64 + "\n", "a" * 5000, "\u212a", "org/name",
    [], {}, [[]], ["en", "en"], [1, 1.0], [True, 1], {"x": 1}, "model-catalog/2",
)  # fmt: skip


def places(data: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) in the data."""
    inside = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in list(inside):
        yield data, key
        yield from places(value)


def broken(data: Any, dice: random.Random) -> Any:
    """A copy of ``data`` with one value changed, added, doubled or removed."""
    copied = copy.deepcopy(data)
    container, key = dice.choice(list(places(copied)))
    match dice.randrange(5):
        case 0:
            del container[key]
        case 1 if isinstance(container, dict):
            container[dice.choice(("unknown", "name", ""))] = dice.choice(OTHERS)
        case 1:
            container.append(copy.deepcopy(container[key]))
        case _:
            container[key] = copy.deepcopy(dice.choice(OTHERS))
    return copied


def slow(data: Any) -> bool:
    return next(schema.validator("catalog-v1").iter_errors(data), None) is None


@pytest.mark.parametrize("seed", range(4))
def test_a_quick_yes_is_a_yes(seed: int) -> None:
    dice = random.Random(seed)
    source = json.loads(index.to_text((sample, hostile)[seed % 2]()))
    said = {True: 0, False: 0}
    for _ in range(100):
        data = broken(source, dice)
        found = slow(data)
        said[found] += 1
        assert quick.sound(data, "catalog-v1", schema.load) <= found, "a quick yes to unsound data"
        assert bool(schema.problems(Document("x", data), "catalog-v1")) != found
    assert min(said.values()) > 5


def test_without_the_package_everything_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick, "_check", lambda *_: None)
    source = json.loads(index.to_text(sample()))
    assert schema.problems(Document("x", source), "catalog-v1") == []
    assert not quick.sound(source, "catalog-v1", schema.load)
