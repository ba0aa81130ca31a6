"""Whether a commit on the hub matches what was published."""

from __future__ import annotations

import hashlib

from zoo.errors import Damaged
from zoo.publish.stalls import watched
from zoo.publish.steps import Target, Work, differences

TREE, FULL = "tree", "full"
_CHUNK = 1 << 20


def verify(work: Work, target: Target, how: str = TREE) -> None:
    """Compare a commit with the release: sizes and sha256, with ``full`` every byte. Raises Damaged."""
    oid = str(target.commit)
    with watched(work.report, f"verifying {target.label} at {work.hub}"):
        there = target.repo.tree(oid)
    wrong = differences(
        there, target.plan.files, work.journal.kept(target.kind) | frozenset(target.plan.kept)
    )
    if wrong:
        raise Damaged("\n".join([f"commit {oid[:12]} of {target.label} is not the release", *_lines(wrong)]))
    if how == FULL:
        _read_back(work, target, oid)
    if not target.plan.is_published:
        work.journal.note("verified", kind=target.kind, oid=oid, how=how)


def _read_back(work: Work, target: Target, oid: str) -> None:
    wrong = []
    total = sum(file.size_bytes for file in target.plan.files)
    with work.report.task(f"reading back {target.label}", total, "B") as advance:
        for file in target.plan.files:
            sha = hashlib.sha256()
            with (
                watched(work.report, f"reading {file.path} back from {work.hub}", advance) as moved,
                target.repo.open(oid, file.path) as stream,
            ):
                while chunk := stream.read(_CHUNK):
                    sha.update(chunk)
                    moved(len(chunk))
            if sha.hexdigest() != file.sha256:
                wrong.append(
                    f"{file.path} reads back with sha256 {sha.hexdigest()[:12]}, not {file.sha256[:12]}"
                )
    if wrong:
        raise Damaged(
            "\n".join(
                [f"commit {oid[:12]} of {target.label} reads back differently from what was sent", *_lines(wrong)]
            ),
            remedy="Send the right bytes again with: zoo publish NAME --repair",
        )


def _lines(wrong: list[str]) -> list[str]:
    more = [f"  and {len(wrong) - 12} more"] if len(wrong) > 12 else []
    return [*(f"  {line}" for line in wrong[:12]), *more]
