"""Which repositories there are, as the client and the pages list them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from zoo.errors import ZooError
from zoo.hub.folder import FolderRepo
from zoo.hub.server import views
from zoo.hub.server.store import Store
from zoo.hub.server.wire import Answer, ApiError, Request, as_json

PAGE = 1000
PLURALS = {"models": "model", "datasets": "dataset"}
SORTS = ("lastModified", "createdAt", "downloads", "likes", "trendingScore", "")
_FULL = ("author", "gated", "sha", "siblings")
_CANNOT = ("apps", "inference", "inference_provider", "num_parameters", "benchmark")


@dataclass(frozen=True)
class Listed:
    """A repository. about: what it says at the head of its branch; None if its files on disk are damaged."""

    kind: str
    identity: str
    repo: FolderRepo
    about: views.About | None


def everything(store: Store, kind: str) -> Iterator[Listed]:
    """All repositories of a kind, by name."""
    root = store.hub.folder / "repos" / kind
    for folder in sorted(root.glob("[!.]*/[!.]*")):
        identity = f"{folder.parent.name}/{folder.name}"
        try:
            repo = store.repo(kind, folder.parent.name, folder.name)
            about = views.about(store, kind, identity, repo)
        except (ZooError, OSError):
            about = None
        except ApiError:
            continue  # a folder whose name no repository has
        yield Listed(kind, identity, repo, about)


def answer(store: Store, kinds: str, request: Request) -> Answer:
    """``/api/models`` and ``/api/datasets``: filtered, sorted, in pages. Raises ApiError 400 for what it cannot do."""
    if unknown := [name for name in _CANNOT if name in request.query]:
        raise ApiError(400, f"this hub cannot filter by {unknown[0]}")
    if request.one("sort") not in SORTS:
        raise ApiError(400, f"this hub sorts by {', '.join(SORTS[:-1])}")
    found = [one.about for one in everything(store, PLURALS[kinds]) if one.about and _wanted(one.about, request)]
    # Nothing is counted here, so by downloads, likes and trend all are equal.
    key = {"lastModified": "last_modified", "createdAt": "created"}.get(request.one("sort"))
    if key:
        found.sort(key=lambda about: str(getattr(about, key)), reverse=True)
    begin, size = _number(request.one("cursor"), 0), min(max(_number(request.one("limit"), PAGE), 1), PAGE)
    items = [views.expanded(about, request.query) or _item(about, request) for about in found[begin : begin + size]]
    headers = {}
    if begin + size < len(found):
        kept = {name: values for name, values in request.query.items() if name != "cursor"}
        query = urlencode({**kept, "cursor": [str(begin + size)]}, doseq=True, quote_via=quote)
        headers["Link"] = f'<{request.base}/api/{kinds}?{query}>; rel="next"'
    return as_json(items, headers=headers)


def _wanted(about: views.About, request: Request) -> bool:
    query = request.query
    words = [word for name in ("search", "dataset_name") for text in query.get(name, ()) for word in text.split()]
    task = request.one("pipeline_tag")
    return (
        request.one("author") in ("", about.identity.partition("/")[0])
        and all(word.casefold() in about.identity.casefold() for word in words)
        and (not task or about.card.text("pipeline_tag") == task)
        and request.one("gated").lower() in ("", "false")
        and set(_filters(query)) <= set(about.tags)
    )


def _filters(query: Mapping[str, list[str]]) -> list[str]:
    """The tags asked for. Filters of datasets by field, such as ``language``, are tags too."""
    found = [item for text in query.get("filter", ()) for item in text.split(",") if item]
    for name in ("language", "size_categories", "task_categories", "task_ids", "multilinguality", "language_creators"):
        found += [value if ":" in value else f"{name}:{value}" for value in query.get(name, ())]
    return found


def _item(about: views.About, request: Request) -> dict[str, object]:
    full = request.one("full").lower() == "true"
    found = views.info(about, blobs=False)
    if not full:
        for name in _FULL:
            found.pop(name)
    if not full and request.one("cardData").lower() != "true":
        found.pop("cardData", None)
    return found


def _number(text: str, default: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else default
