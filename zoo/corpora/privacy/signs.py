"""Signs of personal data, which are found sooner than the data itself: whatever a finder finds is in a text with a sign
that the finder names. Pure.

All signs are looked for together in many texts, so none has an anchor or excludes what is around it. A search is fast
if it begins with a class of rare characters.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

MONTHS = (
    r"janvier|f[ée]vrier|mars|avril|mai|juin|juillet|ao[ûu]t|septembre|octobre|novembre|d[ée]cembre|"
    r"janv\.|f[ée]vr\.|avr\.|juil\.|sept\.|oct\.|nov\.|d[ée]c\."
)
ENGLISH_MONTHS = (
    r"January|February|March|April|May|June|July|August|September|October|November|December|"
    r"Jan\.?|Feb\.?|Mar\.?|Apr\.?|Jun\.?|Jul\.?|Aug\.?|Sept?\.?|Oct\.?|Nov\.?|Dec\.?"
)
STREET = (
    r"rue|avenue|av\.|ave\.?|boul\.|boulevard|chemin|ch\.|rang|route|rte|mont[ée]e|c[ôo]te|place|pl\.|all[ée]e|impasse|"
    r"ruelle|terrasse|"
    r"croissant|cercle|carr[ée]|promenade|autoroute|quai"
)
TO_STREET = r"(?: ?, ?| )"
"""Between the number and a street whose kind stands before its name."""
ENGLISH_NAME = (
    r"(?:(?:[NSEW]\.?|North|South|East|West) )?(?:St\. )?(?:[A-Z][\w'-]+ |[0-9]{1,3}(?:st|nd|rd|th) ){1,3}"
)
ENGLISH_SHORT = "St|Ave|Rd|Blvd|Dr|Ln|Cres|Ct|Hwy|Pkwy"
ENGLISH_STREET = "Street|Avenue|Road|Boulevard|Drive|Lane|Crescent|Court|Way|Terrace|Highway"


@dataclass(frozen=True, eq=False)
class Sign:
    """One of the characters ``first`` between a text of a fixed length (``before``) and another (``after``). then: with
    which characters ``after`` may begin, looked for first for all signs that have the same; "" for any."""

    first: str
    after: str
    before: str = ""
    then: str = ""

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        return together([self])


BETWEEN = r"[ ().\u00b7/-]{0,4}"
"""What is written between the digits of a long number."""

# Cards, telephones, numbers of persons; IBAN; network addresses in DOTS, COLONS and PAIRS; postal codes in CODE.
# From the first of some digits in a row: what begins inside of them begins there too.
LONG = Sign("0-9", f"(?:{BETWEEN}[0-9]){{6}}", "(?<![0-9])")
ACCOUNT = Sign("0-9", "(?:[ -]?[A-Z0-9]){11}", "[A-Z][A-Z][0-9]")
PLUS = Sign("+", f"[1-9](?:{BETWEEN}[0-9]){{6}}")
_NO_DIGIT = " ,./A-Za-z-"
DOTS = Sign("0-9", r"\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]", then=_NO_DIGIT)
DATE = Sign("0-9", r"[-/.][0-9]{1,2}[-/.][0-9]", then=_NO_DIGIT)
MONTH = Sign(
    "0-9", rf"(?i:er)? (?=[ADFJMNOSadfjmnos])(?i:{MONTHS}|{ENGLISH_MONTHS}),? [0-9]{{4}}", then=_NO_DIGIT
)
YEAR = Sign("0-9", "(?i:st|nd|rd|th)?,? [0-9]{4}", "[A-Za-z. ][ 0-9]", _NO_DIGIT)
ROAD = Sign(
    "0-9",
    rf"(?:-?[A-DF-Za-df-z])?{TO_STREET}(?:[0-9]{{1,3}}(?:e|re|er) |(?=[ABCIMPQRTabcimpqrt\u0130\u0131])(?i:{STREET}))",
    then=_NO_DIGIT,
)  # fmt: skip
ENGLISH_ROAD = Sign("0-9", f"[A-Za-z]?[ ,]{ENGLISH_NAME}(?:{ENGLISH_SHORT}|{ENGLISH_STREET})", then=_NO_DIGIT)
BOX = Sign("0-9", "", r"(?:[. ]P\.|ale|Box) ")
CODE = Sign("0-9", "[A-Za-z][ -]{0,2}[0-9][A-Za-z][0-9]", then=_NO_DIGIT)
AT = Sign("@", r"[\w\[-]")
QUERY = Sign("=", r"[^&\s#\"'<>]{6}", "(?i:key|ken|uth|ret|ord|sig)")
WORD_TOKEN = Sign("_", r"\w{16}")
DASH_TOKEN = Sign(r"\-", r"[\w-]{20}", "(?:sk|at|pi)")
CHAT_TOKEN = Sign(r"\-", r"[\w-]{10}", "xox[abeprs]")
COLONS = Sign(":", "[0-9A-Fa-f]{0,4}:")
PAIRS = Sign(r":\-", "[0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-]")
_IS = " ?(?i:est|is|was|[:=])"
PASSWORD = Sign("pP", f"(?i:ass(?:e|word|wd)|wd){_IS}")
FRENCH_PASSWORD = Sign("pP", _IS, "(?i:md)")
PRIVATE = Sign("P", "RIVATE KEY")
CLOUD_TOKEN = Sign("AS", r"[KS]IA[0-9A-Z]{16}|Iza[\w-]{35}|G\.[\w-]{16}")
JWT = Sign("J", r"[\w-]{8}", "ey")


def together(some: Sequence[Sign]) -> re.Pattern[str]:
    """Finds whatever one of some signs finds, at the same place or at an earlier one."""
    first = "".join(dict.fromkeys(sign.first for sign in some))

    def rest(sign: Sign) -> str:
        is_known = first == sign.first and not sign.before
        return ("" if is_known else f"(?<={sign.before}[{sign.first}])") + f"(?:{sign.after})"

    rests: dict[str, list[str]] = {}
    for sign in some:
        rests.setdefault(sign.then, []).append(rest(sign))
    ways = ((f"(?=[{then}])" if then else "") + f"(?:{'|'.join(alike)})" for then, alike in rests.items())
    return re.compile(f"[{first}](?:{'|'.join(ways)})")


DIGIT_FAMILIES: tuple[tuple[re.Pattern[str], Sequence[Sign]], ...] = tuple((together(some), some) for some in (
    (LONG,), (ACCOUNT, DOTS, DATE, BOX, CODE), (MONTH, YEAR, ROAD, ENGLISH_ROAD),
))  # fmt: skip
"""Signs that begin with a digit. Most texts have none of a family, which one search shows."""
_MARKED = (PLUS, AT, QUERY, WORD_TOKEN, DASH_TOKEN, CHAT_TOKEN, COLONS, PAIRS)
MARKS: tuple[tuple[str, re.Pattern[str], Sequence[Sign]], ...] = tuple(
    (mark, together([replace(sign, first=re.escape(mark)) for sign in some]), some)
    for mark in "+@=_-:"
    for some in [[sign for sign in _MARKED if mark in sign.first]]
)
"""Signs that begin with a mark, by each mark: one character is found ten times as fast as one of several."""
LETTERED = (PASSWORD, FRENCH_PASSWORD, PRIVATE, CLOUD_TOKEN, JWT)
ANY = (
    together([sign for _, some in DIGIT_FAMILIES for sign in some]),
    *(any_of for _, any_of, _ in MARKS),
    together(LETTERED),
)
"""What finds any sign in the least time: a pattern is fast if its first characters are alike."""
_DIGIT = re.compile("[0-9]")


def seen_in(text: str) -> set[Sign]:
    """The signs in a text."""
    found: set[Sign] = set()
    if digit := _DIGIT.search(text):
        for any_of, some in DIGIT_FAMILIES:
            if first := any_of.search(text, digit.start()):
                found.update(_since(first, some))
    for mark, any_of, some in MARKS:
        if mark in text and (first := any_of.search(text)):
            found.update(_since(first, some))
    if first := ANY[-1].search(text):
        found.update(_since(first, LETTERED))
    return found


def _since(first: re.Match[str], some: Sequence[Sign]) -> Sequence[Sign]:
    """Those of some signs that a text has, none of which is before the first of all."""
    if len(some) == 1:
        return some
    text, start = first.string, first.start()
    return [sign for sign in some if sign.pattern.search(text, start)]


EVERY: tuple[Sign, ...] = (*(sign for _, some in DIGIT_FAMILIES for sign in some), *_MARKED, *LETTERED)
