"""Secrets in texts that would be published."""

from __future__ import annotations

import pytest

from catalog import secrets
from catalog.yamltext import Document, parse


def found(text: str) -> list[str]:
    document = parse(text.encode(), "r.yaml")
    assert isinstance(document, Document)
    return [f"{problem.line} {problem.what}" for problem in secrets.problems(document)]


@pytest.mark.parametrize("token", ["hf_" + "a" * 34, "ghp_" + "A1" * 18, "github_pat_" + "x" * 40, "AKIA" + "Z" * 16])
def test_an_access_token_in_a_text_is_a_problem_of_its_line(token: str) -> None:
    (said,) = found(f"name: x\nsummary: use {token} here\n")
    assert said.startswith("2 ") and "access token" in said and token not in said


@pytest.mark.parametrize("word", ["hf_hub", "hf_" + "a" * 8, "xhf_" + "a" * 40, "AKIABLE"])
def test_other_words_are_not(word: str) -> None:
    assert not found(f"summary: {word}\n")
