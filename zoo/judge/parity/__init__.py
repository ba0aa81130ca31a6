"""Is the exported file the same model as the folder that it was made from? Pure: what both sides saw, compared.

``zoo.training.parity`` looks at the folder through transformers, ``zoo.llama.measure.parity`` at the GGUF file through
llama.cpp; each gives a ``Seen``. ``compare`` holds them against each other: tokens, logits, chat template, end of turn.
"""
