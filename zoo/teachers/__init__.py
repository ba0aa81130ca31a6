"""Teachers that answer over HTTP: a model behind a server with the OpenAI API, asked by name, never trusted.

door      the only place that sends something to such a server; what may be sent, and what may come back
servers   a row for each kind of server: how it is recognised, and the names of its fields
replies   an answer of a server, checked before anything of it is used; pure
pace      how long to wait before the next try, for all requests together
asking    questions and answers, some at the same time
"""
