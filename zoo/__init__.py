"""The zoo publisher."""

__version__ = "0.1.0"
