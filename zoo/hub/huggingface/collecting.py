"""The collections of a namespace, through the client's own calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from zoo.errors import Damaged
from zoo.hub.huggingface.client import patiently, plain
from zoo.hub.huggingface.door import Door
from zoo.hub.interface import Collection, Entry

if TYPE_CHECKING:
    from huggingface_hub import Collection as Theirs
    from huggingface_hub import HfApi

MOST = 200
"""Collections of a namespace that are looked at; nobody has so many."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class HuggingFaceCollections:
    """See ``zoo.hub.interface.Collections``. Every change may be made twice, so a lost answer does no harm."""

    door: Door
    namespace: str

    def find(self) -> list[Collection]:
        def ask(api: HfApi) -> list[Collection]:
            # A list has four entries of each only.
            slugs = [one.slug for one in api.list_collections(owner=self.namespace, limit=MOST)]
            return [_as_ours(api.get_collection(slug)) for slug in slugs]

        return self._ask(ask)

    def create(self, title: str, description: str) -> Collection:
        def ask(api: HfApi) -> Collection:
            made = api.create_collection(title, namespace=self.namespace, description=description, exists_ok=True)
            return _as_ours(made)

        return self._ask(ask, writing=True)

    def rename(self, slug: str, title: str) -> None:
        self._ask(lambda api: api.update_collection_metadata(slug, title=title), writing=True)

    def add(self, slug: str, entry: Entry) -> None:
        def ask(api: HfApi) -> None:
            kind = "dataset" if entry.kind == "dataset" else "model"
            found = _as_ours(
                api.add_collection_item(slug, item_id=entry.name, item_type=kind, note=entry.note, exists_ok=True)  # type: ignore[arg-type]  # a literal
            )
            if not any((one.kind, one.name) == (entry.kind, entry.name) for one in found.entries):
                raise Damaged(f"{self.door.address} accepted {entry.name} for {slug} but does not list it")

        self._ask(ask, writing=True)

    def note(self, slug: str, key: str, note: str) -> None:
        self._ask(lambda api: api.update_collection_item(slug, key, note=note), writing=True)

    def move(self, slug: str, key: str, position: int) -> None:
        self._ask(lambda api: api.update_collection_item(slug, key, position=position), writing=True)

    def remove(self, slug: str, key: str) -> None:
        self._ask(lambda api: api.delete_collection_item(slug, key, missing_ok=True), writing=True)

    def _ask(self, ask: Callable[[HfApi], Result], *, writing: bool = False) -> Result:
        def once() -> Result:
            with plain(self.door, f"the collections of {self.namespace}", writing=writing):
                return ask(self.door.api())

        # Every call gives the same end when it is made again.
        return patiently(once)


def _as_ours(theirs: Theirs) -> Collection:
    entries = [Entry(one.item_type, one.item_id, one.note or "", one.item_object_id) for one in theirs.items]
    return Collection(theirs.slug, theirs.title, theirs.description or "", tuple(entries))
