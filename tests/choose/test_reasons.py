"""The sentence on a choice claims of it only what ruled the other files out."""

from __future__ import annotations

import dataclasses

from picksamples import RELEASE, device, file, release, speed

from catalog.device import GIBI, custom
from catalog.release import ModelFile
from zoo.choose.pick import pick


def test_only_what_ruled_the_others_out_is_claimed_of_the_choice() -> None:
    board = custom(2 * GIBI, 100e9)
    good = file("A", 100, 0.01)
    broken = dataclasses.replace(file("B", 90, 0.01), smoke_passed=False)
    unknown = dataclasses.replace(file("U", 90, 0.01), memory=())
    free = board.free_bytes / 1e6
    tight = file("T", 0.92 * free - 112.5, 0.005)
    quick = "reaches reading speed (5 tokens/s)"

    def said(*files: ModelFile, context: int = 512) -> str:
        found = pick(release(*files), board, context)
        assert found.file == good
        return found.reason.split(": ")[0]

    assert said(good, file("L", 9000, 0.005)) == f"A.gguf is the only file that fits and {quick}"
    assert said(good, broken) == f"A.gguf is the only file that passed the smoke test, fits and {quick}"
    assert said(good, tight) == f"A.gguf is the only file that fits with room to spare and {quick}"
    assert said(good, tight, broken) == (
        f"A.gguf is the only file that passed the smoke test, fits with room to spare and {quick}"
    )
    assert said(good, dataclasses.replace(tight, smoke_passed=False)) == (
        f"A.gguf is the only file that passed the smoke test, fits and {quick}"
    )
    bare = dataclasses.replace(RELEASE, architecture=dataclasses.replace(RELEASE.architecture, cache=None))
    found = pick(dataclasses.replace(bare, files=(good, unknown)), board, 512)
    assert found.reason.startswith(f"A.gguf is the only file that is known to fit and {quick}: ")


def test_no_file_is_fast_enough_only_of_those_that_were_to_choose_from() -> None:
    board = device("pi-4-2gb")
    slow = file("S", 1000, 0.01, speeds=(speed(2.0, board.id),))
    broken = dataclasses.replace(file("B", 90, 0.01, speeds=(speed(30.0, board.id),)), smoke_passed=False)
    lossy = file("L", 90, 0.5, speeds=(speed(30.0, board.id),))
    for other, such in (
        (file("M", 1000, 0.02, speeds=(speed(1.0, board.id),)), "fits"),
        (broken, "passed the smoke test and fits"),
        (lossy, "fits and stays close to its source"),
    ):
        found = pick(release(slow, other), board, 512)
        assert found.file == slow
        assert found.reason.startswith(
            f"No file of this model that {such} reaches reading speed (5 tokens/s). S.gguf is the fastest that stays "
        )
    far = file("F", 1000, 0.5, speeds=(speed(2.0, board.id),))
    found = pick(release(far), board, 512)
    assert found.reason.startswith(
        "No file of this model that fits reaches reading speed (5 tokens/s). F.gguf is the only file that fits: "
    )
