"""JSON Schema as a constraint on what a model may write."""

from __future__ import annotations

import json
from collections.abc import Mapping

from catalog.jsonvalues import table
from zoo.errors import InputError, ZooError
from zoo.llama import library
from zoo.llama.library import Sampler
from zoo.llama.model import Model

LOOSE_CHARACTER = r'char ::= [^"\\] |'
STRICT_CHARACTER = r'char ::= [^"\\\x00-\x1F\x7F] |'


def schema_to_gbnf(schema: Mapping[str, object]) -> str:
    """llama.cpp's grammar text (GBNF) for a JSON Schema, through llama-cpp-python's converter.

    Properties keep the schema's order. A string has no raw control characters: JSON forbids them, but the converter
    does not. Raises InputError if the schema uses features that the converter does not support.
    """
    library.require()
    from llama_cpp.llama_grammar import json_schema_to_gbnf

    try:
        order = list(table(schema.get("properties")))
        text = str(json_schema_to_gbnf(json.dumps(schema), prop_order=order))
    except (ValueError, TypeError, KeyError, AttributeError, AssertionError, RecursionError) as error:
        raise InputError(f"the JSON Schema cannot be converted to a grammar: {error}") from error
    return text.replace(LOOSE_CHARACTER, STRICT_CHARACTER)


def sampler(model: Model, schema: Mapping[str, object]) -> Sampler:
    """A sampler that forbids every token that breaks the schema; the caller's chain owns and frees it."""
    text = schema_to_gbnf(schema)
    with library.hearing() as heard:
        pointer: Sampler = model.lib.llama_sampler_init_grammar(model.vocab, text.encode("utf-8"), b"root")
    if not pointer:
        raise ZooError(f"llama.cpp refuses the grammar of the JSON Schema: {heard.error()}")
    return pointer
