"""``l2sweep breakeven``: the command, and the ladder of prefills that it reads."""

from l2sweep.cli.commands.breakeven.breakeven_command import command

__all__ = ["command"]
