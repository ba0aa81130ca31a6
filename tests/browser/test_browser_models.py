"""The list of all models: filtered and sorted over all of its pages, and what a phone shows of a table."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from sitesamples import sample

from catalog import device as devices
from catalog.index import Catalog
from zoo.choose import candidates, pick
from zoo.choose.candidates import Wish
from zoo.site.pages import front, offers


@pytest.fixture(scope="module")
def many(build_site: Any, hosted: Any) -> str:
    """The address of a site whose list of models has two pages."""
    plain, tutor = sample().models
    more = [dataclasses.replace(plain, name=f"m-{number:03}") for number in range(front.LISTED)]
    return str(hosted(build_site(Catalog((*more, plain, tutor)))))


@pytest.fixture(scope="module")
def samples_only(build_site: Any, hosted: Any) -> str:
    """The address of a site with the two sample models."""
    return str(hosted(build_site(sample())))


def names(page: Any) -> list[str]:
    return [str(one) for one in page.locator(".zoo-models tbody .zoo-name").all_inner_texts()]


def wait(page: Any, words: str) -> None:
    page.wait_for_function("words => document.querySelector('.zoo-found').textContent === words", arg=words)


def test_models_of_every_page_are_filtered_and_their_links_lead_to_them(many: str, open_page: Any) -> None:
    page = open_page(f"{many}models/")
    assert len(names(page)) == front.LISTED and page.is_visible(".zoo-table-pages")
    page.select_option("[name=language]", "fr-CA")
    wait(page, "1 model")
    assert names(page) == ["smollm2-tutor-57m"] and page.url.endswith("?language=fr-CA")
    assert page.eval_on_selector(".zoo-name", "one => one.href") == f"{many}models/smollm2-tutor-57m/"
    page.select_option("[name=language]", "")
    wait(page, "102 models")
    assert names(page)[:2] == ["m-000", "m-001"] and page.is_visible(".zoo-table-pages")
    page.fill("[name=words]", "nothing like this")
    wait(page, "No model matches. Remove a condition.")


def test_the_question_is_part_of_the_address_and_sorts(many: str, open_page: Any) -> None:
    page = open_page(f"{many}models/P2/?order=smallest&words=smollm2-")
    wait(page, "2 models")
    assert names(page) == ["smollm2-tutor-57m", "smollm2-135m-instruct"]


def test_a_phone_shows_the_columns_to_choose_by(many: str, open_page: Any) -> None:
    page = open_page(f"{many}models/P2/", width=360)
    shown = page.locator(".zoo-models thead th:visible").all_inner_texts()
    assert shown == ["Model", "Task and languages", "Size"]
    assert page.eval_on_selector(".zoo-scroll", "one => one.scrollWidth <= one.clientWidth")
    page.goto(f"{many}models/smollm2-tutor-57m/")
    table = page.locator(".zoo-file-list thead th:visible")
    assert any("speed" in words for words in table.all_inner_texts())


def running(device_id: str, least: float) -> list[str]:
    """The sample models with a file that fits and is fast enough, as Python sees it."""
    device = devices.find(device_id)
    assert device
    found = []
    for model in sample().models:
        release = pick.current(model)
        assert release
        wish = Wish(device, min(pick.CONTEXT_TOKENS, release.architecture.context_tokens))
        some = candidates.of(offers.rounded(release).files, release.architecture, wish)
        if any(one.sound and one.fits(wish) and one.typical >= least for one in some):
            found.append(model.name)
    return found


@pytest.mark.parametrize(
    ("board", "least"), [("pi-5-4gb", 0), ("pi-zero-2", 0), ("pi-zero-2", 2.5), ("pi-5-8gb", 60), ("", 30)]
)
def test_models_that_run_on_a_device_at_a_speed(samples_only: str, open_page: Any, board: str, least: float) -> None:
    query = "&".join([f"board={board}"] * bool(board) + [f"speed={least:g}"] * bool(least))
    page = open_page(f"{samples_only}models/?{query}")
    measured = [
        model.name
        for model in sample().models
        if any(s.valid and s.decode_tokens_per_second >= least for f in model.releases[0].files for s in f.speeds)
    ]
    expected = running(board, least) if board else measured
    words = {0: "No model matches. Remove a condition.", 1: "1 model"}.get(len(expected), f"{len(expected)} models")
    wait(page, words)
    assert names(page) == expected
    assert page.input_value("[name=board]") == board


def test_a_chosen_device_is_part_of_the_address_and_scripts_are_not_needed(
    samples_only: str, open_page: Any, browser: Any
) -> None:
    page = open_page(f"{samples_only}models/")
    page.select_option("[name=board]", "pi-zero-2")
    page.wait_for_function("() => location.search === '?board=pi-zero-2'")
    plain = browser.new_context(java_script_enabled=False).new_page()
    plain.goto(f"{samples_only}models/?board=pi-zero-2&speed=1000")
    assert names(plain) == [model.name for model in sample().models]
    assert not plain.is_visible(".zoo-filter")
    plain.context.close()
