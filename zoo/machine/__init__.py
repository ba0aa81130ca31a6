"""This machine: usable cores, memory and disk, and what affects the last bits of a result."""
