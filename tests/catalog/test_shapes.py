"""Parsed JSON as types: what is taken, what is refused and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NotRequired, TypedDict

import pytest

from catalog.shapes import WrongShape, shaped


@dataclass(frozen=True)
class File:
    path: str
    size_bytes: int
    note: str | None = None


class Listing(TypedDict):
    files: list[File]
    kind: NotRequired[Literal["model", "dataset"]]


class Named(Listing):
    name: str


class Loose(TypedDict, total=False):
    name: str
    span: tuple[int, float]
    rows: tuple[int, ...]


SOUND = {"name": "m", "kind": "model", "files": [{"path": "a", "size_bytes": 1}], "other": [1]}


def test_what_the_type_has_is_taken_and_the_rest_is_left_out() -> None:
    assert shaped(SOUND, Named) == {"name": "m", "kind": "model", "files": [File("a", 1)]}
    assert shaped({"files": []}, Listing) == {"files": []}
    assert shaped({"span": [1, 2]}, Loose) == {"span": (1, 2)}
    for count in (0, 3):
        assert shaped({"rows": [7] * count}, Loose) == {"rows": (7,) * count}
    with pytest.raises(WrongShape, match=r"rows\[1\]"):
        shaped({"rows": [7, "x"]}, Loose)
    assert shaped({}, Loose) == {}
    assert shaped({"a": [1, "b", None]}, dict[str, list[str | int | None]]) == {"a": [1, "b", None]}
    assert shaped({"a": {"b": 1}}, dict[str, object]) == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("data", "shape", "words"),
    [
        (None, Named, "the document is not an object"),
        ([], Named, "the document is not an object"),
        ({"files": []}, Named, "name is missing"),
        ({**SOUND, "name": 1}, Named, "name is not text"),
        ({**SOUND, "kind": "space"}, Named, "kind is not model or dataset"),
        ({**SOUND, "files": {}}, Named, "files is not a list"),
        ({**SOUND, "files": [{"path": "a", "size_bytes": True}]}, Named, "files[0].size_bytes is not a whole number"),
        ({**SOUND, "files": [{"path": "a", "size_bytes": 1.0}]}, Named, "files[0].size_bytes is not a whole number"),
        ({**SOUND, "files": [{"path": "a"}]}, Named, "files[0].size_bytes is missing"),
        ({**SOUND, "files": [{"path": "a", "size_bytes": 1, "note": 2}]}, Named, "files[0].note is not text"),
        ({"span": [1]}, Loose, "span is not a list of 2 values"),
        ({"span": [1, "2"]}, Loose, "span[1] is not a number"),
        ({"a": [[]]}, dict[str, list[str | int]], "a[0] has none of the forms that it may have"),
    ],
)
def test_another_form_is_refused_with_its_place(data: object, shape: type, words: str) -> None:
    with pytest.raises(WrongShape) as caught:
        shaped(data, shape)
    assert str(caught.value) == words
