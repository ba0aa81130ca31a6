"""How the user asked to publish, and the options for the same again."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.publish.places import Way
from zoo.publish.verify import TREE


@dataclass(frozen=True)
class Asked:
    """How to publish. verify: ``tree`` or ``full``, which reads every file back. way: what another place means.

    delete_others: files in the repositories that no release put there do not stay. stage: only on a branch of its own.
    promote: only what is staged. readable: stage also what is less open than the repository. as_built: also a release
    of this very recipe that another machine built.
    """

    verify: str = TREE
    way: Way = Way.PLACE
    delete_others: bool = False
    stage: bool = False
    promote: bool = False
    readable: bool = False
    as_built: bool = False

    @property
    def kept(self) -> tuple[str, ...]:
        """Options that every command for the same release repeats, wherever that release is to go."""
        given = {"--as-built": self.as_built, "--delete-others": self.delete_others}
        full = () if self.verify == TREE else ("--verify", self.verify)
        return (*(option for option, is_given in given.items() if is_given), *full)

    @property
    def ways(self) -> tuple[str, ...]:
        """Options that say where the release is to go; at most one can be given."""
        stage = "--stage-readable" if self.readable else "--stage"
        given = {stage: self.stage, "--promote": self.promote, f"--{self.way.value}": self.way is not Way.PLACE}
        return tuple(option for option, is_given in given.items() if is_given)


USUAL = Asked()
"""As without any option."""
