"""parity: the exported file against the model folder that it was made from, before anything is quantized."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from catalog.jsonvalues import text
from catalog.recipe import build
from catalog.templateclock import TEMPLATE_CLOCK
from zoo.errors import GateRefused
from zoo.files.digests import pretty_json
from zoo.files.whole import write_atomic
from zoo.gguf.vocabfacts import vocabulary_facts
from zoo.judge.parity.check import Check, known_differences
from zoo.judge.parity.compare import Stated, compare, template
from zoo.judge.parity.distance import relative_errors
from zoo.judge.parity.material import TEXTS
from zoo.judge.parity.seen import Seen, Taken
from zoo.judge.parity.sourcerecord import SourceRecord
from zoo.llama.measure import parity as file_side
from zoo.llama.measure import widened
from zoo.llama.measure.parity import FileSeen
from zoo.machine.resources import free_cores
from zoo.modelfolder import record
from zoo.progress import Advance, unheard
from zoo.stages import Context, Facts, samecuts
from zoo.stages.artifact import MODEL_FILE
from zoo.training import require

FORMAT = "zoo-parity/2"


@dataclasses.dataclass(frozen=True)
class Spec:
    """The type of the exported file, and the checks that may fail."""

    type: str
    allow: tuple[str, ...]


def run(context: Context) -> Facts:
    """Writes ``parity.json``. Raises GateRefused with the first difference of every check that the recipe does not
    allow to fail."""
    require()
    spec: Spec = build(Spec, context.spec)
    allowed = spec.allow
    weights, path = context.inputs["weights"].model(), context.inputs["model"].path(MODEL_FILE)
    # Logits take minutes, and would be those of other texts.
    first, tokens = samecuts.compare(weights, path)
    if tokens.outcome(tokens.name in allowed) == "refused":
        raise _refusal([tokens], context)
    with context.report.task("comparing with transformers", 3 * len(TEXTS), "texts") as advance:
        checks, file = _compared(context, first, advance)
    if file.built_in == "other":
        context.report.warn(
            "llama.cpp's built-in chat formats render this template differently. Programs that do not run the file's "
            "own template give the model a different prompt"
        )
    refused = [check for check in checks if check.outcome(check.name in allowed) == "refused"]
    if refused:
        raise _refusal(refused, context)
    entries = [_entry(check, check.name in allowed) for check in checks]
    for sentence in known_differences(entries):
        context.report.warn(sentence)
    report = {
        "format": FORMAT,
        "checks": entries,
        "built_in_template": file.built_in,
        "template_clock": TEMPLATE_CLOCK.date().isoformat() if file.read_clock else None,
    }
    write_atomic(context.out / "parity.json", pretty_json(report))
    return report


def _compared(context: Context, first: Seen, advance: Advance) -> tuple[list[Check], FileSeen]:
    """All checks, and the file's side. first: the folder's tokens."""
    from zoo.training import parity as folder_side

    weights = context.inputs["weights"].model()
    folder = folder_side.look(
        weights,
        text(context.spec["type"]),
        threads=context.threads,
        advance=advance,
        first=first,
    )
    path = context.inputs["model"].path(MODEL_FILE)
    with samecuts.refusing():
        return examine(
            folder,
            path,
            _record(context),
            Work(context.scratch, free_cores(context.threads), advance),
            taking=lambda names: folder_side.taking(weights, names),
        )


@dataclasses.dataclass(frozen=True)
class Work:
    """scratch: room for 4 bytes for each weight. threads: cores to use. advance: called after each text."""

    scratch: Path
    threads: int
    advance: Advance = unheard


def examine(
    folder: Seen,
    path: Path,
    said: SourceRecord | None,
    work: Work,
    *,
    taking: Callable[[Sequence[str]], Taken] | None = None,
) -> tuple[list[Check], FileSeen]:
    """Every check of the file ``path`` against the folder's side, and the file's side.

    said: the content of source.json, None if there is none. taking: how the folder's tokenizer splits the strings with
    some texts as control tokens; None if not needed. Raises ModelFileError for a file that does not load.
    """
    normalized = folder.normalizer.texts if folder.normalizer else None
    file = file_side.look(path, folder.texts, normalized, threads=work.threads, advance=work.advance)
    if taking is not None and file.seen.by_sight:
        folder = dataclasses.replace(folder, taken=taking(file.seen.by_sight))
    exact = []
    if all(ours.shape == theirs.shape for ours, theirs in zip(folder.logits, file.seen.logits, strict=True)):
        rows_of = widened.exact_logits(path, folder.texts, work.scratch, threads=work.threads)
        for ours, theirs in zip(folder.logits, rows_of, strict=True):
            exact.append(relative_errors(ours, theirs))
            work.advance(1)
    checks = compare(
        folder,
        file.seen,
        exact=exact,
        longest_row=widened.longest_row(path),
        generated=file.generated,
        stated=Stated(said, vocabulary_facts(path)),
    )
    own = template(folder.renderings, file.own)
    if not own.passed:
        checks = [own if check.name == "template" and check.passed else check for check in checks]
    return checks, file


def _record(context: Context) -> SourceRecord | None:
    """The source's facts from the import step; None if there are none."""
    source = context.inputs["source"]
    if all(file.path != record.FILE for file in source.files):
        return None
    return record.read(source.path(record.FILE).parent)


def _entry(check: Check, allowed: bool) -> dict[str, object]:
    entry: dict[str, object] = {"name": check.name, "outcome": check.outcome(allowed), "detail": check.detail}
    if check.note:
        entry["note"] = check.note
    if check.figures:
        entry["figures"] = check.figures
    return entry


def _refusal(refused: Sequence[Check], context: Context) -> GateRefused:
    overflows = context.spec["type"] == "f16" and any(check.name == "logits" and not check.finite for check in refused)
    wider = "f16 has no numbers beyond 65,504. Write `export: {type: bf16}` in the recipe. If that does not help"
    file = context.inputs["model"].path(MODEL_FILE)
    found = samecuts.refusal(refused, context.inputs["weights"].model(), file)
    found.remedy = f"{wider}, {found.remedy[0].lower()}{found.remedy[1:]}" if overflows else found.remedy
    return found
