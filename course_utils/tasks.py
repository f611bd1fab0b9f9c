"""What a task is: how many channels it predicts, its loss, its metrics and how to draw it. Built in chapter 03.

A model is given tasks and reads their name, channels and activation, nothing else; a new kind of task is a new `Task`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils import losses, metrics
from course_utils.labels import VOID, LabelSet, label_set


def identity(raw: Tensor) -> Tensor:
    """The activation of a task whose head's output is the prediction itself."""
    return raw


@dataclass(frozen=True)
class Task:
    """One thing to predict for every pixel.

    Attributes:
        name: unique among the tasks of a model; the key of its predictions.
        channels: how many channels the network predicts for it.
        loss: (prediction [B, channels, H, W], target) -> scalar, 0 with gradient 0 where no pixel is valid.
        metric: () -> a fresh accumulator with `update(prediction, target)` and `compute() -> dict[str, float]`.
        headline: the key of `compute()` that sums the task up in one number.
        higher_is_better: whether a larger headline is a better one.
        draw: a prediction or target of one frame -> RGB float [H, W, 3] in 0..1.
        target: the key of its target in a sample.
        activation: what turns the head's raw output into the prediction.
        unit: of the headline, "" where it has none.
    """

    name: str
    channels: int
    loss: Callable[[Tensor, Tensor], Tensor]
    metric: Callable[[], metrics.Segmentation | metrics.Depth | metrics.Normals]
    headline: str
    higher_is_better: bool
    draw: Callable[[Tensor], np.ndarray]
    target: str
    activation: Callable[[Tensor], Tensor] = identity
    unit: str = ""


def segmentation(classes: int = 7, name: str = "segmentation", target: str = "segmentation") -> Task:
    """Semantic segmentation: a class for every pixel; cross-entropy (the paper's eq. 4); mIoU and pixel accuracy.

    Args:
        classes: any number from 2; 2, 7, 13 and 19 are drawn in the colours of their label set.

    Raises:
        ValueError: fewer than two classes.
    """
    if classes < 2:
        raise ValueError(f"classes: segmentation needs at least 2 classes, got {classes}.")
    metric = partial(metrics.Segmentation, classes)
    draw = partial(draw_classes, colours=class_colours(classes))
    return Task(name, classes, losses.cross_entropy, metric, "mean_iou", True, draw, target)


def depth(inverse: bool = True, name: str = "depth", target: str = "depth") -> Task:
    """Depth of every pixel; mean absolute error as loss (the paper's eq. 5); absolute and relative error as metrics.

    Args:
        inverse: whether the data set gives inverse depth (street scenes: disparity / 65535) or metres (indoors). The
            loss is the same; only the drawing and the unit differ. Nearer is brighter in both.
    """
    draw = partial(draw_depth, nearest=INVERSE_DEPTH_NEAR if inverse else METRES_NEAR,
                   farthest=0.0 if inverse else METRES_FAR)  # fmt: skip
    unit = "inverse depth" if inverse else "m"
    return Task(name, 1, losses.l1, metrics.Depth, "absolute_error", False, draw, target, unit=unit)


def normals(name: str = "normals", target: str = "normals") -> Task:
    """Surface normals; 1 - cosine as loss (the paper's eq. 6); angles in degrees as metrics. Output of unit length."""
    unit_length = partial(F.normalize, dim=1)
    return Task(
        name, 3, losses.cosine, metrics.Normals, "mean_angle", False, draw_normals, target, unit_length, unit="°"
    )


INVERSE_DEPTH_NEAR = 0.25
"""Inverse depth drawn brightest: about 7 m. Less than the data's largest value, so that far things are told apart."""
METRES_NEAR, METRES_FAR = 0.5, 8.0
"""Depths in metres drawn brightest and darkest: the range of an indoor depth camera."""


def class_colours(classes: int) -> LabelSet:
    """Names and colours of any number of classes: the label set's where there is one, a spread of hues otherwise."""
    try:
        return label_set(classes)
    except ValueError:
        from matplotlib import colormaps

        hues = colormaps["turbo"](np.linspace(0.05, 0.95, classes))[:, :3]
        colours = tuple(tuple(int(channel * 255) for channel in colour) for colour in hues)
        return LabelSet(tuple(f"class {number}" for number in range(classes)), colours)


def draw_classes(classes: Tensor, colours: LabelSet) -> np.ndarray:
    """Colour class numbers [H, W], or scores [classes, H, W] by their largest. Void is black. RGB [H, W, 3] in 0..1."""
    if classes.dim() == 3:
        classes = classes.argmax(dim=0)
    table = torch.tensor([*colours.colours, (0, 0, 0)], dtype=torch.float32) / 255  # index VOID = -1: the last
    assert VOID == -1
    return table[classes.cpu()].numpy()


def draw_depth(values: Tensor, nearest: float, farthest: float) -> np.ndarray:
    """Colour depth [1, H, W] or [H, W] from `farthest` (dark) to `nearest` (bright). Exactly 0, invalid, is black."""
    from matplotlib import colormaps

    values = values.detach().cpu().numpy()
    values = values[0] if values.ndim == 3 else values
    brightness = np.clip((values - farthest) / (nearest - farthest), 0, 1)
    return np.where(values[..., None] == 0, 0.0, colormaps["cividis"](brightness)[..., :3]).astype(np.float32)


def draw_normals(vectors: Tensor) -> np.ndarray:
    """Colour normals [3, H, W]: x, y, z in -1..1 become red, green, blue in 0..1. Zero vectors, invalid, are black."""
    vectors = vectors.detach().cpu()
    valid = vectors.square().sum(dim=0, keepdim=True) > 0
    return torch.where(valid, (vectors + 1) / 2, 0.0).clamp(0, 1).permute(1, 2, 0).numpy()
