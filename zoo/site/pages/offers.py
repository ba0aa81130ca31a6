"""What the pages about all models need of each one to choose among them, and where the browser's data lies.

``facts`` says what the newest release that is not yanked has for the questions that are asked most, and keeps the rows
of it and of every yanked one; ``entries`` makes of them what ``zoo.choose.chooser`` works on; ``packing`` writes
chooser.json.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import NotRequired

from catalog.recipe import build, plain
from catalog.release import Loss, Model, ModelFile, Release
from zoo.choose import chooser, pick
from zoo.choose.ranking import Entry, Merit
from zoo.site.pages import kinds, packing, runit
from zoo.site.pages.kinds import Evidence, Files, Kind, Made, Releases, Site
from zoo.site.pages.text import visible

DATA = "chooser.json"
DIGITS, ERROR_DIGITS = 4, 3
"""Significant digits of measured figures, and of their standard errors, in what is chosen from. What is shown has
fewer, and each one is a byte for everybody who asks the chooser."""


class Facts(packing.Facts):
    """Plain data of one model. hub: where everybody can download the current release, None for nowhere. digest: of all
    of these. release: the digest of the current release, at which pages about all models may look."""

    hub: str | None
    merit: dict[str, object] | None
    known: list[list[float]]
    digest: NotRequired[str]
    release: NotRequired[str]


def facts(model: Model, site: Site | None = None) -> Facts:
    """Plain data of one model."""
    carried = site.carried if site else frozenset()
    current = pick.current(model)
    kept = [r for r in model.releases if r is current or model.yank_of(r.version)]
    yanks = [model.yank_of(r.version) for r in kept]
    chosen = rounded(current) if current else None
    return {
        "name": model.name,
        "task": model.task,
        "languages": list(model.languages),
        "hub": current.location.hub if current and runit.base_address(current) else None,
        "yanked": [visible(yank.reason) if yank else "" for yank in yanks],
        "current": next((i for i, r in enumerate(kept) if r is current), None),
        "merit": plain(chooser.merit(chosen)) if chosen else None,
        "experimental": model.experimental,
        "known": chooser.known(chosen) if chosen else [],
        "releases": [packing.release_row(model.name, rounded(release), carried) for release in kept],
    }


def entries(some: Iterable[Facts], releases: Releases) -> list[Entry]:
    """The models that may be chosen. ``releases`` gives the current one of a model, when somebody looks at it."""
    return [_entry(one, releases) for one in some if one["current"] is not None]


def _entry(one: Facts, releases: Releases) -> Entry:
    load = functools.partial(_load, one["name"], releases)
    return Entry(
        one["name"],
        one["task"],
        tuple(one["languages"]),
        build(Merit, one["merit"]),
        load,
        chooser.recalled(one["known"]),
        one["experimental"],
    )


def _load(name: str, releases: Releases) -> Release:
    return rounded(releases(name))


def rounded(release: Release) -> Release:
    """A release with its measured figures to so many digits: those that pages and browser choose from."""
    return dataclasses.replace(release, files=tuple(map(_rounded_file, release.files)))


def _rounded_file(file: ModelFile) -> ModelFile:
    speeds = tuple(
        dataclasses.replace(one, decode_tokens_per_second=_digits(one.decode_tokens_per_second))
        for one in file.speeds
    )
    return dataclasses.replace(file, loss=_rounded_loss(file.loss) if file.loss else None, speeds=speeds)


def _rounded_loss(loss: Loss) -> Loss:
    return dataclasses.replace(
        loss,
        kld_mean_nats=_digits(loss.kld_mean_nats),
        kld_mean_se_nats=_digits(loss.kld_mean_se_nats, ERROR_DIGITS),
        same_top_share=_digits(loss.same_top_share),
    )


def _digits(value: float, digits: int = DIGITS) -> float:
    """A figure that ended in 5 only because it was rounded would be rounded again, and the wrong way, where it is shown
    with fewer digits. It keeps more."""
    while True:
        written = f"{value:.{digits - 1}e}"
        if float(written) == value or not written.partition("e")[0].rstrip("0").endswith("5"):
            return float(written)
        digits += 1


def of_all(facts: Sequence[kinds.Facts]) -> list[Facts]:
    """The facts of this kind among those of every kind."""
    return [one[KIND.name] for one in facts]


def data_url(some: Sequence[Facts], site: Site) -> str:
    """Address of chooser.json from the site's root; another one when its content is another."""
    sha = hashlib.sha256(json.dumps(packing.rules(site)).encode())
    for one in some:
        sha.update(one.get("digest", "").encode())
    return f"{DATA}?v={sha.hexdigest()[:8]}"


def packed_text(some: Sequence[Facts], site: Site) -> str:
    """chooser.json."""
    ready = entries(some, _nobody)
    return packing.text(some, ready, site)


def _nobody(name: str) -> Release:
    raise KeyError(name)  # the order of models looks at none of them


def _each(model: Model, site: Site, evidence: Evidence) -> Made:
    del evidence
    found = facts(model, site)
    digest = hashlib.sha256(json.dumps(found).encode()).hexdigest()
    return Made({}, {**found, "digest": digest, "release": _release_digest(model)})


def _release_digest(model: Model) -> str:
    current = pick.current(model)
    return hashlib.sha256(json.dumps(plain(current)).encode()).hexdigest()[:16] if current else ""


def _whole(facts: Sequence[kinds.Facts], site: Site, releases: Releases) -> Files:
    del releases
    return {DATA: packed_text(of_all(facts), site)}


KIND = Kind("offers", _each, _whole, needs=("offers",))
