"""Pages for a person with a browser: what is here, and one page per repository.

They have no script and load nothing. Their policy allows their own style, by its digest, and nothing else.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import jinja2

from catalog import unseen
from catalog.versions import preference
from catalog.words import counted, data_size
from zoo.hub.folder import FolderRepo
from zoo.hub.interface import BRANCH
from zoo.hub.server.lists import Listed
from zoo.hub.server.pages.markdown import rendered
from zoo.hub.server.store import shown
from zoo.hub.server.views import About
from zoo.hub.server.wire import Answer, ApiError

MOST = 200
"""Repositories on one page; a search finds the others."""

_HERE = Path(__file__).parent
_VERSION = re.compile(r"v?[0-9]{1,6}(?:\.[0-9]{1,6}){2}(?:-[0-9A-Za-z.-]+)?\Z")
_PREFIXES = {"model": "", "dataset": "datasets/"}


@functools.cache
def _templates() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {"size": data_size, "counted": counted, "address": lambda text: quote(str(text), safe="/")}
    return made


@functools.cache
def _style() -> tuple[str, str]:
    """The style, and its digest for the policy."""
    text = (_HERE / "look.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return text, f"'sha256-{digest}'"


def _page(name: str, status: int = 200, **values: object) -> Answer:
    style, digest = _style()
    html = _templates().get_template(name).render(style=style, **values)
    # Here and not in each template: what a stranger hid in a card must not turn a line round, or be copied unseen.
    html = unseen.visible(html, kept="\n\t")
    policy = (
        f"default-src 'none'; style-src {digest}; img-src data:; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    )
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    return Answer(status, html.encode(), headers)


@dataclass(frozen=True)
class Row:
    """A repository in the list. version: the tag of its newest version, empty if there is none."""

    kind: str
    identity: str
    address: str
    about: About | None
    version: str
    size_bytes: int


def front(found: Iterable[Listed], base: str, search: str, owner: str) -> Answer:
    """Everything that is here. search: words that the names contain; owner: only the repositories of one."""
    words = search.casefold().split()
    rows = [
        _row(one)
        for one in found
        if owner in ("", one.identity.partition("/")[0]) and all(word in one.identity.casefold() for word in words)
    ]
    groups = {kind: [row for row in rows if row.kind == kind] for kind in _PREFIXES}
    return _page("front.html", groups=groups, most=MOST, base=base, search=search, owner=owner)


def _row(one: Listed) -> Row:
    files = one.about.files.values() if one.about else ()
    versions = [name for name in one.repo.refs().tags if _VERSION.match(name)]
    version = max(versions, key=lambda name: preference(name.removeprefix("v")), default="")
    address = f"/{_PREFIXES[one.kind]}{one.identity}"
    return Row(one.kind, one.identity, address, one.about, version, sum(file.size_bytes for file in files))


def repository(about: About, repo: FolderRepo, base: str, revision: str) -> Answer:
    """One repository at a revision: facts, files, the card."""
    refs = repo.refs()
    card, address = about.card, f"/{_PREFIXES[about.kind]}{about.identity}"
    facts = {
        "Licence": ", ".join(card.texts("license_name") or card.texts("license")),
        "Task": ", ".join(card.texts("pipeline_tag") + card.texts("task_categories")),
        "Library": ", ".join(card.texts("library_name")),
        "Base model": ", ".join(card.texts("base_model")),
        "Languages": ", ".join(card.texts("language")),
        "Commit": shown(about.oid)[:12] if about.oid else "",
        "Changed": about.last_modified[:10] if about.oid else "",
    }
    return _page(
        "repository.html",
        about=about, address=address, base=base, revision=revision,
        revisions=[*sorted(refs.branches, key=lambda name: (name != BRANCH, name)), *sorted(refs.tags, reverse=True)],
        facts={name: value for name, value in facts.items() if value},
        total=sum(file.size_bytes for file in about.files.values()),
        body=rendered(card.body, f"{address}/resolve/{quote(revision, safe='')}/"),
    )  # fmt: skip


def refused(error: ApiError) -> Answer:
    """A refusal as a page. For 401 the browser asks for a name, which is ignored, and a password: the token."""
    made = _page("refused.html", error.status, message=error.message, code=error.status)
    if error.status != 401:
        return made
    return Answer(401, made.body, {**made.headers, "WWW-Authenticate": 'Basic realm="zoo", charset="UTF-8"'})
