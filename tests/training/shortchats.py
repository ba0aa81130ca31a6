"""Eight short conversations to train on, and a listener that keeps what it is warned of."""

from __future__ import annotations

from zoo.progress import Silent
from zoo.training.conversations import Conversation

CHATS = [
    Conversation(f"c{number}", (("user", f"q {number}"), ("assistant", f"answer {number}"))) for number in range(8)
]


class Heard(Silent):
    """warnings and said: every one, in order."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)
