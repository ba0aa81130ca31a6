"""The world's parsers, on texts in the form of a Raspberry Pi 5, a Raspberry Pi 4 and an x86 machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pi_runtime import parsers, surroundings, system


def arm_cpuinfo(part: str, revision: str, model: str, cores: int = 4) -> str:
    core = (
        "processor\t: {n}\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\n"
        "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x4\n"
        f"CPU part\t: {part}\nCPU revision\t: 1\n\n"
    )
    tail = f"Revision\t: {revision}\nSerial\t\t: 1000000012345678\nModel\t\t: {model}\n"
    return "".join(core.format(n=n) for n in range(cores)) + tail


PI_5 = arm_cpuinfo("0xd0b", "d04170", "Raspberry Pi 5 Model B Rev 1.0")
PI_4 = arm_cpuinfo("0xd08", "c03114", "Raspberry Pi 4 Model B Rev 1.4")
X86 = (
    "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 142\n"
    "model name\t: Intel(R) Core(TM) i5-8250U CPU @ 1.60GHz\ncpu MHz\t\t: 800.019\n\n"
)
MEMINFO = (
    "MemTotal:        8257056 kB\nMemFree:          123456 kB\n"
    "MemAvailable:    7000000 kB\nHugePages_Total:       0\n"
)


@pytest.mark.parametrize(
    ("text", "cpu", "board"),
    [
        (PI_5, "ARM Cortex-A76", "Raspberry Pi 5 Model B Rev 1.0"),
        (PI_4, "ARM Cortex-A72", "Raspberry Pi 4 Model B Rev 1.4"),
        (X86, "Intel(R) Core(TM) i5-8250U CPU @ 1.60GHz", None),
        (arm_cpuinfo("0xfff", "0", "Board"), "ARM part 0xfff", "Board"),
        ("", None, None),
    ],
)
def test_cpuinfo(text: str, cpu: str | None, board: str | None) -> None:
    assert parsers.cpu_model(text) == cpu
    assert parsers.board_model(None, text) == board


def test_the_x86_model_number_is_not_taken_for_a_board() -> None:
    assert parsers.board_model(None, X86) is None


def test_a_board_with_two_kinds_of_cores_lists_both() -> None:
    both = arm_cpuinfo("0xd05", "0", "x") + arm_cpuinfo("0xd0b", "0", "x")
    assert parsers.cpu_model(both) == "ARM Cortex-A55 + ARM Cortex-A76"


def test_the_device_tree_comes_first_and_loses_its_nul_byte() -> None:
    assert parsers.board_model("Raspberry Pi 4 Model B Rev 1.5\0", PI_5) == "Raspberry Pi 4 Model B Rev 1.5"
    assert parsers.board_model("\0", PI_5) == "Raspberry Pi 5 Model B Rev 1.0"


def test_kilobytes() -> None:
    assert parsers.kilobytes_as_bytes(MEMINFO, "MemTotal") == 8257056 * 1024
    assert parsers.kilobytes_as_bytes("VmHWM:\t   41216 kB\n", "VmHWM") == 41216 * 1024
    assert parsers.kilobytes_as_bytes(MEMINFO, "SwapTotal") is None


def test_load_average() -> None:
    assert parsers.load_average("0.41 1.00 0.81 2/153 6037\n") == [0.41, 1.0, 0.81]
    assert parsers.load_average("") is None
    assert parsers.load_average("a b c") is None


def test_cpu_ticks_leave_out_guests_and_count_steal_as_busy() -> None:
    assert parsers.cpu_ticks("cpu  100 1 20 800 50 2 3 24 60 1\ncpu0 1 1 1 1\n") == (150, 1000)
    assert parsers.cpu_ticks("intr 5\n") is None


@pytest.mark.parametrize(
    ("text", "flags"),
    [("throttled=0x0\n", 0), ("throttled=0x50005\n", 0x50005), ("50000\n", 0x50000), ("0", 0), ("", None),
     ("VCHI initialization failed\n", None), ("error=1 error_msg=\"Command not registered\"", None)],
)  # fmt: skip
def test_throttle_flags(text: str, flags: int | None) -> None:
    assert parsers.throttled_flags(text) == flags


def test_throttle_names() -> None:
    assert parsers.throttle_names(0) == []
    assert parsers.throttle_names(0x50005) == [
        "under-voltage now", "throttled now", "under-voltage has occurred", "throttling has occurred",
    ]  # fmt: skip


def test_degrees_and_hertz() -> None:
    assert parsers.millidegrees("48650\n") == 48.65
    assert parsers.millidegrees("-274000") is None
    assert parsers.millidegrees("n/a") is None
    assert parsers.kilohertz("2400000\n") == 2_400_000_000
    assert parsers.kilohertz("<unknown>") is None


def put(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.fixture
def pi_5(tmp_path: Path) -> Path:
    cpufreq = {
        "scaling_governor": "ondemand\n",
        "cpuinfo_max_freq": "2400000\n",
        "scaling_cur_freq": "2400000\n",
    }
    put(tmp_path, {f"sys/devices/system/cpu/cpu0/cpufreq/{name}": text for name, text in cpufreq.items()})
    put(
        tmp_path,
        {
            "proc/cpuinfo": PI_5,
            "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
            "proc/meminfo": MEMINFO,
            "proc/loadavg": "0.10 0.20 0.30 1/100 1\n",
            "proc/stat": "cpu  100 0 0 900 0 0 0 0 0 0\n",
            "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "1500000\n",
            "sys/class/thermal/thermal_zone0/temp": "90000\n",
            "sys/class/thermal/thermal_zone0/type": "wifi\n",
            "sys/class/thermal/thermal_zone1/temp": "51850\n",
            "sys/class/thermal/thermal_zone1/type": "cpu-thermal\n",
            "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled": "0\n",
        },
    )
    return tmp_path


def test_a_pi_5_is_described_without_its_serial_number(pi_5: Path) -> None:
    found = system.device("pi-5-8gb", pi_5)
    assert found["label"] == "pi-5-8gb"
    assert found["board_model"] == "Raspberry Pi 5 Model B Rev 1.0"
    assert found["cpu_model"] == "ARM Cortex-A76"
    assert (found["governor"], found["frequency_maximum_hertz"]) == ("ondemand", 2_400_000_000)
    assert found["memory_total_bytes"] == 8257056 * 1024
    assert "12345678" not in str(found)


def test_conditions_of_a_pi_5(pi_5: Path) -> None:
    assert system.conditions(pi_5) == {
        "load_average": [0.1, 0.2, 0.3],
        "memory_available_bytes": 7000000 * 1024,
        "frequency_hertz": 2_400_000_000,
        "temperature_celsius": 51.85,
        "temperature_zone": "cpu-thermal",
        "throttled_flags": 0,
    }


def test_what_a_machine_does_not_tell_is_none(tmp_path: Path) -> None:
    assert set(system.conditions(tmp_path).values()) == {None}
    assert system.device(None, tmp_path)["cpu_model"] is None
    assert system.CpuShare(tmp_path).others() is None


def test_without_a_processor_zone_the_hottest_counts(tmp_path: Path) -> None:
    put(
        tmp_path,
        {"sys/class/thermal/thermal_zone0/temp": "30000", "sys/class/thermal/thermal_zone1/temp": "40000"},
    )
    assert system.temperature(tmp_path) == (40.0, "thermal_zone1")


def test_share_of_others(pi_5: Path) -> None:
    own = iter([1.0, 3.0])  # two CPU seconds of our own
    share = system.CpuShare(pi_5, own_seconds=lambda: next(own))
    # 1000 ticks of 10 ms later: 300 of them busy, so 3 s busy, 1 s of it not ours, in 10 s.
    (pi_5 / "proc/stat").write_text("cpu  400 0 0 1600 0 0 0 0 0 0\n")
    assert share.others() == pytest.approx(0.1)


def test_share_is_none_when_no_time_has_passed(pi_5: Path) -> None:
    assert system.CpuShare(pi_5, own_seconds=lambda: 0.0).others() is None


def test_memory_of_a_process_is_in_bytes() -> None:
    resident, peak = (surroundings.memory(os.getpid(), name) for name in ("VmRSS", "VmHWM"))
    assert resident is not None and peak is not None
    assert 10**6 < resident <= peak
