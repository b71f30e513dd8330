"""``l2sweep upload``: upload what sweeps left on this machine, because their store was away."""

from __future__ import annotations

import os

import click

from l2sweep.errors import RequestError, printable
from l2sweep.records.store.address import A_URL, StoreAddress, is_url


@click.command()
@click.argument("url")
@click.option(
    "--remove", is_flag=True, help="Then remove from this machine the sweeps that are in the store."
)
def command(url: str, remove: bool) -> int:
    """Upload the records and logs that sweeps with results_dir=URL left on this machine.

    A sweep uploads its records itself, unless the store is away when it ends, or the sweep is killed. The
    next sweep with the same URL also uploads them. The exit code is 1 if something is still not in the store.

    \b
    Examples:
      l2sweep upload s3://benchmarks/nights
      l2sweep upload s3://benchmarks/nights --remove
    """
    if not is_url(url):
        raise RequestError([f"upload: URL must be {A_URL}"])
    from l2sweep.sweep.upload.pending import pending_sweeps, remove_uploaded, upload_pending

    address = StoreAddress.parse(url, "upload: URL")
    folder = address.spool_folder(os.environ)
    is_left = False
    if not folder.is_dir():
        print(f"no sweep with results_dir={address.url} has recorded anything on this machine")
    elif not pending_sweeps(address):
        print(f"{folder} has nothing that was not uploaded to {address.url}")
    for one in upload_pending(address, lambda _: True):
        print(printable(one.sentence(address)))
        is_left = is_left or bool(one.problem)
    if remove:
        removed = remove_uploaded(address)
        count = len(removed.sweep_ids)
        print(f"removed {count} sweep{'s' if count != 1 else ''} from {folder}")
        for note in removed.notes:
            print(printable(note))
    return int(is_left)
