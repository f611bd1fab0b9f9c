"""Attempts at the exercises of chapter 07."""

import copy
import statistics

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tests.exercises.attempts import right, wrong

# --- mask_layer


@wrong("07.mask_layer", "level not reduced by one", "counts from 0")
def _(network, task_name, level):
    return getattr(network.attention[task_name], level[:-1])[int(level[-1]) % 5].mask


@wrong("07.mask_layer", "decoder counted deepest first", "begins with level 1")
def _(network, task_name, level):
    side, number = level[:-1], int(level[-1])
    return getattr(network.attention[task_name], side)[number - 1 if side == "encoder" else 5 - number].mask


@wrong("07.mask_layer", "the whole attention module", "whole attention module")
def _(network, task_name, level):
    return getattr(network.attention[task_name], level[:-1])[int(level[-1]) - 1]


@wrong("07.mask_layer", "always the encoder", "belongs to the encoder")
def _(network, task_name, level):
    return network.attention[task_name].encoder[int(level[-1]) - 1].mask


@wrong("07.mask_layer", "always the first task", "another task")
def _(network, task_name, level):
    return getattr(network.attention["segmentation"], level[:-1])[int(level[-1]) - 1].mask


@wrong("07.mask_layer", "the hidden layers", "is not the mask")
def _(network, task_name, level):
    return getattr(network.attention[task_name], level[:-1])[int(level[-1]) - 1].hidden


@wrong("07.mask_layer", "the sigmoid alone", "only one layer")
def _(network, task_name, level):
    return getattr(network.attention[task_name], level[:-1])[int(level[-1]) - 1].mask[-1]


@wrong("07.mask_layer", "a copy", "never be called")
def _(network, task_name, level):
    return copy.deepcopy(getattr(network.attention[task_name], level[:-1])[int(level[-1]) - 1].mask)


@wrong("07.mask_layer", "the layer's name", "a str")
def _(network, task_name, level):
    return f"attention.{task_name}.{level[:-1]}.{int(level[-1]) - 1}.mask"


@wrong("07.mask_layer", "the shared block", "no part of a task's attention")
def _(network, task_name, level):
    return getattr(network, level[:-1]).blocks[int(level[-1]) - 1]


@right("07.mask_layer", "by its full name")
def _(network, task_name, level):
    return network.get_submodule(f"attention.{task_name}.{level[:7]}.{int(level[7:]) - 1}.mask")


@right("07.mask_layer", "two branches")
def _(network, task_name, level):
    of_task = network.attention[task_name]
    if level.startswith("encoder"):
        return of_task.encoder[int(level.replace("encoder", "")) - 1].mask
    return of_task.decoder[int(level.replace("decoder", "")) - 1].mask


# --- catch


def _caught_with(make_hook, network, layers, images, found):
    """What many of the attempts share: hooks that are removed in any case."""
    handles = [layer.register_forward_hook(make_hook(name)) for name, layer in layers.items()]
    try:
        network(images)
    finally:
        for handle in handles:
            handle.remove()
    return found


@wrong("07.catch", "hook not removed", "after the call a hook is still there")
def _(network, layers, images):
    found = {}
    for name, layer in layers.items():
        layer.register_forward_hook(lambda layer, inputs, output, name=name: found.update({name: output.detach()}))
    network(images)
    return found


@wrong("07.catch", "only the last hook removed", "after the call a hook is still there")
def _(network, layers, images):
    found = {}
    for name, layer in layers.items():
        handle = layer.register_forward_hook(
            lambda layer, inputs, output, name=name: found.update({name: output.detach().clone()})
        )
    network(images)
    handle.remove()
    return found


@wrong("07.catch", "removed, but not after an error", "raises an error")
def _(network, layers, images):
    found, handles = {}, []
    for name, layer in layers.items():
        handles.append(
            layer.register_forward_hook(
                lambda layer, inputs, output, name=name: found.update({name: output.detach().clone()})
            )
        )
    network(images)
    for handle in handles:
        handle.remove()
    return found


@wrong("07.catch", "the error swallowed", "swallowed")
def _(network, layers, images):
    found = {}

    def make_hook(name):
        return lambda layer, inputs, output: found.update({name: output.detach().clone()})

    try:
        _caught_with(make_hook, network, layers, images, found)
    except Exception:
        pass
    return found


@wrong("07.catch", "loop variable in the hook", "loop's variable")
def _(network, layers, images):
    found, handles = {}, []
    for name, layer in layers.items():

        def hook(layer, inputs, output):
            found[name] = output.detach().clone()  # noqa: B023  (the mistake)

        handles.append(layer.register_forward_hook(hook))
    try:
        network(images)
    finally:
        for handle in handles:
            handle.remove()
    return found


@wrong("07.catch", "one slot for all layers", "one place for all")
def _(network, layers, images):
    slot = []

    def make_hook(name):
        return lambda layer, inputs, output: slot.append(output.detach().clone())

    _caught_with(make_hook, network, layers, images, slot)
    return {name: slot[-1] for name in layers}


@wrong("07.catch", "not detached", "not detached")
def _(network, layers, images):
    found = {}
    return _caught_with(
        lambda name: lambda layer, inputs, output: found.update({name: output.clone()}), network, layers, images, found
    )


@wrong("07.catch", "no copy", "overwrote its input")
def _(network, layers, images):
    found = {}
    with torch.no_grad():
        return _caught_with(
            lambda name: lambda layer, inputs, output: found.update({name: output}), network, layers, images, found
        )


@wrong("07.catch", "the hook returns zeros", "computes something else")
def _(network, layers, images):
    found = {}

    def make_hook(name):
        def hook(layer, inputs, output):
            found[name] = output.detach().clone()
            return torch.zeros_like(output)

        return hook

    return _caught_with(make_hook, network, layers, images, found)


@wrong("07.catch", "the hook returns the dict", "hook returns a dict")
def _(network, layers, images):
    found = {}

    def make_hook(name):
        def hook(layer, inputs, output):
            found[name] = output.detach().clone()
            return found

        return hook

    return _caught_with(make_hook, network, layers, images, found)


@wrong("07.catch", "the inputs kept", "tuple")
def _(network, layers, images):
    found = {}
    return _caught_with(
        lambda name: lambda layer, inputs, output: found.update({name: inputs}), network, layers, images, found
    )


@wrong("07.catch", "the input kept", "Is it the input")
def _(network, layers, images):
    found = {}
    return _caught_with(
        lambda name: lambda layer, inputs, output: found.update({name: inputs[0].detach().clone() + 0 * output}),
        network, layers, images, found,
    )  # fmt: skip


@wrong("07.catch", "one pass per layer", "ran 2 times")
def _(network, layers, images):
    found = {}
    for name, layer in layers.items():
        handle = layer.register_forward_hook(
            lambda layer, inputs, output, name=name: found.update({name: output.detach().clone()})
        )
        network(images)
        handle.remove()
    return found


@wrong("07.catch", "removed before the pass", "dict is empty")
def _(network, layers, images):
    found = {}
    handles = [
        layer.register_forward_hook(lambda layer, inputs, output, name=name: found.update({name: output.detach()}))
        for name, layer in layers.items()
    ]
    for handle in handles:
        handle.remove()
    network(images)
    return found


@wrong("07.catch", "left in evaluation mode", "another mode")
def _(network, layers, images):
    found = {}
    network.eval()
    return _caught_with(
        lambda name: lambda layer, inputs, output: found.update({name: output.detach().clone()}),
        network, layers, images, found,
    )  # fmt: skip


@wrong("07.catch", "gradients left off", "gradients are switched off")
def _(network, layers, images):
    found = {}
    torch.set_grad_enabled(False)
    return _caught_with(
        lambda name: lambda layer, inputs, output: found.update({name: output.clone()}), network, layers, images, found
    )


@wrong("07.catch", "all hooks cleared", "somebody else")
def _(network, layers, images):
    found = {}
    for name, layer in layers.items():
        layer.register_forward_hook(
            lambda layer, inputs, output, name=name: found.update({name: output.detach().clone()})
        )
    try:
        network(images)
    finally:
        for layer in layers.values():
            layer._forward_hooks.clear()
    return found


@wrong("07.catch", "a list", "a list")
def _(network, layers, images):
    found = []
    return _caught_with(
        lambda name: lambda layer, inputs, output: found.append(output.detach().clone()), network, layers, images, found
    )


@wrong("07.catch", "a dict of lists", "holds lists")
def _(network, layers, images):
    found = {name: [] for name in layers}
    return _caught_with(
        lambda name: lambda layer, inputs, output: found[name].append(output.detach().clone()),
        network, layers, images, found,
    )  # fmt: skip


@wrong("07.catch", "return forgotten", "None")
def _(network, layers, images):
    found = {}
    _caught_with(
        lambda name: lambda layer, inputs, output: found.update({name: output.detach().clone()}),
        network, layers, images, found,
    )  # fmt: skip


@wrong("07.catch", "the layers called by hand", "was not run")
def _(network, layers, images):
    return {name: layer(network.feature(images)).detach() for name, layer in layers.items()}


@right("07.catch", "a default argument, no_grad, several with blocks")
def _(network, layers, images):
    from contextlib import ExitStack

    found = {}
    with ExitStack() as stack, torch.no_grad():
        for name, layer in layers.items():

            def keep(layer, inputs, output, name=name):
                found[name] = output + 0.0

            stack.callback(layer.register_forward_hook(keep).remove)
        network(images)
    return found


@right("07.catch", "by the layer itself, the hook returns the output")
def _(network, layers, images):
    by_layer = {}

    def keep(layer, inputs, output):
        by_layer[layer] = torch.tensor(output.tolist())
        return output

    handles = []
    try:
        for layer in layers.values():
            handles.append(layer.register_forward_hook(keep))
        network.forward(images)
    finally:
        [handle.remove() for handle in handles]
    return {name: by_layer[layer] for name, layer in layers.items()}


# --- contrast


@wrong("07.contrast", "over everything", "pooled")
def _(mask):
    return mask.std(correction=0).item()


@wrong("07.contrast", "frames pooled", "all frames are pooled")
def _(mask):
    return mask.std(dim=(0, 2, 3), correction=0).mean().item()


@wrong("07.contrast", "over the batch axis", "over the frames")
def _(mask):
    return mask.std(dim=0).mean().item()


@wrong("07.contrast", "over the channels", "over the channels;")
def _(mask):
    return mask.std(1).mean().item()


@wrong("07.contrast", "torch's divisor", "one less")
def _(mask):
    return mask.std(dim=(2, 3)).mean().item()


@wrong("07.contrast", "largest minus smallest", "largest minus the smallest")
def _(mask):
    return (mask.amax(dim=(2, 3)) - mask.amin(dim=(2, 3))).mean().item()


@wrong("07.contrast", "variance", "root is missing")
def _(mask):
    return mask.var(dim=(2, 3), correction=0).mean().item()


@wrong("07.contrast", "root at the end", "after the mean")
def _(mask):
    return mask.var(dim=(2, 3), correction=0).mean().sqrt().item()


@wrong("07.contrast", "absolute deviations", "absolute")
def _(mask):
    return (mask - mask.mean(dim=(2, 3), keepdim=True)).abs().mean().item()


@wrong("07.contrast", "one axis only", "one axis")
def _(mask):
    return mask.std(dim=-1, correction=0).mean().item()


@wrong("07.contrast", "mean picture first", "cancel")
def _(mask):
    return mask.mean(dim=1).std(dim=(1, 2), correction=0).mean().item()


@wrong("07.contrast", "no mean over channels", "one number")
def _(mask):
    return mask.std(dim=(2, 3), correction=0)


@wrong("07.contrast", "NaN for a constant mask", "NaN")
def _(mask):
    squares = mask.square().mean(dim=(2, 3))
    return (squares - mask.mean(dim=(2, 3)).square()).sqrt().mean().item()


@wrong("07.contrast", "the input changed", "changed afterwards")
def _(mask):
    mask -= mask.mean(dim=(2, 3), keepdim=True)
    return mask.square().mean(dim=(2, 3)).sqrt().mean().item()


@right("07.contrast", "the equation, word by word")
def _(mask):
    total, count = 0.0, 0
    for frame in mask:
        for channel in frame:
            deviation = channel - channel.mean()
            total += (deviation**2).mean().sqrt()
            count += 1
    return total / count


@right("07.contrast", "mean of squares, kept from below zero")
def _(mask):
    squares = mask.square().mean(dim=(2, 3))
    return (squares - mask.mean(dim=(2, 3)).square()).clamp(min=0).sqrt().mean()


@right("07.contrast", "NumPy")
def _(mask):
    return np.std(mask.numpy(), axis=(2, 3)).mean()


# --- share_between


@wrong("07.share_between", "share within", "within the channels")
def _(mask):
    return (mask.var(dim=(0, 2, 3), correction=0).mean() / mask.var(correction=0)).item()


@wrong("07.share_between", "between over within", "a part of the whole")
def _(mask):
    between = mask.mean(dim=(0, 2, 3)).var(correction=0)
    return (between / mask.var(dim=(0, 2, 3), correction=0).mean()).item()


@wrong("07.share_between", "standard deviations", "standard deviations")
def _(mask):
    return (mask.mean(dim=(0, 2, 3)).std(correction=0) / mask.std(correction=0)).item()


@wrong("07.share_between", "torch's divisors", "one less")
def _(mask):
    return (mask.mean(dim=(0, 2, 3)).var() / mask.var()).item()


@wrong("07.share_between", "frames apart", "pool the frames")
def _(mask):
    return (mask.mean(dim=(2, 3)).var(correction=0) / mask.var(correction=0)).item()


@wrong("07.share_between", "not divided", "share of anything")
def _(mask):
    return mask.mean(dim=(0, 2, 3)).var(correction=0).item()


@wrong("07.share_between", "means of the places", "places")
def _(mask):
    return (mask.mean(dim=1).var(correction=0) / mask.var(correction=0)).item()


@wrong("07.share_between", "means of the frames", "means of the frames")
def _(mask):
    return (mask.mean(dim=(1, 2, 3)).var(correction=0) / mask.var(correction=0)).item()


@wrong("07.share_between", "0 / 0", "NaN")
def _(mask):
    return (mask.mean(dim=(0, 2, 3)).var(correction=0) / mask.var(correction=0)).item()


@wrong("07.share_between", "1 for a mask that is the same everywhere", "another value")
def _(mask):
    total = mask.var(correction=0)
    return 1.0 if total == 0 else mask.mean(dim=(0, 2, 3)).var(correction=0) / total


@right("07.share_between", "one minus the share within")
def _(mask):
    rows = mask.transpose(0, 1).flatten(1)
    total = ((rows - rows.mean()) ** 2).mean()
    if total < 1e-12:
        return torch.tensor(0.0)
    return 1 - ((rows - rows.mean(dim=1, keepdim=True)) ** 2).mean() / total


@right("07.share_between", "Python's statistics")
def _(mask):
    means = [mask[:, c].mean().item() for c in range(mask.shape[1])]
    total = statistics.pvariance(mask.flatten().tolist())
    return statistics.pvariance(means) / total if total else 0


# --- correlations


@wrong("07.correlations", "no means taken away", "means are not taken away")
def _(first, second):
    first, second = (mask.transpose(0, 1).flatten(1) for mask in (first, second))
    return F.cosine_similarity(first, second, dim=1)


@wrong("07.correlations", "one mean for all", "one mean for all")
def _(first, second):
    first, second = first - first.mean(), second - second.mean()
    first, second = (mask.transpose(0, 1).flatten(1) for mask in (first, second))
    return F.cosine_similarity(first, second, dim=1)


@wrong("07.correlations", "frame by frame", "inside each frame")
def _(first, second):
    first, second = (mask - mask.mean(dim=(2, 3), keepdim=True) for mask in (first, second))
    return F.cosine_similarity(first.flatten(2), second.flatten(2), dim=2).mean(dim=0)


@wrong("07.correlations", "a value for each frame", "for each frame")
def _(first, second):
    first, second = (mask - mask.mean(dim=(2, 3), keepdim=True) for mask in (first, second))
    return F.cosine_similarity(first.flatten(2), second.flatten(2), dim=2)


@wrong("07.correlations", "reshape in place of transpose", "axes are mixed")
def _(first, second):
    first, second = (mask.reshape(mask.shape[1], -1) for mask in (first, second))
    first, second = (values - values.mean(dim=1, keepdim=True) for values in (first, second))
    return F.cosine_similarity(first, second, dim=1)


@wrong("07.correlations", "covariance", "covariance")
def _(first, second):
    first, second = (mask - mask.mean(dim=(0, 2, 3), keepdim=True) for mask in (first, second))
    return (first * second).mean(dim=(0, 2, 3))


@wrong("07.correlations", "two divisors", "divisor")
def _(first, second):
    spread = first.std(dim=(0, 2, 3)) * second.std(dim=(0, 2, 3))
    first, second = (mask - mask.mean(dim=(0, 2, 3), keepdim=True) for mask in (first, second))
    return (first * second).mean(dim=(0, 2, 3)) / spread


@wrong("07.correlations", "one number for all channels", "one number")
def _(first, second):
    return torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1]


@wrong("07.correlations", "absolute", "sign is lost")
def _(first, second):
    pairs = [torch.stack([first[:, c].flatten(), second[:, c].flatten()]) for c in range(first.shape[1])]
    return torch.stack([torch.corrcoef(pair)[0, 1].abs() for pair in pairs])


@wrong("07.correlations", "no root", "root in the denominator")
def _(first, second):
    first, second = (mask - mask.mean(dim=(0, 2, 3), keepdim=True) for mask in (first, second))
    squares = first.square().sum(dim=(0, 2, 3)) * second.square().sum(dim=(0, 2, 3))
    return (first * second).sum(dim=(0, 2, 3)) / squares


@wrong("07.correlations", "NaN for a constant channel", "NaN")
def _(first, second):
    pairs = [torch.stack([first[:, c].flatten(), second[:, c].flatten()]) for c in range(first.shape[1])]
    return torch.stack([torch.corrcoef(pair)[0, 1] for pair in pairs])


@wrong("07.correlations", "1 for a constant channel", "another value")
def _(first, second):
    pairs = [torch.stack([first[:, c].flatten(), second[:, c].flatten()]) for c in range(first.shape[1])]
    return torch.stack([torch.corrcoef(pair)[0, 1] for pair in pairs]).nan_to_num(1.0)


@right("07.correlations", "torch.corrcoef and nan_to_num")
def _(first, second):
    pairs = [torch.stack([first[:, c].flatten(), second[:, c].flatten()]) for c in range(first.shape[1])]
    return torch.stack([torch.corrcoef(pair)[0, 1] for pair in pairs]).nan_to_num()


@right("07.correlations", "moments with torch's divisors")
def _(first, second):
    axes = (0, 2, 3)
    count = first[:, 0].numel()
    product = (first - first.mean(axes, True)) * (second - second.mean(axes, True))
    spread = first.std(axes) * second.std(axes)
    return product.sum(axes) / (count - 1) / (spread + 1e-12)


# --- mean_of_each_channel


@wrong("07.mean_of_each_channel", "frame by frame", "each frame has means")
def _(mask):
    return mask.mean(dim=(2, 3), keepdim=True).expand_as(mask)


@wrong("07.mean_of_each_channel", "of everything", "all channels get the same")
def _(mask):
    return torch.full_like(mask, mask.mean().item())


@wrong("07.mean_of_each_channel", "over the frames", "over the frames only")
def _(mask):
    return mask.mean(dim=0, keepdim=True).expand_as(mask)


@wrong("07.mean_of_each_channel", "over the channels", "over the channels;")
def _(mask):
    return mask.mean(dim=1, keepdim=True).expand_as(mask)


@wrong("07.mean_of_each_channel", "not expanded", "right means")
def _(mask):
    return mask.mean(dim=(0, 2, 3), keepdim=True)


@wrong("07.mean_of_each_channel", "ones", "values are one")
def _(mask):
    return torch.ones_like(mask)


@wrong("07.mean_of_each_channel", "written into the mask", "changed afterwards")
def _(mask):
    mask[:] = mask.mean(dim=(0, 2, 3), keepdim=True)
    return mask


@wrong("07.mean_of_each_channel", "one axis only", "stripes")
def _(mask):
    return mask.mean(dim=-1, keepdim=True).expand_as(mask)


@right("07.mean_of_each_channel", "a loop over channels")
def _(mask):
    flat = torch.empty_like(mask)
    for channel in range(mask.shape[1]):
        flat[:, channel] = mask[:, channel].mean()
    return flat


@right("07.mean_of_each_channel", "the mean of the means")
def _(mask):
    return torch.zeros_like(mask) + mask.mean(-1).mean(-1).mean(0)[None, :, None, None]


# --- intervene


def _run_with(make_hook, run, changes):
    handles = [layer.register_forward_hook(make_hook(change)) for layer, change in changes]
    try:
        return run()
    finally:
        for handle in handles:
            handle.remove()


@wrong("07.intervene", "the hook returns nothing", "nothing has changed")
def _(run, changes):
    def make_hook(change):
        def hook(layer, inputs, output):
            output = change(output)

        return hook

    return _run_with(make_hook, run, changes)


@wrong("07.intervene", "removed before the run", "nothing has changed")
def _(run, changes):
    for handle in [layer.register_forward_hook(lambda layer, inputs, output: 0 * output) for layer, _ in changes]:
        handle.remove()
    return run()


@wrong("07.intervene", "loop variable in the hook", "last change")
def _(run, changes):
    handles = []
    for layer, change in changes:
        hook = lambda layer, inputs, output: change(output)  # noqa: B023, E731  (the mistake)
        handles.append(layer.register_forward_hook(hook))
    try:
        return run()
    finally:
        for handle in handles:
            handle.remove()


@wrong("07.intervene", "not removed", "after the call a hook is still there")
def _(run, changes):
    for layer, change in changes:
        layer.register_forward_hook(lambda layer, inputs, output, change=change: change(output))
    return run()


@wrong("07.intervene", "removed, but not after an error", "still in force")
def _(run, changes):
    handles = [
        layer.register_forward_hook(lambda layer, inputs, output, change=change: change(output))
        for layer, change in changes
    ]
    found = run()
    for handle in handles:
        handle.remove()
    return found


@wrong("07.intervene", "multiplied", "multiplies the old one")
def _(run, changes):
    return _run_with(lambda change: lambda layer, inputs, output: output * change(output), run, changes)


@wrong("07.intervene", "the input changed", "not change(output)")
def _(run, changes):
    return _run_with(lambda change: lambda layer, inputs, output: change(inputs[0]), run, changes)


@wrong("07.intervene", "run handed on", "a function")
def _(run, changes):
    return _run_with(lambda change: lambda layer, inputs, output: change(output), lambda: run, changes)


@wrong("07.intervene", "the inputs as they come", "hook returns a tuple")
def _(run, changes):
    return _run_with(lambda change: lambda layer, inputs, output: (change(output),), run, changes)


@wrong("07.intervene", "return forgotten", "None")
def _(run, changes):
    _run_with(lambda change: lambda layer, inputs, output: change(output), run, changes)


@wrong("07.intervene", "changes taken for hooks", "as a hook is")
def _(run, changes):
    handles = [layer.register_forward_hook(change) for layer, change in changes]
    try:
        return run()
    finally:
        for handle in handles:
            handle.remove()


@wrong("07.intervene", "one run for each change", "ran 2 times")
def _(run, changes):
    for pair in changes:
        found = _run_with(lambda change: lambda layer, inputs, output: change(output), run, [pair])
    return found


@right("07.intervene", "written over in place, a stack of hooks")
def _(run, changes):
    from contextlib import ExitStack

    class Change:
        def __init__(self, change):
            self.change = change

        def __call__(self, layer, inputs, output):
            return self.change(output).clone()

    with ExitStack() as stack:
        for layer, change in changes:
            stack.callback(layer.register_forward_hook(Change(change)).remove)
        return run()


@right("07.intervene", "the layer's forward replaced for the time")
def _(run, changes):
    def changed(forward, change):
        return lambda *inputs: change(forward(*inputs))

    for layer, change in changes:
        layer.forward = changed(layer.forward, change)
    try:
        return run()
    finally:
        for layer, _change in changes:
            del layer.forward


# --- harm


@wrong("07.harm", "direction forgotten", "sign is wrong")
def _(value, intact, higher_is_better):
    return 100 * (value - intact) / intact


@wrong("07.harm", "direction upside down", "sign is wrong")
def _(value, intact, higher_is_better):
    return 100 * (value - intact) / intact * (1 if higher_is_better else -1)


@wrong("07.harm", "absolute value", "sign is wrong")
def _(value, intact, higher_is_better):
    return 100 * abs(value - intact) / intact


@wrong("07.harm", "a fraction", "not per cent")
def _(value, intact, higher_is_better):
    return (value - intact) / intact * (-1 if higher_is_better else 1)


@wrong("07.harm", "the difference", "difference itself")
def _(value, intact, higher_is_better):
    return 100 * (intact - value if higher_is_better else value - intact)


@wrong("07.harm", "of the changed value", "changed value")
def _(value, intact, higher_is_better):
    return 100 * (intact - value if higher_is_better else value - intact) / value


@wrong("07.harm", "what is left", "what is left")
def _(value, intact, higher_is_better):
    return 100 * value / intact


@wrong("07.harm", "improvements cut off", "cut off")
def _(value, intact, higher_is_better):
    return max(0, 100 * (value / intact - 1) * (-1 if higher_is_better else 1))


@wrong("07.harm", "a text", "a str")
def _(value, intact, higher_is_better):
    return f"{100 * (value / intact - 1):.0f} %"


@right("07.harm", "two branches and a tensor")
def _(value, intact, higher_is_better):
    if higher_is_better:
        return torch.tensor(100 - 100 * value / intact, dtype=torch.float64)
    return torch.tensor(100 * value / intact - 100, dtype=torch.float64)


# --- mask_picture


@wrong("07.mask_picture", "height and width in the wrong order", "changed places")
def _(mask, size):
    height, width = size
    return F.interpolate(mask.mean(1, True), size=(width, height), mode="bilinear")[:, 0]


@wrong("07.mask_picture", "wrong order, turned back", "mixed up")
def _(mask, size):
    height, width = size
    return F.interpolate(mask.mean(1, True), size=(width, height), mode="bilinear")[:, 0].transpose(1, 2)


@wrong("07.mask_picture", "turned before", "mixed up")
def _(mask, size):
    return F.interpolate(mask.mean(1, True).transpose(2, 3), size=size, mode="bilinear")[:, 0]


@wrong("07.mask_picture", "nearest", "blocks")
def _(mask, size):
    return F.interpolate(mask.mean(1, True), size=size)[:, 0]


@wrong("07.mask_picture", "corners aligned", "corner pixels")
def _(mask, size):
    return F.interpolate(mask.mean(1, True), size=size, mode="bilinear", align_corners=True)[:, 0]


@wrong("07.mask_picture", "largest channel", "highest channel")
def _(mask, size):
    return F.interpolate(mask.amax(1, True), size=size, mode="bilinear")[:, 0]


@wrong("07.mask_picture", "mean over the frames", "went over the frames")
def _(mask, size):
    return F.interpolate(mask.mean(0, True), size=size, mode="bilinear")[0]


@wrong("07.mask_picture", "channels kept", "one by one")
def _(mask, size):
    return F.interpolate(mask, size=size, mode="bilinear")


@wrong("07.mask_picture", "axis left over", "left over")
def _(mask, size):
    return F.interpolate(mask.mean(1, True), size=size, mode="bilinear")


@wrong("07.mask_picture", "not enlarged", "asks for 10 x 28")
def _(mask, size):
    return mask.mean(dim=1)


@wrong("07.mask_picture", "first frame only", "frames have become one")
def _(mask, size):
    return F.interpolate(mask.mean(1, True), size=size, mode="bilinear")[0, 0]


@wrong("07.mask_picture", "first channel", "one channel alone")
def _(mask, size):
    return F.interpolate(mask, size=size, mode="bilinear")[:, 0]


@wrong("07.mask_picture", "sum over channels", "sum over the channels")
def _(mask, size):
    return F.interpolate(mask.sum(1, True), size=size, mode="bilinear")[:, 0]


@wrong("07.mask_picture", "stretched", "stretched")
def _(mask, size):
    picture = F.interpolate(mask.mean(1, True), size=size, mode="bilinear")[:, 0]
    return (picture - picture.min()) / (picture.max() - picture.min())


@right("07.mask_picture", "enlarged first, then the mean")
def _(mask, size):
    return nn.Upsample(size=size, mode="bilinear")(mask).mean(dim=1)


@right("07.mask_picture", "OpenCV, frame by frame")
def _(mask, size):
    height, width = size
    pictures = [cv2.resize(frame.mean(dim=0).numpy(), (width, height)) for frame in mask]
    return torch.from_numpy(np.stack(pictures))
