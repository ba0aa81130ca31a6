"""What a recipe may say about importance matrices: which types require one."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.jsontext import JsonObject
from catalog.problems import Problem, show
from catalog.quants import NEED_IMATRIX
from catalog.yamltext import Document


def problems(document: Document, data: JsonObject) -> Iterator[Problem]:
    """Contradictions of ``quantize`` with ``corpus``. Tolerates any shape."""
    quantize, corpus = data.get("quantize"), data.get("corpus")
    if not isinstance(quantize, dict):
        return
    has_text = isinstance(corpus, dict) and bool(corpus.get("calibration"))
    wanted = quantize.get("imatrix")
    if wanted is True and not has_text:
        yield document.problem(
            ("quantize", "imatrix"),
            "an importance matrix, but no text under corpus.calibration",
            "Add a .txt file under `corpus: calibration:`, or delete this line",
        )
    ladder = quantize.get("ladder")
    for number, name in enumerate(ladder if isinstance(ladder, list) else []):
        if isinstance(name, str) and name in NEED_IMATRIX and (wanted is False or not has_text):
            what = f"{show(name)} cannot be made without an importance matrix"
            instead = "Add text under `corpus: calibration:`, or use Q3_K_S, IQ3_S or a larger type"
            yield document.problem(("quantize", "ladder", number), what, instead)
