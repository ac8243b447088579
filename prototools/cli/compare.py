"""prototools compare."""

from __future__ import annotations

import json
import sys
from typing import Any, Optional, Tuple, Union

import click

from prototools import files
from prototools.cli.verdict import DONE, FAILED, FOUND, attempt, say


@click.command()
@click.option("--factor", type=int, default=2, show_default=True, help="How many times as high and wide.")
@click.option("--shape", metavar="N,C,H,W", default="1,3,112,112", show_default=True,
              help="Of the random data; one pixel is enough.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of numpy's RandomState(SEED).rand(N, C, H, W).")
@click.option("--engine", type=click.Choice(["reference", "caffe"]), default="reference", show_default=True,
              help="What runs Caffe's recipe and our blocks.")
@click.option("--exact-maps", is_flag=True,
              help="Take skimage's and PyTorch's columns from prototools' own exact maps, installed or not.")
@click.option("--plot", metavar="FILE.png", help="Draw a small image, upsampled in each way, and the differences.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(factor: int, shape: str, exact_maps: bool, plot: Optional[str], as_json: bool, **settings: Any) -> None:
    """Compare Caffe's bilinear Deconvolution with skimage's rescale and PyTorch's Upsample on random data.

    Prints how the Deconvolution's kernel, stride and pad follow from the factor, mean and largest
    difference of any two, where they differ, and whether our blocks give the same numbers as each.
    Columns of a library that is not installed come from prototools' own exact map.

    Exit 0 if every block equals what it stands for, 1 if one differs, 2 if one could not be run.
    """
    if plot is not None and not plot.lower().endswith(".png"):
        raise click.BadParameter(f"must end in .png, but is {plot!r}", param_hint="--plot")
    verdict = _compare(factor, _dims(shape), as_json, libraries=not exact_maps, **settings)

    def job(path: str) -> int:
        from prototools.comparison.picture import draw

        files.write(path, draw(factor, engine=settings["engine"], libraries=not exact_maps))
        return DONE

    sys.exit(max(verdict, attempt(job, plot) if plot is not None else DONE))


def _dims(shape: str) -> Union[str, Tuple[int, ...]]:
    try:
        return tuple(int(dim) for dim in shape.split(","))
    except ValueError:
        return shape


def _compare(factor: int, shape: Union[str, Tuple[int, ...]], as_json: bool, **settings: Any) -> int:
    """Run and print the study; its verdict."""
    from prototools.comparison import StudyError, study
    from prototools.comparison.table import as_dictionary, text

    try:
        found = study(factor, shape, **settings)  # type: ignore[arg-type]
    except StudyError as error:
        raise click.UsageError(str(error)) from None
    click.echo(json.dumps(as_dictionary(found)) if as_json else text(found))
    for sentence in (*found.missing, *found.notes):
        say(sentence)
    return FOUND if found.differs else DONE if found.complete else FAILED
