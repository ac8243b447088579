"""A study of a small image on one sheet: the four upsampled maps, their differences, and a cut through them.

The sheet has its own light ground and dark ink, so it reads alike on a light and on a dark page.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any, Dict, Optional, Tuple

import numpy as np

from prototools.comparison.maps import CORNERS, HALF, RECIPE, SKIMAGE, by, sample_image
from prototools.comparison.measuring import LIMIT, Column, Distance, Study, StudyError, distance, measure
from prototools.comparison.table import number
from prototools.errors import EngineError

#: Larger factors show nothing new, and too fine to see.
LARGEST_FACTOR = 32

GROUND, INK, FAINT = "#f4f2ec", "#23272e", "#6b7079"
#: A line for each map; told apart by their style too.
LINES = {
    RECIPE:  {"color": "#23272e", "linewidth": 5, "alpha": 0.3},
    SKIMAGE: {"color": "#23272e", "linewidth": 1.2, "linestyle": (0, (4, 3)), "zorder": 3},
    HALF:    {"color": "#0b6fb8", "linewidth": 1.6},
    CORNERS: {"color": "#c2410c", "linewidth": 1.6, "linestyle": (0, (6, 1.5, 1.5, 1.5))},
}

GREY = {"cmap": "gray", "vmin": 0, "vmax": 1}
#: Blue is less, red is more, and the ground is no difference.
CHANGES = "RdBu_r"

#: Nothing of matplotlib's settings but these.
STYLE = {
    "font.family": "DejaVu Sans", "font.size": 11, "text.color": INK, "axes.edgecolor": FAINT, "axes.labelcolor": INK,
    "axes.facecolor": GROUND, "xtick.color": INK, "ytick.color": INK, "axes.linewidth": 0.8,
}


def draw(factor: int, *, engine: str = "reference", libraries: bool = True) -> bytes:
    """The sheet as a PNG of 1200 x 1040 pixels.

    `engine` and `libraries` are those of `study`. Raises `EngineError` where matplotlib is not installed,
    `StudyError` for a factor below 1 or above 32.
    """
    if factor > LARGEST_FACTOR:
        raise StudyError(f"a picture's factor must be at most {LARGEST_FACTOR}, but is {factor}")
    try:
        from matplotlib import style
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise EngineError(f"a picture needs matplotlib ({error}); run: pip install 'prototools[plot]'") from None

    image = sample_image()
    found = measure(image, factor, engine=engine, libraries=libraries)
    # The user's own settings would change the sheet.
    with style.context(STYLE, after_reset=True):
        figure = Figure(figsize=(12, 10.4), dpi=100, facecolor=GROUND)
        _sheet(figure, image[0, 0], found)
        out = BytesIO()
        FigureCanvasAgg(figure).print_png(out, metadata={"Software": None})
    return out.getvalue()


def _sheet(figure: Any, image: np.ndarray, study: Study) -> None:
    """The maps above, the differences below them, a cut at the foot."""
    grid = figure.add_gridspec(
        3, 4, height_ratios=[1, 1, 0.74], left=0.055, right=0.9, top=0.83, bottom=0.07, wspace=0.13, hspace=0.38,
    )
    _heading(figure, image, study)
    # The row in the middle of the image's fourth.
    line = 3 * study.factor + study.factor // 2
    recipe, spread = study.columns[0].values, _spread(study)
    for place, column in enumerate(study.columns):
        upper, lower = (figure.add_subplot(grid[row, place]) for row in range(2))
        shades = _map(upper, column, line)
        if column.map is RECIPE:
            _show(lower, image, ("The image", f"{by(image.shape)}, before"), GREY)
            continue
        changes = _difference(lower, column, recipe, study.factor, spread)
        if column is study.columns[-1]:
            _bar(figure, upper, shades, "value")
            _bar(figure, lower, changes, "difference")
    _cut(figure.add_subplot(grid[2, :]), image, study, line)


def _spread(study: Study) -> float:
    """The largest difference from the recipe, or 1 where there is none."""
    apart = [pair.distance.largest for pair in study.pairs if pair.first == RECIPE and pair.distance]
    return max(apart) if apart and max(apart) > LIMIT else 1


def _heading(figure: Any, image: np.ndarray, study: Study) -> None:
    found = study.derivation
    size = by([found.out(rows) for rows in image.shape])
    lines = (
        f"Caffe's recipe is one Deconvolution with kernel {found.kernel}, stride {found.stride}, pad {found.pad}: "
        f"{by(image.shape)} becomes {size}.",
        "PyTorch False and PyTorch True are nn.Upsample with align_corners=False and align_corners=True.",
    )
    figure.text(0.055, 0.955, f"Four bilinear upsamplings by {study.factor}", fontsize=19, fontweight="bold")
    figure.text(0.055, 0.936, "\n".join(lines), color=FAINT, fontsize=11.5, va="top", linespacing=1.5)


def _map(axes: Any, column: Column, line: int) -> Optional[Any]:
    """One upsampled map, with a mark at the row of the cut."""
    if column.values is None:
        return _missing(axes, column.map.name)
    shown = _show(axes, column.values[0, 0], (column.map.name, column.source), GREY)
    axes.plot(-0.035, line + 0.5, ">", color=INK, markersize=6, clip_on=False, transform=axes.get_yaxis_transform())
    return shown


def _difference(
    axes: Any, column: Column, recipe: Optional[np.ndarray], factor: int, spread: float
) -> Optional[Any]:
    """One map less the recipe's, on a scale that is the same for all, with 0 in its middle."""
    title = f"{column.map.name} \u2212 recipe"
    if column.values is None or recipe is None:
        return _missing(axes, title)
    apart = distance(column.values, recipe, factor)
    words = "no difference" if apart.where == "nowhere" else f"{_where(apart)}, up to {number(apart.largest)}"
    colours = {"cmap": CHANGES, "vmin": -spread, "vmax": spread}
    difference = (column.values - recipe)[0, 0]
    return _show(axes, np.where(np.abs(difference) > LIMIT, difference, 0), (title, words), colours)


def _where(apart: Distance) -> str:
    if apart.where != "border":
        return apart.where
    return "outer row" if apart.reach == 1 else f"outer {apart.reach} rows"


def _show(axes: Any, plane: np.ndarray, words: Tuple[str, str], colours: Dict[str, Any]) -> Any:
    """A plane (H, W), each value a square, under a title and a remark."""
    _title(axes, *words)
    height, width = plane.shape
    return axes.imshow(plane, interpolation="nearest", extent=(0, width, height, 0), **colours)


def _missing(axes: Any, title: str) -> None:
    _title(axes, title, "missing")
    axes.set_aspect("equal", adjustable="box")


def _title(axes: Any, title: str, remark: str) -> None:
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, loc="left", pad=20, fontweight="bold", fontsize=12)
    axes.text(0, 1.025, remark, transform=axes.transAxes, fontsize=9.5, color=FAINT)


def _bar(figure: Any, panel: Any, shown: Optional[Any], label: str) -> None:
    """A scale of colours as high as the panel it stands beside."""
    if shown is None:
        return
    axes = panel.inset_axes([1.09, 0, 0.06, 1])
    bar = figure.colorbar(shown, cax=axes)
    bar.set_label(label, fontsize=10)
    bar.outline.set_edgecolor(FAINT)
    axes.tick_params(labelsize=9)


def _cut(axes: Any, image: np.ndarray, study: Study, line: int) -> None:
    """One output row of every map, on the image's own pixels."""
    factor, width = study.factor, image.shape[1]
    places = (np.arange(width * factor) + 0.5) / factor
    for column in study.columns:
        if column.values is not None:
            axes.plot(places, column.values[0, 0, line], label=column.map.name, **LINES[column.map])
    axes.set(xlim=(0, width), ylim=(-0.06, 1.1), xticks=range(width + 1), yticks=[0, 0.5, 1])
    axes.set_xlabel("column of the image", fontsize=10)
    axes.tick_params(labelsize=9)
    axes.grid(axis="x", color=FAINT, alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("Along the marked row", loc="left", pad=10, fontweight="bold", fontsize=12)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1.0), ncol=4, frameon=False, fontsize=10, handlelength=3,
                borderaxespad=0.2)
