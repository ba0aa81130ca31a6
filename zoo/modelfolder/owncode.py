"""Code that a model folder brings along (``auto_map``): never run here, so what is used instead is said. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from zoo.modelfolder.files import CONFIG, TOKENIZER_CONFIG
from zoo.modelfolder.weights import named

KEY = "auto_map"
MODEL, TOKENIZER_CLASS = "AutoModelForCausalLM", "AutoTokenizer"
Small = Mapping[str, Mapping[str, object]]
"""Content of the small files, by name."""


def own_model(config: Mapping[str, object]) -> str:
    """The class of the folder's own that its weights were saved from; "" if there is none, or another one."""
    named = config.get("architectures")
    saved_from = named[0] if isinstance(named, list) and named else ""
    classes = [place.rpartition(".")[2] for place in _places(config.get(KEY), MODEL)]
    return str(saved_from) if saved_from in classes else ""


def has_own_tokenizer(tokenizer_config: Mapping[str, object]) -> bool:
    """Whether the folder says that its tokenizer is a class of its own, which transformers may know anyway."""
    own = tokenizer_config.get(KEY)
    return bool(own.get(TOKENIZER_CLASS)) if isinstance(own, Mapping) else isinstance(own, list)


def remarks(small: Small) -> Iterator[str]:
    """One sentence for each file that names code."""
    kind = named([str(small.get(CONFIG, {}).get("model_type"))])
    instead = {
        CONFIG: f"transformers' own code for the architecture {kind} is used instead",
        TOKENIZER_CONFIG: "transformers' own tokenizer reads its files instead",
    }
    for name, what in instead.items():
        own = small.get(name, {}).get(KEY)
        files = dict.fromkeys(f"{place.rpartition('.')[0]}.py" for place in _places(own) if "." in place)
        if files:
            yield f"{name} names code of the model's own ({KEY}: {named(files)}), which zoo never runs; {what}"


def _places(own: object, key: str = "") -> Iterator[str]:
    """``module.Class`` of what is named, in any of the forms that transformers accepts. key: only for this class."""
    if isinstance(own, str):
        yield own
    elif isinstance(own, Mapping):
        for name, one in own.items():
            if not key or name == key:
                yield from _places(one)
    elif isinstance(own, list):
        for one in own:
            yield from _places(one)
