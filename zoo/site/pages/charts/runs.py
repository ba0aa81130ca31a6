"""Charts over steps and samples: the loss of a training, and every sample of the speed measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from catalog.words import counted
from zoo.site.pages.charts.chart import Chart, canvas, finish
from zoo.site.pages.text import visible

_DRAWN_AT_MOST = 400
"""Steps of a training that are drawn; of a longer training, evenly chosen steps. The CSV keeps every step."""


class _Sample(TypedDict):
    decode_tokens_per_second: float | None


class Bench(TypedDict):
    """What is drawn of a benchmark report."""

    valid: bool
    samples: list[_Sample]


def training_loss(curve: Sequence[Mapping[str, float]]) -> Chart | None:
    """Loss in nats per assistant token over optimizer steps; ``curve`` has {step, loss, learning_rate} per step."""
    steps = [(int(entry["step"]), float(entry["loss"])) for entry in curve]
    if len(steps) < 2:
        return None
    stride = max(1, len(steps) // _DRAWN_AT_MOST)
    drawn = [*steps[:-1][::stride], steps[-1]]
    drawing = canvas(x_title="optimizer step", y_title="loss in nats per token")
    drawing.add("loss", drawn, stroke=True, show_dots=len(drawn) <= 60, dots_size=2.5)
    least = min(steps, key=lambda pair: pair[1])
    text = (
        f"The training loss went from {steps[0][1]:.3g} nats at step {steps[0][0]} to {steps[-1][1]:.3g} at step "
        f"{steps[-1][0]}; the lowest value was {least[1]:.3g} at step {least[0]}."
    )
    rows: list[list[object]] = [["step", "loss_nats", "learning_rate"]]
    rows += [[entry["step"], entry["loss"], entry.get("learning_rate")] for entry in curve]
    return finish("training-loss", "Training loss", drawing, rows, text)


def decode_samples(reports: Mapping[str, Bench]) -> Chart | None:
    """One strip per file: decode speed of every counted sample. ``reports``: label -> bench report, top strip first."""
    strips = {
        label: [s["decode_tokens_per_second"] for s in report["samples"] if s["decode_tokens_per_second"]]
        for label, report in reports.items()
    }
    strips = {label: speeds for label, speeds in strips.items() if speeds}
    if not strips:
        return None
    labels = list(strips)
    valid = {label: bool(reports[label]["valid"]) for label in labels}
    heights = {label: len(labels) - i for i, label in enumerate(labels)}
    drawing = canvas(
        90 + 44 * len(labels),
        x_title="decode speed in tokens per second",
        y_labels=[{"value": heights[label], "label": _name(label, valid[label])} for label in labels],
        range=(0.5, len(labels) + 0.5),
        xrange=(0, max(max(speeds) for speeds in strips.values()) * 1.05),
        dots_size=5,
    )
    drawing.add("valid", [(v, heights[label]) for label in labels if valid[label] for v in strips[label]])
    drawing.add(
        "disturbed", [(v, heights[label]) for label in labels if not valid[label] for v in strips[label]]
    )
    rows: list[list[object]] = [["file", "sample", "decode_tokens_per_second", "valid"]]
    for label in labels:
        rows += [[label, i, v, "yes" if valid[label] else "no"] for i, v in enumerate(strips[label], 1)]
    return finish(
        "decode-samples", "Every measured sample of decode speed", drawing, rows, _words(strips, valid)
    )


def _name(label: str, valid: bool) -> str:
    """The label of a strip; not everybody can see from the colour alone that its run was disturbed."""
    return visible(label)[:24] if valid else f"{visible(label)[:13]}, disturbed"


def _words(strips: Mapping[str, Sequence[float]], valid: Mapping[str, bool]) -> str:
    parts = []
    for label, speeds in strips.items():
        disturbed = "" if valid[label] else ", disturbed, so not valid"
        parts.append(
            f"{visible(label)}: {counted(len(speeds), 'sample')} from {min(speeds):.1f} to "
            f"{max(speeds):.1f} tokens/s{disturbed}"
        )
    return "; ".join(parts) + "."
