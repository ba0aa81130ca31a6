"""Picks: what beats what, what fits, the chosen file and the reasons, and the command that prints them."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from picksamples import MODEL, RELEASE, device, file, release, speed
from sitesamples import completion, hostile, sample

from catalog import index
from catalog.device import DEVICES, GIBI, Device, custom
from catalog.release import Cache, Release
from zoo.__main__ import main
from zoo.choose import commands
from zoo.choose.pick import Tolerance, dominated, need_bytes, pick

F16, Q8_0, Q4_K_M, Q4_0 = (file.path for file in RELEASE.files)
Captured = pytest.CaptureFixture[str]

# --- Domination


def test_larger_and_worse_is_dominated() -> None:
    found = dominated(release(file("R", 270, None), file("A", 112.1, 0.0962), file("B", 105.5, 0.0686)))
    assert list(found) == ["A.gguf"] and found["A.gguf"].by == "B.gguf"
    assert found["A.gguf"].sentence == (
        "It is 6.6 MB larger than B.gguf and has a higher loss: mean KLD 0.0962 ± 0.0010 nats against mean KLD "
        "0.0686 ± 0.0010 nats."
    )


def test_within_the_errors_nothing_is_dominated() -> None:
    assert not dominated(release(file("A", 112, 0.0962, 0.02), file("B", 105, 0.0686, 0.01)))
    assert dominated(release(file("A", 112, 0.0962, 0.01), file("B", 105, 0.0686, 0.01)))


def test_equal_files_do_not_dominate_each_other() -> None:
    twin = file("A", 100, 0.05)
    assert not dominated(release(twin, dataclasses.replace(twin, path="B.gguf")))
    found = dominated(release(file("A", 100, 0.05), file("B", 100, 0.02)))
    assert found["A.gguf"].sentence.startswith(
        "It has the same size as B.gguf (100.0 MB) and a higher loss: "
    )


def test_the_reference_dominates_and_is_never_dominated() -> None:
    found = dominated(release(file("R", 100, None), file("A", 120, 0.5), file("N", 90, -1.0)))
    assert found.keys() == {"A.gguf"}
    only = dominated(release(file("R", 100, None), file("A", 120, 0.5)))
    assert only["A.gguf"].by == "R.gguf" and "0 nats (the others are compared with it)" in only["A.gguf"].sentence


def test_slower_and_worse_is_dominated_where_both_were_measured() -> None:
    good = file("B", 105, 0.02, speeds=(speed(20.0),))
    slow = file("A", 90, 0.05, speeds=(speed(15.5),))
    found = dominated(release(good, slow))
    assert found["A.gguf"].sentence.endswith(
        "It is also slower: measured 15.5 against 20.0 tokens/s on a laptop, 2 threads."
    )
    for other in (
        speed(15.5, threads=4),
        speed(15.5, place="another"),
        speed(15.5, valid=False),
        speed(18.1),
        speed(25.0),
    ):
        assert not dominated(release(good, dataclasses.replace(slow, speeds=(other,))))
    alike = dataclasses.replace(slow, loss=good.loss)
    assert not dominated(release(good, alike))


def test_a_speed_above_the_roof_dominates_nothing() -> None:
    slow = file("A", 90, 0.05, speeds=(speed(20.0, "pi-5-4gb"),))
    for value, beats in ((100.0, True), (5000.0, False)):
        good = file("B", 105, 0.02, speeds=(speed(value, "pi-5-4gb"),))
        assert bool(dominated(release(good, slow))) == beats


# --- The pick


def test_the_sample_on_a_large_and_a_small_board() -> None:
    large = pick(RELEASE, device("pi-5-4gb"), 2048, tolerance=Tolerance(0))
    assert large.file is not None and large.file.path == F16 and not large.rejected
    assert [one.file.path for one in large.runners_up] == [Q8_0, Q4_K_M, Q4_0]
    small = pick(RELEASE, device("pi-zero-2"), 2048)
    assert small.file is not None and small.file.path == Q4_K_M
    gone, why = small.rejected[0]
    assert gone.path == F16
    assert why == (
        "It does not fit: it needs a predicted 418.7 MB at 2,048 tokens of context, 83.2 MB more than the 335.5 MB "
        "that Raspberry Pi Zero 2 W, 512 MB has free for a model."
    )
    tight, why = small.rejected[1]
    assert tight.path == Q8_0 and why.startswith("It fits, but it is tight: it leaves 42.9 MB of the 335.5 MB")
    assert small.memory_bytes == 105_468_672 + 23_040 * 2048 + 4 * 49_152 * 512
    assert small.reason == (
        "No file of this model that fits reaches reading speed (5 tokens/s). model-Q4_K_M.gguf is the fastest that "
        "stays close to its source: 82.3 % same next word, mean KLD 0.083 ± 0.004 nats. It needs a predicted 253.3 MB "
        "at 2,048 tokens of context, less than the 335.5 MB that Raspberry Pi Zero 2 W, 512 MB has free for a model. "
        "Decode speed: predicted 4.09 tokens/s (2.04 to 8.17)."
    )


def test_a_least_speed_rejects_and_says_by_how_much() -> None:
    found = pick(RELEASE, device("pi-zero-2"), 2048, least_tokens_per_second=4.0)
    assert found.file is not None and found.file.path == Q4_K_M
    reasons = {one.file.path: one.reason for one in found.rejected}
    assert reasons[Q8_0] == (
        "It is too slow: predicted 3.16 tokens/s (1.58 to 6.33), 0.84 below 4.00 tokens/s."
    )
    assert "has the lowest loss of the 2 files that fit and reach 4.00 tokens/s" in found.reason


def test_nothing_fits_and_nothing_is_fast_enough() -> None:
    none = pick(RELEASE, custom(300_000_000, 1e9), 2048)
    assert none.file is None and none.speed is None and len(none.rejected) == 4 and not none.runners_up
    assert none.reason.startswith(
        "No file fits on a machine with 0.279397 GB of memory, 1 GB/s. model-Q4_0.gguf needs the least memory: a "
        "predicted 239.6 MB"
    )
    assert "73.8 MB more than the 165.8 MB" in none.reason
    slow = pick(RELEASE, device("pi-zero-2"), 2048, 50.0)
    assert slow.file is None and slow.reason == (
        "3 files fit on Raspberry Pi Zero 2 W, 512 MB, but none is fast enough. The fastest is model-Q4_0.gguf: "
        "predicted 4.55 tokens/s (2.28 to 9.10), 45.4 below 50.0 tokens/s."
    )


def test_a_speed_measured_on_that_board_comes_before_the_prediction() -> None:
    found = pick(RELEASE, device("pi-5-8gb"), 2048, 30.0)
    assert found.file is not None and found.file.path == Q8_0
    assert found.speed is not None and found.speed.measured and found.speed.typical == 39.81
    assert found.speed.words == "measured 39.8 tokens/s on Raspberry Pi 5, 8 GB, 4 threads"
    assert "predicted" not in found.reason.partition("Decode speed")[2]
    sister = pick(RELEASE, device("pi-5-4gb"), 2048, 30.0)
    assert sister.speed is not None and sister.speed.measured and sister.speed.typical == 39.81
    assert sister.speed.words == "measured 39.8 tokens/s on Raspberry Pi 5, 8 GB (same processor), 4 threads"
    elsewhere = pick(RELEASE, device("laptop-8gb"), 2048, 30.0)
    assert elsewhere.speed is not None and not elsewhere.speed.measured


def test_disturbed_and_implausible_measurements_do_not_count() -> None:
    board = device("pi-5-8gb")
    disturbed = file("A", 100, 0.01, speeds=(speed(50.0, board.id, valid=False),))
    found = pick(release(disturbed), board, 512)
    assert found.speed is not None and not found.speed.measured
    impossible = file("A", 100, 0.01, speeds=(speed(500.0, board.id), speed(40.0, board.id)))
    found = pick(release(impossible), board, 512)
    assert found.speed is not None and found.speed.measured and found.speed.typical == 40.0
    assert "(a measurement is ignored: The measured 500.0 tokens/s is implausible" in found.reason
    only = pick(release(file("A", 100, 0.01, speeds=(speed(500.0, board.id),))), board, 512)
    assert only.speed is not None and not only.speed.measured
    assert only.speed.words.startswith("predicted ") and "500.0 tokens/s is implausible" in only.speed.words


def test_where_losses_cannot_be_distinguished_the_smaller_file_is_taken() -> None:
    files = release(file("R", 2000, None), file("A", 150, 0.030, 0.004), file("B", 120, 0.034, 0.004))
    found = pick(files, custom(2 * GIBI, 10e9), 512)
    assert found.file is not None and found.file.path == "B.gguf"
    assert found.reason.startswith(
        "B.gguf is the smallest file that fits, reaches reading speed (5 tokens/s), is not beaten by another file, and "
        "has the lowest loss within the errors: mean KLD 0.034 ± 0.004 nats against mean KLD 0.030 ± 0.004 nats of "
        "A.gguf."
    )
    assert "Its loss is the same within the errors: " in found.runners_up[0].reason


def test_a_dominated_file_is_rejected_with_the_sentence() -> None:
    files = release(file("A", 112.1, 0.0962), file("B", 105.5, 0.0686))
    found = pick(files, device("pi-5-4gb"), 512)
    assert found.file is not None and found.file.path == "B.gguf"
    assert found.rejected == ((files.files[0], dominated(files)["A.gguf"].sentence),)
    assert found.reason.startswith("B.gguf has the lowest loss of the 2 files that fit")


def test_what_beats_a_file_must_fit_too() -> None:
    small = file("S", 100, 0.05, speeds=(speed(10.0),))
    large = file("L", 3000, 0.01, speeds=(speed(20.0),))
    assert dominated(release(small, large)).keys() == {"S.gguf"}
    found = pick(release(small, large), device("pi-4-2gb"), 512)
    assert found.file == small
    assert found.reason.startswith("S.gguf is the only file that fits and reaches reading speed (5 tokens/s): ")


def test_slower_on_another_machine_is_no_reason_to_be_rejected_here() -> None:
    files = release(file("S", 100, 0.05, speeds=(speed(10.0),)), file("L", 120, 0.01, speeds=(speed(20.0),)))
    found = pick(files, device("pi-4-4gb"), 512)
    assert not found.rejected and [one.file.path for one in found.runners_up] == ["S.gguf"]
    here = release(
        file("S", 100, 0.05, speeds=(speed(10.0, "pi-4-4gb"),)),
        file("L", 120, 0.01, speeds=(speed(20.0, "pi-4-4gb"),)),
    )
    assert [one.file.path for one in pick(here, device("pi-4-4gb"), 512).rejected] == ["S.gguf"]


def test_a_tie_does_not_bring_in_a_file_that_is_beaten_by_any_evidence() -> None:
    files = release(
        file("X", 100, 0.01, 0.05),
        file("B", 90, 0.02, 0.001, (speed(20.0),)),
        file("P", 80, 0.05, 0.001, (speed(10.0),)),
    )
    found = pick(files, device("pi-4-4gb"), 512)
    assert found.file is not None and found.file.path == "B.gguf"
    assert [one.file.path for one in found.runners_up] == ["X.gguf", "P.gguf"] and not found.rejected


def test_a_file_that_failed_its_smoke_test_is_never_recommended() -> None:
    broken = [dataclasses.replace(file(name, 100, 0.05), smoke_passed=False) for name in "AB"]
    found = pick(release(broken[0]), device("pi-5-4gb"), 512)
    assert found.file is None and found.reason == "The only file of this model, A.gguf, failed the smoke test."
    assert found.rejected[0].reason == "It failed the smoke test."
    found = pick(release(*broken), device("pi-5-4gb"), 512)
    assert found.file is None and found.reason == "All 2 files of this model failed the smoke test."
    found = pick(release(*broken, file("C", 90_000, 0.05)), device("pi-5-4gb"), 512)
    assert found.file is None
    assert found.reason.startswith("No file that passed the smoke test fits on Raspberry Pi 5, 4 GB. C.gguf needs")


def test_an_unrecorded_memory_need_is_no_fit() -> None:
    bare = dataclasses.replace(file("A", 100, 0.05), memory=())
    found = pick(release(bare), device("pi-5-4gb"), 512)
    assert found.file is None and "the catalog records no memory need" in found.reason
    assert "does not record the size of its KV cache" in found.rejected[0].reason


@pytest.mark.parametrize(
    ("context", "least", "words"),
    [
        (0, None, "0 tokens is not a valid context"),
        (8193, None, "8,193 tokens is longer than the model's own, 8,192"),
        (512, 0.0, "minimum speed of 0 tokens/s"),
        (512, float("nan"), "minimum speed of nan"),
    ],
)
def test_what_cannot_be_asked(context: int, least: float | None, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        pick(RELEASE, device("pi-5-4gb"), context, least)


def test_a_hostile_release_is_only_a_release() -> None:
    entry = hostile().models[0].releases[0]
    entry = dataclasses.replace(
        entry, architecture=dataclasses.replace(entry.architecture, context_tokens=512)
    )
    assert pick(entry, device("pi-5-4gb"), 512).file is None
    assert dominated(entry) == {}


# --- What is always true

klds = st.none() | st.floats(0, 2, allow_subnormal=False)
files = st.builds(
    lambda size, kld, se, here, elsewhere: (size, kld, se, here, elsewhere),
    st.integers(1, 6000),
    klds,
    st.floats(0, 0.2),
    st.none() | st.floats(0.1, 500),
    st.none() | st.floats(0.1, 500),
)


@st.composite
def releases(draw: st.DrawFn) -> Release:
    made = []
    for number, (size, kld, se, here, elsewhere) in enumerate(draw(st.lists(files, min_size=1, max_size=7))):
        speeds = [speed(here, "pi-5-4gb")] if here else []
        speeds += [speed(elsewhere)] if elsewhere else []
        made.append(file(f"F{number}", size, kld, se, tuple(speeds)))
    return release(*made)


boards = st.sampled_from(DEVICES)
contexts = st.sampled_from((1, 512, 2000, 8192))
leasts = st.none() | st.floats(0.1, 100)


@given(releases(), boards, contexts, leasts)
def test_every_file_is_judged_once_and_the_pick_is_not_dominated(
    entry: Release, board: Device, context: int, least: float | None
) -> None:
    found = pick(entry, board, context, least)
    told = [*found.rejected, *found.runners_up]
    judged = [one.file.path for one in told] + ([found.file.path] if found.file else [])
    assert sorted(judged) == sorted(one.path for one in entry.files)
    assert all(re.search(r"\d", sentence) for sentence in (found.reason, *(one.reason for one in told)))
    if found.file is None:
        return
    assert found.memory_bytes is not None and found.memory_bytes <= board.free_bytes
    assert found.speed is not None and (least is None or found.speed.typical >= least)
    assert ("predicted" in found.speed.words) != found.speed.measured or "refused" in found.speed.words
    unusable = ("It does not fit", "It is too slow")
    usable = [f for f in entry.files if not any(
        one.file is f and one.reason.startswith(unusable) for one in found.rejected
    )]  # fmt: skip
    assert found.file.path not in dominated(release(*usable))


@given(releases(), st.integers(1, 8 * GIBI), st.integers(0, 8 * GIBI), contexts)
def test_more_memory_never_removes_a_file_that_fits(
    entry: Release, memory: int, more: int, context: int
) -> None:
    def fitting(size: int) -> set[str]:
        found = pick(entry, custom(size, 10e9), context)
        return {f.path for f in entry.files} - {
            one.file.path for one in found.rejected if one.reason.startswith("It does not fit")
        }

    assert fitting(memory) <= fitting(memory + more)


@given(releases())
def test_the_best_file_is_never_dominated_and_nothing_beats_itself(entry: Release) -> None:
    found = dominated(entry)
    assert len(found) < len(entry.files)
    assert all(f.path not in found for f in entry.files if f.loss is None)
    assert all(path != beaten.by and beaten.by in beaten.sentence for path, beaten in found.items())


# --- The command


@pytest.fixture
def a_zoo(zoo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (zoo_folder / "model_catalog.json").write_text(index.to_text(sample()), encoding="utf-8")
    monkeypatch.chdir(zoo_folder)
    return zoo_folder


def called(capsys: Captured, *arguments: str) -> tuple[int, str, str]:
    code = main(["pick", *arguments])
    said = capsys.readouterr()
    assert "Traceback" not in said.err and "bug in zoo" not in said.err
    return code, said.out, said.err


def as_json(capsys: Captured, *arguments: str) -> tuple[int, Any]:
    code, out, _ = called(capsys, *arguments, "--json")
    return code, json.loads(out)


@pytest.mark.usefixtures("a_zoo")
def test_the_command_says_what_why_and_how(capsys: Captured) -> None:
    code, out, err = called(capsys, MODEL.name, "--device", "pi-zero-2")
    assert code == 0
    assert out.startswith(f"{MODEL.name} 1.0.0 on Raspberry Pi Zero 2 W, 512 MB, 2,048 tokens of context\n")
    assert f"\nRecommended: {Q4_K_M} (105.5 MB).\nNo file of this model that fits reaches reading speed" in out
    assert f"{Q4_K_M} is the fastest that stays close to its source" in out
    assert f"\n  llama-cli -m {Q4_K_M} -c 2048 -cnv\n" in out
    assert f"hf download local/smollm2-gguf {Q4_K_M} SHA256SUMS" in out
    assert "\nRunners-up:\n" in out and f"\nRejected:\n  {F16}: It does not fit" in out
    assert "Prediction: It is assumed that all bytes of the file are read for every token" in err
    code, again, err = called(capsys, MODEL.name, "--device", "pi-zero-2", "--quiet")
    assert (code, again, err) == (0, out, "")


def test_a_completion_model_is_run_as_one(a_zoo: Path, capsys: Captured) -> None:
    (a_zoo / "model_catalog.json").write_text(index.to_text(completion(sample())), encoding="utf-8")
    code, out, _ = called(capsys, MODEL.name, "--device", "pi-zero-2")
    assert code == 0 and f"\n{commands.COMPLETES}\nRun it:\n" in out and "llama-cli" not in out
    assert f'\n  llama-completion -m {Q4_K_M} -c 2048 -no-cnv -p "Once upon a time" -n 64\n' in out


@pytest.mark.usefixtures("a_zoo")
def test_the_command_as_json(capsys: Captured) -> None:
    code, data = as_json(capsys, f"{MODEL.name}@1.0.0", "--device", "pi-5-8gb", "--min-speed", "30")
    assert code == 0 and data["file"]["path"] == Q8_0 and data["version"] == "1.0.0"
    assert data["decode_speed"]["measured"] == {"tokens_per_second": 39.81}
    assert "predicted" not in data["decode_speed"]
    assert data["device"]["bandwidth_bytes_per_second"]["typical"] == 10.5e9
    assert [one["path"] for one in data["rejected"]] == [F16] and data["commands"][-1].startswith("llama-cli")
    code, data = as_json(capsys, MODEL.name, "--memory-gb", "16", "--bandwidth-gbs", "40")
    assert code == 0 and data["decode_speed"]["predicted"]["limited_by"] == "memory bandwidth"
    assert "measured" not in data["decode_speed"] and data["decode_speed"]["predicted"]["assumptions"]


def test_without_a_context_a_short_model_is_asked_for_its_own(a_zoo: Path, capsys: Captured) -> None:
    text = index.to_text(sample()).replace('"context_tokens": 8192', '"context_tokens": 512')
    (a_zoo / "model_catalog.json").write_text(text, encoding="utf-8")
    code, out, _ = called(capsys, MODEL.name, "--device", "pi-5-4gb")
    assert code == 0 and out.startswith(f"{MODEL.name} 1.0.0 on Raspberry Pi 5, 4 GB, 512 tokens of context\n")
    code, _, err = called(capsys, MODEL.name, "--device", "pi-5-4gb", "--context", "513")
    assert code == 2 and "513 tokens is longer than the model's own, 512 tokens. Write --context 512 or less" in err


@pytest.mark.usefixtures("a_zoo")
def test_when_nothing_fits_the_command_is_1(capsys: Captured) -> None:
    code, out, _ = called(capsys, MODEL.name, "--memory-gb", "0.25", "--bandwidth-gbs", "1")
    assert code == 1 and "No file recommended. No file fits on" in out and "Run it" not in out
    code, data = as_json(capsys, MODEL.name, "--device", "pi-zero-2", "--min-speed", "99")
    assert code == 1 and data["file"] is None and data["commands"] == [] and data["decode_speed"] is None
    assert len(data["rejected"]) == 4


@pytest.mark.usefixtures("a_zoo")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "no device is given. Add --device with one of: pi-zero-2, pi-3, pi-4-2gb"),
        (("--device", "pi-5-4g"), "device 'pi-5-4g' was not found. Did you mean pi-5-4gb?"),
        (("--device", "mainframe"), "Available: pi-zero-2, "),
        (("--device", "pi-400", "--memory-gb", "4"), "Leave one of them out"),
        (("--memory-gb", "4"), "needs both --memory-gb and --bandwidth-gbs"),
        (("--memory-gb", "-4", "--bandwidth-gbs", "1"), "is not a positive number"),
        (("--memory-gb", "inf", "--bandwidth-gbs", "1"), "memory of inf GB is not a valid amount"),
        (("--memory-gb", "4", "--bandwidth-gbs", "nan"), "a bandwidth of nan GB/s"),
        (("--device", "pi-400", "--context", "9000"), "longer than the model's own, 8,192 tokens. Write"),
        (("--device", "pi-400", "--context", "x"), "not a valid integer"),
        (("--device", "pi-400", "--min-speed", "-1"), "minimum speed of -1 tokens/s is not a valid speed"),
    ],
)
def test_invalid_arguments_is_2(arguments: tuple[str, ...], words: str, capsys: Captured) -> None:
    code, out, err = called(capsys, MODEL.name, *arguments)
    assert (code, out) == (2, "") and words in err


@pytest.mark.usefixtures("a_zoo")
def test_a_model_or_version_that_is_not_there(capsys: Captured) -> None:
    board = ("--device", "pi-400")
    assert "Did you mean smollm2-tutor-57m?" in called(capsys, "smollm2-tutor-57", *board)[2]
    code, _, err = called(capsys, "smollm2-tutor-57m@9.9.9", *board)
    assert code == 2 and "Available: 1.1.0, 1.0.0" in err
    assert called(capsys, "zzz", *board)[0] == 2


def test_without_a_catalog(zoo_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.chdir(zoo_folder)
    code, _, err = called(capsys, "x", "--device", "pi-400")
    assert code == 2 and "The catalog is empty" in err


# --- Architectures that keep or read less


def architected(name: str, **changes: Any) -> Release:
    shape = dataclasses.replace(RELEASE.architecture, name=name, context_tokens=32_768, **changes)
    return dataclasses.replace(RELEASE, architecture=shape)


def test_a_window_lets_a_long_context_fit() -> None:
    one = dataclasses.replace(RELEASE.files[1], memory=(), speeds=())
    full = Cache(604_000_000 // 32_768, 0, 0, 0, known=True)
    windowed = Cache(full.full_bytes_per_token // 6, 5 * full.full_bytes_per_token // 6, 512, 0, known=True)
    needs = [need_bytes(one, architected("gemma3", cache=cache), 32_768) or 0 for cache in (full, windowed)]
    assert (
        needs[0] - needs[1]
        == 5 * full.full_bytes_per_token // 6 * (32_768 - 1024)
        + (full.full_bytes_per_token - windowed.full_bytes_per_token - windowed.window_bytes_per_token)
        * 32_768
    )


@pytest.mark.parametrize("read", [None, 400_000_000])
def test_a_measurement_of_experts_is_taken(read: int | None) -> None:
    speed = dataclasses.replace(RELEASE.files[1].speeds[0], device="pi-5-8gb", decode_tokens_per_second=20.0)
    one = dataclasses.replace(
        RELEASE.files[1], size_bytes=1_420_000_000, memory=(), speeds=(speed,), read_bytes=read
    )
    cache = Cache(50_000, 0, 0, 0, known=True)
    release = dataclasses.replace(
        architected("granitemoe", cache=cache, experts=32, experts_used=8), files=(one,)
    )
    found = pick(release, device("pi-5-8gb"), 512, 15.0)
    assert found.file is one and found.speed and found.speed.measured and "refused" not in found.reason
    # A dense model of that size cannot be that fast.
    dense = dataclasses.replace(
        architected("llama", cache=cache), files=(dataclasses.replace(one, read_bytes=None),)
    )
    assert "implausible" in pick(dense, device("pi-5-8gb"), 512, 15.0).reason
