"""The figures: what stands on them, in which colours, and that showing one closes it and carries its text."""

import itertools
import math
import subprocess
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import nbclient
import nbformat
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from course_utils import plots, tasks
from course_utils.labels import VOID, label_set
from course_utils.models.attention import Attention

matplotlib.use("Agg")

REPOSITORY = Path(__file__).parent.parent
SIZE = (24, 48)
TODO = [tasks.segmentation(7), tasks.depth(), tasks.normals()]


@pytest.fixture(autouse=True)
def no_figure_is_left():
    plt.close("all")
    yield
    plt.close("all")


def make_sample(classes=(0, 4), seed=0):
    generator = torch.Generator().manual_seed(seed)
    segmentation = torch.full(SIZE, classes[0])
    segmentation[:8] = classes[1]
    return {
        "image": torch.rand(3, *SIZE, generator=generator),
        "segmentation": segmentation,
        "depth": torch.rand(1, *SIZE, generator=generator) / 2,
        "normals": torch.nn.functional.normalize(torch.randn(3, *SIZE, generator=generator), dim=0),
    }


def make_batch(count=2):
    frames = [make_sample(seed=seed) for seed in range(count)]
    return {kind: torch.stack([frame[kind] for frame in frames]) for kind in frames[0]}


def make_predictions(batch, predicted_class=6):
    scores = torch.zeros(len(batch["image"]), 7, *SIZE)
    scores[:, predicted_class] = 1
    return {"segmentation": scores, "depth": batch["depth"], "normals": batch["normals"]}


def make_history(epochs=4, names=("segmentation", "depth", "normals"), validated=True):
    headlines = {task.name: task.headline for task in TODO}
    return [
        {
            "epoch": epoch,
            "weights": {name: 1 + epoch / 10 for name in names},
            "losses": {name: 1 / epoch for name in names},
            "metrics": {name: {headlines[name]: epoch / 10} for name in names} if validated else {},
        }
        for epoch in range(1, epochs + 1)
    ]


def make_attention(names=("segmentation", "depth"), channels=4):
    shared = torch.rand(2, channels, 6, 10)
    mask = {name: torch.rand(2, channels, 6, 10) for name in names}
    return {name: {"encoder3": Attention(shared, mask[name], mask[name] * shared)} for name in names}


def as_hex(colour):
    return "#{:02x}{:02x}{:02x}".format(*colour)


def legend_names(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def all_texts(figure):
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text) if text.get_text()]


def pictures_of(figure):
    return [axis for axis in figure.axes if axis.images]


FIGURES = {
    "samples": lambda: plots.samples([make_sample()], TODO, source="drawn"),
    "predictions": lambda: plots.predictions(
        (batch := make_batch())["image"], batch, make_predictions(batch), TODO
    ),
    "pictures": lambda: plots.pictures({"map": torch.rand(4, 6), "image": torch.rand(3, 4, 6)}, unit="m"),
    "masks": lambda: plots.masks(make_attention(), "encoder3"),
    "curves": lambda: plots.curves(make_history(), TODO),
    "weights": lambda: plots.weights(make_history(), TODO),
    "bars": lambda: plots.bars({"flat": 0.9, "human": 0.2}, "IoU"),
}


def relative_luminance(colour):
    """As the Web Content Accessibility Guidelines define it."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_task_colours_are_okabe_itos_and_stand_out_on_white():
    assert set(plots.TASK_COLOURS) == {task.target for task in TODO}
    assert len(set(plots.TASK_COLOURS.values())) == 3
    for colour in plots.TASK_COLOURS.values():
        assert colour in plots.OKABE_ITO.values()
        assert 1.05 / (relative_luminance(colour) + 0.05) >= 3  # WCAG 1.4.11 for graphics


def test_task_colour_goes_by_the_target():
    assert plots.task_colour(tasks.depth(name="far")) == plots.TASK_COLOURS["depth"]
    assert plots.task_colour(tasks.depth(target="heat")) == "#000000"


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_legible_and_fit_the_page(name):
    figure = FIGURES[name]()
    png = plots._png(figure)
    width, height = (int.from_bytes(png[start : start + 4], "big") for start in (16, 20))
    assert 200 < width <= 1020 and 100 < height <= 700
    assert len(png) < 250_000
    texts = [text for text in figure.findobj(matplotlib.text.Text) if text.get_text()]
    assert min(text.get_fontsize() for text in texts) >= 9


@pytest.mark.parametrize("name", FIGURES)
def test_drawing_leaves_the_readers_settings_alone(name):
    before = dict(matplotlib.rcParams)
    FIGURES[name]()
    assert dict(matplotlib.rcParams) == before


def test_drawing_is_the_same_each_time():
    pngs = {plots._png(plots.samples([make_sample()], TODO)) for _ in range(2)}
    assert len(pngs) == 1
    assert b"matplotlib" not in pngs.pop()


def test_samples_have_titles_and_a_row_for_each_frame():
    figure = plots.samples([make_sample(seed=seed) for seed in range(4)], TODO, rows=2, source="drawn")
    pictures = pictures_of(figure)
    assert [axis.get_title() for axis in pictures[:4]] == ["image", "segmentation", "depth", "normals"]
    assert len(pictures) == 2 * 4
    assert "drawn" in all_texts(figure)
    assert all(axis.images[0].get_interpolation() == "nearest" for axis in pictures)


def test_samples_show_what_the_tasks_draw():
    sample = make_sample()
    pictures = pictures_of(plots.samples([sample], TODO))
    np.testing.assert_allclose(pictures[0].images[0].get_array(), sample["image"].permute(1, 2, 0))
    for axis, task in zip(pictures[1:], TODO, strict=True):
        np.testing.assert_allclose(axis.images[0].get_array(), task.draw(sample[task.target]))


def test_samples_take_the_source_of_the_data_set():
    class Frames(list):
        source = "four frames of nothing"

    assert "four frames of nothing" in all_texts(plots.samples(Frames([make_sample()]), TODO))
    assert "another" in all_texts(plots.samples(Frames([make_sample()]), TODO, source="another"))


@pytest.mark.parametrize(
    ("classes", "names"),
    [((0, 4), ["flat", "sky"]), ((VOID, 5), ["human", "void"]), ((3, 3), ["nature"])],
)
def test_legend_names_only_classes_that_occur(classes, names):
    figure = plots.samples([make_sample(classes)], TODO[:1])
    assert legend_names(figure) == names


def test_legend_has_the_colours_of_the_label_set_and_black_void():
    figure = plots.samples([make_sample((VOID, 6))], TODO[:1])
    colours = [to_hex(patch.get_facecolor()) for patch in figure.legends[0].get_patches()]
    assert colours == [as_hex(label_set(7).colours[6]), "#000000"]


def test_legend_names_every_class_by_default():
    figure = plt.figure()
    plots.legend(figure, label_set(19))
    assert legend_names(figure) == list(label_set(19).names)


def test_no_legend_without_segmentation():
    assert plots.samples([make_sample()], TODO[1:]).legends == []


@pytest.mark.parametrize(
    ("inverse", "label", "ends"),
    [
        (True, "inverse depth: bright is near, black invalid", (0, 0.25)),
        (False, "depth (m): bright", (0.5, 8)),
    ],
)
def test_depth_scale_has_the_range_and_unit_of_the_drawing(inverse, label, ends):
    task = tasks.depth(inverse)
    figure = plots.samples([make_sample()], [task])
    (bar_axis,) = [axis for axis in figure.axes if axis.get_ylabel()]
    assert bar_axis.get_ylabel().startswith(label)
    ticks = [float(text.get_text()) for text in bar_axis.get_xticklabels()]
    assert (ticks[0], ticks[-1]) == ends
    # The bar's colour at a value is the drawing's colour at that value.
    bar = bar_axis._colorbar
    for value in np.linspace(ends[0] + 0.01, ends[1], 5):
        drawn = task.draw(torch.full((1, 2, 2), float(value)))[0, 0]
        np.testing.assert_allclose(bar.cmap(bar.norm(value))[:3], drawn, atol=0.02)


def test_predictions_stand_below_the_truth():
    batch = make_batch()
    predicted = make_predictions(batch)
    figure = plots.predictions(batch["image"], batch, predicted, TODO, rows=1, source="drawn")
    pictures = pictures_of(figure)
    assert len(pictures) == 1 + 2 * 3
    image, *truth = pictures[:4]
    assert [axis.get_title() for axis in pictures[:4]] == ["image", "segmentation", "depth", "normals"]
    assert truth[0].get_ylabel() == "truth" and pictures[4].get_ylabel() == "prediction"
    np.testing.assert_allclose(truth[0].images[0].get_array(), TODO[0].draw(batch["segmentation"][0]))
    np.testing.assert_allclose(pictures[4].images[0].get_array(), TODO[0].draw(predicted["segmentation"][0]))
    assert truth[0].get_position().y0 > pictures[4].get_position().y0
    assert "drawn" in all_texts(figure)


def test_predictions_name_predicted_classes_too():
    batch = make_batch()
    figure = plots.predictions(batch["image"], batch, make_predictions(batch, predicted_class=6), TODO)
    assert legend_names(figure) == ["flat", "sky", "vehicle"]


def test_predictions_with_gradients_are_drawn():
    batch = make_batch()
    predicted = {name: values.requires_grad_() for name, values in make_predictions(batch).items()}
    assert pictures_of(plots.predictions(batch["image"], batch, predicted, TODO))


def test_keys_and_caption_do_not_overlap_each_other_or_the_pictures():
    for todo in (TODO, TODO[::-1], TODO[:1]):
        figure = plots.samples([make_sample((VOID, 1))], todo, source="drawn")
        figure.draw_without_rendering()
        (caption,) = figure.texts
        boxes = [axis.get_tightbbox() for axis in figure.axes]
        boxes += [figure.legends[0].get_window_extent(), caption.get_window_extent()]
        for one, other in itertools.combinations(boxes, 2):
            overlap = matplotlib.transforms.Bbox.intersection(one, other)
            assert overlap is None or min(overlap.width, overlap.height) < 2, (one, other)


def test_pictures_share_one_scale():
    figure = plots.pictures({"low": torch.tensor([[0.0, 1.0]]), "high": np.array([[2.0, 4.0]])}, unit="m")
    low, high = pictures_of(figure)
    assert [low.get_title(), high.get_title()] == ["low", "high"]
    assert low.images[0].get_clim() == high.images[0].get_clim() == (0, 4)
    assert "m" in all_texts(figure)


def test_pictures_of_colours_need_no_scale():
    figure = plots.pictures({str(number): torch.rand(3, 4, 6) for number in range(5)}, columns=3)
    assert len(pictures_of(figure)) == 5
    assert len(figure.axes) == 6  # the sixth place stays empty, and there is no colour bar


def test_masks_stand_beside_shared_and_attended_features():
    attention = make_attention()
    figure = plots.masks(attention, "encoder3", channels=(1, 3), sample=1, source="drawn")
    axes = np.array(pictures_of(figure)).reshape(2, 5)
    assert axes[0, 0].get_title() == "encoder3\nshared p"
    assert [axis.get_title() for axis in axes[0, 1:3]] == ["segmentation\nmask a", "segmentation\nattended"]
    assert [axis.get_ylabel() for axis in axes[:, 0]] == ["channel\n1", "channel\n3"]
    step = attention["depth"]["encoder3"]
    np.testing.assert_allclose(axes[1, 0].images[0].get_array(), step.shared[1, 3])
    np.testing.assert_allclose(axes[1, 3].images[0].get_array(), step.mask[1, 3])
    np.testing.assert_allclose(axes[1, 4].images[0].get_array(), step.attended[1, 3])
    assert any(text.endswith("drawn") for text in all_texts(figure))


def test_masks_share_one_scale_and_features_that_of_their_row():
    attention = make_attention()
    axes = np.array(pictures_of(plots.masks(attention, "encoder3", channels=(0, 2)))).reshape(2, 5)
    shared = attention["depth"]["encoder3"].shared
    for row, channel in zip(axes, (0, 2), strict=True):
        assert {axis.images[0].get_clim() for axis in row[1::2]} == {(0, 1)}
        (scale,) = {axis.images[0].get_clim() for axis in row[::2]}
        assert scale == pytest.approx((0, np.percentile(shared[0, channel], 99)), rel=1e-5)
        assert {axis.images[0].cmap.name for axis in row[1::2]} == {"viridis"}
        assert {axis.images[0].cmap.name for axis in row[::2]} == {"gray"}


def test_masks_of_a_channel_with_one_bright_pixel():
    shared = torch.zeros(1, 1, 20, 20)
    shared[0, 0, 3, 4] = 2.5
    attention = {"depth": {"encoder3": Attention(shared, torch.ones_like(shared), shared)}}
    picture = pictures_of(plots.masks(attention, "encoder3", channels=(0,)))[0].images[0]
    assert picture.get_clim() == (0, 2.5)


def test_masks_of_a_network_that_is_still_training():
    attention = make_attention()
    for by_level in attention.values():
        by_level["encoder3"].mask.requires_grad_()
    assert pictures_of(plots.masks(attention, "encoder3"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": "encoder9"}, "level: 'encoder9' is none of encoder3"),
        ({"level": "encoder3", "channels": (0, 4)}, r"encoder3 has channels 0 to 3, got \[0, 4\]"),
        ({"level": "encoder3", "channels": ()}, "channels"),
    ],
)
def test_masks_of_what_is_not_there(options, message):
    with pytest.raises(ValueError, match=message):
        plots.masks(make_attention(), **options)
    assert plt.get_fignums() == []


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="frames: there are none"):
        plots.samples([], TODO)
    with pytest.raises(ValueError, match="named: is empty"):
        plots.pictures({})


def test_curves_have_labels_units_and_the_tasks_colours():
    axes = plots.curves(make_history(), TODO).axes
    assert [axis.get_title() for axis in axes[:3]] == ["segmentation", "depth", "normals"]
    assert [axis.get_ylabel() for axis in axes] == [
        "training cross-entropy\n(nats)",
        "training L1\n(inverse depth)",
        "training 1 − cosine",
        "validation mean IoU ↑",
        "validation absolute error ↓\n(inverse depth)",
        "validation mean angle ↓\n(°)",
    ]
    assert [axis.get_xlabel() for axis in axes[3:]] == ["epoch"] * 3
    for axis, task in zip(axes, TODO * 2, strict=True):
        assert axis.lines[0].get_color() == plots.TASK_COLOURS[task.target]
    np.testing.assert_allclose(axes[1].lines[0].get_xydata(), [[1, 1], [2, 1 / 2], [3, 1 / 3], [4, 1 / 4]])
    np.testing.assert_allclose(axes[4].lines[0].get_ydata(), [0.1, 0.2, 0.3, 0.4])


def test_curves_compare_runs_by_line_style():
    runs = {"MTAN": make_history(), "single depth": make_history(names=("depth",))}
    segmentation, depth = plots.curves(runs, TODO[:2]).axes[:2]
    assert len(segmentation.lines) == 1 and len(depth.lines) == 2
    assert len({line.get_linestyle() for line in depth.lines}) == 2
    assert [text.get_text() for text in depth.figure.legends[0].get_texts()] == list(runs)


def test_curves_without_validation():
    axes = plots.curves(make_history(validated=False), TODO).axes
    assert [len(axis.lines) for axis in axes] == [1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize("as_array", [False, True])
def test_weights_over_the_epochs(as_array):
    history = make_history(3)
    given = torch.tensor([list(epoch["weights"].values()) for epoch in history]) if as_array else history
    (axis,) = plots.weights(given, TODO).axes
    assert axis.get_xlabel() == "epoch" and "λ" in axis.get_ylabel()
    equal, *lines = axis.lines
    assert list(equal.get_ydata()) == [1, 1]
    assert [line.get_label() for line in lines] == [task.name for task in TODO]
    assert [line.get_color() for line in lines] == [plots.TASK_COLOURS[task.target] for task in TODO]
    np.testing.assert_allclose(lines[0].get_xydata(), [[1, 1.1], [2, 1.2], [3, 1.3]])


def test_weights_of_another_number_of_tasks():
    with pytest.raises(ValueError, match=r"history: expected weights \[epochs, 3\], got shape \[5, 2\]"):
        plots.weights(np.ones((5, 2)), TODO)


def test_bars_print_their_numbers():
    colours = label_set(7).colours[:3]
    figure = plots.bars({"flat": 0.91, "object": 0.104, "human": math.nan}, "IoU", colours=colours)
    (axis,) = figure.axes
    assert [text.get_text() for text in axis.texts] == ["0.91", "0.10", "none"]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["flat", "object", "human"]
    assert [bar.get_width() for bar in axis.patches] == [0.91, 0.104, 0]
    assert [to_hex(bar.get_facecolor()) for bar in axis.patches] == [as_hex(colour) for colour in colours]
    assert axis.get_xlabel() == "IoU"
    assert axis.yaxis_inverted()  # the first on top


@pytest.mark.parametrize("alt", ["", "  \n"])
def test_show_wants_a_text(alt):
    with pytest.raises(ValueError, match="alt: is empty"):
        plots.show(plt.figure(), alt)


def test_show_outside_a_notebook_opens_and_closes(monkeypatch):
    opened = []
    monkeypatch.setattr(plt, "show", lambda: opened.extend(plt.get_fignums()))
    figure = plots.bars({"flat": 0.9}, "IoU")
    assert plots.show(figure, "One bar.") is None
    assert opened == [figure.number]
    assert plt.get_fignums() == []


def test_show_in_a_notebook_displays_once_with_text_and_closes():
    code = (
        "from course_utils import plots\n"
        "import matplotlib.pyplot as plt\n"
        "plots.show(plots.bars({'flat': 0.9}, 'IoU'), 'One bar: flat 0.90.')\n"
        "print(plt.get_fignums())"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": REPOSITORY}}, timeout=120).execute()
    picture, printed = notebook.cells[0].outputs
    assert picture.output_type == "display_data"
    assert picture.metadata == {"image/png": {"alt": "One bar: flat 0.90."}}
    assert picture.data["text/plain"] == "One bar: flat 0.90."
    assert picture.data["image/png"].startswith("iVBORw0KGgo")  # the first bytes of every PNG, in base 64
    assert (printed.name, printed.text) == ("stdout", "[]\n")


def test_matplotlib_is_loaded_only_to_draw():
    code = "import sys, course_utils.plots, course_utils.platforms; print('matplotlib' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("False\n", "")
