"""Whether strings are split into the same tokens on both sides. A normalizer that only llama.cpp lacks is distinguished
from a fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from zoo.judge.parity.check import Check, first_difference
from zoo.judge.parity.material import STRINGS
from zoo.judge.parity.seen import Cut, Normalizer, Seen

HARMLESS = {
    "NFC": "Text with combining accents, such as e followed by U+0301, is cut into other tokens than in transformers. "
    "llama.cpp does not compose letters before it cuts text. "
    "Write composed letters (Unicode form NFC), as keyboards do."
}
"""Steps of normalizers that leave ordinary text as it is, and what the card says about them. Others (NFKC, NFD,
Lowercase, StripAccents, Strip) change letters that people write, so without them the file behaves differently."""


BY_SIGHT = (
    "llama.cpp takes {names} for {what}, because of the text; for transformers it is ordinary text. An answer that "
    "contains it may end there."
)
"""What the card says about tokens that llama.cpp recognises by their text (a list in llama-vocab.cpp)."""


SPACED = (
    "llama.cpp puts a space before a text that begins with one and before the text after a marker, as the first Llama "
    "tokenizers did. The source's tokenizer.json puts none there. Other text is cut the same."
)
"""What the card says if ``Seen.spaced`` explains the difference."""


def tokenizer(folder: Seen, file: Seen) -> Check:
    """Ids with and without markers, and the way back from ids to bytes.

    A difference passes with a note if it is shown to be one of three and nothing else. First, llama.cpp takes some
    ordinary tokens for control tokens, by their text: then the file cuts every string as the folder's tokenizer does
    with these as control tokens. Second, llama.cpp has no normalizer: see ``_judged``. Third, llama.cpp puts a space
    before every text: see ``_spaced``.
    """
    found = _judged(folder, folder.cut, folder.normalizer, file)
    if not found.passed and folder.spaced is not None:
        if (spaced := _spaced(folder, file)) is not None:
            return spaced
        # What is left to explain is where the closer cut differs.
        closer = _judged(folder, folder.spaced.cut, folder.spaced.normalizer, file)
        if not closer.passed and _alike(folder.spaced.cut, file.cut) > _alike(folder.cut, file.cut):
            found = replace(closer, detail=f"With a space before every text, as in the file: {closer.detail}")
    if found.passed or folder.taken is None:
        return found
    taken = _judged(folder, folder.taken.cut, folder.taken.normalizer, file)
    if not taken.passed:
        return found
    names = folder.taken.names
    what = "a control token" if len(names) == 1 else "control tokens"
    note = BY_SIGHT.format(names=" and ".join(names), what=what)
    said = f"{taken.detail} For that, {' and '.join(map(repr, names))} must be {what}, as in llama.cpp."
    return Check("tokenizer", True, said, note=" ".join(part for part in (note, taken.note) if part))


def _spaced(folder: Seen, file: Seen) -> Check | None:
    """Passed if the file cuts every string as the folder does with a space before it; None otherwise.

    Strings that hold no marker and do not begin with a space must be cut alike with and without it.
    """
    if folder.spaced is None:
        return None
    found = _judged(folder, folder.spaced.cut, folder.spaced.normalizer, file)
    pairs = zip(STRINGS, folder.cut.tokens, folder.spaced.cut.tokens, strict=True)
    changed = [text for text, ours, theirs in pairs if ours != theirs]
    plain = [text for text in changed if not any(marker in text for marker in folder.spaced.markers)]
    if not found.passed or not all(text.startswith((" ", "\u2581")) for text in plain):
        return None
    said = f"{found.detail} For that, a space must stand before every text; the source's tokenizer.json puts none "
    said += f"before a space or after a marker, and cuts {len(changed)} of {len(STRINGS)} strings otherwise."
    return Check("tokenizer", True, said, note=" ".join(part for part in (SPACED, found.note) if part))


def _judged(folder: Seen, cut: Cut, normalizer: Normalizer | None, file: Seen) -> Check:
    """The file against one cut of the folder.

    A missing normalizer passes if two things are shown: the file cuts every string as the folder's tokenizer does
    without its normalizer, and the file cuts every normalized string as the folder cuts the original. Then nothing but
    the normalizer is missing. It must also be of a kind that leaves ordinary text as it is.
    """
    found = _difference(folder, cut, file, file.cut)
    if found is None:
        return Check(
            "tokenizer", True, f"{len(STRINGS)} strings give the same tokens on both sides; {_back(file)}."
        )
    if normalizer is None or not _only_normalizer(folder, cut, file, normalizer):
        return Check("tokenizer", False, found)
    kinds = " and ".join(normalizer.kinds)
    changed = sum(one != other for one, other in zip(STRINGS, normalizer.texts, strict=True))
    said = f"The tokenizer has the normalizer {kinds}, which llama.cpp does not apply. Nothing else differs: {changed} "
    said += f"of {len(STRINGS)} strings change under it, and after it all give the same tokens on both sides."
    if set(normalizer.kinds) <= HARMLESS.keys():
        return Check("tokenizer", True, said, note=" ".join(HARMLESS[kind] for kind in normalizer.kinds))
    return Check("tokenizer", False, f"{said} It changes letters of ordinary text. {found}")


def _only_normalizer(folder: Seen, cut: Cut, file: Seen, normalizer: Normalizer) -> bool:
    return (
        file.of_normalized is not None
        and _difference(folder, normalizer.without, file, file.cut) is None
        and _difference(folder, cut, file, file.of_normalized) is None
    )


def _difference(folder: Seen, ours: Cut, file: Seen, theirs: Cut) -> str | None:
    """The first difference of two cuts in words."""
    for what, some, others in ((
        "", ours.tokens, theirs.tokens), (" with its markers", ours.whole, theirs.whole)):  # fmt: skip
        for number, (one, other) in enumerate(zip(some, others, strict=True)):
            place = first_difference(one, other)
            if place is not None:
                words = (
                    f"{_string(number)}{what}, token {place}: {_token(folder, one, place)} in {folder.side}"
                )
                return f"{words}, {_token(file, other, place)} in {file.side}."
    for number, (raw, other_raw) in enumerate(zip(ours.decoded, theirs.decoded, strict=True)):
        if raw != other_raw:
            return (
                f"{_string(number)}: its tokens decode to other bytes from byte {first_difference(raw, other_raw)} on: "
                f"{raw!r} in {folder.side}, {other_raw!r} in {file.side}."
            )
    return None


def _alike(one: Cut, other: Cut) -> int:
    """How many strings both cut alike."""
    return sum(ours == theirs for ours, theirs in zip(one.tokens, other.tokens, strict=True))


def _back(file: Seen) -> str:
    lossy = sum(text.encode() != raw for text, raw in zip(STRINGS, file.cut.decoded, strict=True))
    if not lossy:
        return "each decodes to itself"
    return f"{lossy} do not decode to themselves, on both sides alike"


def _string(number: int) -> str:
    text = STRINGS[number]
    short = text if len(text) <= 40 else f"{text[:37]}..."
    return f"String {number + 1} ({short!a})"


def _token(side: Seen, ids: Sequence[int], place: int) -> str:
    return side.named(ids[place]) if place < len(ids) else "nothing more"
