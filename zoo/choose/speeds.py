"""How fast a file decodes on a device: measured there or on a device of the same kind, else predicted. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from catalog import device as devices
from catalog.device import Device
from catalog.memory import KV_TYPE
from catalog.release import Architecture, ModelFile, Speed
from catalog.words import counted, rate
from zoo.choose import roofline
from zoo.choose.roofline import Prediction


@dataclass(frozen=True)
class DecodeSpeed:
    """Decode speed in tokens per second: measured on this device or on one with the same processor and bandwidth, else
    predicted. The words say which. source: the measurement."""

    measured: bool
    low: float
    typical: float
    high: float
    words: str
    prediction: Prediction
    source: Speed | None = None


def place_name(device_id: str) -> str:
    """The name of a known device, else its id: catalogs also have measurements of other machines."""
    found = devices.find(device_id)
    return found.name if found else device_id


def by(speed: Speed) -> str:
    """``, by NAME`` for a measurement that somebody shared."""
    return f", by {speed.by}" if speed.by else ""


def speed_of(
    file: ModelFile, architecture: Architecture, device: Device, context_tokens: int, kv: str = KV_TYPE
) -> DecodeSpeed:
    """The best valid speed that was measured on this device, else on a sister, if the memory allows it; else the
    prediction. A measurement counts for every context length and type of the cache."""
    prediction = roofline.predict(file, architecture, device, context_tokens, kv)
    refused = ""
    for speed in _measured(file, device):
        value = speed.decode_tokens_per_second
        verdict = roofline.plausible(value, prediction)
        if verdict.kept:
            where = place_name(speed.device)
            kin = "" if speed.device == device.id else " (same processor)"
            words = f"measured {rate(value)} tokens/s on {where}{kin}, {counted(speed.threads, 'thread')}{by(speed)}"
            return DecodeSpeed(True, value, value, value, words + refused, prediction, speed)
        refused = refused or f" (a measurement is ignored: {verdict.sentence.rstrip('.')})"
    low, typical, high = prediction.low, prediction.typical, prediction.high
    return DecodeSpeed(False, low, typical, high, prediction.words + refused, prediction)


def typical(
    file: ModelFile, architecture: Architecture, device: Device, context_tokens: int, kv: str = KV_TYPE
) -> float:
    """``speed_of(...).typical`` alone, for many files."""
    if file.speeds and _measured(file, device):
        return speed_of(file, architecture, device, context_tokens, kv).typical
    return roofline.typical(file, architecture, device, context_tokens, kv)


def _measured(file: ModelFile, device: Device) -> list[Speed]:
    """Valid speeds of this device, then of its sisters; of each the fastest first."""
    kin = devices.sisters(device.id)
    valid = sorted((one for one in file.speeds if one.valid), key=lambda one: -one.decode_tokens_per_second)
    return [s for s in valid if s.device == device.id] + [s for s in valid if s.device in kin]
