"""The program in the terminal: the screens of ``zoo.views`` with keys. It only reads, and starts commands as processes
of their own, so closing it never ends a release."""
