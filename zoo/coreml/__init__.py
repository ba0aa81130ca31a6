"""A prototype, not part of a release: a language model as a Core ML program (``python -m zoo.coreml FOLDER OUT``).

``torchprogram`` writes the model down as torch's program of a fixed length, without a KV cache; ``convert`` turns it
into an ML program (``.mlpackage``) and checks what can be checked without a Mac. It needs the extras ``coreml`` and
``train``.
"""
