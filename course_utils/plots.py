"""The figures of the course: samples, predictions, learning curves, task weights, attention masks.

Every function returns a matplotlib figure that is not shown yet; `show(figure, alt)` shows and closes it.
All share one look: colours that stay apart for colour-blind readers, one colour for each kind of task, labels
and units on every axis, and below every picture the data that it was drawn from.
"""

import base64
import functools
import io
import itertools
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from course_utils.labels import VOID, LabelSet
from course_utils.tasks import Task, draw_classes, draw_depth

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

OKABE_ITO = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky blue": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
}
"""The palette of Okabe and Ito, "Color Universal Design" (2008)."""

# Depth is vermilion: on white, a line in the palette's orange is faint, contrast 2.2 : 1 against 3.9 : 1.
TASK_COLOURS = {
    "segmentation": OKABE_ITO["blue"],
    "depth": OKABE_ITO["vermilion"],
    "normals": OKABE_ITO["green"],
}
"""The colour of each kind of task, by the key of its target in a sample."""

# Lengths in inches. Around a grid of pictures is room for labels, keys and the caption; show() cuts off what
# stays empty of it.
_WIDTH = 9.8
_GAP = 0.07
_TALLEST = 2.2  # a picture
_LEFT, _TOP, _FOOTER = 0.4, 0.5, 1.3
_LINE = 0.2  # height of a line of text

STYLE = {
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",  # comes with matplotlib, so figures are the same on every machine
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "0.9",
    "lines.linewidth": 1.8,
    "lines.markersize": 4,
}
"""The look of every figure; `plt.rcParams.update(STYLE)` gives it to figures drawn with plain matplotlib."""
_LINE_STYLES = ("-", "--", ":", "-.")
_LOSS_LABELS = {"cross_entropy": "cross-entropy\n(nats)", "l1": "L1", "cosine": "1 − cosine"}
_METRIC_LABELS = {"mean_iou": "mean IoU", "absolute_error": "absolute error", "mean_angle": "mean angle"}


def _styled(draw: Callable) -> Callable:
    """Run a drawing function in the course's style and leave the reader's own settings as they were."""

    @functools.wraps(draw)
    def drawn_in_style(*args, **options):
        import matplotlib.pyplot as plt

        with plt.rc_context(STYLE):
            return draw(*args, **options)

    return drawn_in_style


@_styled
def show(figure: "Figure", alt: str) -> None:
    """Show a figure and close it; in a notebook, with `alt` as the text for readers who cannot see it.

    The text goes into the output's metadata, `metadata["image/png"]["alt"]`, and stands in for the picture
    where no picture can be shown. Outside notebooks the figure opens in matplotlib's own window.

    Args:
        alt: what the figure shows, in a sentence or two.

    Raises:
        ValueError: `alt` is empty.
    """
    import matplotlib.pyplot as plt

    if not alt.strip():
        raise ValueError("alt: is empty; say what the figure shows, for readers who cannot see it.")
    if _in_notebook():
        from IPython.display import display

        output = {"image/png": base64.b64encode(_png(figure)).decode("ascii"), "text/plain": alt}
        display(output, raw=True, metadata={"image/png": {"alt": alt}})
    else:
        plt.show()
    plt.close(figure)  # an open figure would be shown again at the end of the cell, without its text


@_styled
def samples(
    frames: Sequence[dict], tasks: Sequence[Task], *, rows: int = 3, source: str | None = None
) -> "Figure":
    """The first frames of a data set: a row for each, image left, then the target of each task.

    Args:
        frames: a data set, or a list of samples: `image` [3, H, W] in 0..1 and the target of every task.
        rows: at most so many frames.
        source: line under the figure, where the frames come from; by default the data set's `source`.

    Raises:
        ValueError: there are no frames.
    """
    if not len(frames):
        raise ValueError("frames: there are none; expected a data set or a list of at least one sample.")
    chosen = [frames[index] for index in range(min(rows, len(frames)))]
    figure, axes = _picture_grid(len(chosen), 1 + len(tasks), chosen[0]["image"].shape[-2:])
    _titles(axes[0], ["image", *(task.name for task in tasks)])
    for row, frame in zip(axes, chosen, strict=True):
        _picture(row[0], _rgb(frame["image"]))
        for axis, task in zip(row[1:], tasks, strict=True):
            _picture(axis, task.draw(frame[task.target]))
    drawn = {task.name: [frame[task.target] for frame in chosen] for task in tasks}
    below = _keys(figure, axes[-1, 1:], tasks, drawn)
    _caption(figure, getattr(frames, "source", "") if source is None else source, below)
    return figure


@_styled
def predictions(
    images: Tensor,
    targets: Mapping[str, Tensor],
    predicted: Mapping[str, Tensor],
    tasks: Sequence[Task],
    *,
    rows: int = 2,
    source: str = "",
) -> "Figure":
    """What a model predicts, below what is true: two rows for each frame, one column for each task.

    Args:
        images: [B, 3, H, W] in 0..1.
        targets: by the key of each task's target, [B, H, W] or [B, C, H, W]; a batch of samples will do.
        predicted: by the name of each task, [B, C, H, W]: what `model(images)` returns.
        rows: at most so many frames.
        source: line under the figure that says where the frames come from.
    """
    count = min(rows, len(images))
    figure, axes = _picture_grid(2 * count, 1 + len(tasks), images.shape[-2:])
    _titles(axes[0], ["image", *(task.name for task in tasks)])
    for index in range(count):
        truth_row, predicted_row = axes[2 * index : 2 * index + 2]
        _picture(truth_row[0], _rgb(images[index]))
        _centre(truth_row[0], predicted_row[0])
        for column, task in enumerate(tasks, start=1):
            _picture(truth_row[column], task.draw(targets[task.target][index]))
            _picture(predicted_row[column], task.draw(predicted[task.name][index]))
        truth_row[1].set_ylabel("truth")
        predicted_row[1].set_ylabel("prediction")
    drawn = {task.name: [*targets[task.target][:count], *predicted[task.name][:count]] for task in tasks}
    below = _keys(figure, axes[-1, 1:], tasks, drawn)
    _caption(figure, source, below)
    return figure


@_styled
def pictures(
    named: Mapping[str, Tensor | np.ndarray],
    *,
    columns: int = 4,
    scale: tuple[float, float] | None = None,
    unit: str = "",
    source: str = "",
) -> "Figure":
    """Pictures side by side, each with its name above.

    Args:
        named: name -> colours, tensor [3, H, W] or array [H, W, 3] in 0..1; or one value per pixel, [H, W].
        columns: pictures in a row.
        scale: smallest and largest value of the colour scale that all pictures of one value per pixel share;
            by default what occurs in them.
        unit: what the values are, at the colour scale.
        source: line under the figure that says where the frames come from.

    Raises:
        ValueError: there are no pictures.
    """
    if not named:
        raise ValueError("named: is empty; expected at least one picture.")
    arrays = {name: _rgb(array) if array.ndim == 3 else np.asarray(array) for name, array in named.items()}
    maps = [array for array in arrays.values() if array.ndim == 2]
    low, high = scale or (min((m.min() for m in maps), default=0), max((m.max() for m in maps), default=1))
    columns = min(columns, len(arrays))
    rows, size = math.ceil(len(arrays) / columns), next(iter(arrays.values())).shape[:2]
    figure, axes = _picture_grid(rows, columns, size, row_gap=0.3)
    for axis, (name, array) in zip(axes.flat, arrays.items(), strict=False):
        axis.set_title(name)
        _picture(axis, array, cmap="viridis", vmin=low, vmax=high)
    for axis in axes.flat[len(arrays) :]:
        axis.set_axis_off()
    below = _colour_bar(axes[-1, -1], "viridis", low, high, unit) if maps else _FOOTER
    _caption(figure, source, below)
    return figure


@_styled
def masks(
    attention: Mapping[str, Mapping],
    level: str = "encoder1",
    *,
    channels: Sequence[int] = (0, 1, 2),
    sample: int = 0,
    source: str = "",
) -> "Figure":
    """What attention does to single channels: shared p, then each task's mask a and attended feature.

    One row for each channel. All masks share one scale, 0 to 1. In a row, shared and attended features share
    theirs, so that what a mask dims is darker than in p. After figure 5 of the paper.

    Args:
        attention: what `mtan(images, return_attention=True)` returns second: task name -> level -> (shared,
            mask, attended), each [B, C, h, w].
        level: "encoder1" to "encoder5" or "decoder5" to "decoder1".
        channels: numbers of the channels to show.
        sample: which frame of the batch.
        source: line under the figure that says where the frames come from.

    Raises:
        ValueError: the network has no such level, or the level no such channel.
    """
    _check_level(attention, level, channels)
    levels = {name: by_level[level] for name, by_level in attention.items()}
    shared = next(iter(levels.values())).shared[sample].detach().cpu()
    figure, axes = _picture_grid(len(channels), 1 + 2 * len(levels), shared.shape[-2:])
    titles = [f"{name}\n{part}" for name in levels for part in ("mask a", "attended")]
    _titles(axes[0], [f"{level}\nshared p", *titles])
    for row, channel in zip(axes, channels, strict=True):
        # Not the largest value: a few bright pixels would darken all else. It is 0 where nearly all are.
        brightest = shared[channel].quantile(0.99).item() or shared[channel].max().item()
        feature_scale = {"cmap": "gray", "vmin": 0, "vmax": brightest}
        _picture(row[0], shared[channel], **feature_scale)
        row[0].set_ylabel(f"channel\n{channel}")
        for index, step in enumerate(levels.values()):
            mask, attended = (part[sample, channel].detach().cpu() for part in (step.mask, step.attended))
            _picture(row[1 + 2 * index], mask, cmap="viridis", vmin=0, vmax=1)
            _picture(row[2 + 2 * index], attended, **feature_scale)
    below = _colour_bar(axes[-1, 1], "viridis", 0, 1, "mask a")
    _caption(
        figure,
        "Shared, attended: black is 0, white the 99th percentile of the row's p.  " + source,
        below,
    )
    return figure


@_styled
def curves(history: list[dict] | Mapping[str, list[dict]], tasks: Sequence[Task]) -> "Figure":
    """Training loss (above) and headline metric on the validation set (below) of each task over the epochs.

    Args:
        history: what `training.fit` returns; or several of them by the name of their run, to compare runs.
            A task that a run does not train is left out of that run.
    """
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D

    runs = history if isinstance(history, Mapping) else {"": history}
    size = (_panels_width(len(tasks)), 4.8)
    figure, axes = plt.subplots(2, len(tasks), figsize=size, sharex=True, squeeze=False, layout="constrained")
    for (loss_axis, metric_axis), task in zip(axes.T, tasks, strict=True):
        for (run, epochs), line_style in zip(runs.items(), itertools.cycle(_LINE_STYLES), strict=False):
            look = {"color": task_colour(task), "linestyle": line_style, "label": run}
            losses = {row["epoch"]: row["losses"].get(task.name) for row in epochs}
            metrics = {row["epoch"]: row["metrics"].get(task.name, {}).get(task.headline) for row in epochs}
            _line(loss_axis, losses, **look)
            _line(metric_axis, metrics, **look)
        loss_axis.set(title=task.name, ylabel=f"training {_loss_label(task)}")
        metric_axis.set(xlabel="epoch", ylabel=f"validation {_metric_label(task)}")
    _epoch_axes(axes.flat)
    if len(runs) > 1:
        styles = zip(runs, itertools.cycle(_LINE_STYLES), strict=False)
        lines = [Line2D([], [], color="0.3", linestyle=line_style, label=run) for run, line_style in styles]
        figure.legend(handles=lines, loc="outside lower center", ncols=len(runs), handlelength=3)
    return figure


@_styled
def weights(history: list[dict] | Tensor | np.ndarray, tasks: Sequence[Task]) -> "Figure":
    """The weight λ of each task over the epochs. The grey line is equal weighting, λ = 1.

    Args:
        history: what `training.fit` returns, or the weights themselves, [epochs, K] in the order of `tasks`.

    Raises:
        ValueError: the weights are not K for each epoch.
    """
    import matplotlib.pyplot as plt

    if isinstance(history, list):
        history = [[epoch["weights"][task.name] for task in tasks] for epoch in history]
    rows = np.asarray(history)
    if rows.ndim != 2 or rows.shape[1] != len(tasks):
        raise ValueError(f"history: expected weights [epochs, {len(tasks)}], got shape {list(rows.shape)}.")
    figure, axis = plt.subplots(figsize=(6, 2.8), layout="constrained")
    axis.axhline(1, color="0.6", linewidth=1)
    for task, values, line_style in zip(tasks, rows.T, itertools.cycle(_LINE_STYLES), strict=False):
        line = dict(enumerate(values.tolist(), start=1))
        _line(axis, line, color=task_colour(task), linestyle=line_style, label=task.name)
    axis.set(xlabel="epoch", ylabel="task weight λ")
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    _epoch_axes([axis])
    return figure


@_styled
def bars(
    values: Mapping[str, float], label: str, *, colours: Sequence | None = None, number_format: str = ".2f"
) -> "Figure":
    """One horizontal bar for each named value, the first on top, with its number printed beside it.

    Args:
        values: name -> number; NaN is drawn as "none", with no bar.
        label: what the numbers are, with their unit.
        colours: one matplotlib colour for each bar, or RGB 0..255 as a `LabelSet` has them; blue by default.
        number_format: of the numbers, as in `format(value, number_format)`.
    """
    import matplotlib.pyplot as plt

    numbers = np.array(list(values.values()), dtype=float)
    figure, axis = plt.subplots(figsize=(6, 0.7 + 0.27 * len(numbers)), layout="constrained")
    colours = [_colour(colour) for colour in colours] if colours else OKABE_ITO["blue"]
    drawn = axis.barh(list(values), np.nan_to_num(numbers), color=colours, height=0.7)
    texts = ["none" if np.isnan(number) else format(number, number_format) for number in numbers]
    axis.bar_label(drawn, texts, padding=3, fontsize=9)
    axis.invert_yaxis()
    axis.margins(x=0.12)
    axis.tick_params(left=False)
    axis.set(xlabel=label, xticks=[])  # the numbers stand beside the bars
    axis.spines["bottom"].set_visible(False)
    return figure


@_styled
def legend(
    figure: "Figure", label_set: LabelSet, classes: Iterable[int] | None = None, *, below: float = 0
) -> "Legend":
    """Put the names and colours of classes under a figure.

    Args:
        classes: numbers of the classes to name, `VOID` too where it occurs; by default all of the set.
        below: where the legend begins, in inches from the figure's lower edge.
    """
    from matplotlib.patches import Patch

    classes = set(range(len(label_set.names)) if classes is None else classes)
    entries = [(label_set.names[number], label_set.colours[number]) for number in sorted(classes - {VOID})]
    entries += [("void", (0, 0, 0))] if VOID in classes else []
    patches = [
        Patch(facecolor=_colour(colour), edgecolor="0.6", linewidth=0.5, label=name)
        for name, colour in entries
    ]
    width, height = figure.get_size_inches()
    return figure.legend(
        handles=patches, loc="upper left", bbox_to_anchor=(_LEFT / width, below / height),
        ncols=_legend_columns(figure), handlelength=1.2, columnspacing=1.4, borderpad=0, borderaxespad=0,
    )  # fmt: skip


def task_colour(task: Task) -> str:
    """The colour of a task's lines and bars: that of its kind, black for a kind that has none."""
    return TASK_COLOURS.get(task.target, OKABE_ITO["black"])


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs this code: it alone can show pictures with metadata."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def _png(figure: "Figure") -> bytes:
    buffer = io.BytesIO()
    # Without the version of matplotlib in it: the same bytes on each build.
    figure.savefig(
        buffer, format="png", dpi=100, bbox_inches="tight", pad_inches=0.05, metadata={"Software": None}
    )
    return buffer.getvalue()


def _picture_grid(
    rows: int, columns: int, size: tuple[int, int], *, row_gap: float = _GAP
) -> tuple["Figure", np.ndarray]:
    """A figure with room for rows x columns pictures of `size` = (H, W), and its axes [rows, columns]."""
    import matplotlib.pyplot as plt

    picture_width = (_panels_width(columns) - _LEFT + _GAP) / columns - _GAP
    picture_width = min(picture_width, _TALLEST * size[1] / size[0])
    picture_height = picture_width * size[0] / size[1]
    width = _LEFT + columns * picture_width + (columns - 1) * _GAP
    height = _FOOTER + rows * picture_height + (rows - 1) * row_gap + _TOP
    spacing = {"wspace": _GAP / picture_width, "hspace": row_gap / picture_height}
    edges = {"left": _LEFT / width, "right": 1, "bottom": _FOOTER / height, "top": 1 - _TOP / height}
    return plt.subplots(rows, columns, figsize=(width, height), squeeze=False, gridspec_kw=spacing | edges)


def _panels_width(columns: int) -> float:
    return min(_WIDTH, 3.6 * columns)


def _legend_columns(figure: "Figure") -> int:
    return int((figure.get_figwidth() - _LEFT) / 1.15)


def _picture(axis: "Axes", picture: Tensor | np.ndarray, **scale) -> None:
    axis.imshow(np.asarray(picture), interpolation="nearest", **scale)
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)


def _check_level(attention: Mapping[str, Mapping], level: str, channels: Sequence[int]) -> None:
    by_level = next(iter(attention.values()))
    if level not in by_level:
        raise ValueError(f"level: {level!r} is none of {', '.join(by_level)}.")
    count = by_level[level].shared.shape[1]
    if not channels or not all(0 <= channel < count for channel in channels):
        raise ValueError(f"channels: {level} has channels 0 to {count - 1}, got {list(channels)}.")


def _centre(axis: "Axes", empty_below: "Axes") -> None:
    """Move a picture half-way down to the empty place below it, and leave room for labels on its right."""
    upper, lower = axis.get_position(), empty_below.get_position()
    room = 0.25 / axis.figure.get_figwidth()
    axis.set_position([upper.x0, (upper.y0 + lower.y0) / 2, upper.width - room, upper.height])
    empty_below.remove()


def _titles(axes: Iterable["Axes"], titles: Sequence[str]) -> None:
    for axis, title in zip(axes, titles, strict=True):
        axis.set_title(title)


def _rgb(picture: Tensor | np.ndarray) -> np.ndarray:
    """Colours [H, W, 3] in 0..1 of a tensor [3, H, W] or an array that has them already."""
    if isinstance(picture, Tensor):
        picture = picture.detach().cpu().permute(1, 2, 0).numpy()
    return picture.clip(0, 1)


def _keys(
    figure: "Figure", axes: Iterable["Axes"], tasks: Sequence[Task], drawn: Mapping[str, list[Tensor]]
) -> float:
    """Explain the colours below the lowest pictures: a scale for depth, names for the classes that occur.

    Returns where the keys end, in inches from the figure's lower edge.
    """
    below = _FOOTER
    draws = [(axis, task, task.draw) for axis, task in zip(axes, tasks, strict=True)]
    draws = [entry for entry in draws if isinstance(entry[2], functools.partial)]
    for axis, task, draw in draws:
        if draw.func is draw_depth:
            below = min(below, _depth_bar(axis, task.unit, **draw.keywords))
    for _, task, draw in draws:
        if draw.func is draw_classes:
            classes = _occurring(drawn[task.name])
            legend(figure, draw.keywords["colours"], classes, below=below - _GAP)
            below -= _LINE * math.ceil(len(classes) / _legend_columns(figure)) + _GAP
    return below


def _occurring(label_maps: Iterable[Tensor]) -> set[int]:
    """The class numbers in labels [H, W] and in scores [classes, H, W]."""
    numbers = (labels.argmax(dim=0) if labels.dim() == 3 else labels for labels in label_maps)
    return set(torch.cat([labels.flatten().cpu() for labels in numbers]).unique().tolist())


def _depth_bar(axis: "Axes", unit: str, nearest: float, farthest: float) -> float:
    key = "bright is near, black invalid"
    if farthest < nearest:  # inverse depth
        return _colour_bar(axis, "cividis", farthest, nearest, f"{unit}: {key}", extend="max")
    return _colour_bar(axis, "cividis_r", nearest, farthest, f"depth ({unit}): {key}", extend="both")


def _colour_bar(
    axis: "Axes", cmap: str, low: float, high: float, label: str, extend: str = "neither"
) -> float:
    """Put a colour scale below a picture, its label on the left. Returns where it ends, in inches from below.

    `extend` ("neither", "max" or "both") says beyond which end values take the colour of that end.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    figure, picture = axis.figure, axis.get_position()
    inch_x, inch_y = 1 / figure.get_size_inches()
    place = [picture.x0 + 0.1 * inch_x, (_FOOTER - 0.2) * inch_y, picture.width - 0.2 * inch_x, 0.1 * inch_y]
    bar_axis = figure.add_axes(place)
    scale = ScalarMappable(Normalize(low, high), cmap)
    bar = figure.colorbar(scale, cax=bar_axis, orientation="horizontal", extend=extend)
    ticks = [low, (low + high) / 2, high]
    bar.set_ticks(ticks, labels=[f"{value:.3g}" for value in ticks])
    bar.outline.set_visible(False)
    bar_axis.set_ylabel(label, rotation=0, ha="right", va="center", labelpad=12)
    return _FOOTER - 0.4


def _caption(figure: "Figure", source: str, below: float) -> None:
    """Say under a figure which data it was drawn from, `below` inches from the figure's lower edge."""
    height = (below - _GAP) / figure.get_figheight()
    figure.text(_LEFT / figure.get_figwidth(), height, source, va="top", fontsize=9, color="0.35")


def _line(axis: "Axes", by_epoch: Mapping[int, float | None], **look) -> None:
    known = {epoch: value for epoch, value in by_epoch.items() if value is not None}
    if known:
        axis.plot(list(known), list(known.values()), marker="o" if len(known) <= 20 else "", **look)


def _epoch_axes(axes: Iterable["Axes"]) -> None:
    from matplotlib.ticker import MaxNLocator

    for axis in axes:
        axis.grid(True)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))


def _loss_label(task: Task) -> str:
    name = getattr(task.loss, "__name__", "loss")
    label = _LOSS_LABELS.get(name, name)
    return f"{label}\n({task.unit})" if name == "l1" and task.unit else label


def _metric_label(task: Task) -> str:
    arrow = "↑" if task.higher_is_better else "↓"
    unit = f"\n({task.unit})" if task.unit else ""
    return f"{_METRIC_LABELS.get(task.headline, task.headline)} {arrow}{unit}"


def _colour(colour: str | tuple) -> str | tuple:
    """A matplotlib colour from one, or from RGB in 0..255."""
    return colour if isinstance(colour, str) else tuple(channel / 255 for channel in colour)
