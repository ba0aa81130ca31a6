"""What takes the place of a value: the same for the same value inside a corpus, another in every other corpus."""

from __future__ import annotations

import hashlib
import hmac

KEY_BYTES = 32


class Placeholders:
    """Makes placeholders with a secret key. Without the key, none can be computed from a guessed value."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __repr__(self) -> str:
        # The key must reach no log and no traceback.
        return "Placeholders(...)"

    def of(self, kind: str, same: str, _written: str = "") -> str:
        """``[EMAIL-k3v7q2xw5a]``: 50 bits, so two of a million values share one in one of 2,000 corpora."""
        return f"[{kind}-{self._word(kind, same)}]"

    def identifier(self, text: str) -> str:
        """16 hexadecimal digits instead of a digest, which anyone could compute from a guessed text."""
        return hmac.new(self._key, f"identifier\0{text}".encode(), hashlib.sha256).hexdigest()[:16]

    def valid(self, kind: str, same: str, _written: str = "") -> str:
        """A value of a form that a schema may ask for, from what is reserved for examples: RFC 2606, 3849 and 5737, and
        the numbers for films."""
        word = self._word(kind, same)
        number = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
        match kind:
            case "EMAIL":
                return f"{word}@example.com"
            case "PHONE":
                return f"+1 418 555-01{number % 100:02d}"
            case "IP" if ":" in same:
                return f"2001:db8::{number >> 48:x}:{number >> 32 & 0xFFFF:x}"
            case "IP":
                return f"192.0.2.{number % 254 + 1}"
            case "BIRTH":
                return "1900-01-01"
            case "LOGIN":
                return word
            case _:
                return self.of(kind, same)

    def shaped(self, kind: str, same: str, written: str) -> str:
        """A value in the shape of ``written``, for a schema that asks for one way of writing it. Telephones are those
        for films; H0H 0H0 is the postal code of Santa Claus; no account has only zeros."""
        film = "".join(filter(str.isdigit, self.valid("PHONE", same)))
        letters = sum(map(str.isalnum, written))
        match kind, letters:
            case "PHONE", 10 | 11:
                return _in_shape(written, film[-letters:])
            case "POSTAL", 6:
                return _in_shape(written, "H0H0H0" if written.isupper() else "h0h0h0")
            case "SIN" | "CARD" | "SSN" | "NIR", _:
                return _in_shape(written, "0" * letters)
            case _:
                return self.valid(kind, same)

    def _word(self, kind: str, same: str) -> str:
        digest = hmac.digest(self._key, f"{kind}\0{same}".encode("utf-8", "surrogatepass"), "sha256")
        bits = int.from_bytes(digest[:7], "big") >> 6
        return "".join([_LETTERS[bits >> place & 1023] for place in (40, 30, 20, 10, 0)])


def _in_shape(written: str, signs: str) -> str:
    """``written`` with other letters and digits."""
    left = iter(signs)
    return "".join(next(left) if sign.isalnum() else sign for sign in written)


_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_LETTERS = [first + second for first in _ALPHABET for second in _ALPHABET]
"""Two letters of base32 for each ten bits: ``base64`` would take four times as long for the same word."""
