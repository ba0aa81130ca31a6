"""What each key of a card's metadata may say.

Sources: modelcard.md and datasetcard.md of hub-docs (https://github.com/huggingface/hub-docs), the docstrings of
huggingface_hub.ModelCardData and DatasetCardData, https://huggingface.co/docs/hub/model-cards and
https://huggingface.co/docs/hub/datasets-cards. Keys that the Hub does not know are left alone, unless they are a near
miss of one that it knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from catalog import hublists, licences
from catalog.cardrules.evaluation import model_index
from catalog.cardrules.shape import Rule, anything, boolean, keys, one_of, repo_id, several, text, url
from catalog.problems import Problem, did_you_mean, show
from catalog.yamltext import Document, Path_

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})+\Z")
_LICENCE_FILES = ("LICENSE", "LICENSE.md")
_SPELLED = {
    "licence": "license", "licenses": "license", "languages": "language", "lang": "language", "dataset": "datasets",
    "tag": "tags", "basemodel": "base_model", "library": "library_name", "pipeline": "pipeline_tag",
    "model_index": "model-index", "task_category": "task_categories", "size_category": "size_categories",
}  # fmt: skip


def check_fields(document: Document, kind: str) -> list[Problem]:
    """Every problem of metadata that is sound YAML. kind is ``model`` or ``dataset``."""
    data: dict[str, Any] = document.data
    rules = _rules(kind)
    found: list[Problem] = []
    for name, value in data.items():
        if name in rules:
            found += _nothing(document, name) if value is None else rules[name](document, (name,), value)
        elif near := _near(name, data, rules):
            what = f"the Hub knows no key {show(name)}"
            found.append(document.problem((name,), what, f"Write {near}", key=True))
    found += _licence_words(document, data)
    if kind == "model" and "base_model_relation" in data and not data.get("base_model"):
        what = "a relation to a base model is given, and no base model"
        found.append(
            document.problem(("base_model_relation",), what, "Add `base_model: OWNER/NAME`", key=True)
        )
    return found


def _nothing(document: Document, name: str) -> list[Problem]:
    return [document.problem((name,), "nothing stands behind the colon", "Write a value, or delete the key")]


def _near(name: str, data: dict[str, Any], rules: dict[str, Rule]) -> str | None:
    folded = name.casefold().replace("-", "_").replace(" ", "_")
    near = _SPELLED.get(folded)
    if near is None:
        near = next((key for key in rules if key.replace("-", "_") == folded), None)
    if near is None and len(name) > 5:
        guess = did_you_mean(name, rules)
        near = guess if guess and abs(len(guess) - len(name)) <= 1 else None
    return near if near in rules and near not in data else None


def _licence(document: Document, path: Path_, value: Any) -> Iterator[Problem]:
    known = hublists.licences()
    if not isinstance(value, str):
        yield from text(document, path, value)
    elif value not in known:
        spdx = licences.canonical(value)
        near = licences.hub_identifier(spdx) if spdx else "other"
        if near == "other":
            word = value.lower().replace(" ", "-")
            versions = [one for one in known if one.startswith(f"{word}-")]
            near = versions[0] if len(versions) == 1 else did_you_mean(word, known) or "other"
        instead = f"Write {near}"
        if near == "other":
            instead = "Write `license: other`, with the licence's own name in license_name"
        yield document.problem(path, f"{show(value)} is no licence identifier of the Hub", instead)


def _licence_words(document: Document, data: dict[str, Any]) -> Iterator[Problem]:
    given = data.get("license")
    if (given == "other" or given == ["other"]) and not data.get("license_name"):
        what = "the licence is `other`, and its name is missing"
        yield document.problem(("license",), what, "Add `license_name:` with the licence's own name")
    if (
        isinstance(given, str)
        and given != "other"
        and given in hublists.licences()
        and data.get("license_name")
    ):
        what = f"the licence is {given}, which needs no name of its own"
        yield document.problem(
            ("license_name",), what, "Delete license_name, or write `license: other`", key=True
        )


def _licence_link(document: Document, path: Path_, value: Any) -> Iterator[Problem]:
    if value not in _LICENCE_FILES:
        for problem in url(document, path, value):
            yield document.problem(path, problem.what, "Write LICENSE, LICENSE.md or https://...")


def language(document: Document, path: Path_, value: Any) -> Iterator[Problem]:
    """ISO 639-1, -2 or -3 in lower case, or ``code`` or ``multilingual``; regions stand elsewhere."""
    if not isinstance(value, str):
        yield from text(document, path, value)
        return
    if value in hublists.languages():
        return
    if value.lower() in hublists.languages():
        yield document.problem(path, f"language {show(value)} is not in lower case", f"Write {value.lower()}")
    elif _LANGUAGE.match(value):
        primary = re.split("[-_]", value)[0].lower()
        other = (
            "language_details"
            if path[0] == "language" and "pretty_name" in document.data
            else "language_bcp47"
        )
        what = f"{show(value)} is no language alone, but one with a region or script"
        yield document.problem(
            path, what, f"Write {primary} here, and {value.replace('_', '-')} under {other}"
        )
    else:
        what = f"{show(value)} is no language code of ISO 639"
        yield document.problem(path, what, "Write two or three letters, such as en or gsw")


def _bcp47(document: Document, path: Path_, value: Any) -> Iterator[Problem]:
    """A language tag (RFC 5646) as far as its form and its language go."""
    if not isinstance(value, str):
        yield from text(document, path, value)
        return
    primary, *rest = value.split("-")
    sound = all(re.fullmatch(r"[A-Za-z0-9]{1,8}", part) for part in rest)
    if primary.lower() not in hublists.languages() or not sound:
        yield document.problem(path, f"{show(value)} is no language tag (BCP 47)", "Write such as fr-CA")


def _library(document: Document, path: Path_, value: Any) -> Iterator[Problem]:
    """Any name in lower case; a near miss of a well-known one is told."""
    if not isinstance(value, str) or not value.strip():
        yield from text(document, path, value)
        return
    known = hublists.libraries()
    near = did_you_mean(value, known)
    if value not in known and near and (near == value.lower() or _one_letter(value.lower(), near)):
        yield document.problem(path, f"{show(value)} is no library that the Hub knows", f"Write {near}")


def _one_letter(one: str, other: str) -> bool:
    """Whether the two differ by two letters exchanged, or by one that is missing, too many or another."""
    if len(one) == len(other):
        different = [index for index in range(len(one)) if one[index] != other[index]]
        return len(different) == 1 or sorted(one) == sorted(other)
    short, long = sorted((one, other), key=len)
    return any(short == long[:index] + long[index + 1 :] for index in range(len(long)))


def _tag(document: Document, path: Path_, value: Any) -> Iterator[Problem]:
    yield from text(document, path, value, longest=100)


def _data_files(document: Document, path: Path_, value: Any) -> Iterator[Problem]:
    """A path or glob, several of them, or splits with paths (https://huggingface.co/docs/hub/datasets-manual-configuration)."""
    if isinstance(value, str):
        return
    entry: Rule = anything
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        entry = keys({"split": text, "path": several(text)}, {})
    yield from several(entry, alone=False)(document, path, value)


def _emissions(document: Document, path: Path_, value: Any) -> Iterator[Problem]:
    """Grams of CO2, alone or as ``emissions`` of a block (https://huggingface.co/docs/hub/model-cards-co2)."""
    given, at = (value.get("emissions"), (*path, "emissions")) if isinstance(value, dict) else (value, path)
    if isinstance(given, bool) or not isinstance(given, int | float) or given < 0:
        yield document.problem(at, f"{show(given)} is no amount in grams", "Write a number, such as 149200")


def _rules(kind: str) -> dict[str, Rule]:
    task = one_of(hublists.tasks(), "task")
    shared: dict[str, Rule] = {
        "license": several(_licence),
        "license_name": lambda d, p, v: text(d, p, v, longest=200),
        "license_link": _licence_link,
        "language": several(language),
        "language_bcp47": several(_bcp47),
        "tags": several(_tag, alone=False, none=True),
        "thumbnail": text,
        "extra_gated_prompt": lambda d, p, v: text(d, p, v, longest=20_000),
        "extra_gated_heading": text,
        "extra_gated_button_content": text,
    }
    if kind == "dataset":
        return shared | {
            "pretty_name": lambda d, p, v: text(d, p, v, longest=200),
            "task_categories": several(task),
            "task_ids": several(text),
            "size_categories": several(one_of(hublists.size_categories(), "size category")),
            "source_datasets": several(_source_dataset),
            "language_details": several(_bcp47),
            "annotations_creators": several(text),
            "language_creators": several(text),
            "paperswithcode_id": text,
            "configs": several(
                keys({"config_name": text}, {"data_files": _data_files, "data_dir": text}), alone=False
            ),
            "viewer": boolean,
        }
    return shared | {
        "pipeline_tag": task,
        "library_name": _library,
        "base_model": several(repo_id),
        "base_model_relation": one_of(hublists.base_model_relations(), "relation to a base model"),
        "new_version": repo_id,
        "datasets": several(repo_id),
        "metrics": several(text),
        "model_name": text,
        "model-index": model_index,
        "co2_eq_emissions": _emissions,
        "quantized_by": text,
    }


def _source_dataset(document: Document, path: Path_, value: Any) -> Iterator[Problem]:
    if value not in ("original", "extended") and not str(value).startswith("extended|"):
        yield from repo_id(document, path, value)
