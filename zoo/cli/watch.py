"""zoo watch"""

from __future__ import annotations

from pathlib import Path

import click

from catalog import plainfiles
from catalog import watch as reports
from catalog.index import Catalog
from catalog.recipe import plain
from catalog.watch import Report
from catalog.words import counted
from zoo import catalogfile, commandline
from zoo.cli.answers import today
from zoo.cli.common import Call, options
from zoo.commandline import TAKES
from zoo.errors import ZooError
from zoo.files.whole import write_alone
from zoo.hub.folders import Folders
from zoo.hub.interface import Described
from zoo.hub.located import hub_of_settings, is_recorded
from zoo.pull.arriving import some
from zoo.settings import Settings
from zoo.upkeep import collection, watch
from zoo.upkeep.upstream import is_upstream


@click.command()
@options(*TAKES["watch"])
@click.option("--no-upstream", is_flag=True, help="Do not check the upstream models of the releases.")
@click.option("--full", is_flag=True, help="Read every byte of every release back, which downloads all of them.")
def command(call: Call, no_upstream: bool, full: bool) -> int:
    """Compare what the hub serves with what the catalog records: every file by the digest that the hub lists.

    Also found: files on the main branch that no release has, and a card that is neither the released one nor a recorded
    correction of it. Weights are not downloaded, unless --full is given, which reads every byte.

    Writes watch.json into the evidence folder, which the site shows. No record is changed. Exit code 3 if something
    differs, 1 if a place of a release, such as a mirror, could not be checked.
    """
    settings = call.settings
    catalog = catalogfile.read(settings)
    if not catalog.models:
        raise ZooError("there is nothing to watch", remedy="Release something first: zoo release NAME")
    path = settings.evidence / reports.FILE
    how = watch.How(None if no_upstream else _ask, full)
    found = watch.look(catalog, settings, today(), _before(path), call.output, how)
    is_public = _is_of_recorded_hubs(catalog, settings)
    if is_public:
        write_alone(path, reports.to_text(reports.worded(found, Folders(settings).public)))
    badge = reports.badge(found)
    differs = _collection(call, settings)
    lines = [f"DRIFT {one.name} {one.version}: {one.what}. {one.repair}" for one in found.findings]
    lines += differs
    report = f"The report is {settings.shown(path)}"
    if not is_public:
        report = f"No report was written, because the catalog does not record {settings.hub}"
    lines.append(f"{badge.words[0].upper()}{badge.words[1:]}. {report}.")
    lines += _mirrors(catalog, settings, found)
    if found.files:
        again = commandline.line(settings, "watch", *(("--no-upstream",) if no_upstream else ()), "--full")
        lists = f"The hub's own lists were compared. To read every byte: {again}"
        lines.append("Their bytes were read, not only the lists of the hub." if full else lists)
    shown = settings.shown(path) if is_public else None
    data = {**plain(found), "full": full, "collection": differs, "badge": vars(badge), "report": shown}
    call.output.answer(data, "\n".join(lines))
    missed: dict[str, list[str]] = {}
    for one in found.unchecked:
        missed.setdefault(one.why, []).append(one.what)
    for why, names in missed.items():
        call.output.warn(f"could not be checked: {some(names)}: {why}")
    if found.findings or differs:
        return 3
    # An upstream that does not answer says nothing of this zoo's own places.
    return 0 if found.files and all(is_upstream(one) for one in found.unchecked) else 1


def _is_of_recorded_hubs(catalog: Catalog, settings: Settings) -> bool:
    """Whether what is looked at is what the catalog records. Everybody reads the report, and a copy tells nothing about
    what they get."""
    if not settings.values["hub"].origin.startswith("flag"):
        return True
    releases = [one for model in catalog.models for one in model.releases]
    return is_recorded(releases, hub_of_settings(settings, quick=True), settings)


def _mirrors(catalog: Catalog, settings: Settings, found: Report) -> list[str]:
    """Whether the mirrors were looked at, in at most one line."""
    mirrors = sum(len(one.mirrors or ()) for model in catalog.models for one in model.releases)
    if not mirrors:
        return []
    if settings.values["hub"].origin.startswith("flag"):
        return ["Other places of these releases were not looked at, because --hub names one hub."]
    looked = mirrors - watch.unseen_mirrors(catalog, found, settings)
    if not looked:
        return ["No mirror could be looked at."]
    return [f"{counted(looked, 'mirror')} {'was' if looked == 1 else 'were'} looked at too."]


def _ask(repository: str, revision: str | None) -> Described:
    # Imported late, because it imports the Hub client.
    from zoo.hub.huggingface.upstream import default_address, upstream

    return upstream(repository, revision, default_address())


def _before(path: Path) -> Report | None:
    """The last report; None also for a damaged one."""
    try:
        return reports.parse(plainfiles.read_text(path), path.name)[0]
    except (OSError, ValueError):
        return None


def _collection(call: Call, settings: Settings) -> list[str]:
    """What the zoo's collection lacks, in at most one line."""
    try:
        found = collection.stale(settings, hub_of_settings(settings, quick=True))
    except (ZooError, OSError) as error:
        call.output.warn(f"could not be checked: the collection: {error}")
        return []
    if found is None:
        return []
    what = "; ".join(found.changes[:5]) + ("; and more" if len(found.changes) > 5 else "")
    how = f"If your catalog is the newest, repair it with: {commandline.line(settings, 'collection')}"
    return [f"DRIFT the collection {settings.collection!r} is not what the catalog says: {what}. {how}"]
