"""Too few conversations: what is said helps, and what would not help is not advised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tinymodel import make_tiny_llama

from zoo.errors import InputError
from zoo.training.conversations import Conversation, encode
from zoo.training.enough import Learner, Part, refuse_too_few
from zoo.training.models import load_tokenizer

CHATS = [Conversation(f"{n}", (("user", "why " * n), ("assistant", "so"))) for n in (1, 30, 60)]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load_tokenizer(make_tiny_llama(tmp_path_factory.mktemp("tokenizer")))


def first(tokenizer: Any, chat: Conversation) -> int:
    """Tokens with which a row of the chat has its first token of the answer."""
    return encode(tokenizer, [chat], 10_000).rows[0].mask.index(True) + 1


def refused(part: Part, tokenizer: Any, row_tokens: int, context_tokens: int | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        refuse_too_few(part, Learner(tokenizer, "student", context_tokens), row_tokens)
    assert caught.value.safe == "Nothing was trained. Finished steps are kept."
    return caught.value


@pytest.mark.parametrize(
    ("count", "failed", "asked"),
    [(0, 0, "0 held-out prompts"), (1, 0, "1 held-out prompt"), (1, 2, "3 held-out prompts")],
)
def test_answers_that_are_invalid_are_not_too_long(tokenizer: Any, count: int, failed: int, asked: str) -> None:
    error = refused(Part("heldout", CHATS[:count], ["the answer is empty"] * failed), tokenizer, 4)
    assert error.what.startswith(f"{count} of {asked} have a valid answer")
    assert ("(the first without one: the answer is empty)" in error.what) == bool(failed)
    assert error.remedy == "Add prompts under corpus.heldout", "longer rows would not help"


def test_longer_rows_are_advised_by_the_number_that_helps(tokenizer: Any) -> None:
    needed = first(tokenizer, CHATS[1])
    error = refused(Part("heldout", CHATS), tokenizer, needed - 1)
    assert error.what.startswith(f"1 of 3 held-out conversations have an answer within their first {needed - 1} tokens")
    assert error.remedy == f"Raise distill.row_tokens to {needed} or more, or add prompts under corpus.heldout"
    refuse_too_few(Part("heldout", CHATS), Learner(tokenizer, "student", None), needed)
    error = refused(Part("heldout", CHATS), tokenizer, needed - 1, context_tokens=needed - 1)
    assert f"and {needed} are more than the model's context of {needed - 1}" in error.what
    assert error.remedy == "Shorten the prompts under corpus.heldout, or add others"


def test_a_training_needs_one(tokenizer: Any) -> None:
    needed = first(tokenizer, CHATS[0])
    refuse_too_few(Part("train", CHATS), Learner(tokenizer, "student", None), needed)
    assert refused(Part("train", CHATS), tokenizer, needed - 1).what.endswith("but a training requires one")
    assert refused(Part("train", []), tokenizer, needed).remedy == "Add prompts under corpus.train"


def test_a_template_that_shows_no_answer_is_named(tmp_path: Path) -> None:
    folder = make_tiny_llama(tmp_path)
    template = "{% for m in messages %}{{ raise_exception('odd') if 'why' in m.content else m.content }}{% endfor %}"
    (folder / "chat_template.jinja").write_text(template)
    chats = [*CHATS[:2], Conversation("plain", (("user", "a"), ("assistant", "b")))]
    error = refused(Part("heldout", chats), load_tokenizer(folder), 100)
    shown = "1 of 3 held-out conversations have an answer that the student's chat template shows (the first: "
    assert error.what.startswith(shown)
    assert "row_tokens" not in error.remedy
