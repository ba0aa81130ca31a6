"""What is looked for, one row each: a kind of personal data, where it may be, its shape, and what decides. Pure.

To add a kind, write a row in ``FINDERS``, sentences with it and look-alikes in the tests, and a line in the how-to.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

from zoo.corpora.privacy import decide
from zoo.corpora.privacy.checks import digits
from zoo.corpora.privacy.decide import Seen, Span


@dataclass(frozen=True)
class Finder:
    """needs: one of these is in every text that has the kind. row: digits that are near each other there, 0, 1 or LONG.
    pattern: its shape. choose: the span that is the value, None for a look-alike. same: the form in which two ways to
    write a value are equal. begin: a pattern that begins with a class of characters, and is somewhere in every match:
    such a pattern is found several times as fast.
    """

    kind: str
    what: str
    row: int
    needs: tuple[str, ...]
    pattern: str
    choose: Callable[[Seen, re.Match[str]], Span | None]
    same: Callable[[str], str] = digits
    flags: re.RegexFlag = re.NOFLAG
    begin: str = ""

    @functools.cached_property
    def near(self) -> re.Pattern[str] | None:
        """What every match has in it, found sooner; None without ``begin``."""
        return re.compile(self.begin) if self.begin else None

    @functools.cached_property
    def search(self) -> re.Pattern[str]:
        return re.compile(self.pattern, self.flags)


_NAME = r"(?:(?:(?:de|du|des|la|le|les|à|aux|et) |l'|d'|L'|D'){0,3}[A-ZÀ-Ý][\w'À-ÿ-]*)"
_STREET = (
    r"rue|avenue|av\.|boul\.|boulevard|chemin|ch\.|rang|route|rte|mont[ée]e|c[ôo]te|place|pl\.|all[ée]e|impasse|"
    r"ruelle|terrasse|"
    r"croissant|cercle|carr[ée]|promenade|autoroute|quai"
)
_DOOR = r"(?:,? (?i:app\.?|apt\.?|appartement|apartment|bureau|unit[ée]?|suite|porte|#) ?#?\w{1,5}\b)?"
_MONTHS = (
    r"janvier|f[ée]vrier|mars|avril|mai|juin|juillet|ao[ûu]t|septembre|octobre|novembre|d[ée]cembre|"
    r"janv\.|f[ée]vr\.|avr\.|juil\.|sept\.|oct\.|nov\.|d[ée]c\."
)
_ENGLISH_MONTHS = (
    r"January|February|March|April|May|June|July|August|September|October|November|December|"
    r"Jan\.?|Feb\.?|Mar\.?|Apr\.?|Jun\.?|Jul\.?|Aug\.?|Sept?\.?|Oct\.?|Nov\.?|Dec\.?"
)
_DATE = (
    rf"(?:\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}|\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{2,4}}|(?:1er|"
    rf"\d{{1,2}}) (?:{_MONTHS}) \d{{4}}|"
    rf"(?:{_ENGLISH_MONTHS}) \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}|\d{{1,2}} (?:{_ENGLISH_MONTHS}),? \d{{4}})"
)
_BORN = (
    r"\bn[ée]+(?:\(e\))?(?: [àa] [\w' -]{2,30}?)?,? le|\bn[ée]e? en|date de naissance|\bDDN\b|naissance|"
    r"\bborn(?: on)?|"
    r"date of birth|\bD\.?O\.?B\.?\b|birth ?date|birthday|anniversaire"
)

_KEYS = (
    "PRIVATE KEY", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "AKIA", "ASIA", "sk-", "sk_", "rk_",
    "xox", "AIza", "hf_", "npm_", "pypi-", "SG.", "eyJ",
)  # fmt: skip
_BIRTH = (
    "n\u00e9", "ne le", "N\u00e9", "N\u00c9", "aiss", "NAISS", "orn", "BORN", "irth", "BIRTH", "DOB", "D.O.B", "DDN",
    "nnivers",
    "ANNIV",
)  # fmt: skip
LONG = 7
_SEP = r"[ .-]"
FINDERS = (
    Finder(
        "KEY", "keys and tokens of known forms, private keys", 0, _KEYS,
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]{0,8000}?(?:-----END [A-Z ]*PRIVATE KEY-----|$)|"
        r"\b(?:gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_\w{22,255}|glpat-[\w-]{20,}|(?:AKIA|ASIA)[0-9A-Z]{16}|"
        r"sk-(?:ant-|proj-)?[\w-]{20,}|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|xox[abeprs]-[\w-]{10,}|AIza[\w-]{35}|"
        r"hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,}|SG\.[\w-]{16,}\.[\w-]{16,}|"
        r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,})(?![\w])",
        decide.all_span, str,
    ),
    Finder(
        "LOGIN", "names and passwords in addresses", 0, ("://",),
        r"(?<=://)(?P<value>[^\s/?#\"'<>\\@]{1,200})@(?=[\w\[])", decide.group_span, str,
    ),
    Finder(
        "LOGIN", "tokens in the query of an address", 0, ("=",),
        r"(?<=[?&])(?:api_?key|access_token|auth|token|secret|password|"
        r"sig)=(?P<value>[^&\s#\"'<>]{6,200})", decide.group_span, str,
        re.IGNORECASE,
    ),
    Finder(
        "PASSWORD", "passwords after the word", 0, ("pass", "Pass", "PASS", "mdp", "MDP", "pwd"),
        r"\b(?:mot de passe|password|passwd|mdp|pwd)\b ?(?:est|is|was|"
        r"[:=])[ \t\n]{0,3}(?:- )?[\"'«]? ?(?P<value>\S{5,64})", decide.password_span, str,
        re.IGNORECASE,
    ),
    Finder(
        "EMAIL", "e-mail addresses, but not of domains reserved for examples", 0, ("@",),
        r"(?<![\w.+-])[\w!#$%&'*+/=?^`{|}~-][\w.!#$%&'*+/=?^`{|"
        r"}~-]{0,63}@(?P<host>(?:[\w-]{1,63}\.){1,8}[^\W\d_][\w-]{1,62})",
        decide.email_span, str.casefold,
    ),
    Finder(
        "IBAN", "bank accounts (IBAN)", 1, ("",),
        r"\b[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]){11,30}", decide.iban_span, lambda text: re.sub(r"[ -]", "", text),
        begin="[A-Z][A-Z][0-9][0-9]",
    ),
    Finder(
        "CARD", "payment cards", LONG, ("",),
        r"(?<![\w.-])(?:[2-6][0-9]{12,18}|"
        r"[2-6][0-9]{3}(?P<s>[ -])[0-9]{4}(?P=s)[0-9]{4}(?P=s)[0-9]{1,4}(?:(?P=s)[0-9]{3})?|"
        r"3[0-9]{3}(?P<t>[ -])[0-9]{6}(?P=t)[0-9]{4,5})(?![\w-]|\.[0-9])",
        decide.card_span,
    ),
    Finder(
        "RAMQ", "Québec health insurance numbers", LONG, ("",),
        r"(?<![\w-])[A-Za-z]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}(?![\w-])", decide.ramq_span,
        lambda text: re.sub(r"[ -]", "", text).upper(),
    ),
    Finder(
        "NIR", "French social security numbers", LONG, ("",),
        r"(?<![\w.-])[12][ .]?[0-9]{2}[ .]?(?:0[1-9]|1[0-2]|[2-9][0-9])[ .]?(?:2[AB]|"
        r"[0-9]{2})[ .]?[0-9]{3}[ .]?[0-9]{3}[ .]?"
        r"[0-9]{2}(?![\w-]|\.[0-9])",
        decide.nir_span,
    ),
    Finder(
        "SSN", "social security numbers of the United States", LONG, ("-",),
        r"(?<![\w.-])[0-9]{3}-[0-9]{2}-[0-9]{4}(?![\w-])", decide.ssn_span,
    ),
    Finder(
        "PHONE", "phone numbers of North America, with their extension", LONG, ("",),
        rf"(?<![\w.+/-])(?P<number>(?:\+?1{_SEP}?)?(?:\([2-9][0-9]{{2}}\) ?|"
        rf"[2-9][0-9]{{2}}{_SEP}?)[2-9][0-9]{{2}}{_SEP}?[0-9]{{4}})"
        r"(?![\w/]|[.-][0-9]| [0-9]{3})(?:,? ?(?:poste|ext\.?|p\.|x) ?[0-9]{1,6}\b)?",
        decide.phone_span, lambda text: digits(text).removeprefix("1")[:10],
    ),
    Finder(
        "PHONE", "phone numbers without an area, after a word such as phone", LONG, ("",),
        r"(?<![\w.+/-])[2-9][0-9]{2}[ -][0-9]{4}(?![\w/]|[ .-][0-9])", decide.local_phone_span,
    ),
    Finder(
        "PHONE", "international phone numbers", LONG, ("+",),
        r"(?<![\w+])\+[1-9][0-9]{0,2}(?:[ .()-]{0,2}[0-9]){6,13}(?!\w)", decide.world_phone_span,
        lambda text: digits(text).removeprefix("1"),
    ),
    Finder(
        "PHONE", "French phone numbers in groups of two", LONG, ("",),
        r"(?<![\w.+-])0[1-9](?:[ .][0-9]{2}){4}(?![\w]|[ .-][0-9])", decide.french_phone_span,
    ),
    Finder(
        "SIN", "Canadian social insurance numbers", LONG, ("",),
        r"(?<![\w.-])[1-79][0-9]{2}(?P<sep>[ -]?)[0-9]{3}(?P=sep)[0-9]{3}(?![\w-]|[ .][0-9])", decide.sin_span,
    ),
    Finder(
        "DRIVER", "Québec driver's licences", LONG, ("",),
        r"(?<![\w-])[A-Z][0-9]{4}-[0-9]{6}-[0-9]{2}(?![\w-])", decide.all_span,
        lambda text: text.replace("-", ""),
    ),
    Finder(
        "IP", "public IP addresses, version 4", 1, (".",),
        r"(?<![\w.-])(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})(?![\w-]|"
        r"\.[0-9])",
        decide.ipv4_span, str, begin=r"[0-9]\.[0-9]",
    ),
    Finder(
        "IP", "public IP addresses, version 6", 0, (":",),
        r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:{1,2}){2,7}(?:[0-9A-Fa-f]{1,4})?(?![\w:])", decide.ipv6_span, str.casefold,
    ),
    Finder(
        "MAC", "hardware addresses (MAC)", 0, (":", "-"),
        r"(?<![\w:-])[0-9A-Fa-f]{2}(?P<m>[:-])(?:[0-9A-Fa-f]{2}(?P=m)){4}[0-9A-Fa-f]{2}(?![\w:-])", decide.mac_span,
        lambda text: text.replace("-", ":").casefold(),
    ),
    Finder(
        "BIRTH", "birth dates, after a word such as born", 1, _BIRTH,
        rf"(?:{_BORN})[^\d]{{0,20}}?(?P<value>{_DATE})(?![0-9])", decide.group_span, decide.folded, re.IGNORECASE,
    ),
    Finder(
        "ADDRESS", "street addresses, the street's kind before its name", 1, ("",),
        rf"(?<![\w.-])[0-9]{{1,5}}(?:-[0-9]{{1,5}})?[A-DF-Za-df-z]?,? (?:(?:[1-9]?[0-9]?[0-9])(?:e|re|er) (?:avenue|"
        rf"rue|rang)\b|"
        rf"(?:(?i:{_STREET})) {_NAME}(?: {_NAME}){{0,4}}){_DOOR}",
        decide.all_span, decide.folded, begin="[0-9][A-Za-z]?,? [0-9A-Za-z\u0130\u0131]",
    ),
    Finder(
        "ADDRESS", "street addresses, the street's kind after its name", 1, ("",),
        r"(?<![\w.-])[0-9]{1,5}[A-Za-z]? (?:(?:[NSEW]\.?|North|South|East|West) )?(?:St\. )?(?:[A-Z][\w'-]+ |"
        r"[0-9]{1,3}(?:st|nd|rd|th) ){1,3}"
        r"(?:(?:St|Ave|Rd|Blvd|Dr|Ln|Cres|Ct|Hwy|Pkwy)\b\.?|"
        r"(?:Street|Avenue|Road|Boulevard|Drive|Lane|Crescent|Court|Way|Terrace|Highway)\b)"
        rf"(?: (?:(?:North|South|East|West)\b|[NSEW]\b\.?))?{_DOOR}",
        decide.all_span, decide.folded, begin="[0-9][A-Za-z]? [A-Z0-9]",
    ),
    Finder(
        "ADDRESS", "post office boxes", 1, ("C.", "ase postale", "ox "),
        r"(?<!\w)(?:C\. ?P\.|Case postale|P\.? ?O\.? ?Box) [0-9]{1,6}(?:,? succ(?:ursale|"
        r"\.) [\w'-]+(?: [\w'-]+)?)?", decide.all_span, decide.folded,
    ),
    Finder(
        "POSTAL", "Canadian postal codes", 1, ("",),
        r"(?<![\w-])[ABCEGHJ-NPRSTVXY][0-9][ABCEGHJ-NPRSTV-Z] "
        r"{1,2}[0-9][ABCEGHJ-NPRSTV-Z][0-9](?![\w-])", decide.all_span,
        lambda text: text.replace(" ", ""), begin="[A-Z][0-9][A-Z] ",
    ),
    Finder(
        "POSTAL", "Canadian postal codes without a space, after a word", 1, ("",),
        r"(?<![\w-])[ABCEGHJ-NPRSTVXYabceghj-nprstvxy][0-9][A-Za-z] ?[0-9][A-Za-z][0-9](?![\w-])",
        decide.postal_span,
        lambda text: text.replace(" ", "").upper(), begin="[A-Za-z][0-9][A-Za-z] ?[0-9]",
    ),
)  # fmt: skip
"""In the order in which one of two overlapping finds is kept: what is checked most, and is worst to lose, first."""

KINDS = tuple(dict.fromkeys(finder.kind for finder in FINDERS))
