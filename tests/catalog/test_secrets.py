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


TOKENS = ["hf_" + "a" * 34, "ghp_" + "A1" * 18, "github_pat_" + "x" * 40, "AKIA" + "Z" * 16]


@pytest.mark.parametrize("token", TOKENS)
def test_every_token_is_seen_by_its_beginning(token: str) -> None:
    assert secrets.has_token(f"see {token}.") and secrets.may_have_token(token.encode())
    assert not secrets.has_token(token[:12]) and not secrets.may_have_token(b"through high_fidelity hf_hub " * 9)


def test_a_comment_of_a_recipe_is_published_too() -> None:
    text = f"name: x # {TOKENS[0]}\nsummary: y\n# https://me:word@example.org/\n# https://example.org/#a\n"
    assert [(line, "access token" in what, "password" in what) for line, what, _ in secrets.in_comments(text)] == [
        (1, True, False), (3, False, True),
    ]  # fmt: skip
