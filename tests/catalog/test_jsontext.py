"""JSON from others: one reader, one error, and no value that a later step cannot handle."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest

from catalog import jsontext, schema
from catalog.jsontext import LARGEST, NotJson

BAD = {
    "NaN": '{"a": NaN}',
    "minus infinity": "[-Infinity]",
    "a float beyond float": '{"size_bytes": 1e999}',
    "a whole number of 401 digits": "1" + "0" * 400,
    "a whole number of 5000 digits": "9" * 5000,
    "one more than is exact": str(LARGEST + 1),
    "one less than is exact": str(-LARGEST - 1),
    "deep lists": "[" * 100_000,
    "deep objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "half a surrogate pair": r'{"path": "\ud800"}',
    "half a surrogate pair as a key": r'{"\uDC00": 1}',
    "nothing": "",
    "a cut line": '{"a": 1, "b',
    "two values": "1 2",
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("kind", [str, bytes])
def test_what_is_not_usable_json_is_refused_in_one_way(name: str, kind: type) -> None:
    text: Any = BAD[name] if kind is str else BAD[name].encode()
    with pytest.raises(NotJson) as caught:
        jsontext.parse(text)
    assert len(caught.value.what) < 120


def test_the_place_is_named() -> None:
    with pytest.raises(NotJson) as caught:
        jsontext.parse('{\n  "size_bytes": 1' + "0" * 400 + "\n}")
    assert (caught.value.line, caught.value.column) == (2, 17)
    with pytest.raises(NotJson) as caught:
        jsontext.parse(b'{\n "a": "\xff"}')
    assert (caught.value.line, caught.value.column) == (2, 8)
    with pytest.raises(NotJson, match="twice"):
        jsontext.parse('{"a": 1, "a": 2}', unique=True)


def test_ordinary_json_is_read_as_python_reads_it() -> None:
    text = '{"a": [1, 2.5, -9007199254740992, null, true, "\\ud83d\\ude00 \\u0000"], "a": "last"}'
    assert jsontext.parse(text) == json.loads(text)
    assert jsontext.parse(b"\xef\xbb\xbf[1]") == [1]
    assert jsontext.parse("1000000000000000019884624838656", bounded=False) == 1000000000000000019884624838656
    with pytest.raises(NotJson):
        jsontext.parse("9" * 400, bounded=False)
    assert jsontext.parse("[0.0, Infinity, 1e999]", finite=False) == [0.0, math.inf, math.inf]


def test_what_comes_out_can_be_counted_written_and_read_again() -> None:
    rng = random.Random(7)
    text = json.dumps({"files": [{"path": "a\u00e9", "size_bytes": 12, "x": [1.5, None]}], "n": -3}).encode()
    for _ in range(2000):
        raw = bytearray(text)
        for _ in range(rng.randint(1, 4)):
            raw[rng.randrange(len(raw))] = rng.choice(b'0123456789eE+-."{}[],:\\u\xff\x00dNI ')
        try:
            data = jsontext.parse(bytes(raw))
        except NotJson:
            continue
        assert json.loads(json.dumps(data, ensure_ascii=False, allow_nan=False).encode()) == data
        for number in _numbers(data):
            assert math.isfinite(float(number))


@pytest.mark.parametrize("name", schema.names())
def test_every_number_of_a_schema_is_bounded(name: str) -> None:
    """Both ways, so that everything computed from a valid document is also finite."""
    open_ended = [
        path for path, node in _nodes(schema.load(name), "") if _numeric(node) and not _bounded(path, node)
    ]
    assert not open_ended


def _numbers(data: Any) -> list[int | float]:
    if isinstance(data, dict):
        return [n for value in data.values() for n in _numbers(value)]
    if isinstance(data, list):
        return [n for value in data for n in _numbers(value)]
    return [data] if isinstance(data, int | float) else []


def _nodes(node: Any, path: str) -> list[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        below = [found for key, value in node.items() for found in _nodes(value, f"{path}/{key}")]
        return [(path, node), *below]
    if isinstance(node, list):
        return [found for number, value in enumerate(node) for found in _nodes(value, f"{path}/{number}")]
    return []


def _numeric(node: dict[str, Any]) -> bool:
    kind = node.get("type")
    kinds = [kind] if isinstance(kind, str) else kind if isinstance(kind, list) else []
    return bool({"number", "integer"} & {word for word in kinds if isinstance(word, str)})


def _bounded(path: str, node: dict[str, Any]) -> bool:
    below = {"minimum", "exclusiveMinimum"} & node.keys()
    above = {"maximum", "exclusiveMaximum"} & node.keys()
    # A perplexity is the exponential of a loss, so that of a broken model is as large as a float can be.
    most = 1e300 if node["type"] == "number" and path.endswith(("perplexity", "perplexity_se")) else LARGEST
    return bool(below and above) and all(abs(node[key]) <= most for key in below | above)


def test_a_byte_order_mark_is_left_out() -> None:
    assert jsontext.parse("\ufeff[1]") == jsontext.parse(b"\xef\xbb\xbf[1]") == [1]
