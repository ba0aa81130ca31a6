"""The charts of a model, for its page, and a page for each device that compares all models on it. Each chart has its
sentences and its CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import TypedDict

from markupsafe import Markup

from catalog import device as devices
from catalog import guessing, jsontext
from catalog.device import Device
from catalog.release import Model, Release
from catalog.shapes import shaped
from zoo.choose import candidates, pick, ranking
from zoo.choose.candidates import Wish
from zoo.choose.speeds import by
from zoo.site.pages import charts, links, offers
from zoo.site.pages.charts import Chart, File
from zoo.site.pages.charts.runs import Bench
from zoo.site.pages.chooser import BOARD, families
from zoo.site.pages.frame import framed
from zoo.site.pages.kinds import Evidence, Files, Kind, Made, Releases, Site
from zoo.site.pages.kinds import Facts as EveryFacts
from zoo.site.pages.page import Page, fill

_PATH = "pictures/"
_DESCRIPTION = "Right answers against decode speed of every file on {}, with the data as CSV."


class _Distilled(TypedDict):
    """What is drawn of the report of a training."""

    loss_curve: list[dict[str, float]]


class Facts(TypedDict):
    """Of one model: the files of its current release that were probed. scores: type -> [probe, language or "", right,
    asked]; speeds: device -> type -> [tokens/s, 1 if measured], for files that fit."""

    name: str
    experimental: bool
    scores: dict[str, list[tuple[str, str, int, int]]]
    speeds: dict[str, dict[str, tuple[float, int]]]


def of_release(model: Model, release: Release, found: Evidence) -> list[Chart]:
    """The charts of one release for which its evidence has data; links are from the page of the model."""
    loss = links.evidence_page(model.name, release, "evaluation.json")
    drawn = charts.points(release, f"../../{loss}" if loss else None)

    def training() -> Chart | None:
        report = shaped(jsontext.parse(found(release.version, "distill-report.json") or b"null"), _Distilled)
        return charts.training_loss(report["loss_curve"])

    every = [
        charts.loss_by_size(drawn),
        charts.loss_by_speed(drawn),
        _drawn(training),
        _drawn(lambda: samples(model, release, found, "../../")),
    ]
    return [chart for chart in every if chart]


def samples(model: Model, release: Release, found: Evidence, root: str) -> Chart | None:
    """Every counted sample of the release's speed measurements."""
    reports: dict[str, Bench] = {}
    urls: dict[str, str] = {}
    for file in release.files:
        for speed in file.speeds:
            if report := _parsed(found(release.version, speed.evidence)):
                label = file.type if len(file.speeds) == 1 else f"{file.type}, {speed.device}{by(speed)}"
                reports[label] = report
                if page := links.evidence_page(model.name, release, speed.evidence):
                    urls[label] = root + page
    return charts.decode_samples(reports, urls)


def figures(drawn: Sequence[Chart], folder: str) -> Markup:
    """The HTML of charts with their CSV files in ``folder``, as seen from the page."""
    return Markup(fill("figures.html", charts=drawn, folder=folder))


def files(drawn: Sequence[Chart], folder: str) -> dict[str, str | bytes]:
    """The CSV files of charts by path on the site."""
    return {f"{folder}{chart.id}.csv": chart.csv for chart in drawn}


def _drawn(draw: Callable[[], Chart | None]) -> Chart | None:
    """None for evidence that is missing or of a form that this program does not write: such figures have no chart."""
    try:
        return draw()
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
        return None


def _parsed(content: bytes | None) -> Bench | None:
    try:
        return shaped(jsontext.parse(content or b"null"), Bench)
    except ValueError:
        return None


def _each(model: Model, site: Site, found: Evidence) -> Made:
    del site, found
    release = pick.current(model)
    probed = [file for file in release.files if file.probes] if release else []
    facts: Facts = {"name": model.name, "experimental": model.experimental, "scores": {}, "speeds": {}}
    if not release or not probed or release.architecture.context_tokens < 1:
        return Made({}, facts)
    for file in probed:
        facts["scores"][file.type] = [(s.probe, s.language or "", s.correct, s.total) for s in file.probes]
    context = min(pick.CONTEXT_TOKENS, release.architecture.context_tokens)
    for device in devices.DEVICES:
        wish = Wish(device, context)
        fitting = [one for one in candidates.of(probed, release.architecture, wish) if one.fits(wish)]
        facts["speeds"][device.id] = {
            one.file.type: (float(f"{one.speed.typical:.4g}"), int(one.speed.measured)) for one in fitting
        }
    return Made({}, facts)


def _whole(facts: Sequence[EveryFacts], site: Site, releases: Releases) -> Files:
    mine: list[Facts] = [fact["pictures"] for fact in facts]
    usual = ranking.usual_probes(offers.entries(offers.of_all(facts), releases))
    scores, guessed = [_scores(one, usual) for one in mine], _guessed_percent(mine, usual)
    made: dict[str, str | bytes] = {}
    for device in devices.DEVICES:
        path = device_path(device.id)
        found = [file for pair in zip(mine, scores, strict=True) for file in _files(*pair, device.id)]
        chart = _chart(found, device, guessed)
        html = fill(
            "pictures.html", device=device, families=families(), url=device_path, root="../" * path.count("/"),
            figures=figures([chart] if chart else [], ""), drawn=bool(chart),
        )  # fmt: skip
        page = Page(f"Charts: {device.name}", _DESCRIPTION.format(device.name), html, ())
        made[f"{path}index.html"] = framed(page, path, site)
        made |= files([chart] if chart else [], path)
    return made


def device_path(id_: str) -> str:
    """The page of charts of a device, from the site's root."""
    return _PATH if id_ == BOARD else f"{_PATH}{id_}/"


def _guessed_percent(mine: Sequence[Facts], usual: Set[tuple[str, str]]) -> float:
    """Right answers to the usual probes by guessing, in %."""
    every = (score for one in mine for scores in one["scores"].values() for score in scores)
    asked = {(probe, language): total for probe, language, _, total in every}
    by_guessing = sum(guessing.expected(key[0], asked[key]) for key in sorted(usual))
    return 100 * by_guessing / (sum(asked[key] for key in usual) or 1)


def _chart(found: Sequence[File], device: Device, guessed: float) -> Chart | None:
    return _drawn(lambda: charts.trade_off(device.name, found, guessed)) if found else None


def _scores(one: Facts, usual: Set[tuple[str, str]]) -> dict[str, tuple[int, int]]:
    """Type -> right answers to the usual probes, and all, of a model's files that were tested with them."""
    found = {}
    for type_, rows in one["scores"].items():
        scores = {(probe, language): (correct, total) for probe, language, correct, total in rows}
        if usual and usual <= scores.keys():
            correct, total = (sum(scores[key][n] for key in usual) for n in (0, 1))
            if total:
                found[type_] = correct, total
    return found


def _files(one: Facts, scores: Mapping[str, tuple[int, int]], device: str) -> Iterator[File]:
    """The files of a model that fit the device. scores: as of ``_scores``."""
    speeds = one["speeds"].get(device)
    if not speeds:
        return
    url = f"{_root(device)}models/{one['name']}/"
    for type_, (speed, measured) in speeds.items():
        if speed > 0 and type_ in scores:
            yield File(one["name"], type_, url, speed, bool(measured), *scores[type_], one["experimental"])


def _root(device: str) -> str:
    return "../" * device_path(device).count("/")


KIND = Kind("pictures", _each, _whole, needs=("pictures", "offers"))
