"""``l2sweep doctor``: the command and its arguments."""

from l2sweep.cli.commands.doctor.doctor_command import command

__all__ = ["command"]
