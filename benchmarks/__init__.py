"""Comparisons in pairs, each runnable as ``python -m benchmarks.NAME``; see README.md in this folder."""
