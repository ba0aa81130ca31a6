"""Speeds that others published, against what is predicted for their machines. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from catalog import device as devices
from catalog import speeds
from catalog.device import Device, HeldOut
from catalog.release import Architecture, ModelFile
from catalog.speeds import PublicSpeed
from zoo.choose import roofline
from zoo.choose.roofline import Prediction

_DENSE = Architecture("llama", 0, 0, 0, 0, None)
"""Measurements are made with a nearly empty cache, so only the weights count."""

GRID_SECONDS = 0.0001
MOST_SECONDS = 0.02
"""Costs that the fit tries."""


@dataclass(frozen=True)
class Compared:
    """A measurement and its held-out prediction."""

    row: PublicSpeed
    device: Device
    predicted: HeldOut

    @property
    def within(self) -> bool:
        """Whether the measured speed is in the predicted range, as far as the source's digits show."""
        value, rounding = self.row["decode_tokens_per_second"], _half_digit(self.row["decode_tokens_per_second"])
        return self.predicted["low"] - rounding <= value <= self.predicted["high"] + rounding


def predict(row: PublicSpeed, device: Device) -> Prediction:
    """What is predicted for a row on that device, as for any file of that size."""
    file = ModelFile(
        "", row["type"], row["size_bytes"], "", 0.0, 0, 0, (), 0.0, 0.0, None, True, ()
    )
    return roofline.predict(file, _DENSE, device, 0)


def fit(rows: Sequence[PublicSpeed], engine: str) -> float:
    """The time per token that brings the typical predictions for machines of that engine nearest to the measurements:
    least squares of the logarithms, over a grid. In seconds."""
    mine = [(row, found) for row in rows if (found := devices.find(row["profile"])) and found.engine == engine]

    def error(cost: float) -> float:
        return sum(
            math.log(predict(row, replace(device, token_seconds=cost)).typical / row["decode_tokens_per_second"]) ** 2
            for row, device in mine
        )

    steps = range(round(MOST_SECONDS / GRID_SECONDS) + 1)
    return min((round(step * GRID_SECONDS, 4) for step in steps), key=error)


def held_out(rows: Sequence[PublicSpeed]) -> Iterator[HeldOut]:
    """For each row, what is predicted with costs that were fitted on all other rows."""
    for number, row in enumerate(rows):
        device = devices.find(row["profile"])
        assert device, row["profile"]
        others = [*rows[:number], *rows[number + 1 :]]
        found = predict(row, replace(device, token_seconds=fit(others, device.engine)))
        yield {name: float(f"{getattr(found, name):.5g}") for name in ("low", "typical", "high")}  # type: ignore[misc]


def compared() -> list[Compared]:
    """Every row with its device and the prediction of the last fit."""
    found = []
    for row, predicted in zip(speeds.published(), devices.fitted()["held_out"], strict=True):
        device = devices.find(row["profile"])
        assert device, row["profile"]
        found.append(Compared(row, device, predicted))
    return found


def _half_digit(value: float) -> float:
    """Half of the last digit that the source gives."""
    text = repr(value)
    return 0.5 if "." not in text or text.endswith(".0") else 0.5 * 10.0 ** -len(text.partition(".")[2])
