"""The chooser as people use it: choose, read, share, copy, by keyboard, and without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import answers
import pytest
from hearing import Heard
from sitesamples import completion, sample

from catalog import device as devices
from catalog.index import Catalog
from zoo.choose import commands

ANSWER = ".zoo-answer"


def take(page: Any) -> str:
    return str(page.inner_text(".zoo-take"))


def ask(page: Any, board: str, take: str) -> None:
    answers.after(page, lambda: page.select_option("[name=board]", board))
    page.wait_for_function("words => document.querySelector('.zoo-asked').innerText.includes(words)", arg=take)
    answers.wait(page)


def words(page: Any) -> str:
    """The text of the answer, without the buttons."""
    text = page.eval_on_selector(ANSWER, "one => one.textContent")
    return re.sub(r"\s+", " ", text.replace("Copy", "")).strip()


def test_answer_is_there_before_anybody_asks(samples: str, open_page: Any) -> None:
    page = open_page(samples)
    assert take(page).startswith("Recommended: model-Q8_0.gguf from smollm2-135m-instruct")
    page.wait_for_load_state("networkidle")
    asked = page.evaluate("() => performance.getEntriesByType('resource').map((one) => one.name)")
    assert asked and not [url for url in asked if "chooser.json" in url]


@pytest.mark.parametrize("sign", ["hover", "focus"])
def test_the_data_loads_when_somebody_comes_to_the_form(sign: str, samples: str, open_page: Any) -> None:
    page = open_page(samples)
    with page.expect_response("**/chooser.json*"):
        getattr(page, sign)("[name=board]")


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (360, 780)])
def test_answer_is_in_the_first_window(width: int, height: int, samples: str, open_page: Any) -> None:
    box = open_page(samples, width=width).locator(".zoo-take").bounding_box()
    assert box["y"] + box["height"] < height


def test_choose_a_board_and_read_the_answer(samples: str, open_page: Any, fits: Any) -> None:
    page = open_page(samples, width=360)
    ask(page, "pi-5-8gb", "Pi 5, 8 GB")
    text = words(page)
    assert "✓ measured 39.8 tokens/s on Raspberry Pi 5, 8 GB, 4 threads (evidence)" in text
    assert "96.1 % same next word, mean KLD 0.0056 ± 0.0003 nats" in text
    assert "Apache-2.0" in text and "144.8 MB" in text
    assert "292.7 MB predicted at 2,048 tokens" in text
    proof = page.locator(f"{ANSWER} a", has_text="evidence").first.get_attribute("href")
    assert page.request.get(samples + proof).status == 200
    ask(page, "pi-zero-2", "Zero 2 W")
    assert take(page).startswith("Recommended: model-Q4_K_M.gguf")
    assert "No good file reaches reading speed (5 tokens/s) on Raspberry Pi Zero 2 W" in words(page)
    fits(page)


@pytest.mark.parametrize("kind", ["chat", "completion"])
def test_board_pages_say_what_the_browser_says(
    kind: str, samples: str, open_page: Any, build_site: Callable[[Catalog], Path], hosted: Callable[..., str]
) -> None:
    if kind == "completion":
        samples = hosted(build_site(completion(sample())))
    page = open_page(f"{samples}?board=pi-5-4gb")
    for device in devices.DEVICES:
        ask(page, device.id, device.name)
        plain = page.evaluate(
            """async (url) => new DOMParser().parseFromString(await (await fetch(url)).text(), "text/html")
               .querySelector(".zoo-answer").textContent.replaceAll("Copy", "").replace(/\\s+/g, "")""",
            f"{samples}boards/{device.id}/",
        )
        assert words(page).replace(" ", "") == plain
        assert (commands.COMPLETES in words(page)) == (kind == "completion" and "Recommended" in plain)


def test_question_stands_in_the_address(samples: str, open_page: Any) -> None:
    page = open_page(samples)
    page.select_option("[name=board]", "custom")
    page.fill("[name=memory]", "0.6")
    page.fill("[name=bandwidth]", "3")
    page.select_option("[name=task]", "chat")
    page.select_option("[name=language]", "en")
    page.wait_for_function("() => location.search.includes('language')")
    page.wait_for_function("() => document.querySelector('.zoo-asked').innerText.includes('0.6 GB')")
    answers.wait(page)
    assert page.url.endswith("?memory=0.6&bandwidth=3&task=chat&language=en")
    again = open_page(page.url)
    answers.wait(again)
    assert words(again) == words(page)
    assert again.input_value("[name=memory]") == "0.6" and again.input_value("[name=board]") == "custom"


@pytest.mark.parametrize(
    "query", ["?board=mainframe", "?context=-5", "?speed=x&context=1e9", "?memory=0&bandwidth=-1", "?task=<script>"]
)
def test_addresses_that_ask_nonsense(query: str, samples: str, open_page: Any) -> None:
    page = open_page(samples + query)
    page.wait_for_function("() => !document.querySelector('.zoo-problem').hidden")
    assert page.locator(".zoo-take").count() == 1
    assert "NaN" not in page.inner_text("main") and "undefined" not in page.inner_text("main")


def test_copy(samples: str, open_page: Any) -> None:
    page = open_page(samples, permissions=["clipboard-read", "clipboard-write"])
    button = Heard(page.locator(".zoo-copy:visible").first)
    status = Heard(page.locator("[role=status].zoo-unseen"))
    page.click(".zoo-copy:visible")
    button.wait("^Copied$")
    status.wait("^Copied$")
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert copied == "ollama run hf.co/local/smollm2-gguf:Q8_0"


def test_copy_without_the_right_to_selects_the_text(samples: str, open_page: Any) -> None:
    page = open_page(samples)
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    button = Heard(page.locator(".zoo-copy:visible").first)
    page.click(".zoo-copy:visible")
    button.wait("^Selected$")
    assert page.evaluate("() => getSelection().toString()").startswith("ollama run")


def test_by_keyboard(samples: str, open_page: Any) -> None:
    """From the top of the page with Tab to the board, the first board with Home, then on to the copy button."""
    page = open_page(samples)
    focused = "() => document.activeElement.name || document.activeElement.className"
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate(focused) == "board":
            break
    assert page.evaluate(focused) == "board"
    page.keyboard.press("Home")
    page.wait_for_function("() => document.querySelector('.zoo-asked').innerText.includes('Zero 2 W')")
    seen = []
    for _ in range(20):
        page.keyboard.press("Tab")
        if (one := page.evaluate(focused)) != "zoo-term":
            seen.append(one)
        if one == "zoo-copy":
            break
    assert seen[:5] == ["context", "kv", "task", "language", "way"] and seen[-1] == "zoo-copy"
    outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    unnamed = page.eval_on_selector_all(
        ".zoo-ask select, .zoo-ask input", "all => all.filter((one) => !one.labels.length).map((one) => one.name)"
    )
    assert unnamed == []


def test_without_scripts_every_board_has_its_page(samples: str, open_page: Any) -> None:
    page = open_page(samples, javascript=False)
    assert not page.locator(".zoo-ask").is_visible()
    assert not page.locator(".zoo-copy:visible").count()
    page.click(".zoo-boards summary")
    page.click(".zoo-boards a[href$='boards/pi-zero-2/']")
    page.wait_for_url("**/boards/pi-zero-2/")
    assert take(page).startswith("Recommended: model-Q4_K_M.gguf")
    assert "at least 20 tokens/s" in page.inner_text("table")


def test_when_the_data_cannot_be_had_the_ready_answer_stays(samples: str, open_page: Any) -> None:
    page = open_page(samples)
    before = words(page)
    page.route("**/chooser.json*", lambda route: route.abort())
    page.select_option("[name=board]", "pi-zero-2")
    page.wait_for_function("() => !document.querySelector('.zoo-problem').hidden")
    said = page.inner_text(".zoo-problem")
    assert said.startswith("This question could not be answered (") and "Raspberry Pi 5, 4 GB" in said
    assert "Each device has a page, linked below." in said
    assert words(page) == before and "Raspberry Pi 5, 4 GB" in page.inner_text(".zoo-asked")
    page.unroute("**/chooser.json*")
    ask(page, "pi-5-8gb", "Pi 5, 8 GB")
    assert take(page).startswith("Recommended: ") and page.locator(".zoo-problem").is_hidden()
    open_page.troubles.clear()
