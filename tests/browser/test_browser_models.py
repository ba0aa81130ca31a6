"""The list of all models: filtered and sorted over all of its pages, and what a phone shows of a table."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from sitesamples import sample

from catalog.index import Catalog
from zoo.site.pages import front


@pytest.fixture(scope="module")
def many(build_site: Any, hosted: Any) -> str:
    """The address of a site whose list of models has two pages."""
    plain, tutor = sample().models
    more = [dataclasses.replace(plain, name=f"m-{number:03}") for number in range(front.LISTED)]
    return str(hosted(build_site(Catalog((*more, plain, tutor)))))


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
