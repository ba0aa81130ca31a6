"""Forms: the fields of a command and of a recipe, made from their definitions; values in, a command line or the text of
a recipe out. Pure."""
