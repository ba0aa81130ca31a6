"""The front page's table of all models and files."""

from __future__ import annotations

from catalog.index import Catalog
from catalog.memory import CONTEXTS
from catalog.release import MemoryNeed, ModelFile
from zoo.pages.page import Page, fill

CONTEXT = CONTEXTS[1]
"""The context length that tables compare memory at."""

DESCRIPTION = "Small language models as GGUF files: measured loss and speed, and predicted memory, of each."


def front_page(catalog: Catalog) -> Page:
    """The table, or what to do next when nothing is published."""
    html = fill("front.html", models=catalog.models, context=CONTEXT, memory=memory_at, root="")
    return Page("Catalog", DESCRIPTION, html, ())


def memory_at(file: ModelFile) -> MemoryNeed | None:
    """The prediction at CONTEXT, or at the longest context below it that the file has one for."""
    known = [need for need in file.memory if need.context_tokens <= CONTEXT]
    return max(known, key=lambda need: need.context_tokens, default=None)
