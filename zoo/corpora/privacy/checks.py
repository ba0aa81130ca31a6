"""Arithmetic of numbers that name people, cards and accounts. Pure; texts may hold spaces and hyphens."""

from __future__ import annotations

import datetime
import re

_IBAN = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 "
    "FI18 FO18 "
    "FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 "
    "LU20 LV21 "
    "LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SD18 SE24 "
    "SI19 SK24 "
    "SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20"
)
IBAN_LENGTHS = {one[:2]: int(one[2:]) for one in _IBAN.split()}
"""ISO 13616: characters of an account number by country."""

# Beginnings of the issuers with the lengths of their numbers (ISO/IEC 7812 and the issuers' own tables).
_CARDS: tuple[tuple[str, tuple[int, ...]], ...] = (
    (r"4", (13, 16, 19)), (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,)), (r"3[47]", (15,)),
    (r"6011|64[4-9]|65|622", (16, 17, 18, 19)), (r"30[0-5]|3[689]", (14, 16, 19)), (r"352[89]|35[3-8]", (16, 19)),
)  # fmt: skip

_RAMQ_WEIGHTS = (7, 1, 1, 3, 9, 7, 3, 9, 5, 3, 1, 3, 5, 7, 6, 9, 1)


def digits(text: str) -> str:
    """The digits of a text."""
    return re.sub(r"\D", "", text)


def luhn(number: str) -> bool:
    """Whether the last digit is right by ISO/IEC 7812, annex B. One of ten numbers passes by chance."""
    total = 0
    for place, char in enumerate(reversed(number)):
        value = int(char) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def card(text: str) -> bool:
    """A payment card: the beginning and length of an issuer, and a right last digit."""
    number = digits(text)
    known = any(len(number) in lengths and re.match(start, number) for start, lengths in _CARDS)
    return known and luhn(number)


def iban(text: str) -> int:
    """How many characters of ``text`` are an account number by ISO 13616 (mod 97); 0 if none are. What follows the
    number may look like a part of it, so its length is that of its country."""
    wanted = IBAN_LENGTHS.get(text[:2], 0)
    taken, end = "", 0
    for place, char in enumerate(text):
        if char not in " -":
            taken += char
            end = place + 1
        if len(taken) == wanted:
            break
    if not wanted or len(taken) != wanted or not taken.isascii() or not taken.isalnum():
        return 0
    number = "".join(str(int(char, 36)) for char in taken[4:] + taken[:4])
    return end if int(number) % 97 == 1 else 0


def sin(text: str) -> bool:
    """A Canadian social insurance number: first digit 1 to 7 or 9, and a right last digit."""
    number = digits(text)
    return len(number) == 9 and number[0] not in "08" and luhn(number)


def ssn(text: str) -> bool:
    """A number of the United States' social security: area, group and serial that are issued."""
    area, group, serial = text.split("-")
    return area not in ("000", "666") and area[0] != "9" and group != "00" and serial != "0000"


def nir(text: str) -> bool:
    """A French social security number: 97 minus the first 13 digits mod 97 is the key."""
    number = re.sub(r"[\s.-]", "", text).upper().replace("2A", "19").replace("2B", "18")
    return len(number) == 15 and number.isdigit() and 97 - int(number[:13]) % 97 == int(number[13:])


def ramq_date(text: str) -> bool:
    """Whether the six digits of a Québec health insurance number are a date; 50 is added to the month of women."""
    year, month, day = int(text[4:6]), int(text[6:8]), int(text[8:10])
    month -= 50 if month > 50 else 0
    return any(_is_date(century + year, month, day) for century in (1900, 2000))


def ramq(text: str) -> bool:
    """Whether a Québec health insurance number without spaces has a valid date and a right last digit.

    The last digit is a weighted sum of letters (A = 01 ... R = 18, S = 20 ... Z = 27), the year with its century, month
    as written, day and sequence, mod 10. The century is not known, so two of ten numbers pass by chance.
    """
    if not ramq_date(text):
        return False
    letters = "".join(f"{ord(char) - ord('A') + (1 if char < 'S' else 2):02d}" for char in text[:4])
    for century in ("19", "20"):
        number = letters + century + text[4:11]
        total = sum(int(char) * weight for char, weight in zip(number, _RAMQ_WEIGHTS, strict=True))
        if total % 10 == int(text[11]):
            return True
    return False


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        datetime.date(year, month, day)
    except ValueError:
        return False
    return True
