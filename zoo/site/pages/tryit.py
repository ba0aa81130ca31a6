"""The page that loads a model's file into llama.cpp in the visitor's browser and chats with it.

One page for all models: ``try/?model=NAME&file=PATH``. It reads the model's JSON, fetches the file from its hub (or
from the site, where ``zoo site build --with-files`` put it) and compares its sha256 with the catalog before anything
runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from zoo.choose.commands import HUB, is_address
from zoo.site.pages import offers
from zoo.site.pages.frame import framed
from zoo.site.pages.kinds import Facts, Files, Kind, Models, Site
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
    """A model of the list. version: of its data; here: whether some file of it can be loaded."""

    name: str
    version: str
    here: bool


def version(site: Site) -> str:
    """Changes with what site.json says, so that no cache gives an old one."""
    return hashlib.sha256(repr((site.engine, sorted(site.carried))).encode()).hexdigest()[:8]


def _can_be_loaded(one: offers.Facts, site: Site) -> bool:
    """Whether the site has the engine, and a file of the model is on it or on a hub that a browser reaches."""
    reached = is_address(one["hub"] or "")
    here = f"{DOWNLOADS}{one['name']}/"
    return site.engine and (reached or any(path.startswith(here) for path in site.carried))


def _whole(facts: Sequence[Facts], site: Site, _: Models) -> Files:
    some = [one for one in offers.of_all(facts) if one["current"] is not None]
    hubs = {one["hub"] or "" for one in some}
    models = [_Tried(one["name"], one.get("digest", "")[:8], _can_be_loaded(one, site)) for one in some]
    html = fill(
        "tryit.html", models=models, root="../", site=site, most=MOST_TRIED_BYTES, version=version(site)
    )
    page = Page(
        "Try it in the browser",
        "Chat with a model of this zoo in your browser, on your own machine.",
        html,
        (),
    )
    scripts = ("tryit.js",) if some else ()
    return {f"{PATH}index.html": framed(page, PATH, site, scripts=scripts, policy=policy(hubs))}


KIND = Kind("tryit", whole=_whole)
