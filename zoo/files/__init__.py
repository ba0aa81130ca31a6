"""Files and folders on disk: complete or not there, locked, hashed, listed, journalled."""
