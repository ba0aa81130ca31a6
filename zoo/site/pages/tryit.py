"""The page that loads a model's file into llama.cpp in the visitor's browser and chats with it.

One page for all models: ``try/?model=NAME&file=PATH``. It reads the model's JSON, fetches the file from its hub (or
from the site, where ``zoo site build --with-files`` put it) and compares its sha256 with the catalog before anything
runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from catalog import sampling
from catalog.release import Model
from zoo.choose import pick as picks
from zoo.choose.commands import HUB, is_address
from zoo.site.pages import offers
from zoo.site.pages.frame import framed
from zoo.site.pages.kinds import Evidence, Facts, Files, Kind, Made, Releases, Site
from zoo.site.pages.links import MOST_TRIED_BYTES
from zoo.site.pages.page import Page, fill
from zoo.site.pages.runit import DOWNLOADS

PATH = "try/"
_HUB_STORES = ("https://*.huggingface.co", "https://*.hf.co")
"""Where the Hugging Face Hub's own address leads for the content of large files."""


def policy(hubs: Iterable[str]) -> dict[str, str]:
    """What this page may do and no other: run WebAssembly in workers of its own, and fetch from the hubs."""
    parts = [urlsplit(hub) for hub in hubs if is_address(hub)]
    origins = {f"{one.scheme}://{one.netloc}" for one in parts}
    stores = _HUB_STORES if HUB in origins else ()
    return {
        "script-src": "'self' 'wasm-unsafe-eval'",
        "worker-src": "'self' blob:",
        "connect-src": " ".join(("'self'", *sorted(origins), *stores)),
    }


class _Tried(NamedTuple):
    """A model of the list. version: of its data; here: whether some file of it can be loaded. card: JSON of what the
    model's card says about sampling, empty if it says nothing."""

    name: str
    version: str
    here: bool
    card: str


def version(site: Site) -> str:
    """Changes with what site.json says, so that no cache gives an old one."""
    return hashlib.sha256(repr((site.engine, sorted(site.carried))).encode()).hexdigest()[:8]


def _can_be_loaded(one: offers.Facts, site: Site) -> bool:
    """Whether the site has the engine, and a file of the model is on it or on a hub that a browser reaches."""
    reached = is_address(one["hub"] or "")
    here = f"{DOWNLOADS}{one['name']}/"
    return site.engine and (reached or any(path.startswith(here) for path in site.carried))


def _each(model: Model, site: Site, evidence: Evidence) -> Made:
    """What the card of the model says about sampling."""
    del site, evidence
    release = picks.current(model)
    return Made({}, sampling.card_of(release) if release else None)


def _whole(facts: Sequence[Facts], site: Site, _: Releases) -> Files:
    some = [one for one in offers.of_all(facts) if one["current"] is not None]
    hubs = {one["hub"] or "" for one in some}
    cards = {one["offers"]["name"]: json.dumps(one[KIND.name]) if one[KIND.name] else "" for one in facts}
    models = [
        _Tried(one["name"], one.get("digest", "")[:8], _can_be_loaded(one, site), cards[one["name"]]) for one in some
    ]
    html = fill(
        "tryit.html",
        models=models,
        root="../",
        site=site,
        most=MOST_TRIED_BYTES,
        version=version(site),
        defaults=sampling.known()["default_source"],
    )
    page = Page(
        "Try it in the browser",
        "Chat with a model of this zoo in your browser, on your own machine.",
        html,
        (),
    )
    scripts = ("tryit.js",) if some else ()
    return {f"{PATH}index.html": framed(page, PATH, site, scripts=scripts, policy=policy(hubs))}


KIND = Kind("tryit", _each, _whole, needs=("tryit", "offers"))
