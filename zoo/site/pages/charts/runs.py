"""Charts over steps and samples: the loss of a training, and every sample of the speed measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from catalog.words import counted
from zoo.site.pages.charts.chart import Chart, as_csv
from zoo.site.pages.charts.svg import TOP, Axis, Plot, around, axes, dot, line, number, svg, text
from zoo.site.pages.text import shortened, visible

_DRAWN_AT_MOST = 400
"""Steps of a training that are drawn; of a longer training, evenly chosen steps. The CSV keeps every step."""

_STRIP = 44.0
"""Height of the strip of one file, in px."""


class _Sample(TypedDict):
    decode_tokens_per_second: float | None


class Bench(TypedDict):
    """What is drawn of a benchmark report."""

    valid: bool
    samples: list[_Sample]


def training_loss(curve: Sequence[Mapping[str, float]]) -> Chart | None:
    """Loss in nats per assistant token over optimizer steps; ``curve`` has {step, loss, learning_rate} per step."""
    steps = [(int(entry["step"]), float(entry["loss"])) for entry in curve]
    if len(steps) < 3:
        return None
    stride = max(1, len(steps) // _DRAWN_AT_MOST)
    drawn = [*steps[:-1][::stride], steps[-1]]
    plot = Plot(
        Axis("training step", *around([step for step, _ in drawn], least=0)),
        Axis("loss, nats per token", *around([loss for _, loss in drawn], least=0), better="less"),
        300,
    )
    points = [(plot.across(step), plot.down(loss)) for step, loss in drawn]
    least = min(steps, key=lambda pair: pair[1])
    words = (
        f"The training loss went from {steps[0][1]:.3g} nats at step {steps[0][0]} to {steps[-1][1]:.3g} at step "
        f"{steps[-1][0]}; the lowest value was {least[1]:.3g} at step {least[0]}."
    )
    rows: list[list[object]] = [["step", "loss_nats", "learning_rate"]]
    rows += [[entry["step"], entry["loss"], entry.get("learning_rate")] for entry in curve]
    picture = svg("Training loss", "", plot.height, [axes(plot), line(points, "curve", plot.height)])
    return Chart("training-loss", "Training loss", picture, as_csv(rows), words)


def decode_samples(reports: Mapping[str, Bench], urls: Mapping[str, str] | None = None) -> Chart | None:
    """One strip per file: decode speed of every counted sample. ``reports``: label -> bench report, top strip first;
    ``urls``: label -> page of its evidence."""
    strips = {
        label: [s["decode_tokens_per_second"] for s in report["samples"] if s["decode_tokens_per_second"]]
        for label, report in reports.items()
    }
    strips = {label: speeds for label, speeds in strips.items() if speeds}
    if not strips:
        return None
    valid = {label: bool(reports[label]["valid"]) for label in strips}
    words, title = _words(strips, valid), "Every measured sample of decode speed"
    parts = _strips(strips, valid, urls or {})
    rows: list[list[object]] = [["file", "sample", "decode_tokens_per_second", "valid"]]
    for label, speeds in strips.items():
        rows += [[label, i, v, "yes" if valid[label] else "no"] for i, v in enumerate(speeds, 1)]
    picture = svg(title, words, TOP + _STRIP * len(strips) + 46, parts)
    return Chart("decode-samples", title, picture, as_csv(rows), words)


def _strips(
    strips: Mapping[str, Sequence[float]], valid: Mapping[str, bool], urls: Mapping[str, str]
) -> list[str]:
    """The name of a file, and under it its samples."""
    height = TOP + _STRIP * len(strips) + 46
    most = max(max(speeds) for speeds in strips.values())
    plot = Plot(Axis("tokens/s", 0, most * 1.05, better="more"), None, height)
    made = [axes(plot)]
    for place, (label, speeds) in enumerate(strips.items()):
        top = TOP + _STRIP * place
        named = shortened(visible(label), 40) + ("" if valid[label] else " (not valid)")
        made.append(text("0", top + 8, named))
        dots = (
            dot(plot.across(speed), top + 24, f"{label}, sample {i}: {number(round(speed, 2))} tokens/s",
                urls.get(label), quiet=i > 1)
            for i, speed in enumerate(speeds, 1)
        )  # fmt: skip
        made.append(f'<g class="{"best" if valid[label] else "off"}">{"".join(dots)}</g>')
    return made


def _words(strips: Mapping[str, Sequence[float]], valid: Mapping[str, bool]) -> str:
    parts = []
    for label, speeds in strips.items():
        disturbed = "" if valid[label] else ", not valid"
        parts.append(
            f"{visible(label)}: {counted(len(speeds), 'sample')} from {min(speeds):.1f} to "
            f"{max(speeds):.1f} tokens/s{disturbed}"
        )
    return "; ".join(parts) + "."
