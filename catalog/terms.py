"""Licences that require more than their name: a copy of the terms, a notice file, words on the card, a name.

Each row is read from the licence itself (``source``, and the section). This is a checklist, not legal advice.

- Gemma Terms of Use, sections 3.1 and 3.2 (as of 1 April 2026; Gemma 4 is under Apache-2.0): anyone who passes on
  Gemma or something made from it, also by learning from its answers (1.1 e), adds a copy of the terms, a "Notice" text
  file with one sentence, a statement that files were changed, and the restrictions of its use policy.
- Llama 2 Community License, sections 1.b.i, iii, iv, v. Llama 3: the same, and "Built with Meta Llama 3" and a name
  that begins with "Llama 3". Llama 3.1, 3.2, 3.3 and 4: "Built with Llama" and "Llama". The answers of Llama 2 and 3
  may improve no other language model (1.b.v).
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from catalog.problems import Problem, show
from catalog.recipe import Recipe, plain
from catalog.yamltext import Document

AGREED = "agree to be bound by this agreement"
"""Words of the agreements themselves, which a notice or a summary does not have."""

NOTICES = "notice"
"""A file whose name begins with this is the notice, not the terms."""


@dataclass(frozen=True)
class Kind:
    """A licence with requirements.

    title: words of the copy, folded. notice: the sentence that the notice file holds. display: words that the card
    shows. name_begins: what the name of a model made with it begins with, letters and digits only.
    answers_stay: whether what it writes may only train models of the same kind.
    """

    licence: str
    title: str
    notice: str
    display: str | None
    name_begins: str | None
    answers_stay: bool
    source: str
    use_policy: str


def _llama(version: str, title: str, words: str, copyright_: str) -> Kind:
    folder = {"2": "https://ai.meta.com/llama", "3": "https://www.llama.com/llama3"}.get(
        version, f"https://www.llama.com/llama{version.replace('.', '_')}"
    )
    notice = f"{words} Community License, Copyright {copyright_} Meta Platforms, Inc. All Rights Reserved."
    return Kind(
        f"LicenseRef-Llama-{version}", title, notice, "Built with Llama", "Llama", answers_stay=False,
        source=f"{folder}/license/", use_policy=f"{folder}/use-policy/",
    )  # fmt: skip


def _later(version: str) -> Kind:
    words = f"Llama {version} is licensed under the Llama {version}"
    return _llama(version, f"llama {version} community license agreement", words, "\u00a9")


KINDS: Mapping[str, Kind] = {
    kind.licence: kind
    for kind in (
        Kind(
            licence="LicenseRef-Gemma",
            title="gemma terms of use",
            notice="Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms",
            display=None,
            name_begins=None,
            answers_stay=False,
            source="https://ai.google.dev/gemma/terms",
            use_policy="https://ai.google.dev/gemma/prohibited_use_policy",
        ),
        replace(
            _llama("2", "llama 2 community license agreement", "Llama 2 is licensed under the LLAMA 2", "(c)"),
            display=None, name_begins=None, answers_stay=True,
        ),
        replace(
            _llama(
                "3", "meta llama 3 community license agreement",
                "Meta Llama 3 is licensed under the Meta Llama 3", "\u00a9",
            ),
            display="Built with Meta Llama 3", name_begins="Llama 3", answers_stay=True,
        ),
        *map(_later, ("3.1", "3.2", "3.3", "4")),
    )
}  # fmt: skip


def named_in(expression: str) -> list[Kind]:
    """The known kinds in a licence expression, in its order."""
    return [KINDS[word] for word in re.split(r"[\s()]+", expression) if word in KINDS]


def kinds_of(data: Mapping[str, object]) -> list[tuple[str, Kind]]:
    """(role, kind) of every licence with requirements in a recipe's data; role is student, teacher or release."""
    found = []
    for role in ("student", "teacher"):
        source = data.get(role)
        licence = source.get("licence") if isinstance(source, dict) else None
        found += [(role, kind) for kind in named_in(licence)] if isinstance(licence, str) else []
    licence = data.get("licence")
    known = {kind for _, kind in found}
    if isinstance(licence, str):
        found += [("release", kind) for kind in named_in(licence) if kind not in known]
    return found


def problems(document: Document, recipe: Recipe, texts: Mapping[str, str]) -> Iterator[Problem]:
    """What the licences of a valid recipe require and it lacks. texts: name -> text of its licence files."""
    done: set[str] = set()
    for role, kind in kinds_of(plain(recipe)):
        if kind.licence not in done:
            yield from _passed_on(document, recipe, role, kind)
            yield from _files(document, kind, texts)
            yield from _name(document, recipe, kind)
        if role == "teacher" and kind.answers_stay and kind not in named_in(recipe.student.licence):
            what = f"{kind.licence} does not allow using a model's answers to improve another language model"
            instead = "Use another teacher (section 1.b.v of its licence)"
            yield document.problem(("teacher", "licence"), what, instead)
        done.add(kind.licence)


def _passed_on(document: Document, recipe: Recipe, role: str, kind: Kind) -> Iterator[Problem]:
    if kind not in named_in(recipe.licence):
        said = show(recipe.licence)
        what = f"the {role}'s licence {kind.licence} also applies to the release, but the release says {said}"
        yield document.problem(("licence",), what, f"Write {kind.licence}, alone or with AND")


def _files(document: Document, kind: Kind, texts: Mapping[str, str]) -> Iterator[Problem]:
    place = ("licence_files",) if ("licence_files",) in document.value_places else ("licence",)
    folded = {name: _folded(_words_of(name, text)) for name, text in texts.items()}
    if not any(kind.title in text and AGREED in text for text in folded.values()):
        what = f"{kind.licence} requires a copy of its terms next to the files"
        instead = (
            f"Save {kind.source} in the zoo, as text or HTML, and name it under `licence_files:`; or name the source's "
            "own copy there, such as student:LICENSE"
        )
        copies = [name for name in texts if not name.lower().startswith((NOTICES, "use_policy"))]
        if copies:
            what += f", and {' and '.join(map(show, copies))} {'is not that' if len(copies) == 1 else 'are not'}"
            instead += f". The complete text has the words {show(kind.title)} and {show(AGREED)}, in any case"
        yield document.problem(place, what, instead)
    notices = [text for name, text in folded.items() if name.lower().startswith(NOTICES)]
    if not any(_folded(kind.notice).rstrip(".") in text for text in notices):
        what = f"{kind.licence} requires a notice file with its sentence"
        instead = f"Write it into a file NOTICE of the zoo, named under `licence_files:` -- {kind.notice}"
        yield document.problem(place, what, instead.rstrip("."))


def _name(document: Document, recipe: Recipe, kind: Kind) -> Iterator[Problem]:
    if kind.name_begins is None:
        return
    for path, name in ((("name",), recipe.name), (("publish", "model"), recipe.publish.model)):
        if not _letters(name).startswith(_letters(kind.name_begins)):
            what = f"{kind.licence} requires a name that begins with {show(kind.name_begins)}"
            yield document.problem(path, what, f"Write such as {_slug(kind.name_begins)}-{name}")


def display(kinds: Collection[Kind]) -> str | None:
    """The words that the card and the page show, or None."""
    found = list(dict.fromkeys(kind.display for kind in kinds if kind.display))
    return ". ".join(found) or None


def _words_of(name: str, text: str) -> str:
    """The text of a file; of a saved page what it shows."""
    return html.unescape(re.sub(r"<[^>]*>", " ", text)) if name.lower().endswith(".html") else text


def _folded(text: str) -> str:
    """Text with case, white space and signs that editors change made equal."""
    plain = text.replace("\u00a9", "(c)").translate({0x201C: '"', 0x201D: '"', 0x2019: "'", 0xFEFF: None})
    return " ".join(plain.split()).casefold()


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.casefold())


def _slug(text: str) -> str:
    return text.lower().replace(" ", "-")
