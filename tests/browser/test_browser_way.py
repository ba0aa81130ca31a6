"""The slider between the fastest and the best file, the memory bar, announcements, and links that ask for nonsense."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import answers
import pytest
from choosersamples import catalog
from hearing import Heard

from catalog.index import Catalog
from zoo.site.pages.chooser import BOARD


@pytest.fixture(scope="module")
def many(build_site: Callable[[Catalog], Path], hosted: Callable[..., str]) -> str:
    """A site of random models, whose lines have several steps."""
    return hosted(build_site(catalog(30, seed=7)))


def asked(open_page: Any, address: str, **more: Any) -> Any:
    page = open_page(address, **more)
    answers.wait(page)
    return page


def take(page: Any) -> str:
    return str(page.inner_text(".zoo-take"))


def steps(page: Any) -> int:
    return int(page.get_attribute("[name=way]", "max"))


def press(page: Any, key: str) -> None:
    page.focus("[name=way]")
    answers.after(page, lambda: page.keyboard.press(key))


def test_the_slider_goes_from_the_fastest_to_the_best_by_keyboard(many: str, open_page: Any) -> None:
    page = asked(open_page, f"{many}?board=laptop-8gb")
    first, last = take(page), steps(page)
    assert last >= 2 and page.input_value("[name=way]").isdigit()
    seen = []
    press(page, "Home")
    for _ in range(last):
        seen.append(take(page))
        press(page, "ArrowRight")
    seen.append(take(page))
    assert len(set(seen)) == last + 1 and first in seen
    listed = page.locator("details", has_text="From the fastest to the best").locator("li")
    assert listed.count() == last + 1
    assert "Your choice: step" in page.inner_text(".zoo-answer") or take(page) == first
    assert page.get_attribute("[name=way]", "aria-valuetext").split(",")[0] in take(page)


def test_the_choice_is_in_the_address(many: str, open_page: Any) -> None:
    page = asked(open_page, f"{many}?board=laptop-8gb")
    press(page, "Home")
    assert page.url.endswith("?board=laptop-8gb&prefer=0")
    fastest = take(page)
    press(page, "End")
    assert page.url.endswith("&prefer=100") and take(page) != fastest
    again = asked(open_page, page.url)
    assert take(again) == take(page) and again.input_value("[name=way]") == str(steps(page))


def test_an_older_link_with_a_minimum_speed_sets_the_slider(many: str, open_page: Any) -> None:
    page = asked(open_page, f"{many}?board=laptop-8gb&speed=20")
    text = page.get_attribute("[name=way]", "aria-valuetext")
    assert float(text.partition("tokens/s")[0].split()[-1].replace(",", "")) >= 20
    assert "speed=" not in page.url and "prefer=" in page.url


def test_marks_name_reading_speed_and_practically_the_same(many: str, open_page: Any, fits: Any) -> None:
    page = asked(open_page, f"{many}?board=laptop-8gb", width=360)
    assert "reading speed" in page.inner_text(".zoo-way-marks")
    label = page.locator("[name=way]").evaluate("one => one.labels[0].textContent")
    assert label.strip().startswith("Faster or better")
    fits(page)


def test_the_memory_bar_moves_with_context_and_cache(samples: str, open_page: Any) -> None:
    page = asked(open_page, f"{samples}?board=pi-5-8gb")
    width = "rect.zoo-part-cache"
    small = float(page.get_attribute(width, "width"))
    text = page.inner_text(".zoo-memory")
    assert text.startswith("Fits with room to spare. System 1.07 GB · Weights 144.8 MB · KV cache 47.2 MB · Buffers ")
    widths = page.eval_on_selector_all(".zoo-memory rect", "all => all.map((o) => Number(o.getAttribute('width')))")
    assert sum(widths) == pytest.approx(1000, abs=3)
    page.fill("[name=context]", "8192")
    page.wait_for_function("() => document.querySelector('.zoo-memory').innerText.includes('188.7 MB')")
    large = float(page.get_attribute(width, "width"))
    page.select_option("[name=kv]", "q8_0")
    page.wait_for_function("() => document.querySelector('.zoo-memory').innerText.includes('100.3 MB')")
    assert small < float(page.get_attribute(width, "width")) < large
    assert page.url.endswith("?board=pi-5-8gb&context=8192&kv=q8_0")
    assert "-c 8192 -fa on -ctk q8_0 -ctv q8_0" in page.locator(".zoo-run").evaluate("one => one.textContent")


def test_a_tight_file_is_called_tight_in_words(samples: str, open_page: Any) -> None:
    page = asked(open_page, f"{samples}?memory=0.46&bandwidth=40&prefer=100")
    page.wait_for_function("() => document.querySelector('.zoo-memory')")
    state, text = page.get_attribute(".zoo-memory", "data-state"), page.inner_text(".zoo-memory")
    assert (state == "tight") is text.startswith("Fits, but it is tight.")


def test_changes_are_announced_in_one_short_sentence(many: str, open_page: Any) -> None:
    page = asked(open_page, f"{many}?board=pi-5-8gb")
    said = Heard(page.locator(".zoo-told"))
    for board in ("pi-zero-2", "laptop-32gb", "jetson-orin-nano"):
        answers.after(page, lambda board=board: page.select_option("[name=board]", board))
    heard = said.all()
    assert len(heard) >= 3 and all(0 < len(one) <= 120 for one in heard if one)
    assert page.locator("[aria-live], [role=status], [role=alert]").evaluate_all(
        "all => all.every((one) => !one.matches('.zoo-answer') && !one.querySelector('.zoo-take'))"
    )


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?board=mainframe", "the device “mainframe”"),
        ("?task=poetry", "the task “poetry”"),
        ("?language=xx&board=nope", "the device “nope” and the language “xx”"),
        ("?kv=q5_9", "the KV cache “q5_9”"),
    ],
)
def test_a_link_that_asks_for_what_is_not_there_is_told(query: str, words: str, samples: str, open_page: Any) -> None:
    page = open_page(samples + query)
    page.wait_for_function("() => !document.querySelector('.zoo-problem').hidden")
    assert page.inner_text(".zoo-problem") == (
        f"This link asks for {words}, which this catalog does not have. It was left out."
    )
    assert page.input_value("[name=board]") == BOARD and take(page).startswith("Recommended: ")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("context", "0", "Context length must be a whole number from 1 to 10,000,000."),
        ("context", "2.5", "Context length must be a whole number from 1 to 10,000,000."),
        ("memory", "-3", "Memory must be a number of GB from 0.1 to 100,000."),
        ("bandwidth", "0", "Bandwidth must be a number of GB/s from 0.01 to 100,000."),
    ],
)
def test_a_wrong_number_names_its_field_and_leaves_no_old_heading(
    name: str, value: str, words: str, samples: str, open_page: Any
) -> None:
    page = open_page(samples)
    if name != "context":
        page.select_option("[name=board]", "custom")
    page.fill(f"[name={name}]", value)
    page.wait_for_function("() => document.querySelector('.zoo-take').innerText === 'No answer'")
    assert page.inner_text(".zoo-problem") == words and page.inner_text(".zoo-asked") == ""
    page.fill(f"[name={name}]", "16")
    page.wait_for_function("() => document.querySelector('.zoo-take').innerText.startsWith('Recommended')")
    assert page.locator(".zoo-problem").is_hidden() and page.inner_text(".zoo-asked")


def test_an_empty_field_is_no_error_while_somebody_types(samples: str, open_page: Any) -> None:
    page = open_page(samples)
    page.clock.install()
    page.fill("[name=context]", "")
    page.clock.run_for(2000)
    assert take(page).startswith("Recommended: ") and page.locator(".zoo-problem").is_hidden()
    page.keyboard.press("Tab")
    page.wait_for_function("() => document.querySelector('.zoo-take').innerText === 'No answer'")


def test_the_form_has_a_name(samples: str, open_page: Any) -> None:
    assert open_page(samples).get_by_role("form", name="Find a model for your device").count() == 1
