"""Charts of a catalog as SVG, each with its text alternative and its data as CSV. Pure.

The SVG goes into a page as it is: it has no styles, scripts or ids of its own, and takes its colours from classes in
``site/assets/charts.css``, so that it follows the page into dark and light. The same data give the same bytes.
"""

from __future__ import annotations

from zoo.site.pages.charts.chart import Chart
from zoo.site.pages.charts.loss import Point, loss_by_size, loss_by_speed, points
from zoo.site.pages.charts.runs import decode_samples, training_loss
from zoo.site.pages.charts.tradeoff import File, trade_off

__all__ = [
    "Chart",
    "File",
    "Point",
    "decode_samples",
    "loss_by_size",
    "loss_by_speed",
    "points",
    "trade_off",
    "training_loss",
]
