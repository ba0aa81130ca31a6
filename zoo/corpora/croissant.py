"""A folder of records as Croissant 1.1, the metadata that search engines and loaders of datasets read.

Formats: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html and, for ``rai:``, its vocabulary for
responsible AI. What ``rai:`` says is counted here or a field of the card, never typed by a person.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from catalog import cardrules, jsontext, licences, schema
from catalog.jsontext import Json, JsonObject
from catalog.words import counted
from zoo.corpora import describe, kinds, records, stream
from zoo.corpora.check import File
from zoo.corpora.describe import Described, percent
from zoo.corpora.privacy import keys, redact
from zoo.corpora.privacy.finders import KINDS
from zoo.corpora.privacy.placeholders import Placeholders
from zoo.corpora.records import Kind
from zoo.errors import InputError
from zoo.files.digests import pretty_json, sha256_file

FILE, CARD = "croissant.json", "README.md"
CONFORMS: list[Json] = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
CONTEXT: JsonObject = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""As validators compare it: other words for the same meaning are refused."""

_TYPES = {"string": "sc:Text", "boolean": "sc:Boolean", "integer": "sc:Integer", "number": "sc:Float"}


@dataclass(frozen=True)
class Made:
    """version, date: of the corpus, such as 1.0.0 and 2026-11-29. url: where it is published, if it is."""

    version: str
    date: str
    url: str


def made_before(folder: Path) -> Made | None:
    """Version, date and address in the folder's file; None without one."""
    try:
        data = jsontext.parse((folder / FILE).read_bytes())
    except (OSError, jsontext.NotJson):
        return None
    if not isinstance(data, dict):
        return None
    found = [data.get(key) for key in ("version", "datePublished", "url")]
    return Made(*map(str, found)) if all(isinstance(one, str) for one in found) else None


def as_text(folder: Path, made: Made, card: str | None = None) -> str:
    """The bytes of FILE: the same for the same card, files and ``made``. card: instead of the folder's."""
    return pretty_json(croissant(folder, made, card))


def croissant(folder: Path, made: Made, text: str | None = None) -> JsonObject:
    """The metadata of the folder, from its card (or ``text``) and its files. Raises InputError for a card that does not
    fit the files, or a record that is not valid; OSError."""
    card = _card(folder, text if text is not None else _read_card(folder))
    files = _files(folder, card)
    found = describe.describe([File(folder / name, name) for name in files])
    licence = licences.of_hub(str(card["license"])) or str(card["license"])
    name = str(card["pretty_name"])
    return {
        "@context": dict(CONTEXT),
        "@type": "sc:Dataset",
        "conformsTo": list(CONFORMS),
        "name": name,
        "description": f"{name}: {counted(found.records, 'record')} for language models.",
        "license": f"https://spdx.org/licenses/{licence}",
        "url": made.url,
        "version": made.version,
        "datePublished": made.date,
        "citeAs": f"{name}, version {made.version}, {made.date}. {made.url}",
        "inLanguage": [*sorted(str(one) for one in _list(card.get("language_details", card.get("language"))))],
        "keywords": [*sorted(str(one) for one in _list(card.get("tags")))],
        "rai:personalSensitiveInformation": [personal_data(folder, list(files))],
        "rai:dataBiases": [biases(found)],
        **collection(card),
        "distribution": [_file_object(folder, name) for name in files],
        # A reader fails at a set of records without columns, such as conversations with nothing but messages and tools.
        "recordSet": [one for name, split in files.items() if (one := _record_set(folder, name, split))["field"]],
    }


def personal_data(folder: Path, files: Sequence[str]) -> str:
    """What the finders of ``zoo corpus redact`` find in the files now, in sentences."""
    with tempfile.TemporaryDirectory(prefix="zoo-croissant-") as scratch:
        way = redact.Way(Placeholders(keys.fresh()), False, None)
        counts = redact.redact([File(folder / name, name) for name in files], Path(scratch) / "out", way)
    by = {kind: sum(one.found[kind] for one in counts) for kind in sorted(KINDS)}
    looked = ", ".join(by)
    hits = ", ".join(f"{kind} {count}" for kind, count in by.items() if count) or "nothing"
    return f"A program looked for {looked}. It found: {hits}. Names of people were not looked for."


def collection(card: JsonObject) -> JsonObject:
    """Where texts and annotations are from, by the card's fields; empty without them."""
    rows = (("language_creators", "text"), ("annotations_creators", "annotations"), ("source_datasets", "source"))
    told = [f"{words}: {', '.join(map(str, _list(card[key])))}" for key, words in rows if card.get(key)]
    return {"rai:dataCollection": [f"By its card: {'; '.join(told)}."]} if told else {}


def biases(found: Described) -> str:
    """The shares of languages, features of the dialect and registers, in sentences."""
    parts = [f"Of {found.records} records: "]
    for group, words in (("language", "language"), ("dialect", "Québec French"), ("register", "register")):
        rows = [f"{label} {percent(n / found.records)}" for label, n in describe.ordered(found.groups[group])]
        if rows:
            parts.append(f"{words}: {', '.join(rows)}. ")
    return "".join(parts) + "Languages and features were found by a program, registers were set by the writers."


def _read_card(folder: Path) -> str:
    try:
        return (folder / CARD).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        remedy = "Write a card, see the template of a dataset card"
        raise InputError(f"the folder has no {CARD} that can be read", where=str(folder), remedy=remedy) from error


def _card(folder: Path, text: str) -> JsonObject:
    data = cardrules.read_header(text, str(folder / CARD)).data
    for key in ("license", "pretty_name", "language", "configs"):
        if not isinstance(data, dict) or not data.get(key):
            raise InputError(
                f"the card has no {key}", where=f"{folder / CARD}:1", remedy=f"Write {key} between the two lines of ---"
            )
    assert isinstance(data, dict)
    return data


def _files(folder: Path, card: JsonObject) -> dict[str, str]:
    """The data files of the card with their split; every file of records in the folder must be one."""
    found: dict[str, str] = {}
    for config in _list(card["configs"]):
        for file in _list(config.get("data_files")) if isinstance(config, dict) else []:
            if isinstance(file, dict):
                found[str(file.get("path"))] = str(file.get("split"))
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*.jsonl")}
    if there != set(found):
        only = sorted(there ^ set(found))
        what = f"files and configs differ: {', '.join(only)}"
        raise InputError(what, where=f"{folder / CARD}:1", remedy="Name every .jsonl file once under configs")
    return found


def _file_object(folder: Path, name: str) -> JsonObject:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{(folder / name).stat().st_size} B",
        "encodingFormat": "application/jsonlines",
        "sha256": sha256_file(folder / name),
    }


def _record_set(folder: Path, name: str, split: str) -> JsonObject:
    set_ = name.removesuffix(".jsonl")
    kind, count, used = _contents(folder, name)
    properties = schema.load(kind.schema)["properties"]
    return {
        "@type": "cr:RecordSet",
        "@id": set_,
        "name": set_,
        "description": f"{counted(count, 'record')} of the kind {kind.name}, split {split}.",
        "field": [
            _field(set_, name, key, about)
            for key, about in properties.items()
            if key in used and _type(about) is not None
        ],
    }


def _field(set_: str, name: str, key: str, about: Mapping[str, object]) -> JsonObject:
    made: JsonObject = {
        "@type": "cr:Field",
        "@id": f"{set_}/{key}",
        "name": key,
        "description": str(about.get("description", key)),
        "dataType": _type(about),
        "source": {"fileObject": {"@id": name}, "extract": {"column": key}},
    }
    return made | {"isArray": True, "arrayShape": "-1"} if about.get("type") == "array" else made


def _type(about: Mapping[str, object]) -> str | None:
    """The type of a field; None for nested data, which Croissant has no columns for."""
    if about.get("type") == "array":
        items = about.get("items")
        return _type(items) if isinstance(items, dict) and items.get("type") != "array" else None
    return "sc:Text" if "enum" in about else _TYPES.get(str(about.get("type")))


def _contents(folder: Path, name: str) -> tuple[Kind, int, set[str]]:
    """The kind of the records, their number, and the keys that at least one has."""
    kind: Kind | None = None
    count, used = 0, set[str]()
    for _, lines in stream.batches(folder / name, name):
        for line in lines:
            if line is not None and line.strip():
                data = records.decoded_or_none(line)
                kind = kind or kinds.kind_of(data)
                used.update(data if isinstance(data, dict) else ())
                count += 1
    assert kind is not None, "the description has read every record"
    return kind, count, used


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value] if value else []
