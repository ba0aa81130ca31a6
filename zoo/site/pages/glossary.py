"""The words that pages explain: a link to the glossary of the documents, with the explanation in short. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from zoo.site.pages.kinds import Site

PATH = "guide/glossary/"
"""The page of the documents; a zoo with documents of its own may lack it."""

WORDS: Mapping[str, str] = {
    "token": "A piece of text that a model reads or writes at a time: a short word, or a part of a longer one",
    "tokenss": "How many tokens the model writes in a second; about 5 are as fast as most people read",
    "context": "How much text the model can have in view, in tokens",
    "kv-cache": "The model's memory of the conversation; it grows with the context",
    "gguf": "The file format of llama.cpp, which Ollama and LM Studio run too",
    "quantization": "Storing each weight with fewer bits, so that the file is smaller and less exact",
    "q4_k_m": "A type of quantization, with about 4 bits for each weight",
    "kld": "How far the file's predictions are from the original's; 0 is identical",
    "same-top-token": "How often the file and the original consider the same next token the most likely one",
    "perplexity": "How surprised the model is by a text that it has not seen; lower is better",
    "task-probes": "Short questions with a known answer, asked of every file",
    "parameters": "The numbers that the model consists of, also called weights",
}
"""Anchor of a word on that page -> its explanation in short. A test compares the anchors with the page's headings."""


def explained(site: Site, word: str) -> str:
    """The explanation of a word in short; empty if this site has no glossary."""
    return WORDS[word] if PATH in site.document_pages else ""
