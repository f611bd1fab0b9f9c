"""The command line: python -m course_utils doctor | train | evaluate."""

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# torch and all that needs it is imported by the commands, so that --help answers at once.

Metrics = dict[str, dict[str, float]]
"""Task name -> metric name -> value."""
INDOOR = ("nyuv2",)
"""Data sets with depth in metres; the others, streets, have inverse depth."""
SPREAD = 10
"""How many of the last epochs the reported mean is taken over."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status: 0, or 2 after an error that the user can mend, or 130 after Ctrl-C.
    """
    args = _parser().parse_args(arguments)
    from course_utils.checkpoint import CheckpointError
    from course_utils.training import TrainingError

    try:
        args.command(args)
    except (CheckpointError, TrainingError, ValueError, OSError) as error:  # a DataError is a ValueError
        print(f"error: {_message(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped: finished epochs are kept; the same command goes on from there.", file=sys.stderr)
        return 130
    return 0


def train(args: argparse.Namespace) -> None:
    """Train a network, or go on with it; write metrics.json, history.jsonl, checkpoint.pt into `args.out`."""
    import torch

    from course_utils import data, models, weighting
    from course_utils.training import fit

    _check_options(args)
    device = choose_device(args.device)
    load = {"size": args.size, "classes": args.classes, "root": args.data_root}
    frames = data.load(args.dataset, "train", length=args.length, **load)
    val = data.load(args.dataset, "val", length=args.val_length, **load)
    names = args.tasks or default_tasks(args.dataset)
    todo = build_tasks(args.dataset, names, frames.classes)

    torch.manual_seed(args.seed)  # for the first weights
    model = models.build(args.model, todo, args.width, **_given(residual_mask=args.residual_mask or None))
    balance = weighting.build(args.weighting, todo, **_given(temperature=args.temperature))
    config = {
        "dataset": args.dataset,
        "model": args.model,
        "width": args.width,
        "residual_mask": args.residual_mask,
        "weighting": args.weighting,
        "temperature": getattr(balance, "temperature", None),
        "tasks": list(names),
        "classes": frames.classes,
        "size": list(frames.size),
        "training_samples": len(frames),
        "validation_samples": len(val),
        "epochs": args.epochs,
        "batch_size": _or(args.batch_size, 2 if args.dataset in INDOOR else 8),
        "learning_rate": _or(args.learning_rate, default_learning_rate(args.width)),
        "seed": args.seed,
    }
    parameters = models.count_parameters(model)
    height, width = frames.size
    print(f"{frames.source}: {len(frames)} training, {len(val)} validation frames of {height} x {width}")
    print(f"{args.model}, width {args.width:g}: {parameters:,} parameters, on {device}", flush=True)

    path = args.out / "checkpoint.pt"
    if path.exists():
        print(f"going on from {path}", flush=True)

    def report(history: list[dict]) -> None:
        write_results(args.out, history, config, parameters)
        print(epoch_line(history[-1], todo, args.epochs), flush=True)

    numbers = {key: config[key] for key in ("epochs", "batch_size", "learning_rate", "seed")}
    history = fit(
        model, frames, val, todo, balance, **numbers, checkpoint=path, device=device, workers=args.workers,
        config=config, after_epoch=report,
    )  # fmt: skip
    # Once more, for a run that was killed between its last checkpoint and these files.
    results = write_results(args.out, history, config, parameters)
    print("\n" + table(results["metrics"], results.get(f"mean_of_last_{SPREAD}_epochs")))


def evaluate(args: argparse.Namespace) -> None:
    """Print the metrics of a trained network on a validation set."""
    from course_utils import checkpoint, data, models, training

    path = args.run / "checkpoint.pt"
    run = checkpoint.read(path)
    config = run["config"]
    if "dataset" not in config:
        raise ValueError(f"{path} was not written by the command train; evaluate its network from Python.")
    if run["epoch"] == 0:
        raise ValueError(f"{path}: no epoch of this run is finished yet; train it first.")
    device = choose_device(args.device)
    dataset = args.dataset or config["dataset"]
    size = _or(args.size, tuple(config["size"]))
    length = _or(args.length, config["validation_samples"] if dataset == config["dataset"] else None)
    frames = data.load(dataset, "val", size, config["classes"], length, args.data_root)
    todo = build_tasks(dataset, config["tasks"], config["classes"])
    residual = _given(residual_mask=config["residual_mask"] or None)
    model = models.build(config["model"], todo, config["width"], **residual)
    model.load_state_dict(run["model"])
    print(f"{args.run} after epoch {run['epoch']}, on {len(frames)} frames of {frames.source}", flush=True)
    metrics = training.evaluate(
        model, frames, todo, batch_size=config["batch_size"], device=device, workers=args.workers
    )
    print("\n" + table(metrics))


def doctor(args: argparse.Namespace) -> None:
    """Print what is installed, what computes, and whether the data is whole."""
    import platform

    import cv2
    import numpy
    import torch
    import torchvision

    from course_utils import data, platforms

    lines = {"python": platform.python_version()}
    lines |= {module.__name__: module.__version__ for module in (torch, torchvision, numpy, cv2)}
    here = platforms.detect()
    lines |= {"platform": f"{here.name}, {platform.platform()}", "threads": f"{torch.get_num_threads()}"}
    lines |= {"device": f"{here.device} ({here.gpu_note})"}
    for name, value in lines.items():
        print(f"{name:<12} {value}")
    if args.dataset:
        for line in data.check(args.dataset, args.data_root):
            print(f"{args.dataset:<12} {line}")


def default_tasks(dataset: str) -> tuple[str, ...]:
    """The paper's tasks: segmentation and depth of streets, also for SynthCity; with normals indoors."""
    from course_utils.data import KINDS

    return KINDS[dataset] if dataset in INDOOR else ("segmentation", "depth")


def default_learning_rate(width: float) -> float:
    """1e-4 / width^(2/3): the paper's 1e-4 at full width, more for narrower networks.

    Adam moves each weight by about the learning rate a step, so a sum over n inputs moves by n times that: fewer
    inputs, larger steps. But with 1e-4 / width the tasks' features drift so far apart that the running statistics
    they share fit none of them: MTAN of width 1/8 on NYUv2 reached a pixel accuracy of 0.35 in the seventh epoch
    with 8e-4 and of 0.42 with 4e-4, at the same training loss.
    """
    return 1e-4 / width ** (2 / 3)


def build_tasks(dataset: str, names: Sequence[str], classes: int) -> list:
    """The tasks of these names, as `dataset` gives them.

    Raises:
        ValueError: a name that the data set does not have.
    """
    from course_utils import tasks
    from course_utils.data import KINDS

    builders: dict[str, Callable[[], tasks.Task]] = {
        "segmentation": lambda: tasks.segmentation(classes),
        "depth": lambda: tasks.depth(inverse=dataset not in INDOOR),
        "normals": tasks.normals,
    }
    for name in names:
        if name not in KINDS[dataset]:
            raise ValueError(f"--tasks: {name!r} is not known; {dataset} has {', '.join(KINDS[dataset])}.")
    return [builders[name]() for name in names]


def choose_device(choice: str) -> str:
    """The device to run on, "cpu" or "cuda": a GPU only where it computes. One that does not gets a note."""
    import torch

    from course_utils.platforms import usable_gpu

    if choice == "cpu":
        return "cpu"
    usable, note = usable_gpu()
    if not usable and (choice == "cuda" or torch.cuda.is_available()):
        print(f"note: {note}; going on with the CPU.", file=sys.stderr)
    return "cuda" if usable else "cpu"


def write_results(out: Path, history: list[dict], config: dict[str, Any], parameters: int) -> dict[str, Any]:
    """Write history.jsonl, a line for each epoch, and metrics.json, the last epoch's; both whole and anew.

    Returns:
        What metrics.json holds.
    """
    from course_utils.checkpoint import atomic_write
    from course_utils.training import mean_metrics

    results = {"config": config, "parameters": parameters, "epoch": len(history)}
    results |= {"metrics": history[-1]["metrics"]}
    if len(history) >= SPREAD:
        results[f"mean_of_last_{SPREAD}_epochs"] = mean_metrics(history, SPREAD)
    texts = {
        "history.jsonl": "".join(f"{_json(record)}\n" for record in history),
        "metrics.json": f"{_json(results, indent=2)}\n",
    }
    for name, text in texts.items():
        with atomic_write(out / name) as file:
            file.write(text.encode())
    return results


def epoch_line(record: dict[str, Any], tasks: Sequence, epochs: int) -> str:
    """An epoch in one line: the unweighted training losses, and the headline metric of each task."""
    losses = ", ".join(f"{name} {value:.4f}" for name, value in record["losses"].items())
    headline = {f"{task.name} {task.headline}": record["metrics"][task.name][task.headline] for task in tasks}
    headlines = ", ".join(f"{name} {value:.4f}" for name, value in headline.items())
    return f"epoch {record['epoch']}/{epochs}   loss: {losses}   val: {headlines}"


def table(metrics: Metrics, means: Metrics | None = None) -> str:
    """The metrics of each task, a line each; beside it its mean over the last epochs, where given."""
    header = f"{'task':<14}{'metric':<18}{'last epoch' if means else 'value':>10}"
    lines = [header + (f"{f'mean of last {SPREAD}':>18}" if means else "")]
    for task, values in metrics.items():
        for key, value in values.items():
            mean = f"{means[task][key]:>18.4f}" if means else ""
            lines.append(f"{task:<14}{key:<18}{value:>10.4f}{mean}")
    return "\n".join(lines)


def _check_options(args: argparse.Namespace) -> None:
    if args.temperature is not None and args.weighting != "dwa":
        raise ValueError(f"--temperature is an option of --weighting dwa; {args.weighting!r} has none.")
    if args.residual_mask and args.model != "mtan":
        raise ValueError(f"--residual-mask is an option of --model mtan; {args.model!r} has none.")


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _message(error: Exception) -> str:
    # An error in a worker process comes with that process's traceback, ending in "Name: message".
    return str(error).rpartition(f"{type(error).__name__}: ")[2]


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(_without_nan(value), indent=indent, allow_nan=False)


def _without_nan(value: Any) -> Any:
    # A metric that saw no valid pixel is NaN, which JSON does not have: null.
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def _size(text: str) -> tuple[int, int]:
    try:
        height, width = text.lower().split("x")
        return int(height), int(width)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected HEIGHTxWIDTH, such as 128x256, got {text!r}") from None


def _names(text: str) -> list[str]:
    return text.split(",")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m course_utils", description="The MTAN course's networks.")
    commands = parser.add_subparsers(required=True, metavar="doctor | train | evaluate")

    check = commands.add_parser("doctor", help="what is installed, what computes, is the data whole")
    check.add_argument("--dataset", help="a real data set to check: cityscapes, nyuv2")
    check.add_argument("--data-root", type=Path, metavar="DIR", help="its folder")
    check.set_defaults(command=doctor)

    run = commands.add_parser(
        "train",
        help="train a network, or go on training it",
        description="Train a network. Called again with the same settings it goes on from the checkpoint.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    run.set_defaults(command=train)
    run.add_argument("--dataset", default="synthcity", help="synthcity, cityscapes, nyuv2")
    run.add_argument("--data-root", type=Path, metavar="DIR", help="folder of a real data set")
    run.add_argument("--tasks", type=_names, metavar="A,B", help="of segmentation,depth,normals (default: "
                     "segmentation,depth for streets, all three for nyuv2)")  # fmt: skip
    run.add_argument("--classes", type=int, help="of the segmentation (default: 7, nyuv2 13)")
    run.add_argument("--size", type=_size, metavar="HxW", help="of the frames (default: the data set's)")
    run.add_argument("--length", type=int, help="how many training frames (default: all)")
    run.add_argument("--val-length", type=int, help="how many validation frames (default: all)")
    run.add_argument("--model", default="mtan", help="single, split, mtan")
    run.add_argument("--width", type=float, default=1.0, help="factor on every filter count")
    run.add_argument("--residual-mask", action="store_true", help="mtan with mask + 1, as in arXiv v1")
    run.add_argument("--weighting", default="dwa", help="equal, dwa, uncertainty")
    run.add_argument("--temperature", type=float, help="of dwa (default: 2)")
    run.add_argument("--epochs", type=int, default=200, help="the learning rate is halved after half of them")
    run.add_argument("--batch-size", type=int, help="(default: the paper's, nyuv2 2, streets 8)")
    run.add_argument("--learning-rate", type=float, help="of Adam (default: 1e-4, the paper's, at full width; "
                     "larger for narrower networks)")  # fmt: skip
    run.add_argument("--seed", type=int, default=0, help="of the first weights and the order of the frames")
    run.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of this run's files")
    _add_machine(run)

    test = commands.add_parser("evaluate", help="the metrics of a trained network")
    test.set_defaults(command=evaluate)
    test.add_argument("--run", type=Path, required=True, metavar="DIR", help="the folder that train wrote to")
    test.add_argument("--dataset", help="another data set of the same classes (default: the run's)")
    test.add_argument("--data-root", type=Path, metavar="DIR", help="folder of a real data set")
    test.add_argument("--size", type=_size, metavar="HxW", help="of the frames (default: the run's)")
    test.add_argument("--length", type=int, help="how many validation frames (default: the run's)")
    _add_machine(test)
    return parser


def _add_machine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--workers", type=int, default=0, help="processes that load data; changes speed only")


if __name__ == "__main__":
    sys.exit(main())
