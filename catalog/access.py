"""Who may read a release's repositories: the words, which is stricter, and what a reader has to do. Pure."""

from __future__ import annotations

from catalog.release import Location, Model

PUBLIC, PRIVATE = "public", "private"
STRICT = {PUBLIC: 0, "gated-auto": 1, "gated-manual": 2, PRIVATE: 3}
"""The states of a repository, from the one that everybody may read to the strictest."""


def recorded(access: str | None) -> str | None:
    """What a catalog says of it: nothing of a public place."""
    return None if access == PUBLIC else access


def of_repository(model: Model | None, hub: str, repository: str) -> str | None:
    """What the catalog says of a model's repository; None for a public or an unknown one."""
    places = [place for one in (model.releases if model else ()) for place in one.places()]
    return next((one.access for one in places if (one.hub, one.model.name) == (hub, repository)), None)


def is_closed(place: Location) -> bool:
    """Whether a place needs a token, as far as the catalog knows."""
    return place.access is not None


def sentence(place: Location) -> str:
    """What somebody without access must know, and what to do; empty for a public place."""
    name = place.model.name
    if place.access is None:
        return ""
    if place.access == PRIVATE:
        return f"{name} is private: only people whom its owner lets in can read it. Set HF_TOKEN to a token of theirs"
    wait = " and wait until its owner lets you in" if place.access == "gated-manual" else ""
    where = f"{place.hub.rstrip('/')}/{name}"
    return (
        f"{name} is gated: accept its terms at {where} in a browser{wait}, then set HF_TOKEN to a token of that account"
    )
