"""What a recipe may say about importance matrices: which types require one, and that its text must not be the
evaluation text.

A matrix made from the evaluation text would make the quants look better than they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catalog.corpora import paragraphs
from catalog.problems import Problem, show
from catalog.quants import NEED_IMATRIX
from catalog.yamltext import Document


def problems(document: Document, data: dict[str, Any]) -> Iterator[Problem]:
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
            instead = "Add text under `corpus: calibration:`, or take Q3_K_S, IQ3_S or a larger type"
            yield document.problem(("quantize", "ladder", number), what, instead)


def overlaps(document: Document, root: Path) -> Iterator[Problem]:
    """Calibration files that repeat a paragraph of an evaluation file. Every path is known to exist."""
    corpus = document.data.get("corpus", {})
    measured: dict[str, str] = {}
    for entry in corpus.get("evaluation", []):
        for line, digest in paragraphs(root / entry["path"]):
            measured.setdefault(digest, f"line {line} of {entry['path']}")
    for number, entry in enumerate(corpus.get("calibration", [])):
        shared = [(line, measured[key]) for line, key in paragraphs(root / entry["path"]) if key in measured]
        if shared:
            line, where = shared[0]
            more = f" and {len(shared) - 1} more" if len(shared) > 1 else ""
            yield document.problem(
                ("corpus", "calibration", number, "path"),
                f"line {line} of the file{more} is the same as {where}, which measures the quants",
                "Calibrate and evaluate on different text",
            )
