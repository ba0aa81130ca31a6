"""Invisible characters: joiners stay, control characters are escaped, blank text is blank."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import unseen
from catalog.problems import show
from zoo.output import visible as on_a_terminal
from zoo.release import cards
from zoo.site.pages import text as pages

KEPT = [
    "\U0001f469\u200d\U0001f52c",  # a scientist
    "\u2764\ufe0f",  # a red heart
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",  # a family
    "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # the flag of Scotland
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian: I want
    "\u0915\u094d\u200d\u0937",  # Hindi, a half form
    "10\u00a0Mo et 5\u202f%",  # French spaces that must not break
    "\u65e5\u672c\u8a9e\u3067\u3059",
]


@pytest.mark.parametrize("text", KEPT)
def test_text_of_the_world_is_shown_as_it_is(text: str) -> None:
    assert {
        show_it(text) for show_it in (unseen.visible, pages.visible, cards.escape_markdown, on_a_terminal)
    } == {text}
    assert not unseen.blank(text)


OTHERS = "\x00\x1b\x7f\x85\ufeff\u200b\u2060\u00ad\ud800\ue000\U000e0041"


@pytest.mark.parametrize("char", [*sorted(unseen.DIRECTIONS), *OTHERS])
def test_what_could_mislead_is_written_out(char: str) -> None:
    for shown in (unseen.visible, pages.visible, on_a_terminal, cards.escape_markdown):
        assert char not in shown(f"a{char}b")
    assert f"{ord(char):04x}" in unseen.visible(f"a{char}b")


def test_tags_stay_in_a_flag_only() -> None:
    hidden = "".join(chr(0xE0000 + ord(char)) for char in "obey me, and more")
    assert not set(hidden) & set(unseen.visible(f"hello{hidden}"))
    assert not set(hidden) & set(unseen.visible(f"\U0001f3f4{hidden}"))


BLANK = ["", "   ", "\u00a0", "\u200b\u200d", "\u3000\t\n", "\ufeff", "\u2800", "\u3164", "\u202e", "\ufe0f"]


@pytest.mark.parametrize("text", BLANK)
def test_blank(text: str) -> None:
    assert unseen.blank(text)


@given(st.text())
def test_what_is_visible_stays_so(text: str) -> None:
    once = unseen.visible(text)
    assert unseen.visible(once) == once
    assert unseen.blank(text) <= unseen.blank(text + " ")


def test_one_text_in_two_forms() -> None:
    assert unseen.same_text("\u00e9t\u00e9") == unseen.same_text("e\u0301te\u0301")
    assert unseen.same_text(" a \u00a0b\u3000c\r\n") == "a b c"
    assert unseen.same_text("\ufeffa\u200bb") == "ab"
    assert unseen.same_text("\u1112\u1161\u11ab") == unseen.same_text("\ud55c")
    # A joiner makes a different word in Persian, and case a different prompt.
    assert unseen.same_text("\u0645\u06cc\u200c\u062e") != unseen.same_text("\u0645\u06cc\u062e")
    assert unseen.same_text("A") != unseen.same_text("a")


def test_names() -> None:
    assert unseen.named("\u00a0") == "U+00A0 (no-break space)"
    assert unseen.named("\u3000") == "U+3000 (ideographic space)"
    assert unseen.named("\x01") == "U+0001"
    assert show("a\u200cb\u00a0") == '"a\u200cb\\u00a0"'
