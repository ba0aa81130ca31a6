"""Telephone numbers that exist, by Google's tables. The only place that uses ``phonenumbers``."""

from __future__ import annotations

import functools

import phonenumbers


@functools.lru_cache(65536)
def is_valid(text: str, region: str | None) -> bool:
    """Whether a number could be somebody's: its area exists, and it is not one of those for films (555-0100 to -0199).

    region: where it is written, such as CA; None for one that begins with +.
    """
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return False
    national = str(number.national_number)
    if number.country_code == 1 and national[3:8] == "55501":
        return False
    valid: bool = phonenumbers.is_valid_number(number)
    return valid
