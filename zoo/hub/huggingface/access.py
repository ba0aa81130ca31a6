"""Who may read a repository: looked up and changed through the client's own calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from catalog.access import PRIVATE, PUBLIC
from zoo.errors import Damaged
from zoo.hub.huggingface.client import patiently, plain
from zoo.hub.huggingface.door import Door
from zoo.hub.interface import NotOffered

if TYPE_CHECKING:
    from huggingface_hub import HfApi


def look(door: Door, kind: str, identity: str) -> str:
    """A key of ``catalog.access.STRICT``; empty if there is no repository, or none that the token may see."""
    return patiently(lambda: _look(door, kind, identity))


def _look(door: Door, kind: str, identity: str) -> str:
    with plain(door, identity):
        from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

        try:
            info = door.api(kind, identity).repo_info(identity, repo_type=kind)
        except GatedRepoError:
            raise
        except RepositoryNotFoundError:
            return ""
        if info.private:
            return PRIVATE
        return f"gated-{info.gated}" if info.gated in ("auto", "manual") else PUBLIC


def change(door: Door, kind: str, identity: str, access: str) -> None:
    """Make the repository if it does not exist, then set who may read it, and look whether the hub obeyed.

    Raises InputError if the hub refuses, NotOffered if it has no gates, Damaged if it says yes and does not do it.
    """
    def ask() -> bool:
        with plain(door, identity, writing=True):
            api = door.api(kind, identity)
            gated: Literal["auto", "manual", False] = False
            if access.startswith("gated-"):
                gated = "manual" if access.endswith("manual") else "auto"
            # A new repository is never public first.
            first = access != PUBLIC
            # Asked before it is made: a hub without gates leaves no empty repository.
            is_gated = bool(gated) and _gate(door, api, kind, identity, gated)
            api.create_repo(identity, repo_type=kind, private=first, exist_ok=True)
            if gated:
                if not is_gated:
                    _gate(door, api, kind, identity, gated)
                api.update_repo_settings(identity, private=False, repo_type=kind)
            else:
                api.update_repo_settings(identity, private=access == PRIVATE, gated=False, repo_type=kind)
        return True

    patiently(ask, settled=lambda: look(door, kind, identity) == access or None)
    if (found := look(door, kind, identity)) != access:
        raise Damaged(
            f"{door.address} accepted that {identity} becomes {access}, but it is {found or 'missing'}",
            remedy=f"Set it at {door.address}/{identity}/settings in a browser",
        )


def _gate(door: Door, api: HfApi, kind: str, identity: str, gated: Literal["auto", "manual", False]) -> bool:
    """Gate a repository; False if it does not exist. Raises NotOffered if the hub has no gates."""
    from huggingface_hub.errors import BadRequestError, RepositoryNotFoundError

    try:
        api.update_repo_settings(identity, gated=gated, repo_type=kind)
    except RepositoryNotFoundError:
        return False
    except BadRequestError as error:
        why = " ".join(str(error.server_message or "").split())[:200]
        raise NotOffered(
            f"{door.address} cannot make {identity} gated-{gated}" + (f": {why}" if why else ""),
            safe="Nothing was sent.",
            remedy="Write access: public or access: private into the recipe, or publish to a hub that has gates",
        ) from error
    return True
