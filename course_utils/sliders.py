"""Sliders and menus that redraw a picture, where the notebook runs in a program that can show them."""

import os
from collections.abc import Callable, Sequence


def sliders(draw: Callable[..., None], **controls: Sequence) -> None:
    """Show one slider or menu per argument of `draw`, and call it anew whenever one is moved.

    A static figure of the same must stand above: sliders are dead on GitHub, in Kaggle's reader and on an HTML page.

    Args:
        draw: draws and shows one figure; its defaults are where the sliders start.
        controls: argument name -> (lowest, highest, step) for a slider, or a list of choices for a menu.

    Raises:
        ValueError: `draw` has no argument of such a name.
    """
    names = draw.__code__.co_varnames[: draw.__code__.co_argcount]
    for name in controls:
        if name not in names:
            raise ValueError(f"controls: {draw.__name__} has no argument {name!r}; it has {', '.join(names)}.")
    if os.environ.get("MTAN_SLIDERS") == "off":  # a stored slider would be dead
        listed = ", ".join(name.replace("_", " ") for name in controls)
        print(f"Run this cell in JupyterLab, Colab or Kaggle's editor to move: {listed}.")
        return
    from IPython.display import display
    from ipywidgets import interactive

    panel = interactive(draw, **controls)
    for control in panel.children:
        if hasattr(control, "continuous_update"):
            control.continuous_update = False  # redraw when the slider is let go; a drawing takes a moment
        if hasattr(control, "description"):
            control.description = control.description.replace("_", " ")
            control.style.description_width = "initial"
    display(panel)
