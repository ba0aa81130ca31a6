"""The tabs "Run it": what to type to run a file, from a fresh system. The programs are in ``zoo.choose.runtimes``.

``site/assets/runit.js`` makes the same of the browser's own answers; a test compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from urllib.parse import quote

from markupsafe import Markup

from catalog import access
from catalog.device import Device
from catalog.recipe import plain
from catalog.release import ModelFile, Release
from catalog.words import data_size
from zoo.choose import commands, runtimes
from zoo.choose.chooser import Question
from zoo.choose.commands import HUB, SUMS, is_address, is_plain, is_repository
from zoo.choose.pick import CONTEXT_TOKENS
from zoo.choose.runtimes import Runtime, Step
from zoo.files.filelist import TREE
from zoo.site.pages import links
from zoo.site.pages.kinds import Site
from zoo.site.pages.page import fill

DOWNLOADS = "download/"
"""Where the files are that the site carries itself."""

_QUANT = re.compile(r"(I?Q[0-9]\w*|B?F16|F32)\Z")
"""Types that other programs know by their name; a file of another type is named by its path."""

_SMALL_BOARDS = ("pi-", "jetson-", "orange-pi-")
_APPLE = "apple-"


@dataclass(frozen=True)
class Block:
    """Lines to copy. system: a key of ``runtimes.SYSTEMS``, or empty for any."""

    system: str
    text: str


@dataclass(frozen=True)
class Said:
    """A step for one file. url: where the sentence leads, from the site's root or absolute; empty for nowhere.
    shared: other tabs have the same step."""

    words: str
    url: str
    blocks: tuple[Block, ...]
    once: bool
    shared: bool


@dataclass(frozen=True)
class Tab:
    """A program with its steps for one file."""

    id: str
    title: str
    steps: tuple[Said, ...]


def carried_path(name: str, version: str, path: str) -> str:
    """The address of a file that the site carries, from the site's root."""
    return f"{DOWNLOADS}{name}/{version}/{path}"


def here(name: str, version: str, path: str, carried: Set[str]) -> int:
    """0: the site does not carry the file; 1: it does; 2: also the list of files that ``zoo pull`` needs."""
    if carried_path(name, version, path) not in carried:
        return 0
    return 2 if carried_path(name, version, TREE) in carried else 1


def base_address(release: Release) -> str:
    """The address of a release's files at its exact commit, ending in a slash; empty if not everybody has one."""
    location = release.location
    place = location.model
    named = is_address(location.hub) and is_repository(place.name) and is_plain(place.commit)
    if access.is_closed(location) or not named:
        return ""
    return f"{location.hub.rstrip('/')}/{place.name}/resolve/{place.commit}/"


def is_small(device: Device | None) -> bool:
    """Whether it is a board that desktop programs do not run on."""
    return device is not None and device.id.startswith(_SMALL_BOARDS)


def is_in_folder(release: Release) -> bool:
    """Whether the files are in the folder hub of the zoo that made them."""
    return release.location.hub == "folder" and not access.is_closed(release.location)


def systems_of(device: Device | None) -> tuple[str, ...]:
    """The systems that a device may have; every system if it is not known."""
    if is_small(device):
        return ("linux",)
    if device and device.id.startswith(_APPLE):
        return ("macos",)
    return tuple(runtimes.SYSTEMS)


def download_url(name: str, release: Release, file: ModelFile, site: Site) -> str:
    """Where a visitor gets the file: from the site's root if the site carries it, else absolute; empty for nowhere."""
    path = carried_path(name, release.version, file.path)
    if not (is_plain(name) and is_plain(release.version) and is_plain(file.path)):
        return ""
    if path in site.carried:
        return path
    base = base_address(release)
    return f"{base}{file.path}" if base else ""


def tabs(
    name: str, release: Release, file: ModelFile, site: Site, context_tokens: int, device: Device | None = None
) -> list[Tab]:
    """The programs that can run the file on the device (or on any), each with its steps. None for hostile names."""
    if not all(map(is_plain, (name, release.version, file.type, file.path))):
        return []
    facts = _facts(name, release, file, site, device)
    systems = systems_of(device)
    values = {**_values(name, release, file, site, context_tokens), "ok": _ok(systems)}
    return [
        Tab(one.id, one.title, tuple(_steps(one, facts, values, systems)))
        for one in runtimes.TABLE
        if runtimes.holds(one.needs, facts)
    ]


def fragment(
    name: str, release: Release, file: ModelFile, site: Site, root: str, question: Question | None = None
) -> Markup:
    """The tabs as HTML; empty if nothing works. question: None for any device, with the usual context length."""
    usual = max(min(CONTEXT_TOKENS, release.architecture.context_tokens), 1)
    context_tokens, device = (question.context_tokens, question.device) if question else (usual, None)
    found = tabs(name, release, file, site, context_tokens, device)
    if not found:
        return Markup("")
    systems = [(id_, runtimes.SYSTEMS[id_]) for id_ in systems_of(device)]
    return Markup(fill("runit.html", tabs=found, systems=systems, root=root))


def rules(site: Site) -> dict[str, object]:
    """What ``runit.js`` needs besides the files: the table, and what the site knows of itself."""
    return {
        "systems": dict(runtimes.SYSTEMS),
        "table": [plain(one) for one in runtimes.TABLE],
        "address": site.address if is_address(site.address) else "",
        "engine": site.engine,
        "program": site.program,
        "most_tried": links.MOST_TRIED_BYTES,
    }


def _facts(name: str, release: Release, file: ModelFile, site: Site, device: Device | None) -> set[str]:
    """What is true of a file on this site: the words that steps ask for."""
    hub, ours = base_address(release), here(name, release.version, file.path, site.carried)
    addressed = is_address(site.address)
    reached = bool(hub) or (ours > 0 and addressed)
    known = {
        "chat": not commands.completes(release),
        "quant": bool(_QUANT.match(file.type)),
        "hf": bool(hub) and release.location.hub.rstrip("/") == HUB and not ours,
        "url": reached and "/" not in file.path,
        "link": bool(hub) or ours > 0,
        "zoo": addressed and (ours == 2 or (bool(hub) and not ours)),
        "folder": is_in_folder(release) and not ours,
        "browser": site.engine and (ours > 0 or bool(hub)) and file.size_bytes <= links.MOST_TRIED_BYTES,
        "program": bool(site.program),
        "desktop": not is_small(device),
    }
    return {*(word for word, holds in known.items() if holds), *systems_of(device)}


def _ok(systems: Sequence[str]) -> str:
    """How the check of a digest ends."""
    return f"OK{', on Windows with True' if 'windows' in systems else ''}"


def _values(
    name: str, release: Release, file: ModelFile, site: Site, context_tokens: int
) -> dict[str, str]:
    place, base = release.location.model, base_address(release)
    link = download_url(name, release, file, site)
    addressed = is_address(site.address)
    ours = bool(link) and not link.startswith("http")
    return {
        "name": name,
        "version": release.version,
        "type": file.type,
        "path": file.path,
        "size": data_size(file.size_bytes),
        "context": str(context_tokens),
        # Pages are made for the usual type of the KV cache; runit.js adds the options for another.
        "cache": "",
        "repository": place.name,
        "tag": file.type if _QUANT.match(file.type) else file.path,
        "link": link,
        "url": f"{site.address}{link}" if ours else link,
        "sums": f"{site.address}models/{name}/{release.version}/{SUMS}" if addressed else f"{base}{SUMS}",
        "from": site.address,
        "try": links.try_url(name, file) or "",
        "program": site.program,
        "extra": "[hub]" if base and not ours else "",
    }


def _steps(
    one: Runtime, facts: set[str], values: dict[str, str], systems: Sequence[str]
) -> Iterator[Said]:
    for step in one.steps:
        if not runtimes.holds(step.needs, facts):
            continue
        blocks = tuple(_blocks(step, values, systems))
        if blocks or not step.lines:
            url = runtimes.filled(step.link, values)
            linked = quote(url, safe=":/?&=%+") if url else ""
            yield Said(runtimes.filled(step.words, values), linked, blocks, step.once, step.shared)


def _blocks(step: Step, values: dict[str, str], systems: Sequence[str]) -> Iterator[Block]:
    for system, lines in step.lines.items():
        if not system or system in systems:
            yield Block(system, runtimes.filled("\n".join(lines), values))
