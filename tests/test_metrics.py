"""The metrics: equal to torchmetrics and to values by hand, whatever the batches."""

import math
import random

import pytest
import torch
import torch.nn.functional as F
from torchmetrics import MeanAbsoluteError, MeanAbsolutePercentageError
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix, MulticlassJaccardIndex

from course_utils.metrics import Depth, Normals, Segmentation

SIZES = [(3, 5, 7), (1, 9, 4), (2, 1, 11), (4, 6, 6)]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def class_batches(classes, predicted_among, true_among, seed):
    """Scores whose largest is one of `predicted_among`, and labels among `true_among` and void."""
    generator = seeded(seed)
    for frames, height, width in SIZES:
        scores = torch.rand(frames, classes, height, width, generator=generator)
        scores[:, predicted_among] += 1
        picks = torch.randint(0, len(true_among) + 1, (frames, height, width), generator=generator)
        yield scores, torch.tensor([*true_among, -1])[picks]


def depth_batches(seed=0):
    generator = seeded(seed)
    for frames, height, width in SIZES:
        target = torch.rand(frames, 1, height, width, generator=generator) * 10
        target[torch.rand(target.shape, generator=generator) < 0.3] = 0
        yield torch.randn(target.shape, generator=generator) * 5, target


def normal_batches(seed=0):
    generator = seeded(seed)
    for frames, height, width in SIZES:
        target = F.normalize(torch.randn(frames, 3, height, width, generator=generator), dim=1)
        prediction = target + 0.5 * torch.randn(target.shape, generator=generator)
        target[(torch.rand(frames, 1, height, width, generator=generator) < 0.3).expand_as(target)] = 0
        yield prediction, target


def result(metric, batches):
    for prediction, target in batches:
        metric.update(prediction, target)
    return metric.compute()


BATCHES = {
    "segmentation": (lambda: Segmentation(5), lambda: class_batches(5, range(5), range(5), seed=3)),
    "depth": (Depth, depth_batches),
    "normals": (Normals, normal_batches),
}
ANY_METRIC = pytest.mark.parametrize(("metric", "batches"), BATCHES.values(), ids=BATCHES)


# Segmentation


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("classes", "predicted_among", "true_among"),
    [(7, range(7), range(7)), (7, [0, 2, 5], [0, 2, 3]), (19, [1, 4], [4, 17]), (2, [0], [0, 1])],
)
def test_segmentation_equals_torchmetrics(classes, predicted_among, true_among, seed):
    # fault: NaN mean IoU where a class occurs neither in truth nor in prediction
    ours = Segmentation(classes)
    matrix = MulticlassConfusionMatrix(classes, ignore_index=-1)
    jaccard = MulticlassJaccardIndex(classes, average="macro", ignore_index=-1)
    accuracy = MulticlassAccuracy(classes, average="micro", ignore_index=-1)
    for scores, target in class_batches(classes, list(predicted_among), list(true_among), seed):
        ours.update(scores, target)
        for theirs in (matrix, jaccard, accuracy):
            theirs.update(scores.argmax(dim=1), target)
    found = ours.compute()
    assert torch.equal(ours.confusion, matrix.compute())
    assert found["mean_iou"] == pytest.approx(jaccard.compute().item(), abs=1e-6)
    assert found["pixel_accuracy"] == pytest.approx(accuracy.compute().item(), abs=1e-6)


def test_segmentation_by_hand():
    # truth 0 0 0 1 1 void, prediction 0 0 1 1 0 2: IoU 2/4 and 1/3; class 2 is seen only under void.
    metric = Segmentation(3)
    scores = F.one_hot(torch.tensor([[[0, 0, 1, 1, 0, 2]]]), 3).permute(0, 3, 1, 2).float()
    metric.update(scores, torch.tensor([[[0, 0, 0, 1, 1, -1]]]))
    assert metric.confusion.tolist() == [[2, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert metric.iou()[:2].tolist() == pytest.approx([1 / 2, 1 / 3])
    assert metric.iou()[2].isnan()
    assert metric.compute() == pytest.approx({"mean_iou": 5 / 12, "pixel_accuracy": 3 / 5})


def test_a_class_only_predicted_or_only_true_counts_with_iou_zero():
    metric = Segmentation(4)
    scores = F.one_hot(torch.tensor([[[0, 1]]]), 4).permute(0, 3, 1, 2).float()
    metric.update(scores, torch.tensor([[[0, 2]]]))
    assert metric.iou()[:3].tolist() == [1, 0, 0] and metric.iou()[3].isnan()
    assert metric.compute()["mean_iou"] == pytest.approx(1 / 3)


# Depth


def test_depth_equals_torchmetrics_on_the_valid_pixels():
    ours, absolute, relative = Depth(), MeanAbsoluteError(), MeanAbsolutePercentageError()
    for prediction, target in depth_batches():
        ours.update(prediction, target)
        valid = target != 0
        absolute.update(prediction[valid], target[valid])
        relative.update(prediction[valid], target[valid])
    found = ours.compute()
    assert found["absolute_error"] == pytest.approx(absolute.compute().item(), rel=1e-5)
    assert found["relative_error"] == pytest.approx(relative.compute().item(), rel=1e-5)


def test_depth_by_hand():
    metric = Depth()
    metric.update(torch.tensor([[[[3.0, 9.0], [0.5, 4.0]]]]), torch.tensor([[[[2.0, 0.0], [1.0, 4.0]]]]))
    assert metric.compute() == pytest.approx({"absolute_error": 1.5 / 3, "relative_error": (0.5 + 0.5) / 3})


def test_depth_does_not_drown_small_errors_in_a_long_sum():
    # In single precision a sum of many such errors stops growing or drifts: it is kept in double.
    metric = Depth()
    target = torch.full((1, 1, 100, 100), 1.0)
    metric.update(target + 1e6, target)
    for _ in range(50):
        metric.update(target + 0.001, target)
    expected = (1e6 + 50 * (torch.tensor(1.001) - 1).item()) / 51
    assert metric.compute()["absolute_error"] == pytest.approx(expected, rel=1e-12)


# Normals


def direct_angles(batches):
    """The angles of all valid pixels by arccos in double precision."""
    angles = []
    for prediction, target in batches:
        similarity = F.cosine_similarity(prediction.double(), target.double(), dim=1).clamp(-1, 1)
        angles.append(torch.rad2deg(similarity.acos())[target.ne(0).any(dim=1)])
    return torch.cat(angles)


@pytest.mark.parametrize("seed", range(4))
def test_normals_equal_the_angles_computed_at_once(seed):
    angles = direct_angles(normal_batches(seed))
    found = result(Normals(), normal_batches(seed))
    assert found["mean_angle"] == pytest.approx(angles.mean().item(), abs=1e-4)
    assert abs(found["median_angle"] - angles.median().item()) <= Normals.BIN / 2 + 1e-4
    for key, threshold in {"within_11_25": 11.25, "within_22_5": 22.5, "within_30": 30.0}.items():
        assert found[key] == (angles < threshold).double().mean().item()


def tilted(*degrees):
    """One row of unit vectors in the x-z plane, this far from the z axis: [1, 3, 1, n]."""
    angle = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    return torch.stack([angle.sin(), torch.zeros_like(angle), angle.cos()]).view(1, 3, 1, -1).float()


@pytest.mark.parametrize("degrees", [0.0, 0.001, 0.02, 1.0, 89.0, 90.0, 179.0, 179.98, 179.999, 180.0])
def test_an_angle_is_exact_even_near_0_and_180(degrees):
    metric = Normals()
    metric.update(5 * tilted(degrees), tilted(0))
    found = metric.compute()
    assert found["mean_angle"] == pytest.approx(degrees, abs=2e-5)
    assert abs(found["median_angle"] - degrees) <= Normals.BIN / 2 + 2e-5
    assert 0 <= found["median_angle"] <= 180


def test_thresholds_by_hand():
    metric = Normals()
    metric.update(tilted(5, 11.2, 11.3, 22.4, 22.6, 29.9, 30.1, 100), tilted(0).expand(1, 3, 1, 8))
    found = metric.compute()
    assert [found[key] for key in ("within_11_25", "within_22_5", "within_30")] == [2 / 8, 4 / 8, 6 / 8]
    assert abs(found["median_angle"] - 22.4) <= 0.00501  # of an even number the lower, as torch.median


def test_a_valid_normal_whose_components_sum_to_zero_is_counted():
    # fault: normals masked by the sum of their channels
    metric = Normals()
    slanted = torch.tensor([1.0, -1.0, 0.0]).view(1, 3, 1, 1) / math.sqrt(2)
    metric.update(tilted(0), slanted)
    assert metric.compute()["mean_angle"] == pytest.approx(90, abs=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_a_predicted_normal_of_zero_length_is_90_degrees_off(dtype):
    # fault: a zero normal divides by zero
    metric = Normals()
    metric.update(torch.zeros(1, 3, 2, 2, dtype=dtype), tilted(0).to(dtype).expand(1, 3, 2, 2))
    assert metric.compute()["mean_angle"] == pytest.approx(90)


# All three


@ANY_METRIC
def test_nothing_seen_is_nan(metric, batches):
    unused, only_invalid = metric(), metric()
    for prediction, target in batches():
        only_invalid.update(prediction, torch.full_like(target, -1 if target.dim() == 3 else 0))
    for found in (unused.compute(), only_invalid.compute()):
        assert found and all(math.isnan(value) for value in found.values())


@ANY_METRIC
def test_pooled_over_pixels_and_not_a_mean_of_batch_means(metric, batches):
    # fault: means of batch means
    frames = [(p[i : i + 1], t[i : i + 1]) for p, t in batches() for i in range(len(p))]
    pooled = result(metric(), batches())
    assert result(metric(), frames) == pytest.approx(pooled, abs=1e-6)
    of_batches = [result(metric(), [batch]) for batch in batches()]
    for key, value in pooled.items():
        mean_of_means = sum(single[key] for single in of_batches) / len(of_batches)
        assert abs(mean_of_means - value) > 1e-4, key


@ANY_METRIC
def test_the_order_of_the_updates_does_not_matter(metric, batches):
    shuffled = list(batches())
    random.Random(0).shuffle(shuffled)
    assert shuffled[0][0].shape != next(iter(batches()))[0].shape
    assert result(metric(), shuffled) == pytest.approx(result(metric(), batches()), abs=1e-12)


@ANY_METRIC
def test_computing_does_not_end_the_accumulation(metric, batches):
    running = metric()
    for prediction, target in batches():
        running.update(prediction.requires_grad_(), target)
        found = running.compute()
    assert found == result(metric(), batches())
    assert all(type(value) is float for value in found.values())
