"""The pages about all models. Each kind of them is a part, made again only where facts that it needs changed."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from catalog import index, jsontext
from catalog.recipe import build as build_type
from catalog.release import Release
from zoo.choose import pick
from zoo.errors import InputError
from zoo.site import content, pages
from zoo.site.state import Part

_Keep = Callable[[str, str], Part | None]
"""Name and key of a part -> the part, if the old site has it so; then its files are in the new one."""


def build(
    models: Mapping[str, Part], site: pages.Site, program_key: str, keep: _Keep, new: Path
) -> dict[str, Part]:
    """Put them into ``new``; returns the parts by name. models: the part of each model, in the order of their names.
    Raises InputError where a page would replace another."""
    words = f"{program_key}\n{_words(site)}\n{len(models)}"
    made = {"catalog": _catalog(words, models, keep, new)}
    every = list(models.values())

    @functools.cache
    def facts(kind: str) -> list[object]:
        return [part.fact(kind) for part in every]

    @functools.cache
    def release(name: str) -> Release:
        return release_of(new, name)

    for kind in pages.KINDS:
        if not kind.whole:
            continue
        name = f"all {kind.name}"
        key = _key(words, name, *(part.facts[need] for need in kind.needs for part in every))
        part = keep(name, key)
        if not part:
            needed = [{need: facts(need)[n] for need in kind.needs} for n in range(len(every))]
            part = Part(key, content.write_files(new, kind.whole(needed, site, release)))
        made[name] = part
    _refuse_same_paths({**models, **made})
    return made


def _words(site: pages.Site) -> str:
    """Everything that pages know of the site; sets in order."""
    return repr({**vars(site), "carried": sorted(site.carried)})


def _key(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()


def _catalog(words: str, models: Mapping[str, Part], keep: _Keep, new: Path) -> Part:
    """catalog.json, out of the JSON of each model."""
    key = _key(words, *(part.key for part in models.values()))
    if part := keep("catalog", key):
        return part
    names = (name.removeprefix(content.MODEL) for name in models)
    texts = ((new / pages.model_json(name)).read_text(encoding="utf-8") for name in names)
    return Part(key, content.write_files(new, {"catalog.json": pages.joined(texts)}))


def _refuse_same_paths(parts: Mapping[str, Part]) -> None:
    taken: set[str] = set()
    for part in parts.values():
        for path in part.files.keys() & taken:
            what = f"two pages have the same path {path}"
            raise InputError(what, safe=content.SAFE, remedy="Rename one of the models")
        taken |= part.files.keys()


def release_of(folder: Path, name: str) -> Release:
    """The current release of a model whose files lie below ``folder``, out of its JSON there, which was checked before
    it was written."""
    text = (folder / pages.model_json(name)).read_text(encoding="utf-8")
    release = pick.current(build_type(index.Catalog, jsontext.parse(text)).models[0])
    if release is None:
        raise KeyError(name)
    return release
