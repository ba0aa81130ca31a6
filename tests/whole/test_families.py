"""Tiny models of the families that people use, through a complete release; the documentation's page says the same."""

from __future__ import annotations

import json
import os
from pathlib import Path

import families
import pytest
import tinyzoo
from families import page
from families.releasing import release, slug

for module in ("torch", "transformers", "llama_cpp"):
    pytest.importorskip(module)

PAGE = Path(__file__).parents[2] / "site/docs/reference/families.md"
LONG = ("TinyLlama", "GPT-2")
"""Released by make long; the others by make families, which releases all. Every run releases a Llama elsewhere."""


@pytest.mark.parametrize("name", [
    pytest.param(one.name, marks=pytest.mark.long if one.name in LONG else pytest.mark.families)
    for one in families.FAMILIES
])  # fmt: skip
def test_a_family_is_released(name: str, tmp_path: Path) -> None:
    row, zoo = families.family(name), tmp_path / "zoo"
    done = release(name, zoo)
    if row.refused:
        assert done.returncode in (1, 2, 3) and row.refused in done.stderr
        return
    assert done.returncode == 0, done.stderr[-3000:]
    catalog = json.loads((zoo / "model_catalog.json").read_text(encoding="utf-8"))
    (model,) = catalog["models"]
    (found,) = model["releases"]
    assert model["name"] == slug(name)
    assert {file["type"] for file in found["files"]} == {"F16", "Q8_0", "Q4_0"}
    assert tinyzoo.tree(zoo / "build/hub")


@pytest.mark.families
@pytest.mark.parametrize("name", [one.name for one in families.FAMILIES if one.tutored])
def test_a_family_is_pruned_and_distilled(name: str, tmp_path: Path) -> None:
    done = release(name, tmp_path / "zoo", tutored=True)
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_page_says_what_the_table_says() -> None:
    if "ZOO_UPDATE_GOLDEN" in os.environ:
        PAGE.write_text(page.render(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page.render()
