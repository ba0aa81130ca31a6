"""What changed from one version to the next, in sentences, from what the catalog records of both."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterator, Mapping, Sequence

from catalog.release import ModelFile, Release
from catalog.words import counted, data_size, plus_minus
from zoo.site.pages.text import listed, shortened


def of_versions(releases: Sequence[Release]) -> Mapping[str, list[str]]:
    """Version -> sentences; releases are newest first, and the oldest one has no entry."""
    found = {new.version: list(_changes(new, old)) for new, old in itertools.pairwise(releases)}
    return {version: sentences or ["The catalog records no change."] for version, sentences in found.items()}


def _changes(new: Release, old: Release) -> Iterator[str]:
    files, before = ({file.type: file for file in release.files} for release in (new, old))
    if added := [type_ for type_ in files if type_ not in before]:
        yield f"New files: {_words(added)}."
    if gone := [type_ for type_ in before if type_ not in files]:
        yield f"Removed files: {_words(gone)}."
    both = [type_ for type_ in files if type_ in before]
    same = [type_ for type_ in both if files[type_].sha256 == before[type_].sha256]
    if same:
        yield f"Identical files: {_words(same)}."
    for type_ in both:
        if type_ not in same:
            yield from _file_changes(shortened(type_, 40), files[type_], before[type_])
    if new.licence != old.licence:
        yield f"The licence changed from {shortened(old.licence, 80)} to {shortened(new.licence, 80)}."
    if new.architecture != old.architecture:
        yield "The architecture or the chat template changed."
    if new.lineage != old.lineage:
        yield "The sources changed."
    if tools := sorted(set(new.tools) - set(old.tools)):
        yield f"Made with {_words(tools)}."
    if lines := _changed_lines(new.recipe.text, old.recipe.text):
        yield f"{counted(lines, 'line')} of the recipe changed."


def _file_changes(type_: str, new: ModelFile, old: ModelFile) -> Iterator[str]:
    parts = []
    if new.size_bytes != old.size_bytes:
        parts.append(f"{data_size(new.size_bytes)}, was {data_size(old.size_bytes)}")
    if new.loss and old.loss and new.loss.kld_mean_nats != old.loss.kld_mean_nats:
        is_, was = (plus_minus(one.kld_mean_nats, one.kld_mean_se_nats) for one in (new.loss, old.loss))
        parts.append(f"KLD {is_} nats, was {was}")
    yield f"{type_}: {'; '.join(parts) or 'the bytes changed'}."


def _changed_lines(new: str, old: str) -> int:
    """Lines that were added, or changed, or removed."""
    difference = difflib.SequenceMatcher(None, old.splitlines(), new.splitlines(), autojunk=False)
    return sum(max(b - a, d - c) for tag, a, b, c, d in difference.get_opcodes() if tag != "equal")


def _words(words: Sequence[str]) -> str:
    return listed([shortened(word, 60) for word in words[:12]]) + (" and more" if len(words) > 12 else "")
