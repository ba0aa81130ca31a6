"""Chat templates: from messages to the text that a model reads, the same in every step that shows a model a prompt.

A template is a program that comes with somebody's model. ``rendering`` sets it up as transformers does, with a fixed
clock; ``oracle`` gives the same clock to the libraries that this project's own rendering is compared with.
"""
