"""Derived files: what each is made from, by which command, and whether the copy that is kept still agrees.

``table.py`` has the derived files of this program's repository, ``parts.py`` those of a zoo. ``derived.py`` compares
and writes them; ``stray.py`` finds generated files that are in no table.
"""
