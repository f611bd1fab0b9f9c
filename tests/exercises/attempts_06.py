"""Attempts at the exercises of chapter 06."""

import io
import pickle
import random
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from course_utils.exercises import chapter_06 as own
from course_utils.seeding import random_states, set_random_states
from tests.exercises.attempts import right, wrong

# ----------------------------------------------------------------------------------------------------------------------
# One step


def losses_of(model, batch, tasks):
    predictions = model(batch["image"])
    return torch.stack([task.loss(predictions[task.name], batch[task.target]) for task in tasks])


@wrong("06.train_step", "zero_grad forgotten", "gradients of the first are still there")
def _(model, batch, tasks, balance, optimizer):
    losses = losses_of(model, batch, tasks)
    balance(losses).backward()
    optimizer.step()
    return losses.detach()


@wrong("06.train_step", "step before backward", "order of your lines")
def _(model, batch, tasks, balance, optimizer):
    losses = losses_of(model, batch, tasks)
    total = balance(losses)
    optimizer.zero_grad()
    optimizer.step()
    total.backward()
    return losses.detach()


@wrong("06.train_step", "step, clear, backward", "order of your lines")
def _(model, batch, tasks, balance, optimizer):
    losses = losses_of(model, batch, tasks)
    optimizer.step()
    optimizer.zero_grad()
    balance(losses).backward()
    return losses.detach()


@wrong("06.train_step", "cleared between backward and step", "cleared after they are computed")
def _(model, batch, tasks, balance, optimizer):
    losses = losses_of(model, batch, tasks)
    balance(losses).backward()
    optimizer.zero_grad()
    optimizer.step()
    return losses.detach()


@wrong("06.train_step", "no backward", "no gradient is ever computed")
def _(model, batch, tasks, balance, optimizer):
    losses = losses_of(model, batch, tasks)
    optimizer.zero_grad()
    balance(losses)
    optimizer.step()
    return losses.detach()


@wrong("06.train_step", "no step", "never moves the weights")
def _(model, batch, tasks, balance, optimizer):
    losses = losses_of(model, batch, tasks)
    optimizer.zero_grad()
    balance(losses).backward()
    return losses.detach()


@wrong("06.train_step", "weighted losses returned", "multiplied by their weights")
def _(model, batch, tasks, balance, optimizer):
    losses = losses_of(model, batch, tasks)
    optimizer.zero_grad()
    balance(losses).backward()
    optimizer.step()
    return (balance.weights * losses).detach()


@wrong("06.train_step", "losses not detached", "still hang on the graph")
def _(model, batch, tasks, balance, optimizer):
    losses = losses_of(model, batch, tasks)
    optimizer.zero_grad()
    balance(losses).backward()
    optimizer.step()
    return losses


@wrong("06.train_step", "total returned", "one loss per task")
def _(model, batch, tasks, balance, optimizer):
    total = balance(losses_of(model, batch, tasks))
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return total.detach()


@wrong("06.train_step", "weighting forgotten", "nobody asked the weighting")
def _(model, batch, tasks, balance, optimizer):
    losses = losses_of(model, batch, tasks)
    optimizer.zero_grad()
    losses.sum().backward()
    optimizer.step()
    return losses.detach()


@wrong("06.train_step", "weights by hand", "parameters of its own does not")
def _(model, batch, tasks, balance, optimizer):
    losses = losses_of(model, batch, tasks)
    optimizer.zero_grad()
    (balance.weights * losses).sum().backward()
    optimizer.step()
    return losses.detach()


@wrong("06.train_step", "a forward pass for each task", "one pass gives the predictions of all")
def _(model, batch, tasks, balance, optimizer):
    losses = torch.stack([task.loss(model(batch["image"])[task.name], batch[task.target]) for task in tasks])
    optimizer.zero_grad()
    balance(losses).backward()
    optimizer.step()
    return losses.detach()


@wrong("06.train_step", "target under the task's name", "its target in the batch")
def _(model, batch, tasks, balance, optimizer):
    predictions = model(batch["image"])
    losses = torch.stack([task.loss(predictions[task.name], batch[task.name]) for task in tasks])
    optimizer.zero_grad()
    balance(losses).backward()
    optimizer.step()
    return losses.detach()


@wrong("06.train_step", "a list of floats", "a list")
def _(model, batch, tasks, balance, optimizer):
    return own.train_step(model, batch, tasks, balance, optimizer).tolist()


@wrong("06.train_step", "a list of losses for the weighting", "it takes all losses together")
def _(model, batch, tasks, balance, optimizer):
    predictions = model(batch["image"])
    losses = [task.loss(predictions[task.name], batch[task.target]) for task in tasks]
    balance(losses).backward()
    optimizer.step()
    return losses


@wrong("06.train_step", "the weighting asked for each loss", "it takes all losses together")
def _(model, batch, tasks, balance, optimizer):
    losses = losses_of(model, batch, tasks)
    sum(balance(loss) for loss in losses).backward()
    optimizer.step()
    return losses.detach()


@wrong("06.train_step", "nothing returned", "is None")
def _(model, batch, tasks, balance, optimizer):
    own.train_step(model, batch, tasks, balance, optimizer)


@right("06.train_step", "one loss at a time, cleared at the end, copied before backward")
def _(model, batch, tasks, balance, optimizer):
    predictions = model(batch["image"])
    losses = torch.zeros(len(tasks))
    for k, task in enumerate(tasks):
        losses[k] = task.loss(predictions[task.name], batch[task.target])
    plain = losses.detach().clone()
    balance(losses).backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    return plain


# ----------------------------------------------------------------------------------------------------------------------
# One epoch


@wrong("06.train_epoch", "training mode not set", "in evaluation mode")
def _(model, loader, tasks, balance, optimizer):
    total, count = torch.zeros(len(tasks)), 0
    for batch in loader:
        total += len(batch["image"]) * own.train_step(model, batch, tasks, balance, optimizer)
        count += len(batch["image"])
    return total / count


@wrong("06.train_epoch", "mean over batches", "every batch counts alike")
def _(model, loader, tasks, balance, optimizer):
    model.train()
    return torch.stack([own.train_step(model, batch, tasks, balance, optimizer) for batch in loader]).mean(dim=0)


@wrong("06.train_epoch", "last batch only", "last batch alone")
def _(model, loader, tasks, balance, optimizer):
    model.train()
    for batch in loader:
        losses = own.train_step(model, batch, tasks, balance, optimizer)
    return losses


@wrong("06.train_epoch", "return inside the loop", "loop end too early")
def _(model, loader, tasks, balance, optimizer):
    model.train()
    total, count = torch.zeros(len(tasks)), 0
    for batch in loader:
        total += len(batch["image"]) * own.train_step(model, batch, tasks, balance, optimizer)
        count += len(batch["image"])
        return total / count


@wrong("06.train_epoch", "sum over frames", "a sum over the frames")
def _(model, loader, tasks, balance, optimizer):
    model.train()
    total = torch.zeros(len(tasks))
    for batch in loader:
        total += len(batch["image"]) * own.train_step(model, batch, tasks, balance, optimizer)
    return total


@wrong("06.train_epoch", "batch means divided by the number of frames", "is a mean already")
def _(model, loader, tasks, balance, optimizer):
    model.train()
    total = torch.zeros(len(tasks))
    for batch in loader:
        total += own.train_step(model, batch, tasks, balance, optimizer)
    return total / len(loader.dataset)


@wrong("06.train_epoch", "weighted means", "multiplied by the weights")
def _(model, loader, tasks, balance, optimizer):
    weights = balance.weights.clone()
    return weights * own.train_epoch(model, loader, tasks, balance, optimizer)


@wrong("06.train_epoch", "losses not detached", "hang on the graph")
def _(model, loader, tasks, balance, optimizer):
    model.train()
    total, count = 0, 0
    for batch in loader:
        losses = losses_of(model, batch, tasks)
        optimizer.zero_grad()
        balance(losses).backward()
        optimizer.step()
        total = total + len(batch["image"]) * losses
        count += len(batch["image"])
    return total / count


@wrong("06.train_epoch", "no zero_grad in a loop of one's own", "of the batches before are still there")
def _(model, loader, tasks, balance, optimizer):
    model.train()
    rows = []
    for batch in loader:
        losses = losses_of(model, batch, tasks)
        balance(losses).backward()
        optimizer.step()
        rows += [losses.detach()] * len(batch["image"])
    return torch.stack(rows).mean(dim=0)


@wrong("06.train_epoch", "one step at the end", "every batch should move them")
def _(model, loader, tasks, balance, optimizer):
    model.train()
    rows = []
    optimizer.zero_grad()
    for batch in loader:
        losses = losses_of(model, batch, tasks)
        balance(losses).backward()
        rows += [losses.detach()] * len(batch["image"])
    optimizer.step()
    return torch.stack(rows).mean(dim=0)


@wrong("06.train_epoch", "a step too many at the end", "one complete step per batch")
def _(model, loader, tasks, balance, optimizer):
    means = own.train_epoch(model, loader, tasks, balance, optimizer)
    optimizer.step()
    return means


@wrong("06.train_epoch", "a list", "a list")
def _(model, loader, tasks, balance, optimizer):
    return own.train_epoch(model, loader, tasks, balance, optimizer).tolist()


@wrong("06.train_epoch", "two passes per batch", "two passes per batch")
def _(model, loader, tasks, balance, optimizer):
    model.train()
    total, count = torch.zeros(len(tasks)), 0
    for batch in loader:
        own.train_step(model, batch, tasks, balance, optimizer)
        total += len(batch["image"]) * own.train_step(model, batch, tasks, balance, optimizer)
        count += len(batch["image"])
    return total / count


@right("06.train_epoch", "a row per frame")
def _(model, loader, tasks, balance, optimizer):
    model.train(True)
    rows = []
    for batch in loader:
        losses = own.train_step(model, batch, tasks, balance, optimizer)
        rows += [losses] * batch["image"].shape[0]
    return torch.stack(rows).mean(0)


@right("06.train_epoch", "a loop of one's own with floats, divided by the data set's length")
def _(model, loader, tasks, balance, optimizer):
    model.train()
    sums = [0.0] * len(tasks)
    for batch in loader:
        optimizer.zero_grad()
        losses = losses_of(model, batch, tasks)
        balance(losses).backward()
        optimizer.step()
        for k in range(len(tasks)):
            sums[k] += losses[k].item() * len(batch["image"])
    return torch.tensor([one / len(loader.dataset) for one in sums])


# ----------------------------------------------------------------------------------------------------------------------
# Evaluation


def filled(model, dataset, tasks, batch_size):
    metrics = {task.name: task.metric() for task in tasks}
    for batch in DataLoader(dataset, batch_size):
        predictions = model(batch["image"])
        for task in tasks:
            metrics[task.name].update(predictions[task.name], batch[task.target])
    return metrics


def computed(metrics):
    return {name: metric.compute() for name, metric in metrics.items()}


@wrong("06.evaluate_by_hand", "training mode", "answers in training mode")
@torch.no_grad()
def _(model, dataset, tasks, batch_size):
    return computed(filled(model, dataset, tasks, batch_size))


@wrong("06.evaluate_by_hand", "gradients recorded", "graph for gradients that nobody needs")
def _(model, dataset, tasks, batch_size):
    model.eval()
    return computed(filled(model, dataset, tasks, batch_size))


@wrong("06.evaluate_by_hand", "mode not put back", "left in evaluation mode")
def _(model, dataset, tasks, batch_size):
    model.eval()
    with torch.no_grad():
        return computed(filled(model, dataset, tasks, batch_size))


@wrong("06.evaluate_by_hand", "always back to training", "left in training mode")
def _(model, dataset, tasks, batch_size):
    model.eval()
    with torch.no_grad():
        found = computed(filled(model, dataset, tasks, batch_size))
    model.train()
    return found


@wrong("06.evaluate_by_hand", "mean over batches", "mean over the batches")
@torch.no_grad()
def _(model, dataset, tasks, batch_size):
    was_training = model.training
    model.eval()
    batches = [dataset[first : first + batch_size] for first in range(0, len(dataset), batch_size)]
    apart = [computed(filled(model, batch, tasks, batch_size)) for batch in batches]
    model.train(was_training)
    return {
        task.name: {key: sum(one[task.name][key] for one in apart) / len(apart) for key in apart[0][task.name]}
        for task in tasks
    }


@wrong("06.evaluate_by_hand", "accumulators made anew for each batch", "last batch alone")
@torch.no_grad()
def _(model, dataset, tasks, batch_size):
    was_training = model.training
    model.eval()
    for first in range(0, len(dataset), batch_size):
        metrics = filled(model, dataset[first : first + batch_size], tasks, batch_size)
    model.train(was_training)
    return computed(metrics)


@wrong("06.evaluate_by_hand", "last batch dropped", "of a data set of 7")
@torch.no_grad()
def _(model, dataset, tasks, batch_size):
    was_training = model.training
    model.eval()
    metrics = filled(model, dataset[: len(dataset) // batch_size * batch_size], tasks, batch_size)
    model.train(was_training)
    return computed(metrics)


@wrong("06.evaluate_by_hand", "all in one batch", "a batch has 7 frames")
@torch.no_grad()
def _(model, dataset, tasks, batch_size):
    was_training = model.training
    model.eval()
    metrics = filled(model, dataset, tasks, len(dataset))
    model.train(was_training)
    return computed(metrics)


@wrong("06.evaluate_by_hand", "accumulators returned", "expected the dict of numbers")
@torch.no_grad()
def _(model, dataset, tasks, batch_size):
    was_training = model.training
    model.eval()
    metrics = filled(model, dataset, tasks, batch_size)
    model.train(was_training)
    return metrics


@wrong("06.evaluate_by_hand", "nothing returned", "is None")
def _(model, dataset, tasks, batch_size):
    own.evaluate_by_hand(model, dataset, tasks, batch_size)


@wrong("06.evaluate_by_hand", "a list", "expected a dict")
def _(model, dataset, tasks, batch_size):
    return list(own.evaluate_by_hand(model, dataset, tasks, batch_size).values())


@wrong("06.evaluate_by_hand", "target under the task's name", "its target in the batch")
@torch.no_grad()
def _(model, dataset, tasks, batch_size):
    model.eval()
    for batch in DataLoader(dataset, batch_size):
        predictions = model(batch["image"])
        for task in tasks:
            task.metric().update(predictions[task.name], batch[task.name])


@right("06.evaluate_by_hand", "one frame at a time, without a loader")
def _(model, dataset, tasks, batch_size):
    mode = model.training
    accumulators = [task.metric() for task in tasks]
    model.train(False)
    for index in range(len(dataset)):
        frame = dataset[index]
        with torch.no_grad():
            predictions = model(frame["image"][None])
        for task, accumulator in zip(tasks, accumulators, strict=True):
            accumulator.update(predictions[task.name], frame[task.target][None])
    model.train(mode)
    return {task.name: accumulator.compute() for task, accumulator in zip(tasks, accumulators, strict=True)}


# ----------------------------------------------------------------------------------------------------------------------
# The schedule


@wrong("06.learning_rate", "epochs counted from 0", "already has half the rate")
def _(epoch, first, halve_every):
    return first * 0.5 ** (epoch // halve_every)


@wrong("06.learning_rate", "an epoch too late", "one epoch too late")
def _(epoch, first, halve_every):
    return first * 0.5 ** (max(epoch - 2, 0) // halve_every)


@wrong("06.learning_rate", "halved once", "halved once")
def _(epoch, first, halve_every):
    return first if epoch <= halve_every else first / 2


@wrong("06.learning_rate", "halved in every epoch", "in every epoch. How many")
def _(epoch, first, halve_every):
    return first * 0.5 ** (epoch - 1)


@wrong("06.learning_rate", "smooth", "in steps")
def _(epoch, first, halve_every):
    return first * 0.5 ** ((epoch - 1) / halve_every)


@wrong("06.learning_rate", "a half, a third, a quarter", "half of a half")
def _(epoch, first, halve_every):
    return first / (1 + (epoch - 1) // halve_every)


@wrong("06.learning_rate", "divided by twice the count", "is not the first rate")
def _(epoch, first, halve_every):
    return first / (2 + 2 * ((epoch - 1) // halve_every))


@wrong("06.learning_rate", "a list", "a list")
def _(epoch, first, halve_every):
    return [first, first / 2]


@wrong("06.learning_rate", "halved in the epochs that are multiples only", "some rates are wrong")
def _(epoch, first, halve_every):
    return first / 2 if epoch % halve_every == 0 else first


@right("06.learning_rate", "a loop")
def _(epoch, first, halve_every):
    rate = first
    while epoch > halve_every:
        rate, epoch = rate / 2, epoch - halve_every
    return rate


@right("06.learning_rate", "torch's schedule, as a tensor")
def _(epoch, first, halve_every):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(()))], lr=first)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, halve_every, 0.5)
    for _ in range(epoch - 1):
        optimizer.step()
        schedule.step()
    return torch.tensor(schedule.get_last_lr()[0], dtype=torch.float64)


# ----------------------------------------------------------------------------------------------------------------------
# Never half a file


@wrong("06.save_atomically", "written straight to its name", "itself is overwritten")
def _(contents, path):
    torch.save(contents, path)


@wrong("06.save_atomically", "copied", "itself is overwritten")
def _(contents, path):
    temporary = path.with_suffix(".tmp")
    torch.save(contents, temporary)
    shutil.copy(temporary, path)
    temporary.unlink()


@wrong("06.save_atomically", "old file deleted first", "removed before the new one")
def _(contents, path):
    temporary = path.with_name("new")
    torch.save(contents, temporary)
    if path.exists():
        path.unlink()
    temporary.rename(path)


@wrong("06.save_atomically", "old file kept as a backup", "removed before the new one")
def _(contents, path):
    if path.exists():
        path.rename(path.with_name("backup"))
    torch.save(contents, path)


@wrong("06.save_atomically", "never renamed", "nothing lies under the name")
def _(contents, path):
    torch.save(contents, path.with_name(path.name + ".tmp"))


@wrong("06.save_atomically", "renamed back to front", "nothing lies under the name")
def _(contents, path):
    temporary = path.with_name(path.name + ".tmp")
    torch.save(contents, path)
    path.replace(temporary)


@wrong("06.save_atomically", "another folder", "in another folder")
def _(contents, path):
    with tempfile.NamedTemporaryFile(delete=False) as file:
        torch.save(contents, file)
    Path(file.name).replace(path)


@wrong("06.save_atomically", "renamed even after an error", "fails in the middle")
def _(contents, path):
    temporary = path.with_name(path.name + ".tmp")
    try:
        torch.save(contents, temporary)
    finally:
        temporary.replace(path)


@wrong("06.save_atomically", "pickle in place of torch.save", "cannot be read with torch.load")
def _(contents, path):
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        pickle.dump(contents, file)
    temporary.replace(path)


@wrong("06.save_atomically", "a copy stays", "is left in the folder")
def _(contents, path):
    torch.save(contents, path.with_name("spare"))
    own.save_atomically(contents, path)


@wrong("06.save_atomically", "first save only", "does not hold what was saved last")
def _(contents, path):
    own.save_atomically(contents if not path.exists() else torch.load(path), path)


@right("06.save_atomically", "through memory and shutil.move")
def _(contents, path):
    buffer = io.BytesIO()
    torch.save(contents, buffer)
    unfinished = str(path) + ".part"
    with open(unfinished, "wb") as file:
        file.write(buffer.getvalue())
    shutil.move(unfinished, str(path))


@right("06.save_atomically", "cleans up after an error")
def _(contents, path):
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        torch.save(contents, Path(folder) / "unfinished")
        (Path(folder) / "unfinished").rename(path)


# ----------------------------------------------------------------------------------------------------------------------
# What a checkpoint holds


@wrong("06.SmallCheckpoint", "only modules saved", "the part 'optimizer' is not put back")
class OnlyModules(own.SmallCheckpoint):
    def __init__(self, path, **parts):
        super().__init__(path, **{name: part for name, part in parts.items() if isinstance(part, nn.Module)})


@wrong("06.SmallCheckpoint", "parts by fixed names", "the part 'network' is not put back")
class FixedNames(own.SmallCheckpoint):
    def __init__(self, path, **parts):
        names = ("model", "weighting", "optimizer", "schedule")
        super().__init__(path, **{name: part for name, part in parts.items() if name in names})


@wrong("06.SmallCheckpoint", "random states forgotten", "torch draws other random numbers")
class NoRandomStates(own.SmallCheckpoint):
    def load(self):
        states = random_states()
        history = super().load()
        set_random_states(states)
        return history


@wrong("06.SmallCheckpoint", "torch's random state only", "Python's or NumPy's is not")
class TorchOnly(own.SmallCheckpoint):
    def load(self):
        states = random_states()
        history = super().load()
        set_random_states({**states, "torch": torch.get_rng_state()})
        return history


@wrong("06.SmallCheckpoint", "seeded anew", "torch draws other random numbers")
class SeededAnew(own.SmallCheckpoint):
    def load(self):
        history = super().load()
        random.seed(0)
        torch.set_rng_state(torch.Generator().manual_seed(0).get_state())
        return history


@wrong("06.SmallCheckpoint", "no file is not expected", "there is no file yet")
class NoFirstTime(own.SmallCheckpoint):
    def load(self):
        contents = torch.load(self.path, weights_only=True)
        for name, part in self.parts.items():
            part.load_state_dict(contents["parts"][name])
        set_random_states(contents["random"])
        return contents["history"]


@wrong("06.SmallCheckpoint", "None without a file", "a history of no epochs")
class NoneWithoutFile(own.SmallCheckpoint):
    def load(self):
        if self.path.exists():
            return super().load()


@wrong("06.SmallCheckpoint", "history not returned", "`load` returns None")
class NothingReturned(own.SmallCheckpoint):
    def load(self):
        return super().load() or [] if not self.path.exists() else super().load() and None


@wrong("06.SmallCheckpoint", "epoch in place of the history", "expected the history")
class OnlyTheEpoch(own.SmallCheckpoint):
    def load(self):
        history = super().load()
        return len(history) if history else []


@wrong("06.SmallCheckpoint", "last record only", "1 epochs of a history of 3")
class LastRecord(own.SmallCheckpoint):
    def load(self):
        return super().load()[-1:]


@wrong("06.SmallCheckpoint", "whole objects", "whole objects")
class WholeObjects(own.SmallCheckpoint):
    def save(self, history):
        own.save_atomically({"parts": self.parts, "history": history, "random": random_states()}, self.path)

    def load(self):
        if not self.path.exists():
            return []
        contents = torch.load(self.path, weights_only=False)
        for name, part in self.parts.items():
            part.load_state_dict(contents["parts"][name].state_dict())
        set_random_states(contents["random"])
        return contents["history"]


@wrong("06.SmallCheckpoint", "NumPy's state as it is", "whole objects")
class PlainArrays(own.SmallCheckpoint):
    def save(self, history):
        states = {name: part.state_dict() for name, part in self.parts.items()}
        random_numbers = {"torch": torch.get_rng_state(), "numpy": np.random.get_state()}
        own.save_atomically({"parts": states, "history": history, "random": random_numbers}, self.path)

    def load(self):
        if not self.path.exists():
            return []
        contents = torch.load(self.path, weights_only=False)
        for name, part in self.parts.items():
            part.load_state_dict(contents["parts"][name])
        torch.set_rng_state(contents["random"]["torch"])
        np.random.set_state(contents["random"]["numpy"])
        return contents["history"]


@wrong("06.SmallCheckpoint", "not strict", "loaded without complaint")
class NotStrict(own.SmallCheckpoint):
    def load(self):
        if not self.path.exists():
            return []
        contents = torch.load(self.path, weights_only=True)
        for name, part in self.parts.items():
            strict = {"strict": False} if isinstance(part, nn.Module) else {}
            part.load_state_dict(contents["parts"][name], **strict)
        set_random_states(contents["random"])
        return contents["history"]


@wrong("06.SmallCheckpoint", "written in place", "overwrites the old file in place")
class InPlace(own.SmallCheckpoint):
    def save(self, history):
        states = {name: part.state_dict() for name, part in self.parts.items()}
        torch.save({"parts": states, "history": history, "random": random_states()}, self.path)


@wrong("06.SmallCheckpoint", "a function", "expected a class")
def small_checkpoint(path, **parts):
    return own.SmallCheckpoint(path, **parts)


@wrong("06.SmallCheckpoint", "without load", "no methods")
class WithoutLoad:
    def __init__(self, path, **parts):
        self.path = path

    def save(self, history):
        pass


@wrong("06.SmallCheckpoint", "nothing saved", "leaves no file")
class NothingSaved(own.SmallCheckpoint):
    def save(self, history):
        {name: part.state_dict() for name, part in self.parts.items()}


@right("06.SmallCheckpoint", "flat keys, the random states taken apart")
class FlatKeys:
    def __init__(self, path, **parts):
        self.path = Path(path)
        self.parts = parts

    def save(self, history):
        contents = {"epoch": len(history), "records": list(history)}
        for name in self.parts:
            contents["state of " + name] = self.parts[name].state_dict()
        for name, state in random_states().items():
            contents["random " + name] = state
        unfinished = self.path.with_suffix(".unfinished")
        torch.save(contents, unfinished)
        unfinished.rename(self.path)

    def load(self):
        try:
            contents = torch.load(self.path, weights_only=True)
        except FileNotFoundError:
            return []
        set_random_states({name: contents["random " + name] for name in ("python", "numpy", "torch", "cuda")})
        for name in self.parts:
            self.parts[name].load_state_dict(contents["state of " + name])
        return contents["records"]


# ----------------------------------------------------------------------------------------------------------------------
# The loop over epochs


def make(model, balance, epochs, learning_rate):
    optimizer = torch.optim.Adam([*model.parameters(), *balance.parameters()], lr=learning_rate)
    return optimizer, torch.optim.lr_scheduler.StepLR(optimizer, step_size=(epochs + 1) // 2, gamma=0.5)


def record(epoch, schedule, losses):
    return {"epoch": epoch, "learning_rate": schedule.get_last_lr()[0], "losses": losses.tolist()}


@wrong("06.fit_by_hand", "weighting's parameters forgotten", "own parameters stay")
def _(model, loader, tasks, balance, epochs, learning_rate, path):
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=(epochs + 1) // 2, gamma=0.5)
    checkpoint = own.SmallCheckpoint(path, model=model, balance=balance, optimizer=optimizer, schedule=schedule)
    history = checkpoint.load()
    for epoch in range(len(history) + 1, epochs + 1):
        losses = own.train_epoch(model, loader, tasks, balance, optimizer)
        history.append(record(epoch, schedule, losses))
        balance.end_epoch(losses)
        schedule.step()
        checkpoint.save(history)
    return history


def loop(
    model, loader, tasks, balance, epochs, learning_rate, path, *, first=1, tell=True, move=True, save="end", load=True,
    forget=(), weighted=False, late_record=False, start=0,
):  # fmt: skip
    """The loop with the mistakes that one can make in it."""
    optimizer, schedule = make(model, balance, epochs, learning_rate)
    parts = {"model": model, "balance": balance, "optimizer": optimizer, "schedule": schedule}
    parts = {name: part for name, part in parts.items() if name not in forget}
    checkpoint = own.SmallCheckpoint(path, **parts)
    history = checkpoint.load() if load else []
    for epoch in range(max(len(history) + first, start), epochs + start if start else epochs + 1):
        losses = own.train_epoch(model, loader, tasks, balance, optimizer)
        losses = balance.weights * losses if weighted else losses
        if not late_record:
            history.append(record(epoch, schedule, losses))
        if save == "early":
            checkpoint.save(history)
        if tell:
            balance.end_epoch(losses)
        if save == "middle":
            checkpoint.save(history)
        if move:
            schedule.step()
        if late_record:
            history.append(record(epoch, schedule, losses))
        if save == "end":
            checkpoint.save(history)
    if save == "last":
        checkpoint.save(history)
    return history


def mistake(label, hint, **options):
    @wrong("06.fit_by_hand", label, hint)
    def _(model, loader, tasks, balance, epochs, learning_rate, path):
        return loop(model, loader, tasks, balance, epochs, learning_rate, path, **options)


mistake("epoch repeated on resume", "a complete one is repeated", first=0, start=1)
mistake("begins again", "begins with the first epoch", load=False)
mistake("end_epoch forgotten", "never told", tell=False)
mistake("schedule never moved", "the same in all epochs", move=False)
mistake("rate noted after the schedule's step", "of the next epoch", late_record=True)
mistake("saved before end_epoch", "not yet been told", save="early")
mistake("saved before the schedule's step", "before the schedule moved", save="middle")
mistake("saved only at the end", "leaves no file", save="last")
mistake("optimizer not in the file", "Which part has a memory", forget=("optimizer",))
mistake("network not in the file", "begins again with its first weights", forget=("model",))
mistake("weighting not in the file", "knows nothing of the epochs before", forget=("balance",))
mistake("schedule not in the file", "Which part knows its course", forget=("schedule",))
mistake("weighted losses", "something else than the unweighted", weighted=True)


@wrong("06.fit_by_hand", "epoch left out on resume", "one is left out")
def _(model, loader, tasks, balance, epochs, learning_rate, path):
    resumed = path.exists()
    return loop(model, loader, tasks, balance, epochs, learning_rate, path, first=2 if resumed else 1)


@wrong("06.fit_by_hand", "epochs from 0", "counts them as")
def _(model, loader, tasks, balance, epochs, learning_rate, path):
    history = own.fit_by_hand(model, loader, tasks, balance, epochs, learning_rate, path)
    return [{**one, "epoch": one["epoch"] - 1} for one in history]


@wrong("06.fit_by_hand", "old epochs not in the history", "What about those before it")
def _(model, loader, tasks, balance, epochs, learning_rate, path):
    before = len(torch.load(path)["history"]) if path.exists() else 0
    return own.fit_by_hand(model, loader, tasks, balance, epochs, learning_rate, path)[before:]


@wrong("06.fit_by_hand", "the weighting is told weighted losses", "something else than")
def _(model, loader, tasks, balance, epochs, learning_rate, path):
    optimizer, schedule = make(model, balance, epochs, learning_rate)
    history = []
    for epoch in range(1, epochs + 1):
        losses = own.train_epoch(model, loader, tasks, balance, optimizer)
        history.append(record(epoch, schedule, losses))
        balance.end_epoch(balance.weights * losses)
        schedule.step()
    return history


@wrong("06.fit_by_hand", "weighted losses in the history", "its unweighted mean losses")
def _(model, loader, tasks, balance, epochs, learning_rate, path):
    history = own.fit_by_hand(model, loader, tasks, balance, epochs, learning_rate, path)
    weights = balance.weights
    return [{**one, "losses": (weights * torch.tensor(one["losses"])).tolist()} for one in history]


@wrong("06.fit_by_hand", "another optimizer", "not those of Adam")
def _(model, loader, tasks, balance, epochs, learning_rate, path):
    optimizer = torch.optim.SGD([*model.parameters(), *balance.parameters()], lr=learning_rate)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=(epochs + 1) // 2, gamma=0.5)
    history = []
    for epoch in range(1, epochs + 1):
        losses = own.train_epoch(model, loader, tasks, balance, optimizer)
        history.append(record(epoch, schedule, losses))
        balance.end_epoch(losses)
        schedule.step()
    return history


@wrong("06.fit_by_hand", "schedule of another optimizer", "do not become smaller")
def _(model, loader, tasks, balance, epochs, learning_rate, path):
    optimizer, _ = make(model, balance, epochs, learning_rate)
    _, schedule = make(model, balance, epochs, learning_rate)
    checkpoint = own.SmallCheckpoint(path, model=model, balance=balance, optimizer=optimizer, schedule=schedule)
    history = checkpoint.load()
    for epoch in range(len(history) + 1, epochs + 1):
        losses = own.train_epoch(model, loader, tasks, balance, optimizer)
        history.append(record(epoch, schedule, losses))
        balance.end_epoch(losses)
        schedule.step()
        checkpoint.save(history)
    return history


@wrong("06.fit_by_hand", "a list for end_epoch", "it takes all losses together")
def _(model, loader, tasks, balance, epochs, learning_rate, path):
    optimizer, schedule = make(model, balance, epochs, learning_rate)
    history = []
    for epoch in range(1, epochs + 1):
        losses = own.train_epoch(model, loader, tasks, balance, optimizer).tolist()
        balance.end_epoch(losses)
        history.append({"epoch": epoch, "learning_rate": learning_rate, "losses": losses})
    return history


@wrong("06.fit_by_hand", "nothing returned", "is None")
def _(model, loader, tasks, balance, epochs, learning_rate, path):
    own.fit_by_hand(model, loader, tasks, balance, epochs, learning_rate, path)


@wrong("06.fit_by_hand", "no rate in the history", "has no learning_rate")
def _(model, loader, tasks, balance, epochs, learning_rate, path):
    history = own.fit_by_hand(model, loader, tasks, balance, epochs, learning_rate, path)
    return [{"epoch": one["epoch"], "losses": one["losses"]} for one in history]


@right("06.fit_by_hand", "rates by formula, no schedule, saved before the first epoch, tensors in the history")
def _(model, loader, tasks, balance, epochs, learning_rate, path):
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    if list(balance.parameters()):
        optimizer.add_param_group({"params": balance.parameters()})
    checkpoint = FlatKeys(path, one=model, two=optimizer, three=balance)
    history = checkpoint.load()
    checkpoint.save(history)
    while len(history) < epochs:
        rate = own.learning_rate(len(history) + 1, learning_rate, (epochs + 1) // 2)
        for group in optimizer.param_groups:
            group["lr"] = rate
        losses = own.train_epoch(model, loader, tasks, balance, optimizer)
        balance.end_epoch(losses)
        history = [*history, dict(epoch=len(history) + 1, learning_rate=rate, losses=losses, extra=1)]
        checkpoint.save(history)
    return history
