"""Where the course runs: which platform, does its GPU compute, how big a run fits. Built in chapter 00."""

import importlib.util
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch

RUN_SIZES = ("quick", "paper")
"""quick: SynthCity, minutes on two CPU cores. paper: real Cityscapes, 200 epochs, hours on a GPU."""

KAGGLE_INPUT = Path("/kaggle/input")
KAGGLE_DATASETS = {"cityscapes": ("sakshaymahna", "cityscapes-depth-and-segmentation")}
"""Owner and slug of the Kaggle data set that holds each real data set."""


@dataclass(frozen=True)
class Platform:
    """Where the code runs.

    Attributes:
        name: "kaggle", "colab" or "laptop" (any other machine).
        device: "cuda" where the GPU really computes, "cpu" otherwise.
        gpu_note: one line that says which GPU computes, or why none does.
        cpu_count: number of CPU cores.
    """

    name: str
    device: torch.device
    gpu_note: str
    cpu_count: int


def detect() -> Platform:
    """Find out where the code runs. Built in chapter 00."""
    usable, note = usable_gpu()
    return Platform(platform_name(), torch.device("cuda" if usable else "cpu"), note, os.cpu_count() or 1)


def usable_gpu() -> tuple[bool, str]:
    """Whether the GPU computes, and one line that says why. Built in chapter 00.

    That torch sees a GPU is not enough: this torch may hold no code for it, as for Kaggle's P100. There
    `torch.cuda.is_available()` is True and the first real operation fails. So try one: a convolution, forward
    and backward.
    """
    if not torch.cuda.is_available():
        return False, "torch sees no CUDA GPU"
    name = "the GPU"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an old GPU torch warns at length; the note is one line
            name = torch.cuda.get_device_name()
            _try_convolution("cuda")
    except (RuntimeError, AssertionError) as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        return False, f"{name} is visible but does not compute: {first_line}"
    return True, f"{name} computes"


def find_data(name: str, *, kaggle_input: Path = KAGGLE_INPUT, local: Path = Path("data")) -> Path | None:
    """The folder with the `train/` and `val/` of a real data set, or None where there is none.

    Looked for in this order: the folder that the environment variable MTAN_DATA names and its subfolder
    `name`, the two places where Kaggle mounts a data set, and `local/name`.

    Args:
        name: "cityscapes".
        kaggle_input: where Kaggle mounts data sets.
        local: folder with one folder for each data set.

    Raises:
        ValueError: the course knows no real data set of that name.
        FileNotFoundError: MTAN_DATA names a folder that does not exist.
    """
    for place in _places(name, kaggle_input, local):
        for folder in (place, place / "data"):  # Kaggle's copy of Cityscapes starts with a folder `data`
            if _holds_cityscapes(folder):
                return folder
    return None


def run_size(*, kaggle_input: Path = KAGGLE_INPUT, local: Path = Path("data")) -> str:
    """How big a run fits: "paper" where a GPU computes and real Cityscapes is found, "quick" elsewhere.

    The environment variable MTAN_RUN overrides the choice. The arguments are those of `find_data`. Built in
    chapter 00.

    Raises:
        ValueError: MTAN_RUN is neither "quick" nor "paper".
    """
    wanted = os.environ.get("MTAN_RUN")
    if wanted is not None and wanted not in RUN_SIZES:
        raise ValueError(f"MTAN_RUN is {wanted!r}, expected one of {', '.join(RUN_SIZES)}, or unset.")
    if wanted is not None:
        return wanted
    has_data = find_data("cityscapes", kaggle_input=kaggle_input, local=local) is not None
    return "paper" if has_data and usable_gpu()[0] else "quick"


def start(
    title: str,
    *,
    minutes_cpu: float,
    minutes_gpu: float,
    kaggle_input: Path = KAGGLE_INPUT,
    local: Path = Path("data"),
) -> Platform:
    """Print where a chapter runs, on what data, what it will skip and how long it takes. Built in chapter 00.

    Every chapter's first cell calls it.

    Args:
        title: of the chapter.
        minutes_cpu: minutes of the quick run on two CPU cores.
        minutes_gpu: minutes of the run on real Cityscapes on a T4.
        kaggle_input, local: see `find_data`.

    Raises:
        ValueError: MTAN_RUN is neither "quick" nor "paper".
    """
    platform = detect()
    size = run_size(kaggle_input=kaggle_input, local=local)
    cityscapes = find_data("cityscapes", kaggle_input=kaggle_input, local=local)
    cores = f"{platform.cpu_count} CPU core{'s' if platform.cpu_count > 1 else ''}"
    lines = {
        "runs on": f"{platform.name}, {cores}, torch {torch.__version__}",
        "device": f"{platform.device.type} ({platform.gpu_note})",
        "data": _data_line(size, cityscapes),
        "skips": "the paper's recipe, 200 epochs of Cityscapes" if size == "quick" else "nothing",
        "takes": _time_line(size, platform.device, minutes_cpu, minutes_gpu),
    }
    print(title)
    for label, line in lines.items():
        print(f"  {label:<8} {line}")
    return platform


def platform_name() -> str:
    """"kaggle", "colab" or "laptop" (any other machine)."""
    # Kaggle first: its image is built on Colab's and can hold google.colab too.
    if "KAGGLE_KERNEL_RUN_TYPE" in os.environ or "KAGGLE_URL_BASE" in os.environ:
        return "kaggle"
    if "COLAB_RELEASE_TAG" in os.environ or _importable("google.colab"):
        return "colab"
    return "laptop"


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # not even its parent package is there
        return False


def _try_convolution(device: str) -> None:
    images = torch.ones(1, 1, 4, 4, device=device, requires_grad=True)
    weights = torch.ones(1, 1, 3, 3, device=device, requires_grad=True)
    torch.nn.functional.conv2d(images, weights).sum().backward()
    # A GPU works behind the program's back; reading the result waits for it, and for its errors.
    if weights.grad.sum().item() != 36:
        raise RuntimeError("a 3 x 3 convolution gives a wrong gradient")


def _places(name: str, kaggle_input: Path, local: Path) -> list[Path]:
    if name not in KAGGLE_DATASETS:
        raise ValueError(f"name: no real data set is called {name!r}; use one of {sorted(KAGGLE_DATASETS)}.")
    owner, slug = KAGGLE_DATASETS[name]
    places = [kaggle_input / slug, kaggle_input / "datasets" / owner / slug, local / name]
    chosen = os.environ.get("MTAN_DATA")
    if not chosen:
        return places
    if not Path(chosen).is_dir():
        raise FileNotFoundError(f"MTAN_DATA is {chosen!r}, which is no folder. Correct the path or unset it.")
    return [Path(chosen), Path(chosen) / name, *places]


def _holds_cityscapes(folder: Path) -> bool:
    kinds = [folder / split / kind for split in ("train", "val") for kind in ("image", "depth")]
    # NYUv2 lies in the same layout, but with normals, which Cityscapes does not have.
    return all(kind.is_dir() for kind in kinds) and not (folder / "train" / "normal").is_dir()


def _data_line(size: str, cityscapes: Path | None) -> str:
    if size == "paper" and cityscapes:
        return f"Cityscapes in {cityscapes}"
    if cityscapes:
        return f"SynthCity, drawn on the fly (Cityscapes in {cityscapes} stays unused)"
    return "SynthCity, drawn on the fly (no real Cityscapes found)"


def _time_line(size: str, device: torch.device, minutes_cpu: float, minutes_gpu: float) -> str:
    if size == "paper":
        note = "" if device.type == "cuda" else ", far longer on this CPU"
        return f"about {_minutes(minutes_gpu)} on a T4{note}"
    note = ", less on this GPU" if device.type == "cuda" else ""
    return f"about {_minutes(minutes_cpu)} on two CPU cores{note}"


def _minutes(count: float) -> str:
    return f"{count:g} minute{'' if count == 1 else 's'}"
