"""What numbers of a report are called, in which unit they are shown, and what is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower", "as real"]
"""Which direction is better; ``as real``: the value of real motion, from either side."""

GROUND_TRUTH = "ground truth"
RECONSTRUCTION = "tokenizer reconstruction"
SHUFFLED = "shuffled captions"
REFERENCE_ROWS = (GROUND_TRUTH, RECONSTRUCTION, SHUFFLED)
"""Rows of a report that are printed beside every model; any other is a model or a rival."""


@dataclass(frozen=True)
class Term:
    """One number of a report."""

    key: str
    title: str
    short: str
    """Title where there is little room."""
    unit: str
    factor: float
    """From the number to its unit."""
    decimals: int
    better: Better
    meaning: str

    def shown(self, value: float | None) -> str:
        """A value in its unit, without the unit; a dash where there is none."""
        return "–" if value is None else f"{self.factor * value:.{self.decimals}f}"

    @property
    def label(self) -> str:
        """Title and unit."""
        return f"{self.title}, {self.unit}" if self.unit else self.title


METRICS = (
    Term(
        "r_precision_1", "R-precision, top 1", "R@1", "", 1.0, 3, "higher",
        "share of captions whose own motion is the nearest of its pool",
    ),
    Term(
        "r_precision_2", "R-precision, top 2", "R@2", "", 1.0, 3, "higher",
        "share of captions whose own motion is among the two nearest of its pool",
    ),
    Term(
        "r_precision_3", "R-precision, top 3", "R@3", "", 1.0, 3, "higher",
        "share of captions whose own motion is among the three nearest of its pool",
    ),
    Term(
        "mm_dist", "MM Dist", "MM Dist", "", 1.0, 3, "lower",
        "mean distance between a caption and its motion",
    ),
    Term(
        "fid", "FID", "FID", "", 1.0, 3, "lower",
        "distance between the distributions of these motions and of real ones",
    ),
    Term(
        "diversity", "Diversity", "Diversity", "", 1.0, 3, "as real",
        "mean distance between motions of different captions",
    ),
    Term(
        "multimodality", "MultiModality", "MModality", "", 1.0, 3, "higher",
        "mean distance between several motions of one caption; alone it says little, for noise "
        "scores high",
    ),
)  # fmt: skip
"""Metrics of an evaluator, in the order of tables."""

PHYSICS = (
    Term(
        "skate", "Foot skate", "skate", "mm", 1.0, 1, "lower",
        "slide of feet on the floor in a thirtieth of a second",
    ),
    Term(
        "floating", "Float", "float", "mm", 1.0, 1, "lower",
        "height of the lowest joint above the floor",
    ),
    Term(
        "interpenetration", "Joints too near", "joints", "mm", 1.0, 1, "lower",
        "how far joints of the two people are nearer than 12 cm",
    ),
    Term(
        "penetrating_frames", "Frames with overlap", "inside", "%", 100.0, 0, "lower",
        "frames in which capsules around bones overlap by 5 cm or more",
    ),
    Term(
        "deepest_penetration", "Deepest overlap", "deepest", "mm", 1.0, 0, "lower",
        "mean over all frames of the deepest overlap",
    ),
    Term(
        "total_penetration", "Total overlap", "total", "mm", 1.0, 0, "lower",
        "mean over all frames of the sum of overlaps",
    ),
    Term(
        "jerk", "Jerk", "jerk", "m/s³", 1.0, 0, "as real",
        "mean third derivative of joints",
    ),
    Term(
        "peak_jerk", "Peak jerk", "peak", "m/s³", 1.0, 0, "as real",
        "largest third derivative of any joint in any frame",
    ),
    Term(
        "jerk_area", "Jerk area", "area", "m/s²", 1.0, 0, "lower",
        "area between jerk over time and the mean of real motion",
    ),
    Term(
        "bone_drift", "Bone drift", "bones", "%", 100.0, 2, "lower",
        "change of bone lengths over time",
    ),
    Term(
        "hand_contact", "Hands on partner", "hands", "%", 100.0, 0, "as real",
        "frames with a hand on the partner",
    ),
    Term(
        "person_correlation", "Moving together", "together", "", 1.0, 2, "as real",
        "correlation of the two poses over time, from -1 to 1",
    ),
)  # fmt: skip
"""Physical metrics (`measurement.PhysicalMetrics`), in the order of tables."""

TOKENIZER = (
    Term(
        "reconstruction_fid", "Reconstruction FID", "rFID", "", 1.0, 3, "lower",
        "distance between the distributions of real motion and of its reconstruction",
    ),
    Term(
        "mpjpe_mm", "MPJPE in the world", "MPJPE", "mm", 1.0, 1, "lower",
        "mean distance of joints from where they were",
    ),
    Term(
        "local_mpjpe_mm", "MPJPE relative to the pelvis", "local MPJPE", "mm", 1.0, 1, "lower",
        "the same after both pelvises are put on one another",
    ),
    Term(
        "acceleration_error", "Acceleration error", "accel.", "m/s²", 1.0, 2, "lower",
        "mean length of the difference of the joints' accelerations",
    ),
    Term(
        "codes_used", "Codes used", "used", "%", 100.0, 1, "higher",
        "codes that were taken at least once",
    ),
    Term(
        "perplexity", "Perplexity", "perplexity", "codes", 1.0, 1, "higher",
        "as many codes, taken equally often, would carry as much",
    ),
)  # fmt: skip
"""Numbers of a tokenizer (`tokenizer_quality.TokenizerReport`), in the order of tables."""

_BETTER = {
    "higher": "higher is better",
    "lower": "lower is better",
    "as real": "nearer to ground truth is better",
}
_MARKS = {"higher": "↑", "lower": "↓", "as real": "→"}


def direction(term: Term) -> str:
    """Which direction is better, in words."""
    return _BETTER[term.better]


def mark(term: Term) -> str:
    """Which direction is better, as an arrow: up, down, or right for the value of real motion."""
    return _MARKS[term.better]
