"""Comparing two files in the browser: the words of the pages without scripts, and an address that keeps both."""

from __future__ import annotations

from typing import Any

import pytest
from gallery import MODEL, TUTOR

A, B = f"{MODEL}@1.0.0:Q4_K_M", f"{MODEL}@1.0.0:Q4_0"
READY = "() => document.querySelector('.zoo-compared table')"


def test_the_browser_says_what_the_page_without_scripts_says(gallery_at: Any, open_page: Any) -> None:
    address = gallery_at("ordinary")
    page = open_page(f"{address}compare/{MODEL}/")
    heads = page.locator("h2").all_inner_texts()
    place = heads.index("Q4_K_M and Q4_0")
    tables = page.locator("table")
    each = tables.count() // len(heads)
    still = [tables.nth(place * each + n).inner_text() for n in range(each)]
    page = open_page(f"{address}compare/?a={A}&b={B}")
    page.wait_for_function(READY)
    assert [table.inner_text() for table in page.locator(".zoo-compared table").all()] == still
    assert "only the first right: 1" in still[0] and page.locator(".zoo-better").count() >= 2


def test_two_models_by_keyboard_and_back(gallery_at: Any, open_page: Any) -> None:
    page = open_page(f"{gallery_at('ordinary')}compare/?a={A}&b={B}")
    page.wait_for_function(READY)
    page.focus("[name=b]")
    page.keyboard.press("Control+A")
    page.keyboard.type(f"{TUTOR}@1.1.0:Q8_0")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('.zoo-compared h2')?.textContent.includes('tutor')")
    assert "Not comparable" in page.inner_text(".zoo-compared") and "tutor" in page.url
    page.wait_for_function("() => document.querySelectorAll('#zoo-second option').length === 1")
    page.go_back()
    page.wait_for_function("() => !document.querySelector('.zoo-compared h2')?.textContent.includes('tutor')")
    assert page.input_value("[name=b]") == B


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (f"?a={A}", "Choose the second file."),
        (f"?a={A}&b=x", "Second file: write a file as model@version:type"),
        (f"?a={A}&b={MODEL}@9.0.0:Q8_0", f"only the current version can be compared. Write {MODEL}@1.0.0:Q8_0."),
        (f"?a={A}&b={MODEL}@1.0.0:Q9", "has F16, Q8_0, Q4_K_M, Q4_0."),
    ],
)
def test_an_address_that_cannot_be_answered_says_why(asked: str, says: str, gallery_at: Any, open_page: Any) -> None:
    page = open_page(f"{gallery_at('ordinary')}compare/{asked}")
    page.wait_for_function("() => document.querySelector('.zoo-said').textContent")
    assert says in page.inner_text(".zoo-said") and not page.inner_text(".zoo-compared")
