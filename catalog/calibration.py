"""What a recipe may say about importance matrices: which types need one, and text that is apart from evaluation.

A matrix made from the text that is measured on would make the quants look better than they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catalog.problems import Problem, show
from catalog.yamltext import Document

NEED_IMATRIX = frozenset(
    ("Q2_K_S", "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M", "IQ3_XXS", "IQ3_XS")
)
"""File types that llama.cpp refuses to make without an importance matrix."""
SHORTEST_CHARACTERS = 40
"""Shorter paragraphs (headings, greetings) may be in two texts by chance."""


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
        for line, digest in _paragraphs(root / entry["path"]):
            measured.setdefault(digest, f"line {line} of {entry['path']}")
    for number, entry in enumerate(corpus.get("calibration", [])):
        shared = [(line, measured[key]) for line, key in _paragraphs(root / entry["path"]) if key in measured]
        if shared:
            line, where = shared[0]
            more = f" and {len(shared) - 1} more" if len(shared) > 1 else ""
            yield document.problem(
                ("corpus", "calibration", number, "path"),
                f"line {line} of the file{more} is also {where}, which the quants are measured on",
                "Calibrate on other text than you evaluate on",
            )


def _paragraphs(path: Path) -> Iterator[tuple[int, str]]:
    """(line number, digest) of every longer paragraph; white space and case make no difference."""
    for number, line in enumerate(path.read_bytes().decode("utf-8", errors="replace").splitlines(), 1):
        text = " ".join(line.split()).casefold()
        if len(text) >= SHORTEST_CHARACTERS:
            yield number, hashlib.sha256(text.encode()).hexdigest()
