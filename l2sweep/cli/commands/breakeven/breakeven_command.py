"""``l2sweep breakeven``: is loading faster than computing, and from which prompt length on?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from l2sweep.cli.command_options import (
    SELECTORS,
    NumberRange,
    format_option,
    percent,
    results_dir_option,
    where_option,
)
from l2sweep.config.shipped import shipped_names
from l2sweep.errors import BenchError, RequestError, shown

if TYPE_CHECKING:
    import pandas as pd

    from l2sweep.analysis.breakeven.geometry import ModelGeometry
    from l2sweep.analysis.breakeven.prefill import Gpu, Prefill

_DEFAULT_MFU = "0.3-0.6"
_POSITIVE = NumberRange(min=0, min_open=True)


@click.command(epilog=SELECTORS)
@click.argument("selector", default="latest")
@click.option("--model", required=True, type=click.Choice(shipped_names("model")), help="The model.")
@click.option(
    "--tp",
    type=click.IntRange(1, 1_000_000),
    default=1,
    show_default=True,
    help="Ranks of tensor parallelism.",
)
@click.option(
    "--dtype",
    type=click.Choice(["float32", "bfloat16", "float16", "fp8", "int8"]),
    default="bfloat16",
    show_default=True,
    help="Type of a number of the KV cache.",
)
@click.option(
    "--chunk-tokens",
    type=click.IntRange(1, 1_000_000),
    default=256,
    show_default=True,
    help="Tokens in a chunk: LMCache's chunk_size.",
)
@click.option(
    "--at",
    type=click.Choice(["cold", "hot", "claimed", "uncontrolled"]),
    multiple=True,
    help="State of the page cache that loads must have, also several times. Default: each that was measured.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1_000_000),
    default=1,
    show_default=True,
    help="Requests that load at the same time.",
)
@click.option(
    "--prefill",
    "ladder",
    metavar="FILE",
    help="Your own prefill times, as CSV with the columns tokens,seconds. Without: assumed, from --gpu.",
)
@click.option(
    "--gpu",
    "gpu_name",
    type=click.Choice(shipped_names("gpu")),
    default="h100-sxm",
    show_default=True,
    help="The GPU.",
)
@click.option("--gpus", type=click.IntRange(1, 1_000_000), help="Number of GPUs. Default: as --tp.")
@click.option(
    "--compute",
    type=click.Choice(["bf16", "fp8"]),
    help="Type in which the prefill is computed. Default: bf16.",
)
@click.option(
    "--mfu",
    metavar="LOW-HIGH",
    help=f"Share of the GPU's peak that the prefill reaches, at least and at most. Default: {_DEFAULT_MFU}.",
)
@click.option(
    "--h2d", type=_POSITIVE, metavar="GB/S", help="From host to device. Default: the peak of the GPU's link."
)
@click.option("--overlap", is_flag=True, help="Do not count the copy to the device: it overlaps.")
@click.option("--gpu-hour", type=_POSITIVE, metavar="PRICE", help="Price of one GPU for an hour.")
@click.option("--gb-month", type=_POSITIVE, metavar="PRICE", help="Price of storing a GB for a month.")
@where_option
@results_dir_option
@format_option()
def command(
    selector: str,
    model: str,
    tp: int,
    dtype: str,
    chunk_tokens: int,
    at: tuple[str, ...],
    concurrency: int,
    ladder: str | None,
    gpu_name: str,
    gpus: int | None,
    compute: str | None,
    mfu: str | None,
    h2d: float | None,
    overlap: bool,
    gpu_hour: float | None,
    gb_month: float | None,
    where: str | None,
    results_dir: str,
    output_format: str,
) -> None:
    """Tell from which prompt length on loading the KV cache is faster than computing it.

    Loading is what sweeps measured, at the size of the model's keys and at the depth of its requests, or
    between measured neighbours, and never beyond. Computing is fitted to your own prefill times, or assumed
    for a GPU. Nothing is measured on a GPU.

    \b
    Examples:
      l2sweep -m model=llama-3.1-8b num_keys=4,16,64 lookup_max_hit_rate=1 cache=cold repeats=6
      l2sweep breakeven latest --model llama-3.1-8b --gpu h100-sxm
      l2sweep breakeven latest --model llama-3.1-8b --prefill prefill.csv --at cold
    """
    if overlap and h2d is not None:
        raise click.UsageError("--h2d and --overlap contradict each other: give one of them")
    if (gpu_hour is None) != (gb_month is None):
        raise click.UsageError("--gpu-hour and --gb-month must be given together")
    from l2sweep.analysis.breakeven.break_even import break_even
    from l2sweep.analysis.breakeven.cost import Prices
    from l2sweep.cli.commands.breakeven.output import print_break_even
    from l2sweep.config.workload import presets

    try:
        geometry = presets.model_geometry(model, tp=tp, dtype=dtype, chunk_tokens=chunk_tokens)
    except RequestError as error:
        raise RequestError([_as_option(problem) for problem in error.problems]) from None
    gpu = presets.gpu(gpu_name)
    prefill = _prefill(ladder, geometry, gpu, gpus or tp, compute, mfu)
    rounds, points = _rows(selector, results_dir, where)
    found = break_even(
        rounds,
        model=geometry,
        prefill=prefill,
        points=points,
        at=at,
        concurrency=concurrency,
        h2d_bytes_s=None if overlap else h2d * 1e9 if h2d else gpu.h2d_bytes_s,
        prices=Prices(gpu_hour, gb_month) if gpu_hour and gb_month else None,
    )
    print_break_even(found, output_format)


def _as_option(problem: str) -> str:
    """Return a problem of ``model.chunk_tokens`` as one of ``--chunk-tokens``."""
    named = re.sub(r"^model\.(\w+)=", lambda found: f"--{found[1].replace('_', '-')} ", problem)
    return f"breakeven: {named}"


def _prefill(
    ladder: str | None, model: ModelGeometry, gpu: Gpu, gpus: int, compute: str | None, mfu: str | None
) -> Prefill:
    from l2sweep.analysis.breakeven.prefill import assumed, fitted
    from l2sweep.cli.commands.breakeven.ladder import read_ladder

    if ladder is not None:
        if mfu is not None or compute is not None:
            raise click.UsageError(
                "--mfu and --compute are for an assumed prefill: leave them out with --prefill"
            )
        return fitted(read_ladder(ladder), gpus)
    peak = gpu.fp8_flops if compute == "fp8" else gpu.bf16_flops
    if peak is None:
        raise RequestError([f"breakeven: --compute fp8: --gpu {gpu.name} has no FP8; use bf16"])
    return assumed(model, peak, gpus, _mfu(mfu or _DEFAULT_MFU))


def _mfu(text: str) -> tuple[float, float]:
    """Return the least and the most of ``0.3-0.6``, ``30%-60%`` or ``0.45``."""
    allowed = "must be a share of the peak above 0 and up to 1, such as 0.45 or 0.3-0.6"
    problem = f"breakeven: --mfu: {shown(text)} {allowed}"
    parts = text.split("-")
    try:
        shares = [percent(part.strip()) for part in parts]
    except click.BadParameter:
        raise RequestError([problem]) from None
    if len(shares) > 2 or not 0 < shares[0] <= shares[-1] <= 1:
        raise RequestError([problem])
    return shares[0], shares[-1]


def _rows(selector: str, results_dir: str, where: str | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    from l2sweep.analysis.tune.processes import POINT_COLUMNS, ROUND_COLUMNS
    from l2sweep.records.reader import load_points, load_rounds
    from l2sweep.records.selectors import select

    selection = select(selector, results_dir)
    chosen: dict[str, Any] = {"sweep": list(selection.sweep_ids), "where": where}
    try:
        rounds = load_rounds(selection.results_dir, columns=ROUND_COLUMNS, **chosen)
        points = load_points(selection.results_dir, columns=POINT_COLUMNS, **chosen)
    except FileNotFoundError as error:
        raise BenchError(f"breakeven: {error}") from None
    return rounds, points
