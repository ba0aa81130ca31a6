"""What a recipe may say about the kernels that compute its teacher's answers."""

from __future__ import annotations

from collections.abc import Iterator

from catalog import sources
from catalog.jsontext import JsonObject
from catalog.problems import Problem
from catalog.yamltext import Document

GROUP_ROWS = 4
"""llama.cpp's fast kernels take so many rows at a time, and a rest one by one, in sums of another order
(forward_mul_mat of repack.cpp): with a rest, an answer would depend on its place among the others."""


def problems(document: Document, data: JsonObject) -> Iterator[Problem]:
    """What does not go together with fast kernels. Tolerates any shape."""
    label, teacher = data.get("label"), data.get("teacher")
    if not isinstance(label, dict) or label.get("repack") is not True:
        return
    uri = teacher.get("source") if isinstance(teacher, dict) else None
    if isinstance(uri, str) and sources.is_served(uri):
        what = "a server chooses its own kernels"
        yield document.problem(("label", "repack"), what, "Delete this line")
        return
    rows = label.get("batch_rows")
    if isinstance(rows, int) and rows % GROUP_ROWS:
        what = f"the fast kernels of `repack` take {GROUP_ROWS} rows at a time, and {rows} is not a multiple of it"
        near = -(-rows // GROUP_ROWS) * GROUP_ROWS
        yield document.problem(("label", "batch_rows"), what, f"Write a multiple of {GROUP_ROWS}, such as {near}")
