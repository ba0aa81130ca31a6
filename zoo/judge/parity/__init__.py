"""Whether the exported file is the same model as its folder: what both sides saw, compared. Pure.

``zoo.training.parity`` reads the folder through transformers, ``zoo.llama.measure.parity`` at the GGUF file through
llama.cpp; each gives a ``Seen``. ``compare`` compares them: tokens, logits, chat template, end of turn.
"""
