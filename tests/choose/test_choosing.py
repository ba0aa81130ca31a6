"""What is known about a release beforehand never hides a file that would be chosen."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Iterator

import pytest
from choosersamples import catalog

from catalog import device as devices
from catalog.memory import CONTEXTS
from catalog.release import Release, Speed
from zoo.choose import candidates, chooser, pick
from zoo.choose.candidates import Wish
from zoo.choose.chooser import Question

OWN = tuple(
    devices.custom(round(gb * devices.GIBI), rate * devices.GIGA) for gb, rate in ((0.4, 1.0), (3.3, 17.5))
)


def questions(release: Release, chance: random.Random) -> Iterator[Wish]:
    """Every device at some lengths, at least speeds around the predictions and measurements of the files."""
    lengths = [length for length in (*CONTEXTS, 1, 777) if length <= release.architecture.context_tokens]
    for device in (*devices.DEVICES, *OWN):
        context = chance.choice(lengths)
        found = pick.pick(release, device, context)
        typical = [found.speed.typical] if found.speed else []
        near = [speed.decode_tokens_per_second for file in release.files for speed in file.speeds]
        near += [
            *typical,
            device.bandwidth_bytes_per_second.typical / min(f.size_bytes for f in release.files),
        ]
        for least in (None, *(value * chance.choice((0.5, 0.999, 1.0, 1.001, 2.0)) for value in near)):
            yield Wish(device, context, least)


def releases(seed: int) -> list[Release]:
    """Of random models; some with files of one byte, speeds measured on known boards, or few memory needs."""
    chance = random.Random(seed)
    made = [release for model in catalog(25, seed=seed).models for release in model.releases]
    for release in made[::4]:
        place, decode = chance.choice(devices.DEVICES).id, 10 ** chance.uniform(-1, 4)
        fast = Speed(place, "cpu", 4, 9.0, decode, 0.1, 0.1, None, True, (), "b.json")
        files = tuple(
            dataclasses.replace(
                file, size_bytes=chance.choice((1, file.size_bytes)), speeds=(*file.speeds, fast)
            )
            for file in release.files
        )
        made.append(dataclasses.replace(release, files=files))
    made += [
        dataclasses.replace(
            release, files=tuple(dataclasses.replace(f, memory=f.memory[:1]) for f in release.files)
        )
        for release in made[1::4]
    ]
    return made


@pytest.mark.parametrize("seed", range(4))
def test_what_is_known_beforehand_is_what_pick_would_find(seed: int) -> None:
    chance, found = random.Random(seed), Counter[str]()
    for release in releases(seed):
        look, shelf = chooser.recalled(chooser.known(release)), pick.Shelf(release)
        for device, context in chance.sample(chooser.questions(), 12):
            known = look(device.id, context)
            assert known
            if context > release.architecture.context_tokens:
                assert not any(known)
                continue
            assert known == shelf.standing(Wish(device, context))
            for least in (5.0, 33.0):
                taken = shelf.pick(device, context, least)
                good = taken.file is not None and candidates.is_good(taken.file)
                assert good is (max(known) >= least if known.poor is False else known.fitting >= least)
                if good:
                    assert taken.level and taken.level.roomy is (known.roomy >= least)
                found["good" if good else "poor" if taken.file else "none"] += 1
    assert min(found[kind] for kind in ("good", "poor", "none")) > 10, found


def test_a_shelf_takes_the_file_that_pick_explains() -> None:
    """The short way to the file, without a sentence, is used for every board of every model."""
    chance, none = random.Random(3), 0
    for release in releases(3)[::3]:
        shelf = pick.Shelf(release)
        for wish in questions(release, chance):
            asked = wish.device, wish.context_tokens, wish.least
            explained = pick.pick(release, *asked)
            assert shelf.take(*asked) == explained.file == shelf.pick(*asked).file, wish
            none += explained.file is None
    assert none > 100


def test_what_is_known_holds_only_for_the_boards_that_it_was_worked_out_for() -> None:
    release = releases(0)[0]
    board = devices.DEVICES[0]
    look = chooser.recalled(chooser.known(release))
    assert look(board.id, 512) is not None
    for device_id, length in ((OWN[0].id, 512), (board.id, 513), ("mainframe", 512)):
        assert look(device_id, length) is None
    other = dataclasses.replace(board, memory_bytes=1)
    entry = dataclasses.replace(_entries(5)[0], known=look)
    assert entry.standing(Wish(board, 512)) == look(board.id, 512)
    assert entry.standing(Wish(other, 512)) == (0.0, 0.0, False, False)


def _entries(seed: int) -> list[chooser.Entry]:
    return [one for model in catalog(25, seed=seed).models if (one := chooser.entry(model))]


def test_the_answer_is_the_same_with_what_is_known_and_without() -> None:
    bare = _entries(5)
    told_before = [dataclasses.replace(e, known=chooser.recalled(chooser.known(e.release))) for e in bare]
    chance = random.Random(5)
    for number in range(150):
        question = Question(
            chance.choice(devices.DEVICES),
            chance.choice((512, 2048, 8192)),
            chance.choice((None, 3.0, 5.0, 20.0)),
        )
        answers = [chooser.choose(question, chooser.rank(some)) for some in (told_before, bare)]
        told = [
            (
                one.answer and (one.answer.ranked.entry.name, one.answer.pick.file),
                one.reason,
                [offer.ranked.entry.name for offer in one.runners_up],
                [(passed.ranked.entry.name, passed.reason) for passed in one.passed],
            )
            for one in answers
        ]
        assert told[0] == told[1], number
