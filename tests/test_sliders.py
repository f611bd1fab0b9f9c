"""Sliders redraw in a program that shows them, and say so in one line where none could move."""

import pytest

from course_utils.sliders import sliders


def draw(temperature=2.0, level="encoder1"):
    drawn.append((temperature, level))


drawn = []


@pytest.fixture(autouse=True)
def nothing_drawn():
    drawn.clear()


def test_where_nothing_can_move_one_line_says_so(monkeypatch, capsys):
    monkeypatch.setenv("MTAN_SLIDERS", "off")
    sliders(draw, temperature=(0.1, 20.0, 0.1), level=["encoder1", "encoder2"])
    printed = capsys.readouterr().out
    assert printed == "Run this cell in JupyterLab, Colab or Kaggle's editor to move: temperature, level.\n"
    assert drawn == []


def test_a_moved_slider_draws_anew(monkeypatch):
    shown = []
    monkeypatch.delenv("MTAN_SLIDERS", raising=False)
    monkeypatch.setattr("IPython.display.display", shown.append)
    sliders(draw, temperature=(0.1, 20.0, 0.1), level=["encoder1", "encoder2"])
    (panel,) = shown
    temperature, level, _ = panel.children
    assert (temperature.value, level.value) == (2.0, "encoder1") and not temperature.continuous_update
    panel.update()
    temperature.value = 5.0
    level.value = "encoder2"
    assert drawn[0] == (2.0, "encoder1") and drawn[-1] == (5.0, "encoder2")


def test_an_argument_that_draw_does_not_have_is_refused():
    with pytest.raises(ValueError, match="draw has no argument 'warmth'; it has temperature, level"):
        sliders(draw, warmth=(0, 1, 1))
