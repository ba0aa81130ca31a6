"""``pi-zoo bench`` through llama-server: what makes a run invalid, what a report has, and one real run."""

from __future__ import annotations

import argparse
import copy
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from boardsite import ROOT, pi_zoo
from evidencesamples import shared
from llamaprograms import MODEL, PROGRAMS, needs_server
from tinygguf import make_tiny_gguf

from catalog import reports
from pi_runtime import boardbench, llamabench, measuring, probing, store, surroundings
from pi_runtime.boardruns import LONG_PROMPT
from pi_runtime.server import Model, Server
from pi_runtime.settings import CouldNot, InvalidArguments, Settings
from pi_runtime.store import Kept, Receipt

SCHEMA = json.loads((ROOT / "catalog/schemas/bench-report-v1.schema.json").read_text(encoding="utf-8"))
NEW = {
    "build_commit": "llama-cpp-python-0.3.36", "build_number": 0, "cpu_info": "x", "model_type": "llama 256M Q4_0",
    "n_threads": 4, "type_k": "f16", "flash_attn": -1, "load_mode": "auto", "n_prompt": 512, "n_gen": 0, "n_depth": 0,
    "avg_ts": 81.38, "stddev_ts": 14.49, "samples_ns": [87307468, 112458113], "samples_ts": [91.6302, 71.1376],
}  # fmt: skip
OLD = {
    "build_commit": "f3fdcfaa", "build_number": 3880, "cuda": False, "cpu_info": "Cortex-A76", "n_threads": 4,
    "type_k": "f16", "use_mmap": True, "embeddings": False, "n_prompt": 0, "n_gen": 128, "test_time": "2024-10-09",
    "avg_ts": 12.5, "stddev_ts": 0.1, "samples_ns": [10, 10, 10], "samples_ts": [12.4, 12.6, 12.5],
}  # fmt: skip


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    home = tmp_path_factory.mktemp("bench") / "home"
    meter = home.parent / "energy_uj"
    meter.write_text("5000000\n")
    short = ("--prompt-tokens", "24", "--decode-tokens", "4", "--samples", "2", "--threads", "1", "--short")
    done = pi_zoo(
        home, "bench", str(MODEL), *short, "--json", "--meter", str(meter), PI_ZOO_PROGRAMS=str(PROGRAMS)
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


@needs_server
def test_a_real_run_has_all_that_a_report_needs(measured: tuple[dict[str, Any], str]) -> None:
    report, said = measured
    assert [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(report)] == []
    assert report["reasons"][0] == "only 2 of the 5 required samples" and not report["valid"]
    assert len(report["samples"]) == 2 and "sample 2 of 2" in said
    part = report["board"]
    assert part["probe"]["passed"] and part["probe"]["continuations"] >= probing.RIGHT
    assert part["cached_tokens"] == [0, 0] and part["energy"]["joules"] == 0
    assert report["decoded_alike_every_time"] and len(report["decoded_token_ids"]) == 5
    # The peak is that of the server, which has the weights in memory.
    assert report["summary"]["peak_memory_bytes"] > 0.5 * MODEL.stat().st_size if MODEL else False
    sample = report["samples"][0]
    assert sample["time_to_first_token_seconds"] >= sample["prompt_seconds"]
    assert str(Path.home()) not in json.dumps(report)


@needs_server
def test_the_reasons_against_a_run(measured: tuple[dict[str, Any], str]) -> None:
    good: Any = copy.deepcopy(measured[0])
    assert boardbench.reasons(good) == []
    good["board"]["cached_tokens"] = [0, 7]
    good["board"]["swap"]["pages_moved"] = 1200
    good["decoded_alike_every_time"] = False
    good["board"]["probe"].update(passed=False, largest_gap_nats=3.0)
    assert boardbench.reasons(good) == [
        "llama-server took a part of the prompt from its cache, so the prompt's speed is too high",
        "the board swapped 1,200 pages during the samples",
        "the same prompt was answered differently, so something computes wrong results",
        "the answers differ between one batch and token after token by 3 nats; at most 0.5 are allowed",
    ]


def test_noise_fails_the_probe() -> None:
    found = probing.failure(
        {"passed": False, "continuations": 0, "continuations_asked": 6, "steps": 7, "largest_gap_nats": 0.0}
    )
    assert found == "the answers are wrong: only 0 of 6 well-known sequences were continued"


def test_a_small_model_gets_no_longer_context_than_its_own() -> None:
    settings = Settings(prompt_tokens=512, decode_tokens=128)
    assert boardbench.context_of(settings, True, 8192) > LONG_PROMPT
    assert boardbench.context_of(settings, True, 2048) == boardbench.context_of(settings, False, 8192) == 648
    assert boardbench.context_of(Settings(prompt_tokens=8, decode_tokens=4), False, 8192) == boardbench.LEAST_CONTEXT


@pytest.mark.parametrize(("before", "after", "words"), [
    (0x0, 0x50005, ["under-voltage now", "throttled now", "under-voltage has occurred", "throttling has occurred"]),
    (0x50000, 0x50000, []), (0x10000, 0x90000, ["soft temperature limit has occurred"]), (None, 0x1, []),
])  # fmt: skip
def test_only_what_is_new_since_the_start_counts(before: int | None, after: int, words: list[str]) -> None:
    assert boardbench.new_flags(before, after) == words


def test_the_surroundings_of_a_recorded_board(tmp_path: Path) -> None:
    proc = tmp_path / "proc"
    (proc / "77").mkdir(parents=True)
    (proc / "77/stat").write_text("77 (llama (x) server) S 1 77 77 0 -1 4194560 900 0 42 0 250 50 0 0 20 0 5 0 1 1 1")
    (proc / "vmstat").write_text("nr_free_pages 9\npswpin 10\npswpout 30\n")
    (proc / "meminfo").write_text("SwapTotal: 204800 kB\nSwapFree: 102400 kB\n")
    boot = proc / "device-tree/chosen/bootloader"
    boot.mkdir(parents=True)
    (boot / "build-timestamp").write_bytes((1_700_000_000).to_bytes(4, "big"))
    assert surroundings.cpu_seconds(77, tmp_path) == 300 / os.sysconf("SC_CLK_TCK")
    assert surroundings.major_faults(77, tmp_path) == 42 and surroundings.cpu_seconds(78, tmp_path) == 0
    assert surroundings.swapped_pages(tmp_path) == 40
    found = surroundings.swap(15, tmp_path)
    assert found == {"total_bytes": 204_800 * 1024, "used_bytes": 102_400 * 1024, "pages_moved": 25}
    assert surroundings.swap(None, proc) == {"total_bytes": None, "used_bytes": None, "pages_moved": None}
    assert surroundings.firmware(tmp_path) == "bootloader built at 1700000000 (Unix time)"
    assert surroundings.firmware(proc) is None


def test_a_load_is_cold_if_storage_delivered_the_file(tmp_path: Path) -> None:
    (tmp_path / "proc/77").mkdir(parents=True)
    (tmp_path / "proc/77/io").write_text("rchar: 9\nread_bytes: 4096\nwrite_bytes: 0\n")
    assert surroundings.storage_reads(77, tmp_path) == 4096 and surroundings.storage_reads(78, tmp_path) is None
    assert surroundings.start(4096, 8192) == "cold"
    assert surroundings.start(4095, 8192) == surroundings.start(None, 1) == "warm"


@needs_server
def test_a_cold_start_reads_the_file_from_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PI_ZOO_PROGRAMS", str(PROGRAMS))
    path = make_tiny_gguf(tmp_path / "tiny.gguf")
    # os.fsync does nothing in the tests, and what is not written yet cannot be dropped from memory.
    subprocess.run(["sync", path], check=True)
    with path.open("rb") as file:
        surroundings.forget(file)
    before = surroundings.storage_reads(os.getpid())
    path.read_bytes()
    if surroundings.storage_reads(os.getpid()) == before:
        pytest.skip("the folder for temporary files is in memory, or the kernel does not count what storage delivers")
    for cold, expected in ((False, "warm"), (True, "cold")):
        with Server(Model(path, None, cold), ["--ctx-size", "64"]) as server:
            assert surroundings.start(server.load_reads_bytes, path.stat().st_size) == expected


def test_a_file_on_an_sd_card(tmp_path: Path) -> None:
    number = tmp_path.stat().st_dev
    disk = tmp_path / "sys/devices/mmc/mmcblk0"
    (disk / "mmcblk0p2").mkdir(parents=True)
    (disk / "mmcblk0p2/partition").write_text("2\n")
    (disk / "device").mkdir()
    (disk / "device/name").write_text("SD64G\n")
    link = tmp_path / "sys/dev/block"
    link.mkdir(parents=True)
    (link / f"{os.major(number)}:{os.minor(number)}").symlink_to(disk / "mmcblk0p2")
    assert surroundings.storage(tmp_path, tmp_path) == "SD card or eMMC mmcblk0 (SD64G)"
    assert surroundings.storage(tmp_path, disk) is None


def test_a_meter_counts_joules(tmp_path: Path) -> None:
    joules, micro = tmp_path / "joules", tmp_path / "energy_uj"
    joules.write_text("10.5")
    micro.write_text("4000000\n")
    one, two = surroundings.Meter(joules), surroundings.Meter(micro)
    joules.write_text("20.5")
    micro.write_text("9000000\n")
    assert one.used(5) == {"joules": 10.0, "joules_per_token": 2.0}
    assert two.used(50) == {"joules": 5.0, "joules_per_token": 0.1}
    # A counter that began again from zero says nothing.
    micro.write_text("1\n")
    assert two.used(50) == surroundings.Meter(None).used(1) == {"joules": None, "joules_per_token": None}
    joules.write_text("many")
    with pytest.raises(InvalidArguments, match="has no count of energy"):
        surroundings.Meter(joules)


def test_llama_bench_of_old_and_new_builds() -> None:
    new, old = llamabench.parse(json.dumps([NEW, OLD]))
    assert (new.prompt_tokens, new.decode_tokens, new.mapped, new.build) == (512, 0, None, "llama-cpp-python-0.3.36")
    assert (old.prompt_tokens, old.decode_tokens, old.mapped, old.threads) == (0, 128, True, 4)
    assert old.words == "llama-bench, decode 128: 12.5 tokens/s"
    assert llamabench.parse(json.dumps([{**NEW, "load_mode": "mmap"}]))[0].mapped is True
    for damaged in ("[{}]", "{", json.dumps([{**NEW, "samples_ts": []}]), json.dumps([{**NEW, "samples_ts": ["x"]}])):
        with pytest.raises(CouldNot):
            llamabench.parse(damaged)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("x", "--share"), "add --by with your name or a nickname"),
        (("x.gguf", "--share", "--by", "Ada"), "--share needs a model of the catalog"),
        (("x", "--dry-run"), "add --share"),
        (("x", "--by", "  "), "--by must have 1 to 80 printable characters"),
        (("x",), "x is not on this board"),
    ],
)
def test_what_cannot_be_measured_is_a_sentence(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    done = pi_zoo(tmp_path / "home", "bench", *arguments)
    assert done.returncode in (1, 2) and words in done.stderr and "Traceback" not in done.stderr


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    monkeypatch.setenv("PI_ZOO_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    one = Kept(tmp_path / "home", Receipt("tiny", "1.0.0", "tiny-Q8_0.gguf", "Q8_0", 4, "b" * 64, None, "x"))
    one.folder.mkdir(parents=True)
    one.path.write_bytes(b"GGUF")
    store.write_receipt(one)
    return one


def asked(**more: object) -> argparse.Namespace:
    return argparse.Namespace(**{"name": "tiny", "out": None, "dry_run": False, **more})


@pytest.mark.usefixtures("kept")
def test_a_shared_report_is_what_the_catalog_accepts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report: Any = shared()
    measuring.share(asked(dry_run=True), report, "Ada L.")
    path = tmp_path / "site/evidence/tiny/1.0.0/reports/Ada-L-pi-5-8gb-Q8-0.json"
    assert "Nothing was written" in capsys.readouterr().out and not path.exists()
    measuring.share(asked(), report, "Ada L.")
    found = reports.read(path, f"reports/{path.name}")
    assert isinstance(found, reports.Measurement) and found.speed.device == "pi-5-8gb" and found.speed.by == "Ada"
    with pytest.raises(CouldNot, match="Move it away"):
        measuring.share(asked(), report, "Ada L.")


@pytest.mark.usefixtures("kept")
def test_what_a_catalog_would_refuse_is_not_written(tmp_path: Path) -> None:
    for changed, words in (
        ({"valid": False}, "The run is not valid, so a catalog would refuse it"),
        ({"file": {"name": "x", "size_bytes": 1, "sha256": "c" * 64}}, "is not the file that the catalog lists"),
    ):
        report: Any = {**shared(), **changed}
        with pytest.raises(CouldNot, match=words):
            measuring.share(asked(), report, "Ada")
    assert not (tmp_path / "site").exists()


def test_names_of_shared_files_are_plain() -> None:
    assert measuring.plain("Ada L. ") == "Ada-L" and measuring.plain("../x") == "x" and measuring.plain("é") == ""
