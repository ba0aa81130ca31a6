"""Journals of runs: what every command that takes more than a second did, kept while it works, and read by others."""
