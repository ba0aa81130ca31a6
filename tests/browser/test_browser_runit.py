"""The tabs "Run it" as people use them: by keyboard or finger, without scripts, the same from Python and browser."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import answers
import pytest
from sitesamples import sample, write_evidence

from catalog import device as devices
from catalog import index
from catalog.index import Catalog
from zoo import settings as settings_room
from zoo import site
from zoo.progress import Silent

FILE = "smollm2-135m-instruct-Q8_0.gguf"
SHOWN = "() => [...document.querySelectorAll('.zoo-tab')].filter((one) => one.checkVisibility()).length"
LINES = """() => [...document.querySelectorAll(".zoo-command code")]
  .filter((one) => one.checkVisibility()).map((one) => one.textContent)"""


@pytest.fixture(scope="module")
def carrying(tmp_path_factory: pytest.TempPathFactory, hosted: Callable[..., str]) -> str:
    """A site with an address that carries the one file of a model from a folder hub."""
    folder, content = tmp_path_factory.mktemp("zoo"), b"GGUF and the rest"
    digest = hashlib.sha256(content).hexdigest()
    model = sample().models[0]
    release = model.releases[0]
    away = dataclasses.replace(release.location, hub="folder")
    file = dataclasses.replace(release.files[1], path=FILE, size_bytes=len(content), sha256=digest)
    release = dataclasses.replace(release, files=(file,), location=away)
    catalog = Catalog((dataclasses.replace(model, releases=(release,)),))
    place = folder / "build" / "hub" / "objects" / digest[:2] / digest
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    (folder / "zoo.toml").write_text('site_url = "https://zoo.example.org/zoo/"\n')
    (folder / "model_catalog.json").write_text(index.to_text(catalog), encoding="utf-8")
    write_evidence(catalog, folder / "site" / "evidence")
    return hosted(site.build(settings_room.load(folder, {}, {}), Silent(), files_megabytes=1).folder)


def test_one_tab_is_open_and_arrow_keys_change_it(samples: str, open_page: Any, fits: Any) -> None:
    page = open_page(f"{samples}models/smollm2-135m-instruct/", width=360)
    assert page.evaluate(SHOWN) == 1
    first = page.evaluate(LINES)
    page.focus("#run-ollama")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("() => document.activeElement.id") == "run-llama-cpp" and page.evaluate(SHOWN) == 1
    assert page.evaluate(LINES) != first
    outline = page.evaluate("() => getComputedStyle(document.querySelector('[for=run-llama-cpp]')).outlineStyle")
    assert outline != "none"
    fits(page)


def test_tabs_and_systems_without_scripts(samples: str, open_page: Any) -> None:
    page = open_page(f"{samples}models/smollm2-135m-instruct/", javascript=False)
    page.click("[for=run-download]")
    assert page.locator(".zoo-tab:visible").count() == 1
    assert page.locator("[data-system=linux]:visible").count() == 1
    page.click("text=Windows (PowerShell)")
    assert page.locator("[data-system=linux]:visible").count() == 0
    assert "Get-FileHash" in page.locator("[data-system=windows]:visible").inner_text()


@pytest.mark.parametrize(("width", "height", "most"), [(1440, 900, 900), (360, 740, 1000)])
def test_the_command_is_near_the_top(width: int, height: int, most: int, samples: str, open_page: Any) -> None:
    page = open_page(samples, width=width)
    page.set_viewport_size({"width": width, "height": height})
    box = page.locator(".zoo-command:visible", has_text="ollama run").bounding_box()
    assert box["y"] + (box["height"] if width > 1000 else 0) <= most


def test_the_first_lines_of_a_carried_file_are_near_the_top(carrying: str, open_page: Any) -> None:
    """A file with a long name that is fetched first: more lines than of a file on the Hub."""
    page = open_page(carrying, width=360)
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.locator(".zoo-command:visible").first.bounding_box()["y"] <= 1000


def test_a_chosen_tab_stays_open_for_the_next_answer(samples: str, open_page: Any) -> None:
    page = open_page(samples)
    page.click("[for=run-python]")
    page.select_option("[name=board]", "laptop-8gb")
    page.wait_for_selector("[name=run-system]")
    assert page.evaluate("() => document.querySelector('[name=run-with]:checked').value") == "python"
    page.check("[name=run-system][value=windows]")
    page.select_option("[name=board]", "laptop-16gb")
    page.wait_for_function("() => document.querySelector('.zoo-asked').innerText.includes('16 GB')")
    assert "llm\\Scripts\\python answer.py" in "".join(page.evaluate(LINES))


@pytest.mark.parametrize("board", ["pi-5-4gb", "apple-m4-16gb", "laptop-8gb"])
def test_python_and_browser_give_the_same_lines(board: str, carrying: str, open_page: Any) -> None:
    """On a site that carries its files, other than the ordinary one of the chooser's tests."""
    device = devices.find(board)
    assert device
    page = open_page(f"{carrying}boards/{board}/")
    told = "() => document.querySelector('.zoo-run').textContent.replace(/\\s+/g, ' ')"
    wanted = page.evaluate(told)
    assert "https://zoo.example.org/zoo/download/smollm2-135m-instruct/1.0.0/smollm2-135m-instruct-Q8_0.gguf" in wanted
    other = open_page(f"{carrying}?board={board}")
    other.wait_for_function(f"() => document.querySelector('.zoo-asked').innerText.includes('{device.name}')")
    answers.wait(other)
    assert other.evaluate(told).replace(" ", "") == wanted.replace(" ", "")


def test_the_page_downloads_a_carried_file(carrying: str, open_page: Any) -> None:
    page = open_page(f"{carrying}boards/pi-5-4gb/")
    page.click("[for=run-download]")
    with page.expect_download() as waiting:
        page.click(f"text=Download {FILE}")
    assert Path(waiting.value.path()).read_bytes() == b"GGUF and the rest"


def test_every_block_of_lines_can_be_copied(samples: str, open_page: Any) -> None:
    page = open_page(f"{samples}models/smollm2-tutor-57m/")
    bare = """() => [...document.querySelectorAll("main pre")]
      .filter((one) => !one.parentElement.querySelector(".zoo-copy")).length"""
    assert page.evaluate(bare) == 0


def test_the_address_as_a_qr_code(carrying: str, open_page: Any, shoot: Any, fits: Any) -> None:
    page = open_page(f"{carrying}boards/pi-5-4gb/", width=360)
    page.click("text=Open this page on another device")
    assert page.locator(".zoo-qr img").get_attribute("alt").endswith("/zoo/boards/pi-5-4gb/")
    fits(page)
    shoot(page, "runit-360-light")
