"""zoo corpus"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path

import click

from catalog import shell
from catalog.words import counted
from zoo import commandline
from zoo.cli import findings, recordfiles
from zoo.cli.common import Call, options
from zoo.cli.corpusimport import import_
from zoo.cli.findings import Findings
from zoo.corpora import check as checks
from zoo.corpora.describe import GROUPS, Limit
from zoo.corpora.kinds import KINDS
from zoo.errors import InputError
from zoo.files.whole import write_atomic


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Work with files of records: prompts, conversations with tools, dialect records, labelled rows.

    These commands need no zoo, and read files of any size.
    """


command.add_command(import_)


@command.command(short_help="Check files of records; list every problem with its line.")
@options()
@findings.FORMAT
@click.option("--kind", type=click.Choice(tuple(KINDS)), help="Kind of the records. Without it, each file's first one.")
@click.option(
    "--max-errors", type=click.IntRange(1, 1_000_000), default=60, show_default=True,
    help="Problems that are listed; the others are counted.",
)  # fmt: skip
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def check(call: Call, paths: tuple[Path, ...], format_: str, kind: str | None, max_errors: int) -> int:
    """Check PATHS: JSON Lines (.jsonl), also compressed (.gz, .zst), or folders of such files.

    Every record must follow the schema and the rules of its kind, and no record may be in the files twice. Exit code 0
    if all are valid, 2 if there are problems.
    """
    files, problems = recordfiles.named(paths)
    with call.output.task("checking", sum(file.path.stat().st_size for file in files), "B") as advance:
        found = checks.check(files, KINDS[kind] if kind else None, max_errors, advance)
    problems += found.problems
    note = f" {counted(found.records.total(), 'valid record')}."
    if found.is_cut:
        note += f" {counted(found.bad_lines, 'line')} with problems in all; --max-errors lists more."
    data = {
        "checked": [file.shown for file in files],
        "records": dict(sorted(found.records.items())),
        "lines_with_problems": found.bad_lines,
        "repeated_records": found.repeated,
        "all_problems_listed": not found.is_cut,
    }
    again = " ".join(("zoo corpus check", *(shell.argument(str(path)) for path in paths)))
    return findings.answer(call, Findings(data, len(files), problems, note=note), format_, again)


@command.command(short_help="Find records that are nearly the same, or that held-out text has.")
@options()
@findings.FORMAT
@click.option(
    "--against", multiple=True, type=click.Path(path_type=Path),
    help="File or folder of held-out records, or of evaluation text (.txt). May be given several times.",
)  # fmt: skip
@click.option(
    "--threshold", type=click.FloatRange(0.5, 1), default=0.8, show_default=True,
    help="How much of two texts must be the same: shared pieces of five characters divided by all.",
)  # fmt: skip
@click.option(
    "--max-errors", type=click.IntRange(1, 1_000_000), default=60, show_default=True,
    help="Records that are listed; the others are counted.",
)  # fmt: skip
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def overlap(
    call: Call, paths: tuple[Path, ...], against: tuple[Path, ...], format_: str, threshold: float, max_errors: int
) -> int:
    """Find records of PATHS that are nearly the same as an earlier one. With --against: records that are nearly the
    same as one of the held-out files, or share eight words in a row with it.

    Exit code 0 if there are none, 2 if there are some.
    """
    from zoo.corpora import compare

    files, problems = recordfiles.named((*paths, *against))
    first = len(recordfiles.named(paths)[0])
    with call.output.task("reading", sum(file.path.stat().st_size for file in files), "B") as advance:
        found = compare.compare(files[:first], files[first:], threshold, max_errors, advance)
    data = {"texts": found.texts, "overlaps": found.found, "threshold": threshold}
    note = f" {counted(found.texts, 'text')} compared, {found.found} with an overlap."
    words = [*paths, *(one for path in against for one in ("--against", path))]
    again = " ".join(("zoo corpus overlap", *(shell.argument(str(word)) for word in words)))
    every = [*problems, *found.problems]
    return findings.answer(call, Findings(data, len(files), every, note=note), format_, again)


_SHARE = "GROUP:LABEL=SHARE"


@command.command(short_help="Show what records hold: languages, dialect, tags, forms, lengths.")
@options()
@click.option("--svg", type=click.Path(path_type=Path), help="Also write the shares as a picture into this file.")
@click.option(
    "--at-least", "least", multiple=True, metavar=_SHARE,
    help="End with exit code 2 if fewer records have a label, such as language:fr=0.45. May be given several times.",
)  # fmt: skip
@click.option("--at-most", "most", multiple=True, metavar=_SHARE, help="The same for too many.")
@click.option("--kind", type=click.Choice(tuple(KINDS)), help="Kind of the records. Without it, each file's first one.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def describe(
    call: Call, paths: tuple[Path, ...], svg: Path | None, least: tuple[str, ...], most: tuple[str, ...],
    kind: str | None,
) -> int:  # fmt: skip
    """Show how many records of PATHS have each language, feature of Québec French, tag, register and form.

    Languages and features are found by a program, and are right for most records, not for all. Exit code 2 if a share
    is not what --at-least and --at-most ask for; the answer says how many records to add.
    """
    from zoo.corpora import describe as room

    limits = [_limit(one, is_most=False) for one in least] + [_limit(one, is_most=True) for one in most]
    files, problems = recordfiles.named(paths)
    if problems:
        return findings.answer(call, Findings({}, len(files), problems), "human", "")
    with call.output.task("reading", sum(file.path.stat().st_size for file in files), "B") as advance:
        found = room.describe(files, KINDS.get(kind or ""), advance)
    missed = list(room.misses(found, limits))
    if svg:
        # Charts belong to the site, which the other commands do without.
        from zoo.site.pages.charts.coverage import coverage
        from zoo.site.pages.charts.trend import alone

        write_atomic(svg, alone(coverage(found, ", ".join(str(path) for path in paths))))
    data = room.report(found) | {"missed": [{"limit": str(m.limit), "add": m.change} for m in missed]}
    words = [room.as_text(found), *(f"\n{m.what}.\n  Fix: {m.remedy}." for m in missed)]
    call.output.answer(data, "\n".join(words))
    return 2 if missed else 0


def _limit(text: str, *, is_most: bool) -> Limit:
    """Raises InputError for what is not GROUP:LABEL=SHARE."""
    name, _, share = text.rpartition("=")
    group, _, label = name.partition(":")
    try:
        found = Fraction(share)
    except (ValueError, ZeroDivisionError):
        found = Fraction(-1)
    if group not in GROUPS or not label or not 0 <= found <= 1:
        raise InputError(
            f"{text} is not a share of records",
            remedy=f"Write {_SHARE}, such as language:fr=0.45; groups are {', '.join(GROUPS)}",
        )
    return Limit(group, label, found, is_most)


@command.command(short_help="Write the metadata of a folder of records as Croissant.")
@options()
@click.option("--version", metavar="X.Y.Z", help="Version of the corpus. Without it, that of the file that is there.")
@click.option("--date", metavar="YYYY-MM-DD", help="Day of the version; the same.")
@click.option("--url", help="Address where the corpus is published; the same.")
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit code 2 if the file is out of date.")
@click.argument("folder", type=click.Path(path_type=Path))
def croissant(
    call: Call, folder: Path, version: str | None, date: str | None, url: str | None, only_check: bool
) -> int:
    """Write croissant.json (Croissant 1.1) into FOLDER, from its card README.md and its files of records.

    Digests, shares, languages and what was found of personal data are computed. The same files give the same bytes.
    """
    from zoo.corpora import croissant as room

    before = room.made_before(folder)
    values = [
        given or (getattr(before, name) if before else None)
        for name, given in (("version", version), ("date", date), ("url", url))
    ]
    if not all(values):
        raise InputError(f"{folder} has no {room.FILE} yet", remedy="Give --version, --date and --url")
    text = room.as_text(folder, room.Made(*map(str, values)))
    path = folder / room.FILE
    if only_check:
        is_same = path.is_file() and path.read_bytes() == text.encode()
        again = f"is out of date. Write it again: zoo corpus croissant {shell.argument(str(folder))}"
        words = f"{path} {'is up to date.' if is_same else again}"
        call.output.answer({"file": str(path), "up_to_date": is_same}, words)
        return 0 if is_same else 2
    write_atomic(path, text)
    call.output.answer({"file": str(path)}, f"{path} is written.")
    return 0


@command.command(short_help="Replace personal data in files of records, with a report.")
@options()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New folder for the files and the report.")
@click.option(
    "--key", type=click.Path(path_type=Path),
    help="File with the secret key; made if it does not exist. Without it, the key is random and nobody keeps it.",
)  # fmt: skip
@click.option("--kind", type=click.Choice(tuple(KINDS)), help="Kind of the records. Without it, each file's first one.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def redact(call: Call, paths: tuple[Path, ...], out: Path, key: Path | None, kind: str | None) -> int:
    """Write the files of PATHS into a new folder, with a placeholder such as [EMAIL-k3v7q2xw5a] for e-mail addresses,
    phone numbers, cards, national numbers, addresses and more, and redaction-report.json with the counts.

    The same value gets the same placeholder in all files of one command, and in all commands with the same key.
    """
    from zoo.corpora.privacy import keys
    from zoo.corpora.privacy import redact as redaction
    from zoo.corpora.privacy.placeholders import Placeholders

    files, problems = recordfiles.named(paths)
    if problems:
        return findings.answer(call, Findings({}, len(files), problems), "human", "")
    if key and out.resolve() in key.resolve().parents:
        raise InputError("the key would be in the folder of the redacted files", remedy="Keep it elsewhere")
    way = redaction.Way(Placeholders(keys.kept(key) if key else keys.fresh()), key is not None, KINDS.get(kind or ""))
    with call.output.task("redacting", sum(file.path.stat().st_size for file in files), "B") as advance:
        counts = redaction.redact(files, out, way, advance)
    data = redaction.report(counts, way)
    found = ", ".join(f"{kind} {count}" for kind, count in sum((c.found for c in counts), Counter[str]()).items())
    changed, records = sum(one.changed for one in counts), sum(one.records for one in counts)
    words = [f"{out}: {counted(records, 'record')}, {changed} changed. Found: {found or 'nothing'}."]
    if left_out := sum(one.left_out for one in counts):
        words.append(f"{counted(left_out, 'record')} left out: no form of them followed the schema of their tool.")
    if in_keys := sum(one.in_keys for one in counts):
        words.append(f"{counted(in_keys, 'find')} in the names of fields, which are never changed. Look at them.")
    words.append("Names of people are not looked for. Read a sample before you publish.")
    call.output.answer(data, "\n".join(words))
    return 0


@command.command(short_help="Destroy the key of a redacted corpus.")
@options()
@click.argument("key", type=click.Path(path_type=Path))
def forget(call: Call, key: Path) -> None:
    """Overwrite and delete the file KEY. Nobody can then compute a placeholder from a guessed value.

    Copies of the file, such as in a backup, are yours to find.
    """
    from zoo.corpora.privacy import keys

    keys.forget(key)
    call.output.answer({"forgotten": str(key)}, f"{key} is overwritten and deleted.")


@command.command("sign-off", short_help="Sign that you reviewed the redacted rows of a recipe.")
@options("work", "evidence")
@click.option("--by", required=True, help="Who reviewed the rows, as it will be published.")
@click.argument("name")
def sign_off(call: Call, name: str, by: str) -> None:
    """Add to recipes/NAME.reviews.jsonl that you reviewed the redacted rows of the recipe NAME, which has label.redact:
    reviewed. What you sign for is these files as they are: after any change, sign again.
    """
    from zoo.plan import prepare
    from zoo.plan.store import Workspace
    from zoo.release import reviewed

    planned = prepare.make_plan(name, call.settings)
    step = next((one for one in planned.plan.steps if one.stage == "redact"), None)
    if step is None:
        remedy = "Write `redact: reviewed` under `label:`"
        raise InputError(f"{planned.recipe.name} redacts no rows", where=planned.checked.file, remedy=remedy)
    redacted = Workspace(call.settings.work).finished(step.key)
    if redacted is None:
        again = commandline.line(call.settings, "build", shell.argument(name))
        raise InputError("the redacted rows are not made yet", remedy=f"Run: {again}")
    redacted.whole()
    entry = reviewed.sign(planned.recipe.name, redacted, by, call.settings)
    path = call.settings.shown(reviewed.log_of(planned.recipe.name, call.settings))
    words = [f"{entry.by} signed in {path}, line {entry.number}, for:"]
    folder = call.settings.shown(redacted.folder)
    words += [f"  {folder}/{file} ({sha256[:16]})" for file, sha256 in entry.files.items()]
    words.append("Add the file to version control.")
    call.output.answer({"log": path, "line": entry.number, "files": entry.files}, "\n".join(words))


@command.command(short_help="Check the log of reviews of a recipe.")
@options("evidence")
@click.argument("name")
def audit(call: Call, name: str) -> None:
    """Check that recipes/NAME.reviews.jsonl is the log that was written: no line was changed, moved or deleted, and it
    has every line that a release names in its evidence.
    """
    from zoo.release import reviewed

    found = reviewed.read(name, call.settings)
    shown = [f"{entry.number} {entry.at_utc} {entry.by}" for entry, _ in found]
    data = {"reviews": [{"line": entry.number, "at_utc": entry.at_utc, "by": entry.by} for entry, _ in found]}
    call.output.answer(data, "\n".join([*shown, f"{counted(len(found), 'review')}, unchanged."]))
