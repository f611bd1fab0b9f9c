"""Attempts at the exercises of chapter 03."""

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.models.segnet import Decoder, Encoder, Head, filters_at, initialise
from tests.exercises.attempts import right, wrong

VOID = -1


def mean_over_valid(errors, valid):
    return torch.where(valid, errors, 0.0).sum() / valid.sum().clamp(min=1)


def confusion_matrix(prediction, target, classes):
    pairs = (target * classes + prediction)[target != VOID]
    return torch.bincount(pairs, minlength=classes**2).view(classes, classes)


def iou(confusion):
    hits = confusion.diagonal().double()
    return hits / (confusion.sum(dim=0) + confusion.sum(dim=1) - hits)


# 03.mean_over_valid


@wrong("03.mean_over_valid", "0 / 0", "the loss is nan")
def _(errors, valid):
    return errors[valid].mean()


@wrong("03.mean_over_valid", "times 0", "into nan")
def _(errors, valid):
    return (errors * valid).sum() / valid.sum().clamp(min=1)


@wrong("03.mean_over_valid", "divided by all pixels", "the number of all pixels")
def _(errors, valid):
    return torch.where(valid, errors, 0.0).mean()


@wrong("03.mean_over_valid", "one added below the line", "one pixel too many")
def _(errors, valid):
    return torch.where(valid, errors, 0.0).sum() / (valid.sum() + 1)


@wrong("03.mean_over_valid", "a special case without a gradient", "cut off")
def _(errors, valid):
    if valid.sum() == 0:
        return torch.tensor(0.0)
    return errors[valid].mean()


@wrong("03.mean_over_valid", "a plain number", "plain number")
def _(errors, valid):
    return errors[valid].mean().item() if valid.any() else 0.0


@wrong("03.mean_over_valid", "not averaged", "shape [2, 5, 7]")
def _(errors, valid):
    return torch.where(valid, errors, 0.0) / valid.sum().clamp(min=1)


@wrong("03.mean_over_valid", "the sum", "not their mean")
def _(errors, valid):
    return torch.where(valid, errors, 0.0).sum()


@wrong("03.mean_over_valid", "where the wrong way round", "upside down")
def _(errors, valid):
    return torch.where(valid, 0.0, errors).sum() / (~valid).sum().clamp(min=1)


@wrong("03.mean_over_valid", "errors overwritten", "changed afterwards")
def _(errors, valid):
    errors.data[~valid] = 0.0
    return errors.sum() / valid.sum().clamp(min=1)


@wrong("03.mean_over_valid", "the errors themselves overwritten", "changed afterwards")
def _(errors, valid):
    errors[~valid] = 0
    return errors.sum() / valid.sum().clamp(min=1)


@right("03.mean_over_valid", "by index")
def _(errors, valid):
    return errors[valid].sum() / max(int(valid.sum()), 1)


@right("03.mean_over_valid", "a special case with a gradient")
def _(errors, valid):
    if not valid.any():
        return errors[valid].sum()
    return errors.masked_select(valid).mean()


@right("03.mean_over_valid", "a tiny number below the line")
def _(errors, valid):
    return errors.masked_fill(~valid, 0).sum() / (valid.sum() + 1e-8)


# 03.l1


@wrong("03.l1", "F.l1_loss as it is", "without a truth count, too")
def _(prediction, target):
    return F.l1_loss(prediction, target)


@wrong("03.l1", "mask from the prediction", "made from the prediction")
def _(prediction, target):
    return mean_over_valid((prediction - target).abs(), prediction != 0)


@wrong("03.l1", "mask of positive predictions", "made from the prediction")
def _(prediction, target):
    return mean_over_valid((prediction - target).abs(), prediction > 0)


@wrong("03.l1", "no absolute value", "no sign")
def _(prediction, target):
    return mean_over_valid(prediction - target, target != 0)


@wrong("03.l1", "absolute value of the mean", "no sign")
def _(prediction, target):
    return mean_over_valid(prediction - target, target != 0).abs()


@wrong("03.l1", "squared", "squared")
def _(prediction, target):
    return mean_over_valid((prediction - target) ** 2, target != 0)


@wrong("03.l1", "frame by frame", "each frame counts the same")
def _(prediction, target):
    return torch.stack([mean_over_valid((p - t).abs(), t != 0) for p, t in zip(prediction, target, strict=True)]).mean()


@wrong("03.l1", "0 / 0", "the loss is nan")
def _(prediction, target):
    valid = target > 0
    return (prediction - target).abs()[valid].mean()


@wrong("03.l1", "multiplied by the mask", "A product with 0")
def _(prediction, target):
    valid = (target > 0).float()
    return ((prediction - target).abs() * valid).sum() / valid.sum().clamp(min=1)


@wrong("03.l1", "target divided out of the prediction's mask", "the number of all pixels")
def _(prediction, target):
    return ((prediction - target).abs() * (target != 0)).mean()


@wrong("03.l1", "detached", "no gradient can flow")
def _(prediction, target):
    return mean_over_valid((prediction.detach() - target).abs(), target != 0)


@right("03.l1", "F.l1_loss of the chosen pixels")
def _(prediction, target):
    valid = target > 0
    return F.l1_loss(prediction[valid], target[valid], reduction="sum") / valid.sum().clamp(min=1)


@right("03.l1", "the prediction replaced by the truth")
def _(prediction, target):
    count = (target != 0).sum().clamp(min=1)
    return torch.where(target == 0, target, prediction).sub(target).abs().sum() / count


# 03.cross_entropy


@wrong("03.cross_entropy", "ignore_index alone", "the loss is nan")
def _(prediction, target):
    return F.cross_entropy(prediction, target, ignore_index=VOID)


@wrong("03.cross_entropy", "selected at the end only", "too late")
def _(prediction, target):
    return mean_over_valid(F.cross_entropy(prediction, target, ignore_index=VOID, reduction="none"), target != VOID)


@wrong("03.cross_entropy", "void as class 0", "without a truth count, too")
def _(prediction, target):
    return F.cross_entropy(prediction, target.clamp(min=0))


@wrong("03.cross_entropy", "softmax twice", "taken twice")
def _(prediction, target):
    return F.cross_entropy(prediction.softmax(dim=1), target, ignore_index=VOID)


@wrong("03.cross_entropy", "nll of the scores", "as they are")
def _(prediction, target):
    return F.nll_loss(prediction, target, ignore_index=VOID)


@wrong("03.cross_entropy", "nll of the probabilities", "logarithm is missing")
def _(prediction, target):
    return F.nll_loss(prediction.softmax(dim=1), target, ignore_index=VOID)


@wrong("03.cross_entropy", "softmax over the last axis", "wrong axis")
def _(prediction, target):
    return F.nll_loss(prediction.log_softmax(dim=-1), target, ignore_index=VOID)


@wrong("03.cross_entropy", "softmax over the batch", "wrong axis")
def _(prediction, target):
    return F.nll_loss(prediction.log_softmax(dim=0), target, ignore_index=VOID)


@wrong("03.cross_entropy", "class 0 taken for void", "class 0 is left out")
def _(prediction, target):
    errors = -prediction.log_softmax(dim=1).gather(1, target.clamp(min=0).unsqueeze(1)).squeeze(1)
    return mean_over_valid(errors, target > 0)


@wrong("03.cross_entropy", "the minus forgotten", "negative")
def _(prediction, target):
    values = prediction.log_softmax(dim=1).gather(1, target.clamp(min=0).unsqueeze(1)).squeeze(1)
    return mean_over_valid(values, target != VOID)


@wrong("03.cross_entropy", "the formula word by word", "overflows")
def _(prediction, target):
    valid = target != VOID
    prediction = torch.where(valid.unsqueeze(1), prediction, 0.0)
    probability = prediction.exp() / prediction.exp().sum(dim=1, keepdim=True)
    return mean_over_valid(-probability.log().gather(1, target.clamp(min=0).unsqueeze(1)).squeeze(1), valid)


@wrong("03.cross_entropy", "one number per pixel", "shape [2, 5, 7]")
def _(prediction, target):
    return F.cross_entropy(prediction, target, ignore_index=VOID, reduction="none")


@wrong("03.cross_entropy", "the batch divided by all pixels", "the number of all pixels")
def _(prediction, target):
    return F.cross_entropy(prediction, target, ignore_index=VOID, reduction="none").mean()


@right("03.cross_entropy", "the valid pixels picked out")
def _(prediction, target):
    valid = target != VOID
    scores = prediction.permute(0, 2, 3, 1)[valid]
    return F.cross_entropy(scores, target[valid], reduction="sum") / valid.sum().clamp(min=1)


@right("03.cross_entropy", "one-hot")
def _(prediction, target):
    valid = (target != VOID).unsqueeze(1)
    logarithms = prediction.masked_fill(~valid, 0).log_softmax(dim=1)
    truth = F.one_hot(target.clamp(min=0), prediction.shape[1]).movedim(-1, 1)
    return -(logarithms * truth * valid).sum() / valid.sum().clamp(min=1)


# 03.cosine


@wrong("03.cosine", "a vector that sums to 0 taken for a zero vector", "components that cancel")
def _(prediction, target):
    return mean_over_valid(1 - F.cosine_similarity(prediction, target, dim=1), target.sum(dim=1) != 0)


@wrong("03.cosine", "every component other than 0", "one component")
def _(prediction, target):
    return mean_over_valid(1 - F.cosine_similarity(prediction, target, dim=1), (target != 0).all(dim=1))


@wrong("03.cosine", "components with a positive sum", "may be negative")
def _(prediction, target):
    return mean_over_valid(1 - F.cosine_similarity(prediction, target, dim=1), target.sum(dim=1) > 0)


@wrong("03.cosine", "no mask", "without a truth count, too")
def _(prediction, target):
    return 1 - F.cosine_similarity(prediction, target, dim=1).mean()


@wrong("03.cosine", "the 1 forgotten", "negative mean cosine")
def _(prediction, target):
    return -mean_over_valid(F.cosine_similarity(prediction, target, dim=1), target.norm(dim=1) > 0)


@wrong("03.cosine", "the cosine itself", "mean cosine itself")
def _(prediction, target):
    return mean_over_valid(F.cosine_similarity(prediction, target, dim=1), target.norm(dim=1) > 0)


@wrong("03.cosine", "dot product alone", "not divided by the lengths")
def _(prediction, target):
    return mean_over_valid(1 - (prediction * target).sum(dim=1), target.norm(dim=1) > 0)


@wrong("03.cosine", "1 minus the mean where nothing is valid", "should be 0")
def _(prediction, target):
    return 1 - mean_over_valid(F.cosine_similarity(prediction, target, dim=1), target.norm(dim=1) > 0)


@wrong("03.cosine", "an infinity on the way back", "too late")
def _(prediction, target):
    valid = target.norm(dim=1) > 0
    return mean_over_valid(1 - F.cosine_similarity(prediction, target, dim=1), valid)


@wrong("03.cosine", "divided by a length of 0", "a vector of length 0, the loss is nan")
def _(prediction, target):
    valid = target.square().sum(dim=1) > 0
    prediction, target = prediction.movedim(1, -1)[valid], target.movedim(1, -1)[valid]
    cosine = (prediction * target).sum(dim=-1) / (prediction.norm(dim=-1) * target.norm(dim=-1))
    return (1 - cosine).sum() / valid.sum().clamp(min=1)


@wrong("03.cosine", "zero predictions left out", "left out")
def _(prediction, target):
    valid = (target.norm(dim=1) > 0) & (prediction.norm(dim=1) > 0)
    prediction = torch.where(valid.unsqueeze(1), prediction, 1.0)
    return mean_over_valid(1 - F.cosine_similarity(prediction, target, dim=1), valid)


@right("03.cosine", "vectors picked out")
def _(prediction, target):
    valid = target.norm(dim=1) > 0
    pairs = [vectors.permute(0, 2, 3, 1)[valid] for vectors in (prediction, target)]
    return (1 - F.cosine_similarity(*pairs, dim=-1)).sum() / valid.sum().clamp(min=1)


@right("03.cosine", "normalised first")
def _(prediction, target):
    valid = (target != 0).any(dim=1)
    unit = F.normalize(prediction.where(valid.unsqueeze(1), torch.ones(())), dim=1)
    return mean_over_valid(1 - (unit * F.normalize(target, dim=1)).sum(dim=1), valid)


# 03.confusion_matrix


@wrong("03.confusion_matrix", "transposed", "rows and columns are swapped")
def _(prediction, target, classes):
    return confusion_matrix(prediction, target, classes).T


@wrong("03.confusion_matrix", "void clamped to class 0", "as if they were of class 0")
def _(prediction, target, classes):
    pairs = target.clamp(min=0) * classes + prediction
    return torch.bincount(pairs.flatten(), minlength=classes**2).view(classes, classes)


@wrong("03.confusion_matrix", "index -1", "the last entry")
def _(prediction, target, classes):
    matrix = torch.zeros(classes, classes, dtype=torch.int64)
    for i, j in zip(target.flatten(), prediction.flatten(), strict=True):
        matrix[i, j] += 1
    return matrix


@wrong("03.confusion_matrix", "only as large as the classes that occur", "has the shape")
def _(prediction, target, classes):
    valid = target != VOID
    found = int(torch.maximum(prediction[valid].max(), target[valid].max())) + 1
    return confusion_matrix(prediction, target, found)


@wrong("03.confusion_matrix", "not brought into rows", "has the shape")
def _(prediction, target, classes):
    return torch.bincount((target * classes + prediction)[target != VOID], minlength=classes**2)


@wrong("03.confusion_matrix", "one index assignment", "not how often")
def _(prediction, target, classes):
    valid = target != VOID
    matrix = torch.zeros(classes, classes, dtype=torch.int64)
    matrix[target[valid], prediction[valid]] += 1
    return matrix


@wrong("03.confusion_matrix", "one index assignment, void included", "not how often")
def _(prediction, target, classes):
    counts = torch.zeros(classes, classes, dtype=torch.int64)
    counts[target.flatten(), prediction.flatten()] += 1
    return counts


@wrong("03.confusion_matrix", "hits only", "only the hits")
def _(prediction, target, classes):
    hits = target[target == prediction]
    return torch.diag(torch.bincount(hits, minlength=classes))


@wrong("03.confusion_matrix", "shares", "they should be counts")
def _(prediction, target, classes):
    matrix = confusion_matrix(prediction, target, classes)
    return matrix / matrix.sum()


@wrong("03.confusion_matrix", "floats", "whole numbers")
def _(prediction, target, classes):
    return confusion_matrix(prediction, target, classes).float()


@wrong("03.confusion_matrix", "truth times the wrong number", "misplaced")
def _(prediction, target, classes):
    valid = target != VOID
    pairs = (target * (classes - 1) + prediction)[valid]
    return torch.bincount(pairs, minlength=classes**2).view(classes, classes)


@right("03.confusion_matrix", "a loop over classes")
def _(prediction, target, classes):
    rows = [[((target == i) & (prediction == j)).sum() for j in range(classes)] for i in range(classes)]
    return torch.tensor(rows)


@right("03.confusion_matrix", "one-hot product")
def _(prediction, target, classes):
    valid = target != VOID
    return F.one_hot(target[valid], classes).T @ F.one_hot(prediction[valid], classes)


@right("03.confusion_matrix", "index_put that adds up")
def _(prediction, target, classes):
    valid = target != VOID
    matrix = torch.zeros(classes, classes, dtype=torch.int64)
    ones = torch.ones(int(valid.sum()), dtype=torch.int64)
    return matrix.index_put((target[valid], prediction[valid]), ones, accumulate=True)


# 03.iou


@wrong("03.iou", "union counted twice", "counted twice")
def _(confusion):
    return confusion.diagonal() / (confusion.sum(dim=0) + confusion.sum(dim=1))


@wrong("03.iou", "Dice", "Dice")
def _(confusion):
    return 2 * confusion.diagonal() / (confusion.sum(dim=0) + confusion.sum(dim=1))


@wrong("03.iou", "recall", "claimed wrongly")
def _(confusion):
    return confusion.diagonal() / confusion.sum(dim=1)


@wrong("03.iou", "precision", "missed")
def _(confusion):
    return confusion.diagonal() / confusion.sum(dim=0)


@wrong("03.iou", "absent classes as 0", "gets 0")
def _(confusion):
    hits = confusion.diagonal()
    return hits / (confusion.sum(dim=0) + confusion.sum(dim=1) - hits).clamp(min=1)


@wrong("03.iou", "absent classes as 1", "gets 1")
def _(confusion):
    return iou(confusion).nan_to_num(1.0)


@wrong("03.iou", "no hit, no IoU", "without a hit")
def _(confusion):
    hits = confusion.diagonal().double()
    return torch.where(hits > 0, iou(confusion), torch.nan)


@wrong("03.iou", "the mean", "has the shape []")
def _(confusion):
    return iou(confusion).nanmean()


@wrong("03.iou", "only the classes that occur", "has the shape [4]")
def _(confusion):
    return iou(confusion)[confusion.sum(dim=0) + confusion.sum(dim=1) > 0]


@wrong("03.iou", "whole division", "is a fraction")
def _(confusion):
    hits = confusion.diagonal()
    return hits // (confusion.sum(dim=0) + confusion.sum(dim=1) - hits)


@right("03.iou", "one class after the other")
def _(confusion):
    values = torch.empty(len(confusion))
    for c in range(len(confusion)):
        union = confusion[c].sum() + confusion[:, c].sum() - confusion[c, c]
        values[c] = confusion[c, c] / union if union else float("nan")
    return values


# 03.two_pictures


@wrong("03.two_pictures", "the example of the text", "the larger number")
def _():
    return torch.tensor([[9, 1], [0, 0]]), torch.tensor([[5, 0], [0, 5]])


@wrong("03.two_pictures", "the same twice", "same matrix")
def _():
    picture = torch.tensor([[9, 0], [1, 0]])
    return picture, picture.clone()


@wrong("03.two_pictures", "both perfect", "the same. What would")
def _():
    return torch.tensor([[10, 0], [0, 0]]), torch.tensor([[5, 0], [0, 5]])


@wrong("03.two_pictures", "too few pixels", "have 9 and 10 pixels")
def _():
    return torch.tensor([[9, 0], [0, 0]]), torch.tensor([[9, 0], [1, 0]])


@wrong("03.two_pictures", "label maps", "has the shape [10]")
def _():
    return torch.zeros(10, dtype=torch.int64), torch.ones(10, dtype=torch.int64)


@wrong("03.two_pictures", "shares", "should hold counts")
def _():
    return torch.tensor([[1.0, 0], [0, 0]]), torch.tensor([[0.9, 0], [0.1, 0]])


@wrong("03.two_pictures", "one picture", "found a tensor")
def _():
    return torch.tensor([[9, 0], [1, 0]])


@wrong("03.two_pictures", "lists", "the first matrix is a list")
def _():
    return [[10, 0], [0, 0]], [[9, 0], [1, 0]]


@right("03.two_pictures", "the other way round, in a list")
def _():
    return [torch.tensor([[5, 0], [5, 0]]), torch.tensor([[0.0, 0], [0, 10]])]


# 03.Segmentation


class SegmentationBase:
    def __init__(self, classes):
        self.classes = classes
        self.confusion = torch.zeros(classes, classes, dtype=torch.int64)

    def update(self, prediction, target):
        self.confusion += confusion_matrix(prediction.argmax(dim=1), target, self.classes)

    def compute(self):
        accuracy = self.confusion.diagonal().sum() / self.confusion.sum()
        return {"mean_iou": iou(self.confusion).nanmean().item(), "pixel_accuracy": accuracy.item()}


@wrong("03.Segmentation", "argmax over the last axis", "runs over axis 3")
class _(SegmentationBase):
    def update(self, prediction, target):
        self.confusion += confusion_matrix(prediction.argmax(dim=-1), target, self.classes)


@wrong("03.Segmentation", "argmax over the batch", "runs over axis 0")
class _(SegmentationBase):
    def update(self, prediction, target):
        self.confusion += confusion_matrix(prediction.argmax(dim=0), target, self.classes)


@wrong("03.Segmentation", "only the last batch", "last batch only")
class _(SegmentationBase):
    def update(self, prediction, target):
        self.confusion = confusion_matrix(prediction.argmax(dim=1), target, self.classes)


@wrong("03.Segmentation", "mean over batches", "mean over batches")
class _(SegmentationBase):
    def __init__(self, classes):
        super().__init__(classes)
        self.found = []

    def update(self, prediction, target):
        self.found.append(confusion_matrix(prediction.argmax(dim=1), target, self.classes))

    def compute(self):
        accuracy = torch.stack([matrix.diagonal().sum() / matrix.sum() for matrix in self.found]).mean()
        return {
            "mean_iou": torch.stack([iou(matrix).nanmean() for matrix in self.found]).mean().item(),
            "pixel_accuracy": accuracy.item(),
        }


@wrong("03.Segmentation", "mean over images", "mean over images")
class _(SegmentationBase):
    def __init__(self, classes):
        super().__init__(classes)
        self.found = []

    def update(self, prediction, target):
        pairs = zip(prediction.argmax(dim=1), target, strict=True)
        self.found += [iou(confusion_matrix(*pair, self.classes)).nanmean() for pair in pairs]

    def compute(self):
        return {"mean_iou": torch.stack(self.found).mean().item(), "pixel_accuracy": 0.5}


@wrong("03.Segmentation", "nan spreads", "into nan")
class _(SegmentationBase):
    def compute(self):
        return super().compute() | {"mean_iou": iou(self.confusion).mean().item()}


@wrong("03.Segmentation", "absent classes as 0", "an IoU of 0")
class _(SegmentationBase):
    def compute(self):
        return super().compute() | {"mean_iou": iou(self.confusion).nan_to_num(0).mean().item()}


@wrong("03.Segmentation", "mean of the class accuracies", "each class the same")
class _(SegmentationBase):
    def compute(self):
        recall = self.confusion.diagonal() / self.confusion.sum(dim=1)
        return super().compute() | {"pixel_accuracy": recall.nanmean().item()}


@wrong("03.Segmentation", "other names", "has no mean_iou")
class _(SegmentationBase):
    def compute(self):
        return {"miou": 0.5, "pixel_accuracy": 0.5}


@wrong("03.Segmentation", "a tuple", "expected a dict")
class _(SegmentationBase):
    def compute(self):
        return tuple(super().compute().values())


@wrong("03.Segmentation", "compute forgets", "a second call")
class _(SegmentationBase):
    def compute(self):
        found = super().compute()
        self.confusion = torch.eye(self.classes)
        return found


@right("03.Segmentation", "keeps every pixel, gives tensors")
class _:
    def __init__(self, classes):
        self.classes, self.pairs = classes, []

    def update(self, prediction, target):
        guessed = torch.softmax(prediction, dim=1).max(dim=1).indices
        self.pairs.append(torch.stack([guessed.flatten(), target.flatten()]))

    def compute(self):
        guessed, true = torch.cat(self.pairs, dim=1)
        matrix = confusion_matrix(guessed, true, self.classes)
        values = [value for value in iou(matrix).tolist() if value == value]
        return {
            "mean_iou": sum(values) / len(values),
            "pixel_accuracy": (guessed == true)[true != VOID].float().mean(),
        }


# 03.Depth


class DepthBase:
    def __init__(self):
        self.absolute = self.relative = torch.zeros((), dtype=torch.float64)
        self.count = 0

    def update(self, prediction, target):
        valid = target != 0
        error = (prediction - target)[valid].abs()
        self.absolute = self.absolute + error.sum()
        self.relative = self.relative + (error / target[valid]).sum()
        self.count += int(valid.sum())

    def compute(self):
        return {
            "absolute_error": self.absolute.item() / self.count,
            "relative_error": self.relative.item() / self.count,
        }


@wrong("03.Depth", "divided by the prediction", "relative to the prediction")
class _(DepthBase):
    def update(self, prediction, target):
        valid = target != 0
        error = (prediction - target)[valid].abs()
        self.absolute = self.absolute + error.sum()
        self.relative = self.relative + (error / prediction[valid]).sum()
        self.count += int(valid.sum())


@wrong("03.Depth", "ratio of sums", "one ratio of two sums")
class _(DepthBase):
    def update(self, prediction, target):
        super().update(prediction, target)
        self.truth = getattr(self, "truth", 0) + target.sum().item()

    def compute(self):
        absolute = self.absolute.item()
        return {"absolute_error": absolute / self.count, "relative_error": absolute / self.truth}


@wrong("03.Depth", "mean over batches", "mean over batches")
class _(DepthBase):
    def update(self, prediction, target):
        valid = target != 0
        error = (prediction - target)[valid].abs()
        self.absolute = self.absolute + error.mean()
        self.relative = self.relative + (error / target[valid]).mean()
        self.count += 1


@wrong("03.Depth", "only the last batch", "last batch only")
class _(DepthBase):
    def update(self, prediction, target):
        self.__init__()
        super().update(prediction, target)


@wrong("03.Depth", "0 divided by 0", "not finite")
class _(DepthBase):
    def update(self, prediction, target):
        valid = target != 0
        error = (prediction - target).abs()
        self.absolute = self.absolute + (error * valid).sum()
        self.relative = self.relative + (error * valid / target).sum()
        self.count += int(valid.sum())


@wrong("03.Depth", "all pixels counted", "number of all pixels")
class _(DepthBase):
    def update(self, prediction, target):
        super().update(prediction, target)
        self.count += int((target == 0).sum())


@wrong("03.Depth", "no mask", "count in absolute_error, too")
class _(DepthBase):
    def update(self, prediction, target):
        error = (prediction - target).abs()
        self.absolute = self.absolute + error.sum()
        self.relative = self.relative + (error / (target + 1e-6)).sum()
        self.count += target.numel()


@wrong("03.Depth", "no absolute value", "cancel in absolute_error")
class _(DepthBase):
    def update(self, prediction, target):
        valid = target != 0
        error = (prediction - target)[valid]
        self.absolute = self.absolute + error.sum()
        self.relative = self.relative + (error / target[valid]).sum()
        self.count += int(valid.sum())


@wrong("03.Depth", "sums", "is a sum over pixels")
class _(DepthBase):
    def compute(self):
        return {"absolute_error": self.absolute.item(), "relative_error": self.relative.item()}


@wrong("03.Depth", "swapped", "swapped")
class _(DepthBase):
    def compute(self):
        found = super().compute()
        return {"absolute_error": found["relative_error"], "relative_error": found["absolute_error"]}


@wrong("03.Depth", "batches counted", "the number of batches")
class _(DepthBase):
    def update(self, prediction, target):
        before = self.count
        super().update(prediction, target)
        self.count = before + 1


@wrong("03.Depth", "lists that belong to the class", "two metrics share their numbers")
class _:
    absolute, relative = [], []

    def update(self, prediction, target):
        valid = target != 0
        error = (prediction - target)[valid].abs()
        self.absolute.append(error)
        self.relative.append(error / target[valid])

    def compute(self):
        absolute, relative = torch.cat(self.absolute), torch.cat(self.relative)
        return {"absolute_error": absolute.mean().item(), "relative_error": relative.mean().item()}


@right("03.Depth", "keeps every error")
class _:
    def __init__(self):
        self.errors, self.truths = [], []

    def update(self, prediction, target):
        mask = target > 0
        self.errors.append(torch.abs(prediction[mask] - target[mask]))
        self.truths.append(target[mask])

    def compute(self):
        errors, truths = torch.cat(self.errors), torch.cat(self.truths)
        return {"absolute_error": errors.mean(), "relative_error": (errors / truths).mean()}


# 03.Split


class SplitBase(nn.Module):
    def __init__(self, todo, width=1.0):
        super().__init__()
        self.filters = filters_at(width)
        self.encoder = Encoder(self.filters)
        self.decoder = Decoder(self.filters)
        self.heads = self.make_heads(todo)
        initialise(self)

    def make_heads(self, todo):
        return nn.ModuleDict({task.name: Head(self.filters[0], task) for task in todo})

    def forward(self, images):
        features = self.decoder(*self.encoder(images))
        return {name: head(features) for name, head in self.heads.items()}


@wrong("03.Split", "heads in a plain dict", "A plain list or dict")
class _(SplitBase):
    def make_heads(self, todo):
        return {task.name: Head(self.filters[0], task) for task in todo}


@wrong("03.Split", "heads in a plain list", "A plain list or dict")
class _(SplitBase):
    def make_heads(self, todo):
        self.names = [task.name for task in todo]
        return [Head(self.filters[0], task) for task in todo]

    def forward(self, images):
        features = self.decoder(*self.encoder(images))
        return {name: head(features) for name, head in zip(self.names, self.heads, strict=True)}


@wrong("03.Split", "encoder and decoder run once per task", "the encoder runs 3 times")
class _(SplitBase):
    def forward(self, images):
        return {name: head(self.decoder(*self.encoder(images))) for name, head in self.heads.items()}


@wrong("03.Split", "the decoder runs once per task", "the decoder runs 3 times")
class _(SplitBase):
    def forward(self, images):
        encoded = self.encoder(images)
        return {name: head(self.decoder(*encoded)) for name, head in self.heads.items()}


@wrong("03.Split", "an encoder for each task", "3 encoders")
class _(nn.Module):
    def __init__(self, todo, width=1.0):
        super().__init__()
        filters = filters_at(width)
        self.encoders = nn.ModuleDict({task.name: Encoder(filters) for task in todo})
        self.decoder = Decoder(filters)
        self.heads = nn.ModuleDict({task.name: Head(filters[0], task) for task in todo})

    def forward(self, images):
        return {name: head(self.decoder(*self.encoders[name](images))) for name, head in self.heads.items()}


@wrong("03.Split", "a decoder for each task", "parameters too many")
class _(nn.Module):
    def __init__(self, todo, width=1.0):
        super().__init__()
        filters = filters_at(width)
        self.encoder = Encoder(filters)
        self.decoders = nn.ModuleDict({task.name: Decoder(filters) for task in todo})
        self.heads = nn.ModuleDict({task.name: Head(filters[0], task) for task in todo})

    def forward(self, images):
        encoded = self.encoder(images)
        return {name: head(self.decoders[name](*encoded)) for name, head in self.heads.items()}


@wrong("03.Split", "one head for all tasks", "parameters too few")
class _(SplitBase):
    def make_heads(self, todo):
        self.todo = todo
        self.first = nn.Conv2d(self.filters[0], self.filters[0], 3, padding=1)
        return nn.ModuleDict({task.name: nn.Conv2d(self.filters[0], task.channels, 1) for task in todo})

    def forward(self, images):
        features = self.first(self.decoder(*self.encoder(images)))
        return {task.name: task.activation(self.heads[task.name](features)) for task in self.todo}


@wrong("03.Split", "a list of predictions", "expected a dict")
class _(SplitBase):
    def forward(self, images):
        features = self.decoder(*self.encoder(images))
        return [head(features) for head in self.heads.values()]


@wrong("03.Split", "only the last prediction", "the dict has the keys depth.")
class _(SplitBase):
    def forward(self, images):
        features = self.decoder(*self.encoder(images))
        for name, head in self.heads.items():
            predictions = {name: head(features)}
        return predictions


@wrong("03.Split", "numbers as keys", "the dict has the keys 0, 1, 2")
class _(SplitBase):
    def forward(self, images):
        features = self.decoder(*self.encoder(images))
        return dict(enumerate(head(features) for head in self.heads.values()))


@wrong("03.Split", "shared features detached", "no gradient of normals reaches")
class _(SplitBase):
    def forward(self, images):
        features = self.decoder(*self.encoder(images)).detach()
        return {name: head(features) for name, head in self.heads.items()}


@wrong("03.Split", "other names", "other names than decoder, encoder, heads")
class _(nn.Module):
    def __init__(self, todo, width=1.0):
        super().__init__()
        filters = filters_at(width)
        self.enc, self.dec = Encoder(filters), Decoder(filters)
        self.out = nn.ModuleDict({task.name: Head(filters[0], task) for task in todo})

    def forward(self, images):
        features = self.dec(*self.enc(images))
        return {name: head(features) for name, head in self.out.items()}


@wrong("03.Split", "a function", "derived from nn.Module")
def _(todo, width):
    return SplitBase(todo, width)


@right("03.Split", "spelled out")
class _(nn.Module):
    def __init__(self, todo, width=1.0):
        super().__init__()
        filters = filters_at(width)
        self.todo = todo
        self.heads = nn.ModuleDict()
        for task in todo:
            self.heads.add_module(task.name, Head(filters[0], task))
        self.decoder = Decoder(filters)
        self.encoder = Encoder(filters)

    def forward(self, images):
        smallest, indices, sizes = self.encoder(images)
        features = self.decoder(smallest, indices, sizes)
        predictions = {}
        for task in self.todo:
            predictions[task.name] = self.heads[task.name](features)
        return predictions
