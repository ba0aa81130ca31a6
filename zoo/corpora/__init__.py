"""Rows of text that models are trained and measured with: read, checked, counted."""
