"""corpus: the zoo's own prompt and text files, checked and copied as clean text, with counts for the cards."""

from __future__ import annotations

from catalog import corpora, packed, plainfiles
from catalog.jsonvalues import tables, text
from zoo.corpora.prompts import distribution, sound_prompts
from zoo.errors import InputError
from zoo.files.whole import write_atomic
from zoo.stages import Context, Facts


def run(context: Context) -> Facts:
    """Writes ``PART/NUMBER-NAME`` for every file, in UTF-8 with line feeds and without a byte order mark.

    facts hold paths, rows and distributions per part.
    """
    facts: dict[str, list[dict[str, object]]] = {}
    for part, files in context.spec.items():
        facts[part] = []
        for number, file in enumerate(tables(files)):
            path = text(file["path"])
            source = context.root / path
            name = f"{part}/{number:02d}-{source.name}"
            raw = plainfiles.read_bounded(source, plainfiles.MOST_CORPUS_BYTES)
            entry: dict[str, object] = {**file, "name": name, "size_bytes": len(raw)}
            content, left_out = corpora.clean(_text(raw, path))
            if left_out:
                context.report.say(f"{file['path']}: read without {' and '.join(left_out)}")
            if source.suffix == ".jsonl":
                entry |= distribution(sound_prompts(raw, path))
            else:
                entry["characters"] = len(_measurable(content, path))
            write_atomic(context.out / name, content)
            facts[part].append(entry)
    return facts


def _measurable(text: str, shown_as: str) -> str:
    if fault := corpora.text_fault(text):
        what, instead, offset = fault
        line = text.count("\n", 0, offset) + 1
        raise InputError(what, where=f"{shown_as}:{line}", remedy=instead)
    return text


def _text(raw: bytes, shown_as: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        what, instead = packed.undecoded(raw, shown_as)
        raise InputError(what, where=f"{shown_as}:{line}", remedy=instead) from error
