"""A published version rebuilt from the catalog's record, and compared byte for byte.

``rebuild`` makes the files in a fresh work folder, ``compare`` lists what differs (pure), ``reproduce`` combines both
and records the outcome.
"""
