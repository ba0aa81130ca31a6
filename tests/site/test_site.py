"""The site as mkdocs builds it, strictly, from small catalogs."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import re
import shutil
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

import pytest
from sitesamples import CONTENT, hostile, sample, write_evidence
from test_pages import Tags

from catalog import entries, index, schema
from catalog.index import Catalog
from zoo import errors, extras, settings, site
from zoo.cli import COMMANDS
from zoo.files import bundled
from zoo.progress import Silent
from zoo.site import content, pages, state, tryout
from zoo.site.pages import frame, glossary, lean
from zoo.site.swap import restore

pytest.importorskip("mkdocs")
pytest.importorskip("material")

ALLOWED = (
    "https://huggingface.co/",
    "https://github.com/",
    "https://ai.google.dev/gemma/",
    "https://ai.meta.com/llama/",
    "https://www.llama.com/",
    "https://docs.github.com/",
    "https://lmstudio.ai/download",
    "https://apple.github.io/coremltools/",
    "https://docs.ray.io/",
    "https://microsoft.github.io/presidio/",
    # The law that the pages on governing a corpus cite.
    "https://www.legisquebec.gouv.qc.ca/",
    "https://www.priv.gc.ca/",
    # Papers whose formulas are used.
    "https://arxiv.org/abs/",
    # Where published speeds were read.
    "https://www.smolhub.com/",
    "https://www.reddit.com/",
    "https://www.jitesh.dev/",
    "https://cyclonedx.org/",
    "https://docs.mlcommons.org/croissant/",
    "https://in-toto.io",
    "https://slsa.dev/",
    "https://www.sigstore.dev",
)
"""Where links lead that a person may follow; nothing is loaded from there."""
DOCS = bundled.site_folder() / "docs"


class Listener(Silent):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.event = threading.Event()

    def say(self, text: str) -> None:
        self.said.append(text)
        self.event.set()


def old_site(zoo: settings.Settings) -> Path:
    """A folder that looks like a site that was built before."""
    zoo.site.mkdir(parents=True)
    for name in site.MARKERS:
        (zoo.site / name).write_text("old")
    return zoo.site


def make_zoo(folder: Path, catalog: Catalog) -> settings.Settings:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "zoo.toml").write_text("")
    (folder / "model_catalog.json").write_text(index.to_text(catalog), encoding="utf-8")
    write_evidence(catalog, folder / "site" / "evidence")
    return settings.load(folder, {}, {})


def files_of(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def site_of(zoo: settings.Settings) -> pages.Site:
    """What the pages of a built site knew of it."""
    facts = state.read(zoo.site.parent / ".site.json")["documents"].fact("documents")
    links = tuple(pages.Link(title, url) for title, url in facts["links"])
    engine = tryout.has_engine(zoo)
    return pages.Site(facts["name"], links, tuple(facts["pages"]), facts["address"], facts["assets"], engine=engine)


def pages_of(folder: Path) -> Iterator[tuple[Path, Tags]]:
    for path in sorted(folder.rglob("*.html")):
        tags = Links(path.read_text(encoding="utf-8"))
        yield path, tags


class Links(Tags):
    """A page of the theme, which does not close every tag."""

    def handle_endtag(self, tag: str) -> None:
        """Not checked here."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> site.SiteReport:
    both = Catalog(tuple(sorted((*sample().models, *hostile().models), key=lambda model: model.name)))
    return site.build(make_zoo(tmp_path_factory.mktemp("zoo"), both), Silent())


def test_report_counts_the_site(built: site.SiteReport) -> None:
    html = list(built.folder.rglob("*.html"))
    assert built.pages == len(html) >= 15
    assert built.size_bytes == sum(path.stat().st_size for path in built.folder.rglob("*") if path.is_file())
    assert built.seconds > 0


def test_every_link_leads_somewhere(built: site.SiteReport) -> None:
    follow_every_link(built)


@functools.cache
def anchors(path: Path) -> frozenset[str]:
    return frozenset(Links(path.read_text(encoding="utf-8")).values("id"))


def follow_every_link(built: site.SiteReport) -> None:
    for path, tags in pages_of(built.folder):
        for url in (*tags.values("href"), *tags.values("src")):
            target, anchor = urldefrag(url)
            target = target.partition("?")[0]
            if re.match(r"[a-z]+:", target) or target.startswith("/") or (not target and not anchor):
                continue
            file = (path.parent / unquote(target)).resolve() if target else path
            file = file / "index.html" if file.is_dir() else file
            assert file.is_file(), f"{path.relative_to(built.folder)} links to {url}"
            if anchor and file.suffix == ".html" and not anchor.startswith("__"):
                assert anchor in anchors(file), f"{path.name}: {url}"


def test_nothing_is_loaded_from_other_hosts(built: site.SiteReport) -> None:
    for path, tags in pages_of(built.folder):
        for tag, attributes in tags.tags:
            for name in ("href", "src", "srcset", "action", "data"):
                url = attributes.get(name) or ""
                if url.startswith("//") or re.match(r"[a-z]+:", url):
                    assert tag == "a" and url.startswith(ALLOWED), f"{path.relative_to(built.folder)}: {url}"
    for path in built.folder.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//", path.read_text(encoding="utf-8")), path.name


def test_evidence_catalog_and_schemas_are_there(built: site.SiteReport) -> None:
    assert (built.folder / "evidence/smollm2-135m-instruct/1.0.0/bench/Q8_0.json").read_bytes() == CONTENT
    assert json.loads((built.folder / "catalog.json").read_text())["schema"] == "model-catalog/1"
    for name in schema.names():
        assert json.loads((built.folder / f"schemas/{name}.schema.json").read_text())["$id"]


def test_model_pages_have_title_and_description_and_are_in_no_navigation(built: site.SiteReport) -> None:
    html = (built.folder / "models/smollm2-tutor-57m/index.html").read_text(encoding="utf-8")
    assert "<title>smollm2-tutor-57m - Model zoo</title>" in html
    assert 'content="An experiment that shows the path' in html
    tutorial = (built.folder / "tutorial/first-release/index.html").read_text(encoding="utf-8")
    assert "models/smollm2" not in tutorial


def navigation(html: str) -> list[tuple[str, str, str]]:
    """(address, state, title) of each entry of a page's header."""
    (nav,) = re.findall(r"<nav [^>]*zoo-nav[^>]*>.*?</nav>", html, re.DOTALL)
    links = re.findall(r"<a [^>]*>([^<]*)</a>", nav)
    tags = [attributes for tag, attributes in Shortened(nav).tags if tag == "a"]
    return [
        (str(attributes["href"]), attributes.get("aria-current") or "", words)
        for attributes, words in zip(tags, links, strict=True)
    ]


def test_every_page_has_the_same_header(built: site.SiteReport) -> None:
    titles = ["Find a model", "Models", "Compare", "Charts", "Guide", "Publish"]
    states = {
        "index.html": ("page", "Find a model"),
        "boards/pi-zero-2/index.html": ("true", "Find a model"),
        "models/smollm2-tutor-57m/index.html": ("true", "Models"),
        "guide/start-on-your-board/index.html": ("page", "Guide"),
        "explanation/evidence/index.html": ("true", "Guide"),
        "reference/commands/index.html": ("true", "Publish"),
    }
    for path, (word, current) in states.items():
        html = (built.folder / path).read_text(encoding="utf-8")
        found = navigation(html)
        assert [title for _, _, title in found] == titles, path
        assert [(s, title) for _, s, title in found if s] == [(word, current)], path
        place = path.removesuffix("index.html")
        assert urljoin(f"/{place}", found[4][0]) == "/guide/start-on-your-board/"
        assert urljoin(f"/{place}", found[1][0]) == "/models/"
        assert html.count("<header") == 1


class Shortened(Tags):
    """Of a built page, where optional end tags are left out; a browser's test compares the trees."""

    def handle_endtag(self, tag: str) -> None:
        pass


def attributes(html: str, name: str) -> list[dict[str, str | None]]:
    """Those of every tag with this name."""
    return [attrs for tag, attrs in Shortened(html).tags if tag == name]


def test_every_document_has_a_description_of_its_own_and_the_feed(built: site.SiteReport) -> None:
    every = built.folder.rglob("*.html")
    pages_of = [path for path in every if "md-header zoo-header" in path.read_text(encoding="utf-8")]
    assert len(pages_of) > 30
    found: dict[str, Path] = {}
    for path in pages_of:
        html = path.read_text(encoding="utf-8")
        metas = {attrs.get("name") or attrs.get("property"): attrs.get("content") for attrs in attributes(html, "meta")}
        said = metas["description"] or ""
        assert said and said not in found and len(said) <= 250, (path, found.get(said))
        found[said] = path
        assert "feed.atom" in html and "og:description" in metas
    assert "<title>Page not found" in (built.folder / "404.html").read_text(encoding="utf-8")


def test_words_that_pages_explain_are_headings_of_the_glossary(built: site.SiteReport) -> None:
    page = Shortened((built.folder / glossary.PATH / "index.html").read_text(encoding="utf-8"))
    assert set(glossary.WORDS) <= set(page.values("id"))
    assert [tag for tag, _ in page.tags].count("h2") >= 15
    model = (built.folder / "models/smollm2-tutor-57m/index.html").read_text(encoding="utf-8")
    assert "../../guide/glossary/#kld" in Shortened(model).values("href")


def test_hostile_text_stays_text_in_the_theme(built: site.SiteReport) -> None:
    html = (built.folder / "models/index/index.html").read_text(encoding="utf-8")
    page = Shortened(html)
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    scripts = [attributes for tag, attributes in page.tags if tag == "script"]
    assert scripts and all(one.get("src") or one.get("type") == "application/json" for one in scripts)
    assert "{{ 7*7 }}" in html
    assert "\u202e" not in html


def test_empty_catalog_builds_and_says_what_to_do(tmp_path: Path) -> None:
    report = site.build(make_zoo(tmp_path, index.EMPTY), Silent())
    html = (report.folder / "index.html").read_text(encoding="utf-8")
    assert "Nothing has been published yet" in html
    assert "zoo new my-model" in html
    follow_every_link(report)


def test_broken_catalog_names_the_entry_and_leaves_the_old_site(tmp_path: Path) -> None:
    zoo = make_zoo(tmp_path, sample())
    old = old_site(zoo)
    zoo.catalog.write_text(zoo.catalog.read_text().replace('"1.0.0"', '"first"', 1))
    with pytest.raises(errors.InputError, match=r"models\[0\]\.releases\[0\]\.version"):
        site.build(zoo, Silent())
    assert (old / "index.html").read_text() == "old"


def test_failed_mkdocs_is_quoted_and_leaves_the_old_site(tmp_path: Path) -> None:
    zoo = make_zoo(tmp_path, index.EMPTY)
    old_site(zoo)
    shutil.copytree(bundled.site_folder(), tmp_path / "site", dirs_exist_ok=True)
    shutil.copyfile(bundled.mkdocs_file(), tmp_path / "mkdocs.yml")
    (tmp_path / "site/docs/index.md").write_text("[nowhere](missing.md)\n")
    with pytest.raises(errors.ZooError, match=r"missing\.md"):
        site.build(zoo, Silent())
    assert (zoo.site / "index.html").read_text() == "old"


def test_changed_evidence_is_refused_and_leaves_the_old_site(tmp_path: Path) -> None:
    zoo = make_zoo(tmp_path, sample())
    old_site(zoo)
    (zoo.evidence / "smollm2-135m-instruct/1.0.0/evaluation.json").write_bytes(b"changed")
    with pytest.raises(
        errors.ZooError, match=r"smollm2-135m-instruct/1\.0\.0/evaluation\.json differs from the catalog"
    ):
        site.build(zoo, Silent())
    assert (zoo.site / "index.html").read_text() == "old"


def test_after_one_change_only_that_model_and_the_pages_about_all_are_made_again(tmp_path: Path) -> None:
    plain, tutor = sample().models
    zoo = make_zoo(tmp_path, Catalog((plain, tutor)))
    site.build(zoo, Silent())
    before = {path: (zoo.site / path).stat().st_ino for path in files_of(zoo.site)}
    zoo.catalog.write_text(
        index.to_text(Catalog((plain, dataclasses.replace(tutor, summary="Another summary."))))
    )
    listener = Listener()
    site.build(zoo, listener)
    after = {path: (zoo.site / path).stat().st_ino for path in files_of(zoo.site)}
    assert listener.said == []
    assert before.keys() == after.keys()
    new = {path for path in after if after[path] != before[path]}
    assert {"index.html", "catalog.json", "models/smollm2-tutor-57m/index.html"} <= new
    assert not [path for path in new if path.startswith(("models/smollm2-135m", "reference/", "assets/"))]
    assert "Another summary." in (zoo.site / "models/smollm2-tutor-57m/index.html").read_text()
    assert "Another summary." in (zoo.site / "index.html").read_text()


@pytest.mark.parametrize("touch", ["the site", "evidence", "the record"])
def test_what_somebody_touched_is_made_again(tmp_path: Path, touch: str) -> None:
    zoo = make_zoo(tmp_path, sample())
    site.build(zoo, Silent())
    whole = {path: (zoo.site / path).read_bytes() for path in files_of(zoo.site)}
    page = zoo.site / "models/smollm2-135m-instruct/index.html"
    if touch == "the site":
        page.write_text("tampered")
    elif touch == "the record":
        (zoo.site.parent / ".site.json").write_text('{"format": 1, "parts": {"documents": 7}}')
    else:
        (zoo.evidence / "smollm2-135m-instruct/1.0.0/evaluation.json").write_bytes(b"changed")
        with pytest.raises(errors.ZooError, match="differs from the catalog"):
            site.build(zoo, Silent())
        return
    site.build(zoo, Silent())
    assert {path: (zoo.site / path).read_bytes() for path in files_of(zoo.site)} == whole


def test_a_catalog_in_another_form_gives_the_same_site(tmp_path: Path) -> None:
    zoo = make_zoo(tmp_path, sample())
    site.build(zoo, Silent())
    page = (zoo.site / "models/smollm2-135m-instruct/index.html").read_bytes()
    zoo.catalog.write_text(json.dumps(json.loads(zoo.catalog.read_text())))
    assert entries.split(zoo.catalog.read_text()) is None
    site.build(zoo, Silent())
    assert (zoo.site / "models/smollm2-135m-instruct/index.html").read_bytes() == page


def test_many_models_are_made_in_several_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "_BATCH", 1)
    zoo = make_zoo(tmp_path, sample())
    site.build(zoo, Silent())
    made = pages.render(sample(), site_of(zoo), lambda *_: CONTENT)
    for path, value in made.items():
        page = path.endswith("index.html") and isinstance(value, str)
        wanted = lean.lean(str(value)) if page else value
        assert (zoo.site / path).read_text(encoding="utf-8") == wanted, path


def test_missing_catalog_is_refused(tmp_path: Path) -> None:
    zoo = make_zoo(tmp_path, index.EMPTY)
    zoo.catalog.unlink()
    with pytest.raises(errors.InputError, match="cannot be read"):
        site.build(zoo, Silent())


def test_a_folder_that_is_no_site_is_not_replaced(tmp_path: Path) -> None:
    zoo = make_zoo(tmp_path, index.EMPTY)
    zoo.site.mkdir(parents=True)
    (zoo.site / "thesis.txt").write_text("mine")
    with pytest.raises(errors.InputError, match="something other than a site"):
        site.build(zoo, Silent())
    assert (zoo.site / "thesis.txt").read_text() == "mine"


def test_missing_mkdocs_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "version", lambda name: extras.ABSENT if name == "segno" else "9.9")
    with pytest.raises(errors.MissingExtra, match=r"needs segno, .*model-zoo-publisher\[site\]"):
        site.build(make_zoo(tmp_path, index.EMPTY), Silent())


def test_a_zoo_of_its_own_uses_its_own_mkdocs_file(tmp_path: Path) -> None:
    zoo = make_zoo(tmp_path, index.EMPTY)
    assert site.mkdocs_file(zoo) == bundled.mkdocs_file()
    (tmp_path / "mkdocs.yml").write_text("site_name: mine\n")
    assert site.mkdocs_file(zoo) == tmp_path / "mkdocs.yml"


def test_an_interrupted_replacement_is_repaired(tmp_path: Path) -> None:
    target, old, new = tmp_path / "site", tmp_path / ".site.old", tmp_path / ".site.new"
    old.mkdir()
    (old / "index.html").write_text("old")
    restore(target, new)
    assert (target / "index.html").read_text() == "old"
    assert not old.exists()


def test_serve_answers_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "index.html").write_text("hello")
    monkeypatch.setattr("zoo.site.server.build", lambda *_, **__: site.SiteReport(tmp_path, "", 1, 5, 0.0))
    listener = Listener()
    zoo = make_zoo(tmp_path / "zoo", index.EMPTY)
    threading.Thread(target=site.serve, args=(zoo, 0, listener, contextlib.nullcontext()), daemon=True).start()
    assert listener.event.wait(120)
    address = re.search(r"http://127\.0\.0\.1:\d+/", listener.said[0])
    assert address
    with urllib.request.urlopen(address[0], timeout=10) as answer:
        assert answer.read() == b"hello"


def test_serve_keeps_the_files_that_were_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zoo = make_zoo(tmp_path, sample())
    site.build(zoo, Silent(), files_megabytes=3)
    given: list[object] = []
    monkeypatch.setattr(
        "zoo.site.server.build", lambda *_, **named: given.append(named) or site.SiteReport(tmp_path, "", 1, 5, 0.0)
    )
    listener = Listener()
    threading.Thread(target=site.serve, args=(zoo, 0, listener, contextlib.nullcontext()), daemon=True).start()
    assert listener.event.wait(120)
    assert given == [{"files_megabytes": 3.0}]


def test_exit_codes_page_is_true() -> None:
    shown = (DOCS / "reference/exit-codes.md").read_text(encoding="utf-8")
    codes = {error.exit_code for error in (errors.ZooError, errors.InputError, errors.GateRefused)}
    assert codes == {1, 2, 3}
    assert {int(code) for code in re.findall(r"^\| (\d) \|", shown, re.MULTILINE)} == {0, *codes}


def test_documents_name_no_command_that_is_not_known() -> None:
    known = set(COMMANDS)
    for path in DOCS.rglob("*.md"):
        for command in re.findall(r"(?:^|`)zoo ([a-z]+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            assert command in known, f"{path.name}: zoo {command}"


def test_architecture_page_names_only_rooms_that_exist() -> None:
    repository = DOCS.parent.parent
    page = (DOCS / "explanation/architecture.md").read_text(encoding="utf-8")
    for room in re.findall(r"`((?:zoo|catalog|pi_runtime|recipes|site)/[\w/.]*)`", page):
        assert (repository / room).exists(), room


def test_a_folder_whose_name_is_not_utf8_is_refused_by_name(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff\xfename"))
    folder.mkdir()
    zoo = make_zoo(folder, sample())
    with pytest.raises(errors.InputError, match=r"bad\\udcff\\udcfename is not UTF-8"):
        site.build(zoo, Silent())


def test_what_the_search_loads_changes_its_address_with_its_content(built: site.SiteReport, tmp_path: Path) -> None:
    folder = built.folder / "search"
    versions = json.loads((folder / "versions.json").read_text(encoding="utf-8"))
    assert set(versions) == {"catalog.json", "search_index.json"}
    assert all(content_version(folder / name) == version for name, version in versions.items())
    other = site.build(make_zoo(tmp_path, index.EMPTY), Silent()).folder / "search/versions.json"
    changed = json.loads(other.read_text(encoding="utf-8"))
    assert changed["catalog.json"] != versions["catalog.json"]
    assert changed["search_index.json"] == versions["search_index.json"]


def content_version(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]


def test_a_page_asks_for_one_file_of_styles_that_has_all_of_them(built: site.SiteReport) -> None:
    html = (built.folder / "models/smollm2-tutor-57m/index.html").read_text(encoding="utf-8")
    (style,) = [attrs["href"] for attrs in attributes(html, "link") if attrs.get("rel") == "stylesheet"]
    assert style and re.fullmatch(r"\.\./\.\./assets/pages\.css\?v=[0-9a-f]{8}", style)
    assets = built.folder / "assets"
    assert (assets / "pages.css").read_bytes() == b"".join((assets / name).read_bytes() for name in frame.STYLES)


def test_no_map_of_sources_and_no_language_of_another_search_is_on_the_site(built: site.SiteReport) -> None:
    assert not list(built.folder.rglob("*.map"))
    assert not (built.folder / "assets/javascripts/lunr").exists()
