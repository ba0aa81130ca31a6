"""What a view is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

from zoo.forms.commands import Forms, NoForms
from zoo.runs.reader import Known
from zoo.settings import Settings

DEVICE = "pi-5-4gb"
"""The board that files are recommended for, if none is named."""


@dataclass(frozen=True)
class Asked:
    """name: what the view is about; empty where the view chooses. device: the id of a device profile. known: runs that
    are over, which need not be read again. forms: of the commands."""

    settings: Settings
    name: str = ""
    device: str = DEVICE
    known: Known = field(default_factory=dict, repr=False, compare=False)
    forms: Forms = field(default_factory=NoForms, repr=False, compare=False)
