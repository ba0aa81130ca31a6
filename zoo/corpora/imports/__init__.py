"""Conversations with tools in the forms of others, turned into records of this project.

parts    an object of a foreign record, and what of it has no place in ours; pure
openai   messages as the API of OpenAI and its fine-tuning files have them; pure
hermes   turns in which calls are text between tags; pure
bfcl     questions of the Berkeley Function-Calling Leaderboard; pure
forms    a row for each form
files    a file of one form, line by line, into a file of records
"""
