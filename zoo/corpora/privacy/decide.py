"""What decides whether a shape is personal data or a look-alike: arithmetic, and the words before it. Pure."""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Callable
from typing import NamedTuple

from zoo.corpora.privacy import checks
from zoo.corpora.privacy.checks import digits

Span = tuple[int, int]
IsPhone = Callable[[str, str | None], bool]


class Seen(NamedTuple):
    """A text while it is searched. hint: the name of the field that it is in. is_phone: the check of a number."""

    text: str
    hint: str
    is_phone: IsPhone

    def before(self, start: int, words: str, characters: int = 40) -> bool:
        """Whether one of some words is shortly before a place, or in the name of the field."""
        found = _words(words)
        return bool(found.search(self.text, max(0, start - characters), start) or found.search(self.hint))


@functools.cache
def _words(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{words})", re.IGNORECASE)


def all_span(_: Seen, match: re.Match[str]) -> Span | None:
    return match.span()


def group_span(_: Seen, match: re.Match[str]) -> Span | None:
    return match.span("value")


def folded(text: str) -> str:
    return " ".join(text.casefold().split())


_CALLING = (
    r"t[ée]l\b|t[ée]l[ée]ph|phone|cell|appel|\bcall|rejoin|joindre|reach me|texte[rz]?\b|\btext\b|\bdial\b|\bring\b|"
    r"num[ée]ro|fax|mobile|sms|"
    r"whatsapp"
)
_OTHER_NUMBER = (
    r"\bNEQ\b|order|commande|factur|invoice|ISBN|serial|s[ée]rie|suivi|tracking|\bpart\b|pi[èe]ce|\br[ée]f|"
    r"dossier|\bcase\b|"
    r"ticket|billet|\bBN\b|\bNE\b|entreprise"
)
_SIN = r"\bNAS\b|\bSIN\b|assurance sociale|social insurance"
_RAMQ = r"\bNAM\b|RAMQ|assurance[- ]maladie|carte soleil|health (?:insurance|card)"


def email_span(_: Seen, match: re.Match[str]) -> Span | None:
    host = match["host"].casefold()
    reserved = host.endswith((".example", ".test", ".invalid", ".localhost"))
    if reserved or re.search(r"(?:^|\.)example\.(?:com|net|org)$", host):
        return None
    # Marks around a word, as Markdown has them, may be in an address too, but nobody has one that begins with them.
    marks = len(match.group()) - len(match.group().lstrip("*`'~{|"))
    return match.start() + marks, match.end()


def card_span(_: Seen, match: re.Match[str]) -> Span | None:
    return match.span() if checks.card(match.group()) else None


def iban_span(_: Seen, match: re.Match[str]) -> Span | None:
    length = checks.iban(match.group())
    return (match.start(), match.start() + length) if length else None


def sin_span(seen: Seen, match: re.Match[str]) -> Span | None:
    if digits(match.group())[0] in "08" or re.match(r" ?R[CPTZ]\d{4}", seen.text[match.end() : match.end() + 7]):
        return None
    if seen.before(match.start(), _SIN):
        return match.span()
    is_grouped = match.group().count(match["sep"]) == 2 if match["sep"] else False
    other = seen.before(match.start(), _OTHER_NUMBER)
    return match.span() if is_grouped and not other and checks.sin(match.group()) else None


def ramq_span(seen: Seen, match: re.Match[str]) -> Span | None:
    number = match.group().replace(" ", "").replace("-", "").upper()
    if checks.ramq(number) and (match.group().isupper() or seen.before(match.start(), _RAMQ)):
        return match.span()
    is_near = seen.before(match.start(), _RAMQ)
    return match.span() if is_near and checks.ramq_date(number) else None


def ssn_span(seen: Seen, match: re.Match[str]) -> Span | None:
    return match.span() if checks.ssn(match.group()) and not seen.before(match.start(), _OTHER_NUMBER) else None


def nir_span(_: Seen, match: re.Match[str]) -> Span | None:
    return match.span() if checks.nir(match.group()) else None


def phone_span(seen: Seen, match: re.Match[str]) -> Span | None:
    number = match["number"]
    is_grouped = not number.isdigit()
    if not is_grouped and not seen.before(match.start(), _CALLING):
        return None
    if seen.before(match.start(), r"ISBN|\bNEQ\b", 12):
        return None
    return match.span() if seen.is_phone(number, "CA") else None


def local_phone_span(seen: Seen, match: re.Match[str]) -> Span | None:
    is_film = match.group().replace(" ", "-").startswith("555-01")
    return match.span() if not is_film and seen.before(match.start(), _CALLING, 25) else None


def world_phone_span(seen: Seen, match: re.Match[str]) -> Span | None:
    return match.span() if seen.is_phone(match.group(), None) else None


def french_phone_span(seen: Seen, match: re.Match[str]) -> Span | None:
    return match.span() if seen.is_phone(match.group(), "FR") else None


def ipv4_span(seen: Seen, match: re.Match[str]) -> Span | None:
    if seen.before(match.start(), r"(?:version|\bv|\bver\.?|release|build|section|§|article|chap\w*)[ .:]*$", 12):
        return None
    return match.span() if _is_public(match.group()) else None


def ipv6_span(_: Seen, match: re.Match[str]) -> Span | None:
    text = match.group()
    return match.span() if text.count(":") >= 3 and _is_public(text) else None


def _is_public(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False


def mac_span(_: Seen, match: re.Match[str]) -> Span | None:
    return match.span() if len(set(match.group()) - {":", "-"}) > 2 else None


def postal_span(seen: Seen, match: re.Match[str]) -> Span | None:
    return match.span() if seen.before(match.start(), r"code postal|postal code|Qu[ée]bec\)?|\bQC\b|\bON\b") else None


def password_span(_: Seen, match: re.Match[str]) -> Span | None:
    start, value = match.start("value"), match["value"].rstrip(".,;:\"'»")
    for begin, end in _MARKS:
        if value.startswith(begin) and value.endswith(end) and len(value) > len(begin) + len(end):
            start, value = start + len(begin), value[len(begin) : -len(end)]
    value = value if "(" in value else value.rstrip(")")
    # "The password is required" is about passwords and has none.
    if len(value) < 5 or value.isalpha():
        return None
    return start, start + len(value)


_MARKS = (("(", ")"), ("**", "**"), ("*", "*"), ("__", "__"), ("`", "`"))
"""What people and Markdown write around a word."""


