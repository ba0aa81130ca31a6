"""What is known about a release beforehand never hides a file that would be chosen."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator

import pytest
from choosersamples import catalog

from catalog import device as devices
from catalog.memory import CONTEXTS
from catalog.release import Release, Speed
from zoo.choose import chooser, pick
from zoo.choose.chooser import Question

OWN = tuple(
    devices.custom(round(gb * devices.GIBI), rate * devices.GIGA) for gb, rate in ((0.4, 1.0), (3.3, 17.5))
)


def questions(release: Release, chance: random.Random) -> Iterator[Question]:
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
            yield Question(device, context, least)


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
def test_what_is_known_beforehand_hides_no_file_that_pick_would_serve(seed: int) -> None:
    chance, found = random.Random(seed), dict.fromkeys(chooser.OUTCOMES, 0)
    for release in releases(seed):
        known = chooser.known(release)
        for device, context, least in chance.sample(chooser.questions(), 40):
            outcome = known.outcome(Question(device, context, least))
            assert outcome is not None
            found[outcome] += 1
            fits = context <= release.architecture.context_tokens
            taken = pick.pick(release, device, context, least).file if fits else None
            assert (outcome == chooser.NOTHING) is (taken is None), (device.id, context, least)
            lost = taken.loss.kld_mean_nats if taken and taken.loss else 0.0
            good = taken is not None and taken.smoke_passed and lost <= chooser.LOSS_LIMIT
            assert (outcome == chooser.GOOD) is good, (device.id, context, least)
    assert min(found.values()) > 20, found


def test_a_shelf_takes_the_file_that_pick_explains() -> None:
    """The short way to the file, without a sentence, is used for every board of every model."""
    chance, none = random.Random(3), 0
    for release in releases(3)[::3]:
        shelf = pick.Shelf(release)
        for question in questions(release, chance):
            asked = question.device, question.context_tokens, question.least_tokens_per_second
            explained = pick.pick(release, *asked)
            assert shelf.take(*asked) == explained.file == shelf.pick(*asked).file, question
            none += explained.file is None
    assert none > 100


def test_what_is_known_holds_only_for_the_boards_that_it_was_worked_out_for() -> None:
    release = releases(0)[0]
    board = devices.DEVICES[0]
    other = dataclasses.replace(board, memory_bytes=1)
    known = chooser.known(release)
    assert known.outcome(Question(board, 512)) is not None
    for device, length in ((other, 512), (OWN[0], 512), (board, 513)):
        assert known.outcome(Question(device, length)) is None


def test_the_answer_is_the_same_with_what_is_known_and_without() -> None:
    models = catalog(25, seed=5).models
    bare = [one for model in models if (one := chooser.entry(model))]
    told_before = [dataclasses.replace(one, known=chooser.known(one.release)) for one in bare]
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
