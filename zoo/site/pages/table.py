"""The table of every file of every model, in pages of a fixed length. ``site/assets/table.js`` sorts and filters it.

The rows that scripts make are those of the template; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from catalog import licences
from catalog.release import Model, ModelFile, Release, Speed, reference_words
from catalog.words import counted, rate
from zoo.choose import pick
from zoo.choose.domination import loss_words
from zoo.choose.speeds import by, place_name
from zoo.site.pages import offers
from zoo.site.pages.chooser import families
from zoo.site.pages.frame import framed
from zoo.site.pages.kinds import Evidence, Facts, Files, Kind, Made, Releases, Site
from zoo.site.pages.links import evidence_url
from zoo.site.pages.page import Page, fill, part, rooted
from zoo.site.pages.text import visible

LISTED = 100
"""Files on one page, and rows that a script shows at a time."""


@dataclass(frozen=True)
class Row:
    """One file of a current release. speed: the best valid measurement in words; more: how many others there are.

    kld: the loss in words. memory_bytes: predicted at CONTEXT_TOKENS or the model's own context; None if not known.
    """

    path: str
    type: str
    size_bytes: int
    bits_per_weight: float
    kld: str
    same_top: float | None
    memory_bytes: int | None
    speed: str
    evidence: str | None
    more: int
    beaten: str


def _each(model: Model, site: Site, evidence: Evidence) -> Made:
    del site, evidence
    current = pick.current(model)
    if current is None:
        return Made({}, None)
    # The figures of chooser.json, because rows that the browser makes must show the same.
    release = offers.rounded(current)
    beaten = pick.dominated(release)
    licence = licences.in_words(release.licence)
    rows = [
        _row(model.name, release, f, beaten[f.path].sentence if f.path in beaten else "")
        for f in release.files
    ]
    facts = {
        "name": model.name,
        "version": release.version,
        "task": model.task,
        "languages": list(model.languages),
        "licence": licence,
        "types": [row.type for row in rows],
        "rows": [
            part("table-row.html", model=model, version=release.version, licence=licence, row=row)
            for row in rows
        ],
    }
    return Made({}, facts)


def _row(name: str, release: Release, file: ModelFile, beaten: str) -> Row:
    valid = sorted((s for s in file.speeds if s.valid), key=lambda s: -s.decode_tokens_per_second)
    loss = file.loss
    return Row(
        path=file.path,
        type=file.type,
        size_bytes=file.size_bytes,
        bits_per_weight=file.bits_per_weight,
        kld=loss_words(file).removeprefix("mean KLD ").removesuffix(" nats") if loss else reference_words(release),
        same_top=loss.same_top_share if loss else None,
        memory_bytes=pick.need_bytes(file, release, pick.CONTEXT_TOKENS),
        speed=speed_words(valid[0]) if valid else "",
        evidence=evidence_url(name, release, valid[0].evidence) if valid else None,
        more=max(len(valid) - 1, 0),
        beaten=beaten,
    )


def speed_words(speed: Speed) -> str:
    """``39.8 tokens/s on Raspberry Pi 5, 8 GB, 4 threads, by Ada``."""
    threads = counted(speed.threads, "thread")
    return f"{rate(speed.decode_tokens_per_second)} tokens/s on {place_name(speed.device)}, {threads}{by(speed)}"


def _whole(facts: Sequence[Facts], site: Site, releases: Releases) -> Files:
    del releases
    some = [one[KIND.name] for one in facts if one[KIND.name]]
    choices = {
        "tasks": sorted({visible(one["task"]) for one in some}),
        "languages": sorted({visible(language) for one in some for language in one["languages"]}),
        "licences": sorted({visible(one["licence"]) for one in some}),
        "types": sorted({visible(type_) for one in some for type_ in one["types"]}),
    }
    rows = [row for one in some for row in one["rows"]]
    return dict(_pages(rows, choices, offers.data_url(offers.of_all(facts), site), site))


def _pages(
    rows: Sequence[str], choices: dict[str, list[str]], data: str, site: Site
) -> Iterator[tuple[str, str]]:
    batches = [rows[start : start + LISTED] for start in range(0, len(rows) or 1, LISTED)]
    for number, batch in enumerate(batches, 1):
        path = page_path(number)
        root = "../" * path.count("/")
        html = fill(
            "table.html",
            rows=rooted(batch, root),
            shown=len(batch),
            number=number,
            last=len(batches),
            count=len(rows),
            context=pick.CONTEXT_TOKENS,
            listed=LISTED,
            families=families(),
            data=data,
            site=site,
            root=root,
            path=page_path,
            **choices,
        )
        title = "All files" if number == 1 else f"All files, page {number}"
        page = Page(
            title, f"The {len(rows):,} files of this zoo with their loss, speed and memory.", html, ()
        )
        yield f"{path}index.html", framed(page, path, site, scripts=("table.js",) if rows else ())


def page_path(number: int) -> str:
    """The address of a page of the table."""
    return "files/" if number == 1 else f"files/{number}/"


KIND = Kind("files", _each, _whole, needs=("files", "offers"))
