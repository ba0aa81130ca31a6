"""What the header of a released file says in words: by recipe and by the facts of the file. Pure."""

from __future__ import annotations

from catalog.recipe import Recipe
from zoo.gguf.facts import FileFacts
from zoo.gguf.layout import Scalar


def header_words(recipe: Recipe, facts: FileFacts) -> dict[str, Scalar | list[str]]:
    """The keys of ``zoo.gguf.wording`` with their values, for one file of the release."""
    words: dict[str, Scalar | list[str]] = {
        "general.version": recipe.version,
        "general.license": recipe.licence,
        "general.description": _description(recipe.summary, facts),
        "general.languages": list(recipe.languages),
    }
    if recipe.student.upstream:
        organization, _, name = recipe.student.upstream.partition("/")
        words |= {
            "general.base_model.count": 1,
            "general.base_model.0.name": name,
            "general.base_model.0.organization": organization,
            "general.base_model.0.repo_url": f"https://huggingface.co/{recipe.student.upstream}",
        }
    return words


def _description(summary: str, facts: FileFacts) -> str:
    """The summary, and what was made: a name such as Q4_K_M may not match all tensors of a file."""
    made = facts.quantize
    if made is None:
        return summary
    if made.budget:
        return f"{summary} Types chosen per tensor by measured loss within {made.budget.limit_bytes:,} bytes."
    parts = [f"{made.type_name}: {made.bits_per_weight:.2f} bits per weight"]
    if made.fallbacks:
        parts.append(f"{len(made.fallbacks)} of {facts.tensors} tensors have another type than the name says")
    if made.overridden:
        parts.append(f"{len(made.overridden)} tensors have a type of the recipe's choice")
    return f"{summary.strip()} {'; '.join(parts)}."
