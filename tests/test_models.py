"""Building a network by its name, what is refused, and the parameter counts of the paper's networks."""

import pytest
import torch
from torch import nn

from course_utils import models, tasks
from course_utils.models import check_tasks, count_parameters
from course_utils.models.mtan import MTAN
from course_utils.models.segnet import SegNet

CITYSCAPES = [tasks.segmentation(7), tasks.depth()]
NYUV2 = [tasks.segmentation(13), tasks.depth(inverse=False), tasks.normals()]


def parameters(name, todo, width=1.0, **options):
    """The count at any width without allocating or drawing a single weight."""
    with torch.device("meta"):
        return count_parameters(models.build(name, todo, width, **options))


def head(channels, filters=64):
    return (9 * filters + 1) * filters + (filters + 1) * channels


# Parameter counts


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (tasks.segmentation(7), 24_980_679),
        (tasks.segmentation(13), 24_981_069),
        (tasks.depth(), 24_980_289),
        (tasks.normals(), 24_980_419),
    ],
)
def test_parameters_of_single_task_networks(task, expected):
    assert parameters("single", [task]) == expected


def test_parameters_of_split():
    assert parameters("split", CITYSCAPES) == 25_017_672
    # The published 25,055,188 contains the three log-variances that uncertainty weighting learns.
    assert parameters("split", NYUV2) == 25_055_188 - 3
    assert parameters("split", NYUV2) == parameters("single", NYUV2[:1]) + head(1) + head(3)


@pytest.mark.parametrize("residual_mask", [False, True])
def test_parameters_of_mtan(residual_mask):
    assert parameters("mtan", CITYSCAPES, residual_mask=residual_mask) == 41_206_984
    assert parameters("mtan", NYUV2, residual_mask=residual_mask) == 44_229_073


@pytest.mark.parametrize(
    "task",
    [tasks.normals(), tasks.segmentation(19, name="fine"), tasks.depth(name="far")],
    ids=lambda task: task.name,
)
def test_a_further_task_adds_its_attention_and_its_head(task):
    added = parameters("mtan", [*CITYSCAPES, task]) - parameters("mtan", CITYSCAPES)
    assert added == 2_984_576 + head(task.channels)


def counted_by_the_table(todo, filters):
    """MTAN's parameters from the filters alone: convolutions with bias, BN with two numbers per channel."""

    def conv_bn(inputs, outputs, kernel=3):
        return kernel**2 * inputs * outputs + 3 * outputs

    f0, f1, f2, f3, f4 = filters
    down = [(3, f0), (f0, f1), (f1, f2), (f2, f3), (f3, f4)]
    up = [(f4, f3), (f3, f2), (f2, f1), (f1, f0), (f0, f0)]
    counts = [2, 2, 3, 3, 3]
    shared = sum(
        conv_bn(inputs, outputs) + (count - 1) * conv_bn(outputs, outputs)
        for ends, repeats in ((down, counts), (up, counts[::-1]))
        for (inputs, outputs), count in zip(ends, repeats, strict=True)
    )
    transforms = sum(conv_bn(*ends) for ends in [*down[1:], (f4, f4), *up])
    masks = [(f0, f0), *((2 * f, f) for f in filters[1:]), *((i + o, o) for i, o in up)]
    attention = sum(conv_bn(i, o, kernel=1) + conv_bn(o, o, kernel=1) for i, o in masks)
    return shared + transforms + len(todo) * attention + sum(head(task.channels, f0) for task in todo)


@pytest.mark.parametrize(
    ("width", "filters"),
    [
        (1, (64, 128, 256, 512, 512)),
        (1 / 4, (16, 32, 64, 128, 128)),
        (1 / 8, (8, 16, 32, 64, 64)),
        (1.5, (96, 192, 384, 768, 768)),
        (1 / 1000, (1, 1, 1, 1, 1)),
    ],
)
def test_width_scales_every_filter_count(width, filters):
    assert parameters("mtan", NYUV2, width) == counted_by_the_table(NYUV2, filters)


def test_frozen_parameters_are_not_counted():
    network = models.build("single", [tasks.depth()], width=1 / 32)
    total = count_parameters(network)
    network.encoder.requires_grad_(False)
    assert 0 < count_parameters(network) == total - sum(p.numel() for p in network.encoder.parameters())


# Building


@pytest.mark.parametrize(("name", "kind"), [("single", SegNet), ("split", SegNet), ("mtan", MTAN)])
def test_build_knows_the_names(name, kind):
    assert type(models.build(name, CITYSCAPES[:1], width=1 / 32)) is kind


def test_build_puts_the_weights_in_channels_last_memory():
    network = models.build("mtan", CITYSCAPES, width=1 / 32)
    kernels = [module.weight for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)


def test_an_unknown_name_lists_the_known_ones_and_guesses():
    with pytest.raises(ValueError, match=r"unknown name 'mtna'; known are single, split, mtan\. .* 'mtan'\?"):
        models.build("mtna", CITYSCAPES)
    with pytest.raises(ValueError, match=r"'unet'; known are single, split, mtan\.$"):
        models.build("unet", CITYSCAPES)


def test_single_takes_one_task():
    with pytest.raises(ValueError, match=r"'single' takes one task, got 2 \(segmentation, depth\)"):
        models.build("single", CITYSCAPES)


@pytest.mark.parametrize("name", ["single", "split", "mtan"])
def test_no_tasks(name):
    with pytest.raises(ValueError, match="tasks: expected at least one task"):
        models.build(name, [])


@pytest.mark.parametrize("name", ["split", "mtan"])
def test_two_tasks_of_one_name(name):
    with pytest.raises(ValueError, match=r"several are named 'depth'.*depth\(name='far'\)"):
        models.build(name, [tasks.depth(), tasks.normals(), tasks.depth()])


@pytest.mark.parametrize("name", ["two words", "a.b", "", "3d"])
def test_a_name_that_is_no_plain_word(name):
    with pytest.raises(ValueError, match=f"plain word .*found {name!r}"):
        check_tasks([tasks.depth(name=name)])


@pytest.mark.parametrize("name", ["type", "values", "training", "half"])
def test_a_name_that_a_torch_module_keeps_for_itself(name):
    with pytest.raises(ValueError, match=f"keeps the name {name!r}"):
        check_tasks([tasks.segmentation(7), tasks.depth(name=name)])


@pytest.mark.parametrize("width", [0, -0.5, float("nan")])
def test_a_width_must_be_above_0(width):
    with pytest.raises(ValueError, match=f"width: .*above 0.* got {width}"):
        models.build("mtan", CITYSCAPES, width=width)


@pytest.mark.parametrize(("name", "option"), [("split", "residual_mask"), ("mtan", "residual")])
def test_an_unknown_option_is_named(name, option):
    with pytest.raises(TypeError, match=f"'{option}'"):
        models.build(name, CITYSCAPES, width=1 / 32, **{option: True})
