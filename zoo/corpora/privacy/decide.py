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
        if _words(words).search(self.text, max(0, start - characters), start):
            return True
        return _in_hint(words, self.hint)


@functools.lru_cache(4096)
def _in_hint(words: str, hint: str) -> bool:
    return bool(_words(words).search(hint))


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
_RECKONING = r"\bcalcul|\bproduit\b|\bproduct\b|\bmultipl|\bsomme\b|\bsum\b|[ée]quation"
_DEVICE = r"\bmac\b|adresse|address|appareil|device|routeur|router|r[ée]seau|network|wi-?fi|imprimante|printer"
_SIN = r"\bNAS\b|\bSIN\b|assurance sociale|social insurance"
_RAMQ = r"\bNAM\b|RAMQ|assurance[- ]maladie|carte soleil|health (?:insurance|card)"


def email_span(_: Seen, match: re.Match[str]) -> Span | None:
    host = match["host"].casefold()
    if match.group().startswith("git@"):
        return None  # the account of everybody at a host of repositories
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
    if number.isdigit() and not seen.before(match.start(), _CALLING):
        return None
    if seen.before(match.start(), r"ISBN|\bNEQ\b", 12):
        return None
    if _SELDOM.search(number) and _is_other_number(seen, match):
        return None
    return match.span() if seen.is_phone(digits(number)[-10:], "CA") else None


_SELDOM = re.compile(r"[/\u00b7]| -|- |[0-9]{2}[^0-9][0-9]{2}$")
"""Ways to write a telephone that other numbers have too: with a slash, with spaces around hyphens, in groups of two."""
_RECKONED_BEFORE = re.compile(r"(?:[0-9=+*\u00d7\u00f7<>^$\u20ac\u00a3] ?|[0-9] - )$")
_RECKONED_AFTER = re.compile(
    r" ?[=+*\u00d7\u00f7<>^%$\u20ac\u00a3]| ?[/-] ?[0-9]{1,2}(?![0-9])| [0-9]|[.,][0-9]| ?(?:[ckm]m|[km]?g|ml)\b"
)


def _is_other_number(seen: Seen, match: re.Match[str]) -> bool:
    """Whether a number in a seldom form is an address of a network, an amount, or one of a row."""
    if _is_address(match["number"]):
        return True
    if seen.before(match.start(), _CALLING):
        return False
    start, end = match.span("number")
    return bool(
        seen.before(start, f"{_OTHER_NUMBER}|{_RECKONING}")
        or _RECKONED_BEFORE.search(seen.text, max(0, start - 4), start)
        or _RECKONED_AFTER.match(seen.text, end)
    )


def local_phone_span(seen: Seen, match: re.Match[str]) -> Span | None:
    is_film = digits(match.group()).startswith("55501")
    return match.span() if not is_film and seen.before(match.start(), _CALLING, 25) else None


def world_phone_span(seen: Seen, match: re.Match[str]) -> Span | None:
    """What follows a number may look like a part of it, so fewer and fewer of its groups are tried."""
    ends = [match.start() + group.end() for group in re.finditer(r"[0-9]+", match.group())]
    for end in reversed(ends):
        number = digits(seen.text[match.start() : end])
        if len(number) < _SHORTEST:
            break
        if seen.is_phone(f"+{number}", None):
            return match.start(), end
    return None


_SHORTEST = 7


def french_phone_span(seen: Seen, match: re.Match[str]) -> Span | None:
    # Dates and draws are written with these marks too.
    is_usual = "/" not in match.group() and "-" not in match.group()
    if not is_usual and not seen.before(match.start(), _CALLING):
        return None
    return match.span() if seen.is_phone(digits(match.group()), "FR") else None


def ipv4_span(seen: Seen, match: re.Match[str]) -> Span | None:
    if seen.before(match.start(), r"(?:version|\bv|\bver\.?|release|build|section|§|article|chap\w*)[ .:]*$", 12):
        return None
    if seen.before(match.start(), r"[A-Za-z]/$", 2):
        return None  # a program and its version, as servers name themselves
    return match.span() if _is_public(match.group()) else None


def ipv6_span(_: Seen, match: re.Match[str]) -> Span | None:
    text = match.group()
    return match.span() if text.count(":") >= 3 and _is_public(text) else None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_public(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False


def mac_span(seen: Seen, match: re.Match[str]) -> Span | None:
    text = match.group()
    if len(set(text) - {":", "-"}) <= 2:
        return None
    # Drawn numbers and scores are pairs of digits with hyphens too.
    is_row = "-" in text and text.replace("-", "").isdigit()
    return None if is_row and not seen.before(match.start(), _DEVICE) else match.span()


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


