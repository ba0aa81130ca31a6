"""The search in the header of every page: what readers ask finds the right page, also by keyboard."""

from __future__ import annotations

from typing import Any

import pytest

WANTED = {
    "how do I install zoo": "guide/install-zoo/",
    "ollama": "guide/start-on-your-board/#ollama",
    "smollm2-135m-instruct": "models/smollm2-135m-instruct/",
    "smollm2-gguf": "models/smollm2-135m-instruct/",
    "what does Q4_K_M mean": "guide/glossary/#q4_k_m",
    "KLD": "guide/glossary/#kld",
    "raspberry pi zero": "boards/pi-zero-2/",
    "memry": "explanation/evidence/#memory",
    "instal": "guide/install-zoo/",
}
"""What somebody types -> the first result."""

STATUS = ".zoo-results [role=status]"


def ask(page: Any, text: str) -> list[str]:
    """The addresses of the results."""
    page.fill(".zoo-search input", text)
    page.wait_for_function("text => document.querySelector('.zoo-search').dataset.answered === text", arg=text)
    return [str(one) for one in page.eval_on_selector_all(".zoo-results a", "all => all.map((one) => one.href)")]


@pytest.mark.parametrize("path", ["", "models/smollm2-tutor-57m/", "try/", "reference/recipe/", "404.html"])
def test_what_readers_ask_finds_the_right_page_from_every_page(path: str, gallery_at: Any, open_page: Any) -> None:
    site = gallery_at("ordinary")
    page = open_page(site + path)
    for text, wanted in WANTED.items() if not path else [("ollama", WANTED["ollama"])]:
        assert ask(page, text)[:1] == [site + wanted], text
    assert ask(page, "zzyzx qwrtp") == []
    assert page.inner_text(STATUS) == "Nothing found. Try other words."


def test_results_are_reached_by_keyboard(gallery_at: Any, open_page: Any) -> None:
    page = open_page(gallery_at("ordinary"))
    assert len(ask(page, "memory")) == 10
    assert page.inner_text(STATUS) == "The first 10 results"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement === document.querySelectorAll('.zoo-results a')[1]")
    page.keyboard.press("Escape")
    assert not page.is_visible(".zoo-results")
    assert page.evaluate("document.activeElement.matches('.zoo-search input')")
    ask(page, "ollama")
    page.keyboard.press("Enter")
    page.wait_for_url("**/guide/start-on-your-board/#ollama")


def test_names_from_a_catalog_stay_text(gallery_at: Any, open_page: Any) -> None:
    page = open_page(gallery_at("hostile"))
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog opened: {dialog.message}"))
    assert ask(page, "script alert")
    assert page.locator(".zoo-results script, .zoo-results svg").count() == 0


def test_a_search_that_fails_says_so_and_works_later(gallery_at: Any, open_page: Any) -> None:
    page = open_page(gallery_at("ordinary"))
    page.route("**/search/catalog.json*", lambda route: route.fulfill(status=503))
    assert ask(page, "ollama") == []
    assert "does not work now: the server answered 503" in page.inner_text(STATUS)
    page.unroute("**/search/catalog.json*")
    assert ask(page, "kld")
    open_page.troubles.clear()


def test_nothing_is_loaded_before_somebody_searches(gallery_at: Any, open_page: Any) -> None:
    page = open_page(gallery_at("ordinary"))
    loaded = "() => performance.getEntriesByType('resource').map((one) => one.name)"
    assert not [one for one in page.evaluate(loaded) if "/search/" in one or "lunr" in one]


def test_without_scripts_there_is_no_dead_box(gallery_at: Any, open_page: Any) -> None:
    page = open_page(gallery_at("ordinary"), javascript=False)
    assert not page.is_visible(".zoo-search")
