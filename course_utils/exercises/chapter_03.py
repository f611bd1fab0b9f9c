"""Chapter 03, two tasks: what its exercises expect and what its predictions explain."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils import losses, metrics, tasks
from course_utils.exercises.exercise import exercise, expect, predict
from course_utils.exercises.expectations import (
    call,
    described,
    expect_callable,
    expect_module_class,
    expect_number,
    expect_tensor,
    expect_value,
    is_close,
)
from course_utils.labels import VOID
from course_utils.models import count_parameters
from course_utils.models.segnet import Decoder, Encoder, SegNet

SIZES = [(2, 5, 7), (3, 4, 9), (1, 6, 5)]
"""Frames, height and width of the batches that the losses are tried on."""

Mistakes = Mapping[str, Tensor | float | list[Tensor]]
"""A hint -> what the mistake that it names would give, or a list of that."""

predict(
    "03.empty_batch",
    {
        "zero": "That is what we want. But zero divided by zero is not zero: a computer calls it nan.",
        "nan": "0 / 0 has no value, and tensors say so with nan, not a number, in place of an error.",
        "infinite": "That would be a number divided by zero. Here the sum of the errors is zero, too.",
        "error": "Plain Python stops at 0 / 0. Tensors go on without a word, which is what makes it dangerous.",
    },
)
predict(
    "03.always_flat",
    "mIoU asks about each class once, however many pixels it has. For one class out of seven the answer is the share "
    "of its pixels, for the six others it is 0.",
    factor=1.5,
    digits=1,
)
predict(
    "03.stray_pixel",
    "Road has 9 / 10. Human was predicted at one pixel and is nowhere true: it occurs in the union, its IoU is 0 / 1, "
    "and it counts as one class of two.",
    within=0.02,
)
predict(
    "03.second_task",
    "A second head, and nothing else: encoder and decoder, over 99 % of the network, are shared.",
    unit="%",
    factor=1.5,
)
predict(
    "03.toy_loss",
    {
        "down": "The total goes down all the way, but its parts need not. Near the end depth's gradient is the longer "
        "one and points away from where segmentation wants to be.",
        "up": "Not from the start: there the two gradients agree (cosine 0.6), so the first steps help both.",
        "down, then up": "At first the two tasks agree. Later depth, with the longer gradient, draws the weights away "
        "from where segmentation wants them.",
        "unchanged": "Both tasks pull at the same two weights. There is no weight that only one of them uses, so no "
        "loss can stay as it is.",
    },
)


def mean_over_valid(errors: Tensor, valid: Tensor) -> Tensor:
    """The mean of the errors where they are valid, 0 where none is."""
    return torch.where(valid, errors, 0.0).sum() / valid.sum().clamp(min=1)


def confusion_matrix(prediction: Tensor, target: Tensor, classes: int) -> Tensor:
    """Counts of (true class, predicted class) over the pixels that are not void, int64 [classes, classes]."""
    pairs = (target * classes + prediction)[target != VOID]
    return torch.bincount(pairs, minlength=classes**2).view(classes, classes)


def iou(confusion: Tensor) -> Tensor:
    """Intersection over union of each class, float64; NaN for a class that occurs nowhere."""
    hits = confusion.diagonal().double()
    return hits / (confusion.sum(dim=0) + confusion.sum(dim=1) - hits)


def two_pictures() -> tuple[Tensor, Tensor]:
    """Confusion matrices of two pictures whose pooled mIoU is below the mean of theirs."""
    return torch.tensor([[10, 0], [0, 0]]), torch.tensor([[9, 0], [1, 0]])


@exercise(
    "03.mean_over_valid",
    "the mean over the valid pixels",
    minutes=5,
    trains="selecting in place of multiplying, and never dividing by zero",
    own=lambda: mean_over_valid,
)
def judge_mean_over_valid(attempt: Any) -> None:
    expect_callable(attempt, ["errors", "valid"])
    for size in [*SIZES, (11,)]:
        errors = torch.rand(size, requires_grad=True)
        valid = _some_valid(*size) if len(size) == 3 else torch.rand(size) < 0.6
        mistakes = {
            "it divides by one pixel too many; an average of equal errors should be that error.": (errors * valid).sum()
            / (valid.sum() + 1),
            **(_wrong_means(errors, valid) if len(size) == 3 else {}),
        }
        otherwise = "the value is not the mean of the errors at the valid pixels."
        _expect_loss(attempt, (errors, valid), mean_over_valid(errors, valid), mistakes, otherwise)
    errors = torch.rand(3, 7, requires_grad=True)
    _expect_silence(attempt, errors, torch.zeros(3, 7, dtype=torch.bool))
    valid = torch.rand(3, 7) < 0.5
    _expect_deaf(attempt, mean_over_valid, errors, valid, ~valid)


@exercise(
    "03.l1",
    "the loss of depth",
    minutes=4,
    trains="turning an equation with a set of pixels into a masked loss",
    own=lambda: losses.l1,
)
def judge_l1(attempt: Any) -> None:
    expect_callable(attempt, ["prediction", "target"])
    for size in SIZES:
        prediction, target, valid = _depths(*size)
        errors = prediction - target
        mistakes = {
            "errors above and below the truth cancel each other; an error has no sign.": [
                mean_over_valid(errors, valid),
                mean_over_valid(errors, valid).abs(),
            ],
            "the errors are squared; the equation takes their absolute values.": mean_over_valid(errors**2, valid),
            **_wrong_means(errors.abs(), valid, _wrong_masks(prediction)),
        }
        otherwise = "the value is not the mean absolute error over the pixels with a true depth."
        _expect_loss(attempt, (prediction, target), losses.l1(prediction, target), mistakes, otherwise)
    prediction, target, valid = _depths(3, 5, 7)
    _expect_silence(attempt, prediction, torch.zeros_like(target))
    _expect_deaf(attempt, losses.l1, prediction, target, ~valid)


@exercise(
    "03.cross_entropy",
    "the loss of segmentation",
    minutes=12,
    trains="the softmax over classes, looking up the true class, void pixels on the way back",
    own=lambda: losses.cross_entropy,
)
def judge_cross_entropy(attempt: Any) -> None:
    expect_callable(attempt, ["prediction", "target"])
    for classes, size in zip((7, 4, 13), SIZES, strict=True):
        prediction, target = _scores(classes, *size)
        mistakes = _wrong_cross_entropies(prediction, target)
        otherwise = "the value is not the mean of -ln(probability of the true class) over the pixels that are not void."
        _expect_loss(attempt, (prediction, target), losses.cross_entropy(prediction, target), mistakes, otherwise)
    prediction, target = _scores(5, 3, 4, 7)
    large = 1000 * prediction.detach()
    expect(
        is_close(call(attempt, large, target), losses.cross_entropy(large, target)),
        "with scores of a thousand the exponential overflows. Is there a function that does softmax and logarithm "
        "in one?",
    )
    _expect_silence(attempt, prediction, torch.full_like(target, VOID))
    _expect_deaf(attempt, losses.cross_entropy, prediction, target, (target == VOID).unsqueeze(1))


@exercise(
    "03.cosine",
    "the loss of surface normals",
    minutes=10,
    trains="the length of a vector as its mask, and what to do with a vector of length 0",
    own=lambda: losses.cosine,
)
def judge_cosine(attempt: Any) -> None:
    expect_callable(attempt, ["prediction", "target"])
    otherwise = "the value is not 1 - the mean cosine over the pixels whose true normal has a length."
    for size in SIZES:
        prediction, target = _normals(*size)
        mistakes = _wrong_cosines(prediction, target)
        _expect_loss(attempt, (prediction, target), losses.cosine(prediction, target), mistakes, otherwise)
    prediction, target = _normals(2, 5, 7)
    _expect_silence(attempt, prediction, torch.zeros_like(target))
    nowhere = target.square().sum(dim=1, keepdim=True) == 0
    _expect_deaf(attempt, losses.cosine, prediction, target, nowhere)
    _expect_zero_vectors(attempt, prediction, target, nowhere)


@exercise(
    "03.confusion_matrix",
    "the confusion matrix",
    minutes=10,
    trains="counting pairs of classes without a loop, rows and columns",
    own=lambda: confusion_matrix,
)
def judge_confusion_matrix(attempt: Any) -> None:
    expect_callable(attempt, ["prediction", "target", "classes"])
    for classes, size, last in ((4, (6, 5), 3), (7, (2, 5, 9), 5), (13, (40,), 13)):
        target, prediction = torch.randint(-1, last, size), torch.randint(0, last, size)
        matrix = call(attempt, prediction, target, classes)
        meaning = f"[{classes}, {classes}] for {classes} classes, also where the last ones do not occur"
        expect_tensor(matrix, "the matrix", shape=[classes, classes], meaning=meaning)
        right = confusion_matrix(prediction, target, classes)
        _expect_counts(matrix, right, _wrong_matrices(prediction, target, classes), int((target != VOID).sum()))
    matrix = call(attempt, torch.randint(0, 4, (3, 5)), torch.full((3, 5), VOID), 4)
    expect_tensor(matrix, "the matrix of a picture that is all void", shape=[4, 4])
    expect(not matrix.any(), "a picture that is all void should leave every count at 0.")


@exercise(
    "03.iou",
    "intersection over union",
    minutes=5,
    trains="reading rows, columns and the diagonal; a class that does not occur",
    own=lambda: iou,
)
def judge_iou(attempt: Any) -> None:
    expect_callable(attempt, ["confusion"])
    for classes in (2, 5, 7):
        confusion = torch.randint(1, 40, (classes, classes))
        found = call(attempt, confusion)
        expect_tensor(found, "the result", shape=[classes], meaning=f"[{classes}], one IoU per class")
        expect(found.is_floating_point(), f"the result has the dtype {found.dtype}; an IoU is a fraction.")
        expect_value(found, iou(confusion), _wrong_ious(confusion), "the values are not hits divided by union.")
    _expect_absent_classes(attempt)


@exercise(
    "03.two_pictures",
    "two pictures that pooling makes worse",
    minutes=5,
    trains="the mean over pictures against one number for all pixels",
    own=lambda: two_pictures,
)
def judge_two_pictures(attempt: Any) -> None:
    expect_callable(attempt, [])
    pictures = call(attempt)
    expect(pictures is not None, "the function returns None. Is a `return` missing?")
    pair = isinstance(pictures, tuple | list) and len(pictures) == 2
    expect(pair, f"expected two confusion matrices, found {described(pictures)}.")
    for place, matrix in zip(("first", "second"), pictures, strict=True):
        expect_tensor(matrix, f"the {place} matrix", shape=[2, 2])
        expect((matrix >= 0).all() and (matrix == matrix.round()).all(), f"the {place} matrix should hold counts.")
    pixels = [int(matrix.sum()) for matrix in pictures]
    expect(pixels == [10, 10], f"the pictures have {pixels[0]} and {pixels[1]} pixels; both should have ten.")
    each = [iou(matrix).nanmean().item() for matrix in pictures]
    mean, pooled = sum(each) / 2, iou(pictures[0] + pictures[1]).nanmean().item()
    numbers = f"the mean over the pictures is {mean:.3f}, pooled it is {pooled:.3f}"
    expect(
        not torch.equal(pictures[0], pictures[1]),
        "the two pictures have the same matrix; then the two ways cannot differ.",
    )
    expect(abs(mean - pooled) > 1e-6, f"{numbers}: the same. What would have to go wrong, and in which of them?")
    expect(pooled < mean, f"{numbers}, the larger number, as in the example.")


@exercise(
    "03.Segmentation",
    "the metric of segmentation",
    minutes=8,
    trains="an accumulator that pools, argmax over the axis of the classes",
    own=lambda: metrics.Segmentation,
)
def judge_segmentation(attempt: Any) -> None:
    _expect_accumulator(attempt, 4)
    # The first scores have four sizes that are equal, so that an argmax over another axis gives a number to recognise.
    for classes, sizes in ((4, [(4, 4, 4)]), (7, [(2, 5, 9), (3, 4, 6), (1, 8, 3)])):
        batches = [_scores(classes, *size) for size in sizes]
        right = _fed(metrics.Segmentation(classes), batches)
        _expect_metrics(lambda classes=classes: attempt(classes), batches, right, _wrong_segmentations(batches, right))
    # Three of the eight classes are never true, and their scores so low that they are never predicted.
    batches = [
        (F.pad(scores, (0, 0, 0, 0, 0, 3), value=-99.0), target)
        for scores, target in (_scores(5, *size) for size in SIZES)
    ]
    right = _fed(metrics.Segmentation(8), batches)
    _expect_metrics(lambda: attempt(8), batches, right, _wrong_absences(right, occurring=5, classes=8))


@exercise(
    "03.Depth",
    "the metric of depth",
    minutes=8,
    trains="the relative error; sums and a count in place of means of means",
    own=lambda: metrics.Depth,
)
def judge_depth(attempt: Any) -> None:
    _expect_accumulator(attempt)
    for sizes in (SIZES, [(2, 5, 7)]):
        # A prediction of 0 would turn a division by the prediction into inf, as other mistakes do.
        depths = [_depths(*size) for size in sizes]
        batches = [(prediction.detach().abs() + 0.05, target) for prediction, target, _ in depths]
        right = _fed(metrics.Depth(), batches)
        _expect_metrics(attempt, batches, right, _wrong_depths(batches, right))


@exercise(
    "03.Split",
    "hard parameter sharing",
    minutes=12,
    trains="one encoder and one decoder for all tasks, one head for each, heads that PyTorch knows of",
    own=lambda: SegNet,
)
def judge_split(attempt: Any) -> None:
    expect_module_class(attempt)
    _expect_parameters(["todo", "width"], attempt)
    everything = [tasks.normals(), tasks.segmentation(7), tasks.depth()]
    choices = [everything, everything[:1], everything[1:]]
    for todo, size in zip(choices, [(2, 3, 33, 40), (3, 3, 20, 36), (2, 3, 40, 33)], strict=True):
        network = attempt(todo, width=1 / 32)
        _expect_predictions(network, todo, torch.rand(size))
        _expect_shared(network, todo)
        _expect_gradients_to_encoder(network, todo, torch.rand(size))
        _expect_same_as_package(network, todo, torch.rand(size))


# Batches to try a loss or a metric on


def _some_valid(frames: int, height: int, width: int) -> Tensor:
    """Pixels with a truth. Their share differs from frame to frame, so that a mean of frames is another number."""
    share = torch.linspace(0.35, 0.9, frames).view(-1, 1, 1)
    valid = torch.rand(frames, height, width) < share
    valid[:, 0, 0] = True
    return valid


def _depths(frames: int, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """(prediction, target, valid), each [B, 1, H, W]. Some predictions are 0 or negative, where that is wrong."""
    valid = _some_valid(frames, height, width).unsqueeze(1)
    target = (torch.rand(frames, 1, height, width) + 0.05) * valid
    prediction = torch.rand(frames, 1, height, width) * 1.5 - 0.3
    prediction[torch.rand(prediction.shape) < 0.2] = 0
    return prediction.requires_grad_(), target, valid


def _scores(classes: int, frames: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """(scores, classes), the true class often enough the one with the highest score."""
    valid = _some_valid(frames, height, width)
    target = torch.where(valid, torch.randint(0, classes, (frames, height, width)), VOID)
    scores = torch.randn(frames, classes, height, width)
    scores += 1.5 * F.one_hot(target.clamp(min=0), classes).movedim(-1, 1) * valid.unsqueeze(1)
    return scores.requires_grad_(), target


def _normals(frames: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """(vectors of any length, unit vectors). Of the true ones some lie along an axis, and some have components that
    sum to 0."""
    valid = _some_valid(frames, height, width).unsqueeze(1)
    target = F.normalize(torch.randn(frames, 3, height, width), dim=1)
    cancel = torch.tensor([2.0, 1, -3]) * 17515 / 2**16  # of length 1, and exact, so that every order of adding gives 0
    upright = torch.tensor([0.0, 1, 0])
    for share, vector in ((0.25, cancel), (0.25, upright)):
        target = torch.where(torch.rand(valid.shape) < share, vector.view(1, 3, 1, 1), target)
    target = target * valid
    prediction = (target + 0.7 * torch.randn(target.shape)) * (0.3 + 2 * torch.rand(valid.shape))
    return prediction.requires_grad_(), target


# Losses


def _expect_loss(attempt: Callable, given: tuple[Tensor, ...], right: Tensor, mistakes: Mistakes, other: str) -> None:
    """The attempt's scalar is the right one, and so is its gradient at the first of the given tensors."""
    # First without gradients: a change in place is then what `call` notices, and not an error of autograd.
    call(attempt, *(tensor.detach().clone() for tensor in given))
    loss = _scalar(call(attempt, *given))
    expect_value(loss, right, mistakes, other)
    expect(
        loss.requires_grad,
        "no gradient can flow through the loss. Look for detach(), .item(), .data, or torch.no_grad().",
    )
    (found,) = torch.autograd.grad(loss, given[0])
    (wanted,) = torch.autograd.grad(right, given[0])
    expect(is_close(found, wanted), "the loss is right, but its gradient is not. Is a part of it detached or rounded?")


def _scalar(loss: Any) -> Tensor:
    expect(
        not isinstance(loss, int | float),
        "the result is a plain number; it should stay a tensor, through which a gradient can flow.",
    )
    expect_tensor(loss, "the result", shape=[], meaning="a single number, shape []")
    return loss


def _expect_silence(attempt: Callable, prediction: Tensor, target: Tensor) -> None:
    """Where nothing is valid, the loss is 0 and so is its gradient."""
    loss = call(attempt, prediction, target)
    where = "in a batch without a single valid pixel"
    expect(isinstance(loss, Tensor), f"{where} the result is {described(loss)}; expected a tensor, as elsewhere.")
    expect(not loss.isnan(), f"{where} the loss is nan. What is divided by what there?")
    expect(loss == 0, f"{where} the loss is {loss:.3g}; with nothing to learn from it should be 0.")
    expect(loss.requires_grad, f"{where} the loss is cut off from its input, and backward() would fail.")
    (gradient,) = torch.autograd.grad(loss, prediction)
    expect(not gradient.any(), f"{where} the loss is 0, but its gradient is {_in_words(gradient)}; expected 0.")


def _expect_deaf(attempt: Callable, own: Callable, prediction: Tensor, target: Tensor, invalid: Tensor) -> None:
    """An infinite prediction at invalid pixels reaches neither the loss nor its gradient."""
    wild = torch.where(invalid, torch.inf, prediction.detach()).requires_grad_()
    loss = call(attempt, wild, target)
    what = "an infinite value at a pixel that is not valid"
    expect(loss.isfinite(), f"{what} turns the loss into {loss.item()}. A product with 0 does not keep it out.")
    expect(is_close(loss, own(wild, target)), f"{what} changes the loss.")
    (gradient,) = torch.autograd.grad(loss, wild)
    expect(
        gradient.isfinite().all(),
        f"{what} leaves the loss as it is, but turns its gradient into nan. On the way back a later selection comes "
        "too late.",
    )
    (wanted,) = torch.autograd.grad(own(wild, target), wild)
    expect(is_close(gradient, wanted), f"{what} changes the gradient.")


def _expect_zero_vectors(attempt: Callable, prediction: Tensor, target: Tensor, nowhere: Tensor) -> None:
    """A predicted vector of length 0 counts with cosine 0 and leaves no nan."""
    some = (torch.rand(nowhere.shape) < 0.3) & ~nowhere
    some[:, :, 0, 0] = True
    pointing = torch.where(some, 0.0, prediction.detach()).requires_grad_()
    loss = call(attempt, pointing, target)
    what = "where the network predicts a vector of length 0"
    expect(not loss.isnan(), f"{what}, the loss is nan. What is it divided by there?")
    mistakes = {
        f"{what}, the pixel is left out; the mask should come from the truth alone.": losses.cosine(
            pointing, target * ~some
        ),
        f"{what}, the pixel counts as if the direction were right; it should have cosine 0.": losses.cosine(
            torch.where(some, target, pointing), target
        ),
    }
    expect_value(loss, losses.cosine(pointing, target), mistakes, f"{what}, the cosine should count as 0.")
    (gradient,) = torch.autograd.grad(loss, pointing)
    expect(gradient.isfinite().all(), f"{what}, the loss is finite, but its gradient is not.")


def _wrong_means(errors: Tensor, valid: Tensor, masks: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """A hint -> the errors [B, ...] averaged in the wrong way that it names, or over a wrong mask."""
    frames = [frame[chosen].mean() for frame, chosen in zip(errors, valid, strict=True)]
    chosen = torch.where(valid, errors, 0.0).sum()
    wrong = {
        "the pixels without a truth count, too; the mean should run over the valid ones only.": errors.mean(),
        "the errors are masked, but their sum is divided by the number of all pixels.": chosen / valid.numel(),
        "it is the sum over the valid pixels, not their mean.": chosen,
        "each frame counts the same; each valid pixel of the whole batch should.": torch.stack(frames).mean(),
        "the mask is upside down: it averages over the pixels that have no truth.": errors[~valid].mean(),
        "the loss is negative where it should be positive.": -chosen / valid.sum(),
    }
    return wrong | {hint: errors[mask].mean() for hint, mask in (masks or {}).items()}


def _wrong_masks(prediction: Tensor) -> dict[str, Tensor]:
    hint = "the mask is made from the prediction; only the truth can say {} a pixel has one."
    return {hint.format("whether"): prediction != 0, hint.format("where"): prediction > 0}


def _wrong_cross_entropies(scores: Tensor, target: Tensor) -> dict[str, Tensor]:
    valid, true_class = target != VOID, target.clamp(min=0).unsqueeze(1)

    def mean_of(values: Tensor) -> Tensor:
        return -mean_over_valid(values.gather(1, true_class).squeeze(1), valid)

    probabilities = scores.softmax(dim=1)
    errors = -scores.log_softmax(dim=1).gather(1, true_class).squeeze(1)
    not_first = target > 0
    axis = "the softmax runs over the wrong axis; the probabilities of one pixel's classes should sum to 1{}"
    return {
        "the scores are taken as they are; they have to become probabilities first.": mean_of(scores),
        "the softmax is taken twice; is it already a part of a function that you use?": mean_of(
            probabilities.log_softmax(dim=1)
        ),
        "the logarithm is missing: it is the mean of the negative probabilities.": mean_of(probabilities),
        "the logarithm is missing: it is 1 - the mean probability.": 1 + mean_of(probabilities),
        "class 0 is left out; it is a class like any other. Which number is void?": errors[not_first].mean(),
        axis.format("."): mean_of(scores.log_softmax(dim=0)),
        axis.format(" (not those of one row or column)."): mean_of(scores.log_softmax(dim=2)),
        axis.format(" (not those along the last axis)."): mean_of(scores.log_softmax(dim=3)),
        "it is averaged over the classes as well as over the pixels.": mean_over_valid(errors, valid) / scores.shape[1],
        **_wrong_means(errors, valid),
    }


def _wrong_cosines(prediction: Tensor, target: Tensor) -> dict[str, Tensor]:
    valid = target.square().sum(dim=1) > 0
    similarity = F.cosine_similarity(prediction, target, dim=1)
    mean, product = mean_over_valid(similarity, valid), (prediction * target).sum(dim=1)
    return {
        "some valid normals are left out: components that cancel are not a vector of length 0.": 1
        - mean_over_valid(similarity, target.sum(dim=1) != 0),
        "some valid normals are left out: one component that is 0 is not a vector of length 0.": 1
        - mean_over_valid(similarity, (target != 0).all(dim=1)),
        "some valid normals are left out: a component may be negative.": 1
        - mean_over_valid(similarity, target.sum(dim=1) > 0),
        "it is the mean cosine itself; equal directions should cost nothing.": mean,
        "it is the negative mean cosine; equal directions should cost nothing.": -mean,
        "the dot product is not divided by the lengths: a longer vector gets a lower loss.": 1
        - mean_over_valid(product, valid),
        "each of the three components counts as a pixel of its own.": 1 - mean / 3,
        **_wrong_means(1 - similarity, valid),
    }


# Metrics


def _expect_counts(matrix: Tensor, right: Tensor, mistakes: Mistakes, valid: int) -> None:
    if torch.equal(matrix.double(), right.double()):
        mistakes = {}
    for hint, wrong in mistakes.items():
        expect(not any(is_close(matrix, each) for each in (wrong if isinstance(wrong, list) else [wrong])), hint)
    expect(
        int(matrix.sum()) == valid,
        f"the entries sum to {matrix.sum():.4g}; there are {valid} valid pixels, and each is one pair.",
    )
    expect(torch.equal(matrix.double(), right.double()), "the entries sum to the right number, but some are misplaced.")
    expect(not matrix.is_floating_point(), f"the matrix has the dtype {matrix.dtype}; counts are whole numbers.")


def _wrong_matrices(prediction: Tensor, target: Tensor, classes: int) -> dict[str, Tensor]:
    right = confusion_matrix(prediction, target, classes)
    return {
        "rows and columns are swapped; a row should hold the pixels of one true class.": right.T,
        "void pixels are counted, as if they were of class 0.": confusion_matrix(
            prediction, target.clamp(min=0), classes
        ),
        "void pixels are counted, as if they were of the last class: index -1 means the last entry.": confusion_matrix(
            prediction, target % classes, classes
        ),
        "only the hits are counted; a wrong pixel belongs into the matrix, too.": right * torch.eye(classes),
        "the entries are shares of all pixels; they should be counts.": right / right.sum(),
        "the entries are shares of their row; they should be counts.": right / right.sum(dim=1, keepdim=True).clamp(1),
        "every pair is counted in both directions.": right + right.T,
        "the matrix only says which pairs occur, not how often. Adding at an index that occurs twice adds once.": [
            (matrix > 0).double()
            for matrix in (right, confusion_matrix(prediction, target % classes, classes))  # void counted, or not
        ],
    }


def _wrong_ious(confusion: Tensor) -> dict[str, Tensor]:
    hits, true, predicted = confusion.diagonal().double(), confusion.sum(dim=1), confusion.sum(dim=0)
    return {
        "the pixels in both are counted twice in the union.": hits / (true + predicted),
        "it is twice the hits divided by both counts, the Dice score; the union counts each pixel once.": 2
        * hits
        / (true + predicted),
        "it is divided by the true pixels only; a pixel that is claimed wrongly should cost, too.": hits / true,
        "it is divided by the predicted pixels only; a pixel that is missed should cost, too.": hits / predicted,
        "the hits are taken off the union twice: they should be in it once.": hits / (true + predicted - 2 * hits),
        "it is divided by the number of all pixels; a class's union is only a part of them.": hits / confusion.sum(),
        "it is in per cent; expected fractions from 0 to 1.": 100 * iou(confusion),
    }


def _expect_absent_classes(attempt: Callable) -> None:
    confusion = torch.tensor([[5, 2, 0, 0, 1], [0, 3, 0, 0, 4], [0, 0, 0, 0, 0], [1, 2, 0, 0, 0], [0, 0, 0, 0, 0]])
    found = call(attempt, confusion)  # class 2 occurs nowhere, 3 is never predicted, 4 is never true
    expect_tensor(torch.as_tensor(found).nan_to_num(), "the result", shape=[5], meaning="[5], one IoU per class")
    expect(
        not found[[0, 1]].isnan().any(),
        "one class that occurs nowhere spoils the IoU of the others; it should be NaN at its own place only.",
    )
    expect(
        not found[[3, 4]].isnan().any(),
        "a class without a hit gets NaN; if it occurs in truth or prediction, it has a union, and its IoU is a number.",
    )
    expect(
        found[2].isnan(),
        f"a class that occurs neither in truth nor in prediction gets {found[2]:.3g}; expected NaN, so that the mean "
        "can leave it out.",
    )
    expect(is_close(found.nan_to_num(-1), iou(confusion).nan_to_num(-1)), "classes that occur rarely get a wrong IoU.")


Batches = list[tuple[Tensor, Tensor]]
Wrong = Mapping[str, Mistakes]
"""The name of a metric -> the mistakes that it is known for."""


def _expect_accumulator(attempt: Any, *arguments: Any) -> None:
    expect(isinstance(attempt, type), f"expected a class with update and compute, found {described(attempt)}.")
    fresh = attempt(*arguments)
    for method in ("update", "compute"):
        expect(callable(getattr(fresh, method, None)), f"the class {attempt.__name__} has no method {method}.")


def _fed(metric: Any, batches: Batches) -> dict[str, float]:
    """What a metric says after the batches."""
    for prediction, target in batches:
        metric.update(prediction, target)
    return metric.compute()


def _expect_metrics(make: Callable[[], Any], batches: Batches, right: Mapping[str, float], wrong: Wrong) -> None:
    """Fed with the batches, a metric that the student's class makes gives the right numbers."""
    metric, other = make(), make()
    for prediction, target in batches:
        call(metric.update, prediction.detach(), target)
    found = call(metric.compute)
    expect(found is not None, "compute gives None. Is a `return` missing?")
    expect(isinstance(found, Mapping), f"compute gives {described(found)}; expected a dict from name to number.")
    missing = [name for name in right if name not in found]
    expect(
        not missing, f"compute's dict has no {', '.join(missing)}; it has {', '.join(map(str, found)) or 'nothing'}."
    )
    values = {name: _finite_number(found[name], name, wrong[name]) for name in right}

    def unchanged() -> bool:
        again = call(metric.compute)
        return again.keys() == found.keys() and all(is_close(float(again[name]), values[name]) for name in right)

    stays = unchanged()
    prediction, target = batches[0]
    call(other.update, -prediction.detach(), target)
    expect(
        unchanged() or not stays,
        "two metrics share their numbers: what one of them sees changes the result of the other. What belongs to one "
        "metric is made in __init__.",
    )
    for name, number in right.items():
        expect_value(values[name], number, wrong[name], f"{name} is not the one of all valid pixels together.")
    expect(stays, "a second call of compute gives another result; it should only read what update has kept.")


def _finite_number(value: Any, name: str, mistakes: Mistakes) -> float:
    """The value as a float. Where it is nan or infinite, the hint of the mistake that is known to give nan."""
    single = isinstance(value, float) or (isinstance(value, Tensor) and value.numel() == 1)
    if single and not math.isfinite(value):
        for hint, expected in mistakes.items():
            expect(not math.isnan(expected), hint)
    return expect_number(value, name)


def _wrong_poolings(name: str, number: float, batches: Batches, metric: Callable) -> dict[str, float]:
    """What comes out if batches or images are averaged, or forgotten."""
    frames = [(prediction[i : i + 1], target[i : i + 1]) for prediction, target in batches for i in range(len(target))]
    of_batches = [_fed(metric(), [batch])[name] for batch in batches]
    of_frames = [_fed(metric(), [frame])[name] for frame in frames]
    return {
        f"{name} is that of the last batch only; update should add to what it has seen.": of_batches[-1],
        f"{name} is the mean over batches; each valid pixel should count the same.": _mean(of_batches),
        f"{name} is the mean over images; each valid pixel should count the same.": _mean(of_frames),
        f"{name} is in per cent; expected a fraction.": 100 * number,
    }


def _wrong_segmentations(batches: Batches, right: Mapping[str, float]) -> Wrong:
    classes = batches[0][0].shape[1]
    pooled = {
        name: _wrong_poolings(name, number, batches, lambda: metrics.Segmentation(classes))
        | {hint: wrong[name] for hint, wrong in _wrong_axes(batches).items()}
        for name, number in right.items()
    }
    matrix = sum(confusion_matrix(scores.argmax(dim=1), target, classes) for scores, target in batches)
    hits, pixels = matrix.diagonal(), sum(target.numel() for _, target in batches)
    of_classes = (hits / matrix.sum(dim=1)).nanmean().item()
    accuracy = {
        "pixel_accuracy is the share of all pixels; void ones should not count.": (hits.sum() / pixels).item(),
        "pixel_accuracy counts each class the same; each pixel should count the same.": of_classes,
        "pixel_accuracy is the number of hits; expected their share.": float(hits.sum()),
    }
    return {"mean_iou": pooled["mean_iou"], "pixel_accuracy": pooled["pixel_accuracy"] | accuracy}


def _wrong_axes(batches: Batches) -> dict[str, dict[str, float]]:
    """What an argmax over another axis gives; nothing where the sizes differ, for there PyTorch itself complains."""
    if any(len(set(scores.shape)) > 1 for scores, _ in batches):
        return {}
    hint = "the argmax runs over axis {}; which axis of [B, classes, H, W] holds the classes?"
    classes = batches[0][0].shape[1]
    return {
        hint.format(axis): _fed(
            metrics.Segmentation(classes), [(scores.movedim(axis, 1), target) for scores, target in batches]
        )
        for axis in (0, 2, 3)
    }


def _wrong_absences(right: Mapping[str, float], occurring: int, classes: int) -> Wrong:
    """Mistakes that show where some of the classes occur nowhere."""
    total = right["mean_iou"] * occurring
    what = "a class that occurs nowhere"
    mean_iou = {
        f"{what} turns mean_iou into nan; leave it out of the mean.": math.nan,
        f"{what} counts as an IoU of 0; leave it out of the mean.": total / classes,
        f"{what} counts as an IoU of 1; leave it out of the mean.": (total + classes - occurring) / classes,
    }
    return {"mean_iou": mean_iou, "pixel_accuracy": {}}


def _wrong_depths(batches: Batches, right: Mapping[str, float]) -> Wrong:
    prediction, target = (torch.cat([batch[i].detach().flatten() for batch in batches]).double() for i in (0, 1))
    valid = target != 0
    signed, truth, guessed = (prediction - target)[valid], target[valid], prediction[valid]
    cancel = "errors above and below the truth cancel in {}."
    by_prediction = "relative_error is relative to the prediction; it should be relative to the {}."
    own = {
        "absolute_error": {
            cancel.format("absolute_error"): signed.mean().item(),
            "absolute_error is the one of relative_error; are the two swapped?": right["relative_error"],
            "the pixels without a truth count in absolute_error, too.": (prediction - target).abs().mean().item(),
            "absolute_error is a mean of squares.": signed.square().mean().item(),
        },
        "relative_error": {
            cancel.format("relative_error"): (signed / truth).mean().item(),
            "relative_error is one ratio of two sums; every pixel should have a ratio of its own.": (
                signed.abs().sum() / truth.sum()
            ).item(),
            by_prediction.format("truth"): (signed / guessed).abs().mean().item(),
            by_prediction.format("true depth"): (signed.abs() / guessed).mean().item(),
            "relative_error is not finite. What is an invalid pixel divided by?": math.nan,
        },
    }
    count = len(truth)
    return {
        name: own[name]
        | _wrong_poolings(name, number, batches, metrics.Depth)
        | {
            f"{name} is divided by the number of all pixels, not of the valid ones.": number * count / len(target),
            f"{name} is a sum over pixels; expected a mean.": number * count,
            f"{name} is divided by the number of batches, not of valid pixels.": number * count / len(batches),
        }
        for name, number in right.items()
    }


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _in_words(gradient: Tensor) -> str:
    return "nan" if gradient.isnan().any() else "not 0"


# Hard sharing


def _expect_parameters(names: list[str], attempt: type) -> None:
    expect(
        attempt.__init__ is not nn.Module.__init__, "the class has no __init__ of its own; leave the given lines there."
    )
    expect_callable(attempt, names)


def _expect_predictions(network: nn.Module, todo: list[tasks.Task], images: Tensor) -> None:
    frames, _, height, width = images.shape
    predictions = call(network, images)
    expect(predictions is not None, "forward gives None. Is a `return` missing?")
    expect(
        isinstance(predictions, Mapping),
        f"forward gives {described(predictions)}; expected a dict with one prediction for each task.",
    )
    names = [task.name for task in todo]
    expect(
        set(predictions) == set(names),
        f"for the tasks {', '.join(names)} the dict has the keys {', '.join(map(str, predictions)) or 'none'}.",
    )
    for task in todo:
        meaning = f"{[frames, task.channels, height, width]}, {task.channels} channels at the size of the image"
        expect_tensor(
            predictions[task.name],
            f"the prediction of {task.name}",
            shape=[frames, task.channels, height, width],
            meaning=meaning,
        )


def _expect_shared(network: nn.Module, todo: list[tasks.Task]) -> None:
    """One encoder and one decoder, each run once; heads that are registered; no parameter too many."""
    encoders = [module for module in network.modules() if isinstance(module, Encoder)]
    expect(len(encoders) < 2, f"there are {len(encoders)} encoders for {len(todo)} tasks; the tasks should share one.")
    for kind, what in ((Encoder, "encoder"), (Decoder, "decoder")):
        runs: list[None] = []
        parts = [module for module in network.modules() if isinstance(module, kind)]
        hooks = [part.register_forward_pre_hook(lambda *_, runs=runs: runs.append(None)) for part in parts]
        network(torch.rand(2, 3, 32, 40))
        for hook in hooks:
            hook.remove()
        expect(
            len(parts) > 1 or len(runs) < 2,
            f"the {what} runs {len(runs)} times for one batch; the features are the same for all tasks, once is "
            "enough.",
        )
    own = SegNet(todo, width=1 / 32)
    found, wanted = count_parameters(network), count_parameters(own)
    shared = count_parameters(own.encoder) + count_parameters(own.decoder)
    expect(found > 0, "the network has no parameters at all that PyTorch knows of.")
    expect(
        found != shared,
        "the heads have no parameters that PyTorch knows of: no optimizer would train them. A plain list or dict hides "
        "its modules.",
    )
    expect(
        found >= wanted,
        f"the network has {wanted - found:,} parameters too few for one head per task. What do two tasks share that "
        "they should not?",
    )
    expect(
        found <= wanted,
        f"the network has {found - wanted:,} parameters too many. What is there more than once, or never used?",
    )


def _expect_gradients_to_encoder(network: nn.Module, todo: list[tasks.Task], images: Tensor) -> None:
    encoders = [module for module in network.modules() if isinstance(module, Encoder)]
    predictions = network(images)
    for task in todo:
        prediction = predictions[task.name]
        first = [next(encoder.parameters()) for encoder in encoders]
        reached = prediction.requires_grad and any(
            gradient is not None
            for gradient in torch.autograd.grad(prediction.sum(), first, allow_unused=True, retain_graph=True)
        )
        expect(
            reached or not encoders,
            f"no gradient of {task.name} reaches the encoder; both tasks should shape what they share.",
        )


def _expect_same_as_package(network: nn.Module, todo: list[tasks.Task], images: Tensor) -> None:
    own = SegNet(todo, width=1 / 32)
    names = {name.split(".")[0] for name in own.state_dict()}
    expect(
        network.state_dict().keys() == own.state_dict().keys(),
        f"the parts have other names than {', '.join(sorted(names))}, or a head is not found under its task's name; "
        "then saved weights do not fit.",
    )
    own.load_state_dict(network.state_dict())
    network.train(), own.train()
    expected, found = own(images), network(images)
    for task in todo:
        expect(
            is_close(found[task.name], expected[task.name], 1e-4),
            f"the prediction of {task.name} is not what its own head makes of the decoder's features.",
        )
