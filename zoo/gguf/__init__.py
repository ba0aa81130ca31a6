"""Model files in GGUF: what they say, how they are laid out, what must not be in them. Needs no llama.cpp."""
