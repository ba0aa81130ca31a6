"""What comes late from the server, or in another order than it was asked for, makes no page show what nobody asked."""

from __future__ import annotations

import time
from typing import Any

import pytest
from gallery import MODEL, TUTOR
from hearing import Heard
from test_browser_compare import READY, A, B
from test_browser_models import many, names, wait
from test_browser_search import ask

__all__ = ["many"]


class Held:
    """Keeps back what a page asks for at addresses that match ``pattern``."""

    def __init__(self, page: Any, pattern: str) -> None:
        self._page, self._pattern, self._asked = page, pattern, list[Any]()
        page.route(pattern, lambda route: self._asked.append(route))

    def wait(self, number: int = 1) -> None:
        """Return once so many are kept back."""
        end = time.monotonic() + 60
        while len(self._asked) < number:
            assert time.monotonic() < end, f"{len(self._asked)} of {number} were asked for"
            self._page.wait_for_timeout(10)

    def release(self) -> None:
        """Let the first go on, and return once it is answered."""
        route = self._asked.pop(0)
        with self._page.expect_event("requestfinished", lambda request: request == route.request):
            route.continue_()

    def release_all(self) -> None:
        """Let all go on, also those of later."""
        while self._asked:
            self.release()
        self._page.unroute(self._pattern)


_READ = """async () => {
  const { core, data } = document.querySelector(".zoo-ask").dataset;
  const { unpack } = await import(new URL(core, document.baseURI));
  unpack(await (await fetch(new URL(data, document.baseURI))).json());
}"""
"""What the chooser does with its data. The chooser has begun before, so it has done it too when this ends."""


def test_a_number_cleared_while_the_data_loads_is_not_asked(samples: str, open_page: Any) -> None:
    page = open_page(samples)
    data, problem = Held(page, "**/chooser.json*"), Heard(page.locator(".zoo-problem"))
    page.select_option("[name=board]", "custom")
    data.wait()
    page.fill("[name=memory]", "")
    data.release_all()
    page.evaluate(_READ)
    page.fill("[name=memory]", "16")
    page.wait_for_function("() => document.querySelector('.zoo-asked').innerText.includes('16 GB')")
    assert not any(problem.all())


def test_words_typed_while_the_list_of_models_loads_find_all_models(many: str, open_page: Any) -> None:
    page = open_page(f"{many}models/")
    rest = Held(page, "**/models/P2/")
    for words in ("m-00", "m-00x", "m-00"):
        page.fill("[name=words]", words)
    rest.wait()
    rest.release()
    wait(page, "10 models")
    rest.release_all()
    page.fill("[name=words]", "smollm2-")
    wait(page, "2 models")
    page.fill("[name=words]", "m-01")
    wait(page, "10 models")
    assert names(page) == [f"m-{number:03}" for number in range(10, 20)]


def test_a_pair_that_comes_after_going_back_is_not_shown(gallery_at: Any, open_page: Any) -> None:
    page = open_page(f"{gallery_at('ordinary')}compare/?a={A}&b={B}")
    page.wait_for_function(READY)
    late = Held(page, f"**/models/{TUTOR}/compare.json")
    page.fill("[name=b]", f"{TUTOR}@1.1.0:Q8_0")
    page.press("[name=b]", "Enter")
    late.wait()
    page.go_back()
    page.wait_for_function("b => document.querySelector('[name=b]').value === b", arg=B)
    shown = Heard(page.locator(".zoo-compared"))
    late.release()
    page.fill("[name=b]", f"{MODEL}@1.0.0:Q8_0")
    page.press("[name=b]", "Enter")
    shown.wait("Q8_0")
    assert not any("tutor" in one for one in shown.all())


@pytest.mark.parametrize("before", ["", "memory"])
def test_enter_opens_what_was_typed_although_its_results_are_not_there_yet(
    before: str, gallery_at: Any, open_page: Any
) -> None:
    page = open_page(gallery_at("ordinary"))
    if before:
        assert ask(page, before)
    page.focus(".zoo-search input")
    page.evaluate(
        """() => {
          const input = document.querySelector(".zoo-search input");
          input.value = "ollama";
          input.dispatchEvent(new Event("input", {bubbles: true}));
          input.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true, cancelable: true}));
        }"""
    )
    page.wait_for_url("**/guide/start-on-your-board/#ollama")
