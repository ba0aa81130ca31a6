"""Names of files in artifacts that other rooms look for. Importing it loads nothing of what makes them."""

MODEL_FILE = "model.gguf"
"""The exported model, in the artifact of ``export``."""

IMATRIX_FILE = "imatrix.gguf"
"""The importance matrix, in the artifact of ``imatrix``."""
