"""Train and evaluate any model on any tasks. Built in chapter 06.

The numbers of a run depend on the model's first weights and the arguments of `fit` alone: neither on the
number of worker processes nor on how often the run was killed and started again. On a CPU bit for bit; on a
GPU up to rounding, because some of CUDA's operations add in an order that changes from run to run.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from course_utils.checkpoint import Checkpoint
from course_utils.seeding import SeededSamples, derived_seed, seed_generators
from course_utils.tasks import Task

Metrics = dict[str, dict[str, float]]
"""Task name -> metric name -> value."""


class TrainingError(Exception):
    """Training cannot go on: a loss or a weight is no longer finite."""


def fit(
    model: nn.Module,
    train: Dataset,
    val: Dataset | None,
    tasks: Sequence[Task],
    weighting: nn.Module,
    *,
    epochs: int,
    batch_size: int = 8,
    learning_rate: float = 1e-4,
    checkpoint: str | Path | None = None,
    device: str | torch.device = "cpu",
    seed: int = 0,
    workers: int = 0,
    config: Mapping[str, Any] | None = None,
    after_epoch: Callable[[list[dict]], None] | None = None,
) -> list[dict]:
    """Train `model` in place by the paper's recipe: Adam, and half the learning rate in the second half.

    (CVPR 2019: 1e-4, halved every 100 of 200 epochs. Of an odd number the first half is the longer one.) The
    global random generators are seeded with `seed`. Built in chapter 06.

    Args:
        train, val: data sets of samples; `val` may be None, then there are no metrics.
        checkpoint: a file, written before the first epoch and after each. Where it exists already, training
            goes on from it with the same numbers as if it had never stopped, and a complete run ends at once.
        seed: 0..2**32 - 1; decides the order of the samples and what random transforms draw.
        workers: processes that load data besides this one; changes the speed only.
        config: further settings that make this run what it is, such as the data set's name; kept in the
            checkpoint and compared when it is loaded.
        after_epoch: called with the history after each epoch, when the checkpoint is written.

    Returns:
        One dict an epoch: `epoch` (from 1), `learning_rate`, `weights` (task -> its weight in this epoch; a
        learned one as it is at the end), `losses` (task -> its unweighted mean training loss), `metrics`
        (task -> metric -> value on `val`).

    Raises:
        ValueError: an argument out of range, an empty data set, a task without a target in the data.
        TrainingError: a loss or a weight is no longer finite.
        CheckpointError: the checkpoint is damaged, of another run, or cannot be written.
    """
    _check_numbers(epochs=epochs, batch_size=batch_size, learning_rate=learning_rate)
    for split, dataset in {"training": train, "validation": val}.items():
        if dataset is not None:
            check_samples(dataset, tasks, split)
    device = torch.device(device)
    seed_generators(seed)

    model.to(device)
    weighting.to(device)
    optimizer = torch.optim.Adam([*model.parameters(), *weighting.parameters()], lr=learning_rate)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=(epochs + 1) // 2, gamma=0.5)

    settings = {"tasks": [task.name for task in tasks], "training_samples": len(train), "epochs": epochs}
    settings |= {"batch_size": batch_size, "learning_rate": learning_rate, "seed": seed, **(config or {})}
    parts = {"model": model, "weighting": weighting, "optimizer": optimizer, "schedule": schedule}
    run = Checkpoint(checkpoint, settings, **parts)
    history = run.load()
    if len(history) < epochs:
        run.save(history)  # keeps the first weights; and that it cannot be written shows now, not in an hour

    for epoch in range(len(history) + 1, epochs + 1):
        loader = _loader(train, batch_size, workers, device, seed, epoch, shuffle=True)
        losses = train_epoch(model, loader, tasks, weighting, optimizer, device, f"epoch {epoch}/{epochs}")
        check_weights(model, epoch)
        record = {
            "epoch": epoch,
            "learning_rate": schedule.get_last_lr()[0],
            "weights": _by_task(tasks, weighting.weights),
            "losses": _by_task(tasks, losses),
            "metrics": {},
        }
        if val is not None:
            loading = {"batch_size": batch_size, "workers": workers}
            record["metrics"] = evaluate(model, val, tasks, device=device, **loading)
        weighting.end_epoch(losses.to(device))
        schedule.step()
        history.append(record)
        run.save(history)
        if after_epoch is not None:
            after_epoch(history)
    return history


def train_epoch(
    model: nn.Module,
    loader: DataLoader,
    tasks: Sequence[Task],
    weighting: nn.Module,
    optimizer: torch.optim.Optimizer,
    device: str | torch.device = "cpu",
    title: str = "training",
) -> Tensor:
    """Go through the training set once.

    Args:
        loader: batches of samples.
        title: stands before the progress bar and in an error, such as "epoch 3/10".

    Returns:
        Each task's unweighted loss, its mean over the training samples, float64 [K].

    Raises:
        TrainingError: a loss is not finite; names the task and the batch.
    """
    model.train()
    total, count = torch.zeros(len(tasks), dtype=torch.float64), 0
    progress = tqdm(enumerate(loader, start=1), title, len(loader), leave=False, unit="batch")
    for number, batch in progress:
        batch = _move(batch, device)
        predictions = model(batch["image"])
        losses = torch.stack([task.loss(predictions[task.name], batch[task.target]) for task in tasks])
        loss = weighting(losses)
        check_finite(loss, losses, tasks, f"{title}, batch {number}")

        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

        total += len(batch["image"]) * losses.detach().cpu()
        count += len(batch["image"])
        progress.set_postfix(_by_task(tasks, total / count), refresh=False)
    return total / count


def evaluate(
    model: nn.Module,
    dataset: Dataset,
    tasks: Sequence[Task],
    *,
    batch_size: int = 8,
    device: str | torch.device = "cpu",
    workers: int = 0,
) -> Metrics:
    """The metrics of each task, pooled over every pixel of `dataset`. Built in chapter 06.

    The model is moved to `device` and left in the mode, training or not, that it was in.

    Returns:
        Task name -> metric name -> value.

    Raises:
        ValueError: an empty data set, or a task without a target in it.
    """
    check_samples(dataset, tasks, "evaluation")
    metrics = {task.name: task.metric() for task in tasks}
    loader = _loader(dataset, batch_size, workers, torch.device(device))
    was_training = model.training
    model.to(device).eval()
    with torch.inference_mode():
        for batch in tqdm(iter(loader), "evaluating", len(loader), leave=False, unit="batch"):
            batch = _move(batch, device)
            predictions = model(batch["image"])
            for task in tasks:
                metrics[task.name].update(predictions[task.name], batch[task.target])
    model.train(was_training)
    return {name: metric.compute() for name, metric in metrics.items()}


def mean_metrics(history: Sequence[dict], last: int = 10) -> Metrics:
    """The mean of each metric over the `last` epochs: the honest figure to report.

    The best epoch's figure would be chosen on the very images it is measured on.

    Raises:
        ValueError: the history is shorter than `last`.
    """
    if not 1 <= last <= len(history):
        raise ValueError(f"last: expected 1..{len(history)} (the epochs of this history), got {last}.")
    records = [record["metrics"] for record in history[-last:]]
    return {
        task: {key: sum(record[task][key] for record in records) / last for key in values}
        for task, values in records[-1].items()
    }


def check_samples(dataset: Dataset, tasks: Sequence[Task], split: str) -> None:
    """Look at the first sample: has it what the tasks need?

    Raises:
        ValueError: the data set is empty, lacks a target, or has another number of classes than the task.
    """
    if len(dataset) == 0:
        raise ValueError(f"the {split} data set is empty: expected at least one sample.")
    sample = SeededSamples(dataset)[0]
    for task in tasks:
        if task.target not in sample:
            raise ValueError(
                f"task {task.name!r} needs the target {task.target!r}, which the {split} data set does not "
                f"give; its samples have {', '.join(sample)}. Leave the task out or take another data set."
            )
        classes = getattr(dataset, "classes", None)
        if classes is not None and sample[task.target].dtype == torch.int64 and task.channels != classes:
            raise ValueError(
                f"task {task.name!r} predicts {task.channels} classes, the {split} data set has {classes}: "
                "give both the same number."
            )


def check_finite(loss: Tensor, losses: Tensor, tasks: Sequence[Task], where: str) -> None:
    """One look at the weighted total, which is not finite as soon as one task's loss is not.

    Raises:
        TrainingError: names the task and, from `where`, the epoch and the batch.
    """
    if torch.isfinite(loss):
        return
    values = _by_task(tasks, losses)
    causes = [f"task {name!r} is {value}" for name, value in values.items() if not math.isfinite(value)]
    cause = " and of ".join(causes) or f"all tasks, weighted, is {loss.item()}"
    raise TrainingError(
        f"{where}: the loss of {cause}. Training stops here; a checkpoint keeps the last good epoch. "
        "A lower learning rate helps most often; if it does not, look for targets that are not finite."
    )


def check_weights(model: nn.Module, epoch: int) -> None:
    """The last step of an epoch is followed by no loss that would show it: look at what it left.

    Raises:
        TrainingError: names the first weight that is not finite.
    """
    for name, value in model.state_dict().items():
        if not torch.isfinite(value).all():
            raise TrainingError(
                f"epoch {epoch}, after its last batch: {name} is no longer finite. Training stops here; a "
                "checkpoint keeps the last good epoch. A lower learning rate helps most often."
            )


def _loader(
    dataset: Dataset, batch_size: int, workers: int, device: torch.device, seed: int = 0, epoch: int = 0,
    shuffle: bool = False,
) -> DataLoader:  # fmt: skip
    # Its own generator: the order depends on (seed, epoch) alone, and the global generators are left alone.
    generator = torch.Generator().manual_seed(derived_seed(seed, epoch))
    order = torch.randperm(len(dataset), generator=generator) if shuffle else torch.arange(len(dataset))
    return DataLoader(
        SeededSamples(dataset, seed, epoch), batch_size, sampler=order.tolist(), num_workers=workers,
        generator=generator, pin_memory=device.type == "cuda",
    )  # fmt: skip


def _move(batch: Mapping[str, Tensor], device: str | torch.device) -> dict[str, Tensor]:
    on_gpu = torch.device(device).type == "cuda"
    return {key: value.to(device, non_blocking=on_gpu) for key, value in batch.items()}


def _by_task(tasks: Sequence[Task], values: Tensor) -> dict[str, float]:
    return dict(zip([task.name for task in tasks], values.tolist(), strict=True))


def _check_numbers(**numbers: float) -> None:
    for name, value in numbers.items():
        if not value > 0:
            raise ValueError(f"{name}: expected a number above 0, got {value}.")
