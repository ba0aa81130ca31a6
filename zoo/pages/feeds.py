"""Files for machines: the catalog, each model, digests, sitemap. Their addresses do not change."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from catalog import index
from catalog.recipe import plain
from catalog.release import Model, Release
from zoo.pages.kinds import Evidence, Facts, Files, Kind, Made, Site

_HEAD = f'{{"schema":"{index.SCHEMA}","models":[\n'
_TAIL = "\n]}\n"


def model_json(name: str) -> str:
    """Where the JSON of a model lies: a catalog with that one model."""
    return f"models/{name}/model.json"


def joined(texts: Iterable[str]) -> str:
    """The catalog made of the JSON files of its models, one model on a line."""
    return _HEAD + ",\n".join(text[len(_HEAD) : -len(_TAIL)] for text in texts) + _TAIL


def sums(release: Release) -> str:
    """The digests of a release's files as ``sha256sum -c`` reads them."""
    return "".join(f"{file.sha256}  {file.path}\n" for file in release.files)


def _each(model: Model, site: Site, evidence: Evidence) -> Made:
    del site, evidence
    line = json.dumps(plain(model), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    files = {model_json(model.name): _HEAD + line + _TAIL}
    for release in model.releases:
        files[f"models/{model.name}/{release.version}/SHA256SUMS"] = sums(release)
    return Made(files)


def _whole(facts: Sequence[Facts], site: Site) -> Files:
    files = {"robots.txt": "User-agent: *\nAllow: /\n"}
    if site.address:
        models = [f"models/{fact['model']['name']}/" for fact in facts]
        files["sitemap.xml"] = _sitemap(site.address, ["", *models, *site.document_pages])
        files["robots.txt"] += f"Sitemap: {site.address}sitemap.xml\n"
    return files


def _sitemap(address: str, paths: Iterable[str]) -> str:
    urls = "".join(f"<url><loc>{escape(address + path)}</loc></url>\n" for path in paths)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}</urlset>\n'
    )


KIND = Kind("feeds", _each, _whole)
