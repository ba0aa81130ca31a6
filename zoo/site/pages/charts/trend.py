"""Chart of a speed over time: every run, the band of what is usual, breaks between series, and changes."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup, escape

from catalog.history import Figure
from catalog.words import counted, rate
from zoo.choose.speeds import place_name
from zoo.history import tracks as tracks_room
from zoo.history import views
from zoo.history.tracks import SHORT, UNIT, Point, Series, Track
from zoo.site.pages.charts.chart import Chart
from zoo.site.pages.charts.svg import BOTTOM, TOP, Axis, Plot, around, axes, dot, line, short, svg, text
from zoo.site.pages.text import visible

_HEIGHT = 280.0
_STYLE = (
    "svg{font-family:sans-serif;color:#333;background:#fff}text{fill:#333;font-size:12px}.mid{text-anchor:middle}"
    ".end{text-anchor:end}.title{font-weight:700}path{fill:none;stroke:#00796b;stroke-width:1.5;"
    "vector-effect:non-scaling-stroke}.grid{stroke:#333;stroke-width:1;stroke-opacity:.16}"
    ".band{fill:#00796b;fill-opacity:.14;stroke:none}.level{stroke:#333;stroke-opacity:.6;stroke-dasharray:4 4}"
    ".best circle{fill:#00796b}.off circle{fill:#fff;stroke:#333}"
)
"""Of a picture outside of a page: that of ``site/assets/charts.css``, in its light colours."""


def trend(track: Track, figure: Figure) -> Chart:
    """One track, which has at least one run. Runs are at equal distances; their times are in the tooltips and the
    CSV."""
    places = {point.run.id: place for place, point in enumerate(track.points, 1)}
    plot = _plot(track, figure, len(places))
    parts = [axes(plot)]
    for number, series in enumerate(track.series):
        if number:
            parts.append(_break(plot, series, places[series.points[0].run.id]))
        parts += _drawn(plot, series, figure, places)
    title = f"{SHORT[figure].capitalize()} speed of {track.type} on {place_name(track.device)}"
    words = _words(track, figure)
    return Chart(
        f"trend-{SHORT[figure]}", title, svg(title, words, _HEIGHT, parts), views.as_csv([track]), words
    )


def alone(chart: Chart) -> str:
    """The picture as a file of its own."""
    head, begin, rest = str(chart.svg).partition(">")
    head = head.replace('width="100%"', 'width="720"')
    return f"{head}{begin}<style>{_STYLE}</style>{rest}\n"


def _plot(track: Track, figure: Figure, count: int) -> Plot:
    values = [point.run.median(figure) for point in track.points]
    for point in track.points:
        band = point.judged[figure].band if point.run.valid else None
        values += [band.low, band.high] if band else []
    return Plot(
        Axis("run, oldest first", 0.5, count + 0.5),
        Axis(f"{SHORT[figure]} speed, {UNIT}", *around(values, least=0), better="more"),
        _HEIGHT,
    )


def _drawn(plot: Plot, series: Series, figure: Figure, places: dict[str, int]) -> Iterator[str]:
    """Band, line, dots and changes of one series."""
    valid = series.valid
    with_band = [(point, band) for point in valid if (band := point.judged[figure].band)]
    if len(with_band) > 1:
        tops = [(_x(plot, point, places), plot.down(band.high)) for point, band in with_band]
        lows = [(_x(plot, point, places), plot.down(band.low)) for point, band in reversed(with_band)]
        yield line([*tops, *lows], "band", plot.height)
    spots = [(_x(plot, point, places), plot.down(point.run.median(figure))) for point in valid]
    if len(spots) > 1:
        yield line(spots, "curve", plot.height)
    for point in series.points:
        yield _spot(plot, point, figure, places)
    for change in series.changes[figure]:
        point = valid[change.place]
        yield text(f"{short(_x(plot, point, places))}%", TOP + 12, f"{change.share:+.0%}", "mid")


def _x(plot: Plot, point: Point, places: dict[str, int]) -> float:
    return plot.across(places[point.run.id])


def _spot(plot: Plot, point: Point, figure: Figure, places: dict[str, int]) -> str:
    """A dot; a run that is not valid is hollow and crossed out."""
    run, state = point.run, point.state(figure)
    speed = f"{run.at_utc[:10]}: {rate(run.median(figure))} {UNIT}, {state}"
    x, y = _x(plot, point, places), plot.down(run.median(figure))
    why = f" ({'; '.join(run.reasons)})" if not run.valid else ""
    marks = {"worse": "▼", "better": "▲"} if run.valid else {state: "×"}
    mark = text(f"{short(x)}%", y + (4 if not run.valid else 20), marks[state], "mid") if state in marks else ""
    return f'<g class="{"best" if run.valid else "off"}">{dot(x, y, speed + why, quiet=True)}{mark}</g>'


def _break(plot: Plot, series: Series, place: int) -> str:
    """A dashed line where runs cannot be compared with those before; what differs is in its tooltip."""
    x = short(plot.across(place - 0.5))
    title = escape(visible(f"not comparable with the runs before: {'; '.join(series.broke)}"))
    ends = f'x1="{x}%" x2="{x}%" y1="{TOP:g}" y2="{short(plot.height - BOTTOM)}"'
    return Markup('<line class="level" {}><title>{}</title></line>').format(Markup(ends), title)


def _words(track: Track, figure: Figure) -> str:
    points, newest = track.points, track.series[-1]
    broken = sum(not point.run.valid for point in points)
    first, last = points[0].run.at_utc[:10], points[-1].run.at_utc[:10]
    days = f"on {first}" if first == last else f"from {first} to {last}"
    said = [f"{counted(len(points), 'run')} {days}" + (f", {broken} not valid" if broken else "")]
    if newest.valid:
        one = newest.valid[-1]
        said.append(f"the newest valid one has {rate(one.run.median(figure))} {UNIT}")
        if band := one.judged[figure].band:
            said.append(f"usual is {rate(band.low)} to {rate(band.high)} {UNIT}")
    said += [views.alarm_words(alarm) for alarm in tracks_room.alarms(track) if alarm.figure == figure]
    said += [f"not comparable with earlier runs: {', '.join(newest.broke)}"] if newest.broke else []
    return "; ".join(said) + "."
