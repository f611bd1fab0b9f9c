"""The networks, by name."""

from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches

import torch
from torch import nn

from course_utils.models.mtan import MTAN
from course_utils.models.segnet import SegNet
from course_utils.tasks import Task

MODELS = {"single": SegNet, "split": SegNet, "mtan": MTAN}
"""`single` and `split` are the same SegNet: with one task, and with several heads on one decoder."""


def build(name: str, tasks: Sequence[Task], width: float = 1.0, **options: bool) -> nn.Module:
    """A network by its name: "single" (one task), "split" or "mtan" (option `residual_mask`).

    Args:
        tasks: what to predict; a network reads each task's name, channels and activation.
        width: 1 is the paper's network; every filter count is multiplied by it.

    Returns:
        A module that maps images [B, 3, H, W] of any H and W to {task.name: [B, task.channels, H, W]}.

    Raises:
        ValueError: unknown name, no tasks, two tasks of one name, several tasks for "single", width not above 0.
        TypeError: an option that this network does not have.
    """
    if name not in MODELS:
        near = get_close_matches(name, MODELS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"model: unknown name {name!r}; known are {', '.join(MODELS)}.{hint}")
    check_tasks(tasks)
    if name == "single" and len(tasks) > 1:
        names = ", ".join(task.name for task in tasks)
        raise ValueError(f"tasks: the model 'single' takes one task, got {len(tasks)} ({names}); build one per task.")
    # Channels last in memory makes a step on the CPU a fifth to a third faster, most of all the 1x1 convolutions.
    return MODELS[name](tasks, width=width, **options).to(memory_format=torch.channels_last)


def check_tasks(tasks: Sequence[Task]) -> None:
    """Raise a ValueError unless there are tasks and their names tell them apart."""
    if not tasks:
        raise ValueError("tasks: expected at least one task, got none.")
    twice = [name for name, times in Counter(task.name for task in tasks).items() if times > 1]
    if twice:
        raise ValueError(f"tasks: several are named {twice[0]!r}; give each its own name, as in depth(name='far').")
    unusable = [task.name for task in tasks if not task.name.isidentifier()]
    if unusable:
        raise ValueError(f"tasks: a name must be a plain word (letters, digits, _), found {unusable[0]!r}.")
    taken = [task.name for task in tasks if hasattr(nn.ModuleDict(), task.name)]
    if taken:
        raise ValueError(f"tasks: PyTorch's ModuleDict keeps the name {taken[0]!r} for itself; choose another.")


def count_parameters(model: nn.Module) -> int:
    """The number of trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
