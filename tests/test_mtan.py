"""MTAN to the letter of the paper: against a second, plainly written MTAN, and by what every layer is given.

The second one, `reference`, is written from the paper's definitions of u, p and f. It takes nothing from the
network under test but its weights; pooling, unpooling and bilinear enlarging are its own.
"""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils import models, tasks
from course_utils.models.attention import Attention, AttentionModule

NARROW = 1 / 32
TODO = [tasks.segmentation(5), tasks.depth(), tasks.normals()]
LEVELS = [f"encoder{level}" for level in (1, 2, 3, 4, 5)] + [f"decoder{level}" for level in (5, 4, 3, 2, 1)]
SIZES = [(45, 38), (33, 70), (64, 32), (7, 50), (1, 1)]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def network(todo=TODO, width=NARROW, **options):
    """An MTAN whose biases and batch normalisations are not at their trivial start."""
    torch.manual_seed(0)
    mtan = models.build("mtan", todo, width=width, **options)
    with torch.no_grad():
        for module in mtan.modules():
            if isinstance(module, nn.Conv2d):
                module.bias.normal_(0, 0.3)
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0.2, 0.3)
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 1.5)
    return mtan


def images(size, frames=2, dtype=torch.float32):
    return torch.rand(frames, 3, *size, generator=seeded(), dtype=dtype)


# The reference


def convolve(layer, features):
    return F.conv2d(features, layer.weight, layer.bias, padding=layer.kernel_size[0] // 2)


def normalise(layer, features, training):
    if training:
        mean = features.mean(dim=(0, 2, 3), keepdim=True)
        variance = (features - mean).square().mean(dim=(0, 2, 3), keepdim=True)
    else:
        mean, variance = layer.running_mean.view(1, -1, 1, 1), layer.running_var.view(1, -1, 1, 1)
    scale, shift = layer.weight.view(1, -1, 1, 1), layer.bias.view(1, -1, 1, 1)
    return (features - mean) / torch.sqrt(variance + layer.eps) * scale + shift


def conv_bn_relu(layers, features, training):
    return normalise(layers[1], convolve(layers[0], features), training).clamp(min=0)


def max_pool(features):
    """2x2 maxima of an image padded to even sides, and their places in the padded image."""
    height, width = features.shape[2:]
    padded = F.pad(features, (0, width % 2, 0, height % 2), value=-math.inf)
    return F.max_pool2d(padded, 2, return_indices=True)


def max_unpool(features, places, size):
    height, width = size
    even = (height + height % 2, width + width % 2)
    padded = features.new_zeros(*features.shape[:2], even[0] * even[1])
    padded.scatter_(2, places.flatten(2), features.flatten(2))
    return padded.unflatten(2, even)[:, :, :height, :width]


def interpolation(old, new):
    """The matrix [new, old] of linear interpolation with end points on end points."""
    matrix = torch.zeros(new, old, dtype=torch.float64)
    for row in range(new):
        place = row * (old - 1) / (new - 1) if new > 1 else 0.0
        below = min(math.floor(place), old - 1)
        above = min(below + 1, old - 1)
        matrix[row, below] += 1 - (place - below)
        matrix[row, above] += place - below
    return matrix


def bilinear(features, size):
    rows = interpolation(features.shape[2], size[0])
    columns = interpolation(features.shape[3], size[1])
    return torch.einsum("yi,bcij,xj->bcyx", rows, features, columns)


def reference(mtan, x, residual=False, training=False):
    """Everything of one forward pass, by task: predictions, masks, attended features, mask inputs, p."""
    first_of, last_of, places = [], [], []
    for block in mtan.encoder.blocks:
        for number, layers in enumerate(block):
            x = conv_bn_relu(layers, x, training)
            if number == 0:
                first_of.append(x)
        last_of.append(x)
        x, place = max_pool(x)
        places.append(place)
    unpooled, decoded = {}, {}
    for j in (4, 3, 2, 1, 0):
        unpooled[j] = x = max_unpool(x, places[j], last_of[j].shape[2:])
        for layers in mtan.decoder.blocks[j]:
            x = conv_bn_relu(layers, x, training)
        decoded[j] = x

    found = {}
    for name in mtan.heads:
        u_and_p = {f"encoder{j + 1}": (first_of[j], last_of[j]) for j in range(5)}
        u_and_p |= {f"decoder{j + 1}": (unpooled[j], decoded[j]) for j in range(5)}
        seen, masks, attended = {}, {}, {}
        previous = None
        for level in LEVELS:
            side, j = level[:-1], int(level[-1]) - 1
            u, p = u_and_p[level]
            if level == "encoder1":
                seen[level] = u
            else:
                if side == "decoder":
                    enlarged = bilinear(previous, u.shape[2:])
                    previous = conv_bn_relu(mtan.transforms.decoder[j], enlarged, training)
                seen[level] = torch.cat([u, previous], dim=1)
            module = getattr(mtan.attention[name], side)[j]
            hidden = conv_bn_relu(module.hidden, seen[level], training)
            logits = normalise(module.mask[1], convolve(module.mask[0], hidden), training)
            masks[level] = torch.sigmoid(logits)
            attended[level] = (masks[level] + 1) * p if residual else masks[level] * p
            previous = attended[level]
            if side == "encoder":
                previous, _ = max_pool(conv_bn_relu(mtan.transforms.encoder[j], previous, training))
        first, second = mtan.heads[name].layers
        prediction = convolve(second, convolve(first, attended["decoder1"]))
        if name == "normals":
            prediction = prediction / prediction.square().sum(dim=1, keepdim=True).sqrt()
        shared = {level: p for level, (u, p) in u_and_p.items()}
        found[name] = {
            "prediction": prediction, "mask": masks, "attended": attended, "seen": seen, "shared": shared,
        }  # fmt: skip
    return found


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("residual", [False, True], ids=["mask", "residual"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_mtan_equals_the_reference_at_every_level(size, residual, training):
    mtan = network(residual_mask=residual).double().train(training)
    seen = {}
    for name, attention in mtan.attention.items():
        for level in LEVELS:
            module = getattr(attention, level[:-1])[int(level[-1]) - 1]
            module.hidden.register_forward_pre_hook(
                lambda module, inputs, key=(name, level): seen.__setitem__(key, inputs[0])
            )
    batch = images(size, frames=3, dtype=torch.float64)
    with torch.no_grad():
        expected = reference(mtan, batch, residual, training)
        predictions, attention = mtan(batch, return_attention=True)
    for task in TODO:
        one = expected[task.name]
        torch.testing.assert_close(predictions[task.name], one["prediction"])
        for level in LEVELS:
            found = attention[task.name][level]
            torch.testing.assert_close(seen[task.name, level], one["seen"][level])
            torch.testing.assert_close(found.shared, one["shared"][level])
            torch.testing.assert_close(found.mask, one["mask"][level])
            torch.testing.assert_close(found.attended, one["attended"][level])


# Layers


def test_the_masks_are_given_the_papers_channels():
    with torch.device("meta"):
        mtan = models.build("mtan", TODO)
    for attention in mtan.attention.values():
        assert [module.hidden[0].in_channels for module in attention.encoder] == [64, 256, 512, 1024, 1024]
        assert [module.hidden[0].in_channels for module in reversed(attention.decoder)] == [
            512 + 512, 512 + 256, 256 + 128, 128 + 64, 64 + 64,
        ]  # fmt: skip
        assert [module.mask[0].out_channels for module in attention.encoder] == [64, 128, 256, 512, 512]
        outputs = [module.mask[0].out_channels for module in reversed(attention.decoder)]
        assert outputs == [512, 256, 128, 64, 64]


def test_a_mask_is_two_1x1_convolutions_with_normalisation_relu_and_sigmoid():
    with torch.device("meta"):
        module = AttentionModule(inputs=12, channels=5)
    layers = [*module.hidden, *module.mask]
    assert [type(layer) for layer in layers] == [
        nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Conv2d, nn.BatchNorm2d, nn.Sigmoid,
    ]  # fmt: skip
    convolutions = layers[0], layers[3]
    assert [(layer.in_channels, layer.out_channels) for layer in convolutions] == [(12, 5), (5, 5)]
    assert [layer.kernel_size for layer in convolutions] == [(1, 1), (1, 1)]


def test_the_transforms_have_the_papers_channels():
    with torch.device("meta"):
        transforms = models.build("mtan", TODO).transforms
    ends = {
        side: [(f[0].in_channels, f[0].out_channels) for f in getattr(transforms, side)]
        for side in ("encoder", "decoder")
    }
    assert ends["encoder"] == [(64, 128), (128, 256), (256, 512), (512, 512), (512, 512)]
    assert ends["decoder"][::-1] == [(512, 512), (512, 256), (256, 128), (128, 64), (64, 64)]
    for layers in (*transforms.encoder, *transforms.decoder):
        assert [type(layer) for layer in layers] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
        assert layers[0].kernel_size == (3, 3)


def calls(modules):
    """Count the forward calls of each module from now on."""
    counts = [0] * len(modules)

    def count(number):
        def hook(*_):
            counts[number] += 1

        return hook

    for number, module in enumerate(modules):
        module.register_forward_hook(count(number))
    return counts


@pytest.mark.parametrize("return_attention", [False, True])
@pytest.mark.parametrize("tasks_count", [1, 2, 3])
def test_the_shared_network_runs_once_and_each_shared_transform_once_per_task(tasks_count, return_attention):
    mtan = network(TODO[:tasks_count])
    shared = [layer for part in (mtan.encoder, mtan.decoder) for block in part.blocks for layer in block]
    transforms = [*mtan.transforms.encoder, *mtan.transforms.decoder]
    shared_calls, transform_calls = calls(shared), calls(transforms)
    mtan(images((32, 40)), return_attention=return_attention)
    assert shared_calls == [1] * 26
    assert transform_calls == [tasks_count] * 10


@pytest.mark.parametrize("tasks_count", [1, 3])
def test_the_normalisation_of_a_transform_takes_one_step_per_task(tasks_count):
    mtan = network(TODO[:tasks_count])
    mtan(images((32, 40)))
    steps = [(key, int(n)) for key, n in mtan.state_dict().items() if key.endswith("num_batches_tracked")]
    assert {count for key, count in steps if key.startswith("transforms.")} == {tasks_count}
    assert {count for key, count in steps if not key.startswith("transforms.")} == {1}


# Attention


@pytest.mark.parametrize("size", [(64, 96), (45, 38), (1, 70)])
def test_return_attention_gives_all_ten_levels_and_the_same_predictions(size):
    mtan = network().eval()
    predictions, attention = mtan(images(size), return_attention=True)
    plain = mtan(images(size))
    assert list(predictions) == list(plain) == list(attention) == ["segmentation", "depth", "normals"]
    for task in TODO:
        assert torch.equal(predictions[task.name], plain[task.name])
        assert list(attention[task.name]) == LEVELS
        for level, channels in zip(LEVELS, [2, 4, 8, 16, 16, 16, 8, 4, 2, 2], strict=True):
            scale = 2 ** (int(level[-1]) - 1)
            found = attention[task.name][level]
            assert isinstance(found, Attention) and found._fields == ("shared", "mask", "attended")
            for features in found:
                assert features.shape == (2, channels, math.ceil(size[0] / scale), math.ceil(size[1] / scale))


@pytest.mark.parametrize("residual", [False, True])
def test_attended_is_mask_times_p_and_one_more_p_with_a_residual_mask(residual):
    _, attention = network(residual_mask=residual)(images((45, 38)), return_attention=True)
    for found in (found for levels in attention.values() for found in levels.values()):
        assert 0 <= found.mask.min() < found.mask.max() <= 1
        factor = found.mask + 1 if residual else found.mask
        assert torch.equal(found.attended, factor * found.shared)


def test_the_tasks_share_p_and_have_masks_of_their_own():
    _, attention = network()(images((32, 40)), return_attention=True)
    first, second, third = attention.values()
    for level in LEVELS:
        assert first[level].shared is second[level].shared is third[level].shared
        assert not torch.allclose(first[level].mask, second[level].mask)
        assert not torch.allclose(second[level].mask, third[level].mask)


def test_a_head_reads_the_attended_feature_of_the_last_decoder_level():
    mtan = network()
    read = {}
    for name, head in mtan.heads.items():
        head.register_forward_pre_hook(lambda module, inputs, name=name: read.update({name: inputs[0]}))
    _, attention = mtan(images((32, 40)), return_attention=True)
    for task in TODO:
        assert read[task.name] is attention[task.name]["decoder1"].attended


def test_attention_module_by_hand():
    # One channel, u = (1, -1): batch normalisation makes it (1, -1), ReLU (1, 0), BN (1, -1), sigmoid.
    module = AttentionModule(inputs=1, channels=1)
    for convolution in (module.hidden[0], module.mask[0]):
        nn.init.ones_(convolution.weight)
        nn.init.zeros_(convolution.bias)
    found = module(torch.tensor([[[[1.0, -1.0]]]]), shared=torch.tensor([[[[10.0, 20.0]]]]))
    expected = [1 / (1 + math.exp(-1)), 1 / (1 + math.exp(1))]
    assert found.mask.flatten().tolist() == pytest.approx(expected, abs=1e-4)
    assert found.attended.flatten().tolist() == pytest.approx([10 * expected[0], 20 * expected[1]], abs=1e-3)


@pytest.mark.parametrize("residual", [False, True])
def test_gradients_of_the_attention_module(residual):
    torch.manual_seed(0)
    module = AttentionModule(inputs=3, channels=2, residual=residual).double()
    source = torch.randn(2, 3, 2, 3, dtype=torch.float64, requires_grad=True)
    shared = torch.randn(2, 2, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda u, p: module(u, p).attended, (source, shared))


# Any tasks, any size


@st.composite
def any_tasks(draw):
    kinds = draw(st.lists(st.sampled_from(["segmentation", "depth", "normals"]), min_size=1, max_size=4))
    todo = []
    for number, kind in enumerate(kinds):
        name = f"{kind}_{number}"
        if kind == "segmentation":
            todo.append(tasks.segmentation(draw(st.integers(2, 40)), name=name))
        else:
            todo.append(getattr(tasks, kind)(name=name))
    return todo


@settings(deadline=None, max_examples=25, derandomize=True)
@given(
    todo=any_tasks(),
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    filters=st.sampled_from([1 / 64, 1 / 32, 0.02, 1 / 16]),
    residual_mask=st.booleans(),
)
def test_any_tasks_at_any_size_and_width(todo, height, width, filters, residual_mask):
    # fault: sides must be multiples of 32, 100x100 crashes
    mtan = models.build("mtan", todo, width=filters, residual_mask=residual_mask).eval()
    with torch.no_grad():
        predictions = mtan(images((height, width), frames=1))
    assert list(predictions) == [task.name for task in todo]
    for task in todo:
        assert predictions[task.name].shape == (1, task.channels, height, width)
        assert predictions[task.name].isfinite().all()


def targets(task, size):
    generator = seeded(1)
    if task.loss is tasks.losses.cross_entropy:
        return torch.randint(-1, task.channels, (2, *size), generator=generator)
    return torch.rand(2, task.channels, *size, generator=generator)


FOUR = [tasks.segmentation(7), tasks.segmentation(2, name="coarse"), tasks.depth(), tasks.normals()]


@pytest.mark.parametrize(
    ("name", "todo"),
    [("single", FOUR[:1]), ("split", FOUR), ("mtan", FOUR[2:3]), ("mtan", FOUR[:2]), ("mtan", FOUR)],
    ids=lambda value: value if isinstance(value, str) else str(len(value)),
)
def test_gradients_reach_every_parameter(name, todo):
    torch.manual_seed(0)
    size = (50, 67)
    model = models.build(name, todo, width=1 / 16)
    predictions = model(images(size))
    sum(task.loss(predictions[task.name], targets(task, size)) for task in todo).backward()
    for path, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), path
        # A bias before a batch normalisation changes nothing: its gradient is zero but for rounding.
        if not path.endswith(".bias"):
            assert parameter.grad.abs().sum() > 0, path


def test_a_tasks_loss_reaches_the_shared_network_but_not_the_other_tasks():
    mtan = network()
    mtan(images((32, 40)))["depth"].square().mean().backward()
    touched = [path.split(".") for path, parameter in mtan.named_parameters() if parameter.grad is not None]
    assert {f"{part}.{inside}" for part, inside, *_ in touched} == {
        "encoder.blocks",
        "decoder.blocks",
        "transforms.encoder",
        "transforms.decoder",
        "attention.depth",
        "heads.depth",
    }


@pytest.mark.parametrize("name", ["split", "mtan"])
@pytest.mark.parametrize("order", [(2, 0, 1), (1, 2, 0), (2, 1, 0)])
def test_permuting_the_tasks_permutes_the_outputs(name, order):
    permuted = [TODO[number] for number in order]
    torch.manual_seed(0)
    first = models.build(name, TODO, width=NARROW).eval()
    second = models.build(name, permuted, width=NARROW).eval()
    second.load_state_dict(first.state_dict())
    with torch.no_grad():
        expected, found = first(images((33, 40))), second(images((33, 40)))
    assert list(found) == [task.name for task in permuted]
    for task in TODO:
        assert torch.equal(found[task.name], expected[task.name])


def test_prediction_is_repeatable_and_does_not_depend_on_the_rest_of_the_batch():
    mtan = network().double().eval()
    batch = images((33, 40), frames=3, dtype=torch.float64)
    with torch.no_grad():
        first, second, alone = mtan(batch), mtan(batch), mtan(batch[1:2])
    for task in TODO:
        assert torch.equal(first[task.name], second[task.name])
        torch.testing.assert_close(alone[task.name], first[task.name][1:2])


def test_predicting_leaves_the_network_as_it_was():
    mtan = network().eval()
    before = {key: value.clone() for key, value in mtan.state_dict().items()}
    mtan(images((33, 40)))
    assert all(torch.equal(value, before[key]) for key, value in mtan.state_dict().items())
