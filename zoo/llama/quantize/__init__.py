"""Quantizes tensors to llama.cpp's types, byte for byte as llama.cpp does."""
