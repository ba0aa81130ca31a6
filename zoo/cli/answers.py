"""Answers that several commands share: the summary of a release, a publication, a withdrawal. No command imports
another."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime

from catalog import yanks
from catalog.recipe import plain
from catalog.release import Model, ModelFile, Release
from catalog.words import counted, data_size, plus_minus
from zoo import catalogfile, commandline
from zoo.cli.common import Call
from zoo.errors import InputError
from zoo.hub.located import hub_of_settings
from zoo.hub.spoken import A_FOLDER, spoken
from zoo.judge.gates import Verdict
from zoo.plan.prepare import Planned
from zoo.publish.apply import Published
from zoo.publish.places import Way
from zoo.settings import Settings
from zoo.upkeep import collection
from zoo.upkeep.yank import Banner, Yanked


def glance(call: Call, model: Model, release: Release, verdicts: Sequence[Verdict]) -> None:
    """One table of files, then the other important facts."""
    rows = [_row(file) for file in release.files]
    columns = ("type", "#size", "#bits per\nweight", "#KLD, nats", "#same top", "#decode,\ntokens/s", "smoke")
    notes = [model.summary]
    if any("(" in _speed(file) for file in release.files):
        notes.insert(0, "A speed in brackets was disturbed by other work on the machine.")
    if release.training and release.training.after.kld_mean_nats is not None:
        before, after = release.training.before, release.training.after
        notes.append(
            f"Training took the held-out perplexity from {before.perplexity:.4g} ± {before.perplexity_se:.2g} to "
            f"{after.perplexity:.4g} ± {after.perplexity_se:.2g}, and the KLD to the teacher from "
            f"{before.kld_mean_nats or 0:.3f} to {after.kld_mean_nats:.3f} ± {after.kld_mean_se_nats or 0:.3f} nats."
        )
    notes += [f"known difference: {sentence}" for sentence in release.differences or ()]
    notes += [f"gate {'passed' if verdict.kept else 'FAILED'}: {verdict.sentence}" for verdict in verdicts]
    if release.location.model.name:
        place = release.location
        notes.append(
            f"Published on hub {place.hub}: {place.model.name}, tag {place.model.tag}, "
            f"commit {place.model.commit[:12]}."
        )
        notes += [
            f"Mirror on hub {one.hub}: {one.model.name}, commit {one.model.commit[:12]}."
            for one in release.mirrors or ()
        ]
    for one in model.corrections or ():
        if one.version == release.version:
            what = "dataset's card" if one.kind == "dataset" else "card"
            notes.append(f"The {what} was corrected on {one.date}: {one.reason}")
    if yank := model.yank_of(release.version):
        notes.insert(0, yanks.sentence(yank))
    again = [one for one in model.reproductions if one.version == release.version]
    if again:
        notes.append(
            f"Rebuilt {counted(len(again), 'time')}, {sum(one.identical for one in again)} identical."
        )
    data = as_data(model, release, verdicts)
    call.output.table(
        data, f"{model.name} {release.version} ({release.licence})", columns, rows, "\n".join(notes)
    )


def as_data(model: Model, release: Release, verdicts: Sequence[Verdict]) -> dict[str, object]:
    """A release as JSON data."""
    return {**plain(model), "releases": [plain(release)], "gates": [vars(verdict) for verdict in verdicts]}


def _row(file: ModelFile) -> tuple[str, ...]:
    loss = file.loss
    return (
        file.type,
        data_size(file.size_bytes),
        f"{file.bits_per_weight:.2f}",
        plus_minus(loss.kld_mean_nats, loss.kld_mean_se_nats) if loss else "reference",
        f"{100 * loss.same_top_share:.1f} %" if loss else "reference",
        _speed(file),
        "passed" if file.smoke_passed else "FAILED",
    )


def _speed(file: ModelFile) -> str:
    """The best valid measurement; a disturbed one in brackets if there is no other."""
    valid = [speed.decode_tokens_per_second for speed in file.speeds if speed.valid]
    disturbed = [speed.decode_tokens_per_second for speed in file.speeds if not speed.valid]
    return f"{max(valid):.1f}" if valid else f"({max(disturbed):.1f})" if disturbed else ""


def result_of(
    planned: Planned, published: Published, settings: Settings, way: Way = Way.PLACE
) -> dict[str, object]:
    """The summary of a publication, with the yank of this version, if it is withdrawn."""
    name, version = planned.plan.name, planned.plan.version
    model = catalogfile.read_model(settings, name)
    yank = model.yank_of(version) if model else None
    place = published.location
    behind = _behind(model, version, settings) if model and way is Way.PLACE and not published.already else []
    verb = {
        Way.PLACE: "was released before" if published.already else "is released",
        Way.MIRROR: f"has a mirror on hub {place.hub}",
        Way.MOVE: f"is on hub {place.hub} now",
    }[way]
    parts = [f"model {place.model.name} at {place.model.commit[:12]}"]
    if place.dataset:
        parts.append(f"dataset {place.dataset.name} at {place.dataset.commit[:12]}")
    return {
        "name": name,
        "version": version,
        "already_released": published.already,
        "hub": place.hub,
        "model": vars(place.model),
        "dataset": vars(place.dataset) if place.dataset else None,
        "withdrawn": vars(yank) if yank else None,
        "sentence": f"{name} {version} {verb}: {', '.join(parts)}."
        + (f" {yanks.sentence(yank)}" if yank else "")
        + "".join(
            f" The mirror {hub} lacks it: {commandline.line(settings, 'publish', name, '--mirror', hub=hub)}"
            for hub in behind
        ),
    }


def _behind(model: Model, version: str, settings: Settings) -> list[str]:
    """Hubs that mirror the model's other newest version, but not this one."""
    release = model.release(version)
    have = {place.hub for place in release.places()} if release else set()
    others = [one for one in model.preferred() if one.version != version][:1]
    lacking = [place for one in others for place in one.mirrors or () if place.hub not in have]
    return [hub for place in lacking if (hub := spoken(place, settings, mirror=True)) != A_FOLDER]


def versioned(name: str) -> tuple[str, str]:
    """(name, version) of NAME@VERSION. Raises InputError."""
    model, _, version = name.partition("@")
    if not model or not version:
        raise InputError(f"{name!r} does not name a version", remedy="Write NAME@VERSION; zoo catalog lists them")
    return model, version


def today() -> str:
    """The day in UTC, as YYYY-MM-DD."""
    return datetime.now(UTC).date().isoformat()


def at_mirrors(mirrors: Sequence[tuple[str, Banner]]) -> str:
    """Which mirrors have the same card now, as a sentence after another one; empty for none."""
    hubs = list(dict.fromkeys(hub for hub, one in mirrors if one.state in ("committed", "unchanged")))
    if not hubs:
        return ""
    which = f"mirror on {hubs[0]} shows" if len(hubs) == 1 else f"mirrors on {', '.join(hubs)} show"
    return f" The {which} the same."


def withdrawal(call: Call, version: str, done: Yanked, words: str) -> None:
    """What was recorded, and whether the card was updated."""
    banner, last = done.banner, next(e for e in reversed(done.model.yanks) if e.version == version)
    data: dict[str, object] = {
        "name": done.model.name,
        "changed": done.changed,
        **vars(last),
        "banner": vars(banner),
        "mirrors": [{"hub": hub, **vars(one)} for hub, one in done.mirrors],
        "elsewhere": list(done.elsewhere),
    }
    is_yank = last.action == "yank"
    now = "shows it too" if is_yank else "no longer says that it was withdrawn"
    before = "shows it already" if is_yank else "does not say that it was withdrawn"
    cards = {
        "committed": f"The card of {banner.repository} {now} (commit {(banner.commit or '')[:12]}).",
        "unchanged": f"The card of {banner.repository} {before}.",
        "left out": f"The card of {banner.repository} was not looked at.",
        "pending": f"The card of {banner.repository} is not changed yet.",
        "lost": f"The card of {banner.repository} is not changed.",
    }
    also = at_mirrors(done.mirrors)
    call.output.answer(data, f"{done.model.name} {version} {words}. {cards[banner.state]}{also}")
    # Also if nothing changed: an earlier run may have reached only the card.
    if banner.state in ("committed", "unchanged"):
        collection.keep(call.settings, hub_of_settings(call.settings, quick=True), call.output)
    if banner.state == "pending":
        call.output.warn(
            f"The card is pending: {banner.why} Run the same command again when the hub can be reached"
            f"{'. It then also brings the collection up to date' if call.settings.collection else ''}."
        )
    if banner.state == "lost":
        call.output.warn(f"The card is not changed: {banner.why}")
    if done.elsewhere:
        call.output.warn(
            f"{' and '.join(done.elsewhere)} also serve{'s' if len(done.elsewhere) == 1 else ''} this version. The "
            "card there was not looked at, because --hub names another hub. Run the same command without --hub"
        )
    for hub, one in done.mirrors:
        if one.state == "lost":
            call.output.warn(f"The card of the mirror {one.repository} on {hub} is not changed: {one.why}")
        if one.state == "pending":
            flag = "that flag" if hub == A_FOLDER else f"--hub {shlex.quote(hub)}"
            call.output.warn(
                f"The card of the mirror {one.repository} on {hub} is not changed yet: {one.why} Run the same command "
                f"again with: {flag}"
            )
