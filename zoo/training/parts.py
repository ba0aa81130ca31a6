"""How a step's rows are divided: among processes, and into parts that fit the memory. Pure, so every process finds the
same.
"""

from __future__ import annotations

from collections.abc import Sequence


def dealt(rows: Sequence[int], lengths: Sequence[int], world: int) -> list[list[int]]:
    """``rows`` for each of ``world`` processes: the longest first, to the process with the fewest tokens so far.

    With fewer rows than processes, some have none. One process keeps the order of the rows.
    """
    if world == 1:
        return [list(rows)]
    found: list[list[int]] = [[] for _ in range(world)]
    tokens = [0] * world
    for row in sorted(rows, key=lambda row: -lengths[row]):
        least = tokens.index(min(tokens))
        found[least].append(row)
        tokens[least] += lengths[row]
    return found


def parts(rows: Sequence[int], lengths: Sequence[int], most_tokens: int | None) -> list[list[int]]:
    """``rows`` in parts of at most ``most_tokens`` tokens each, counted as a part's rows times its longest.

    lengths: tokens of every row, by number. A longer row is a part of its own. Rows of similar length are together,
    because the padding counts; rows that fit all together stay in their order. No rows have no parts.
    """
    if not rows:
        return []
    if most_tokens is None or _padded(rows, lengths) <= most_tokens:
        return [list(rows)]
    found: list[list[int]] = []
    for row in sorted(rows, key=lambda row: lengths[row]):
        if found and _padded([*found[-1], row], lengths) <= most_tokens:
            found[-1].append(row)
        else:
            found.append([row])
    return found


def _padded(rows: Sequence[int], lengths: Sequence[int]) -> int:
    return len(rows) * max(lengths[row] for row in rows)
