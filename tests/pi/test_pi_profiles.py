"""Which board this is, and what llama.cpp gets for it, on recorded texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from boardfolders import BOARDS, X86, board, folder

from catalog import device as devices
from catalog.device import DEVICES
from pi_runtime import accelerate, profiles
from pi_runtime.accelerate import Wanted, plan
from pi_runtime.cores import Cores
from pi_runtime.profiles import Machine, Profile
from pi_runtime.settings import CouldNot, InvalidArguments

KNOWN = profiles.profiles()
FOUR = Cores(4, 4, 4, None)


def found(device_id: str) -> Profile:
    return profiles.find(device_id, KNOWN)


def test_the_board_reads_the_same_figures_as_the_catalog() -> None:
    assert [one.id for one in KNOWN] == [one.id for one in DEVICES]
    for one, device in zip(KNOWN, DEVICES, strict=True):
        figure = device.bandwidth_bytes_per_second
        assert one.bandwidths == (figure.low, figure.typical, figure.high), one.id
        assert (one.free_bytes, one.reserve_bytes, one.cores) == (device.free_bytes, device.reserve_bytes, device.cores)
        assert (one.single, one.token_seconds) == (figure.reports == 1, device.token_seconds)
        assert one.kernels == {kernel.type: kernel.bytes_per_second_per_core for kernel in device.kernels}
        assert profiles.sisters(one, KNOWN) == devices.sisters(one.id)


def test_a_machine_that_the_user_describes_is_the_one_of_the_catalog() -> None:
    mine, theirs = profiles.custom(16, 40, KNOWN), devices.custom(16 * 2**30, 40e9)
    assert (mine.name, mine.free_bytes, mine.token_seconds) == (theirs.name, theirs.free_bytes, theirs.token_seconds)
    for memory, bandwidth in ((0, 1), (1, -1), (float("nan"), 1), (1, float("inf"))):
        with pytest.raises(InvalidArguments, match="must be positive numbers"):
            profiles.custom(memory, bandwidth, KNOWN)


@pytest.mark.parametrize("name", BOARDS)
def test_every_recorded_board_is_recognized(tmp_path: Path, name: str) -> None:
    one = profiles.detect(profiles.machine(board(tmp_path, name)), KNOWN)
    assert one is not None and one.id == BOARDS[name][-1]


def test_a_variant_with_less_memory_keeps_its_own_memory() -> None:
    one = profiles.detect(Machine("Raspberry Pi 3 Model A Plus Rev 1.0", None, 430_000 * 1024), KNOWN)
    assert one is not None and one.id == "pi-3" and one.memory_bytes == 430_000 * 1024 and one.free_bytes > 2**28


@pytest.mark.parametrize(
    ("name", "kilobytes", "expected", "bytes_"),
    [
        ("Intel(R) N100", 16_100_000, "n100-16gb", 16 * 2**30),
        ("AMD Ryzen 7", 24_400_000, "laptop-16gb", 16 * 2**30),
        ("AMD Ryzen 7", 32_300_000, "laptop-32gb", 32 * 2**30),
        ("Celeron", 4_000_000, "laptop-8gb", 4_000_000 * 1024),
    ],
)
def test_a_pc_gets_no_more_memory_than_it_has(
    tmp_path: Path, name: str, kilobytes: int, expected: str, bytes_: int
) -> None:
    root = folder(tmp_path, None, X86.format(vendor="x", name=name), kilobytes)
    one = profiles.detect(profiles.machine(root), KNOWN)
    assert one is not None and (one.id, one.memory_bytes) == (expected, bytes_)


def test_an_unknown_board_is_not_guessed(tmp_path: Path) -> None:
    root = folder(tmp_path, "Some Board 9", "processor\t: 0\n", 4_000_000)
    assert profiles.detect(profiles.machine(root), KNOWN) is None
    with pytest.raises(InvalidArguments, match=r"No device has the id 'pi-9'\. Ids: pi-zero-2, pi-3"):
        found("pi-9")


def test_every_profile_says_how_llama_cpp_runs_there() -> None:
    for device, one in zip(DEVICES, KNOWN, strict=True):
        assert one.runtime.boards or one.runtime.processors or one.runtime.generic or one.id == "vulkan-8gb"
        assert one.runtime.kv_types[0] == "f16" and one.runtime.context_tokens == 2048, device.id
        # Which types are repacked follows from the instructions; see the source that each profile names.
        if "dotprod" in one.runtime.instructions:
            assert {"q4_0", "q4_K", "q8_0"} <= set(one.runtime.repacked)
        elif "avx2" not in one.runtime.instructions:
            assert one.runtime.repacked == ()


def test_one_plan_serves_all_uses() -> None:
    one = plan(found("pi-5-8gb"), Machine("Raspberry Pi 5 Model B Rev 1.0", None, None), usable=FOUR)
    start = ["--threads", "4", "--n-gpu-layers", "0"]
    assert one.server()[:4] == one.bench([512], 128, 5)[:4] == one.server(embeddings=True)[:4] == start
    assert one.server() == [
        *start, "--threads-batch", "4", "--ctx-size", "2048", "--parallel", "1", "--no-webui", "--cache-ram", "0",
    ]  # fmt: skip
    assert one.server(embeddings=True)[-3:] == ["--embeddings", "--pooling", "mean"]
    assert one.bench([512, 4096], 128, 5)[4:] == ["-p", "512,4096", "-n", "128", "-r", "5", "-o", "json"]


def test_the_user_overrides_the_profile() -> None:
    wanted = Wanted(accelerator="cpu", threads=2, threads_prompt=3, context_tokens=512, kv_type="q8_0")
    one = plan(found("apple-m1-8gb"), Machine(None, "Apple M1", None), wanted, FOUR)
    assert (one.accelerator, one.threads_decode, one.threads_prompt) == ("cpu", 2, 3)
    assert (one.context_tokens, one.kv_type, one.gpu_layers) == (512, "q8_0", 0)
    assert " ".join(one.server()).count("--cache-type-k q8_0 --cache-type-v q8_0 --flash-attn on") == 1
    assert "--flash-attn 1" in " ".join(one.bench([1], 1, 1))
    assert plan(found("apple-m1-8gb"), Machine(None, "Apple M1", None), usable=FOUR).gpu_layers > 900
    # A container with fewer cores than the board has.
    assert plan(found("pi-5-8gb"), Machine(None, None, None), usable=Cores(2, 2, 2, None)).threads_decode == 2


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Wanted(accelerator="npu"), "--accelerator must be one of cpu, metal, vulkan, cuda"),
        (Wanted(threads=9), "--threads must be from 1 to 4"),
        (Wanted(threads_prompt=0), "--threads-prompt must be from 1 to 4"),
        (Wanted(kv_type="q5_1"), "--kv must be one of f16, q8_0, q4_0 on Raspberry Pi 5, 8 GB"),
        (Wanted(context_tokens=-1), "--context must be 1 or more"),
    ],
)
def test_what_makes_no_sense_is_refused(wanted: Wanted, words: str) -> None:
    with pytest.raises(InvalidArguments, match=words):
        plan(found("pi-5-8gb"), Machine(None, None, None), wanted, FOUR)


@pytest.mark.parametrize("name", ["Raspberry Pi 4 Model B Rev 1.4", "Raspberry Pi 5 Model B Rev 1.0"])
def test_vulkan_on_v3d_is_refused_unless_forced(name: str) -> None:
    pi = Machine(name, None, None)
    with pytest.raises(CouldNot, match="16 KB of shared memory and at most 256 invocations"):
        plan(found("pi-5-8gb"), pi, Wanted(accelerator="vulkan"), FOUR)
    assert plan(found("pi-5-8gb"), pi, Wanted(accelerator="vulkan", force=True), FOUR).accelerator == "vulkan"
    assert plan(found("vulkan-8gb"), Machine(None, "AMD Ryzen", None), usable=FOUR).accelerator == "vulkan"


def test_a_v3d_is_also_known_by_its_driver(tmp_path: Path) -> None:
    driver = tmp_path / "sys/bus/platform/drivers/v3d"
    driver.mkdir(parents=True)
    card = tmp_path / "sys/class/drm/card1/device"
    card.mkdir(parents=True)
    assert not accelerate.is_v3d(Machine("Some Board", None, None), tmp_path)
    (card / "driver").symlink_to(driver)
    assert accelerate.is_v3d(Machine("Some Board", None, None), tmp_path)


def test_damaged_profiles_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PI_ZOO_DATA", str(tmp_path))
    with pytest.raises(CouldNot, match=f"No device profiles found in {tmp_path}"):
        profiles.data_folder()
    (tmp_path / "devices").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data/token-costs.json").write_text(json.dumps({"seconds_per_token": {"processor": 0.0}}))
    (tmp_path / "devices/a.json").write_text('{"id": "a"}')
    with pytest.raises(CouldNot, match=r"a\.json has no 'bandwidth'"):
        profiles.profiles()
    (tmp_path / "devices/a.json").write_text("{")
    with pytest.raises(CouldNot, match=r"a\.json is not valid JSON"):
        profiles.profiles()
