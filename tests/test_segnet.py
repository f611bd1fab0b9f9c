"""SegNet: pooling and unpooling by hand, the layers of the paper, any image size, and the two baselines."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils import models, tasks
from course_utils.models.segnet import CONVOLUTIONS, FILTERS, Decoder, Encoder, filters_at, pool, unpool

NARROW = 1 / 32
TODO = [tasks.segmentation(5), tasks.depth(), tasks.normals()]
SIZES = [(1, 1), (1, 70), (2, 3), (31, 33), (32, 64), (45, 17), (70, 69), (100, 100)]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def network(name="split", todo=TODO, width=NARROW, seed=0):
    torch.manual_seed(seed)
    return models.build(name, todo, width=width)


# Pooling and unpooling


def test_pool_and_unpool_by_hand():
    features = torch.tensor([[[[1.0, 2, 0, 0], [3, 0, 0, 9], [5, 4, 7, 6], [1, 1, 8, 2]]]])
    pooled, indices = pool(features)
    assert pooled.tolist() == [[[[3, 9], [5, 8]]]]
    assert indices.tolist() == [[[[4, 7], [8, 14]]]]  # row * 4 + column
    assert unpool(torch.tensor([[[[10.0, 20], [30, 40]]]]), indices, (4, 4)).tolist() == [
        [[[0, 0, 0, 0], [10, 0, 0, 20], [30, 0, 0, 0], [0, 0, 40, 0]]]
    ]


def test_an_odd_border_is_pooled_by_itself():
    pooled, indices = pool(torch.tensor([[[[1.0, 2, 7], [4, 3, 5], [6, 8, 9]]]]))
    assert pooled.tolist() == [[[[4, 7], [8, 9]]]]
    assert indices.tolist() == [[[[3, 2], [7, 8]]]]


@settings(deadline=None, max_examples=40, derandomize=True)
@given(height=st.integers(1, 20), width=st.integers(1, 20), seed=st.integers(0, 1000))
def test_unpooling_puts_every_maximum_back_in_its_place_and_zero_elsewhere(height, width, seed):
    features = torch.rand(2, 3, height, width, generator=seeded(seed)) + 0.1
    pooled, indices = pool(features)
    restored = unpool(pooled, indices, (height, width))
    assert pooled.shape[2:] == (math.ceil(height / 2), math.ceil(width / 2))
    assert restored.shape == features.shape
    kept = restored != 0
    assert torch.equal(restored[kept], features[kept])
    assert kept.sum() == pooled.numel()
    assert torch.equal(pool(restored)[0], pooled)


# The layers


def test_filters_and_convolutions_are_those_of_vgg_16():
    assert FILTERS == (64, 128, 256, 512, 512)
    assert CONVOLUTIONS == (2, 2, 3, 3, 3)
    assert filters_at(1) == FILTERS
    assert filters_at(1 / 8) == (8, 16, 32, 64, 64)


def channels_of(blocks):
    """(inputs, outputs) of every convolution of every block."""
    return [[(layer[0].in_channels, layer[0].out_channels) for layer in block] for block in blocks]


def test_encoder_and_decoder_have_the_papers_channels():
    with torch.device("meta"):
        encoder, decoder = Encoder(FILTERS), Decoder(FILTERS)
    assert channels_of(encoder.blocks) == [
        [(3, 64), (64, 64)],
        [(64, 128), (128, 128)],
        [(128, 256), (256, 256), (256, 256)],
        [(256, 512), (512, 512), (512, 512)],
        [(512, 512), (512, 512), (512, 512)],
    ]
    assert channels_of(reversed(decoder.blocks)) == [
        [(512, 512), (512, 512), (512, 512)],
        [(512, 256), (256, 256), (256, 256)],
        [(256, 128), (128, 128), (128, 128)],
        [(128, 64), (64, 64)],
        [(64, 64), (64, 64)],
    ]
    for layer in (layer for part in (encoder, decoder) for block in part.blocks for layer in block):
        convolution, normalisation, activation = layer
        assert convolution.kernel_size == (3, 3) and convolution.padding == (1, 1)
        assert convolution.stride == (1, 1) and convolution.bias is not None
        assert type(normalisation) is nn.BatchNorm2d and normalisation.affine
        assert type(activation) is nn.ReLU


def test_a_head_is_two_convolutions_with_nothing_between():
    heads = network(width=1 / 8).heads
    for task in TODO:
        first, second = heads[task.name].layers
        assert (first.in_channels, first.out_channels, first.kernel_size) == (8, 8, (3, 3))
        assert (second.in_channels, second.out_channels, second.kernel_size) == (8, task.channels, (1, 1))


@pytest.mark.parametrize("name", ["split", "mtan"])
def test_weights_start_xavier_normal_and_biases_at_zero(name):
    convolutions = [m for m in network(name, TODO[:2], width=1 / 4).modules() if isinstance(m, nn.Conv2d)]
    assert all(torch.equal(layer.bias, torch.zeros_like(layer.bias)) for layer in convolutions)
    large = [layer for layer in convolutions if layer.weight.numel() > 4000]
    assert len(large) > 20
    for layer in large:
        area = layer.kernel_size[0] ** 2
        expected = math.sqrt(2 / (area * (layer.in_channels + layer.out_channels)))
        assert layer.weight.std().item() == pytest.approx(expected, rel=0.06)
        assert abs(layer.weight.mean().item()) < 0.06 * expected
        # A uniform distribution ends at 1.73 standard deviations; 8 % of a normal one lie beyond 1.75.
        assert (layer.weight.abs() > 1.75 * expected).float().mean().item() == pytest.approx(0.08, abs=0.02)


# What it computes


def test_the_encoder_and_decoder_are_the_blocks_with_pooling_between():
    split = network().double().eval()
    features = images = torch.rand(2, 3, 45, 38, generator=seeded(), dtype=torch.float64)
    memory = []
    for block in split.encoder.blocks:
        features = block(features)
        pooled, indices = torch.nn.functional.max_pool2d(features, 2, ceil_mode=True, return_indices=True)
        memory.append((indices, features.shape[2:]))
        features = pooled
    assert features.shape[2:] == (2, 2)
    for block, (indices, size) in reversed(list(zip(split.decoder.blocks, memory, strict=True))):
        sparse = torch.zeros(*features.shape[:2], size[0] * size[1], dtype=torch.float64)
        sparse.scatter_(2, indices.flatten(2), features.flatten(2))
        features = block(sparse.unflatten(2, size))
    prediction = split(images)
    for task in TODO:
        first, second = split.heads[task.name].layers
        assert torch.equal(prediction[task.name], task.activation(second(first(features))))


@pytest.mark.parametrize("name", ["single", "split", "mtan"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_any_image_size(name, size):
    # fault: sides must be multiples of 32, 100x100 crashes
    todo = TODO[:1] if name == "single" else TODO
    with torch.no_grad():
        predictions = network(name, todo).eval()(torch.rand(2, 3, *size, generator=seeded()))
    for task in todo:
        assert predictions[task.name].shape == (2, task.channels, *size)
        assert predictions[task.name].isfinite().all()


@pytest.mark.parametrize("name", ["split", "mtan"])
def test_normals_come_out_with_unit_length(name):
    lengths = network(name)(torch.rand(2, 3, 37, 40, generator=seeded()))["normals"].norm(dim=1)
    assert torch.allclose(lengths, torch.ones_like(lengths), atol=1e-5)


def test_split_with_one_task_is_single():
    single, split = network("single", TODO[:1]), network("split", TODO[:1])
    assert list(single.state_dict()) == list(split.state_dict())
    images = torch.rand(2, 3, 33, 40, generator=seeded())
    assert torch.equal(single(images)["segmentation"], split(images)["segmentation"])


def test_the_heads_of_split_share_everything_below():
    split = network()
    features = []
    for head in split.heads.values():
        head.register_forward_pre_hook(lambda module, inputs: features.append(inputs[0]))
    split(torch.rand(2, 3, 32, 32, generator=seeded()))
    assert len(features) == 3 and features[0] is features[1] is features[2]
