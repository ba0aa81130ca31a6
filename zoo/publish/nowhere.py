"""The error for a person who names a hub that the catalog does not record for a model."""

from __future__ import annotations

from catalog.release import Model
from zoo import addresses, commandline
from zoo.errors import InputError
from zoo.hub import FolderHub, Hub
from zoo.hub.located import here
from zoo.hub.spoken import as_argument, of_hub, spoken
from zoo.settings import Settings


def refusal(model: Model, hub: Hub, settings: Settings) -> InputError:
    """The error that names the recorded hubs, and how to record this one if that is possible. model: with the folders
    of places in other folders than ``hub``, as ``as_here`` gives it."""
    places = [(place, place != one.location) for one in model.releases for place in one.places()]
    hubs = sorted({as_argument(spoken(place, settings, mirror=mirror)) for place, mirror in places})
    at = of_hub(hub, settings)
    asked = here([], hub)
    why = "and the hub has none of its commits either"
    if any(asked.has(place) for place, _ in places):
        why = "only at another place with the same commits"
    publish = commandline.of(settings, "publish", model.name)
    second = f"{publish('--mirror')} (a second place), or "
    # One folder can be recorded, so a second one cannot be a mirror.
    if isinstance(hub, FolderHub) and any(not addresses.is_http(place.hub) for place, _ in places):
        second = ""
    return InputError(
        f"the catalog records no version of {model.name} at {at}, {why}",
        safe="Nothing was changed.",
        remedy=f"Name one of these with --hub: {', '.join(hubs)}. To record {at} {'too' if second else 'instead'}, "
        f"publish there with: {second}{publish('--move')}{' (instead)' if second else ''}",
    )
