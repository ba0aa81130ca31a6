"""Boards that are reached through ssh: what is measured there, and the reports that come back."""
