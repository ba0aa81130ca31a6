"""This machine: cores, memory and disk that may be used, and what decides the last bits of a result."""
