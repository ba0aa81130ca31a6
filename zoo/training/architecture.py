"""Whether the installed transformers supports the architecture of a model folder, as one that writes text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import transformers
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CLASSES

from zoo.errors import ModelFileError
from zoo.modelfolder import owncode
from zoo.training.models import LOCAL

OTHERS = "Use a model of another architecture, one that writes text: such as Llama, Qwen, Mistral, Gemma or GPT-2"


def check(shown: Path, config: Mapping[str, object], where: str) -> None:
    """Raises ModelFileError for an unknown architecture, one of another kind, and invalid values.

    shown: the folder that transformers reads. config: the content of config.json.
    """
    kind = str(config["model_type"])
    version = transformers.__version__
    if kind not in transformers.CONFIG_MAPPING:
        own = "; it requires its own code (auto_map), which zoo never runs" if config.get("auto_map") else ""
        raise ModelFileError(
            f"transformers {version} does not support the architecture {kind} (model_type of config.json){own}",
            where=where, remedy=OTHERS,
        )  # fmt: skip
    try:
        parsed = transformers.AutoConfig.from_pretrained(shown, **LOCAL)
    except Exception as error:
        reason = " ".join(str(error).replace(str(shown), where).split())[:300]
        raise ModelFileError(
            f"transformers {version} does not accept this configuration: {reason}",
            where=f"{where}/config.json".lstrip("/"),
            remedy="Fix what this message names in config.json, or fetch the file again",
        ) from error  # fmt: skip
    _refuse_own(config, where)
    if type(parsed) not in transformers.MODEL_FOR_CAUSAL_LM_MAPPING:
        raise ModelFileError(
            f"The architecture {kind} does not write text from left to right (no causal language model)", where=where,
            remedy=OTHERS,
        )  # fmt: skip


def _refuse_own(config: Mapping[str, object], where: str) -> None:
    """Raises ModelFileError for weights of a class that only the folder's own code has."""
    own = owncode.own_model(config)
    if not own or own.casefold() in {str(name).casefold() for name in CLASSES.values()}:
        return
    kind = str(config["model_type"])
    known = CLASSES.get(kind)
    write = f'If the model computes what {known} does, write "architectures": ["{known}"] into config.json'
    raise ModelFileError(
        f"The architecture {own} is only known by the model's own code (auto_map), which zoo never runs. What "
        f"transformers computes for the architecture {kind} may be something else",
        where=f"{where}/config.json".lstrip("/"), remedy=f"{OTHERS}. {write}" if known else OTHERS,
    )  # fmt: skip
