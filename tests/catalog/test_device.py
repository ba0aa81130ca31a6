"""Device profiles: figures with sources, and machines that the user describes."""

from __future__ import annotations

import dataclasses
import itertools
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import device as devices
from catalog import jsontext, schema
from catalog.device import DEVICES, GIBI, GIGA, MEBI, Device, custom, find, nearest


def found(device_id: str) -> Device:
    device = find(device_id)
    assert device is not None
    return device


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.id)
def test_every_profile_is_valid(device: Device) -> None:
    assert find(device.id) is device
    figure = device.bandwidth_bytes_per_second
    assert 0 < figure.low <= figure.typical <= figure.high <= (300 if device.family == "Graphics card" else 120) * GIGA
    assert figure.reports != 0 and (figure.reports == 1) == (figure.low == figure.high)
    assert 0 < device.reserve_bytes < device.memory_bytes
    assert device.free_bytes == device.memory_bytes - device.reserve_bytes
    sentences = [device.memory_source, device.reserve_reason, figure.source, device.cores_source]
    sentences += [kernel.source for kernel in device.kernels]
    for sentence in sentences:
        assert sentence.endswith(".") and len(sentence) > 20, f"write a sentence that names the source: {sentence!r}"
    words = f"{figure.typical / GIGA:g} GB/s"
    assert words in figure.source, f"write the typical figure into bandwidth.source: {words}"
    for kernel in device.kernels:
        words = f"{kernel.bytes_per_second_per_core / GIGA:.2f} GB/s of {kernel.type} data"
        assert words in kernel.source, f"write the figure into the kernel's source: {words}"
    with pytest.raises(dataclasses.FrozenInstanceError):
        device.cores = 8


@pytest.mark.parametrize("path", sorted(devices.FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_every_file_follows_the_schema_and_is_named_by_its_id(path: Path) -> None:
    data = jsontext.read(path)
    assert schema.violations(data, "device-v1") == []
    assert data["id"] == path.stem
    assert [device.id for device in DEVICES if device == devices.of(data)] == [path.stem]


def test_the_figures_are_those_that_were_given() -> None:
    first = (
        "pi-zero-2", "pi-4-2gb", "pi-4-4gb", "pi-4-8gb", "pi-400", "pi-5-2gb", "pi-5-4gb", "pi-5-8gb", "pi-5-16gb",
        "jetson-orin-nano", "orion-o6-16gb", "apple-m1-8gb", "apple-m2-m3-16gb", "apple-m4-24gb", "n100-16gb",
        "laptop-8gb", "laptop-16gb", "laptop-32gb",
    )  # fmt: skip
    assert [device.id for device in DEVICES if device.id in first] == list(first)
    zero, four, five = found("pi-zero-2"), found("pi-400"), found("pi-5-8gb")
    assert (zero.memory_bytes, four.memory_bytes, five.memory_bytes) == (512 * MEBI, 4 * GIBI, 8 * GIBI)
    figures = [device.bandwidth_bytes_per_second for device in (zero, four, five)]
    assert [(f.low / GIGA, f.typical / GIGA, f.high / GIGA, f.reports) for f in figures] == [
        (0.55, 0.55, 0.55, 1), (3.1, 3.3, 3.5, None), (9.1, 10.5, 11.6, None)
    ]  # fmt: skip
    speeds = {kernel.type: kernel.bytes_per_second_per_core / GIGA for kernel in four.kernels}
    assert speeds == {"f16": 1.92, "q8_0": 2.53, "q4_K": 1.30, "q2_K": 0.80}
    assert four.kernels == found("pi-4-2gb").kernels and not zero.kernels and not five.kernels


def test_a_desktop_leaves_room_for_other_programs() -> None:
    assert [found(f"laptop-{size}gb").free_bytes // GIBI for size in (8, 16, 32)] == [4, 12, 24]
    assert found("jetson-orin-nano").free_bytes == 5325 * MEBI


def test_the_profiles_of_a_family_are_next_to_each_other() -> None:
    families = [name for name, _ in itertools.groupby(device.family for device in DEVICES)]
    for name in families:
        assert families.count(name) == 1, (
            f"another family is between the profiles of {name}: choose an `order` next to those of its own family"
        )


def test_kernels_are_found_by_type() -> None:
    four = found("pi-4-4gb")
    kernel = four.kernel("q4_K")
    assert kernel is not None and kernel.type == "q4_K"
    assert four.kernel("q5_K") is None and four.kernel(None) is None


def test_unknown_devices_get_a_near_one_or_none() -> None:
    assert find("pi-5-4GB") is None and nearest("pi-5-4GB") == "pi-5-4gb"
    assert nearest("pi-zero") == "pi-zero-2"
    assert nearest("mainframe") is None


@pytest.mark.parametrize("memory", [0, -1])
def test_a_machine_without_memory_is_refused(memory: int) -> None:
    with pytest.raises(ValueError, match="bytes is not a positive number"):
        custom(memory, 1e9)


@pytest.mark.parametrize("bandwidth", [0.0, -1.0, math.nan, math.inf, 1e16])
def test_a_machine_without_a_sane_bandwidth_is_refused(bandwidth: float) -> None:
    with pytest.raises(ValueError, match="GB/s is more than any machine has"):
        custom(GIBI, bandwidth)


def test_a_machine_of_the_user() -> None:
    device = custom(16 * GIBI, 40e9)
    assert device.name == "a machine with 16 GB of memory, 40 GB/s"
    assert device.bandwidth_bytes_per_second.reports == 1 and device.cores is None
    assert device.reserve_bytes == 2 * GIBI


@given(st.integers(1, 2**45), st.integers(0, 2**45))
def test_more_memory_never_leaves_less(memory: int, more: int) -> None:
    small, large = custom(memory, 1e9), custom(memory + more, 1e9)
    assert 0 <= small.free_bytes <= large.free_bytes
    assert small.reserve_bytes >= min(memory, devices.LEAST_RESERVE_BYTES)
