"""A release as the catalog records it. The JSON names equal the field names; units are in them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from catalog.maturity import EXPERIMENTAL
from catalog.versions import preference

LATER = {"later": True}
"""Metadata of a field that older records lack. It is None then, and is not written."""


@dataclass(frozen=True)
class Cache:
    """What llama.cpp keeps in addition to the weights for one sequence; keys and values in 16 bits, states in 32.

    full_bytes_per_token: of the layers that see the complete context; window_bytes_per_token: of those that see the
    last window_tokens only; state_bytes: of recurrent layers, whatever the context. known: whether the program supports
    this architecture's layers; otherwise every layer is assumed to see the complete context, which is an upper bound.
    """

    full_bytes_per_token: int
    window_bytes_per_token: int
    window_tokens: int
    state_bytes: int
    known: bool


@dataclass(frozen=True)
class Architecture:
    """What the GGUF header says. template_sha256 is the digest of the chat template, None without one.

    experts and experts_used: of each layer, 0 for a dense model. cache and both are None in older records.
    """

    name: str
    parameters: int
    context_tokens: int
    layers: int
    vocabulary_size: int
    template_sha256: str | None
    cache: Cache | None = field(default=None, metadata=LATER)
    experts: int | None = field(default=None, metadata=LATER)
    experts_used: int | None = field(default=None, metadata=LATER)


@dataclass(frozen=True)
class MemoryNeed:
    """Predicted memory at a context length: weights + KV cache in f16 + compute buffer (see catalog.memory)."""

    context_tokens: int
    bytes: int


@dataclass(frozen=True)
class LanguageLoss:
    """Loss on the texts of one language. The standard error is None with a single window of text."""

    language: str
    tokens: int
    kld_mean_nats: float
    kld_mean_se_nats: float | None
    same_top_share: float


@dataclass(frozen=True)
class Loss:
    """How far a file's next-token distribution is from the release's exported file, on held-out text.

    Standard errors (``_se``) are by window of text, not by token. rms_delta_p: root of the mean squared difference
    of the right token's probability. Figures that are None were not measured.
    """

    tokens: int
    kld_mean_nats: float
    kld_mean_se_nats: float
    kld_p99_nats: float
    same_top_share: float
    same_top_share_se: float
    ln_ppl_ratio: float
    ln_ppl_ratio_se: float
    kld_median_nats: float | None = None
    kld_p90_nats: float | None = None
    kld_p95_nats: float | None = None
    kld_p99_9_nats: float | None = None
    kld_max_nats: float | None = None
    rms_delta_p: float | None = None
    languages: tuple[LanguageLoss, ...] = ()


@dataclass(frozen=True)
class Speed:
    """One benchmark report in short; ``evidence`` is its path below the release's evidence folder. by: who shared it,
    None for a measurement of the release itself."""

    device: str
    cpu: str
    threads: int
    prompt_tokens_per_second: float
    decode_tokens_per_second: float
    time_to_first_token_seconds: float
    load_seconds: float
    peak_memory_bytes: int | None
    valid: bool
    reasons: tuple[str, ...]
    evidence: str
    by: str | None = field(default=None, metadata=LATER)


@dataclass(frozen=True)
class TypeCount:
    """How many tensors of a file have a type."""

    type: str
    tensors: int


@dataclass(frozen=True)
class ProbeScore:
    """A task probe: ``correct`` of ``total`` items, and the 95 % Wilson interval of the share."""

    probe: str
    language: str | None
    correct: int
    total: int
    share_low: float
    share_high: float


@dataclass(frozen=True)
class ModelFile:
    """One GGUF file. loss is None for the exported file itself, which the others are measured against.

    imatrix_sha256: digest of the importance matrix that it was quantized with, None without one. read_bytes: bytes of
    weights that are read for a token; None in older records. measured_sha256: digest of the file that was evaluated,
    probed and measured, which is this one without the words of its header; None in older records, where it is this one.
    """

    path: str
    type: str
    size_bytes: int
    sha256: str
    bits_per_weight: float
    tensors: int
    fallback_tensors: int
    memory: tuple[MemoryNeed, ...]
    perplexity: float
    perplexity_se: float
    loss: Loss | None
    smoke_passed: bool
    speeds: tuple[Speed, ...]
    imatrix_sha256: str | None = None
    tensor_types: tuple[TypeCount, ...] = ()
    probes: tuple[ProbeScore, ...] = ()
    read_bytes: int | None = field(default=None, metadata=LATER)
    measured_sha256: str | None = field(default=None, metadata=LATER)


@dataclass(frozen=True)
class EvidenceFile:
    """One evidence file (JSON or CSV) of a release."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class HeldOut:
    """The student against its teacher on conversations that it was not trained on."""

    rows: int
    tokens: int
    perplexity: float
    perplexity_se: float
    kld_mean_nats: float | None
    kld_mean_se_nats: float | None


@dataclass(frozen=True)
class Training:
    """A distillation in short: the same pruned student before and after."""

    method: str
    adapter: str
    steps: int
    rows: int
    before: HeldOut
    after: HeldOut


@dataclass(frozen=True)
class Ancestor:
    """Where weights or data came from. role: student, teacher, or a part of the data (``catalog.dataplaces``)."""

    role: str
    source: str
    licence: str
    upstream: str | None
    sha256: str | None


@dataclass(frozen=True)
class Dataset:
    """The labelled prompts of a release."""

    rows: int
    valid_rows: int
    licence: str
    languages: tuple[str, ...]


@dataclass(frozen=True)
class Repository:
    """A hub repository at the commit that was verified, and the tag on that commit.

    manifest_sha256: the digest of MANIFEST.json there, which lists every other file with its digest; None in older
    records. signature_sha256: the digest of model.sig, which signs that list too; None without a signature.
    """

    name: str
    commit: str
    tag: str
    manifest_sha256: str | None = field(default=None, metadata=LATER)
    signature_sha256: str | None = field(default=None, metadata=LATER)


@dataclass(frozen=True)
class Location:
    """Where the release is. hub is ``folder`` or the hub's address; never a local path.

    access: ``gated-auto``, ``gated-manual`` or ``private`` if the zoo made the repositories so; else None.
    """

    hub: str
    model: Repository
    dataset: Repository | None
    access: str | None = field(default=None, metadata=LATER)


@dataclass(frozen=True)
class RecipeRecord:
    """The recipe's file name, digest and text, byte for byte."""

    file: str
    sha256: str
    text: str


@dataclass(frozen=True)
class Terms:
    """What licences require to be passed on with the files.

    name and link: the licence's own, as the recipe gives them. display: words that must be shown. use_policies:
    addresses. files: names of texts in the model repository.
    """

    name: str | None
    link: str | None
    display: str | None
    use_policies: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True)
class News:
    """What is new in a version. words: the maintainer's. changes: computed against the version ``since``, in sentences;
    since is None for a first version."""

    words: tuple[str, ...]
    since: str | None
    changes: tuple[str, ...]


@dataclass(frozen=True)
class Release:
    """One published version. A published release never changes; only the places that have it may.

    quantized_source: the type of the student's weights as their source had them (``Q4_K``), None for plain ones.
    differences: known ones between the files and the original, those that the recipe allows among them, in plain
    sentences; None if there are none. mirrors: other places with the same files, in the order in which they are tried;
    None if there are none. news: None in older records, and for a first version without notes. loss_stop: why the
    losses were measured on as many tokens as they were, in a plain sentence; None unless the recipe lets an evaluation
    end early.
    """

    version: str
    date: str
    licence: str
    architecture: Architecture
    files: tuple[ModelFile, ...]
    training: Training | None
    dataset: Dataset | None
    lineage: tuple[Ancestor, ...]
    evidence: tuple[EvidenceFile, ...]
    tools: tuple[str, ...]
    recipe: RecipeRecord
    location: Location
    terms: Terms | None = field(default=None, metadata=LATER)
    quantized_source: str | None = field(default=None, metadata=LATER)
    differences: tuple[str, ...] | None = field(default=None, metadata=LATER)
    mirrors: tuple[Location, ...] | None = field(default=None, metadata=LATER)
    news: News | None = field(default=None, metadata=LATER)
    loss_stop: str | None = field(default=None, metadata=LATER)

    def places(self) -> tuple[Location, ...]:
        """Where the release is: its own place, then its mirrors."""
        return (self.location, *(self.mirrors or ()))


@dataclass(frozen=True)
class YankEvent:
    """A version was yanked or unyanked. ``action`` is ``yank`` or ``unyank``; nothing is ever deleted.

    severity is low, moderate, high or critical (None for unyank); replacement is NAME@VERSION.
    """

    version: str
    date: str
    action: str
    reason: str
    severity: str | None
    replacement: str | None


@dataclass(frozen=True)
class Reproduction:
    """Somebody rebuilt the files of a version. identical: every file has the same bytes.

    tensors are those of all files; evidence is the record's path below the release's evidence folder.
    """

    version: str
    date: str
    identical: bool
    files_identical: int
    files: int
    tensors_identical: int
    tensors: int
    tools: tuple[str, ...]
    evidence: str


@dataclass(frozen=True)
class Correction:
    """The card of a version was corrected on the hub; its files, its figures and its tag did not change.

    fields: keys of the recipe whose words differ from the released recipe, sorted; none if only the program's own text
    of the card changed. recipe_sha256: of the recipe with the new words. card_sha256: of the new card without the
    notice of a withdrawn version; evidence is its path below the release's evidence folder. kind: ``dataset`` for the
    card of the dataset repository; None for the model's.
    """

    version: str
    date: str
    reason: str
    fields: tuple[str, ...]
    recipe_sha256: str
    card_sha256: str
    evidence: str
    kind: str | None = field(default=None, metadata=LATER)


@dataclass(frozen=True)
class Model:
    """Everything released under one name; the text is that of its preferred release. Releases are newest first.

    yanks, reproductions and corrections are in the order in which they happened. former_names: old names of this model.
    maturity: a word of ``catalog.maturity``. source_notes: those of the recipe. Older records have neither.
    """

    name: str
    summary: str
    task: str
    languages: tuple[str, ...]
    owners: tuple[str, ...]
    good_at: tuple[str, ...]
    bad_at: tuple[str, ...]
    releases: tuple[Release, ...]
    yanks: tuple[YankEvent, ...] = ()
    reproductions: tuple[Reproduction, ...] = ()
    former_names: tuple[str, ...] = ()
    corrections: tuple[Correction, ...] | None = field(default=None, metadata=LATER)
    maturity: str | None = field(default=None, metadata=LATER)
    source_notes: tuple[str, ...] | None = field(default=None, metadata=LATER)

    @property
    def experimental(self) -> bool:
        """Whether it is kept out of recommendations."""
        return self.maturity == EXPERIMENTAL

    def release(self, version: str) -> Release | None:
        """The release of this version, None if there is none."""
        return next((one for one in self.releases if one.version == version), None)

    def yank_of(self, version: str) -> YankEvent | None:
        """The yank that holds for a version now; None if there is none, or it was unyanked."""
        last = next((event for event in reversed(self.yanks) if event.version == version), None)
        return last if last and last.action == "yank" else None

    def corrected(self, kind: str) -> tuple[Correction, ...]:
        """The corrections of the card of a kind of repository, ``model`` or ``dataset``, in their order."""
        return tuple(one for one in self.corrections or () if (one.kind or "model") == kind)

    def preferred(self) -> tuple[Release, ...]:
        """The releases in the order in which they are recommended: stable ones first, then the newest first."""
        return tuple(sorted(self.releases, key=lambda one: preference(one.version), reverse=True))

    def in_use(self) -> tuple[Release, ...]:
        """The releases that are not yanked, in the order in which they are recommended."""
        return tuple(release for release in self.preferred() if self.yank_of(release.version) is None)


def bits_of(type_: str) -> str:
    """``4 bits (Q4_K)`` of a type that has its bits in its name; else the name alone."""
    digits = re.search(r"\d+", type_)
    return f"{digits.group()} {'bit' if digits.group() == '1' else 'bits'} ({type_})" if digits else type_


def reference_words(release: Release) -> str:
    """What a table shows for the file that the others are compared with."""
    return f"made from {release.quantized_source}" if release.quantized_source else "reference"
