"""prototools compare."""

from __future__ import annotations

import json
from typing import Any, Optional, Tuple, Union

from prototools import files
from prototools.cli.parsing import Parser, UsageError, parsed, whole_number
from prototools.cli.verdict import DONE, FAILED, FOUND, attempt, say


def options(parser: Parser) -> None:
    """The options of `compare`."""
    parser.option("--factor", type=whole_number, default=2, metavar="F", help="How many times as high and wide.")
    parser.option("--shape", default="1,3,112,112", metavar="N,C,H,W", help="Of the random data; one pixel is enough.")
    parser.option("--seed", type=whole_number, default=0, help="Of numpy's RandomState(SEED).rand(N, C, H, W).")
    parser.option("--engine", choices=["reference", "caffe"], default="reference",
                  help="What runs Caffe's recipe and our blocks.")
    parser.flag("--exact-maps", help="Take skimage's and PyTorch's columns from prototools' own exact maps, "
                                     "installed or not.")
    parser.option("--plot", metavar="FILE.png",
                  help="Draw a small image, upsampled in each way, and the differences.")
    parser.flag("--json", dest="as_json", help="Print JSON.")


@parsed(options)
def command(factor: int, shape: str, exact_maps: bool, plot: Optional[str], as_json: bool, **settings: Any) -> int:
    """Compare Caffe's bilinear Deconvolution with skimage's rescale and PyTorch's Upsample on random data.

    Prints how the Deconvolution's kernel, stride and pad follow from the factor, mean and largest
    difference of any two, where they differ, and whether our blocks give the same numbers as each.
    Columns of a library that is not installed come from prototools' own exact map.

    Exit 0 if every block equals what it stands for, 1 if one differs, 2 if one could not be run.
    """
    if plot is not None and not plot.lower().endswith(".png"):
        raise UsageError(f"--plot must end in .png, but is {plot!r}")
    verdict = _compare(factor, _dims(shape), as_json, libraries=not exact_maps, **settings)

    def job(path: str) -> int:
        from prototools.comparison.picture import draw

        files.write(path, draw(factor, engine=settings["engine"], libraries=not exact_maps))
        return DONE

    return max(verdict, attempt(job, plot) if plot is not None else DONE)


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
        raise UsageError(str(error)) from None
    print(json.dumps(as_dictionary(found)) if as_json else text(found))
    for sentence in (*found.missing, *found.notes):
        say(sentence)
    return FOUND if found.differs else DONE if found.complete else FAILED
