"""Chapter 06, training: what its exercises expect and what its predictions explain.

The judges run a student's code on a network of 1x1 convolutions, which takes milliseconds, and compare what it leaves
behind with what the course's own code leaves behind, and with what each usual mistake would.
"""

import contextlib
import copy
import math
import os
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from course_utils import tasks, weighting
from course_utils.exercises.exercise import NotYet, exercise, expect, predict
from course_utils.exercises.expectations import (
    call,
    described,
    expect_callable,
    expect_close,
    expect_no_nan,
    expect_number,
    expect_tensor,
    is_close,
)
from course_utils.seeding import random_states, set_random_states
from course_utils.tasks import Task

predict(
    "06.shared_gradient",
    {
        "sum": "The total is a sum, and the derivative of a sum is the sum of the derivatives.",
        "mean": "A mean would need a division by the number of tasks, and nobody divides here: the total is a sum. "
        "So two tasks move the encoder by more than one does.",
        "larger": "Nothing compares the tasks: each derivative is added, also a small one, and also one that points "
        "the other way.",
    },
)
predict(
    "06.same_alone",
    {
        "training": "It is the other way round: in training mode batch normalisation takes mean and variance from the "
        "batch, so the neighbours change the answer.",
        "evaluation": "There batch normalisation uses the stored running averages. In training mode it uses the mean "
        "and variance of this batch, and the other three frames are part of them.",
        "both": "No gradient is computed, but the mode is another switch: in training mode batch normalisation still "
        "uses mean and variance of the batch.",
        "neither": "Convolutions treat each frame alone. Only batch normalisation mixes frames, and in evaluation mode "
        "it uses stored averages.",
    },
)
predict(
    "06.only_weights",
    {
        "error": "The file fits the network, so nothing complains. That is the danger: nobody notices.",
        "same": "The network is the same, but Adam, DWA, the schedule and the frame order began again.",
        "slightly different": "That makes the mistake hard to see: nothing crashes, and the loss still falls.",
        "much worse": "The weights are what most of the learning is in, and they were kept. What is lost, Adam's "
        "averages, DWA's epochs, the schedule and the frame order, changes so short a run only a little.",
    },
)
predict(
    "06.checkpoint_size",
    "Adam keeps two running averages for each weight, of its gradient and of the gradient's square. They are as large "
    "as the network, each.",
    unit="times as large",
    factor=1.1,
    digits=1,
)
predict(
    "06.better_than_trivial",
    "A few dozen steps on built-in scenes are enough for all three: road lies below and near, houses above and far. "
    "The picture below shows how little more the network knows.",
    unit="of 3 metrics",
    within=0,
    digits=1,
)


# ----------------------------------------------------------------------------------------------------------------------
# What the judges train: a network, its frames and its tasks


def _todo(count: int) -> list[Task]:
    """Tasks whose names differ from the names of their targets."""
    return [tasks.segmentation(4, name="classes"), tasks.depth(name="distance"), tasks.normals(name="surface")][:count]


def _frames(count: int, height: int = 5, width: int = 7) -> list[dict[str, Tensor]]:
    """Frames of noise with more and more invalid pixels: means over pixels, frames and batches all differ."""
    frames = []
    for index in range(count):
        classes, depth = torch.randint(0, 4, (height, width)), torch.rand(1, height, width) * (index + 1)
        invalid = torch.rand(height, width) < index / (count + 2)
        classes[invalid], depth[:, invalid] = -1, 0.0
        normals = F.normalize(torch.randn(3, height, width), dim=0)
        image = torch.rand(3, height, width) + index / count
        frames.append({"image": image, "segmentation": classes, "depth": depth, "normals": normals})
    return frames


@dataclass(frozen=True)
class _Call:
    frames: int
    training: bool
    gradients: bool
    first_weights: Tensor


class _Network(nn.Module):
    """A 1x1 convolution, batch normalisation and a head for each task; takes note of how it is called."""

    def __init__(self, todo: Sequence[Task]) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(3, 6, 1), nn.BatchNorm2d(6), nn.LeakyReLU())
        self.heads = nn.ModuleDict({task.name: nn.Conv2d(6, task.channels, 1) for task in todo})
        self.calls: list[_Call] = []

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        weights = self.trunk[0].weight.detach().clone()
        self.calls.append(_Call(len(images), self.training, torch.is_grad_enabled(), weights))
        features = self.trunk(images)
        return {name: head(features) for name, head in self.heads.items()}


class _Balance(weighting.DynamicWeightAverage):
    """A weighting that learns and remembers; takes note of what it is told after each epoch."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.log_variances = nn.Parameter(torch.linspace(-0.9, 1.2, count))
        self.told: list[Tensor] = []

    @property
    def weights(self) -> Tensor:
        return super().weights * torch.exp(-self.log_variances).detach()

    def forward(self, losses: Tensor) -> Tensor:
        self._expect_vector(losses)
        return (super().weights * torch.exp(-self.log_variances) * losses + self.log_variances).sum()

    def end_epoch(self, mean_losses: Tensor) -> None:
        self._expect_vector(mean_losses)
        super().end_epoch(mean_losses)
        self.told.append(mean_losses.detach().clone())

    def _expect_vector(self, losses: Any) -> None:
        fits = isinstance(losses, Tensor) and losses.shape == (self.count,)
        expect(fits, f"the weighting is given {described(losses)}; it takes all losses together, in one tensor [K].")


class _Idle:
    def step(self) -> None:
        """The optimizer of a loop that moves nothing."""


class _WatchedSGD(torch.optim.SGD):
    steps = 0

    def step(self, closure: Callable | None = None) -> Any:
        self.steps += 1
        return super().step(closure)


@dataclass
class _Run:
    """A network, its weighting and its optimizer, from the same start as every other run of the judge."""

    todo: list[Task]
    model: _Network
    balance: _Balance
    optimizer: _WatchedSGD = field(init=False)
    backwards: int = 0

    def __post_init__(self) -> None:
        self.optimizer = _WatchedSGD([*self.model.parameters(), *self.balance.parameters()], lr=0.2)
        self.model.trunk[0].weight.register_hook(self._backward)

    def _backward(self, gradient: Tensor) -> None:
        self.backwards += 1

    def again(self) -> "_Run":
        return _Run(self.todo, copy.deepcopy(self.model), copy.deepcopy(self.balance))

    def step(self, function: Callable, batch: Mapping[str, Tensor]) -> Any:
        return _called(function, self.todo, self.model, batch, self.todo, self.balance, self.optimizer)

    def epoch(self, function: Callable, loader: DataLoader) -> Any:
        return _called(function, self.todo, self.model, loader, self.todo, self.balance, self.optimizer)

    def weights(self) -> Tensor:
        return _flat(self.model.parameters())

    def has_gradients(self) -> bool:
        return any(weight.grad is not None and weight.grad.any() for weight in self.model.parameters())


def _run(count: int) -> _Run:
    todo = _todo(count)
    return _Run(todo, _Network(todo), _Balance(count))


def _called(function: Callable, todo: Sequence[Task], *arguments: Any) -> Any:
    """Call a student's function; a batch has no entry under the name of a task, only under that of its target."""
    try:
        return call(function, *arguments)
    except KeyError as error:
        mixed_up = error.args and error.args[0] in {task.name for task in todo} | {task.target for task in todo}
        if not mixed_up:
            raise
        raise NotYet(
            f"there is no entry {error.args[0]!r}. A prediction is found under the task's name, its target in the "
            "batch under another attribute of the task."
        ) from None


def _flat(tensors: Iterator[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


# ----------------------------------------------------------------------------------------------------------------------
# One step


def train_step(
    model: nn.Module, batch: Mapping[str, Tensor], todo: Sequence[Task], balance: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> Tensor:  # fmt: skip
    """One training step; returns each task's unweighted loss, detached, [K]."""
    return _step(model, batch, todo, balance, optimizer)


def _step(
    model: nn.Module, batch: Mapping[str, Tensor], todo: Sequence[Task], balance: Callable[[Tensor], Tensor],
    optimizer: torch.optim.Optimizer, clear: bool = True,
) -> Tensor:  # fmt: skip
    """The step, or with another `balance` or without clearing the gradients what a mistake makes of it."""
    predictions = model(batch["image"])
    losses = torch.stack([task.loss(predictions[task.name], batch[task.target]) for task in todo])
    if clear:
        optimizer.zero_grad()
    balance(losses).backward()
    optimizer.step()
    return losses.detach()


@exercise(
    "06.train_step",
    "one training step",
    minutes=6,
    trains="the order of a training step, the total as the weighting's business, detached losses",
    own=lambda: train_step,
)
def judge_train_step(attempt: Any) -> None:
    expect_callable(attempt, ["model", "batch", "tasks", "balance", "optimizer"])
    for count, frames in ((2, 3), (3, 2)):
        start, batches = _run(count), [torch.utils.data.default_collate(_frames(frames)) for _ in range(2)]
        _expect_losses_of_step(attempt, start, batches[0])
        _expect_movement(attempt, start, batches[0])
        _expect_first_step(attempt, start, batches[0])
        _expect_second_step(attempt, start, batches)


def _expect_losses_of_step(attempt: Any, start: _Run, batch: Mapping[str, Tensor]) -> None:
    run, K = start.again(), len(start.todo)
    losses = run.step(attempt, batch)
    expected = start.again().step(train_step, batch)
    expect_tensor(losses, "the result", shape=[K], meaning=f"[{K}], one loss per task")
    calls = len(run.model.calls)
    expect(calls == 1, f"the model runs {calls} times for one batch; one pass gives the predictions of all tasks.")
    expect(
        not any(is_close(losses, balance.weights * expected) for balance in (start.balance, run.balance)),
        "the losses come back multiplied by their weights. DWA and the history need them as they are.",
    )
    expect_close(losses, expected, "the losses differ from what each task's loss gives for its prediction and target.")
    expect(
        not losses.requires_grad,
        "the losses that come back still hang on the graph of the step. Whoever collects them fills the memory.",
    )


def _expect_movement(attempt: Any, start: _Run, batch: Mapping[str, Tensor]) -> None:
    """The step moves the weights; if not, which of its lines is missing or in the wrong place?"""
    run = start.again()
    run.step(attempt, batch)
    if not torch.equal(run.weights(), start.weights()):
        return
    expect(run.backwards, "the weights do not move: no gradient is ever computed.")
    expect(run.optimizer.steps, "gradients are computed, but the optimizer never moves the weights.")
    expect(
        not run.has_gradients(),
        "the optimizer moves before this batch's gradients are there. Look at the order of your lines.",
    )
    raise NotYet("the weights do not move: the gradients are cleared after they are computed and before they are used.")


def _expect_first_step(attempt: Any, start: _Run, batch: Mapping[str, Tensor]) -> None:
    runs = [start.again() for _ in range(4)]
    student, own, summed, averaged = runs
    student.step(attempt, batch)
    own.step(train_step, batch)
    for run, total in ((summed, torch.sum), (averaged, torch.mean)):
        _step(run.model, batch, run.todo, total, run.optimizer)
        expect(
            not is_close(student.weights(), run.weights()),
            "the total is the plain sum or mean of the losses; nobody asked the weighting.",
        )
    expect_close(student.weights(), own.weights(), "the weights after the step are not those the total leads to.")
    expect_close(
        student.balance.log_variances,
        own.balance.log_variances,
        "the network learns, but a weighting with parameters of its own does not. Let the weighting form the total.",
    )


def _expect_second_step(attempt: Any, start: _Run, batches: Sequence[Mapping[str, Tensor]]) -> None:
    student, own, piled_up = start.again(), start.again(), start.again()
    for batch in batches:
        student.step(attempt, batch)
        own.step(train_step, batch)
        _step(piled_up.model, batch, piled_up.todo, piled_up.balance, piled_up.optimizer, clear=False)
    expect(
        not is_close(student.weights(), piled_up.weights()),
        "the first step is right, the second is not: the gradients of the first are still there and are added.",
    )
    expect_close(student.weights(), own.weights(), "the first step is right, the second is not.")


# ----------------------------------------------------------------------------------------------------------------------
# One epoch


def train_epoch(
    model: nn.Module,
    loader: DataLoader,
    todo: Sequence[Task],
    balance: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> Tensor:
    """Go through the training set once; returns each task's mean unweighted loss [K]."""
    model.train()
    total, count = torch.zeros(len(todo), dtype=torch.float64), 0
    for batch in loader:
        total += len(batch["image"]) * train_step(model, batch, todo, balance, optimizer).cpu()
        count += len(batch["image"])
    return total / count


@exercise(
    "06.train_epoch",
    "one epoch and its mean losses",
    minutes=8,
    trains="means over frames instead of batches, training mode, numbers cut off from the graph",
    own=lambda: train_epoch,
)
def judge_train_epoch(attempt: Any) -> None:
    expect_callable(attempt, ["model", "loader", "tasks", "balance", "optimizer"])
    for count, frames, batch_size in ((2, 10, 4), (3, 7, 3), (2, 4, 2)):
        start = _run(count)
        loader = DataLoader(_frames(frames), batch_size)
        student = start.again()
        student.model.eval()  # as an evaluation may leave it
        means = student.epoch(attempt, loader)
        _expect_whole_epoch(student, frames, means)
        own = start.again()
        losses = torch.stack([own.step(train_step, batch) for batch in loader])
        sizes = torch.tensor([float(len(batch["image"])) for batch in loader])
        if not is_close(means, _mean_over_frames(losses, sizes)):
            _refuse_wrong_count(means, losses, sizes, [start.balance.weights, student.balance.weights])
            _refuse_wrong_steps(means, start, loader)
            raise NotYet("the means differ from the mean over all frames of each loss.")
        expect_close(
            student.weights(),
            own.weights(),
            "the means are right, but the weights after the epoch are not those that one complete step per batch "
            "leads to.",
        )


def _expect_whole_epoch(student: _Run, frames: int, means: Any) -> None:
    expect(means is not None, "the result is None. Is a `return` missing?")
    calls = student.model.calls
    expect(calls, "the model is never called.")
    expect(all(one.training for one in calls), "the model is trained in evaluation mode; an evaluation left it so.")
    seen = sum(one.frames for one in calls)
    expect(seen >= frames, f"the model sees {seen} of {frames} frames. Does the loop end too early?")
    expect(seen == frames, f"the model sees {seen} frames in an epoch of {frames}. Are there two passes per batch?")
    K = len(student.todo)
    expect_tensor(means, "the result", shape=[K], meaning=f"[{K}], one mean loss per task")
    expect(not means.requires_grad, "the means still hang on the graph of every step; they should be plain numbers.")


def _mean_over_frames(losses: Tensor, sizes: Tensor) -> Tensor:
    """Of the mean losses of batches, [batches, K], and their numbers of frames, [batches]."""
    return (sizes[:, None] * losses).sum(dim=0) / sizes.sum()


def _refuse_wrong_count(means: Tensor, losses: Tensor, sizes: Tensor, weights: Sequence[Tensor]) -> None:
    """The means are none of those that a wrong count gives."""
    frames, mean = sizes.sum(), _mean_over_frames(losses, sizes)
    expect(
        not is_close(means, losses.mean(dim=0)),
        "every batch counts alike, though the last one has fewer frames than the others.",
    )
    expect(not is_close(means, losses[-1]), "these are the losses of the last batch alone, not of the epoch.")
    expect(not is_close(means, frames * mean), "this is a sum over the frames, not a mean.")
    expect(
        not is_close(means, losses.sum(dim=0)),
        "this is a sum over the batches, not a mean over the frames.",
    )
    expect(
        not is_close(means, losses.sum(dim=0) / frames),
        "each batch is added once and divided by the number of frames; but a batch's loss is a mean already.",
    )
    expect(
        not any(is_close(means, one * mean) for one in weights),
        "the means are multiplied by the weights; DWA would then react to itself.",
    )


def _refuse_wrong_steps(means: Tensor, start: _Run, loader: DataLoader) -> None:
    """The means are none of those that incomplete steps lead to."""
    piled_up, waiting, sizes = start.again(), start.again(), []
    losses_piled_up, losses_waiting = [], []
    for batch in loader:
        sizes.append(float(len(batch["image"])))
        for run, losses, step in ((piled_up, losses_piled_up, True), (waiting, losses_waiting, False)):
            optimizer = run.optimizer if step else _Idle()
            losses.append(_step(run.model, batch, run.todo, run.balance, optimizer, clear=False))
    expect(
        not is_close(means, _mean_over_frames(torch.stack(losses_piled_up), torch.tensor(sizes))),
        "in the course of the epoch the steps go wrong: the gradients of the batches before are still there.",
    )
    expect(
        not is_close(means, _mean_over_frames(torch.stack(losses_waiting), torch.tensor(sizes))),
        "the weights are the same for all batches of the epoch; every batch should move them.",
    )


# ----------------------------------------------------------------------------------------------------------------------
# Evaluation


def evaluate_by_hand(
    model: nn.Module, dataset: Any, todo: Sequence[Task], batch_size: int
) -> dict[str, dict[str, float]]:
    """The metrics of each task, pooled over the data set; the model's mode stays what it was."""
    metrics = {task.name: task.metric() for task in todo}
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        for batch in DataLoader(dataset, batch_size):
            predictions = model(batch["image"])
            for task in todo:
                metrics[task.name].update(predictions[task.name], batch[task.target])
    model.train(was_training)
    return {name: metric.compute() for name, metric in metrics.items()}


@exercise(
    "06.evaluate_by_hand",
    "metrics over a whole data set",
    minutes=8,
    trains="evaluation mode, no gradients, pooled metrics",
    own=lambda: evaluate_by_hand,
)
def judge_evaluate_by_hand(attempt: Any) -> None:
    expect_callable(attempt, ["model", "dataset", "tasks", "batch_size"])
    for count, frames, batch_size in ((2, 7, 3), (3, 5, 2), (2, 3, 4)):
        todo, dataset = _todo(count), _frames(frames)
        model = _Network(todo)
        model.train()
        model(torch.stack([frame["image"] for frame in dataset]))  # running averages that are not the first ones
        for training_before in (True, False):
            model.train(training_before).calls.clear()
            found = _called(attempt, todo, model, dataset, todo, batch_size)
            _expect_calls(model, frames, batch_size, training_before)
            _expect_metrics(found, model, dataset, todo, batch_size)


def _expect_calls(model: _Network, frames: int, batch_size: int, training_before: bool) -> None:
    calls = model.calls
    expect(calls, "the model is never called.")
    expect(
        not any(one.training for one in calls),
        "the model answers in training mode: a prediction depends on its batch, and the running averages change.",
    )
    expect(
        not any(one.gradients for one in calls),
        "the model is right in evaluation mode, but torch still keeps a graph for gradients that nobody needs.",
    )
    largest, seen = max(one.frames for one in calls), sum(one.frames for one in calls)
    expect(largest <= batch_size, f"a batch has {largest} frames; batch_size is {batch_size}.")
    expect(seen == frames, f"the model sees {seen} frames of a data set of {frames}.")
    if training_before:
        expect(model.training, "the model came in training mode and is left in evaluation mode.")
    else:
        expect(not model.training, "the model came in evaluation mode and is left in training mode.")


def _expect_metrics(found: Any, model: _Network, dataset: Sequence, todo: Sequence[Task], batch_size: int) -> None:
    names = [task.name for task in todo]
    expect(found is not None, "the result is None. Is a `return` missing?")
    expect(isinstance(found, Mapping), f"the result is {described(found)}; expected a dict.")
    expect(set(found) == set(names), f"the dict has the keys {list(found)}; expected the names of the tasks.")
    expected = evaluate_by_hand(model, dataset, todo, batch_size)
    batches = [dataset[first : first + batch_size] for first in range(0, len(dataset), batch_size)]
    apart = [evaluate_by_hand(model, batch, todo, batch_size) for batch in batches]
    for name in names:
        values = found[name]
        expect(
            isinstance(values, Mapping),
            f"under {name!r} lies {described(values)}; expected the dict of numbers that the accumulator computes.",
        )
        expect(set(values) == set(expected[name]), f"under {name!r} some metrics are missing or new.")
        for key, wanted in expected[name].items():
            value = expect_number(values[key], f"{name} {key}")
            if is_close(value, wanted):
                continue
            means = sum(batch[name][key] for batch in apart) / len(apart)
            expect(
                not is_close(value, means),
                f"{name} {key} is the mean over the batches. A metric is pooled over all pixels.",
            )
            expect(
                not is_close(value, apart[-1][name][key]),
                f"{name} {key} is that of the last batch alone. When does its accumulator begin to count?",
            )
            raise NotYet(f"{name} {key} differs from the metric pooled over the whole data set.")


# ----------------------------------------------------------------------------------------------------------------------
# The schedule


def learning_rate(epoch: int, first: float, halve_every: int) -> float:
    """The learning rate of an epoch, counted from 1: `first`, halved after every `halve_every` epochs."""
    return first * 0.5 ** ((epoch - 1) // halve_every)


@exercise(
    "06.learning_rate",
    "the schedule as a formula",
    minutes=4,
    trains="counting epochs, whole-number division",
    own=lambda: learning_rate,
)
def judge_learning_rate(attempt: Any) -> None:
    expect_callable(attempt, ["epoch", "first", "halve_every"])
    for first, halve_every in ((0.8, 3), (2e-3, 5), (1e-4, 100)):
        epochs = range(1, 4 * halve_every + 2)
        rates = [expect_number(call(attempt, epoch, first, halve_every), "the learning rate") for epoch in epochs]
        _expect_rates(rates, first, halve_every)


def _expect_rates(rates: Sequence[float], first: float, halve_every: int) -> None:
    epochs = range(1, len(rates) + 1)

    def looks_like(formula: Callable[[int], float]) -> bool:
        return _alike(rates, [formula(epoch) for epoch in epochs])

    def own(epoch: int) -> float:
        return learning_rate(epoch, first, halve_every)

    expect(
        not looks_like(lambda epoch: first * 0.5 ** (epoch // halve_every)),
        f"epoch {halve_every} already has half the rate; it is the last of the first {halve_every}, since the epochs "
        "are counted from 1.",
    )
    expect(
        not looks_like(lambda epoch: own(max(epoch - 1, 1))),
        f"epoch {halve_every + 1} still has the first rate: the halving comes one epoch too late.",
    )
    expect(
        not looks_like(lambda epoch: first * 0.5 ** min((epoch - 1) // halve_every, 1)),
        "the rate is halved once and then stays; in a long run it is halved again and again.",
    )
    expect(
        not looks_like(lambda epoch: first * 0.5 ** (epoch - 1)),
        "the rate is halved in every epoch. How many complete stretches lie before this epoch?",
    )
    smooth = any(
        looks_like(lambda epoch, shift=shift: first * 0.5 ** ((epoch - shift) / halve_every)) for shift in (0, 1)
    )
    expect(not smooth, "the rate falls a little in every epoch; it should stay the same and then fall in steps.")
    expect(
        not looks_like(lambda epoch: first / (1 + (epoch - 1) // halve_every))
        and not looks_like(lambda epoch: first * max(0.0, 1 - 0.5 * ((epoch - 1) // halve_every))),
        "the first halving is right, the second is not: half of a half is a quarter.",
    )
    expect(
        math.isclose(rates[0], first, rel_tol=1e-6),
        "the rate of epoch 1 is not the first rate.",
    )
    expect(looks_like(own), f"some rates are wrong; compare epochs {halve_every} and {halve_every + 1} with the text.")


def _alike(found: Sequence[float], expected: Sequence[float]) -> bool:
    pairs = zip(found, expected, strict=True)
    return all(math.isclose(one, other, rel_tol=1e-5, abs_tol=1e-12) for one, other in pairs)


# ----------------------------------------------------------------------------------------------------------------------
# Never half a file


class _Killed(BaseException):
    """Stands for the end of a session in the middle of something."""


class _KillsWhoSavesIt:
    """An object that ends the session when torch.save comes to it."""

    def __reduce__(self) -> Any:
        raise _Killed


def save_atomically(contents: Any, path: Path) -> None:
    """Write `contents` so that at every moment the file is the old one or the new one."""
    temporary = path.with_name(path.name + ".tmp")
    torch.save(contents, temporary)
    temporary.replace(path)


@exercise(
    "06.save_atomically",
    "a file that is never half",
    minutes=5,
    trains="writing to another name and renaming",
    own=lambda: save_atomically,
)
def judge_save_atomically(attempt: Any) -> None:
    expect_callable(attempt, ["contents", "path"])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.pt"
        call(attempt, {"epoch": 1}, path)
        _expect_file(path, {"epoch": 1}, "nothing lies under the name of the file after the first save.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sub.folder" / "mtan.run.7"
        path.parent.mkdir()
        torch.save({"epoch": 1}, path)
        _expect_new_file(path, lambda: call(attempt, {"epoch": 2, "weights": torch.rand(3, 5)}, path))
        contents = _expect_file(path, {"epoch": 2}, "the second save leaves no file.")
        expect("weights" in contents, "some of the contents are lost on the way.")
        left = sorted(file.name for file in path.parent.iterdir() if file != path)
        expect(not left, f"{left[:1]} is left in the folder after a save that went well.")
        with contextlib.suppress(_Killed, Exception):  # torch makes an error of its own of what stops it
            attempt({"epoch": 3, "weights": torch.rand(3, 5), "last": _KillsWhoSavesIt()}, path)
        _expect_survival(path)


def _expect_file(path: Path, wanted: Mapping[str, Any], missing: str) -> dict[str, Any]:
    expect(path.is_file(), missing)
    try:
        contents = torch.load(path, weights_only=True)
    except Exception:  # a file that is not whole can make the reader fail in any way
        raise NotYet(
            "what lies under the name cannot be read with torch.load: half a file, or none of torch's."
        ) from None
    matches = isinstance(contents, Mapping) and all(contents.get(key) == value for key, value in wanted.items())
    expect(matches, "the file can be read, but does not hold what was saved last.")
    return contents


def _expect_survival(path: Path) -> None:
    try:
        _expect_file(path, {"epoch": 2}, "")
    except NotYet:
        raise NotYet("a save that fails in the middle still takes the old file's place, with half a file.") from None


def _expect_new_file(path: Path, save: Callable[[], Any]) -> None:
    """`save` puts another file in the place of `path`, in one step and from the same folder."""
    kept = path.parent / "the old file"
    os.link(path, kept)  # keeps the old file's number from being given to the new one
    try:
        with _watched(path) as (gone, foreign):
            save()
        expect(path.is_file(), "the second save leaves no file.")
        expect(not gone, "the old file is removed before the new one has its name; a session can end in between.")
        expect(
            not os.path.samefile(path, kept),
            "the old file itself is overwritten; while that goes on, there is no whole file under its name.",
        )
        expect(
            not foreign,
            "the unfinished file lies in another folder. That may be another disk, and then a rename is a slow copy.",
        )
    finally:
        kept.unlink()


@contextlib.contextmanager
def _watched(path: Path) -> Iterator[tuple[list, list]]:
    """Take note when `path` is gone after a removal or a rename, and when it is replaced from another folder."""
    gone, foreign = [], []

    def watched(name: str) -> Callable:
        real = getattr(os, name)

        def function(first: Any, *rest: Any, **options: Any) -> Any:
            target = Path(os.fsdecode(rest[0])) if rest else Path(os.fsdecode(first))
            if rest and target.absolute() == path and path.parent not in Path(os.fsdecode(first)).absolute().parents:
                foreign.append(first)
            result = real(first, *rest, **options)
            if not path.exists():
                gone.append(first)
            return result

        return function

    with contextlib.ExitStack() as patches:
        for name in ("remove", "unlink", "rename", "replace"):
            patches.enter_context(mock.patch.object(os, name, watched(name)))
        yield gone, foreign


# ----------------------------------------------------------------------------------------------------------------------
# What a checkpoint holds


class SmallCheckpoint:
    """A file with the states of `parts`, the history and every random state."""

    def __init__(self, path: Path, **parts: Any) -> None:
        self.path, self.parts = path, parts

    def save(self, history: list[dict]) -> None:
        """Write the state after the last epoch of `history`."""
        states = {name: part.state_dict() for name, part in self.parts.items()}
        save_atomically({"parts": states, "history": history, "random": random_states()}, self.path)

    def load(self) -> list[dict]:
        """Put every part and every random state back; the history up to there, empty where there is no file."""
        if not self.path.exists():
            return []
        contents = torch.load(self.path, weights_only=True)
        for name, part in self.parts.items():
            part.load_state_dict(contents["parts"][name])
        set_random_states(contents["random"])
        return contents["history"]


@exercise(
    "06.SmallCheckpoint",
    "a file from which a run goes on",
    minutes=12,
    trains="what decides the next number, state_dict, random states",
    own=lambda: SmallCheckpoint,
)
def judge_small_checkpoint(attempt: Any) -> None:
    expect(isinstance(attempt, type), f"expected a class, found {described(attempt)}.")
    expect(
        callable(getattr(attempt, "save", None)) and callable(getattr(attempt, "load", None)),
        "the class has no methods `save` and `load`; leave their first lines as they were.",
    )
    with tempfile.TemporaryDirectory() as folder, _random_states_kept():
        _expect_nothing_without_file(attempt, Path(folder) / "none.pt")
        _expect_restored(attempt, Path(folder) / "run.pt", ("model", "weighting", "optimizer", "schedule"))
        _expect_restored(attempt, Path(folder) / "other.pt", ("network", "balance", "adam", "halving"))
        _expect_other_network_refused(attempt, Path(folder) / "run.pt")


@contextlib.contextmanager
def _random_states_kept() -> Iterator[None]:
    """A judge that draws and restores must not look like a student that seeds."""
    states = random_states()
    try:
        yield
    finally:
        set_random_states(states)


def _parts(names: Sequence[str]) -> dict[str, Any]:
    todo = _todo(2)
    model, balance = _Network(todo), _Balance(2)
    optimizer = torch.optim.Adam([*model.parameters(), *balance.parameters()], lr=0.05)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    return dict(zip(names, (model, balance, optimizer, schedule), strict=True))


def _small_epoch(parts: Mapping[str, Any], frames: Sequence) -> Tensor:
    model, balance, optimizer, schedule = parts.values()
    losses = train_step(model, torch.utils.data.default_collate(list(frames)), _todo(2), balance, optimizer)
    balance.end_epoch(losses)
    schedule.step()
    return losses


def _expect_nothing_without_file(attempt: type, path: Path) -> None:
    parts = _parts(("model", "weighting", "optimizer", "schedule"))
    before = copy.deepcopy({name: part.state_dict() for name, part in parts.items()})
    try:
        history = attempt(path, **parts).load()
    except FileNotFoundError:
        raise NotYet(
            "before the first epoch there is no file yet, and `load` fails; it should change nothing."
        ) from None
    expect(
        isinstance(history, list) and not history,
        f"without a file `load` gives {described(history)}; expected a history of no epochs.",
    )
    same = all(_equal(part.state_dict(), before[name]) for name, part in parts.items())
    expect(same, "without a file `load` changes a part; it should change nothing.")


def _expect_restored(attempt: type, path: Path, names: Sequence[str]) -> None:
    parts, frames = _parts(names), _frames(3)
    history = [{"epoch": epoch, "losses": _small_epoch(parts, frames).tolist()} for epoch in (1, 2, 3)]
    checkpoint = attempt(path, **parts)
    checkpoint.save(history[:2])
    expect(path.is_file(), "`save` leaves no file under `path`.")
    replaced = _is_replaced(path, lambda: checkpoint.save(history))
    states = copy.deepcopy({name: part.state_dict() for name, part in parts.items()})
    drawn = random.random(), np.random.rand(), torch.rand(5)

    set_random_states({**random_states(), "torch": torch.Generator().manual_seed(5).get_state()})  # a new session
    fresh = _parts(names)
    try:
        found = attempt(path, **fresh).load()
    except Exception as error:
        expect("weights_only" not in str(error) and "Weights only" not in str(error), _WHOLE_OBJECTS)
        raise
    redrawn = random.random(), np.random.rand(), torch.rand(5)
    _expect_history(found, history)
    for name, part in fresh.items():
        expect(_equal(part.state_dict(), states[name]), f"the state of the part {name!r} is not put back.")
    _expect_plain(path)
    expect(
        torch.equal(redrawn[2], drawn[2]),
        "torch draws other random numbers after `load` than it would have without the stop.",
    )
    expect(
        redrawn[:2] == drawn[:2],
        "torch's random state is put back, Python's or NumPy's is not; a transform of the frames may draw from them.",
    )
    expect(replaced, "`save` overwrites the old file in place; a session that ends meanwhile leaves half a file.")


_WHOLE_OBJECTS = "the file holds whole objects, which torch.load refuses from a stranger's file; keep plain states."


def _expect_history(found: Any, history: list[dict]) -> None:
    expect(found is not None, "`load` returns None. Is a `return` missing?")
    expect(isinstance(found, list), f"`load` returns {described(found)}; expected the history.")
    expect(len(found) == len(history), f"`load` returns {len(found)} epochs of a history of {len(history)}.")
    expect(found == history, "the history that `load` returns is not the one that was saved.")


def _expect_plain(path: Path) -> None:
    try:
        torch.load(path, weights_only=True)
    except Exception:  # the reader can fail in any way
        raise NotYet(_WHOLE_OBJECTS) from None


def _expect_other_network_refused(attempt: type, path: Path) -> None:
    other = _parts(("model", "weighting", "optimizer", "schedule"))
    heads = other["model"].heads
    heads["of another name"] = heads.pop("distance")
    try:
        attempt(path, **other).load()
    except Exception:  # any complaint will do
        return
    raise NotYet("a network with a head of another name is loaded without complaint; that head keeps random weights.")


def _is_replaced(path: Path, save: Callable[[], Any]) -> bool:
    kept = path.parent / "the old file"
    os.link(path, kept)
    try:
        save()
        return path.is_file() and not os.path.samefile(path, kept)
    finally:
        kept.unlink()


def _equal(one: Any, other: Any) -> bool:
    """Whether two states are equal, with tensors inside."""
    if isinstance(one, Tensor) or isinstance(other, Tensor):
        return isinstance(one, Tensor) and isinstance(other, Tensor) and torch.equal(one, other)
    if isinstance(one, Mapping):
        return (
            isinstance(other, Mapping) and set(one) == set(other) and all(_equal(one[key], other[key]) for key in one)
        )
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(_equal(*pair) for pair in zip(one, other, strict=True))
    return one == other


# ----------------------------------------------------------------------------------------------------------------------
# The loop over epochs


def fit_by_hand(
    model: nn.Module, loader: DataLoader, todo: Sequence[Task], balance: nn.Module, epochs: int,
    lr: float, path: Path,
) -> list[dict]:  # fmt: skip
    """Train, note each epoch in a history, and keep a checkpoint from which the next call goes on."""
    optimizer = torch.optim.Adam([*model.parameters(), *balance.parameters()], lr=lr)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=(epochs + 1) // 2, gamma=0.5)
    checkpoint = SmallCheckpoint(path, model=model, balance=balance, optimizer=optimizer, schedule=schedule)
    history = checkpoint.load()
    for epoch in range(len(history) + 1, epochs + 1):
        rate = schedule.get_last_lr()[0]
        losses = train_epoch(model, loader, todo, balance, optimizer)
        history.append({"epoch": epoch, "learning_rate": rate, "losses": losses.tolist()})
        balance.end_epoch(losses)
        schedule.step()
        checkpoint.save(history)
    return history


_EPOCHS = 5
_DIES = 3
"""The epoch in the middle of which a session ends: two are complete."""


class _Loader(DataLoader):
    """Batches in random order, which the global generator decides; may end the session in the middle of an epoch."""

    def __init__(self, frames: Sequence, batch_size: int, dies: int) -> None:
        super().__init__(frames, batch_size, shuffle=True)
        self.dies, self.epochs = dies, 0

    def __iter__(self) -> Iterator:
        self.epochs += 1
        for batch in super().__iter__():
            yield batch
            if self.epochs == self.dies:
                raise _Killed


@dataclass
class _Fit:
    """One call of a `fit_by_hand`, in a session of its own."""

    function: Callable
    start: _Run
    frames: list
    path: Path
    batch_size: int
    dies: int = 0
    history: Any = None

    def __post_init__(self) -> None:
        self.model, self.balance = copy.deepcopy(self.start.model), copy.deepcopy(self.start.balance)
        self.loader = _Loader(self.frames, self.batch_size, self.dies)
        set_random_states({**random_states(), "torch": torch.Generator().manual_seed(3).get_state()})
        arguments = self.model, self.loader, self.start.todo, self.balance, _EPOCHS, 0.05, self.path
        with contextlib.suppress(_Killed):
            self.history = _called(self.function, self.start.todo, *arguments)

    def rates(self) -> list[float]:
        return [float(record["learning_rate"]) for record in self.history]

    def losses(self) -> Tensor:
        return torch.stack([torch.as_tensor(record["losses"]).detach().double() for record in self.history])


@exercise(
    "06.fit_by_hand",
    "the loop over epochs",
    minutes=15,
    trains="putting the pieces in order, going on after a stop",
    own=lambda: fit_by_hand,
)
def judge_fit_by_hand(attempt: Any) -> None:
    expect_callable(attempt, ["model", "loader", "tasks", "balance", "epochs", "lr", "path"])
    start, frames = _run(2), _frames(6)
    with tempfile.TemporaryDirectory() as folder, _random_states_kept():
        _expect_whole_run(attempt, start, frames, Path(folder))
        whole = _Fit(attempt, start, frames, Path(folder) / "whole.pt", batch_size=4)
        path = Path(folder) / "stopped.pt"
        _Fit(attempt, start, frames, path, batch_size=4, dies=_DIES)
        expect(path.is_file(), "a run that is killed in its third epoch leaves no file. When is it saved?")
        resumed = _Fit(attempt, start, frames, path, batch_size=4)
        _expect_going_on(resumed)
        _expect_nothing_forgotten(resumed, whole)
        again = _Fit(attempt, start, frames, path, batch_size=4)
        expect(again.loader.epochs == 0, "a run that is complete trains again when it is called once more.")
        _expect_records(again)


def _expect_whole_run(attempt: Callable, start: _Run, frames: list, folder: Path) -> None:
    """A run that is never stopped. One batch an epoch: the first epoch's loss then depends on no step."""
    own = _Fit(fit_by_hand, start, frames, folder / "own.pt", batch_size=6)
    student = _Fit(attempt, start, frames, folder / "student.pt", batch_size=6)
    _expect_records(student)
    _expect_weighting_served(student, own)
    _expect_schedule(student, own)
    _expect_losses_of_fit(student, own)


def _expect_records(fit: _Fit) -> None:
    history = fit.history
    expect(history is not None, "the result is None. Is a `return` missing?")
    expect(isinstance(history, list), f"the result is {described(history)}; expected the history, a list.")
    for record in history:
        expect(isinstance(record, Mapping), f"an entry of the history is {described(record)}; expected a dict.")
        missing = [key for key in ("epoch", "learning_rate", "losses") if key not in record]
        expect(not missing, f"an entry of the history has no {', '.join(missing)}.")
        expect_number(record["learning_rate"], "a learning rate in the history")
        losses = record["losses"]
        is_vector = isinstance(losses, list | tuple | Tensor) and len(torch.as_tensor(losses).shape) == 1
        expect(is_vector and len(losses) == fit.balance.count, f"`losses` is {described(losses)}; expected K numbers.")
        expect_no_nan(torch.as_tensor(losses), "a loss in the history")
    numbers = [int(expect_number(record["epoch"], "an epoch in the history")) for record in history]
    expect(
        numbers == list(range(1, _EPOCHS + 1)),
        f"the history of {_EPOCHS} epochs counts them as {numbers}; the first is 1 and none is missing.",
    )


def _expect_weighting_served(whole: _Fit, own: _Fit) -> None:
    told = whole.balance.told
    expect(told, "the weighting is never told the mean losses of an epoch; DWA would stay at equal weights.")
    expect(
        len(told) == _EPOCHS,
        f"the weighting is told of {len(told)} ends of epochs in {_EPOCHS} epochs.",
    )
    expect(
        not torch.equal(whole.balance.log_variances, whole.start.balance.log_variances),
        "the weighting's own parameters stay where they were. Who should move them, and knows of them?",
    )
    expect_close(
        told[0].double(), own.balance.told[0].double(),
        "the weighting is told something else than the unweighted mean losses of the epoch.",
    )  # fmt: skip


def _expect_schedule(whole: _Fit, own: _Fit) -> None:
    rates, wanted = whole.rates(), own.rates()
    expect(not _alike(rates, wanted[:1] * _EPOCHS), "the learning rate is the same in all epochs of the history.")
    expect(
        not _alike(rates[:-1], wanted[1:]),
        "each entry of the history has the learning rate of the next epoch, not of its own.",
    )
    expect(
        _alike(rates, wanted), "the learning rate is not the first one in the first half and half of it in the second."
    )


def _expect_losses_of_fit(whole: _Fit, own: _Fit) -> None:
    losses, wanted = whole.losses(), own.losses()
    expect_close(losses[0], wanted[0], "the losses of the first epoch are not its unweighted mean losses.", 1e-4)
    at_full_rate = (_EPOCHS + 1) // 2
    expect_close(
        losses[:at_full_rate], wanted[:at_full_rate],
        "the first epoch is right, the next ones are not those of Adam at this rate, under this weighting.", 1e-4,
    )  # fmt: skip
    expect_close(losses, wanted, "the history says that the rate is halved, but the steps do not become smaller.", 1e-4)


def _expect_going_on(resumed: _Fit) -> None:
    done, wanted = resumed.loader.epochs, _EPOCHS - _DIES + 1
    expect(done != _EPOCHS, "called again after a stop, the run begins with the first epoch, though there is a file.")
    expect(
        done <= wanted,
        f"after a stop in epoch {_DIES} of {_EPOCHS} the next call trains {done} epochs; a complete one is repeated.",
    )
    expect(
        done == wanted,
        f"after a stop in epoch {_DIES} of {_EPOCHS} the next call trains {done} epochs; one is left out.",
    )
    found = resumed.history
    expect(
        not isinstance(found, list) or len(found) == _EPOCHS,
        f"after the stop the history holds {len(found)} epochs of {_EPOCHS}. What about those before it?",
    )
    _expect_records(resumed)


def _expect_nothing_forgotten(resumed: _Fit, whole: _Fit) -> None:
    """The resumed run has the numbers of the whole one; if not, what has it forgotten?"""
    begin = [one.first_weights for one in whole.model.calls][2 * (_DIES - 1)]
    expect(
        not torch.equal(resumed.model.calls[0].first_weights, resumed.start.model.trunk[0].weight),
        "after the stop the network begins again with its first weights.",
    )
    epochs = int(resumed.balance.epochs)
    expect(
        epochs != _EPOCHS - _DIES + 1,
        "after the stop the weighting knows nothing of the epochs before it.",
    )
    expect(
        epochs == _EPOCHS,
        f"in the end the weighting has noticed {epochs} of {_EPOCHS} epochs: when the file was written, it had not yet "
        "been told of the last one.",
    )
    rates, wanted = resumed.rates(), whole.rates()
    expect(
        not _alike(rates, [*wanted[:1], *wanted[:-1]]) or _alike(rates, wanted),
        "after the stop the rate is halved one epoch too late: the file was written before the schedule moved.",
    )
    expect(_alike(rates, wanted), "after the stop the learning rate takes another course. Which part knows its course?")
    expect_close(
        resumed.model.calls[0].first_weights, begin,
        "after the stop the network does not begin with the weights of the last complete epoch.", 1e-6,
    )  # fmt: skip
    expect_close(
        resumed.losses(), whole.losses(),
        "the network goes on with the right weights, and still the losses are not those of a run that was never "
        "stopped. Which part has a memory that is not in the file?", 1e-6,
    )  # fmt: skip
