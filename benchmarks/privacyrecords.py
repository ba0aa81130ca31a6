"""Made-up records with one value of personal data each, or with none but what looks like it; the same for every run."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.sentences import LOOK_ALIKES, SENTENCES
from zoo.corpora.privacy import checks

SEED, PLAIN, EACH_WAY, ALIKE = 2026, 3000, 100, 600

Chance = random.Random
Value = Callable[[Chance, str], str]
Way = Callable[[str, str], tuple[str, str]]
"""(text before the value, value) in another form."""


def numbers(chance: Chance, form: str) -> str:
    """A form with each # as a digit."""
    return "".join(str(chance.randrange(10)) if char == "#" else char for char in form)


def with_luhn(head: str) -> str:
    """A number with its last digit by ISO/IEC 7812, computed from the right."""
    doubled = (int(char) * (2 - place % 2) for place, char in enumerate(reversed(head)))
    total = sum(sum(divmod(value, 10)) for value in doubled)
    return head + str(-total % 10)


def grouped(text: str, sizes: Sequence[int], mark: str) -> str:
    parts, place = [], 0
    for size in sizes:
        parts.append(text[place : place + size])
        place += size
    return mark.join(parts)


def email(chance: Chance, _: str) -> str:
    names = (
        "helene", "marc-andre", "o.tremblay", "zoe_roy", "k.singh", "lea+liste", "will.ortega", "dr.nguyen", "pat99",
    )  # fmt: skip
    hosts = (
        "videotron.ca", "gmail.com", "cegep-limoilou.qc.ca", "mail.ubc.ca", "proton.me", "coop-du-lac.quebec",
        "bell.net",
    )  # fmt: skip
    return f"{chance.choice(names)}{chance.choice(('', chance.randrange(1, 99)))}@{chance.choice(hosts)}"


def phone(chance: Chance, language: str) -> str:
    areas = (418, 581, 514, 438, 450, 579, 819, 873) if language == "fr" else (416, 604, 613, 902, 204, 506)
    area = chance.choice(areas)
    forms = ("{a} {b}-{c}", "({a}) {b}-{c}", "{a}-{b}-{c}", "{a}.{b}.{c}", "+1 {a} {b} {c}", "1 {a} {b}-{c}")
    form = chance.choice(forms)
    return form.format(a=area, b=chance.randrange(220, 540), c=numbers(chance, "####"))


def card(chance: Chance, _: str) -> str:
    kind = chance.choice(("4", "51", "2221", "37"))
    length = 15 if kind == "37" else 16
    number = with_luhn(kind + numbers(chance, "#" * (length - 1 - len(kind))))
    return chance.choice((number, grouped(number, (4, 6, 5) if length == 15 else (4, 4, 4, 4), chance.choice(" -"))))


def iban(chance: Chance, _: str) -> str:
    country, length = chance.choice((("FR", 23), ("DE", 18), ("BE", 12), ("CH", 17), ("ES", 20)))
    account = numbers(chance, "#" * length)
    value = int("".join(str(int(char, 36)) for char in f"{account}{country}00"))
    written = f"{country}{98 - value % 97:02d}{account}"
    return chance.choice((written, grouped(written, [4] * 7, " ").strip()))


def sin(chance: Chance, _: str) -> str:
    number = with_luhn(str(chance.choice((1, 2, 3, 4, 5, 6, 7, 9))) + numbers(chance, "#######"))
    return grouped(number, (3, 3, 3), chance.choice(("", " ", "-")))


def ramq(chance: Chance, _: str) -> str:
    name = "".join(chance.choices("ABCDEGLMPRST", k=4))
    month = chance.randrange(1, 13) + chance.choice((0, 50))
    head = f"{name}{chance.randrange(30, 99)}{month:02d}{chance.randrange(1, 29):02d}{chance.randrange(1, 10)}"
    number = next(head + digit for digit in "0123456789" if checks.ramq(head + digit))
    return chance.choice((number, grouped(number, (4, 4, 4), " ")))


def ip(chance: Chance, _: str) -> str:
    return f"{chance.choice((24, 66, 99, 142, 184, 207))}.{'.'.join(str(chance.randrange(1, 255)) for _ in range(3))}"


def mac(chance: Chance, _: str) -> str:
    return chance.choice(":-").join(f"{chance.randrange(16, 256):02x}" for _ in range(6))


def key(chance: Chance, _: str) -> str:
    letters = string.ascii_letters + string.digits
    kind = chance.choice((("ghp_", 36), ("hf_", 34), ("AKIA", 16), ("sk-proj-", 40), ("glpat-", 20)))
    pool = string.ascii_uppercase + string.digits if kind[0] == "AKIA" else letters
    return kind[0] + "".join(chance.choices(pool, k=kind[1]))


def password(chance: Chance, _: str) -> str:
    word = chance.choice(("Bouleau", "maple", "Harfang", "Tuque", "kayak"))
    return word + chance.choice("!#%*") + numbers(chance, "###")


def address(chance: Chance, language: str) -> str:
    number = chance.randrange(1, 9900)
    if language == "en":
        name = chance.choice(("Maple", "King", "Lakeshore", "St. Clair", "Queen", "Dundas", "Elgin", "Granville"))
        end = chance.choice(("", " West", " East", ", Apt. 12", " N."))
        return f"{number} {name} {chance.choice(('Street', 'St.', 'Avenue', 'Road', 'Drive', 'Crescent', 'Blvd'))}{end}"
    name = chance.choice(("Saint-Joseph", "des Pins", "du Moulin", "Cartier", "de l’Église", "Notre-Dame", "Papineau"))
    end = chance.choice(("", " Est", " Ouest", ", app. 3", ", bureau 210"))
    mark = chance.choice((", ", " "))
    return f"{number}{mark}{chance.choice(('rue', 'avenue', 'boul.', 'chemin', 'rang', 'place', 'côte'))} {name}{end}"


def postal(chance: Chance, language: str) -> str:
    first, letters = chance.choice("GHJ" if language == "fr" else "KLMNTVE"), "ABCEGHJKLMNPRSTVWXYZ"
    code = numbers(chance, f"{first}#{chance.choice(letters)} #{chance.choice(letters)}#")
    return chance.choice((code, code, code.replace(" ", ""), code.lower()))


_MOIS = (
    "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre",
    "décembre",
)  # fmt: skip
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def birth(chance: Chance, language: str) -> str:
    year, month, day = chance.randrange(1930, 2012), chance.randrange(12), chance.randrange(2, 28)
    plain = f"{year}-{month + 1:02d}-{day:02d}"
    if language == "fr":
        return chance.choice((f"{day} {_MOIS[month]} {year}", plain, f"{day:02d}/{month + 1:02d}/{year}"))
    return chance.choice((f"{_MONTHS[month]} {day}, {year}", plain, f"{day} {_MONTHS[month]} {year}"))


VALUES: dict[str, Value] = {
    "EMAIL": email, "PHONE": phone, "CARD": card, "IBAN": iban, "SIN": sin, "RAMQ": ramq, "IP": ip, "MAC": mac,
    "KEY": key, "PASSWORD": password, "ADDRESS": address, "POSTAL": postal, "BIRTH": birth,
}  # fmt: skip

WAYS: dict[str, Way] = {
    "no-break spaces": lambda before, value: (before, value.replace(" ", "\u00a0")),
    "narrow no-break spaces": lambda before, value: (before, value.replace(" ", "\u202f")),
    "no-break hyphens": lambda before, value: (before, value.replace("-", "\u2011")),
    "en dashes": lambda before, value: (before, value.replace("-", "\u2013")),
    "full-width digits": lambda before, value: (before, value.translate({48 + n: 0xFF10 + n for n in range(10)})),
    "zero width space inside": lambda before, value: (before, f"{value[:3]}\u200b{value[3:]}"),
    "soft hyphen inside": lambda before, value: (before, f"{value[:-2]}\u00ad{value[-2:]}"),
    "direction marks around": lambda before, value: (f"{before}\u200f", value),
    "in parentheses": lambda before, value: (f"{before}(", value),
    "in quotation marks": lambda before, value: (f"{before}\"", value),
    "in guillemets": lambda before, value: (f"{before}«\u00a0", value),
    "bold in Markdown": lambda before, value: (f"{before}**", value),
    "in code marks": lambda before, value: (f"{before}`", value),
    "on a line of its own": lambda before, value: (f"{before}\n", value),
    "after a tab": lambda before, value: (f"{before}\t", value),
    "after two spaces": lambda before, value: (f"{before} ", value),
    "after an emoji": lambda before, value: (f"{before}📌 ", value),
    "in a list": lambda before, value: (f"{before}\n- ", value),
    "straight apostrophes": lambda before, value: (before.replace("’", "'"), value.replace("’", "'")),
    "no accents composed": lambda before, value: (before.replace("é", "e\u0301"), value),
}
_CLOSING = {"(": ")", '"': '"', "«\u00a0": "\u00a0»", "**": "**", "`": "`", "\u200f": "\u200e"}


class Record(NamedTuple):
    """A text, and where its value is; kind "" without one."""

    text: str
    start: int
    end: int
    kind: str
    language: str
    way: str


def record(chance: Chance, way: str) -> Record:
    """A made-up record."""
    language, kind = chance.choice(("fr", "en")), chance.choice(tuple(VALUES))
    before, after = chance.choice(SENTENCES[language][kind]).split("{}")
    value = VALUES[kind](chance, language)
    if way:
        before, value = WAYS[way](before, value)
    closing = next((mark for begin, mark in _CLOSING.items() if way and before.endswith(begin)), "")
    # In sentences a space keeps the place apart from the stop, which nobody writes.
    after = after[1:] if after[:2] in (" .", " ,") else after
    return Record(f"{before}{value}{closing}{after}", len(before), len(before) + len(value), kind, language, way)


def records() -> list[Record]:
    """The same for every run."""
    chance = Chance(SEED)
    made = [record(chance, "") for _ in range(PLAIN)]
    made += [record(chance, way) for way in WAYS for _ in range(EACH_WAY)]
    for _ in range(ALIKE):
        language = chance.choice(("fr", "en"))
        made.append(Record(numbers(chance, chance.choice(LOOK_ALIKES[language])), 0, 0, "", language, ""))
    return made
