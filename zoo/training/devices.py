"""Whether a training can have the device that the settings name."""

from __future__ import annotations

import torch

from catalog.words import counted


def fault(device: str, processes: int) -> tuple[str, str]:
    """Why so many processes cannot train on ``device`` (cpu, cuda or cuda:1), and what to do; "" and "" if they can."""
    if device == "cpu":
        return "", ""
    cards = torch.cuda.device_count()
    kind, _, number = device.partition(":")
    if not cards:
        why = "finds no GPU" if torch.version.cuda or torch.version.hip else "was built without support for GPUs"
        return f"the device is {device}, but torch {why} here", "train with --device cpu, or where torch finds a GPU"
    if number and int(number) >= cards:
        what = f"the device is {device}, but torch finds {counted(cards, 'GPU')} here"
        return what, f"name one from {kind}:0 to {kind}:{cards - 1}"
    own = 1 if number else cards
    if processes > max(1, own):
        what = f"{processes} processes need a GPU each, but the device {device} has {own}"
        every = ", or use --device cuda for all GPUs of this machine" if number else ""
        return what, f"lower the setting processes{every}"
    return "", ""
