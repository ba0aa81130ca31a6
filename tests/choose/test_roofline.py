"""Predicted decode speed: the formula, its range, and measured values above the roof."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sitesamples import sample

from catalog.device import DEVICES, GIBI, GIGA, Device, Kernel, custom, find
from catalog.release import Cache, ModelFile
from catalog.words import rate
from zoo.choose import roofline
from zoo.choose.roofline import BANDWIDTH, KERNEL, cache_of, plausible, predict, roof

RELEASE = sample().models[0].releases[0]
ARCHITECTURE = RELEASE.architecture
KV_BYTES = 23_040
"""What sitesamples takes for the KV cache of one token."""

one_of_the_devices = st.sampled_from(DEVICES)
one_of_the_files = st.sampled_from(RELEASE.files)
contexts = st.integers(1, 8192)


def device(device_id: str) -> Device:
    """Without the fixed cost per token, which test_published covers."""
    found = find(device_id)
    assert found is not None
    return dataclasses.replace(found, token_seconds=0.0)


def file_of(type_: str) -> ModelFile:
    (file,) = [file for file in RELEASE.files if file.type == type_]
    return file


def with_bandwidth(board: Device, factor: float) -> Device:
    figure = board.bandwidth_bytes_per_second
    scaled = dataclasses.replace(
        figure, low=figure.low * factor, typical=figure.typical * factor, high=figure.high * factor
    )
    return dataclasses.replace(board, bandwidth_bytes_per_second=scaled)


def test_the_cache_of_an_older_record_is_worked_out_of_the_memory_need() -> None:
    for file in RELEASE.files:
        known = Cache(KV_BYTES, 0, 0, 0, known=False)
        assert cache_of(file, ARCHITECTURE) == known
        last = dataclasses.replace(file, memory=file.memory[-1:])
        assert cache_of(last, ARCHITECTURE) == known
        assert cache_of(dataclasses.replace(file, memory=()), ARCHITECTURE) is None
        too_little = dataclasses.replace(file.memory[0], bytes=file.size_bytes)
        assert cache_of(dataclasses.replace(file, memory=(too_little,)), ARCHITECTURE) is None
        recorded = Cache(1, 2, 3, 4, known=True)
        assert cache_of(file, dataclasses.replace(ARCHITECTURE, cache=recorded)) == recorded


def test_windows_states_and_experts_lower_what_is_read() -> None:
    board, cache = device("pi-4-4gb"), Cache(1000, 9000, 512, 700, known=True)
    shape = dataclasses.replace(ARCHITECTURE, name="gemma3", cache=cache, experts=8, experts_used=2)
    file = dataclasses.replace(file_of("Q8_0"), read_bytes=100_000_000)
    found = predict(file, shape, board, 8192)
    assert found.typical == pytest.approx(3.3 * GIGA / (100_000_000 + 1000 * 4096 + 9000 * 512 + 700))
    assert found.roof == pytest.approx(3.5 * GIGA / 100_000_000)
    said = found.assumptions
    assert said[0].startswith("100.0 MB of the file's 144.8 MB are read for every token: 2 of 8 experts")
    assert "Layers with a sliding window read at most the last 512 of them." in said[1]
    assert "Recurrent layers read a state of 700 bytes" in said[1]
    dense = dataclasses.replace(shape, experts=0, experts_used=0)
    assert (
        "only one row of an embedding table that is not the output head"
        in predict(file, dense, board, 512).assumptions[0]
    )


@pytest.mark.parametrize("name", ["granitemoe", "qwen3moe", "newborn"])
def test_no_measurement_is_refused_where_the_bytes_read_are_not_known(name: str) -> None:
    shape = dataclasses.replace(ARCHITECTURE, name=name)
    prediction = predict(file_of("Q8_0"), shape, device("pi-5-8gb"), 2048)
    assert prediction.roof is None and roof(file_of("Q8_0"), shape, device("pi-5-8gb")) is None
    verdict = plausible(1e6, prediction)
    assert verdict.kept and "cannot be checked" in verdict.sentence
    assert f"the architecture {name} may have experts" in prediction.assumptions[0]
    assert not plausible(math.nan, prediction).kept


@pytest.mark.parametrize("name", ["gemma3", "lfm2", "gemma3n", "granitehybrid"])
def test_an_older_record_says_that_some_layers_keep_less(name: str) -> None:
    shape = dataclasses.replace(ARCHITECTURE, name=name)
    said = predict(file_of("Q8_0"), shape, device("pi-5-8gb"), 2048).assumptions
    assert f"In the architecture {name} some layers keep less" in said[1]
    assert "keep less" not in predict(file_of("Q8_0"), ARCHITECTURE, device("pi-5-8gb"), 2048).assumptions[1]


def test_an_unknown_architecture_is_said_to_be_an_upper_bound() -> None:
    shape = dataclasses.replace(ARCHITECTURE, name="newborn", cache=Cache(KV_BYTES, 0, 0, 0, known=False))
    assert "an upper bound" in predict(file_of("Q8_0"), shape, device("pi-5-8gb"), 2048).assumptions[1]


def test_the_formula_with_a_known_kernel() -> None:
    prediction = predict(file_of("Q8_0"), ARCHITECTURE, device("pi-4-4gb"), 2048)
    read = 144_811_264 + KV_BYTES * 1024
    assert prediction.low == pytest.approx(3.1 * GIGA / read)
    assert prediction.typical == pytest.approx(3.3 * GIGA / read)
    assert prediction.high == pytest.approx(3.5 * GIGA / read)
    assert prediction.roof == pytest.approx(3.5 * GIGA / 144_811_264)
    assert prediction.limited_by == BANDWIDTH
    assert "All 4 cores work on the weights." in " ".join(prediction.assumptions)


def test_a_slow_kernel_caps_the_speed_but_not_the_roof() -> None:
    board, size = device("pi-4-4gb"), 1_000_000_000
    slow = dataclasses.replace(file_of("Q4_0"), type="Q2_K", size_bytes=size, memory=())
    prediction = predict(slow, ARCHITECTURE, board, 2048)
    assert prediction.limited_by == KERNEL
    assert (prediction.low, prediction.typical, prediction.high) == pytest.approx((3.1, 3.2, 3.2))
    assert prediction.roof == pytest.approx(3.5)
    fast = dataclasses.replace(board, kernels=(Kernel("q2_K", 2 * GIGA, "x."),))
    assert predict(slow, ARCHITECTURE, fast, 2048).limited_by == BANDWIDTH


@pytest.mark.parametrize(("type_", "fallbacks"), [("Q5_K_M", 0), ("mix-92MB", 0), ("Q4_K_M", 1)])
def test_a_type_whose_kernel_is_not_known_has_a_wider_range(type_: str, fallbacks: int) -> None:
    file = dataclasses.replace(file_of("Q8_0"), type=type_, fallback_tensors=fallbacks)
    known, unknown = (predict(f, ARCHITECTURE, device("pi-4-4gb"), 2048) for f in (file_of("Q8_0"), file))
    assert unknown.low == pytest.approx(unknown.typical / 2) and unknown.low < known.low
    assert (unknown.typical, unknown.high, unknown.roof) == (known.typical, known.high, known.roof)
    assert f"not known how fast this processor handles {type_} data" in " ".join(unknown.assumptions)


def test_one_report_widens_both_ends_and_is_said() -> None:
    prediction = predict(file_of("Q4_0"), ARCHITECTURE, device("pi-zero-2"), 2048)
    assert prediction.low == pytest.approx(prediction.typical / 2)
    assert prediction.high == pytest.approx(prediction.typical * 2)
    said = " ".join(prediction.assumptions)
    assert "a single figure" in said and "from one report only" in said and "it was not measured" in said
    assert "one figure" not in " ".join(
        predict(file_of("Q4_0"), ARCHITECTURE, device("pi-5-4gb"), 2048).assumptions
    )


def test_without_a_recorded_cache_only_the_weights_are_read() -> None:
    file = dataclasses.replace(file_of("Q8_0"), memory=())
    prediction = predict(file, ARCHITECTURE, device("pi-5-4gb"), 8192)
    assert prediction.high == prediction.roof
    assert "The KV cache is not counted" in prediction.assumptions[1]


def test_an_empty_file_is_no_division_by_zero() -> None:
    file = dataclasses.replace(file_of("Q8_0"), size_bytes=0, memory=())
    assert math.isfinite(predict(file, ARCHITECTURE, device("pi-5-4gb"), 1).high)


def test_words_say_predicted_and_the_range() -> None:
    assert predict(file_of("Q8_0"), ARCHITECTURE, device("pi-4-4gb"), 2048).words == (
        "predicted 19.6 tokens/s (18.4 to 20.8)"
    )
    assert [rate(value) for value in (0, 0.004, 0.5, 9.999, 10, 1234.56, 1e9)] == [
        "0.00", "0.004", "0.50", "10.0", "10.0", "1,234.6", "1e+09"
    ]  # fmt: skip


def test_a_measured_value_above_the_roof_is_refused() -> None:
    prediction = predict(file_of("Q8_0"), ARCHITECTURE, device("pi-5-8gb"), 2048)
    assert prediction.roof is not None and plausible(prediction.roof, prediction).kept
    refused = plausible(prediction.roof * 1.001, prediction)
    assert not refused.kept and "implausible" in refused.sentence and "80.1 tokens/s" not in refused.sentence
    assert f"at most {rate(prediction.roof)} times per second" in refused.sentence
    assert rate(39.81) in plausible(39.81, prediction).sentence and plausible(39.81, prediction).kept


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0])
def test_what_is_no_speed_is_refused(value: float) -> None:
    prediction = predict(file_of("Q8_0"), ARCHITECTURE, device("pi-5-8gb"), 2048)
    verdict = plausible(value, prediction)
    assert not verdict.kept and verdict.sentence.endswith("is not a valid speed.")


@given(one_of_the_files, one_of_the_devices, contexts, st.floats(1, 100))
def test_more_bandwidth_never_lowers_a_prediction(
    file: ModelFile, board: Device, context: int, factor: float
) -> None:
    slow = predict(file, ARCHITECTURE, board, context)
    fast = predict(file, ARCHITECTURE, with_bandwidth(board, factor), context)
    assert slow.low <= fast.low and slow.typical <= fast.typical
    assert slow.high <= fast.high and slow.roof <= fast.roof


@given(one_of_the_files, one_of_the_devices, contexts, st.integers(0, 10**9))
def test_the_range_is_in_order_and_larger_files_are_no_faster(
    file: ModelFile, board: Device, context: int, more: int
) -> None:
    found = predict(file, ARCHITECTURE, board, context)
    assert (
        0 < found.low <= found.typical <= found.high <= (found.roof or 0) == roof(file, ARCHITECTURE, board)
    )
    needs = tuple(dataclasses.replace(need, bytes=need.bytes + more) for need in file.memory)
    larger = dataclasses.replace(file, size_bytes=file.size_bytes + more, memory=needs)
    assert predict(larger, ARCHITECTURE, board, context).typical <= found.typical


@given(st.floats(0.1, 1000), contexts)
def test_a_longer_context_is_no_faster(bandwidth_gbs: float, context: int) -> None:
    board = custom(16 * GIBI, bandwidth_gbs * GIGA)
    file = file_of("F16")
    short, long = (predict(file, ARCHITECTURE, board, n) for n in (context, context + 1))
    assert long.typical <= short.typical and roofline.plausible(short.high, short).kept
