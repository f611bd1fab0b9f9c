"""Attempts at the exercises of chapter 05."""

import torch
from torch import nn

from course_utils.weighting import Equal, dwa_weights
from tests.exercises.attempts import right, wrong

# 05.weighted_sum


@wrong("05.weighted_sum", "weights forgotten", "make no difference")
def _(losses, weights):
    return losses.sum()


@wrong("05.weighted_sum", "mean for sum", "mean over the tasks")
def _(losses, weights):
    return (weights * losses).mean()


@wrong("05.weighted_sum", "no sum at all", "the shape [2]")
def _(losses, weights):
    return weights * losses


@wrong("05.weighted_sum", "a weighted average", "divided by the sum")
def _(losses, weights):
    return (weights * losses).sum() / weights.sum()


@wrong("05.weighted_sum", "a plain number", "a float")
def _(losses, weights):
    return (weights * losses).sum().item()


@wrong("05.weighted_sum", "a tensor of plain numbers", "no gradient")
def _(losses, weights):
    return torch.tensor(sum(weight * loss for weight, loss in zip(weights.tolist(), losses.tolist(), strict=True)))


@wrong("05.weighted_sum", "added", "is added")
def _(losses, weights):
    return (weights + losses).sum()


@wrong("05.weighted_sum", "every weight with every loss", "every loss meets every weight")
def _(losses, weights):
    return (weights[:, None] * losses[None]).sum()


@wrong("05.weighted_sum", "changes the losses in place", "is changed afterwards")
def _(losses, weights):
    losses.data *= weights
    return losses.sum()


@wrong("05.weighted_sum", "no return", "return")
def _(losses, weights):
    (weights * losses).sum()


@right("05.weighted_sum", "scalar product")
def _(losses, weights):
    return losses @ weights


@right("05.weighted_sum", "loop over tasks")
def _(losses, weights):
    total = 0
    for k in range(len(losses)):
        total = total + weights[k] * losses[k]
    return total


# 05.dwa_weights


@wrong("05.dwa_weights", "ratio upside down", "upside down")
def _(last, before_last, temperature):
    return len(last) * torch.softmax(before_last / last / temperature, dim=0)


@wrong("05.dwa_weights", "temperature multiplied", "temperature multiplies w")
def _(last, before_last, temperature):
    return len(last) * torch.softmax(last / before_last * temperature, dim=0)


@wrong("05.dwa_weights", "temperature after the softmax", "divides the finished weights")
def _(last, before_last, temperature):
    return len(last) * torch.softmax(last / before_last, dim=0) / temperature


@wrong("05.dwa_weights", "temperature forgotten", "makes no difference")
def _(last, before_last, temperature):
    return len(last) * torch.softmax(last / before_last, dim=0)


@wrong("05.dwa_weights", "factor K forgotten", "sum to 1")
def _(last, before_last, temperature):
    return torch.softmax(last / before_last / temperature, dim=0)


@wrong("05.dwa_weights", "always two tasks", "sum to 2")
def _(last, before_last, temperature):
    return 2 * torch.softmax(last / before_last / temperature, dim=0)


@wrong("05.dwa_weights", "losses in place of their ratio", "sizes of the losses")
def _(last, before_last, temperature):
    return len(last) * torch.softmax(last / temperature, dim=0)


@wrong("05.dwa_weights", "difference in place of ratio", "a difference")
def _(last, before_last, temperature):
    return len(last) * torch.softmax((last - before_last) / temperature, dim=0)


@wrong("05.dwa_weights", "minus in the exponential", "a sign is turned")
def _(last, before_last, temperature):
    return len(last) * torch.softmax(-last / before_last / temperature, dim=0)


@wrong("05.dwa_weights", "0 / 0 not handled", "NaN")
def _(last, before_last, temperature):
    return len(last) * torch.softmax(last / before_last / temperature, dim=0)


@wrong("05.dwa_weights", "a small number below the line", "both epochs does not count as unchanged")
def _(last, before_last, temperature):
    return len(last) * torch.softmax(last / (before_last + 1e-8) / temperature, dim=0)


@wrong("05.dwa_weights", "only 0 / 0 handled", "before last does not count as unchanged")
def _(last, before_last, temperature):
    ratio = (last / before_last).nan_to_num(nan=1.0, posinf=1e9)
    return len(last) * torch.softmax(ratio / temperature, dim=0)


@wrong("05.dwa_weights", "shares without the exponential", "takes their exponentials")
def _(last, before_last, temperature):
    ratio = last / before_last / temperature
    return len(last) * ratio / ratio.sum()


@wrong("05.dwa_weights", "exponentials of another base", "not K times the softmax")
def _(last, before_last, temperature):
    powers = 2 ** (last / before_last / temperature)
    return len(last) * powers / powers.sum()


@wrong("05.dwa_weights", "exponentials not divided by their sum", "do not sum to")
def _(last, before_last, temperature):
    return len(last) * torch.exp(last / before_last / temperature)


@wrong("05.dwa_weights", "zeros replaced in place", "is changed afterwards")
def _(last, before_last, temperature):
    last[before_last == 0] = 1
    before_last[before_last == 0] = 1
    return len(last) * torch.softmax(last / before_last / temperature, dim=0)


@wrong("05.dwa_weights", "a list", "a list")
def _(last, before_last, temperature):
    return (len(last) * torch.softmax(last / before_last / temperature, dim=0)).tolist()


@right("05.dwa_weights", "loop over tasks")
def _(last, before_last, temperature):
    shares = []
    for new, old in zip(last, before_last, strict=True):
        rate = new / old if old > 0 else torch.tensor(1.0)
        shares.append(torch.exp(rate / temperature))
    return len(last) * torch.stack(shares) / sum(shares)


@right("05.dwa_weights", "zeros replaced in copies")
def _(last, before_last, temperature):
    rates = last.clone() / before_last
    rates[before_last == 0] = 1
    powers = (rates / temperature).exp()
    return powers / powers.mean()


# 05.dwa_module


class Memory(Equal):
    """Right. The wrong ones change one thing each."""

    def __init__(self, count, temperature=2.0):
        super().__init__(count)
        self.temperature = temperature
        self.register_buffer("last", torch.zeros(count))
        self.register_buffer("before_last", torch.zeros(count))
        self.register_buffer("seen", torch.tensor(0))

    @property
    def weights(self):
        if self.seen < 2:
            return torch.ones(self.count)
        return dwa_weights(self.last, self.before_last, self.temperature)

    def end_epoch(self, mean_losses):
        self.before_last.copy_(self.last)
        self.last.copy_(mean_losses.detach())
        self.seen += 1


right("05.dwa_module", "one buffer for each epoch")(Memory)


@right("05.dwa_module", "no count, zeros until there is something to compare")
class _(Equal):
    def __init__(self, count, temperature=2.0):
        super().__init__(count)
        self.temperature = temperature
        self.register_buffer("memory", torch.zeros(2, count))

    @property
    def weights(self):
        return dwa_weights(self.memory[0], self.memory[1], self.temperature)

    def end_epoch(self, mean_losses):
        self.memory = torch.stack([mean_losses.detach(), self.memory[0]])


@right("05.dwa_module", "the weights are computed when an epoch ends")
class _(nn.Module):
    def __init__(self, count, temperature=2.0):
        super().__init__()
        self.temperature = temperature
        self.register_buffer("weights", torch.ones(count))
        self.register_buffer("older", torch.full((count,), torch.nan))

    def forward(self, losses):
        return losses @ self.weights

    @torch.no_grad()
    def end_epoch(self, mean_losses):
        if not self.older.isnan().any():
            self.weights.copy_(dwa_weights(mean_losses, self.older, self.temperature))
        self.older.copy_(mean_losses)


@wrong("05.dwa_module", "a function", "derived from nn.Module")
def _(count, temperature=2.0):
    return Memory(count, temperature)


@wrong("05.dwa_module", "epochs swapped", "the two epochs are swapped")
class _(Memory):
    @property
    def weights(self):
        return self.ones if self.seen < 2 else dwa_weights(self.before_last, self.last, self.temperature)


@wrong("05.dwa_module", "all in plain attributes", "nothing that it remembers")
class _(Equal):
    def __init__(self, count, temperature=2.0):
        super().__init__(count)
        self.temperature = temperature
        self.history = []

    @property
    def weights(self):
        if len(self.history) < 2:
            return self.ones
        return dwa_weights(self.history[-1], self.history[-2], self.temperature)

    def end_epoch(self, mean_losses):
        self.history.append(mean_losses.detach().clone())


@wrong("05.dwa_module", "the count is a plain number", "the weights 1 again")
class _(Equal):
    def __init__(self, count, temperature=2.0):
        super().__init__(count)
        self.temperature = temperature
        self.epochs = 0
        self.register_buffer("memory", torch.zeros(2, count))

    @property
    def weights(self):
        return self.ones if self.epochs < 2 else dwa_weights(self.memory[1], self.memory[0], self.temperature)

    def end_epoch(self, mean_losses):
        self.memory = torch.stack([self.memory[1], mean_losses.detach()])
        self.epochs += 1


@wrong("05.dwa_module", "only one of the two losses is a buffer", "other weights than the old one")
class _(Memory):
    def __init__(self, count, temperature=2.0):
        super().__init__(count, temperature)
        del self.before_last
        self.before_last = torch.full((count,), 0.5)


@wrong("05.dwa_module", "ones in the first epoch only", "after one epoch")
class _(Equal):
    def __init__(self, count, temperature=2.0):
        super().__init__(count)
        self.temperature = temperature
        self.register_buffer("last", torch.ones(count))
        self.register_buffer("before_last", torch.ones(count))

    @property
    def weights(self):
        return dwa_weights(self.last, self.before_last, self.temperature)

    def end_epoch(self, mean_losses):
        self.before_last.copy_(self.last)
        self.last.copy_(mean_losses.detach())


@wrong("05.dwa_module", "the weights sum to 1 before the first epoch", "before the first epoch")
class _(Memory):
    @property
    def weights(self):
        return torch.ones(self.count) / self.count if self.seen < 2 else super().weights


@wrong("05.dwa_module", "one epoch too late", "still all 1")
class _(Memory):
    @property
    def weights(self):
        return self.ones if self.seen < 3 else super().weights


@wrong("05.dwa_module", "temperature of the default only", "makes no difference")
class _(Memory):
    @property
    def weights(self):
        return self.ones if self.seen < 2 else dwa_weights(self.last, self.before_last, 2.0)


@wrong("05.dwa_module", "the first epoch is kept for ever", "the third with the first")
class _(Memory):
    def end_epoch(self, mean_losses):
        (self.before_last if self.seen == 0 else self.last).copy_(mean_losses.detach())
        self.seen += 1


@wrong("05.dwa_module", "the first two epochs are kept for ever", "still compares the first two")
class _(Memory):
    def end_epoch(self, mean_losses):
        if self.seen < 2:
            super().end_epoch(mean_losses)


@wrong("05.dwa_module", "two slots, used in turn", "swapped from the third epoch on")
class _(Memory):
    def end_epoch(self, mean_losses):
        (self.before_last if self.seen % 2 == 0 else self.last).copy_(mean_losses.detach())
        self.seen += 1

    @property
    def weights(self):
        return self.ones if self.seen < 2 else dwa_weights(self.last, self.before_last, self.temperature)


@wrong("05.dwa_module", "on the graph", "hang on the graph")
class _(Memory):
    def end_epoch(self, mean_losses):
        self.before_last = self.last
        self.last = mean_losses * 1
        self.seen += 1


@wrong("05.dwa_module", "keeps the caller's tensor", "the very tensor")
class _(Memory):
    def end_epoch(self, mean_losses):
        self.before_last = self.last
        self.last = mean_losses.detach()
        self.seen += 1


@wrong("05.dwa_module", "memory as a parameter", "which an optimizer would train")
class _(Memory):
    def __init__(self, count, temperature=2.0):
        super().__init__(count, temperature)
        del self.last
        self.last = nn.Parameter(torch.zeros(count))


@wrong("05.dwa_module", "buffers made when they are needed", "cannot load")
class _(Memory):
    def __init__(self, count, temperature=2.0):
        super().__init__(count, temperature)
        self.last = self.before_last = None

    def end_epoch(self, mean_losses):
        self.before_last, self.last = self.last, mean_losses.detach().clone()
        self.seen += 1


# 05.uncertainty


class Learned(Equal):
    """Right. The wrong ones change one thing each."""

    def __init__(self, count):
        super().__init__(count)
        self.s = nn.Parameter(-torch.ones(count) / 2)

    @property
    def weights(self):
        return 1 / (2 * self.s.detach().exp())

    def forward(self, losses):
        return (losses / (2 * self.s.exp()) + self.s / 2).sum()


right("05.uncertainty", "divided by the exponential")(Learned)


@right("05.uncertainty", "one parameter for each task")
class _(nn.Module):
    def __init__(self, count):
        super().__init__()
        self.each = nn.ParameterList([nn.Parameter(torch.tensor(-0.5)) for _ in range(count)])

    @property
    def weights(self):
        with torch.no_grad():
            return torch.stack([(-s).exp() / 2 for s in self.each])

    def forward(self, losses):
        return sum((-s).exp() * loss / 2 + s / 2 for loss, s in zip(losses, self.each, strict=True))

    def end_epoch(self, mean_losses):
        pass


def with_total(total, **options):
    """A module that differs in its total (losses, s) only."""
    return type("Uncertainty", (Learned,), {"forward": lambda self, losses: total(losses, self.s), **options})


WRONG_TOTALS = {
    "e to the plus s": ("count less", lambda losses, s: (0.5 * s.exp() * losses + s / 2).sum()),
    "sign of the second term": ("wrong sign", lambda losses, s: (losses / (2 * s.exp()) - s / 2).sum()),
    "second term forgotten": ("term of the equation is missing", lambda losses, s: (losses / (2 * s.exp())).sum()),
    "no half in the first term": ("losses count twice", lambda losses, s: (losses / s.exp() + s / 2).sum()),
    "no half in the second term": ("second term is twice", lambda losses, s: (losses / (2 * s.exp()) + s).sum()),
    "no half at all": ("total is twice", lambda losses, s: (losses / s.exp() + s).sum()),
    "s is ln sigma": ("logarithm of σ;", lambda losses, s: (losses / (2 * s.exp() ** 2) + s).sum()),
    "mean for sum": ("mean over the tasks", lambda losses, s: (losses / (2 * s.exp()) + s / 2).mean()),
    "no sum": ("shape [3]", lambda losses, s: losses / (2 * s.exp()) + s / 2),
    "one s for all in the second term": (
        "not that of the equation",
        lambda losses, s: (losses / (2 * s.exp())).sum() + s[0],
    ),
    "the square of s": ("not that of the equation", lambda losses, s: (losses / (2 * s.exp()) + s**2 / 2).sum()),
    "a lucky start": ("not for other s", lambda losses, s: (losses * 0.5 * (0.5 + (s + 0.5)).exp() + s / 2).sum()),
    "detached weights": (
        "does not feel the losses",
        lambda losses, s: (0.5 * (-s.detach()).exp() * losses + s / 2).sum(),
    ),
    "data of the parameters": (
        "reaches the learned",
        lambda losses, s: (losses / (2 * s.data.exp()) + s.data / 2).sum(),
    ),
    "detached losses": (
        "no gradient reaches the losses",
        lambda losses, s: (losses.data / (2 * s.exp()) + s / 2).sum(),
    ),
}
for label, (hint, total) in WRONG_TOTALS.items():
    wrong("05.uncertainty", label, hint)(with_total(total))


@wrong("05.uncertainty", "not registered", "no parameters")
class _(Learned):
    def __init__(self, count):
        super().__init__(count)
        del self.s
        self.s = torch.full((count,), -0.5, requires_grad=True)


@wrong("05.uncertainty", "one number for all tasks", "hold 1 in all for 3")
class _(Learned):
    def __init__(self, count):
        super().__init__(count)
        self.s = nn.Parameter(torch.tensor(-0.5))


@wrong("05.uncertainty", "starts at zero", "starts at 0")
class _(Learned):
    def __init__(self, count):
        super().__init__(count)
        self.s = nn.Parameter(torch.zeros(count))


@wrong("05.uncertainty", "starts at +0.5", "wrong side")
class _(Learned):
    def __init__(self, count):
        super().__init__(count)
        self.s = nn.Parameter(torch.full((count,), 0.5))


@wrong("05.uncertainty", "weights on the graph", "hangs on the graph of the parameters")
class _(Learned):
    @property
    def weights(self):
        return 0.5 * torch.exp(-self.s)


@wrong("05.uncertainty", "weights without the half", "twice what the losses")
class _(Learned):
    @property
    def weights(self):
        return torch.exp(-self.s).detach()


@wrong("05.uncertainty", "weights are the s", "`weights` gives s")
class _(Learned):
    @property
    def weights(self):
        return self.s.detach()


@wrong("05.uncertainty", "weights are those of the start", "stays at its start")
class _(Learned):
    @property
    def weights(self):
        return 0.5 * torch.exp(torch.full((self.count,), 0.5))


@wrong("05.uncertainty", "weights inherited", "not what the losses are multiplied with")
class _(Learned):
    weights = Equal.weights


# 05.settled_weights

WRONG_SETTLED = {
    "the variance": ("this is the variance", lambda losses: losses.clone()),
    "s": ("this is s", lambda losses: losses.log()),
    "half the loss": ("the larger its weight", lambda losses: losses / 2),
    "no half": ("twice too large", lambda losses: 1 / losses),
    "a quarter": ("half of what it should be", lambda losses: 1 / (4 * losses)),
    "the weighted loss": ("what a weighted loss contributes", lambda losses: torch.full_like(losses, 0.5)),
    "the start": ("does not depend on the losses", lambda losses: torch.full_like(losses, 0.5).exp() / 2),
    "scaled to sum to K": ("fixed sum", lambda losses: len(losses) / losses / (1 / losses).sum()),
    "squared": ("enters squared", lambda losses: 0.5 / losses**2),
    "a root": ("a root too many", lambda losses: (0.5 / losses).sqrt()),
    "of the mean loss": ("same weight", lambda losses: (0.5 / losses.mean()).expand(len(losses))),
    "one number": ("[K]", lambda losses: (0.5 / losses).sum()),
    "another number": ("can still be made smaller", lambda losses: 3 / losses),
}
for label, (hint, settled) in WRONG_SETTLED.items():
    wrong("05.settled_weights", label, hint)(settled)


@right("05.settled_weights", "by way of s")
def _(losses):
    s = torch.log(losses)
    return 0.5 * torch.exp(-s)


@right("05.settled_weights", "task by task")
def _(losses):
    return torch.stack([0.5 / loss for loss in losses])


# 05.train_epoch


def stacked(model, todo, batch):
    predictions = model(batch["image"])
    return torch.stack([task.loss(predictions[task.name], batch[task.target]) for task in todo])


@wrong("05.train_epoch", "weighted means", "are weighted losses")
def _(model, todo, balance, optimizer, loader):
    means = torch.zeros(len(todo))
    for batch in loader:
        losses = stacked(model, todo, batch)
        optimizer.zero_grad()
        balance(losses).backward()
        optimizer.step()
        means += (losses * balance.weights).detach() / len(loader)
    balance.end_epoch(means)
    return means


@wrong("05.train_epoch", "weighted means for the weighting alone", "`end_epoch` is told are weighted")
def _(model, todo, balance, optimizer, loader):
    means = torch.zeros(len(todo))
    for batch in loader:
        losses = stacked(model, todo, batch)
        optimizer.zero_grad()
        balance(losses).backward()
        optimizer.step()
        means += losses.detach() / len(loader)
    balance.end_epoch(means * balance.weights)
    return means


@wrong("05.train_epoch", "no zero_grad", "adds to what it finds")
def _(model, todo, balance, optimizer, loader):
    means = torch.zeros(len(todo))
    for batch in loader:
        losses = stacked(model, todo, batch)
        balance(losses).backward()
        optimizer.step()
        means += losses.detach() / len(loader)
    balance.end_epoch(means)
    return means


@wrong("05.train_epoch", "no step", "no step was taken")
def _(model, todo, balance, optimizer, loader):
    means = torch.zeros(len(todo))
    for batch in loader:
        losses = stacked(model, todo, batch)
        optimizer.zero_grad()
        balance(losses).backward()
        means += losses.detach() / len(loader)
    balance.end_epoch(means)
    return means


@wrong("05.train_epoch", "zero_grad after backward", "no step was taken")
def _(model, todo, balance, optimizer, loader):
    means = torch.zeros(len(todo))
    for batch in loader:
        losses = stacked(model, todo, batch)
        balance(losses).backward()
        optimizer.zero_grad()
        optimizer.step()
        means += losses.detach() / len(loader)
    balance.end_epoch(means)
    return means


@wrong("05.train_epoch", "plain sum", "follows the plain sum")
def _(model, todo, balance, optimizer, loader):
    means = torch.zeros(len(todo))
    for batch in loader:
        losses = stacked(model, todo, batch)
        optimizer.zero_grad()
        losses.sum().backward()
        optimizer.step()
        means += losses.detach() / len(loader)
    balance.end_epoch(means)
    return means


@wrong("05.train_epoch", "return inside the loop", "first batch only")
def _(model, todo, balance, optimizer, loader):
    means = torch.zeros(len(todo))
    for batch in loader:
        losses = stacked(model, todo, batch)
        optimizer.zero_grad()
        balance(losses).backward()
        optimizer.step()
        means += losses.detach() / len(loader)
        balance.end_epoch(means)
        return means


@wrong("05.train_epoch", "the weighting is told after every batch", "called once")
def _(model, todo, balance, optimizer, loader):
    means = torch.zeros(len(todo))
    for batch in loader:
        losses = stacked(model, todo, batch)
        optimizer.zero_grad()
        balance(losses).backward()
        optimizer.step()
        balance.end_epoch(losses.detach())
        means += losses.detach() / len(loader)
    return means


@wrong("05.train_epoch", "the weighting is never told", "never called")
def _(model, todo, balance, optimizer, loader):
    means = torch.zeros(len(todo))
    for batch in loader:
        losses = stacked(model, todo, batch)
        optimizer.zero_grad()
        balance(losses).backward()
        optimizer.step()
        means += losses.detach() / len(loader)
    return means


def collecting(finish):
    """An epoch that keeps every batch's losses and turns them into what is told and returned."""

    def epoch(model, todo, balance, optimizer, loader):
        history = []
        for batch in loader:
            losses = stacked(model, todo, batch)
            optimizer.zero_grad()
            balance(losses).backward()
            optimizer.step()
            history.append(losses)
        means = finish(torch.stack(history))
        balance.end_epoch(means)
        return means

    return epoch


COLLECTED = {
    "sums": ("are sums over", lambda history: history.detach().sum(dim=0)),
    "the last batch": ("the last batch alone", lambda history: history.detach()[-1]),
    "the last batch, divided": ("divided by the number", lambda history: history.detach()[-1] / len(history)),
    "the graph is kept": ("every batch stays in memory", lambda history: history.mean(dim=0)),
    "one number": ("one mean loss per task", lambda history: history.detach().mean()),
    "a list": ("a list", lambda history: history.detach().mean(dim=0).tolist()),
    "the median": ("not the means", lambda history: history.detach().median(dim=0).values),
}
for label, (hint, finish) in COLLECTED.items():
    wrong("05.train_epoch", label, hint)(collecting(finish))


@wrong("05.train_epoch", "nothing returned", "return")
def _(model, todo, balance, optimizer, loader):
    collecting(lambda history: history.detach().mean(dim=0))(model, todo, balance, optimizer, loader)


right("05.train_epoch", "keeps all losses, and takes the mean in the end")(
    collecting(lambda history: history.mean(dim=0).detach())
)


@right("05.train_epoch", "plain numbers, gradients cleared after the step")
def _(model, todo, balance, optimizer, loader):
    sums = [0.0] * len(todo)
    for batch in loader:
        predictions = model(batch["image"])
        losses = [task.loss(predictions[task.name], batch[task.target]) for task in todo]
        balance(torch.stack(losses)).backward()
        optimizer.step()
        optimizer.zero_grad()
        sums = [total + loss.item() for total, loss in zip(sums, losses, strict=True)]
    means = torch.tensor(sums) / len(loader)
    balance.end_epoch(means)
    return means
