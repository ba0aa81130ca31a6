"""The zoo publisher."""

__version__ = "0.1.0"

STOPPED = "stopped. Finished work is kept. Run the same command to continue."
"""What a command says last that was stopped. Here, because nothing is imported before it."""
