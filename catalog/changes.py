"""What is new in a version: what changed since an earlier one, in sentences, and how commits and tags say it. Pure."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterator, Mapping, Sequence

from catalog.release import ModelFile, News, Release, Training
from catalog.versions import is_prerelease, preference, version_key
from catalog.words import counted, data_size, percent, plus_minus, shortened

MOST = 40
"""Sentences at most: a release of a hundred files gets no longer card."""
_LONGEST = 1000
_MOST_LISTED = 12


def before(releases: Sequence[Release], version: str) -> Release | None:
    """The release that ``version`` is compared with: the highest lower one, a stable one if there is one and the
    version itself is stable. None for the first."""
    lower = [one for one in releases if version_key(one.version) < version_key(version)]
    by = version_key if is_prerelease(version) else preference
    return max(lower, key=lambda one: by(one.version), default=None)


def news(words: Sequence[str], new: Release, old: Release | None) -> News | None:
    """What is new in a version; None for a first version without words."""
    if old is None:
        return News(tuple(words), None, ()) if words else None
    return News(tuple(words), old.version, tuple(between(new, old)))


def of_versions(releases: Sequence[Release]) -> Mapping[str, list[str]]:
    """Version -> sentences; releases are newest first, and the oldest one has no entry. Recorded ones are used."""
    found = {
        new.version: list(new.news.changes) if new.news and new.news.since else between(new, old)
        for new, old in itertools.pairwise(releases)
    }
    return {version: sentences or ["The catalog records no change."] for version, sentences in found.items()}


def between(new: Release, old: Release) -> list[str]:
    """What changed from ``old`` to ``new``, at most ``MOST`` sentences of bounded length."""
    every = [shortened(sentence, _LONGEST) for sentence in _changes(new, old)]
    left = len(every) - MOST + 1
    return every if len(every) <= MOST else [*every[: MOST - 1], f"And {counted(left, 'more change')}."]


def message(title: str, news: News | None) -> str:
    """What the commit and the tag of a release say: the title, then what is new, a line for each sentence."""
    if news is None:
        return title
    parts = [title, *(["\n".join(f"- {one}" for one in news.words)] if news.words else [])]
    if news.changes:
        parts.append("\n".join([f"Changes since {news.since}:", *(f"- {one}" for one in news.changes)]))
    return "\n\n".join(parts)


def _changes(new: Release, old: Release) -> Iterator[str]:
    files, former = ({file.type: file for file in release.files} for release in (new, old))
    if added := [type_ for type_ in files if type_ not in former]:
        yield f"New files: {_words(added)}."
    if gone := [type_ for type_ in former if type_ not in files]:
        yield f"Removed files: {_words(gone)}."
    both = [type_ for type_ in files if type_ in former]
    same = [type_ for type_ in both if _weights(files[type_]) == _weights(former[type_])]
    identical = [type_ for type_ in same if files[type_].sha256 == former[type_].sha256]
    if identical:
        yield f"Identical files: {_words(identical)}."
    if worded := [type_ for type_ in same if type_ not in identical]:
        yield f"Same weights, other words in the header: {_words(worded)}."
    if new.licence != old.licence:
        yield f"The licence changed from {shortened(old.licence, 80)} to {shortened(new.licence, 80)}."
    if new.architecture != old.architecture:
        yield "The architecture or the chat template changed."
    if new.lineage != old.lineage:
        yield from _sources(new, old)
    if new.training != old.training:
        yield from _training(new.training, old.training)
    for type_ in both:
        if type_ not in same:
            yield from _file_changes(shortened(type_, 40), files[type_], former[type_])
    if tools := sorted(set(new.tools) - set(old.tools)):
        yield f"Made with {_words(tools)}."
    if lines := _changed_lines(new.recipe.text, old.recipe.text):
        yield f"{counted(lines, 'line')} of the recipe changed."


def _weights(file: ModelFile) -> str:
    """The digest of a file without the words of its header, which name the version."""
    return file.measured_sha256 or file.sha256


def _sources(new: Release, old: Release) -> Iterator[str]:
    roles = list(dict.fromkeys(one.role for release in (new, old) for one in release.lineage))
    changed = [
        role
        for role in roles
        if [one for one in new.lineage if one.role == role] != [one for one in old.lineage if one.role == role]
    ]
    yield f"The sources changed: {_words(changed)}." if changed else "The order of the sources changed."


def _training(new: Training | None, old: Training | None) -> Iterator[str]:
    if new is None or old is None:
        yield "It is trained now." if new else "It is not trained any more."
        return
    is_, was = (f"{one.method}, adapter {one.adapter}, {counted(one.steps, 'step')} on {counted(one.rows, 'row')}"
                for one in (new, old))  # fmt: skip
    if is_ != was:
        yield f"Training: {is_}; was {was}."
    now, then = new.after, old.after
    if now.kld_mean_nats is not None and then.kld_mean_nats is not None and now.kld_mean_nats != then.kld_mean_nats:
        is_, was = (plus_minus(one.kld_mean_nats or 0.0, one.kld_mean_se_nats) for one in (now, then))
        yield f"KLD to the teacher on held-out conversations: {is_} nats, was {was}."


def _file_changes(type_: str, new: ModelFile, old: ModelFile) -> Iterator[str]:
    parts = []
    if new.size_bytes != old.size_bytes:
        parts.append(f"{data_size(new.size_bytes)}, was {data_size(old.size_bytes)}")
    if new.loss and old.loss and new.loss.kld_mean_nats != old.loss.kld_mean_nats:
        is_, was = (plus_minus(one.kld_mean_nats, one.kld_mean_se_nats) for one in (new.loss, old.loss))
        parts.append(f"KLD {is_} nats, was {was}")
    if new.loss and old.loss and new.loss.same_top_share != old.loss.same_top_share:
        is_, was = (percent(one.same_top_share, one.same_top_share_se) for one in (new.loss, old.loss))
        parts.append(f"same top {is_}, was {was}")
    if new.perplexity != old.perplexity:
        is_, was = (plus_minus(one.perplexity, one.perplexity_se) for one in (new, old))
        parts.append(f"perplexity {is_}, was {was}")
    yield f"{type_}: {'; '.join(parts) or 'the bytes changed'}."


def _changed_lines(new: str, old: str) -> int:
    """Lines that were added, or changed, or removed."""
    difference = difflib.SequenceMatcher(None, old.splitlines(), new.splitlines(), autojunk=False)
    return sum(max(b - a, d - c) for tag, a, b, c, d in difference.get_opcodes() if tag != "equal")


def _words(words: Sequence[str]) -> str:
    more = " and more" if len(words) > _MOST_LISTED else ""
    return ", ".join(shortened(word, 60) for word in words[:_MOST_LISTED]) + more
