"""The Hub's closed lists, as data files in catalog/data.

hub.json: licence identifiers (https://huggingface.co/docs/hub/repositories-licenses), tasks, which are both pipeline
tags and task categories (packages/tasks/src/pipelines.ts of huggingface.js), relations to a base model
(https://huggingface.co/docs/hub/model-cards), size categories of datasets (datasetcard.md of hub-docs), well-known
libraries (packages/tasks/src/model-libraries.ts of huggingface.js; any other is allowed), and the two words that stand
for a language without being one (docstring of huggingface_hub.ModelCardData).
card-keys.json: the keys of cards and the word of their rule (catalog.cardrules.fields), with date and sources inside.
iso639.txt: codes of ISO 639-1, 639-2 (also the bibliographic ones) and 639-3, from their registration authorities'
tables.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

_DATA = Path(__file__).parent / "data"


@functools.cache
def _hub() -> Mapping[str, Sequence[str]]:
    data: dict[str, list[str]] = json.loads((_DATA / "hub.json").read_text(encoding="utf-8"))
    return data


def _words(name: str) -> tuple[str, ...]:
    return tuple(_hub()[name])


def licences() -> tuple[str, ...]:
    """What ``license:`` may say."""
    return _words("licences")


def tasks() -> tuple[str, ...]:
    """What ``pipeline_tag:`` and ``task_categories:`` may say."""
    return _words("tasks")


def libraries() -> tuple[str, ...]:
    """Well-known values of ``library_name:``."""
    return _words("libraries")


def size_categories() -> tuple[str, ...]:
    """What ``size_categories:`` may say, smallest first."""
    return _words("size_categories")


def base_model_relations() -> tuple[str, ...]:
    """What ``base_model_relation:`` may say."""
    return _words("base_model_relations")


@functools.cache
def languages() -> frozenset[str]:
    """What ``language:`` may say."""
    lines = (_DATA / "iso639.txt").read_text(encoding="ascii").splitlines()
    codes = {code for line in lines if not line.startswith("#") for code in line.split()}
    return frozenset(codes | set(_words("language_words")))


@functools.cache
def card_keys(kind: str) -> dict[str, str]:
    """Keys of a ``model`` or ``dataset`` card that the Hub or a widespread tool reads, each with its rule."""
    data = json.loads((_DATA / "card-keys.json").read_text(encoding="utf-8"))
    return {**data["shared"], **data[kind], **data["tools"]}
