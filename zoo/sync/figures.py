"""Sentences and tables of ``benchmarks/README.md``, made from the documents in ``benchmarks/results``.

Each function gets the repository's folder and returns Markdown.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from catalog.jsontext import Json, NotJson, parse
from catalog.words import data_size
from zoo.sync.derived import Disagrees

_RESULTS = "benchmarks/results"
_PAIRS = (
    "help_time", "noop_release", "labelling", "kd_step", "decode", "ladder", "publish", "pull", "catalog_size",
    "catalog_size_1000",
)  # fmt: skip
"""Results in the order of the table; what has a ratio and is not named here comes last."""

_UNITS = {
    "tokens_per_second": ("tokens/s", 1.0), "rows_per_second": ("rows/s", 1.0), "bytes_per_cpu_second": ("MB/s", 1e6),
    "texts_per_cpu_second": ("thousand texts/s", 1e3),
}  # fmt: skip
"""What the name of a figure ends with -> its unit, and how many of its numbers are one of it; others are seconds."""
_FOR_MACHINES = (".json", ".csv", ".atom", ".txt", "/*")
"""Endings of the site's files that programs read."""


class Result:
    """One document of results, read by paths such as ``settings:memory:limit_bytes``."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = f"{_RESULTS}/{name}.json"
        try:
            self.data: Json = parse((root / self.name).read_bytes())
        except (OSError, NotJson) as error:
            raise Disagrees(f"the result cannot be read: {error}", where=self.name) from error

    def at(self, path: str) -> Json:
        """What is at a path; raises Disagrees if nothing is."""
        found = self.data
        for part in path.split(":"):
            inside = (
                found[int(part)]
                if isinstance(found, list)
                else found.get(part)
                if isinstance(found, dict)
                else None
            )
            if inside is None:
                raise Disagrees(f"the result has no {path}", where=self.name)
            found = inside
        return found

    def number(self, path: str) -> float:
        """The number at a path; raises Disagrees if it is not one."""
        found = self.at(path)
        if isinstance(found, bool) or not isinstance(found, (int, float)):
            raise Disagrees(f"{path} is not a number", where=self.name)
        return float(found)

    def has(self, key: str) -> bool:
        return isinstance(self.data, dict) and key in self.data

    def table(self, path: str) -> dict[str, float]:
        """The object of numbers at a path."""
        found = self.at(path)
        keys = found if isinstance(found, dict) else {}
        return {key: float(value) for key, value in keys.items() if isinstance(value, (int, float))}

    def median(self, path: str, key: str) -> float:
        """The median of ``key`` in the list at a path."""
        rows = self.at(path)
        length = len(rows) if isinstance(rows, list) else 0
        return statistics.median(self.number(f"{path}:{at}:{key}") for at in range(length))


def results(root: Path) -> str:
    """The table of comparisons: medians of both sides, and of the ratio."""
    found = {path.stem: Result(root, path.stem) for path in sorted((root / _RESULTS).glob("*.json"))}
    kept = {name: result for name, result in found.items() if result.has("ratio")}
    names = [*(name for name in _PAIRS if name in kept), *(name for name in kept if name not in _PAIRS)]
    lines = ["| name | A, median | B, median | median ratio |", "|---|---|---|---|"]
    for name in names:
        result = kept[name]
        if result.at("valid") is not True:
            raise Disagrees("a disturbed run is kept", where=result.name, remedy="Run the benchmark again")
        figure = str(result.at("figure"))
        unit, size = next((unit for end, unit in _UNITS.items() if figure.endswith(end)), ("s", 1.0))
        sides = [f"{short(result.number(f'{side}:{figure}:median') / size)} {unit}" for side in "ab"]
        lines.append(f"| `{name}` | {sides[0]} | {sides[1]} | {short(result.number('ratio:median'))} |")
    return "\n".join(lines)


def catalog_size(root: Path) -> str:
    """How long a record takes in a large catalog."""
    large = Result(root, "catalog_size")
    recorded, copied = (large.median("pairs", f"a:{key}_seconds") for key in ("record", "copy"))
    one = large.median("pairs", "b:record_seconds")
    size = large.number("settings:catalog_bytes:a") / 1e6
    models = large.number("settings:models")
    return (
        "A release looks at a large catalog in the same time as at one with a single model. The record writes the\n"
        f"complete file: {short(recorded)} s for {models:,.0f} models ({size:.0f} MB, of which a plain copy takes "
        f"{short(copied)} s), {short(one)} s for one."
    )


def publish(root: Path) -> str:
    """Requests, memory and time of a publication."""
    found = Result(root, "publish")
    ours, theirs = ([found.number(f"settings:counted:{who}:{when}:requests") for when in
                     ("first", "again", "one_card_edited")] for who in ("zoo", "hf upload"))  # fmt: skip
    sent = found.number("settings:counted:zoo:one_card_edited:sent_bytes")
    again = found.number("settings:counted:zoo:again:sent_bytes")
    memory, large = (
        found.number("settings:memory:peak_memory_bytes"),
        found.number("settings:memory:sparse_bytes"),
    )
    seconds = [found.number(f"settings:whole_processes:median_seconds:{who}") for who in ("zoo", "hf upload")]
    first, second, third = (f"{one:.0f}" for one in ours)
    return (
        f"`publish` asks {first} requests the first time, {second} again ({again:.0f} bytes sent) and {third} after "
        f"one edited card\n({sent:.0f} bytes); `hf upload` asks {_listed([f'{one:.0f}' for one in theirs])}. "
        f"A file of {data_size(large)} takes {data_size(memory)} of memory.\nAs whole processes, imports "
        f"included, ours takes {seconds[0]:.2f} s and `hf upload` {seconds[1]:.2f} s."
    )


def sites(root: Path) -> str:
    """The chooser, and the site of a large catalog."""
    chooser = Result(root, "chooser")
    grown, huge = Result(root, "catalog_growth"), Result(root, "catalog_growth_10000")
    millis = [short(chooser.number(f"answer_milliseconds:{key}"), 2) for key in ("median", "max")]
    page, data = (size / 1e3 for size in _loaded(chooser))
    built = [
        f"{short(one.number('figures:full_build_seconds'))} s from nothing, "
        f"{short(one.number('figures:changed_build_seconds'), 2)} s after one change, "
        f"{short(one.median('samples:unchanged_build', 'wall_seconds'), 2)} s after none"
        for one in (grown, huge)
    ]
    count, pages = chooser.number("answer_milliseconds:count"), grown.number("figures:pages_bytes")
    sizes = [one.number("figures:site_bytes") for one in (grown, huge)]
    kinds = grown.table("samples:bytes_by_kind")
    data_bytes = sum(
        size for kind, size in kinds.items() if kind.endswith(_FOR_MACHINES) and not kind.startswith("try/")
    )
    engine = sum(size for kind, size in kinds.items() if kind.startswith("try/"))
    return (
        f"`chooser`: {millis[0]} ms in the median of {count:.0f} answers, {millis[1]} ms the slowest; the first page "
        f"{page:.1f} kB gzipped,\nits data, loaded when somebody asks, {data:.0f} kB. `catalog_growth`: {built[0]};\n"
        f"pages with their pictures and styles {data_size(pages)}, the whole site {data_size(sizes[0])} (data for "
        f"machines {data_size(data_bytes)}, the engine\nof the try page {data_size(engine)}). With 10,000 "
        f"models: {built[1]}; "
        f"{huge.number('samples:full_build:pages'):,.0f} pages\nand {data_size(sizes[1])}; GitHub Pages takes 1 GB."
    )


def _loaded(chooser: Result) -> tuple[float, float]:
    """Bytes of the first page and of its data, gzipped. Older results have these two instead of each file's."""
    if isinstance(chooser.data, dict) and "gzip_bytes" in chooser.data:
        data = chooser.number("gzip_bytes:chooser.json")
        return chooser.number("first_answer_gzip_bytes") - data, data
    return chooser.number("first_page_gzip_bytes"), chooser.number("chooser_json_gzip_bytes")


def others(root: Path) -> str:
    """The table of results that compare no two speeds."""
    rows = [("budget_search", _budget(Result(root, "budget_search")))]
    rows.append(("budget_search --spread", _budget(Result(root, "budget_search_spread"))))
    memory = Result(root, "kld_memory")
    own, files = (memory.number(key) / 1e6 for key in ("beside_files_bytes", "files_bytes"))
    rows.append(("kld_memory", f"{own:.0f} MB, compared with the files' {files:.0f} MB"))
    agreed = Result(root, "kld_agreement")
    kinds = ("Q8_0", "Q5_0", "Q4_K_M", "Q4_0")
    ours, theirs = (
        ", ".join(f"{agreed.number(f'files:{kind}:kld_mean_nats:{who}'):.4f}" for kind in kinds)
        for who in ("ours", "theirs")
    )
    rows.append(("kld_agreement", f"KLD of {_listed(kinds)}: ours {ours}; llama-perplexity's {theirs}"))
    rows.append(("hub_choices", _hubs(Result(root, "hub_choices"))))
    return "\n".join(("| name | result |", "|---|---|", *(f"| `{name}` | {words} |" for name, words in rows)))


def _budget(found: Result) -> str:
    kld = {name: found.number(f"files:{name}:kld_mean_nats") for name in ("budget", "Q4_0 plain", "by hand")}
    error = found.number("files:budget:kld_mean_se_nats")
    size, plain = (found.number(f"files:{name}:size_bytes") / 1e6 for name in ("budget", "Q4_0 plain"))
    best = str(found.at("targets:best_fitting_preset:name"))
    predicted, measured = (found.number(f"search:{key}_kld_nats") for key in ("predicted", "measured"))
    ratio = found.number("targets:kld_ratio_to_plain_q4_0:value")
    preset = found.number("targets:best_fitting_preset:kld_mean_nats")
    return (
        f"KLD {kld['budget']:.4f} ± {error:.4f} nats at {size:.1f} MB on held-out text: {ratio:.3f} times plain Q4_0 "
        f"({kld['Q4_0 plain']:.3f} at {plain:.1f} MB). By hand {kld['by hand']:.3f}, the best preset that fits "
        f"({best}) {preset:.3f}. Predicted {predicted:.4f} on the search's text, measured there {measured:.4f}. "
        f"{found.number('seconds:all'):.0f} s"
    )


def _hubs(found: Result) -> str:
    names = ("ours", "aiohttp", "starlette")
    cpu = [found.median(f"servers:{name}:reads", "server_cpu_seconds") for name in names]
    memory = [found.number(f"servers:{name}:memory_bytes") / 1e6 for name in names]
    clients = [
        found.median(f"clients:{name}:ordinary", "memory_bytes") / 1e6 for name in ("ours", "hf_hub_download")
    ]
    servers = [
        f"{name} {short(used)} s and {size:.0f} MB"
        for name, used, size in zip(names, cpu, memory, strict=True)
    ]
    return (
        f"a server's median CPU time for 500 MB, and its memory: {', '.join(servers)}. Memory of a client: ours "
        f"{clients[0]:.0f} MB, `hf_hub_download` {clients[1]:.0f} MB"
    )


def short(value: float, digits: int = 3) -> str:
    """A number with that many digits, or all before the point: 0.0485, 6.55, 105.6."""
    return f"{value:.1f}" if value >= 100 else f"{value:.{digits}g}"


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"
