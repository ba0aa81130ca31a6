"""The chooser at the top of the front page: a first answer, and the form for other questions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from markupsafe import Markup

from catalog import device as devices
from catalog import memory
from catalog.device import Device
from zoo.choose import chooser, pick
from zoo.choose.chooser import Question
from zoo.site.pages import about, offers, way
from zoo.site.pages.answer import answer
from zoo.site.pages.kinds import Facts, Releases, Site
from zoo.site.pages.page import fill
from zoo.site.pages.text import visible

BOARD = "pi-5-4gb"
"""The device of the first answer."""

CONTEXTS = (512, 2048, 4096, 8192, 16_384, 32_768)
SCRIPTS = ("chooser.js",)


def families() -> list[tuple[str, list[Device]]]:
    """Devices by family."""
    return [(name, list(some)) for name, some in groupby(devices.DEVICES, lambda device: device.family)]


def fragment(facts: Sequence[Facts], site: Site, releases: Releases, root: str) -> Markup:
    """The form with the first answer; nothing for an empty catalog."""
    some = offers.of_all(facts)
    board = devices.find(BOARD)
    if not some or board is None:
        return Markup("")
    question = Question(board, pick.CONTEXT_TOKENS)
    ranked = chooser.rank(offers.entries(some, releases))
    found = chooser.choose(question, ranked)
    line = chooser.line(question, ranked)
    html = fill(
        "chooser.html",
        answer=answer(found, line, root, site, about.of_all(facts)),
        way=way.of(found, line),
        has_answer=found.answer is not None,
        board=board,
        families=families(),
        tasks=sorted({visible(one["task"]) for one in some}),
        languages=sorted({visible(language) for one in some for language in one["languages"]}),
        question=question,
        contexts=CONTEXTS,
        kv_types=memory.KV_TYPES,
        data=offers.data_url(some, site),
        site=site,
        root=root,
        limit=chooser.LOSS_LIMIT,
    )
    return Markup(html)
