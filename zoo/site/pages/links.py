"""Which addresses pages may link to. A value of an unknown form is shown as text, without a link."""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode

from catalog.paths import unsafe_reason
from catalog.release import Location, ModelFile, Release
from zoo.choose.commands import HUB, is_repository

MOST_TRIED_BYTES = 2_000_000_000
"""Larger files are not tried in the browser: 32-bit WebAssembly has four GB for everything."""

_WEB = re.compile(r"https?://[^\s<>\"'`\\\x00-\x20]+\Z")
_COMMIT = re.compile(r"[0-9a-f]{40,64}\Z")


def evidence_path(name: str, version: str, path: str) -> str:
    """The address of an evidence file from the site's root."""
    return f"evidence/{name}/{version}/{path}"


EVIDENCE_PAGES = {"evaluation.json": "loss", "probes.json": "probes", "gates.json": "gates", "smoke.json": "smoke"}
"""Evidence file -> the last part of its page's address. Reports of speed have one page together."""
SPEED = "speed"


def raw_evidence_url(name: str, release: Release, path: str) -> str | None:
    """The address of an evidence file from the site's root; None when the release lists no such file."""
    if not _lists(release, path):
        return None
    return quote(evidence_path(name, release.version, path))


def _lists(release: Release, path: str) -> bool:
    """Whether the site has that file: evidence of the release, or a report that somebody shared."""
    if unsafe_reason(path):
        return False
    shared = (speed.by and speed.evidence == path for file in release.files for speed in file.speeds)
    return path in {file.path for file in release.evidence} or any(shared)


def evidence_page(name: str, release: Release, path: str) -> str | None:
    """The page about an evidence file from the site's root; None if there is none."""
    if not _lists(release, path):
        return None
    folder = quote(f"models/{name}/{release.version}/evidence/")
    if path in EVIDENCE_PAGES:
        return f"{folder}{EVIDENCE_PAGES[path]}/"
    if any(speed.evidence == path for file in release.files for speed in file.speeds):
        return f"{folder}{SPEED}/#{anchor(path)}"
    return None


def evidence_url(name: str, release: Release, path: str) -> str | None:
    """The page about an evidence file, else the file itself; None when the release lists no such file."""
    return evidence_page(name, release, path) or raw_evidence_url(name, release, path)


def anchor(words: str) -> str:
    """An id for ``words`` on their page: ``bench/Q8_0.json`` is ``bench-Q8_0``."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", words.removesuffix(".json")).strip("-") or "it"


def compare_url(name: str, version: str, type_: str) -> str:
    """The page that compares a file with another one, from the site's root."""
    return f"compare/?a={quote(f'{name}@{version}:{type_}', safe='')}"


def try_url(name: str, file: ModelFile) -> str | None:
    """The page that tries a file in the browser, from the site's root; None for a file too large for that."""
    if file.size_bytes > MOST_TRIED_BYTES:
        return None
    return f"try/?{urlencode({'model': name, 'file': file.path}, quote_via=quote, safe='')}"


def upstream_url(upstream: str | None) -> str | None:
    """The Hub's page of ``ORG/NAME``."""
    return f"{HUB}/{upstream}" if upstream and is_repository(upstream) else None


def licence_url(address: str | None) -> str | None:
    """The address of a licence text or policy, if it is one of the web."""
    return address if address and _WEB.match(address) else None


def repository_url(location: Location, dataset: bool = False) -> str | None:
    """The Hub's page of a release's repository at its exact commit; None for any other hub."""
    repository = location.dataset if dataset else location.model
    if location.hub.rstrip("/") != HUB or repository is None or not is_repository(repository.name):
        return None
    if not _COMMIT.match(repository.commit):
        return None
    return f"{HUB}/{'datasets/' if dataset else ''}{repository.name}/tree/{repository.commit}"
