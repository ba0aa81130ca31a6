"""Versions that are out: watched, withdrawn, and built again."""
