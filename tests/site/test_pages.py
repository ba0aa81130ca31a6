"""Pages made from catalogs and schemas: golden files, escaping, numbers."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sitesamples import CONTENT, HOSTILE, hostile, sample

from catalog import index, sampling, schema, speeds
from catalog.index import Catalog
from zoo.choose import commands, pick
from zoo.site import pages
from zoo.site.pages import links, runit, text

GOLDEN = Path(__file__).parents[1] / "golden"
UPDATE = "ZOO_UPDATE_GOLDEN"
"""Set this variable to 1 to write the golden files anew; then look at the difference."""


class Tags(HTMLParser):
    """Every tag with its attributes, every text, and tags that were not closed."""

    VOID = frozenset(("br", "img", "hr", "input", "link", "meta"))

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, attribute: str) -> list[str]:
        return [value for _, attrs in self.tags if (value := attrs.get(attribute)) is not None]


CATALOGS: dict[str, Callable[[], Catalog]] = {
    "sample": sample,
    "hostile": hostile,
    "empty": lambda: index.EMPTY,
}
SITE = pages.Site(documents=(pages.Link("Tutorial", "tutorial/first-release/"),))


@functools.cache
def documents(kind: str) -> dict[str, str]:
    """The HTML documents of a catalog by the path that they are reached at."""
    made = pages.render(CATALOGS[kind](), SITE, evidence)
    return {path.removesuffix("index.html"): str(made[path]) for path in made if path.endswith(".html")}


def evidence(name: str, version: str, path: str) -> bytes | None:
    del name, version, path
    return CONTENT


WANTED = [(kind, path) for kind in CATALOGS for path in documents(kind)]


ALIKE = ("speeds/",)
"""Pages that do not depend on the catalog: one file is compared with that of every catalog."""


def golden(path: str) -> bool:
    """One device's page stands for those of all devices."""
    return not path.startswith(("boards/", "pictures/")) or path in ("boards/", "boards/pi-zero-2/", "pictures/")


@pytest.mark.parametrize(("kind", "path"), [one for one in WANTED if golden(one[1])])
def test_page_is_as_it_was(kind: str, path: str) -> None:
    made = documents(kind)[path]
    kind = "every" if path in ALIKE else kind
    known = GOLDEN / f"{kind}-{path.strip('/').replace('/', '-') or 'front'}.html"
    if os.environ.get(UPDATE) == "1":
        known.parent.mkdir(exist_ok=True)
        known.write_text(made, encoding="utf-8")
    assert known.exists() and made == known.read_text(encoding="utf-8"), (
        f"{known.name} is missing or differs. If the page is as you want it, write the file with {UPDATE}=1 "
        "python -m pytest tests/site/test_pages.py, then look at the difference"
    )


@pytest.mark.parametrize(("kind", "path"), WANTED)
def test_page_is_well_formed_and_its_contents_lead_somewhere(kind: str, path: str) -> None:
    tags = Tags(documents(kind)[path])
    ids = tags.values("id")
    assert tags.open == []
    assert len(ids) == len(set(ids))
    assert {url[1:] for url in tags.values("href") if url.startswith("#")} <= set(ids)
    assert [tag for tag, _ in tags.tags].count("h1") == 1, "a page has one <h1>, its title"


@pytest.mark.parametrize(("kind", "path"), WANTED)
def test_page_runs_no_script_but_the_sites_own_and_has_no_inline_style(kind: str, path: str) -> None:
    tags = Tags(documents(kind)[path])
    sources = [attrs.get("src") for tag, attrs in tags.tags if tag == "script"]
    assert all(source and source.startswith(("assets/", "./", "../")) for source in sources)
    assert "style" not in {tag for tag, _ in tags.tags}
    assert not tags.values("style")
    assert not [name for _, attrs in tags.tags for name in attrs if name.startswith("on")]
    (policy,) = [a["content"] for _, a in tags.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in (policy or "")
    assert "unsafe" not in (policy or "").replace("'wasm-unsafe-eval'", "" if path == "try/" else "unsafe")


def test_samples_are_catalogs_that_the_schema_accepts() -> None:
    for make in (sample, hostile):
        assert index.parse(index.to_text(make()), "sample") == (make(), [])


@pytest.mark.parametrize("path", ["", "models/", "models/index/"])
def test_hostile_text_stays_text(path: str) -> None:
    html = documents("hostile")[path]
    tags = Tags(html)
    assert {tag for tag, _ in tags.tags}.isdisjoint({"img", "iframe", "style", "b"})
    assert not [url for url in tags.values("href") if "javascript" in url.lower()]
    assert not [url for url in tags.values("href") if ".." in url.removeprefix("../" * path.count("/"))]
    assert "<script>alert(1)</script>" in tags.text
    assert "{{ 7*7 }}" in tags.text
    assert r"\u202egnp.exe\u202c \u200f" in tags.text
    for unseen in "\u202e\u202c\u200f":
        assert unseen not in html


def test_the_recipe_is_a_file_with_the_digest_that_the_page_of_the_version_shows() -> None:
    for catalog in (sample(), hostile()):
        files = pages.render(catalog, pages.Site(), lambda *_: b"{}")
        for model in catalog.models:
            for release in model.releases:
                place = f"models/{model.name}/{release.version}/"
                assert files[f"{place}recipe.txt"] == release.recipe.text
                assert release.recipe.sha256 in str(files[f"{place}index.html"])


LLAMA = sampling.known()["default_source"]
SOURCES = sorted({row["url"] for row in speeds.published()})
"""Where the public measurements on speeds/ are from."""


def test_only_upstream_and_the_hub_are_linked_outside() -> None:
    for kind in ("sample", "hostile"):
        for html in documents(kind).values():
            outside = [attrs for tag, attrs in Tags(html).tags if ":" in (attrs.get("href") or "")]
            known = ("https://huggingface.co/", "https://lmstudio.ai/download", LLAMA, *SOURCES)
            assert all((attrs["href"] or "").startswith(known) for attrs in outside)
            assert all(attrs.get("rel") == "nofollow" for attrs in outside)


def test_evidence_is_linked_only_if_the_release_lists_it() -> None:
    release = sample().models[0].releases[0]
    assert links.raw_evidence_url("m", release, "bench/Q8_0.json") == "evidence/m/1.0.0/bench/Q8_0.json"
    assert links.evidence_url("m", release, "bench/Q8_0.json") == "models/m/1.0.0/evidence/speed/#bench-Q8_0"
    assert links.evidence_url("m", release, "evaluation.json") == "models/m/1.0.0/evidence/loss/"
    assert links.evidence_url("m", release, "../../index.html") is None
    assert links.evidence_url("m", release, "bench/other.json") is None


def test_invalid_speed_is_struck_out_with_its_reason() -> None:
    html = documents("sample")["models/smollm2-135m-instruct/"]
    assert re.search(r'<s><a href="[^"]*speed/#bench-Q4_K_M">9\.31 tokens/s</a></s>', html)
    assert "Not valid: <bdi>other processes used 31% of the machine" in html


def test_model_page_says_predicted_reference_and_one_standard_error() -> None:
    html = documents("sample")["models/smollm2-135m-instruct/"]
    assert "reference</td>" in html
    assert "predicted" in html
    assert "± is one standard error" in html
    assert "0.083 ± 0.004" in html


def test_sections_of_a_model_page_in_order() -> None:
    plain, tutor = (
        [url[1:] for url in Tags(documents("sample")[f"models/{name}/"]).values("href") if url[:1] == "#"][1:]
        for name in ("smollm2-135m-instruct", "smollm2-tutor-57m")
    )
    first = ["use", "files", "commands", "evidence", "pictures"]
    last = ["lineage", "limits", "versions", "provenance"]
    assert plain == [*first, *last]
    assert tutor == [*first[:4], "training", *last]


def test_commands_name_the_exact_commit_and_the_file_that_most_boards_should_take() -> None:
    release = sample().models[0].releases[0]
    file = commands.recommended(pick.recommendations(release), release)
    assert file.type == "Q8_0"
    lines = commands.download("m", release, file)
    assert lines and f"--revision {'a' * 40}" in "\n".join(lines)
    assert lines[0] == "hf download local/smollm2-gguf model-Q8_0.gguf SHA256SUMS \\"


def test_without_a_recommendation_the_smallest_file_is_named() -> None:
    release = sample().models[0].releases[0]
    assert commands.recommended((), release).type == "Q4_0"


@pytest.mark.parametrize(
    ("hub", "first"),
    [
        ("https://hub.example.org/", "export HF_ENDPOINT=https://hub.example.org"),
        ("folder", None),
        ("https://x/$(id)", None),
        ("http://x", None),
    ],
)
def test_download_needs_a_hub_at_an_https_address(hub: str, first: str | None) -> None:
    release = sample().models[0].releases[0]
    moved = dataclasses.replace(release, location=dataclasses.replace(release.location, hub=hub))
    lines = commands.download("m", moved, moved.files[0])
    assert (lines[0] if lines else None) == first


def test_no_command_is_made_of_hostile_names() -> None:
    release = hostile().models[0].releases[0]
    file = dataclasses.replace(release.files[0], path="-rf $(id)")
    assert commands.download("index", release, release.files[0]) is None
    assert commands.download("index", sample().models[0].releases[0], file) is None
    assert runit.tabs("index", release, release.files[0], SITE, 2048) == []
    assert runit.tabs("m", sample().models[0].releases[0], file, SITE, 2048) == []


def test_unseen_characters_are_written_out() -> None:
    assert text.visible("a\u2066b\x1b[0m\ud800\U000e0041") == r"a\u2066b\u001b[0m\ud800\U000e0041"
    assert text.visible("é\n\tक्\u200dष") == "é\n\tक्\u200dष"


def test_recipe_reference_has_every_key_of_the_schema() -> None:
    page = pages.recipe_reference(schema.load("recipe-v1"))
    tags = Tags(page.html)
    shown = re.findall(r'<th scope="row"><code>(\w+)</code>', page.html)
    properties = schema.load("recipe-v1")["properties"]
    assert set(properties) <= set(shown)
    for part in properties.values():
        assert set(part.get("properties", {})) <= set(shown)
    assert tags.open == []
    assert "`" not in page.html
    assert "At least 5, at most 100" in tags.text
    assert not re.search(r"\b1 (entries|characters)", tags.text) and "At least 1 entry" in tags.text


def test_schema_list_links_to_every_schema() -> None:
    schemas = {name: schema.load(name) for name in schema.names()}
    hrefs = Tags(pages.schema_list(schemas, "../../").html).values("href")
    assert hrefs == [f"../../schemas/{name}.schema.json" for name in schema.names()]


def test_a_model_page_is_the_same_whatever_else_is_in_the_catalog() -> None:
    one = sample().models[0]
    alone = pages.render(Catalog((one,)), SITE, evidence)
    assert alone[f"models/{one.name}/index.html"] == documents("sample")[f"models/{one.name}/"]


def test_catalog_json_is_the_catalog_and_each_model_is_one_too() -> None:
    made = pages.render(sample(), SITE, evidence)
    assert index.parse(str(made["catalog.json"]), "catalog.json") == (sample(), [])
    for model in sample().models:
        one = index.parse(str(made[f"models/{model.name}/model.json"]), "model.json")
        assert one == (Catalog((model,)), [])


def test_sums_are_what_sha256sum_reads() -> None:
    made = pages.render(sample(), SITE, evidence)
    release = sample().models[0].releases[0]
    lines = str(made["models/smollm2-135m-instruct/1.0.0/SHA256SUMS"]).splitlines()
    assert lines == [f"{file.sha256}  {file.path}" for file in release.files]


def test_a_former_name_leads_to_the_new_one() -> None:
    renamed = dataclasses.replace(sample().models[0], former_names=("old-name",))
    html = str(pages.render(Catalog((renamed,)), SITE, evidence)["models/old-name/index.html"])
    assert 'content="0; url=../../models/smollm2-135m-instruct/"' in html


def test_a_former_name_that_is_a_model_is_refused() -> None:
    first, second = sample().models
    renamed = dataclasses.replace(first, former_names=(second.name,))
    with pytest.raises(pages.PathTaken, match=f"models/{second.name}/index.html"):
        pages.render(Catalog((renamed, second)), SITE, evidence)


def test_all_models_are_listed_in_pages_of_a_fixed_length() -> None:
    one = sample().models[0]
    many = tuple(dataclasses.replace(one, name=f"m-{number:03}") for number in range(120))
    made = pages.render(Catalog(many), SITE, evidence)
    shown = [
        re.findall(r"/models/(m-\d+)/", str(made[path]))
        for path in ("models/index.html", "models/P2/index.html")
    ]
    assert [len(names) for names in shown] == [100, 20]
    assert sorted(shown[0] + shown[1]) == [model.name for model in many]
    assert len(set(re.findall(r"models/(m-\d+)/", str(made["index.html"])))) == 12
    assert "All 120 models" in str(made["index.html"])


def test_hostile_sample_is_hostile() -> None:
    assert all(part in HOSTILE for part in ("<script>", "<svg", "javascript:", "{{", "{%", "\u202e"))
