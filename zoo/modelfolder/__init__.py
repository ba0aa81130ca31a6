"""The facts of a model folder, read without torch or transformers: plain JSON and safetensors headers.

``files`` lists the files that count and follows links that stay inside. ``smallfiles`` reads the JSON files and checks
the keys that are used. ``weights`` finds the one set of weights and lists its tensors. ``formats`` detects quantized
sources and adapters. ``names`` maps the names of wrapped models. ``vocabulary`` counts tokens. ``inspection`` combines
these, ``record`` writes it as ``source.json``.

Every refusal is a ModelFileError that names the file and says what to do next.
"""
