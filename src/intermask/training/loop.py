"""The training loop: optimiser, schedule, logs, checkpoints. It knows nothing about motion.

Step ``i`` of a run depends only on the weights before it, the seed and ``i``: data, masks and
dropout are drawn from generators made for that step. So a checkpoint needs no random state, and a
resumed run repeats an undisturbed one bit for bit on a CPU.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from intermask.config import OptimiserConfig, RunConfig
from intermask.errors import UserError
from intermask.training import checkpoint

Network = TypeVar("Network", bound=nn.Module)


class Stage(Protocol[Network]):
    """One of the two trainings, as the loop sees it."""

    model: Network
    """All trained weights and buffers."""
    best_metric: str
    """Name of the validation number by which the best checkpoint is chosen; lower is better."""

    def losses(self, step: int) -> dict[str, Tensor]:
        """Named losses of the batch of a step; ``loss`` is the one to minimise."""
        ...

    def validate(self, model: Network) -> dict[str, float]:
        """Named numbers of the validation data for these weights; always the same for them."""
        ...


@dataclass(frozen=True)
class Progress:
    """What the loop tells a watcher after every step."""

    step: int
    steps: int
    losses: Mapping[str, float]
    seconds_per_step: float


@dataclass(frozen=True)
class FitResult:
    """Where a run ended."""

    step: int
    best_value: float
    last_validation: Mapping[str, float]


def learning_rate(step: int, config: OptimiserConfig) -> float:
    """Rate of a step: linear warm-up, then a factor at each milestone (method, 3 and 4)."""
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    passed = sum(step >= share * config.steps for share in config.decay_at)
    return config.learning_rate * warm * config.decay**passed


def fit(
    stage: Stage[Any],
    optimiser_config: OptimiserConfig,
    run_config: RunConfig,
    folder: Path,
    *,
    device: torch.device,
    resume: bool = False,
    stop_after: int | None = None,
    on_step: Callable[[Progress], None] = lambda progress: None,
    on_validation: Callable[[int, Mapping[str, float]], None] = lambda step, metrics: None,
) -> FitResult:
    """Train until the configured number of steps, or ``stop_after`` of them.

    Args:
        stage: model, losses and validation, already on ``device``.
        folder: the run; checkpoints, ``metrics.jsonl`` and TensorBoard files go here.
        resume: go on from ``last.pt``.
        stop_after: stop (with a checkpoint) once this many steps of the run are done.

    Raises:
        UserError: a loss is not a number; the last checkpoint stays as it was.
    """
    model = stage.model
    optimiser = torch.optim.AdamW(
        [parameter for parameter in model.parameters() if parameter.requires_grad],
        lr=optimiser_config.learning_rate,
        betas=optimiser_config.betas,
        weight_decay=optimiser_config.weight_decay,
    )
    average = deepcopy(model).eval() if optimiser_config.average_decay else None
    first, best = 0, math.inf
    if resume:
        state = checkpoint.load(folder / checkpoint.LAST)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        if average is not None:
            average.load_state_dict(state["average"])
        first, best = int(state["step"]), float(state["best"])
    log = RunLog(folder, first)
    validation: Mapping[str, float] = {}
    last = min(optimiser_config.steps, stop_after or optimiser_config.steps)

    def snapshot(step: int) -> dict[str, Any]:
        return {
            "step": step,
            "best": best,
            "model": model.state_dict(),
            "average": average.state_dict() if average is not None else {},
            "optimiser": optimiser.state_dict(),
        }

    with log:
        for step in range(first, last):
            started = time.perf_counter()
            losses = train_step(stage, optimiser, optimiser_config, run_config, step, device)
            if average is not None:
                _move_average(average, model, optimiser_config.average_decay, step)
            numbers = {name: float(value) for name, value in losses.items()}
            if not math.isfinite(numbers["loss"]):
                raise UserError(
                    f"the loss became {numbers['loss']} at step {step}; lower the learning rate "
                    f"or check the data. {folder / checkpoint.LAST} holds the last good state"
                )
            done = step + 1
            seconds = time.perf_counter() - started
            if done % run_config.log_every == 0 or done == last:
                log.write("train", done, numbers | {"seconds_per_step": seconds})
            on_step(Progress(done, optimiser_config.steps, numbers, seconds))
            if done % run_config.validate_every == 0 or done == optimiser_config.steps:
                judged = average if average is not None else model
                validation = stage.validate(judged)
                model.train()
                log.write("validation", done, validation)
                on_validation(done, validation)
                if validation[stage.best_metric] <= best:
                    best = validation[stage.best_metric]
                    checkpoint.save(
                        folder / checkpoint.BEST,
                        {"step": done, "model": judged.state_dict(), "metrics": dict(validation)},
                    )
            if done % run_config.save_every == 0 or done == last:
                checkpoint.save(folder / checkpoint.LAST, snapshot(done))
    return FitResult(max(first, last), best, validation)


def train_step(
    stage: Stage[Any],
    optimiser: torch.optim.Optimizer,
    config: OptimiserConfig,
    run_config: RunConfig,
    step: int,
    device: torch.device,
) -> dict[str, Tensor]:
    """One optimiser step; dropout draws from a generator seeded for this step alone."""
    stage.model.train()
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(step, config)
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(run_config.seed * 1_000_003 + step)
        half = run_config.precision == "bfloat16"
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            losses = stage.losses(step)
        optimiser.zero_grad(set_to_none=True)
        losses["loss"].backward()
    if config.gradient_clip:
        norm = nn.utils.clip_grad_norm_(stage.model.parameters(), config.gradient_clip)
        losses["gradient_norm"] = norm
    optimiser.step()
    return {name: value.detach() for name, value in losses.items()}


@torch.no_grad()
def _move_average(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Exponential moving average of weights and real buffers; early steps count for more.

    A codebook must be averaged like the encoder whose latents it codes; flags are copied.
    """
    decay = min(decay, (1 + step) / (10 + step))
    for weight, current in zip(average.parameters(), model.parameters(), strict=True):
        weight.lerp_(current, 1 - decay)
    for buffer, now in zip(average.buffers(), model.buffers(), strict=True):
        if buffer.is_floating_point():
            buffer.lerp_(now, 1 - decay)
        else:
            buffer.copy_(now)


class RunLog:
    """``metrics.jsonl`` (one JSON object a line) and, if installed, TensorBoard."""

    def __init__(self, folder: Path, first_step: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "metrics.jsonl"
        self.folder, self.first_step = folder, first_step
        self._board: Any = None

    def __enter__(self) -> RunLog:
        # Lines after the checkpoint that a run resumes from are made again, so they go.
        kept = []
        if self.first_step and self.path.is_file():
            for line in self.path.read_text("utf-8").splitlines():
                try:
                    keep = json.loads(line)["step"] <= self.first_step
                except (ValueError, KeyError):
                    keep = False  # a line cut short when the run was killed
                if keep:
                    kept.append(line)
        self.path.write_text("".join(f"{line}\n" for line in kept), "utf-8")
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return self
        self._board = SummaryWriter(str(self.folder / "tensorboard"), purge_step=self.first_step)
        return self

    def write(self, kind: str, step: int, numbers: Mapping[str, float]) -> None:
        """Append one line, at once on disk."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, "step": step, **numbers}) + "\n")
        if self._board is not None:
            for name, value in numbers.items():
                self._board.add_scalar(f"{kind}/{name}", value, step)

    def __exit__(self, *_: object) -> None:
        if self._board is not None:
            self._board.close()
