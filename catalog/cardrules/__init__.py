"""Rules for the metadata of cards, checked offline.

They match the Hub's rules where those are known, and are stricter where the Hub only warns.

Each problem names its line and column and what to write instead. The client's own ``RepoCard.validate`` asks a server
and is never called. Each module names the source of its rules.
"""

from __future__ import annotations

from catalog.cardrules.evaluation import check_eval_results
from catalog.cardrules.fields import check_fields, hints
from catalog.cardrules.header import Header, kind_of, read_header
from catalog.cardrules.traps import traps
from catalog.problems import Problem, limited

__all__ = ["Header", "check_card", "check_eval_results", "check_header", "hints", "kind_of", "read_header"]


def check_card(text: str, shown_as: str, kind: str | None = None) -> list[Problem]:
    """Every problem of a card's metadata. kind is ``model`` or ``dataset``; None decides by the keys."""
    return check_header(read_header(text, shown_as), kind)


def check_header(header: Header, kind: str | None = None) -> list[Problem]:
    """The same for a parsed header."""
    document = header.document
    found = list(document.problems)
    if document.data is not None:
        found += traps(header.yaml, document)
        taken = {(problem.line, problem.column) for problem in found}
        fields = check_fields(document, kind or kind_of(document.data))
        found += [one for one in fields if (one.line, one.column) not in taken]
    return limited(found)
