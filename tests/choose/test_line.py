"""The answer at any size of catalog: reading speed with room to spare, equal probes, sisters, the line of choices."""

from __future__ import annotations

import dataclasses
import itertools
import random

import pytest
from choosersamples import catalog
from sitesamples import sample
from test_picks import device, file, release, speed

from catalog import device as devices
from catalog import memory
from catalog.device import Device, custom
from catalog.release import Cache, Model, ModelFile, ProbeScore
from zoo.choose import candidates, chooser, pick
from zoo.choose.candidates import READING, ROOMY_SHARE
from zoo.choose.chooser import Choice, Offer, Question

BASE = sample().models[0]
GB = 1000


def model(name: str, right: int, *files: ModelFile, of: int = 200) -> Model:
    """A model whose files answered ``right`` of ``of`` questions."""
    probes = (ProbeScore("arithmetic", None, right, of, 0.0, 1.0),)
    made = tuple(dataclasses.replace(one, path=f"{name}-{one.path}", probes=probes) for one in files)
    return dataclasses.replace(BASE, name=name, releases=(release(*made),))


def machine(memory_gb: float, bandwidth_gbs: float) -> Device:
    return custom(round(memory_gb * devices.GIBI), bandwidth_gbs * devices.GIGA)


def ask(board: Device, *models: Model, least: float | None = None) -> Choice:
    ranked = chooser.rank([one for each in models if (one := chooser.entry(each))])
    return chooser.choose(Question(board, 512, least), ranked)


def taken(found: Choice) -> str:
    assert found.answer and found.answer.pick.file
    return found.answer.pick.file.path


def line(board: Device, *models: Model) -> tuple[Offer, ...]:
    ranked = chooser.rank([one for each in models if (one := chooser.entry(each))])
    return chooser.line(Question(board, 512), ranked)


def paths(offers: tuple[Offer, ...]) -> list[str]:
    return [one.pick.file.path for one in offers if one.pick.file]


# --- Reading speed and room to spare


def test_a_file_that_fills_the_memory_is_not_the_answer() -> None:
    board = machine(4, 30)
    full = board.free_bytes / 1e6 - 130
    found = pick.pick(release(file("R", full, None), file("A", 1500, 0.05)), board, 512)
    assert found.file and found.file.type == "A"
    assert found.rejected[0].reason.startswith("It fits, but it is tight: it leaves ")
    need = found.memory_bytes or 0
    assert need <= ROOMY_SHARE * board.free_bytes


def test_a_tight_file_is_the_last_resort_and_called_tight() -> None:
    board = machine(4, 30)
    full = board.free_bytes / 1e6 - 130
    only = release(file("R", full, None))
    found = pick.pick(only, board, 512)
    assert found.file and "which is tight: it leaves " in found.reason
    assert "No such file leaves room to spare." in ask(board, model("m", 100, *only.files)).reason


def test_below_reading_speed_a_smaller_good_file_is_the_answer() -> None:
    board = machine(8, 10)
    files = (file("R", 4 * GB, None), file("A", 2.4 * GB, 0.03), file("B", 1.5 * GB, 0.09))
    found = pick.pick(release(*files), board, 512)
    assert found.file and found.file.type == "B" and found.speed and found.speed.typical >= READING
    reasons = {one.file.type: one.reason for one in found.rejected}
    assert reasons["A"].endswith(" below reading speed (5 tokens/s).") and "too slow" in reasons["R"]


def test_where_nothing_is_fast_enough_the_fastest_good_file_is_the_answer() -> None:
    board = machine(8, 3)
    files = (file("R", 4 * GB, None), file("A", 2 * GB, 0.03), file("B", 1.5 * GB, 0.09), file("C", 1 * GB, 0.5))
    found = pick.pick(release(*files), board, 512)
    assert found.file and found.file.type == "B"
    assert found.reason.startswith(
        "No file of this model that fits reaches reading speed (5 tokens/s). B.gguf is the fastest that stays close to "
        "its source: 90.0 % same next word, mean KLD 0.0900"
    )
    said = ask(board, model("m", 100, *files)).reason
    assert said.startswith("No good file reaches reading speed (5 tokens/s) on a machine with 8 GB of memory, 3 GB/s. ")
    assert pick.pick(release(*files), board, 512, READING).file is None


# --- Between models


def test_models_that_probes_cannot_tell_apart_are_equal_so_the_faster_one_is_taken() -> None:
    large, small = file("L", 900, 0.01), file("S", 200, 0.01)
    found = ask(machine(8, 20), model("large", 130, large), model("small", 120, small))
    assert taken(found) == "small-S.gguf"
    assert found.reason.endswith(
        "The tests cannot tell it apart from one other model with such a file; it is the fastest of them."
    )
    assert not found.passed and [one.ranked.entry.name for one in found.runners_up] == ["large"]


def test_a_clearly_better_model_is_taken_although_it_is_slower() -> None:
    found = ask(machine(8, 20), model("large", 170, file("L", 900, 0.01)), model("small", 100, file("S", 200, 0.01)))
    assert taken(found) == "large-L.gguf" and "cannot tell" not in found.reason


def test_the_nearest_miss_is_named_first() -> None:
    best = [
        model("huge", 195, file("H", 40 * GB, 0.01)),
        model("near", 194, file("N", 3.6 * GB, 0.01)),
        model("slow", 193, file("O", 2.9 * GB, 0.01)),
    ]
    found = ask(machine(4, 14), *best, model("small", 100, file("S", 200, 0.01)))
    assert taken(found) == "small-S.gguf"
    assert [one.ranked.entry.name for one in found.passed] == ["slow", "near", "huge"]


def test_tiers_begin_where_intervals_stop_overlapping() -> None:
    shares = (180, 176, 172, 150, 148, 90)
    entries = [chooser.entry(model(f"m{right}", right, file("A", 100, 0.01))) for right in shares]
    ranked = chooser.rank([one for one in entries if one])
    assert [(one.entry.name, one.tier) for one in ranked] == [
        ("m180", 0), ("m176", 0), ("m172", 0), ("m150", 1), ("m148", 1), ("m90", 2),
    ]  # fmt: skip


def test_models_without_probes_are_ordered_by_their_parameters() -> None:
    bare = [dataclasses.replace(file("A", size, 0.01), probes=()) for size in (100, 900)]
    few, many = (
        dataclasses.replace(
            model(name, 1, one),
            releases=(
                dataclasses.replace(
                    release(one),
                    architecture=dataclasses.replace(BASE.releases[0].architecture, parameters=parameters),
                ),
            ),
        )
        for name, one, parameters in (("few", bare[0], 10**8), ("many", bare[1], 10**9))
    )
    found = ask(machine(8, 20), few, many)
    assert found.answer and found.answer.ranked.entry.name == "many"


# --- Sisters and the cache


def test_measurements_of_a_sister_are_used_and_named() -> None:
    measured = file("A", 500, 0.01, speeds=(speed(2.5, "pi-5-8gb", 4),))
    for place in ("pi-5-2gb", "pi-5-4gb", "pi-5-16gb"):
        found = pick.pick(release(measured), device(place), 512)
        assert found.speed and found.speed.measured and found.speed.typical == 2.5
        assert found.speed.words == "measured 2.50 tokens/s on Raspberry Pi 5, 8 GB (same processor), 4 threads"
    for place in ("pi-4-8gb", "laptop-8gb", "jetson-orin-nano"):
        other = pick.pick(release(measured), device(place), 512)
        assert other.speed and not other.speed.measured


def test_own_measurements_come_before_those_of_a_sister() -> None:
    both = file("A", 500, 0.01, speeds=(speed(9.0, "pi-5-8gb"), speed(7.0, "pi-5-4gb")))
    found = pick.pick(release(both), device("pi-5-4gb"), 512)
    assert found.speed and found.speed.typical == 7.0 and "same processor" not in found.speed.words


def test_sisters_have_one_processor_and_one_bandwidth() -> None:
    assert devices.sisters("pi-5-4gb") == ("pi-5-2gb", "pi-5-8gb", "pi-5-16gb", "pi-500", "pi-500-plus")
    assert devices.sisters("laptop-8gb") == () and devices.sisters("mainframe") == ()
    for one in devices.DEVICES:
        for other in map(device, devices.sisters(one.id)):
            assert one.bandwidth_bytes_per_second == other.bandwidth_bytes_per_second
            assert (one.cores, one.kernels) == (other.cores, other.kernels)


@pytest.mark.parametrize(("kv", "bits"), [("f16", 16), ("q8_0", 8.5), ("q4_0", 4.5)])
def test_a_quantized_cache_takes_its_share(kv: str, bits: float) -> None:
    one, shape = file("A", 500, 0.01), BASE.releases[0].architecture
    plain = candidates.need_bytes(one, shape, 512) or 0
    small = candidates.need_bytes(one, shape, 512, kv) or 0
    assert plain - small == round(23_040 * 512 * (1 - bits / 16))
    longer = candidates.need_bytes(one, shape, 8192, kv) or 0
    assert longer - small == round(23_040 * (8192 - 512) * bits / 16)
    with pytest.raises(ValueError, match="'q5_9' is not a type of the KV cache"):
        pick.pick(release(one), BOARD, 512, kv="q5_9")


BOARD = device("pi-5-4gb")


def test_states_of_recurrent_layers_keep_their_type() -> None:
    cache = Cache(100, 0, 0, 5000, known=True)
    assert memory.cache_bytes(cache, 256, "q8_0") == 5000 + 100 * 256 * 17 // 32


# --- The line


def test_the_line_goes_from_the_fastest_to_the_best() -> None:
    small = (file("q4", 200, 0.08), file("q8", 400, 0.01))
    large = (file("q4", 1200, 0.08), file("q8", 2400, 0.01))
    found = line(machine(8, 30), model("small", 100, *small), model("large", 170, *large))
    assert paths(found) == ["small-q4.gguf", "small-q8.gguf", "large-q4.gguf", "large-q8.gguf"]


def test_an_equal_model_that_is_slower_is_not_on_the_line() -> None:
    small, large = (file("q8", 400, 0.01),), (file("q8", 2400, 0.01),)
    assert paths(line(machine(8, 30), model("a", 100, *small), model("b", 104, *large))) == ["a-q8.gguf"]


def test_a_better_but_tight_file_ends_the_line() -> None:
    board = machine(4, 30)
    full = board.free_bytes / 1e6 - 130
    found = line(board, model("m", 100, file("R", full, None), file("A", 1500, 0.05)))
    assert paths(found) == ["m-A.gguf", "m-R.gguf"] and found[1].pick.level and not found[1].pick.level.roomy


@pytest.mark.parametrize("seed", range(3))
def test_every_line_is_in_order_and_has_the_answer(seed: int) -> None:
    """Later ones are of a better tier, or of the same model with a lower loss; and none is faster than those before."""
    entries = [one for each in catalog(30, seed=seed).models if (one := chooser.entry(each))]
    ranked, chance, long = chooser.rank(entries), random.Random(seed), 0
    for _ in range(60):
        question = Question(chance.choice(devices.DEVICES), chance.choice((512, 2048)))
        answer, found = chooser.choose(question, ranked).answer, chooser.line(question, ranked)
        long = max(long, len(found))
        for one, other in itertools.pairwise(found):
            same = one.ranked.entry is other.ranked.entry
            assert other.ranked.tier <= one.ranked.tier and (same or other.ranked.tier < one.ranked.tier)
        assert not any(one.ranked.at_chance or one.ranked.entry.experimental for one in found)
        if answer and answer.pick.file and candidates.is_good(answer.pick.file):
            assert (answer.ranked.entry.name, answer.pick.file) in [(o.ranked.entry.name, o.pick.file) for o in found]
    assert long >= 3


def test_no_first_answer_fills_the_memory_or_is_too_slow_where_another_is_not() -> None:
    entries = [one for each in catalog(60, seed=4).models if (one := chooser.entry(each))]
    ranked = chooser.rank(entries)
    for board in devices.DEVICES:
        found = chooser.choose(Question(board, 2048), ranked)
        if found.answer is None or found.answer.pick.level is None:
            continue
        level = found.answer.pick.level
        good = [one for one in ranked if not (one.at_chance or one.entry.experimental)]
        standings = [s for one in good if (s := one.entry.standing(found.question.wish))]
        assert level.roomy or not any(s.roomy for s in standings), board.id
        assert level.quick or not any(s.roomy >= READING for s in standings), board.id
