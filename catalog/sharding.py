"""How the processes that train together keep the training: every one all of it, or its share."""

from __future__ import annotations

from catalog.words import counted

NONE, FULL = "none", "full"
KINDS = (NONE, FULL)


def crowded(processes: int, batch_rows: int) -> str:
    """Why so many processes cannot train together."""
    return f"{processes} processes cannot share the {counted(batch_rows, 'conversation')} of a step"


def uneven(processes: int, machines: int) -> str:
    """Why so many processes cannot be divided among the machines; "" if they can."""
    if processes % machines == 0:
        return ""
    return f"{counted(processes, 'process', 'processes')} cannot be divided evenly among {machines} machines"


def fault(adapter: str) -> tuple[str, str]:
    """(why a training with this adapter cannot be kept in shares, what to do instead); two empty texts if it can."""
    if adapter != "qlora":
        return "", ""
    return (
        "sharding does not fit adapter qlora: a weight in 4 bits is packed together with its scales, so a share of it "
        "is not a part of the weight, and training would go wrong without a message",
        "set sharding to none, or take adapter lora",
    )
