"""The parts of a report, ``bench-report/1``, as types: which keys they have and what is in them.

Keys that are not required are those that older reports lack. Units are in the names.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict, final


class FileIdentity(TypedDict):
    """Base name, size and digest of the file that was measured."""

    name: str
    size_bytes: int
    sha256: str


class ModelFacts(TypedDict):
    """What llama.cpp says about the model."""

    description: str | None
    parameters: int
    tensor_bytes: int
    vocabulary_tokens: int
    context_trained_tokens: int


class Device(TypedDict):
    """What stays the same during a run."""

    label: str | None
    board_model: str | None
    cpu_model: str | None
    cores: int | None
    cores_usable: NotRequired[int]
    cores_physical: NotRequired[int]
    cores_fast: NotRequired[int]
    cpu_quota: NotRequired[float | None]
    machine: str | None
    kernel: str | None
    operating_system: str | None
    governor: str | None
    frequency_maximum_hertz: int | None
    memory_total_bytes: int | None
    memory_limit_bytes: NotRequired[int | None]


class Versions(TypedDict):
    """llama.cpp and its binding, and the CPU features that this build uses."""

    llama_cpp_version: str | None
    llama_cpp_system_info: str | None
    llama_cpp_python_version: str | None


class Software(Versions):
    """What the report was made with."""

    pi_runtime_version: str
    python_version: str


class SettingsUsed(TypedDict):
    """What was run, after every choice was made."""

    prompt_tokens: int
    decode_tokens: int
    samples: int
    warmups: int
    threads: int
    context_tokens: int
    ubatch_tokens: int
    gpu_layers: int
    prompt_seed: int


class Times(TypedDict):
    """One prompt and the tokens after it."""

    prompt_seconds: float
    decode_seconds: float
    time_to_first_token_seconds: float
    prompt_tokens_per_second: float
    decode_tokens_per_second: float


class State(TypedDict):
    """The board right after a sample."""

    frequency_hertz: int | None
    temperature_celsius: float | None
    throttled_flags: int | None


class Sample(Times, State):
    """A counted run."""

    number: int


class Distribution(TypedDict):
    """One figure over the samples; quartiles and spread are None for a single value."""

    median: float
    lower_quartile: float | None
    upper_quartile: float | None
    minimum: float
    maximum: float
    spread: float | None


class Speeds(TypedDict):
    """The figures that are summarised."""

    prompt_tokens_per_second: Distribution
    decode_tokens_per_second: Distribution
    time_to_first_token_seconds: Distribution


class Memory(TypedDict):
    """Memory of the measuring process; None is what the system did not say."""

    peak_memory_bytes: int | None
    peak_memory_was_reset: bool
    memory_before_load_bytes: int | None
    memory_anonymous_bytes: int | None
    memory_file_bytes: int | None


class Summary(Speeds, Memory):
    """The report in short."""

    load_seconds: float


class Look(TypedDict):
    """What may change during a run, at one moment."""

    load_average: list[float] | None
    memory_available_bytes: int | None
    frequency_hertz: int | None
    temperature_celsius: float | None
    temperature_zone: str | None
    throttled_flags: int | None


class Conditions(TypedDict):
    """The machine before, during and after the samples."""

    before: Look
    after: Look
    others_cpu_share: float | None
    major_page_faults: int


class Swap(TypedDict):
    """Swapping during the samples, by the whole machine."""

    total_bytes: int | None
    used_bytes: int | None
    pages_moved: int | None


class Temperature(TypedDict):
    """Degrees Celsius."""

    start: float | None
    maximum: float | None
    end: float | None


class Energy(TypedDict):
    """Of the samples; None without a meter."""

    joules: float | None
    joules_per_token: float | None


class Probe(TypedDict):
    """Whether the answers are right."""

    passed: bool
    continuations: int
    continuations_asked: int
    steps: int
    largest_gap_nats: float | None


class Workload(TypedDict):
    """Other work that was measured."""

    name: str
    prompt_tokens: int
    decode_tokens: int
    samples: list[Times]


class BoardPart(TypedDict):
    """What a measurement through llama-server adds."""

    engine: Literal["llama-server"]
    profile: str
    accelerator: str
    arguments: list[str]
    threads_prompt: int
    kv_type: str
    package_version: str | None
    firmware: str | None
    page_size_bytes: int
    storage: str | None
    start: Literal["cold", "warm"]
    swap: Swap
    temperature: Temperature
    throttled_new: list[str]
    energy: Energy
    cached_tokens: list[int]
    probe: Probe
    workloads: list[Workload]
    skipped: list[str]


class Report(TypedDict):
    """The whole report."""

    schema: str
    measured_at_utc: str
    valid: bool
    reasons: list[str]
    thresholds: dict[str, float]
    file: FileIdentity
    model: ModelFacts
    device: Device
    software: Software
    settings: SettingsUsed
    summary: Summary
    conditions: Conditions
    prompt_token_ids: list[int]
    decoded_token_ids: list[int]
    decoded_alike_every_time: bool
    warmup: Times
    samples: list[Sample]
    method: dict[str, str]


class BoardReport(Report):
    """A report of a measurement through llama-server."""

    board: BoardPart


@final
class Shared(Report):
    """A report with the name of the person who measured."""

    measured_by: str


Summarised = Literal["prompt_tokens_per_second", "decode_tokens_per_second", "time_to_first_token_seconds"]
"""A figure that the summary has."""
