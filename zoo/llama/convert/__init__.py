"""From a model folder to a GGUF file by llama.cpp's own converter, in a separate process."""
