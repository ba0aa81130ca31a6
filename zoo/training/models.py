"""Loading, running and saving a causal language model in a plain Hugging Face folder.

Only safetensors are read and written. A model's own code is never run, and nothing is fetched.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import transformers
import transformers.modeling_gguf_pytorch_utils as gguf_reader

from catalog import jsontext
from catalog.jsonvalues import table
from catalog.unseen import visible
from zoo.errors import ModelFileError, OutOfMemory, ZooError, is_no_memory
from zoo.files.whole import fsync
from zoo.modelfolder import otherlayouts, owncode
from zoo.modelfolder.files import TOKENIZER_CONFIG
from zoo.progress import Advance, unheard
from zoo.training import head, sameness, tokenizerfile
from zoo.training.writing import writing

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

LOCAL = {"trust_remote_code": False, "local_files_only": True}
NAN_REMEDY = (
    "Compare the sha256 of the model's file with the publisher's. If it is right, its values are beyond float16: use a "
    "device that computes in bfloat16 or float32"
)
HEAD_ROUNDINGS = 8
"""How many roundings the logits of ``logits_at`` and of the model may be apart, see ``check_head``."""


@contextmanager
def quiet(advance: Advance = unheard) -> Iterator[None]:
    """Silence transformers' own progress bars and warnings; ``advance`` is called for every GGUF tensor read."""

    def heard(items: Iterable[object], **_: object) -> Iterator[object]:
        for item in items:
            yield item
            advance(1)

    logging = transformers.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    # The GGUF reader takes tqdm directly and does not ask transformers' switch.
    bar, gguf_reader.tqdm = gguf_reader.tqdm, heard
    try:
        yield
    finally:
        gguf_reader.tqdm = bar
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def load_model(folder: Path, dtype: torch.dtype, device: str, **more: object) -> PreTrainedModel:
    """The causal language model of ``folder`` in evaluation mode.

    Raises ModelFileError if the folder cannot be read as one.
    """
    check_folder(folder)
    with quiet(), reading(folder):
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, attn_implementation=_attention(folder), **LOCAL, **more
        )
    # A 4-bit model is already where its quantizer put it, and refuses to be moved.
    return (model if more else model.to(device)).eval()


def _attention(folder: Path) -> str:
    """torch's own fused attention, or plain matrices for architectures (MPT) without it."""
    config = transformers.AutoConfig.from_pretrained(folder, **LOCAL)
    kind = transformers.MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)
    return "sdpa" if getattr(kind, "_supports_sdpa", True) else "eager"


def refuse_own_tokenizer(folder: Path, where: str = "") -> None:
    """Raise ModelFileError for a tokenizer that needs code of the folder's own. where: the folder for messages."""
    path = folder / TOKENIZER_CONFIG
    if not path.is_file() or not owncode.has_own_tokenizer(
        table(jsontext.read(path, bounded=False, finite=False))
    ):
        return
    try:
        with quiet():
            transformers.AutoTokenizer.from_pretrained(folder, **LOCAL)
    except ValueError as error:
        raise ModelFileError(
            "This tokenizer requires its own code (auto_map), which zoo never runs",
            where=f"{where or folder.name}/{TOKENIZER_CONFIG}",
            remedy="Use a model whose tokenizer transformers knows. If tokenizer.json holds all of it, make a copy of "
            "the folder and remove auto_map from its tokenizer_config.json",
        ) from error


def read_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer that transformers makes of ``folder``, of a class that has the rules of its vocabulary. Raises
    whatever transformers does."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **LOCAL)
    if tokenizerfile.lost_spaces(tokenizer, folder):
        tokenizer = transformers.LlamaTokenizer.from_pretrained(folder, **LOCAL)
    tokenizerfile.follow_pieces(tokenizer, folder)
    return tokenizer


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of ``folder``; ModelFileError if it cannot be read."""
    with quiet(), reading(folder):
        refuse_own_tokenizer(folder)
        tokenizer = read_tokenizer(folder)
        tokenizerfile.follow(tokenizer, folder / "tokenizer.json")
    return tokenizer


@contextmanager
def reading(source: Path, *views: Path, what: str = "model", where: str = "") -> Iterator[None]:
    """Convert any error of a reader below for a bad file to one ModelFileError.

    views: other folders through which the reader saw the source; these paths are never shown. what: the word for what
    is read. where: the name for messages, if it is not the last part of ``source``.
    """
    try:
        yield
    except ZooError:
        raise
    except Exception as error:
        if is_no_memory(error):
            raise OutOfMemory(f"reading this {what}", where=where or source.name) from error
        reason = " ".join(str(error).split())
        for path in (*views, source):
            reason = reason.replace(str(path), source.name)
        reason = reason[:300]
        raise ModelFileError(
            f"This {what} cannot be read ({type(error).__name__}: {reason})",
            where=where or source.name,
            remedy="Fetch the file again and compare its sha256 with the publisher's. Models that require their own "
            "code are not supported",
        ) from error


def check_folder(folder: Path) -> None:
    """Raise ModelFileError for a folder without ``config.json`` or safetensors, with what it contains instead."""
    if not (folder / "config.json").is_file():
        raise otherlayouts.without_config(folder)
    if not any(folder.glob("*.safetensors")):
        raise otherlayouts.without_weights(folder)


def causal(model: PreTrainedModel) -> PreTrainedModel:
    """The causal language model inside a peft wrapper, or the model itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def logits_at(
    model: PreTrainedModel, input_ids: torch.Tensor, rows: torch.Tensor, positions: torch.Tensor
) -> torch.Tensor:
    """float32 logits [n, vocabulary] at n (row, position) pairs of ``input_ids`` [batch, tokens].

    The head of a small model costs as much as its layers, so it only processes the positions that count. Rows are
    padded on the right; causal attention never looks to the right, so no attention mask is needed.
    """
    return logits_of(model, hidden_at(model, input_ids, rows, positions))


def logits_of(model: PreTrainedModel, hidden: torch.Tensor) -> torch.Tensor:
    """float32 logits [n, vocabulary] of what the output head reads [n, width]."""
    logits = head.logits(causal(model).get_output_embeddings(), hidden)
    scale, cap = logit_scale(model), softcap(model)
    logits = logits if scale == 1.0 else logits * scale
    return torch.tanh(logits / cap) * cap if cap else logits


def hidden_at(
    model: PreTrainedModel, input_ids: torch.Tensor, rows: torch.Tensor, positions: torch.Tensor
) -> torch.Tensor:
    """What the output head reads [n, width] at n (row, position) pairs of ``input_ids`` [batch, tokens]."""
    found: torch.Tensor = causal(model).base_model(input_ids=input_ids, use_cache=False).last_hidden_state
    return found[rows, positions]


def logit_scale(model: PreTrainedModel) -> float:
    """What the product of the head is multiplied by first: Granite divides it, Cohere and Falcon-H1 multiply it."""
    config = causal(model).config
    factors = (getattr(config, name, None) or 1.0 for name in ("logit_scale", "lm_head_multiplier"))
    return math.prod(factors) / (getattr(config, "logits_scaling", None) or 1.0)


def softcap(model: PreTrainedModel) -> float | None:
    """The bound c of logits that are c tanh(z / c) of the head's scaled product z (Gemma); None for z itself."""
    return getattr(causal(model).config, "final_logit_softcapping", None) or None


def check_head(model: PreTrainedModel, input_ids: Sequence[int]) -> None:
    """Raise ZooError unless ``logits_at`` gives what the model's own forward pass gives for a few tokens, and
    ModelFileError if that is NaN.

    Some architectures do more with their logits after the head; this detects it before any training. Both ways differ
    in the width of one product only. The model rounds its result to its number format; its sum, in float32, is off by
    the square root of its length in roundings. The distance is the root mean square of the difference as a share of the
    logits' own. A scaled head is off by 10 % and more.
    """
    tokens = torch.tensor([list(input_ids[:8])], device=model.device)
    last = tokens.shape[1] - 1
    with torch.no_grad():
        ours = logits_at(model, tokens, torch.tensor([0]), torch.tensor([last]))[0]
        theirs = causal(model)(input_ids=tokens, use_cache=False).logits[0, last].float()
    if theirs.isnan().any():
        raise ModelFileError(
            f"The model {Path(model.name_or_path).name} computes NaN from its first tokens",
            remedy=NAN_REMEDY,
        )
    width = causal(model).get_output_embeddings().weight.shape[-1]
    summing = torch.finfo(torch.float32).eps * width**0.5
    allowed = HEAD_ROUNDINGS * (torch.finfo(model.dtype).eps + summing)
    if not (ours - theirs).square().mean() <= allowed**2 * theirs.square().mean():
        raise ZooError(
            f"The architecture {type(causal(model)).__name__} changes its logits after the output head",
            remedy="Distil a model of another architecture",
        )


def refuse_infinite(
    model: PreTrainedModel, *, remedy: str, files: Mapping[str, str] | None = None
) -> dict[str, float]:
    """Raise ModelFileError for a weight with infinity or NaN. files: a weight's name to the file that it comes from.

    Returns the matrices that hold one number only, with that number: the same pass finds them.
    """
    same = {}
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point() or not tensor.numel():
            continue
        low, high = (float(end) for end in tensor.aminmax())
        if not (math.isfinite(low) and math.isfinite(high)):
            what = "NaN (not a number)" if math.isnan(low) else "an infinite value"
            where = (files or {}).get(name, "")
            raise ModelFileError(f"The weight {visible(name)} has {what}", where=where, remedy=remedy)
        if low == high and sameness.is_matrix(tensor):
            same[name] = low
    return same


def save_model(model: PreTrainedModel, folder: Path, dtype: torch.dtype = torch.float16) -> None:
    """Write ``config.json``, ``generation_config.json`` and one ``model.safetensors`` in ``dtype``, of 16 bits.

    Raises ModelFileError for infinity and NaN, and when a weight does not fit it (float16: beyond 65,504).
    """
    refuse_infinite(model, remedy="Use another model, or train with a lower learning rate or more weight decay")
    half = model.to(dtype)
    for name, tensor in half.state_dict().items():
        if not torch.isfinite(tensor).all():
            name_of = str(dtype).removeprefix("torch.")
            raise ModelFileError(
                f"The weight {visible(name)} has values beyond {torch.finfo(dtype).max:,.5g}, which {name_of} cannot "
                "represent",
                remedy="Use another model, or train with a lower learning rate or more weight decay",
            )
    half.config.dtype = dtype
    with quiet(), writing():
        half.save_pretrained(folder, max_shard_size="1000GB")
    for name in ("config.json", "generation_config.json"):
        clean_json(folder / name)
    weights = folder / "model.safetensors"
    weights.chmod(0o644)
    fsync(weights)


def clean_json(path: Path) -> None:
    """Remove local paths and loader flags from a JSON file that transformers wrote; absent files are ignored.
    """
    if not path.is_file():
        return
    private = (
        "_name_or_path",
        "name_or_path",
        "_model_name_or_path",
        "_from_model_config",
        "is_local",
        "local_files_only",
    )
    data = json.loads(path.read_text(encoding="utf-8"))
    kept = {key: value for key, value in data.items() if key not in private}
    path.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
