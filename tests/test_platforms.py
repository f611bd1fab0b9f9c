"""Where the course runs: platforms, GPUs that are visible but do not compute, run sizes, the banner."""

import pytest
import torch

from course_utils import platforms


@pytest.fixture(autouse=True)
def plain_laptop(monkeypatch, tmp_path):
    """Start each test on a machine without Kaggle, Colab, GPU or real data."""
    for name in ("KAGGLE_KERNEL_RUN_TYPE", "KAGGLE_URL_BASE", "COLAB_RELEASE_TAG", "MTAN_RUN", "MTAN_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(platforms, "_importable", lambda module: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def places(tmp_path):
    return {"kaggle_input": tmp_path / "input", "local": tmp_path / "data"}


def make_cityscapes(folder):
    for split in ("train", "val"):
        for kind in ("image", "depth", "label"):
            (folder / split / kind).mkdir(parents=True)
    return folder


def gpu_that_computes(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    on_cpu = platforms._try_convolution
    monkeypatch.setattr(platforms, "_try_convolution", lambda device: on_cpu("cpu"))


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("KAGGLE_KERNEL_RUN_TYPE", "kaggle"),
        ("KAGGLE_URL_BASE", "kaggle"),
        ("COLAB_RELEASE_TAG", "colab"),
        ("HOME", "laptop"),
    ],
)
def test_platform_is_told_by_its_environment(monkeypatch, variable, name):
    monkeypatch.setenv(variable, "anything")
    assert platforms.detect().name == name


def test_colab_is_told_by_its_module(monkeypatch):
    monkeypatch.setattr(platforms, "_importable", lambda module: module == "google.colab")
    assert platforms.detect().name == "colab"


def test_kaggle_wins_over_colabs_module(monkeypatch):
    monkeypatch.setattr(platforms, "_importable", lambda module: True)
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    assert platforms.detect().name == "kaggle"


def test_importable(monkeypatch):
    monkeypatch.undo()
    assert platforms._importable("json.decoder")
    assert not platforms._importable("no_such_package.colab")
    assert not platforms._importable("json.no_such_module")


def test_no_gpu():
    platform = platforms.detect()
    assert platform.device == torch.device("cpu")
    assert "no CUDA GPU" in platform.gpu_note
    assert platform.cpu_count >= 1


def test_gpu_that_computes(monkeypatch):
    gpu_that_computes(monkeypatch)
    assert platforms.detect().device == torch.device("cuda")
    assert platforms.usable_gpu() == (True, "Tesla T4 computes")


def test_gpu_is_tried_with_a_right_convolution(monkeypatch):
    platforms._try_convolution("cpu")  # raises nothing
    conv2d = torch.nn.functional.conv2d
    monkeypatch.setattr(torch.nn.functional, "conv2d", lambda images, weights: 2 * conv2d(images, weights))
    with pytest.raises(RuntimeError, match="wrong gradient"):
        platforms._try_convolution("cpu")


@pytest.mark.parametrize("error", [RuntimeError, AssertionError])
def test_gpu_that_is_visible_but_fails(monkeypatch, error):
    gpu_that_computes(monkeypatch)

    def fail(device):
        raise error("CUDA error: no kernel image is available\nCompile with TORCH_USE_CUDA_DSA")

    monkeypatch.setattr(platforms, "_try_convolution", fail)
    usable, reason = platforms.usable_gpu()
    assert not usable
    assert reason == "Tesla T4 is visible but does not compute: CUDA error: no kernel image is available"
    assert platforms.detect().device == torch.device("cpu")


def test_gpu_that_torch_was_not_built_for(monkeypatch):
    """The error that torch itself raises where CUDA does not start."""
    if torch.cuda.device_count():
        pytest.skip("this machine has a CUDA GPU, so its first operation does not fail")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    usable, reason = platforms.usable_gpu()
    assert not usable
    assert reason.startswith("the GPU is visible but does not compute: ")
    assert "\n" not in reason


def test_failing_gpu_with_an_empty_message(monkeypatch):
    gpu_that_computes(monkeypatch)

    def fail(device):
        raise AssertionError

    monkeypatch.setattr(platforms, "_try_convolution", fail)
    assert platforms.usable_gpu()[1].endswith("AssertionError")


@pytest.mark.parametrize(
    "where",
    [
        "input/cityscapes-depth-and-segmentation",
        "input/cityscapes-depth-and-segmentation/data",
        "input/datasets/sakshaymahna/cityscapes-depth-and-segmentation/data",
        "data/cityscapes",
    ],
)
def test_data_is_found(tmp_path, places, where):
    assert platforms.find_data("cityscapes", **places) is None
    folder = make_cityscapes(tmp_path / where)
    assert platforms.find_data("cityscapes", **places) == folder


@pytest.mark.parametrize("below", ["", "cityscapes"])
def test_data_of_the_environment_variable_comes_first(monkeypatch, tmp_path, places, below):
    make_cityscapes(tmp_path / "data" / "cityscapes")
    chosen = make_cityscapes(tmp_path / "chosen" / below)
    monkeypatch.setenv("MTAN_DATA", str(tmp_path / "chosen"))
    assert platforms.find_data("cityscapes", **places) == chosen


def test_half_a_data_set_is_none(tmp_path, places):
    (tmp_path / "data" / "cityscapes" / "train" / "image").mkdir(parents=True)
    assert platforms.find_data("cityscapes", **places) is None


def test_nyuv2_is_not_taken_for_cityscapes(monkeypatch, tmp_path, places):
    folder = make_cityscapes(tmp_path / "chosen")
    (folder / "train" / "normal").mkdir()
    monkeypatch.setenv("MTAN_DATA", str(folder))
    assert platforms.find_data("cityscapes", **places) is None


def test_data_errors(monkeypatch, places):
    with pytest.raises(ValueError, match="'camvid'.*cityscapes"):
        platforms.find_data("camvid", **places)
    monkeypatch.setenv("MTAN_DATA", "/no/such/folder")
    with pytest.raises(FileNotFoundError, match="MTAN_DATA is '/no/such/folder'"):
        platforms.find_data("cityscapes", **places)


@pytest.mark.parametrize(
    ("gpu", "data", "size"), [(0, 0, "quick"), (0, 1, "quick"), (1, 0, "quick"), (1, 1, "paper")]
)
def test_paper_size_needs_gpu_and_data(monkeypatch, tmp_path, places, gpu, data, size):
    if gpu:
        gpu_that_computes(monkeypatch)
    if data:
        make_cityscapes(tmp_path / "data" / "cityscapes")
    assert platforms.run_size(**places) == size


@pytest.mark.parametrize("size", platforms.RUN_SIZES)
def test_run_size_is_overridden(monkeypatch, tmp_path, places, size):
    monkeypatch.setenv("MTAN_RUN", size)
    assert platforms.run_size(**places) == size
    gpu_that_computes(monkeypatch)
    make_cityscapes(tmp_path / "data" / "cityscapes")
    assert platforms.run_size(**places) == size


@pytest.mark.parametrize("value", ["", "Paper", "full"])
def test_unknown_run_size(monkeypatch, value):
    monkeypatch.setenv("MTAN_RUN", value)
    with pytest.raises(ValueError, match=f"MTAN_RUN is '{value}', expected one of quick, paper"):
        platforms.run_size()


def test_banner_of_a_quick_run(capsys, places):
    platform = platforms.start("04 Attention", minutes_cpu=1, minutes_gpu=400, **places)
    banner = capsys.readouterr()
    assert platform == platforms.detect()
    lines = banner.out.splitlines()
    assert lines[0] == "04 Attention"
    assert lines[1].startswith("  runs on  laptop, ")
    assert lines[2] == "  device   cpu (torch sees no CUDA GPU)"
    assert lines[3] == "  data     SynthCity, drawn on the fly (no real Cityscapes found)"
    assert lines[4] == "  skips    the paper's recipe, 200 epochs of Cityscapes"
    assert lines[5] == "  takes    about 1 minute on two CPU cores"
    assert banner.err == ""


def test_banner_of_a_paper_run(monkeypatch, capsys, tmp_path, places):
    gpu_that_computes(monkeypatch)
    folder = make_cityscapes(tmp_path / "data" / "cityscapes")
    platforms.start("04 Attention", minutes_cpu=1, minutes_gpu=400, **places)
    banner = capsys.readouterr().out
    assert "device   cuda (Tesla T4 computes)" in banner
    assert f"data     Cityscapes in {folder}" in banner
    assert "skips    nothing" in banner
    assert "takes    about 400 minutes on a T4\n" in banner


def test_banner_tells_what_an_override_costs(monkeypatch, capsys, tmp_path, places):
    make_cityscapes(tmp_path / "data" / "cityscapes")
    monkeypatch.setenv("MTAN_RUN", "paper")
    platforms.start("04 Attention", minutes_cpu=1, minutes_gpu=400, **places)
    assert "about 400 minutes on a T4, far longer on this CPU" in capsys.readouterr().out
    monkeypatch.setenv("MTAN_RUN", "quick")
    gpu_that_computes(monkeypatch)
    platforms.start("04 Attention", minutes_cpu=2, minutes_gpu=400, **places)
    banner = capsys.readouterr().out
    assert "stays unused" in banner
    assert "about 2 minutes on two CPU cores, less on this GPU" in banner
