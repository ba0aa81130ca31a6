"""Model files in GGUF: their header, their layout, and what must not be in them. Does not need llama.cpp."""
