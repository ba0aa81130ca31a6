"""A published version built again from what the catalog records of it, and compared byte for byte.

``rebuild`` makes the files in a fresh work folder, ``compare`` says what differs (pure), ``walk`` puts both together
and records the outcome.
"""
