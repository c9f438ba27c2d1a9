"""A report of an evaluation as `intermask evaluate` writes it, with invented numbers."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

from intermask.evaluation.metrics import mean_interval
from intermask.evaluation.samples import write_sample
from walking import walking_pair

REPLICATIONS = 20

_MEANS = {
    "ground truth": (0.452, 0.610, 0.701, 3.755, 0.273, 7.948, None),
    "tokenizer reconstruction": (0.440, 0.598, 0.690, 3.771, 0.970, 7.901, None),
    "salsa-small": (0.449, 0.599, 0.683, 3.790, 5.154, 7.944, 1.737),
    "shuffled captions": (0.011, 0.021, 0.032, 4.410, 5.160, 7.944, None),
    "rival <b>": (0.371, 0.515, 0.624, 3.794, 5.918, 7.387, 2.141),
}
KEYS = (
    "r_precision_1", "r_precision_2", "r_precision_3", "mm_dist", "fid", "diversity",
    "multimodality",
)  # fmt: skip
_PHYSICS = {
    "skate": 4.1, "floating": 12.0, "interpenetration": 6.0, "penetrating_frames": 0.21,
    "deepest_penetration": 11.0, "total_penetration": 23.0, "jerk": 60.0, "peak_jerk": 700.0,
    "jerk_area": 310.0, "bone_drift": 0.004, "hand_contact": 0.44, "person_correlation": 0.18,
}  # fmt: skip


def interval(values: list[float]) -> dict[str, Any]:
    """A metric as a report holds it."""
    found = mean_interval(values)
    return {"mean": found.mean, "half_width": found.half_width, "replications": values}


def example_report(seed: int = 0) -> dict[str, Any]:
    """All parts of the schema; the official protocol was not followed."""
    draw = random.Random(seed)
    rows = []
    for number, (name, means) in enumerate(_MEANS.items()):
        metrics = {
            key: interval([draw.gauss(mean, 0.006 * mean + 0.001) for _ in range(REPLICATIONS)])
            for key, mean in zip(KEYS, means, strict=True)
            if mean is not None
        }
        physics = {
            key: interval(
                [draw.gauss(value * (1 + 0.3 * number), 0.01 * value) for _ in range(REPLICATIONS)]
            )
            for key, value in _PHYSICS.items()
        }
        rows.append({"name": name, "metrics": metrics, "physics": physics})
    return copy.deepcopy(
        {
            "schema_version": 2,
            "kind": "intermask-evaluation",
            "intermask_version": "0.1.0",
            "protocol": {
                "official": False,
                "why_not": ["the evaluator was not trained by the authors", "1 clip < 2 & 3"],
                "pool": 96,
                "replications": REPLICATIONS,
                "clips": 384,
                "task": "text",
                "notes": ["rival <b> has no motion for 3 clips"],
            },
            "settings": {"batch_size": 32, "device": "cpu", "rivals": {"rival <b>": "out/"}},
            "versions": {"python": "3.11.7", "torch": "2.13.0"},
            "seeds": {"seed": 0},
            "hashes": {"model": "12ab", "evaluator": "34cd", "data": "56ef"},
            "rows": rows,
            "tokenizer": {
                "clips": 384,
                "reconstruction_fid": 0.971,
                "mpjpe_mm": 41.23,
                "local_mpjpe_mm": 20.5,
                "acceleration_error": 2.345,
                "codes": 1024,
                "codes_used": 0.93,
                "perplexity": 700.4,
                "codes_taken_by_row": [512, 480],
                "perplexity_by_row": [101.1, 202.2],
                "worst_clips": ["77 (99.1 mm)"],
            },
            "memorisation": {
                "clips": 100,
                "generated_median_m": 0.213,
                "held_out_median_m": 0.221,
                "threshold_m": 0.105,
                "suspicious": 3,
                "nearest": ["77: 9.1 cm from 12"],
            },
            "audit": [
                {
                    "change": "unchanged clips",
                    "metrics": rows[0]["metrics"],
                    "sees": None,
                    "says": "what the others are compared with.",
                },
                {
                    "change": "exchanged people",
                    "metrics": rows[0]["metrics"],
                    "sees": False,
                    "says": "the evaluator cannot see it.",
                },
                {
                    "change": "time reversal",
                    "metrics": rows[3]["metrics"],
                    "sees": True,
                    "says": "the evaluator sees it.",
                },
            ],
            "samples": {
                "worst": [
                    {
                        "name": "1234",
                        "caption": "one person isn't <near> the other & waves.",
                        "distance": 6.321,
                        "file": "samples/1234.safetensors",
                    }
                ],
                "best": [
                    {
                        "name": "77",
                        "caption": "two people greet each other by shaking hands.",
                        "distance": 1.234,
                        "file": "samples/77.safetensors",
                    }
                ],
            },
            "speed": {"seconds_generating": 812.3, "seconds_scoring": 20.1, "clips": 384},
        }
    )


def write_samples(report: dict[str, Any], folder: Path) -> None:
    """Files of people who walk for all samples of a report; seed 0 is the real one."""
    made, real = (walking_pair(20, seed=seed).positions for seed in (1, 0))
    for each in (*report["samples"]["worst"], *report["samples"]["best"]):
        write_sample(folder / each["file"], made, real)
