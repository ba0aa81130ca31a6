# Read by CMake while llama-cpp-python is compiled (CMAKE_PROJECT_INCLUDE in the Makefile).
# The Python package forces llama.cpp's "common" helper library on, yet never loads it; without it, without the
# image parts and with unity builds the compile takes about a quarter of the processor time.
set(LLAMA_BUILD_COMMON OFF)
