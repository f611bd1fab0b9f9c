"""Metrics, pooled over every pixel of a data set: feed batches with `update`, read the result with `compute`.

Pooling matters: the mean of per-image (or per-batch) means weighs the pixels of images with few valid ones more.
Built in chapter 03. Each `compute` gives NaN where no valid pixel was seen, since there is then nothing to say.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.labels import VOID


class Segmentation:
    """Mean intersection over union and pixel accuracy, from one confusion matrix.

    IoU of class c = n_cc / (row_c + column_c - n_cc), where n_ij counts the pixels of class i predicted as j. A class
    that occurs neither in truth nor in prediction has no IoU and is left out of the mean.

    Attributes:
        confusion: int64 [classes, classes], rows are the truth.
    """

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.confusion = torch.zeros(classes, classes, dtype=torch.int64)

    @torch.no_grad()
    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch: scores [B, classes, H, W] and class numbers [B, H, W], -1 is void."""
        valid = target != VOID
        pairs = (target * self.classes + prediction.argmax(dim=1))[valid]
        counts = torch.bincount(pairs, minlength=self.classes**2)
        self.confusion += counts.view(self.classes, self.classes).cpu()

    def iou(self) -> Tensor:
        """IoU of each class, float64 [classes], 0..1; NaN for a class that occurs nowhere."""
        hits = self.confusion.diagonal().double()
        union = self.confusion.sum(dim=0) + self.confusion.sum(dim=1) - hits
        return hits / union

    def compute(self) -> dict[str, float]:
        """`mean_iou` and `pixel_accuracy`, both 0..1, higher is better."""
        accuracy = self.confusion.diagonal().sum() / self.confusion.sum().double()
        return {"mean_iou": self.iou().nanmean().item(), "pixel_accuracy": accuracy.item()}


class Depth:
    """Mean absolute and mean relative error over the pixels whose target is not 0."""

    def __init__(self) -> None:
        self.absolute = torch.zeros((), dtype=torch.float64)
        self.relative = torch.zeros((), dtype=torch.float64)
        self.count = 0

    @torch.no_grad()
    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch: prediction and target [B, 1, H, W] in the same unit; a target of 0 is invalid."""
        valid = target != 0
        error = (prediction.double() - target).abs()
        self.absolute += torch.where(valid, error, 0.0).sum().cpu()
        self.relative += torch.where(valid, error / target.abs(), 0.0).sum().cpu()
        self.count += int(valid.sum())

    def compute(self) -> dict[str, float]:
        """`absolute_error` in the target's unit and `relative_error` (no unit), lower is better."""
        count = self.count or float("nan")
        return {"absolute_error": self.absolute.item() / count, "relative_error": self.relative.item() / count}


class Normals:
    """The angle between predicted and true surface normal, in degrees, over the pixels with a valid target.

    Attributes:
        histogram: counts of angles in bins of 0.01 degrees, from which the median is read to half a bin. It takes the
            place of all the angles, of which a validation set has tens of millions.
    """

    THRESHOLDS = {"within_11_25": 11.25, "within_22_5": 22.5, "within_30": 30.0}
    BIN = 0.01

    def __init__(self) -> None:
        self.angles = torch.zeros((), dtype=torch.float64)
        self.within = dict.fromkeys(self.THRESHOLDS, 0)
        self.histogram = torch.zeros(round(180 / self.BIN), dtype=torch.int64)

    @torch.no_grad()
    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add a batch: vectors [B, 3, H, W] of any length; a target of zero length is invalid."""
        valid = target.square().sum(dim=1) > 0
        degrees = _angle(prediction, target)[valid]
        self.angles += degrees.double().sum().cpu()
        for name, threshold in self.THRESHOLDS.items():
            self.within[name] += int((degrees < threshold).sum())
        bins = (degrees / self.BIN).long().clamp(max=len(self.histogram) - 1)
        self.histogram += torch.bincount(bins, minlength=len(self.histogram)).cpu()

    def compute(self) -> dict[str, float]:
        """`mean_angle`, `median_angle` in degrees, lower is better; `within_11_25`, … as shares 0..1."""
        count = int(self.histogram.sum()) or float("nan")
        shares = {name: hits / count for name, hits in self.within.items()}
        return {"mean_angle": self.angles.item() / count, "median_angle": self._median(), **shares}

    def _median(self) -> float:
        cumulative = self.histogram.cumsum(dim=0)
        if cumulative[-1] == 0:
            return float("nan")
        middle = int(torch.searchsorted(cumulative, (cumulative[-1] + 1) // 2))
        return (middle + 0.5) * self.BIN


def _angle(first: Tensor, second: Tensor) -> Tensor:
    """Angle between vectors along dim 1, degrees. 2 atan2(|a - b|, |a + b|) is exact near 0, where arccos is not."""
    first, second = F.normalize(first.float(), dim=1), F.normalize(second.float(), dim=1)
    return torch.rad2deg(2 * torch.atan2((first - second).norm(dim=1), (first + second).norm(dim=1)))
