"""Kinds of servers with the OpenAI API, and the names of their fields. A new kind is a row. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from catalog.jsontext import Json, JsonObject
from catalog.problems import show
from catalog.unseen import visible
from zoo.errors import RemoteError

LONGEST_NAME = 200
"""Characters of a name that a server reports; longer ones are of no use to people."""

Schema = Mapping[str, object]


@dataclass(frozen=True)
class Kind:
    """A kind of server. owner: what it writes as ``owned_by`` in its list of models. plain: its fields that switch off
    what it does to probabilities without being asked, so that temperature and top_p alone decide. structured: its
    field that asks for JSON of a schema.
    """

    name: str
    owner: str
    plain: Mapping[str, object]
    structured: Callable[[Schema], Mapping[str, object]]


def _openai(schema: Schema) -> Mapping[str, object]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}}


def _llama(schema: Schema) -> Mapping[str, object]:
    return {"response_format": {"type": "json_object", "schema": schema}}


KINDS = (
    Kind("llama-server", "llamacpp", {"top_k": 0, "min_p": 0, "repeat_penalty": 1}, _llama),
    # Its own field has had two names (guided_json until 0.11, structured_outputs since then); an unknown one is ignored
    # without a word. Every version knows this one.
    Kind("vLLM", "vllm", {"top_k": -1, "min_p": 0, "repetition_penalty": 1}, _openai),
    Kind("SGLang", "sglang", {"top_k": -1, "min_p": 0, "repetition_penalty": 1}, _openai),
)
OTHER = Kind("another server", "", {}, _openai)
"""Any other server with this API, which may refuse fields that it does not know."""


@dataclass(frozen=True)
class Served:
    """A model as its server reports it. model: the name in its answers. facts: what may be published of it; private:
    also its other words, such as a path, which tell two models of one name apart."""

    kind: Kind
    model: str
    facts: Mapping[str, object]
    private: Mapping[str, object]

    def refuse_other(self, name: str, place: str) -> None:
        """Raise RemoteError for the answer of a model of another name. Servers of companies add the day of the version
        to a name."""
        if name == self.model or (not self.kind.owner and name.startswith(f"{self.model}-")):
            return
        raise RemoteError(
            f"{place} answered as the model {show(name[:LONGEST_NAME])}, not as {self.model}",
            kind="other_model", facts={"address": place}, safe="The answers so far are kept.",
            remedy="Check which model the server has loaded",
        )  # fmt: skip


def served(listing: Json, wanted: str, place: str) -> Served:
    """The model of the name ``wanted`` in a server's list of models. Raises RemoteError for a list without it."""
    entries = listing.get("data") if isinstance(listing, dict) else None
    if not isinstance(entries, list):
        raise RemoteError(
            f"{place} gave no list of models", kind="not_found", facts={"address": place},
            remedy="Check the address: it usually ends in /v1",
        )  # fmt: skip
    models = [one for one in entries if isinstance(one, dict)]
    for one in models:
        aliases = one.get("aliases")
        if wanted in (one.get("id"), *(aliases if isinstance(aliases, list) else ())):
            return _served(one)
    names = [visible(str(one.get("id")))[:LONGEST_NAME] for one in models][:10]
    raise RemoteError(
        f"{place} has no model called {wanted}; it has {', '.join(names) or 'none'}", kind="not_found",
        facts={"address": place, "models": names},
        remedy="Name one of them in the recipe, as in server:MODEL, or start the server with this name "
        "(llama-server --alias NAME)",
    )  # fmt: skip


def _served(entry: JsonObject) -> Served:
    owner = entry.get("owned_by")
    kind = next((one for one in KINDS if one.owner == owner), OTHER)
    meta = entry.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    facts: dict[str, object] = {
        "server": kind.name, "parameters": _count(meta.get("n_params")), "size_bytes": _count(meta.get("size")),
        "context_tokens": _count(meta.get("n_ctx") or entry.get("max_model_len")),
    }  # fmt: skip
    private = {"root": str(entry.get("root"))[:LONGEST_NAME], "ftype": str(meta.get("ftype"))[:LONGEST_NAME]}
    return Served(kind, str(entry.get("id")), {k: v for k, v in facts.items() if v is not None}, private)


def _count(value: Json) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 53
    return value if is_count and isinstance(value, int) else None
