"""Files for programs: the catalog, each model, digests, tables, news, sitemap. Their addresses do not change.

The page ``reference/feeds`` of the documents describes each of them.
"""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence

from catalog import device as devices
from catalog import index
from catalog.recipe import plain
from catalog.release import EvidenceFile, Model, ModelFile, Release
from zoo.site.pages.kinds import Evidence, Facts, Files, Kind, Made, Releases, Site
from zoo.site.pages.page import fill
from zoo.site.pages.sections import CONTEXT, memory_at, shown_release
from zoo.site.pages.text import shortened, visible

NEWS = 100
"""Entries of the Atom feed: the last releases and yanks."""

_ENTRY_CHARACTERS = 2000

_UUIDS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:model-zoo-publisher:feed")
"""The namespace of the ids of feeds without an address."""

ATOM, CSV, LLMS = "feed.atom", "files.csv", "llms.txt"
_HEAD = f'{{"schema":"{index.SCHEMA}","models":[\n'
_TAIL = "\n]}\n"

COLUMNS = (
    "model",
    "version",
    "date",
    "yanked",
    "task",
    "languages",
    "licence",
    "parameters",
    "context_tokens",
    "path",
    "type",
    "size_bytes",
    "sha256",
    "bits_per_weight",
    f"memory_at_{CONTEXT}_tokens_bytes",
    "kld_mean_nats",
    "kld_mean_se_nats",
    "same_top_share",
    "perplexity",
    "smoke_passed",
    "repository",
    "commit",
)
"""Columns of the table of all files; an empty cell was not measured."""


def model_json(name: str) -> str:
    """The address of a model's JSON: a catalog with that one model."""
    return f"models/{name}/model.json"


def joined(texts: Iterable[str]) -> str:
    """The catalog made of the JSON files of its models, one model on a line."""
    return _HEAD + ",\n".join(text[len(_HEAD) : -len(_TAIL)] for text in texts) + _TAIL


def sums(files: Sequence[ModelFile | EvidenceFile]) -> str:
    """The digests of files of a release as ``sha256sum -c`` reads them."""
    return "".join(f"{file.sha256}  {file.path}\n" for file in files)


def _each(model: Model, site: Site, evidence: Evidence) -> Made:
    del site, evidence
    line = json.dumps(plain(model), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    files = {model_json(model.name): _HEAD + line + _TAIL}
    for release in model.releases:
        place = f"models/{model.name}/{release.version}/"
        files[f"{place}SHA256SUMS"] = sums(release.files)
        files[f"{place}recipe.txt"] = release.recipe.text
        if release.evidence:
            files[f"{place}evidence/SHA256SUMS"] = sums(release.evidence)
    facts = {"rows": _table(_rows(model)), "news": list(_news(model)), "pages": list(_pages(model))}
    return Made(files, facts)


def _whole(facts: Sequence[Facts], site: Site, releases: Releases) -> Files:
    del releases
    rows = "".join(fact["feeds"]["rows"] for fact in facts)
    files = {
        CSV: _table([COLUMNS]) + rows,
        ATOM: _atom([entry for fact in facts for entry in fact["feeds"]["news"]], site),
        LLMS: fill("llms.txt", site=site, models=[fact["model"] for fact in facts]),
        "robots.txt": "User-agent: *\nAllow: /\n",
    }
    if site.address:
        pages = [*_common(facts), *(page for fact in facts for page in fact["feeds"]["pages"])]
        pages += [(path, "") for path in site.document_pages]
        files["sitemap.xml"] = fill("sitemap.xml", address=site.address, pages=pages)
        files["robots.txt"] += f"Sitemap: {site.address}sitemap.xml\n"
    return files


def _pages(model: Model) -> Iterator[tuple[str, str]]:
    """(address, date of the last change) of the pages of a model that search engines should list."""
    shown = shown_release(model)
    last = max([shown.date, *(event.date for event in model.yanks)])
    yield f"models/{model.name}/", last
    for release in model.releases:
        place = f"models/{model.name}/{release.version}/"
        if release != shown:
            yield place, release.date
        if release.dataset:
            yield f"{place}dataset/", release.date


def _common(facts: Sequence[Facts]) -> Iterator[tuple[str, str]]:
    """The same of the pages about all models, which change with the newest release."""
    last = max((page[1] for fact in facts for page in fact["feeds"]["pages"]), default="")
    for path in ("", "models/", "files/", "boards/", "compare/", "pictures/", "try/"):
        yield path, last
    if facts:
        for device in devices.DEVICES:
            yield f"boards/{device.id}/", last


def _rows(model: Model) -> Iterator[tuple[object, ...]]:
    for release in model.releases:
        yanked = model.yank_of(release.version) is not None
        for file in release.files:
            yield _row(model, release, file, yanked)


def _row(model: Model, release: Release, file: ModelFile, yanked: bool) -> tuple[object, ...]:
    need, loss = memory_at(file), file.loss
    architecture, place = release.architecture, release.location.model
    return (
        model.name,
        release.version,
        release.date,
        "yes" if yanked else "no",
        model.task,
        " ".join(model.languages),
        release.licence,
        architecture.parameters,
        architecture.context_tokens,
        file.path,
        file.type,
        file.size_bytes,
        file.sha256,
        file.bits_per_weight,
        need.bytes if need and need.context_tokens == CONTEXT else None,
        loss.kld_mean_nats if loss else None,
        loss.kld_mean_se_nats if loss else None,
        loss.same_top_share if loss else None,
        file.perplexity,
        "yes" if file.smoke_passed else "no",
        place.name,
        place.commit,
    )


def _table(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def _cell(cell: object) -> object:
    """Spreadsheets read text that begins with one of these signs as a formula; a quote sign keeps it text."""
    if not isinstance(cell, str):
        return cell
    shown = visible(cell)
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@", "\t", "\n")) else shown


def _news(model: Model) -> Iterator[dict[str, str]]:
    """Releases and yanks of a model, each with an id that never changes."""
    for release in model.releases:
        yield {
            "id": f"release:{model.name}@{release.version}",
            "seed": release.files[0].sha256,
            "date": release.date,
            "title": f"{model.name} {release.version}",
            "words": _said(model, release),
            "path": f"models/{model.name}/{release.version}/",
        }
    for number, event in enumerate(model.yanks, 1):
        done = "yanked" if event.action == "yank" else "unyanked"
        instead = f" Use {event.replacement} instead." if event.replacement else ""
        yield {
            "id": f"yank:{number}:{model.name}@{event.version}",
            "seed": model.releases[-1].files[0].sha256,
            "date": event.date,
            "title": f"{model.name} {event.version} was {done}",
            "words": visible(f"{event.reason}{instead}"),
            "path": f"models/{model.name}/{event.version}/",
        }


def _said(model: Model, release: Release) -> str:
    """The summary, and what is new in this version."""
    news = release.news
    said = [shortened(visible(model.summary), 300)]
    if news and news.words:
        said += ["What is new:", *news.words]
    if news and news.changes:
        said += [f"Changes since {news.since}:", *news.changes]
    return shortened(visible(" ".join(said)), _ENTRY_CHARACTERS)


def _atom(entries: Sequence[Mapping[str, str]], site: Site) -> str:
    """The feed (RFC 4287). Without an address to take ids from, they are UUIDs of a name (RFC 9562, version 5).

    The name has the digest of a file, so zoos of the same name have different ids.
    """
    last = sorted(
        sorted(entries, key=lambda entry: entry["id"]), key=lambda entry: entry["date"], reverse=True
    )
    oldest = last[-1]["seed"] if last else ""

    def identity(entry: Mapping[str, str]) -> str:
        if site.address:
            return f"{site.address}#{entry['id']}"
        return uuid.uuid5(_UUIDS, f"{site.name}\n{entry['id']}\n{entry['seed']}").urn

    return fill(
        "feed.atom",
        site=site,
        path=ATOM,
        entries=last[:NEWS],
        updated=last[0]["date"] if last else "2026-01-01",
        own=site.address or uuid.uuid5(_UUIDS, f"{site.name}\nfeed\n{oldest}").urn,
        identity=identity,
    )


KIND = Kind("feeds", _each, _whole, needs=("feeds", "model"))
