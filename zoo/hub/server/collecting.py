"""Collections: lists of repositories, each a JSON file below ``collections/NAMESPACE/`` of the folder hub.

An entry is kept when its repository is deleted, as on the Hub. Ids of entries are digests of what they name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

from catalog import jsontext
from catalog.jsontext import JsonObject
from catalog.shapes import shaped
from zoo.files.digests import pretty_json
from zoo.files.locks import locked
from zoo.files.whole import write_atomic
from zoo.hub.server.store import Store
from zoo.hub.server.wire import Answer, ApiError, Request, as_json

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}\Z")
_SLUG = re.compile(r"[a-z0-9-]{1,100}\Z")
_KINDS = ("model", "dataset")
_TITLE, _DESCRIPTION, _NOTE, _MOST = 60, 150, 500, 1000


class Item(TypedDict):
    """A repository in a collection."""

    id: str
    type: str
    note: str


class Kept(TypedDict):
    """A collection on disk."""

    title: str
    description: str
    items: list[Item]


def answer(store: Store, method: str, rest: list[str], request: Request) -> Answer:
    """``/api/collections`` and what is below it. Raises ApiError."""
    match method, rest:
        case "GET", []:
            owner = request.one("owner")
            found = [_shown(slug, kept) for slug, kept in _all(store) if owner in ("", slug.partition("/")[0])]
            # The client counts the places in a list itself.
            return as_json([{name: one[name] for name in one if name != "position"} for one in found])
        case "POST", []:
            return _create(store, request.json())
        case "GET", [namespace, name]:
            return as_json(_shown(f"{namespace}/{name}", _read(_path(store, namespace, name))))
        case ("PATCH" | "DELETE" | "POST"), [namespace, name, *more]:
            path = _path(store, namespace, name)
            with locked(store.hub.folder / "collections" / "lock"):
                return _change(store, path, method, more, request)
    raise ApiError(404, "there is nothing here")


def _change(store: Store, path: Path, method: str, rest: list[str], request: Request) -> Answer:
    kept, slug = _read(path), f"{path.parent.name}/{path.stem}"
    match method, rest:
        case "PATCH", []:
            data = request.json()
            kept["title"] = _text(data, "title", _TITLE) if "title" in data else kept["title"]
            kept["description"] = _text(data, "description", _DESCRIPTION, "") or kept["description"]
            write_atomic(path, pretty_json(kept))
            return as_json({"success": True, "data": _shown(slug, kept)})
        case "DELETE", []:
            path.unlink()
            return as_json({})
        case "POST", ["items"]:
            item = _item(store, request.json())
            if any(_key(one) == _key(item) for one in kept["items"]):
                raise ApiError(409, "This item is in the collection already")
            if len(kept["items"]) >= _MOST:
                raise ApiError(400, f"a collection has at most {_MOST} items")
            kept["items"].append(item)
        case ("PATCH" | "DELETE"), ["items", key]:
            found = next((one for one in kept["items"] if _key(one) == key), None)
            if found is None:
                raise ApiError(404, "the collection has no such item")
            was = kept["items"].index(found)
            kept["items"].remove(found)
            if method == "PATCH":
                _put_back(kept["items"], found, was, request.json())
        case _:
            raise ApiError(404, "there is nothing here")
    write_atomic(path, pretty_json(kept))
    return as_json(_shown(slug, kept))


def _put_back(items: list[Item], item: Item, was: int, data: JsonObject) -> None:
    """Insert the changed item where it was, or at the position that the request names."""
    if "note" in data:
        item["note"] = _text(data, "note", _NOTE)
    position = data.get("position")
    items.insert(position if isinstance(position, int) and position >= 0 else was, item)


def _create(store: Store, data: JsonObject) -> Answer:
    namespace, title = _text(data, "namespace", 96), _text(data, "title", _TITLE)
    if not _NAME.match(namespace):
        raise ApiError(400, "this is not a name of a user or an organisation")
    if data.get("private"):
        raise ApiError(400, "collections of this hub are not private: anyone who may read the hub reads all of them")
    with locked(store.hub.folder / "collections" / "lock"):
        for slug, kept in _all(store):
            if (slug.partition("/")[0], kept["title"]) == (namespace, title):
                return as_json({"error": "You already created this collection", "slug": slug}, 409)
        words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60] or "collection"
        name = f"{words}-{hashlib.sha256(f'{namespace} {title}'.encode()).hexdigest()[:24]}"
        made: Kept = {"title": title, "description": _text(data, "description", _DESCRIPTION, ""), "items": []}
        write_atomic(_path(store, namespace, name), pretty_json(made))
    return as_json(_shown(f"{namespace}/{name}", made))


def _item(store: Store, data: JsonObject) -> Item:
    told = data.get("item")
    if not isinstance(told, dict) or told.get("type") not in _KINDS:
        raise ApiError(400, "only models and datasets are kept here")
    identity = _text(told, "id", 200)
    namespace, _, name = identity.partition("/")
    store.repo(str(told["type"]), namespace, name)
    return {"id": identity, "type": str(told["type"]), "note": _text(data, "note", _NOTE, "")}


def _shown(slug: str, kept: Kept) -> dict[str, object]:
    items = [
        {"_id": _key(one), "id": one["id"], "type": one["type"], "position": position,
         **({"note": {"html": "", "text": one["note"]}} if one["note"] else {})}
        for position, one in enumerate(kept["items"])
    ]  # fmt: skip
    return {
        "slug": slug,
        "title": kept["title"],
        "description": kept["description"],
        "owner": {"name": slug.partition("/")[0], "type": "org"},
        "items": items,
        "lastUpdated": "1970-01-01T00:00:00.000Z",
        "position": 0,
        "private": False,
        "theme": "green",
        "upvotes": 0,
    }


def _key(item: Item) -> str:
    return hashlib.sha256(f"{item['type']} {item['id']}".encode()).hexdigest()[:24]


def _all(store: Store) -> Iterator[tuple[str, Kept]]:
    for path in sorted((store.hub.folder / "collections").glob("*/*.json")):
        yield f"{path.parent.name}/{path.stem}", _read(path)


def _path(store: Store, namespace: str, name: str) -> Path:
    if not _NAME.match(namespace) or not _SLUG.match(name):
        raise ApiError(404, "this collection was not found")
    return store.hub.folder / "collections" / namespace / f"{name}.json"


def _read(path: Path) -> Kept:
    try:
        return shaped(jsontext.read(path), Kept)
    except FileNotFoundError:
        raise ApiError(404, "this collection was not found") from None
    except ValueError as error:
        raise ApiError(500, "this collection is damaged on disk") from error


def _text(data: JsonObject, name: str, longest: int, default: str | None = None) -> str:
    found = data.get(name, default)
    if not isinstance(found, str) or (default is None and not found) or len(found) > longest:
        raise ApiError(400, f"{name} must have at most {longest} characters")
    return found
