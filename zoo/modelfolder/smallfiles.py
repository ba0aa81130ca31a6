"""The JSON and text files of a model folder: read strictly, with the types of the keys that are used."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from catalog import jsonplaces, jsontext, shell
from catalog.words import data_size
from zoo.errors import ModelFileError
from zoo.modelfolder.commands import FileRefused
from zoo.modelfolder.files import TOKENIZER

BOM = b"\xef\xbb\xbf"
LFS_POINTER = b"version https://git-lfs.github.com/spec/"
MOST_BYTES = 1 << 28
"""No JSON file of a model is larger; the largest known vocabularies take about 35 MB."""
MOST_BYTES_WITHOUT_VOCABULARY = 4 << 20
"""The largest known is tokenizer_config.json of Gemma 3, 1.2 MB. transformers takes minutes for tens of MB."""
VOCABULARIES = ("tokenizer.json", "vocab.json", "merges.txt", "model.safetensors.index.json")
"""Files that grow with a vocabulary or with the number of tensors."""

MOST_COUNT = (1 << 32) - 1
"""A GGUF header has 32 bits for each of a model's sizes, and llama.cpp reads no more."""
MOST_FLOAT = (2 - 2**-23) * 2.0**127
"""The largest 32-bit float, which is what a GGUF header has for a constant."""
MOST_SAMPLING = (1 << 31) - 1

Test = Callable[[object], bool]
_MISSING = object()


def is_count(value: object) -> bool:
    """A whole number above zero that a GGUF header can hold; true and false are not numbers."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST_COUNT


def is_token(value: object) -> bool:
    """A token id. Some files write -1 for "none"."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= -1


def _is_number(value: object) -> bool:
    # A whole number of JSON may be larger than any float.
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole or (isinstance(value, float) and math.isfinite(value))


def _is_constant(value: object) -> bool:
    return isinstance(value, int | float) and _is_number(value) and -MOST_FLOAT <= value <= MOST_FLOAT


def _is_small(value: object) -> bool:
    return isinstance(value, int | float) and _is_number(value) and abs(value) <= MOST_SAMPLING


def _has_range(value: object) -> bool:
    """Of a size that only some families have: what is not a whole number is checked where it is used."""
    return not isinstance(value, int | list) or (isinstance(value, int) and 0 <= value <= MOST_COUNT)


def _has_float_range(value: object) -> bool:
    """The same of a constant."""
    return not isinstance(value, int | float | list) or _is_constant(value) or isinstance(value, bool)


def _has_rope_range(value: object) -> bool:
    """The constants of a rope, by its kind or for each kind of layer."""
    if not isinstance(value, dict):
        return False
    parts = [one for one in value.values() if isinstance(one, dict)]
    # The factors of longrope are lists.
    return all(_or_list(_has_float_range)(one) for part in (value, *parts) for one in part.values()) and all(
        _has_range(part.get("original_max_position_embeddings")) for part in (value, *parts)
    )


def _or_list(test: Test) -> Test:
    return lambda value: all(map(test, value)) if isinstance(value, list) else test(value)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _is_truth(value: object) -> bool:
    return isinstance(value, bool)


def _is_marker(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, dict) and isinstance(value.get("content"), str))


def _is_templates(value: object) -> bool:
    def named(one: object) -> bool:
        return isinstance(one, dict) and all(isinstance(one.get(key), str) for key in ("name", "template"))

    return isinstance(value, str) or (isinstance(value, list) and all(map(named, value)))


def _is_counts_of_tokens(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(one, int) and one >= 0 for one in value.values())


def _is_code_map(value: object) -> bool:
    """As transformers reads it: it fails on null, and on a list without a name."""

    def named(one: object) -> bool:
        return isinstance(one, list) and any(map(_is_text, one)) and all(n is None or _is_text(n) for n in one)

    if isinstance(value, dict):
        return all(one is None or _is_text(one) or named(one) for one in value.values())
    return named(value)


COUNT, TOKEN, TOKENS = (
    (is_count, f"a whole number above zero, at most {MOST_COUNT:,}"),
    (is_token, "the number of a token"),
    (_or_list(is_token), "the number of a token, or a list of such numbers"),
)
COUNTS = (_or_list(lambda value: is_count(value) or value == 0),
          f"a whole number of at most {MOST_COUNT:,}, or a list of them")  # fmt: skip
RANGE = (_or_list(_has_range), f"a whole number of 0 to {MOST_COUNT:,}, which is what a GGUF file can hold")
CONSTANT = (_is_constant, f"a number of at most {MOST_FLOAT:.4g}, which is what a GGUF file can hold")
FLOAT_RANGE = (_or_list(_has_float_range), CONSTANT[1])
SAMPLING = (_is_small, f"a number of at most {MOST_SAMPLING:,}")
WHOLE_SAMPLING = (
    lambda value: isinstance(value, int) and _is_small(value), f"a whole number of at most {MOST_SAMPLING:,}"
)  # fmt: skip
ROPE = (_has_rope_range, "an object whose numbers a GGUF file can hold")
NUMBER, TRUTH, TEXT = (_is_number, "a number"), (_is_truth, "true or false"), (_is_text, "a text")
TABLE, MARKER = (_is_table, "an object"), (_is_marker, 'a text, or an object with "content"')
TEXTS = (lambda value: isinstance(value, list) and all(map(_is_text, value)), "a list of texts")

CODE = (_is_code_map, "an object of the names of classes, or left out")

TYPES: Mapping[str, Mapping[str, tuple[Test, str]]] = {
    "config.json": {
        "model_type": TEXT, "architectures": TEXTS,
        **dict.fromkeys(
            ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings",
             "head_dim", "n_embd", "n_layer", "n_head", "n_positions"), COUNT),
        **dict.fromkeys(("num_key_value_heads", "intermediate_size", "n_inner", "sliding_window", "num_local_experts",
                         "num_experts"), COUNTS),
        **dict.fromkeys(("rope_theta", "rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon",
                         "final_logit_softcapping", "attn_logit_softcapping"), CONSTANT),
        **dict.fromkeys(
            ("n_ctx", "max_sequence_length", "n_layers", "num_layers", "n_heads", "n_kv_heads", "num_experts_per_tok",
             "num_experts_per_token", "n_routed_experts", "n_shared_experts", "moe_intermediate_size",
             "shared_expert_intermediate_size", "kv_lora_rank", "q_lora_rank", "qk_rope_head_dim", "qk_nope_head_dim",
             "v_head_dim", "conv_L_cache", "mamba_d_state", "mamba_d_conv", "mamba_n_heads", "mamba_n_groups",
             "original_max_position_embeddings", "first_k_dense_replace", "rotary_dim"), RANGE),
        **dict.fromkeys(
            ("norm_eps", "norm_epsilon", "rope_local_base_freq", "global_rope_theta", "local_rope_theta",
             "rotary_emb_base", "rotary_pct", "partial_rotary_factor", "query_pre_attn_scalar", "embedding_multiplier",
             "residual_multiplier", "attention_multiplier", "logits_scaling", "logit_scale", "clip_qkv",
             "routed_scaling_factor"), FLOAT_RANGE),
        "tie_word_embeddings": TRUTH, "bos_token_id": TOKENS, "eos_token_id": TOKENS, "pad_token_id": TOKENS,
        "rope_scaling": ROPE, "rope_parameters": ROPE, "quantization_config": TABLE, "text_config": TABLE,
        "torch_dtype": TEXT, "dtype": TEXT, "auto_map": CODE,
    },
    "generation_config.json": {
        "bos_token_id": TOKENS, "eos_token_id": TOKENS, "pad_token_id": TOKENS, "do_sample": TRUTH,
        "top_k": WHOLE_SAMPLING, **dict.fromkeys(
            ("temperature", "top_p", "min_p", "repetition_penalty", "xtc_probability", "xtc_threshold"), SAMPLING),
    },
    "tokenizer_config.json": {
        **dict.fromkeys(("bos_token", "eos_token", "unk_token", "pad_token"), MARKER),
        "add_bos_token": TRUTH, "add_eos_token": TRUTH, "tokenizer_class": TEXT, "added_tokens_decoder": TABLE,
        "model_max_length": NUMBER, "chat_template": (_is_templates, "a text, or a list of named templates"),
        "auto_map": CODE,
    },
    "special_tokens_map.json": dict.fromkeys(("bos_token", "eos_token", "unk_token", "pad_token"), MARKER),
    "tokenizer.json": {"model": TABLE, "normalizer": TABLE, "added_tokens": (
        lambda value: isinstance(value, list) and all(
            isinstance(one, dict) and is_token(one.get("id")) and isinstance(one.get("content"), str) for one in value),
        'a list of objects with "id" and "content"')},
    "chat_template.json": {"chat_template": TEXT},
    "model.safetensors.index.json": {"weight_map": (
        lambda value: isinstance(value, dict) and all(map(_is_text, value.values())), "an object of file names")},
}  # fmt: skip
"""File -> key -> what its value must be, for the keys that the import, the converter or a check uses. null is allowed
where a key may be absent, but for NEVER_NULL."""
NEVER_NULL = ("auto_map", "hidden_size", "num_hidden_layers", "num_attention_heads")
REQUIRED = {
    "config.json": ("model_type",),
    "tokenizer.json": ("model",),
    "model.safetensors.index.json": ("weight_map",),
}
WHOLE = {"added_tokens.json": _is_counts_of_tokens, "vocab.json": _is_counts_of_tokens}
"""Files that are one object from tokens to numbers."""


def is_text(name: str) -> bool:
    """Whether a file of a model folder is read as text. Licence texts are only copied."""
    return name.endswith(".json") or (name in TOKENIZER and name.endswith((".jinja", ".txt")))


def read_text(path: Path, name: str) -> str:
    """The text of a small file. Raises ModelFileError for a pointer, a byte order mark, and text that is not UTF-8."""
    refuse_pointer(path, name)
    _refuse_large(path.stat().st_size, name)
    refuse_marks({name: path})
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refusal(
            name, f"it is not UTF-8 text (byte {error.start})", "Save it as UTF-8, or fetch it again"
        ) from error


def refuse_marks(files: Mapping[str, Path]) -> None:
    """Raises ModelFileError that names every JSON and text file that begins with a byte order mark.

    A program that writes one writes them all so; a person who fixes one file should not meet the next.
    """
    names = [name for name, path in sorted(files.items()) if is_text(name) and _starts_with(path, BOM)]
    if names:
        verb = "does" if len(names) == 2 else "do"
        others = f", and so {verb} {', '.join(names[1:])}" if names[1:] else ""

        def remedy(place: str) -> str:
            folder = place.removesuffix(names[0])
            places = " ".join(shell.argument(f"{folder}{name}") for name in names)
            return f"Save as UTF-8 without a byte order mark: sed -i '1s/^\\xEF\\xBB\\xBF//' {places}"

        raise _refusal(names[0], f"it begins with a byte order mark{others}", remedy)


def _starts_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(magic)) == magic


def read_json(path: Path, name: str) -> dict[str, object]:
    """The object of a small JSON file, with the types of TYPES. Raises ModelFileError that names the file."""
    text = read_text(path, name)
    if not text.strip():
        raise _refusal(name, "it is empty", "Fetch the file again")
    try:
        data = jsontext.parse(text, agreeing=True, bounded=False, finite=False)
    except jsontext.NotJson as error:
        raise _refusal(
            name, f"it is not valid JSON (line {error.line}, column {error.column}: {error.what})",
            "Fix the line, or fetch the file again",
        ) from error  # fmt: skip
    if not isinstance(data, dict):
        raise _refusal(name, "it is not a JSON object", "Fetch the file again")
    for problem in problems(name, data):
        raise _refusal(name, problem, lambda place: f"Fix {place}, or fetch it again")
    return {**data}


def place_of(path: Path, name: str, keys: Iterable[str]) -> str:
    """``config.json:7``: the line of a key in the small file ``path``, which was read before."""
    found = jsonplaces.document(read_text(path, name), name, {})
    place = found.key_places.get(tuple(keys))
    return f"{name}:{place[0]}" if place else name


def problems(name: str, data: Mapping[str, object]) -> Iterator[str]:
    """What is wrong with the values of a file's keys, one sentence each."""
    if name in WHOLE and not WHOLE[name](data):
        yield "it must map texts to the numbers of tokens"
    for key in REQUIRED.get(name, ()):
        if data.get(key) is None:
            yield f"the key {key} is missing"
    for key, (test, words) in TYPES.get(name, {}).items():
        value = data.get(key, _MISSING)
        absent = value is _MISSING or (value is None and key not in NEVER_NULL)
        if not absent and not test(value):
            yield f"{key} is {_shown(value)}; it must be {words}"
    inner = data.get("text_config")
    if name == "config.json" and isinstance(inner, dict):
        yield from (f"text_config: {problem}" for problem in problems(name, {"model_type": "inner", **inner}))


def refuse_pointer(path: Path, name: str) -> None:
    """Raises ModelFileError if the file is a Git LFS pointer instead of the large file."""
    if _starts_with(path, LFS_POINTER):
        raise _refusal(
            name,
            "it is a Git LFS pointer, not the file itself",
            "Fetch the real files: git lfs install && git lfs pull",
        )


def _refuse_large(size_bytes: int, name: str) -> None:
    if size_bytes > MOST_BYTES:
        raise _refusal(name, f"it is larger than {MOST_BYTES >> 20} MiB", "Fetch the file again")
    if name not in VOCABULARIES and size_bytes > MOST_BYTES_WITHOUT_VOCABULARY:
        raise _refusal(
            name,
            f"it has {data_size(size_bytes)}. A file without a vocabulary may have "
            f"{MOST_BYTES_WITHOUT_VOCABULARY >> 20} MiB: the largest known has 1.2 MB, and tens of MB take minutes",
            "Fetch the file again",
        )


def _refusal(name: str, why: str, remedy: str | Callable[[str], str]) -> ModelFileError:
    """remedy: a text, or what makes it from the file's place."""
    at = remedy if callable(remedy) else lambda _: remedy
    return FileRefused(f"The file cannot be used: {why}", where=name, remedy=at)


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
