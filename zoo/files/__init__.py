"""Files and folders on disk: either complete or missing, locked, hashed, listed, journalled."""
