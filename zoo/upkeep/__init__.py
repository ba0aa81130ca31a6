"""Published versions: watched, withdrawn, and rebuilt."""
