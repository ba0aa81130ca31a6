"""What is looked for, one row each: a kind of personal data, where it may be, its shape, and what decides. Pure.

To add a kind, write a row in ``FINDERS`` with the signs that every text with it has, sentences with it and look-alikes
in the tests, and a line in the how-to.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

from zoo.corpora.privacy import decide, signs
from zoo.corpora.privacy.checks import digits
from zoo.corpora.privacy.decide import Seen, Span
from zoo.corpora.privacy.signs import Sign


@dataclass(frozen=True)
class Finder:
    """signs: every text with the kind has one of them. pattern: its shape. choose: the span that is the value, None for
    a look-alike. same: the form in which two ways to write a value are equal. figures: for long numbers, their digits
    with the marks between, each digit as 0: what the shape of a number shows of the pattern. needs: a text that is
    somewhere before every match or in it.
    """

    kind: str
    what: str
    signs: tuple[Sign, ...]
    pattern: str
    choose: Callable[[Seen, re.Match[str]], Span | None]
    same: Callable[[str], str] = digits
    flags: re.RegexFlag = re.NOFLAG
    figures: str = ""
    needs: str = ""

    @functools.cached_property
    def near(self) -> re.Pattern[str] | None:
        """Finds ``figures``; None without them."""
        return re.compile(self.figures) if self.figures else None

    @functools.cached_property
    def search(self) -> re.Pattern[str]:
        return re.compile(self.pattern, self.flags)


_NAME = r"(?:(?:(?:de|du|des|la|le|les|à|aux|et) |l'|d'|L'|D'){0,3}[A-ZÀ-Ý][\w'À-ÿ-]*)"
_DOOR = r"(?:(?: ?, ?| )(?i:app\.?|apt\.?|appartement|apartment|bureau|unit[ée]?|suite|porte|#) ?#?\w{1,5}\b)?"
_DATE = (
    rf"(?:\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}|\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{2,4}}|(?:1er|"
    rf"\d{{1,2}}) (?:{signs.MONTHS}) \d{{4}}|"
    rf"(?:{signs.ENGLISH_MONTHS}) \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}|\d{{1,2}} (?:{signs.ENGLISH_MONTHS}),? \d{{4}})"
)
_BORN = (
    r"\bn[ée]+(?:\(e\))?(?: [àa] [\w' -]{2,30}?)?,? le|\bn[ée]e? en|date de naissance|\bDDN\b|naissance|"
    r"\bborn(?: on)?|"
    r"date of birth|\bD\.?O\.?B\.?\b|birth ?date|birthday|anniversaire"
)

_SEP = r"(?:\.| ?[/\u00b7-] ?| {0,2})"
_TWO_AND_TWO = r"[0-9]{2}[ ./\u00b7-][0-9]{2}"
FINDERS = (
    Finder(
        "KEY", "keys and tokens of known forms, private keys",
        (signs.WORD_TOKEN, signs.DASH_TOKEN, signs.CHAT_TOKEN, signs.PRIVATE, signs.CLOUD_TOKEN, signs.JWT),
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]{0,8000}?(?:-----END [A-Z ]*PRIVATE KEY-----|$)|"
        r"\b(?:gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_\w{22,255}|glpat-[\w-]{20,}|(?:AKIA|ASIA)[0-9A-Z]{16}|"
        r"sk-(?:ant-|proj-)?[\w-]{20,}|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|xox[abeprs]-[\w-]{10,}|AIza[\w-]{35}|"
        r"hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,}|SG\.[\w-]{16,}\.[\w-]{16,}|"
        r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,})(?![\w])",
        decide.all_span, str,
    ),
    Finder(
        "LOGIN", "names and passwords in addresses", (signs.AT,),
        r"(?<=://)(?P<value>[^\s/?#\"'<>\\@]{1,200})@(?=[\w\[])", decide.group_span, str, needs="://",
    ),
    Finder(
        "LOGIN", "tokens in the query of an address", (signs.QUERY,),
        r"(?<=[?&])(?:api_?key|access_token|auth|token|secret|password|"
        r"sig)=(?P<value>[^&\s#\"'<>]{6,200})", decide.group_span, str,
        re.IGNORECASE,
    ),
    Finder(
        "PASSWORD", "passwords after the word", (signs.PASSWORD, signs.FRENCH_PASSWORD),
        r"\b(?:mot de passe|password|passwd|mdp|pwd)\b ?(?:est|is|was|"
        r"[:=])[ \t\n]{0,3}(?:- |[^\w\s!-~]{1,3} )?[\"'«]? ?(?P<value>\S{5,64})", decide.password_span, str,
        re.IGNORECASE,
    ),
    Finder(
        "EMAIL", "e-mail addresses, but not of domains reserved for examples", (signs.AT,),
        r"(?<![\w.+-])(?:[\w!#$%&'*+/=?^`{|}~-][\w.!#$%&'*+/=?^`{|}~-]{0,63}|"
        r"[\"\u201c](?:\\.|[^\"\u201c\u201d\\\r\n]){1,64}[\"\u201d])@(?P<host>(?:[\w-]{1,63}\.){1,8}[^\W\d_][\w-]{1,62})",
        decide.email_span, str.casefold,
    ),
    Finder(
        "IBAN", "bank accounts (IBAN)", (signs.ACCOUNT,),
        r"\b[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]){11,30}", decide.iban_span, lambda text: re.sub(r"[ -]", "", text),
    ),
    Finder(
        "CARD", "payment cards", (signs.LONG,),
        r"(?<![\w.-])(?:[2-6][0-9]{12,18}|"
        r"[2-6][0-9]{3}(?P<s>[ -])[0-9]{4}(?P=s)[0-9]{4}(?P=s)[0-9]{1,4}(?:(?P=s)[0-9]{3})?|"
        r"3[0-9]{3}(?P<t>[ -])[0-9]{6}(?P=t)[0-9]{4,5})(?![\w-]|\.[0-9])",
        decide.card_span, figures="0{13}|0{4}[ -]0{4}[ -]0{4}[ -]0|0{4}[ -]0{6}[ -]0{4}",
    ),
    Finder(
        "RAMQ", "Québec health insurance numbers", (signs.LONG,),
        r"(?<![\w-])[A-Za-z]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}(?![\w-])", decide.ramq_span,
        lambda text: re.sub(r"[ -]", "", text).upper(), figures=r"\A0{4}[ -]?0{4}(?![0-])",
    ),
    Finder(
        "NIR", "French social security numbers", (signs.LONG,),
        r"(?<![\w.-])[12][ .]?[0-9]{2}[ .]?(?:0[1-9]|1[0-2]|[2-9][0-9])[ .]?(?:2[AB]|"
        r"[0-9]{2})[ .]?[0-9]{3}[ .]?[0-9]{3}[ .]?"
        r"[0-9]{2}(?![\w-]|\.[0-9])",
        # Letters of a department in Corsica end the first part of the number.
        decide.nir_span, figures=r"(?:\A|0[ .]?00[ .]?00[ .]?00[ .]?)0{3}[ .]?0{3}[ .]?00(?![0-])",
    ),
    Finder(
        "SSN", "social security numbers of the United States", (signs.LONG,),
        r"(?<![\w.-])[0-9]{3}-[0-9]{2}-[0-9]{4}(?![\w-])", decide.ssn_span, figures="000-00-0000(?![0-])",
    ),
    Finder(
        "PHONE", "phone numbers of North America, with their extension", (signs.LONG,),
        # A telephone may follow another one and a slash, but is no part of a path, a date or a serial number.
        r"(?:(?<![^\W_])|(?=\())(?<!\+)(?<![^\W_]-)(?<!(?<![0-9]{4})/)(?<![0-9]\.)(?P<number>"
        rf"(?:\(\+?1\) ?|(?:\+|00)?1{_SEP})?(?:\(?(?:\+?1[ .-]?)?[2-9][0-9]{{2}}\)(?: ?[./\u00b7-])? ?|"
        rf"[2-9][0-9]{{2}}{_SEP})[2-9][0-9]{{2}}{_SEP}(?:[0-9]{{4}}|{_TWO_AND_TWO}))"
        r"(?!(?!x[0-9])[^\W_]|/[0-9](?![0-9]{2}(?![0-9]))|[.\u00b7-][0-9]| [0-9]{3})"
        r"(?:,? ?(?:[Pp]oste|[Ee]xt(?:ension|\.)?|p\.|x|#) ?[0-9]{1,6}\b)?",
        decide.phone_span, lambda text: digits(text).lstrip("01")[:10],
        figures=r"000\)?[ ./\u00b7-]{0,3}000[ ./\u00b7-]{0,3}00[ ./\u00b7-]?00(?!0)",
    ),
    Finder(
        "PHONE", "phone numbers without an area, after a word such as phone", (signs.LONG,),
        r"(?<![\w.+/-])[2-9][0-9]{2}(?:[ \u00b7-][0-9]{4}|(?P<s>[\u00b7-])[0-9]{2}(?P=s)[0-9]{2})"
        r"(?![\w/]|[ .\u00b7-][0-9])",
        decide.local_phone_span, figures=r"(?<![0./-])000(?:[ \u00b7-]0000|[\u00b7-]00[\u00b7-]00)(?!0)",
    ),
    Finder(
        "PHONE", "international phone numbers", (signs.PLUS,),
        rf"(?<![\w+])\+[1-9][0-9]{{0,2}}(?:{signs.BETWEEN}[0-9]){{6,13}}(?!\w)", decide.world_phone_span,
        lambda text: digits(text).removeprefix("1"),
    ),
    Finder(
        "PHONE", "French phone numbers in groups of two", (signs.LONG,),
        r"(?<![\w.+/-])0[1-9](?:[ ./\u00b7-][0-9]{2}){4}(?![\w]|[ ./\u00b7-][0-9])", decide.french_phone_span,
        figures=r"(?<![0./-])00(?:[ ./\u00b7-]00){4}(?!0)",
    ),
    Finder(
        "SIN", "Canadian social insurance numbers", (signs.LONG,),
        r"(?<![\w.-])[1-79][0-9]{2}(?P<sep>[ -]?)[0-9]{3}(?P=sep)[0-9]{3}(?![\w-]|[ .][0-9])", decide.sin_span,
        figures="(?<![0.-])000(?P<s>[ -]?)000(?P=s)000(?![0-])",
    ),
    Finder(
        "DRIVER", "Québec driver's licences", (signs.LONG,),
        r"(?<![\w-])[A-Z][0-9]{4}-[0-9]{6}-[0-9]{2}(?![\w-])", decide.all_span,
        lambda text: text.replace("-", ""), figures=r"\A0000-000000-00(?![0-])",
    ),
    Finder(
        "IP", "public IP addresses, version 4", (signs.DOTS,),
        r"(?<![\w.-])(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})(?![\w-]|"
        r"\.[0-9])",
        decide.ipv4_span, str,
    ),
    Finder(
        "IP", "public IP addresses, version 6", (signs.COLONS,),
        r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:{1,2}){2,7}(?:[0-9A-Fa-f]{1,4})?(?![\w:])", decide.ipv6_span, str.casefold,
    ),
    Finder(
        "MAC", "hardware addresses (MAC)", (signs.PAIRS,),
        r"(?<![\w:-])[0-9A-Fa-f]{2}(?P<m>[:-])(?:[0-9A-Fa-f]{2}(?P=m)){4}[0-9A-Fa-f]{2}(?![\w:-])", decide.mac_span,
        lambda text: text.replace("-", ":").casefold(),
    ),
    Finder(
        "BIRTH", "birth dates, after a word such as born", (signs.DATE, signs.MONTH, signs.YEAR),
        rf"(?=[nbda])(?:{_BORN})[^\d]{{0,20}}?(?P<value>{_DATE})(?![0-9])", decide.group_span, decide.folded,
        re.IGNORECASE,
    ),
    Finder(
        "ADDRESS", "street addresses, the street's kind before its name", (signs.ROAD,),
        rf"(?<![\w.-])[0-9]{{1,5}}(?:-[0-9]{{1,5}})?(?:-?[A-DF-Za-df-z])?{signs.TO_STREET}"
        r"(?:(?:[1-9]?[0-9]?[0-9])(?:e|re|er) (?i:avenue|rue|rang)\b|"
        rf"(?:(?i:{signs.STREET}))(?: |(?<=\.)){_NAME}(?: {_NAME}){{0,4}}){_DOOR}",
        decide.all_span, decide.folded,
    ),
    Finder(
        "ADDRESS", "street addresses, the street's kind after its name", (signs.ENGLISH_ROAD,),
        rf"(?<![\w.-])[0-9]{{1,5}}[A-Za-z]?[ ,]{signs.ENGLISH_NAME}(?:(?:{signs.ENGLISH_SHORT})\b\.?|"
        rf"(?:{signs.ENGLISH_STREET})\b)"
        rf"(?: (?:(?:North|South|East|West)\b|[NSEW]\b\.?))?{_DOOR}",
        decide.all_span, decide.folded,
    ),
    Finder(
        "ADDRESS", "post office boxes", (signs.BOX,),
        r"(?<!\w)(?:C\. ?P\.|Case postale|P\.? ?O\.? ?Box) [0-9]{1,6}(?:,? succ(?:ursale|"
        r"\.) [\w'-]+(?: [\w'-]+)?)?", decide.all_span, decide.folded,
    ),
    Finder(
        "POSTAL", "Canadian postal codes", (signs.CODE,),
        r"(?<![\w-])[ABCEGHJ-NPRSTVXY][0-9][ABCEGHJ-NPRSTV-Z] "
        r"{1,2}[0-9][ABCEGHJ-NPRSTV-Z][0-9](?![\w-])", decide.all_span,
        lambda text: text.replace(" ", ""),
    ),
    Finder(
        "POSTAL", "Canadian postal codes without a space, after a word", (signs.CODE,),
        r"(?<![\w-])[ABCEGHJ-NPRSTVXYabceghj-nprstvxy][0-9][A-Za-z][ -]?[0-9][A-Za-z][0-9](?![\w-])",
        decide.postal_span,
        lambda text: re.sub(r"[ -]", "", text).upper(),
    ),
)  # fmt: skip
"""In the order in which one of two overlapping finds is kept: what is checked most, and is worst to lose, first."""

KINDS = tuple(dict.fromkeys(finder.kind for finder in FINDERS))
