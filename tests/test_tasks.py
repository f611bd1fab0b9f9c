"""What a task is, how it is drawn, and that a task of the reader's own works in every model."""

from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
import torch

from course_utils import losses, metrics, models, tasks
from course_utils.labels import label_set
from course_utils.tasks import Task


def luminance(picture):
    return picture @ np.array([0.2126, 0.7152, 0.0722])


def test_the_three_kinds():
    segmentation, depth, normals = tasks.segmentation(13), tasks.depth(), tasks.normals()
    assert [(t.name, t.channels, t.target) for t in (segmentation, depth, normals)] == [
        ("segmentation", 13, "segmentation"),
        ("depth", 1, "depth"),
        ("normals", 3, "normals"),
    ]
    assert (segmentation.loss, depth.loss, normals.loss) == (losses.cross_entropy, losses.l1, losses.cosine)
    assert [t.higher_is_better for t in (segmentation, depth, normals)] == [True, False, False]
    assert [t.unit for t in (segmentation, depth, tasks.depth(inverse=False), normals)] == [
        "", "inverse depth", "m", "°",
    ]  # fmt: skip


def test_a_metric_is_fresh_each_time_and_has_the_headline():
    for task, kind in [
        (tasks.segmentation(5), metrics.Segmentation),
        (tasks.depth(), metrics.Depth),
        (tasks.normals(), metrics.Normals),
    ]:
        first, second = task.metric(), task.metric()
        assert type(first) is kind and first is not second
        assert task.headline in first.compute()
    assert tasks.segmentation(5).metric().classes == 5


def test_names_and_targets_can_be_chosen():
    coarse = tasks.segmentation(2, name="coarse", target="segmentation_2")
    assert (coarse.name, coarse.target, coarse.channels) == ("coarse", "segmentation_2", 2)
    assert tasks.depth(name="far").name == "far"
    assert tasks.normals(name="tilt", target="n").target == "n"


def test_a_task_is_frozen():
    task = tasks.depth()
    for field in fields(Task):
        with pytest.raises(FrozenInstanceError):
            setattr(task, field.name, None)


@pytest.mark.parametrize("classes", [1, 0, -3])
def test_segmentation_needs_two_classes(classes):
    with pytest.raises(ValueError, match=f"classes: .*at least 2.* {classes}"):
        tasks.segmentation(classes)


# Drawing


def test_classes_are_drawn_in_the_colours_of_their_label_set_and_void_black():
    task = tasks.segmentation(7)
    picture = task.draw(torch.tensor([[0, 6, -1], [3, 3, 5]]))
    colours = np.array([*label_set(7).colours, (0, 0, 0)]) / 255
    assert picture.shape == (2, 3, 3)
    assert picture == pytest.approx(colours[[[0, 6, -1], [3, 3, 5]]])


def test_scores_are_drawn_as_the_class_of_the_largest():
    task = tasks.segmentation(7)
    numbers = torch.tensor([[0, 6, 2], [3, 1, 5]])
    scores = 4 * torch.nn.functional.one_hot(numbers, 7).permute(2, 0, 1).float() - 9
    assert np.array_equal(task.draw(scores.requires_grad_()), task.draw(numbers))


@pytest.mark.parametrize("classes", [3, 5, 40])
def test_any_number_of_classes_has_names_and_different_colours(classes):
    names, colours = tasks.class_colours(classes)
    assert len(set(names)) == len(set(colours)) == classes
    assert tasks.segmentation(classes).draw(torch.arange(classes)[None]).shape == (1, classes, 3)


def test_inverse_depth_is_brighter_where_it_is_larger_and_black_where_invalid():
    picture = tasks.depth().draw(torch.tensor([[[0.001, 0.05, 0.2], [0.0, 0.25, 0.49]]]))
    assert picture.shape == (2, 3, 3)
    brightness = luminance(picture)
    assert 0 < brightness[0, 0] < brightness[0, 1] < brightness[0, 2] < brightness[1, 1]
    assert brightness[1, 1] == brightness[1, 2], "beyond the nearest drawn depth everything is as bright"
    assert picture[1, 0].tolist() == [0, 0, 0]


def test_metres_are_brighter_where_they_are_smaller_and_black_where_invalid():
    picture = tasks.depth(inverse=False).draw(torch.tensor([[[0.5, 2.0], [7.0, 0.0]]]))
    brightness = luminance(picture)
    assert brightness[0, 0] > brightness[0, 1] > brightness[1, 0] > 0
    assert picture[1, 1].tolist() == [0, 0, 0]


@pytest.mark.parametrize("size", [(2, 3), (1, 3), (3, 1), (1, 1)])
def test_depth_is_drawn_with_and_without_its_channel(size):
    values = torch.linspace(0.01, 0.2, size[0] * size[1]).view(size)
    draw = tasks.depth().draw
    assert draw(values).shape == (*size, 3)
    assert np.array_equal(draw(values), draw(values[None]))


def test_normals_become_red_green_blue_and_black_where_invalid():
    directions = torch.tensor([[1.0, 0, 0], [0, -1, 0], [0, 0, 1], [0, 0, 0]]).T.reshape(3, 2, 2)
    picture = tasks.normals().draw(directions.requires_grad_())
    assert picture.reshape(4, 3).tolist() == [[1, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 1], [0, 0, 0]]


def test_a_valid_normal_whose_components_sum_to_zero_is_not_drawn_as_invalid():
    # fault: normals masked by the sum of their channels
    slanted = torch.tensor([1.0, -1.0, 0.0]).view(3, 1, 1) / 2**0.5
    assert tasks.normals().draw(slanted)[0, 0] == pytest.approx([0.8536, 0.1464, 0.5], abs=1e-4)


@pytest.mark.parametrize("kind", [tasks.segmentation, tasks.depth, tasks.normals])
def test_every_drawing_is_a_picture_in_0_to_1(kind):
    task = kind()
    prediction = 3 * torch.randn(task.channels, 4, 6, generator=torch.Generator().manual_seed(0))
    picture = task.draw(prediction)
    assert picture.shape == (4, 6, 3) and picture.dtype == np.float32
    assert picture.min() >= 0 and picture.max() <= 1


# Activation and tasks of one's own


def test_normals_have_unit_length_at_the_output():
    raw = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)) * 7
    assert tasks.normals().activation(raw).norm(dim=1).flatten().tolist() == pytest.approx([1.0] * 40)
    assert tasks.depth().activation(raw) is raw


def edges():
    """Where objects end: a probability for each pixel."""
    return Task(
        name="edges",
        channels=1,
        loss=torch.nn.functional.binary_cross_entropy,
        metric=metrics.Depth,
        headline="absolute_error",
        higher_is_better=False,
        draw=lambda edge: edge.squeeze(0)[..., None].expand(-1, -1, 3).numpy(),
        target="edges",
        activation=torch.sigmoid,
    )


@pytest.mark.parametrize("model", ["single", "split", "mtan"])
def test_a_task_of_ones_own_works_in_every_model(model):
    own = edges()
    network = models.build(model, [own] if model == "single" else [tasks.depth(), own], width=1 / 32)
    prediction = network(torch.rand(2, 3, 33, 40))["edges"]
    assert prediction.shape == (2, 1, 33, 40)
    assert 0 < prediction.min() and prediction.max() < 1
    loss = own.loss(prediction, torch.ones_like(prediction))
    loss.backward()
    assert loss > 0 and network.heads["edges"].layers[1].weight.grad.abs().sum() > 0
