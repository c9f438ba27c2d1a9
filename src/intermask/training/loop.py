"""The training loop: optimiser, schedule, logs, checkpoints. It knows nothing about motion.

Step ``i`` of a run depends only on the weights before it, the seed and ``i``: data, masks and
dropout are drawn from generators made for that step. So a checkpoint needs no random state, and a
resumed run repeats an undisturbed one bit for bit on a CPU. Nor does a step depend on how many
processes and micro-batches share its batch, up to rounding and the draws of dropout.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from intermask.config import OptimiserConfig, RunConfig
from intermask.errors import UserError
from intermask.training import checkpoint
from intermask.training.engine import Engine, start_engine
from intermask.training.history import higher_is_better
from intermask.training.run_log import RunLog
from intermask.training.shares import Share
from intermask.training.state import PACE, TrainingState

Network = TypeVar("Network", bound=nn.Module)
Metrics = Mapping[str, float]
Gather = Callable[[Tensor], Tensor]
"""Rows (m, ...) of this process to those of all processes, in the order of shares."""


class Part(Protocol):
    """A stage's part of a batch, ready on the device."""

    @property
    def entries(self) -> Mapping[str, Tensor]:
        """How many things the means of its losses run over; see `shares`."""
        ...


class Stage(Protocol[Network]):
    """One of the two trainings, as the loop sees it."""

    model: Network
    """All trained weights and buffers."""
    best_metric: str
    """Name of the validation number by which the best checkpoint is chosen."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of all validation numbers."""
        ...

    def networks(self) -> Sequence[nn.Module]:
        """The parts of the model that are worth compiling."""
        ...

    def draw(self, step: int, share: Share) -> Any:
        """The `Part` of a step's batch that belongs to a share."""
        ...

    def prepare(self, parts: Sequence[Any], gather: Gather) -> None:
        """Whatever must know the whole batch before its losses; all processes call it."""
        ...

    def losses(self, part: Any, whole: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What a part contributes to the losses of the batch; ``loss`` is the one to minimise.

        Args:
            part: from `draw`.
            whole: the entries of all parts of the batch together.
        """
        ...

    def finish(self, step: int, gather: Gather) -> dict[str, Tensor]:
        """Whatever follows the whole batch; more numbers to log. All processes call it."""
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
    """Infinite if nothing was validated yet."""
    last_validation: Mapping[str, float]


def learning_rate(step: int, config: OptimiserConfig) -> float:
    """Rate of a step: linear warm-up, then a factor at each milestone (method, 3 and 4)."""
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    passed = sum(step >= share * config.steps for share in config.decay_at)
    return config.learning_rate * warm * config.decay**passed


def set_rates(optimiser: torch.optim.Optimizer, config: OptimiserConfig, step: int) -> None:
    """Give every group of weights its learning rate of a step.

    Checkpoints from before there were groups state no pace.
    """
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(step, config) * group.get(PACE, 1.0)


def fit(
    stage: Stage[Any],
    optimiser_config: OptimiserConfig,
    run_config: RunConfig,
    folder: Path,
    *,
    device: torch.device,
    engine: Engine | None = None,
    resume: bool = False,
    stop_after: int | None = None,
    validate_first: bool = False,
    on_step: Callable[[Progress], None] = lambda progress: None,
    on_validation: Callable[[int, Mapping[str, float]], None] = lambda step, metrics: None,
) -> FitResult:
    """Train until the configured number of steps, or ``stop_after`` of them.

    Args:
        stage: model, losses and validation, already on ``device``.
        folder: the run; checkpoints, ``metrics.jsonl`` and TensorBoard files go here. Processes on
            several machines must see the same one.
        device: where to compute.
        engine: the processes that train together, if they are started already.
        resume: go on from ``last.pt``.
        stop_after: stop (with a checkpoint) once this many steps of the run are done.
        validate_first: measure the weights that a new run starts from, as step 0.

    Raises:
        UserError: a loss is not a number, or the disk is full; the last good checkpoint stays as
            it was and is named. Also: a setting that does not fit the stage or the processes.
    """
    engine = engine or start_engine(run_config, str(device))
    state = _start(stage, optimiser_config, run_config, engine, folder if resume else None)
    steps = optimiser_config.steps
    last = min(steps, stop_after or steps)
    if engine.is_first:
        checkpoint.remove_leftovers(folder)
    with (
        checkpoint.naming_the_last_good(folder),
        RunLog(folder, state.step, writes=engine.is_first) as log,
    ):
        keeper = _Keeper(stage, state, engine, folder, log, on_validation, saved=resume)
        if validate_first and state.step == 0:
            keeper.validate()
        while state.step < last:
            started = time.perf_counter()
            numbers = train_step(
                stage, state.optimiser, optimiser_config, run_config, state.step, engine
            )
            _check_finite(numbers["loss"], state.step, folder)
            state.move_average()
            state.step += 1
            seconds = time.perf_counter() - started
            if state.step % run_config.log_every == 0 or state.step == last:
                log.write("train", state.step, numbers | {"seconds_per_step": seconds})
            on_step(Progress(state.step, steps, numbers, seconds))
            if state.step % run_config.validate_every == 0 or state.step == steps:
                keeper.validate()
            if state.step % run_config.save_every == 0 or state.step == last:
                keeper.save()
    best = math.inf if state.best is None else state.best
    return FitResult(state.step, best, keeper.validation)


@dataclass
class _Keeper:
    """Judges the weights of a run and keeps them, the best and the last; all processes call it."""

    stage: Stage[Any]
    state: TrainingState
    engine: Engine
    folder: Path
    log: RunLog
    on_validation: Callable[[int, Metrics], None]
    saved: bool
    """Whether there is a checkpoint to go on from."""
    validation: Metrics = field(default_factory=dict)
    """The numbers of the last validation."""

    def validate(self) -> None:
        """Measure the weights, and keep them if they are the best so far."""
        state, metric = self.state, self.stage.best_metric
        metrics = self.engine.by_first(lambda: self.stage.validate(state.judged))
        state.model.train()
        if _as_good(metrics[metric], state.best, metric):
            state.best = metrics[metric]
            kept = {"step": state.step, "model": state.judged.state_dict(), "metrics": metrics}
            self.engine.by_first(lambda: checkpoint.save(self.folder / checkpoint.BEST, kept))
        self.validation = metrics
        self.log.write("validation", state.step, metrics)
        self.on_validation(state.step, metrics)
        if not self.saved:  # from a best checkpoint alone nobody can go on
            self.save()

    def save(self) -> None:
        """Keep everything that the run needs to go on."""
        self.engine.by_first(lambda: checkpoint.save_last(self.folder, self.state.snapshot()))
        self.saved = True


def _start(
    stage: Stage[Any],
    optimiser_config: OptimiserConfig,
    run_config: RunConfig,
    engine: Engine,
    resumed: Path | None,
) -> TrainingState:
    """What all processes start from: the stage as it is, or the last checkpoint of a run."""
    if stage.best_metric not in stage.metrics:
        raise UserError(
            f"run.best_metric is {stage.best_metric!r}; choose one of {', '.join(stage.metrics)}"
        )
    Share(0, engine.processes * run_config.accumulate).of(optimiser_config.batch_size)
    state = TrainingState(stage.model, optimiser_config)
    if resumed is not None:
        state.restore(checkpoint.load(resumed / checkpoint.LAST))
    engine.share_weights(stage.model)
    if run_config.compile:
        for network in stage.networks():
            network.compile()
    return state


def train_step(
    stage: Stage[Any],
    optimiser: torch.optim.Optimizer,
    config: OptimiserConfig,
    run_config: RunConfig,
    step: int,
    engine: Engine,
) -> dict[str, float]:
    """One optimiser step, on a batch that all processes share; its losses over the whole batch.

    Dropout draws from generators seeded for this step and part alone.
    """
    stage.model.train()
    set_rates(optimiser, config, step)
    shares = engine.shares(run_config.accumulate)
    parts = [stage.draw(step, share) for share in shares]
    whole = engine.total(_added(part.entries for part in parts))
    optimiser.zero_grad(set_to_none=True)
    contributions = []
    devices = [engine.device] if engine.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        _seed(run_config.seed, step, shares[0])
        with engine.autocast():
            stage.prepare(parts, engine.gather)
        for share, part in zip(shares, parts, strict=True):
            _seed(run_config.seed, step, share)
            with engine.autocast():
                losses = stage.losses(part, whole)
            losses["loss"].backward()
            contributions.append({name: value.detach() for name, value in losses.items()})
    engine.add_gradients(stage.model.parameters())
    losses = engine.total(_added(contributions)) | stage.finish(step, engine.gather)
    if config.gradient_clip:
        norm = nn.utils.clip_grad_norm_(stage.model.parameters(), config.gradient_clip)
        losses["gradient_norm"] = norm
    optimiser.step()
    return _floats(losses)


def _seed(seed: int, step: int, share: Share) -> None:
    """Seed dropout; the first part of a batch as if it were the whole."""
    torch.manual_seed(seed * 1_000_003 + step + share.index * 7_368_787_003)


def _added(parts: Any) -> dict[str, Tensor]:
    sums: dict[str, Tensor] = {}
    for part in parts:
        for name, value in part.items():
            sums[name] = sums[name] + value if name in sums else value
    return sums


def _floats(numbers: Mapping[str, Tensor]) -> dict[str, float]:
    """Numbers of tensors that wait for the device only once."""
    device = numbers["loss"].device
    stacked = torch.stack([value.to(device, torch.float64) for value in numbers.values()])
    return dict(zip(numbers, stacked.tolist(), strict=True))


def _as_good(value: float, best: float | None, metric: str) -> bool:
    if best is None or math.isnan(best):
        return True
    return value >= best if higher_is_better(metric) else value <= best


def _check_finite(loss: float, step: int, folder: Path) -> None:
    if not math.isfinite(loss):
        raise UserError(
            f"the loss became {loss} at step {step}; lower the learning rate or check the data. "
            f"{folder / checkpoint.LAST} holds the last good state"
        )
