"""The losses of the three dense tasks: the paper's equations 4 to 6, averaged over valid pixels only.

Each is a scalar that is 0, with gradient 0, where no pixel of the batch is valid. What a network predicts at an
invalid pixel, be it infinite, reaches neither the loss nor its gradient. Built in chapter 03.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.labels import VOID


def cross_entropy(prediction: Tensor, target: Tensor) -> Tensor:
    """Segmentation: the mean of -log softmax(prediction)[target] over the pixels that are not void.

    Args:
        prediction: scores before the softmax, [B, classes, H, W].
        target: class numbers, int64 [B, H, W]; -1 is void.

    Raises:
        ValueError: the shapes do not belong together.
    """
    _check_shapes("cross_entropy", prediction, target, (prediction.shape[0], *prediction.shape[2:]))
    valid = target != VOID
    prediction = torch.where(valid.unsqueeze(1), prediction, 0.0)
    return _mean_over_valid(F.cross_entropy(prediction, target, ignore_index=VOID, reduction="none"), valid)


def l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Depth: the mean of |prediction - target| over the pixels whose target is not 0.

    Args:
        prediction, target: depth or inverse depth, float [B, 1, H, W]; a target of 0 is invalid.

    Raises:
        ValueError: the shapes differ.
    """
    _check_shapes("l1", prediction, target, prediction.shape)
    return _mean_over_valid((prediction - target).abs(), valid=target != 0)


def cosine(prediction: Tensor, target: Tensor) -> Tensor:
    """Surface normals: 1 - the mean cosine of the angle between prediction and target.

    The paper maximises the dot product of unit vectors; the 1 makes the loss 0 where all agree.

    Args:
        prediction, target: vectors [B, 3, H, W]; a target of zero length is invalid. A target such as
            (1, -1, 0) / sqrt(2) is valid although its components sum to 0. A prediction of zero length has
            cosine 0, and gradient 0, since it points nowhere.

    Raises:
        ValueError: the shapes differ.
    """
    _check_shapes("cosine", prediction, target, prediction.shape)
    valid = target.square().sum(dim=1) > 0
    # Where two directions cannot be compared any vector will do: its cosine, and its gradient, are not selected.
    comparable = valid & (prediction.square().sum(dim=1) > 0)
    prediction = torch.where(comparable.unsqueeze(1), prediction, 1.0)
    similarity = torch.where(comparable, F.cosine_similarity(prediction, target, dim=1), 0.0)
    return _mean_over_valid(1 - similarity, valid)


def _mean_over_valid(errors: Tensor, valid: Tensor) -> Tensor:
    # Selecting (not multiplying by 0) keeps an infinity at an invalid pixel out; clamping keeps 0 / 0 out; half
    # precision ends at 65504, which the sum over a batch's pixels soon passes.
    precision = torch.promote_types(errors.dtype, torch.float32)
    return torch.where(valid, errors, 0.0).sum(dtype=precision) / valid.sum().clamp(min=1)


def _check_shapes(loss: str, prediction: Tensor, target: Tensor, expected: tuple[int, ...]) -> None:
    if prediction.dim() != 4 or target.shape != expected:
        raise ValueError(
            f"{loss}: prediction has shape {list(prediction.shape)} and target {list(target.shape)}; "
            f"expected a prediction [B, channels, H, W] and, for this one, a target {list(expected)}."
        )
