"""``l2sweep adapters``: what each adapter type of the installed LMCache needs, and what is known of it."""

from __future__ import annotations

import contextlib
import sys

import click

from l2sweep.cli.command_group import CommandContext
from l2sweep.cli.command_options import format_option
from l2sweep.cli.row_output import Column, print_rows
from l2sweep.errors import RequestError, printable, shown


def _yes_or_no(value: bool | None) -> str:
    return {None: "-", True: "yes", False: "no"}[value]


_TABLE = (
    Column("type", "type", is_number=False),
    Column("state", "state", is_number=False),
    Column("data", "data", is_number=False),
    Column("survives", "survives", _yes_or_no, is_number=False),
    Column("can_delete", "deletes", _yes_or_no, is_number=False),
    Column("lookup_answered_by", "lookup answered by", is_number=False),
    Column("is_destructive", "destructive", _yes_or_no, is_number=False),
    Column("needs", "needs", is_number=False),
)
_MORE = (
    Column("problem", "problem", is_number=False),
    Column("install", "install", is_number=False),
    Column("example", "example", is_number=False),
    Column("alignment_bytes", "alignment"),
    Column("lookup_locks", "locks", _yes_or_no, is_number=False),
    Column("leaves_files", "leaves files", _yes_or_no, is_number=False),
    Column("reconnects", "reconnects", _yes_or_no, is_number=False),
    Column("secret_fields", "secret fields", ", ".join, is_number=False),
)
_FIELDS = (
    Column("name", "field", is_number=False),
    Column("type", "type", is_number=False),
    Column("default", "default", is_number=False),
    Column("is_required", "required", _yes_or_no, is_number=False),
    Column("help", "meaning", is_number=False),
)


@click.command()
@click.argument("adapter_type", metavar="[TYPE]", required=False)
@click.option("--python", metavar="PATH", help="Another interpreter, which has its own LMCache.")
@format_option()
@click.pass_obj
def command(
    context: CommandContext, adapter_type: str | None, python: str | None, output_format: str
) -> None:
    """List the adapter types of LMCache: usable here or what is missing, and what l2sweep knows of each.

    With TYPE: also the fields of its spec, with types and defaults. JSON has everything.

    \b
    Examples:
      l2sweep adapters
      l2sweep adapters s3
      l2sweep adapters --format json
    """
    from l2sweep.cli.commands.adapters.catalog import read_catalog
    from l2sweep.process.starter import ProcessStarter
    from l2sweep.sweep.checks.interpreter import interpreter_problems

    if unusable := interpreter_problems([python]):
        raise RequestError([f"adapters: --{one.replace('python=', 'python ', 1)}" for one in unusable])
    with contextlib.ExitStack() as held:
        # No fork server: it would import torch and LMCache first, for a single process.
        starter = context.starter or held.enter_context(ProcessStarter("spawn"))
        catalog = read_catalog(starter.start, adapter_type, python)
    if not catalog.rows:
        known = ", ".join(catalog.known)
        raise RequestError([f"adapters: TYPE {shown(adapter_type)}: must be an adapter type: {known}"])
    if output_format == "json":
        print_rows(catalog.rows, (*_TABLE, *_MORE, Column("fields", "fields")), "json")
    elif adapter_type is None or output_format == "csv":
        wide = (*_TABLE, *_MORE) if output_format == "csv" else _TABLE
        print_rows(catalog.rows, wide, output_format)
    else:
        (row,) = catalog.rows
        _print_heading(row, output_format)
        print_rows(row["fields"], _FIELDS, output_format)
    if output_format == "table" and adapter_type is None:
        print(f"\nLMCache {catalog.lmcache_version}. Fields and more: l2sweep adapters TYPE", file=sys.stdout)


def _print_heading(row: dict[str, object], output_format: str) -> None:
    """Print what is known of a type, one property in a line, and an empty line."""
    mark = "- " if output_format == "markdown" else ""
    for column in (*_TABLE, *_MORE):
        value = row[column.name]
        if value not in (None, "", []):
            print(printable(f"{mark}{column.title}: {column.show(value)}"))
    print()
