"""Speed and memory, each as a ratio or a difference within one run, so that a slow machine is no excuse.

    python -m tools.bench                  # everything, some minutes
    python -m tools.bench metrics imports  # only these

Prints one table and exits with 1 when a value is beyond its bound. Speed is kept apart from the tests, since
those must give the same verdict on a busy machine.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from course_utils import data, metrics, models, tasks
from tools.project import ROOT

TODO = [tasks.segmentation(7), tasks.depth()]
THREADS = 2
BATCH, SIZE = 2, (128, 256)


class Measurement(NamedTuple):
    """One row of the table. `bound`, if any, is the largest value allowed, or the smallest if `at_least`."""

    name: str
    value: float
    unit: str
    bound: float | None = None
    at_least: bool = False

    @property
    def over(self) -> bool:
        if self.bound is None:
            return False
        return self.value < self.bound if self.at_least else self.value > self.bound


def processor_seconds(call: Callable[[], object]) -> float:
    """Processor time, which other programs on the machine do not lengthen: for work on one thread."""
    start = time.process_time()
    call()
    return time.process_time() - start


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def ratio_of_medians(first: Callable[[], object], second: Callable[[], object], rounds: int) -> float:
    """Time of `first` over time of `second`, called in turn, so that both see the same load."""
    first(), second()  # the first call allocates
    times = [(seconds(first), seconds(second)) for _ in range(rounds)]
    return statistics.median(a for a, _ in times) / statistics.median(b for _, b in times)


class TrainingStep:
    """One full-width training step on random frames: forward, losses, backward, Adam."""

    def __init__(self, name: str, todo: Sequence[tasks.Task]) -> None:
        generator = torch.Generator().manual_seed(0)
        self.todo = todo
        self.model = models.build(name, todo)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-4)
        self.images = torch.rand(BATCH, 3, *SIZE, generator=generator)
        self.targets = {
            "segmentation": torch.randint(-1, 7, (BATCH, *SIZE), generator=generator),
            "depth": torch.rand(BATCH, 1, *SIZE, generator=generator),
        }

    def backward(self) -> None:
        self.optimizer.zero_grad()
        predictions = self.model(self.images)
        sum(task.loss(predictions[task.name], self.targets[task.target]) for task in self.todo).backward()

    def __call__(self) -> None:
        self.backward()
        self.optimizer.step()

    def flops(self) -> int:
        with FlopCounterMode(display=False) as counter:
            self.backward()
        return counter.get_total_flops()


def step() -> list[Measurement]:
    """MTAN's training step over single-task SegNet's: no more time than its arithmetic asks for."""
    mtan, single = TrainingStep("mtan", TODO), TrainingStep("single", TODO[:1])
    arithmetic = mtan.flops() / single.flops()
    duration = ratio_of_medians(mtan, single, rounds=5)
    return [
        Measurement("MTAN step / SegNet step, FLOPs", arithmetic, "x"),
        Measurement("MTAN step / SegNet step, time", duration, "x"),
        Measurement("time ratio / FLOP ratio", duration / arithmetic, "x", bound=1.10),
    ]


def metric_updates() -> list[Measurement]:
    """Our metrics' `update` over torchmetrics' on one batch of eight frames."""
    from torchmetrics import MeanAbsoluteError
    from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(8, 7, *SIZE, generator=generator)
    labels = torch.randint(-1, 7, (8, *SIZE), generator=generator)
    depth = torch.rand(8, 1, *SIZE, generator=generator)
    true_depth = depth.flip(0) * (torch.rand(depth.shape, generator=generator) > 0.2)

    segmentation = metrics.Segmentation(7)
    jaccard = MulticlassJaccardIndex(7, ignore_index=-1, validate_args=False)
    accuracy = MulticlassAccuracy(7, average="micro", ignore_index=-1, validate_args=False)

    def theirs_of_segmentation() -> None:
        jaccard.update(scores, labels)
        accuracy.update(scores, labels)

    errors, absolute = metrics.Depth(), MeanAbsoluteError()

    def theirs_of_depth() -> None:
        valid = true_depth != 0
        absolute.update(depth[valid], true_depth[valid])

    of_segmentation = ratio_of_medians(
        lambda: segmentation.update(scores, labels), theirs_of_segmentation, rounds=30
    )
    of_depth = ratio_of_medians(lambda: errors.update(depth, true_depth), theirs_of_depth, rounds=30)
    return [
        Measurement("Segmentation.update / torchmetrics", of_segmentation, "x", bound=1.0),
        Measurement("Depth.update / torchmetrics", of_depth, "x", bound=1.0),
    ]


def run_python(code: str) -> float:
    """Run `code` in a fresh Python, in the project's folder; the number it prints last."""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    return float(run.stdout.split()[-1])


def peak_mebibytes() -> float:
    """The most memory this process has held so far. The system counts in KiB, on macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def memory() -> list[Measurement]:
    """Peak memory of one MTAN training step, less that of a process that only builds the network."""
    built, stepped = (
        run_python(
            "import torch; from tools import bench\n"
            f"torch.set_num_threads({THREADS})\n"
            f"step = bench.TrainingStep('mtan', bench.TODO); {call}print(bench.peak_mebibytes())"
        )
        for call in ("", "step(); ")
    )
    return [Measurement("MTAN step, peak memory over building", stepped - built, "MiB")]


def imports() -> list[Measurement]:
    """Processor time of importing every module of course_utils, after torch and torchvision."""
    code = (
        "import importlib, pkgutil, time, torch, torchvision\n"
        "start = time.process_time()\n"
        "import course_utils\n"
        "for module in pkgutil.walk_packages(course_utils.__path__, 'course_utils.'):\n"
        "    if not module.name.endswith('__main__'): importlib.import_module(module.name)\n"
        "print(time.process_time() - start)"
    )
    run_python(code)  # reads the files from disk once
    added = statistics.median(run_python(code) for _ in range(3))
    return [Measurement("importing course_utils after torch and torchvision", added, "s", bound=0.3)]


def synthcity() -> list[Measurement]:
    """Frames of SynthCity drawn per second of one thread."""
    import cv2

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    frames = data.load("synthcity", "train", size=SIZE, length=60)
    frames[0]
    rate = len(frames) / processor_seconds(lambda: [frames[index] for index in range(len(frames))])
    torch.set_num_threads(THREADS)
    return [Measurement("SynthCity at 128x256 on one thread", rate, "frames/s", bound=60, at_least=True)]


BENCHMARKS = {
    "memory": memory,  # first: on Linux a process counts the peak of the one that starts it as its own
    "step": step,
    "metrics": metric_updates,
    "imports": imports,
    "synthcity": synthcity,
}


def table(rows: Sequence[Measurement]) -> str:
    """The rows as text, one line each."""
    width = max(len(row.name) for row in rows)
    lines = [f"{'':{width}}  {'measured':>16}  {'bound':>8}"]
    for row in rows:
        bound = "" if row.bound is None else f"{'>=' if row.at_least else '<='} {row.bound:g}"
        verdict = "" if row.bound is None else "OVER" if row.over else "ok"
        value = f"{row.value:.4g} {row.unit}"
        lines.append(f"{row.name:{width}}  {value:>16}  {bound:>8}  {verdict}".rstrip())
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen benchmarks; 1 if one is beyond its bound."""
    known = ", ".join(BENCHMARKS)
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="benchmark", help=f"any of: {known} (default: all)")
    names = parser.parse_args(arguments).names or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"unknown benchmark {unknown[0]!r}; known are {known}")
    torch.set_num_threads(THREADS)
    rows = [row for name in BENCHMARKS if name in names for row in BENCHMARKS[name]()]
    print(table(rows))
    return int(any(row.over for row in rows))


if __name__ == "__main__":
    sys.exit(main())
