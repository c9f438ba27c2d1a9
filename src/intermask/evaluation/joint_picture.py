"""Errors of joints as a picture of a body: where on the body a tokenizer is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intermask.errors import MissingExtra
from intermask.files import atomic_path
from intermask.skeleton import MEAN_ADULT_OFFSETS, SMPL22, rest_positions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK, _SOFT = "#1d2227", "#5a646e"
_COLOURS = "YlOrRd"
_THICK = {
    "spine1": 30.0, "spine2": 32.0, "spine3": 34.0, "neck": 20.0, "head": 30.0, "hip": 28.0,
    "knee": 22.0, "ankle": 17.0, "collar": 24.0, "shoulder": 20.0, "elbow": 16.0,
}  # fmt: skip
"""Points of width of the limb that ends at a joint; 13 elsewhere."""
_HAND = 0.13
"""Metres from the wrist to where the mean of a hand's joints is drawn."""
_COLUMN = 0.34
"""Metres from the middle to the numbers of joints that stand too close for them."""


def draw_joint_errors(panels: Mapping[str, Mapping[str, float]], path: Path) -> Path:
    """Draw a body for each kind of error, as PNG; every joint carries its number.

    Args:
        panels: titles, and errors in millimetres by joint name. Of SMPL-X's hands the mean of each
            is drawn, and the face is left out.
        path: the file to write; it is whole or absent.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("plot", "matplotlib") from error
    figure = Figure((6.4 * len(panels), 6.4), layout="constrained", facecolor="white")
    canvas = FigureCanvasAgg(figure)
    every = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (title, errors) in zip(every, panels.items(), strict=True):
        drawn = _draw_body(axes, _with_hands(errors))
        axes.set_title(title, fontsize=13, color=_INK)
        bar = figure.colorbar(drawn, ax=axes, shrink=0.7, location="bottom", pad=0.01, aspect=30)
        bar.set_label("mean error, mm", color=_SOFT)
        bar.outline.set_visible(False)
    with atomic_path(path) as temporary:
        canvas.print_png(temporary)
    return path


def _with_hands(errors: Mapping[str, float]) -> dict[str, float]:
    """Errors of the body's joints, and of each hand, if there are hands, the mean."""
    body = {name: errors[name] for name in SMPL22.names}
    for side in ("left", "right"):
        fingers = [
            value
            for name, value in errors.items()
            if name.startswith(f"{side}_") and name[-1].isdigit()
        ]
        if fingers:
            body[f"{side}_hand"] = sum(fingers) / len(fingers)
    return body


def _places(names: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Where joints are drawn, metres to the right and up; the person faces the viewer."""
    rest = rest_positions(MEAN_ADULT_OFFSETS)
    places = {
        name: (float(x), float(y))
        for name, (x, y, _) in zip(SMPL22.names, rest.tolist(), strict=True)
    }
    for side in ("left", "right"):
        (wrist_x, wrist_y), sign = places[f"{side}_wrist"], 1 if side == "left" else -1
        places[f"{side}_hand"] = (wrist_x + sign * _HAND, wrist_y)
    return {name: places[name] for name in names}


def _draw_body(axes: Axes, errors: Mapping[str, float]) -> Any:
    from matplotlib.collections import LineCollection

    places = _places(list(errors))
    bones = [(SMPL22.names[parent], SMPL22.names[child]) for parent, child in SMPL22.bones] + [
        (f"{side}_wrist", f"{side}_hand") for side in ("left", "right")
    ]
    bones = [bone for bone in bones if set(bone) <= set(places)]
    highest = max(errors.values()) or 1.0
    flesh = LineCollection(
        [[places[start], places[end]] for start, end in bones],
        array=[(errors[start] + errors[end]) / 2 for start, end in bones],
        cmap=_COLOURS,
        linewidths=[_THICK.get(end.split("_")[-1], 13.0) for _, end in bones],
        capstyle="round",
        zorder=1,
    )
    flesh.set_clim(0.0, highest)
    axes.add_collection(flesh)
    x, y = zip(*places.values(), strict=True)
    drawn = axes.scatter(
        x, y, c=list(errors.values()), s=120, cmap=_COLOURS, vmin=0.0, vmax=highest,
        edgecolors=_INK, linewidths=1.0, zorder=3,
    )  # fmt: skip
    for name, value in errors.items():
        _write(axes, name, places[name], f"{value:.0f}" if value >= 9.95 else f"{value:.1f}")
    axes.text(0.62, -0.75, "person's left", ha="center", color=_SOFT, fontsize=9)
    axes.text(-0.62, -0.75, "person's right", ha="center", color=_SOFT, fontsize=9)
    axes.set_aspect("equal")
    axes.set_xlim(-0.95, 0.95)
    axes.set_ylim(-1.05, 0.78)
    axes.set_axis_off()
    return drawn


# joints that stand too close together for numbers beside them: where the number goes, metres
_APART = {
    "head": (0.16, 0.69), "neck": (0.16, 0.61),
    "left_collar": (_COLUMN, 0.32), "right_collar": (-_COLUMN, 0.32),
    "spine3": (_COLUMN, 0.22), "spine2": (_COLUMN, 0.12), "spine1": (_COLUMN, 0.02),
    "pelvis": (_COLUMN, -0.08), "left_hip": (_COLUMN, -0.18), "right_hip": (-_COLUMN, -0.18),
}  # fmt: skip


def _write(axes: Axes, name: str, place: tuple[float, float], text: str) -> None:
    x, y = place
    if name in _APART:
        at = _APART[name]
        axes.plot([x, at[0]], [y, at[1]], color=_SOFT, linewidth=0.7, zorder=2)
        side = "left" if at[0] > 0 else "right"
        shift = 0.02 if side == "left" else -0.02
        label = f"{name.split('_')[-1]} {text}"
        axes.text(at[0] + shift, at[1], label, ha=side, va="center", fontsize=10, color=_INK)
    elif name.endswith(("knee", "ankle", "foot")):
        sign = 1 if x > 0 else -1
        side = "left" if x > 0 else "right"
        axes.text(x + sign * 0.07, y, text, ha=side, va="center", fontsize=10, color=_INK)
    else:
        axes.text(x, y + 0.065, text, ha="center", va="bottom", fontsize=10, color=_INK)
