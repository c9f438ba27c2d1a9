"""How fast a training step is, and where its time goes: measured on synthetic data in memory."""

from __future__ import annotations

import contextlib
import statistics
import sys
import tempfile
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch.utils.flop_counter import (
    FlopCounterMode,
    sdpa_backward_flop_count,
    sdpa_flop_count,
)

from intermask.config import TextConfig, TokenizerTraining, TransformerTraining
from intermask.data.synthetic import synthetic_clips, write_synthetic_body
from intermask.errors import MissingExtra
from intermask.models.autoencoder import MotionAutoencoder
from intermask.text import TextFeatures, load_text_encoder
from intermask.text.clip import ClipTextEncoder
from intermask.text.features import FrozenTextEncoder
from intermask.training.engine import start_engine
from intermask.training.loop import train_step
from intermask.training.state import TrainingState
from intermask.training.tokenizer_stage import TokenizerStage, training_statistics
from intermask.training.transformer_stage import TransformerStage

Precision = Literal["float32", "bfloat16"]
Training = TokenizerTraining | TransformerTraining

PARTS = ("data", "text", "tokenizer", "transformer", "optimiser")
WARM_UP_STEPS = 2
_FEW_CLIPS = 2
"""With mirror images and exchanged people eight views, soon met and kept."""
_CACHING_DRAWS = 30
_PEAK_SIZE = {"cpu": 2048, "cuda": 8192}
"""Rows of the square matrices whose product is the measure of a machine."""
_CLIP_HEAD_WIDTH = 64


@dataclass(frozen=True)
class Benchmark:
    """What a number of training steps took."""

    device: str
    threads: int
    precision: Precision
    batch_size: int
    seconds: tuple[float, ...]
    """Of every measured step."""
    shares: dict[str, float]
    """Of the measured time, by the names of `PARTS`."""
    peak_memory: int
    """Bytes: of the GPU, or of the whole process."""
    step_flops: float
    """Multiplications and additions of one step's matrix products, convolutions and attention."""
    peak_flops: dict[Precision, float]
    """A second, of a large matrix product: measured between the steps, the best of all tries."""

    @property
    def step_seconds(self) -> float:
        """The median step."""
        return statistics.median(self.seconds)

    @property
    def utilisation(self) -> float:
        """Achieved share of the matrix product's speed in the training's precision."""
        return self.step_flops / self.step_seconds / self.peak_flops[self.precision]


@dataclass(frozen=True)
class PrecisionComparison:
    """Losses of the same steps from the same start in two precisions."""

    float32: tuple[float, ...]
    bfloat16: tuple[float, ...]

    @property
    def means(self) -> tuple[float, float]:
        """Over the last fifth of the steps."""
        last = max(1, len(self.float32) // 5)
        return statistics.mean(self.float32[-last:]), statistics.mean(self.bfloat16[-last:])

    @property
    def relative(self) -> float:
        """How much higher the loss of bfloat16 is, as a share."""
        single, half = self.means
        return half / single - 1


class Stopwatch:
    """Time by the name of what is going on; what begins inside something else is not part of it."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds: dict[str, float] = defaultdict(float)
        self._open: list[str] = []
        self._since = 0.0

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what happens inside for this name."""
        self._count()
        self._open.append(name)
        try:
            yield
        finally:
            self._count()
            self._open.pop()

    def watch(self, owner: object, method: str, name: str) -> None:
        """Count every call of a method of one object for this name."""
        original = getattr(owner, method)

        def timed(*arguments: Any, **named: Any) -> Any:
            with self.part(name):
                return original(*arguments, **named)

        setattr(owner, method, timed)

    def _count(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        now = time.perf_counter()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now


def run_benchmark(
    training: Training,
    *,
    tokenizer: TokenizerTraining | None = None,
    device: str = "auto",
    steps: int = 10,
    cold: bool = False,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> Benchmark:
    """Measure training steps of a configuration.

    Args:
        training: of either stage; its batch size and precision are measured.
        tokenizer: for a transformer, whose tokens it is trained on (random weights).
        device: as for `select_device`.
        steps: measured ones; a few go before them.
        cold: every step meets new clips and captions, as before anything is cached.
        on_step: is told the measured steps that are done, and how many there will be.

    Raises:
        MissingExtra: the text encoder's package is not installed.
        UserError: the device cannot be used.
    """
    engine = start_engine(training.run, device)
    stage = make_stage(training, tokenizer, engine.device, cold=cold)
    state = TrainingState(stage.model, training.optimiser)
    watch = Stopwatch(engine.device)
    _watch_parts(watch, stage, state.optimiser)
    network = "tokenizer" if isinstance(stage, TokenizerStage) else "transformer"
    if not cold:
        for step in range(_CACHING_DRAWS if network == "transformer" else 0):
            stage.draw(step, engine.shares(training.run.accumulate)[0])

    def take(step: int) -> None:
        with watch.part(network):
            train_step(stage, state.optimiser, training.optimiser, training.run, step, engine)

    for step in range(WARM_UP_STEPS):
        take(step)
    with count_flops() as counter:
        take(WARM_UP_STEPS)
    speeds = Peak(engine.device)
    if engine.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(engine.device)
    watch.seconds.clear()
    seconds = []
    for number in range(steps):
        before = sum(watch.seconds.values())
        take(WARM_UP_STEPS + 1 + number)
        seconds.append(sum(watch.seconds.values()) - before)
        speeds.try_again()
        on_step(number + 1, steps)
    total = sum(watch.seconds.values())
    return Benchmark(
        _device_name(engine.device),
        torch.get_num_threads(),
        training.run.precision,
        training.optimiser.batch_size,
        tuple(seconds),
        {name: watch.seconds[name] / total for name in PARTS},
        _peak_memory(engine.device),
        float(counter.get_total_flops()),
        speeds.best,
    )


def compare_precisions(
    training: Training,
    *,
    tokenizer: TokenizerTraining | None = None,
    device: str = "auto",
    steps: int = 50,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> PrecisionComparison:
    """Train from the same start on the same batches in both precisions."""
    losses: dict[str, tuple[float, ...]] = {}
    precisions: tuple[Precision, ...] = ("float32", "bfloat16")
    for number, precision in enumerate(precisions):
        chosen: Any = replace(training, run=replace(training.run, precision=precision))
        engine = start_engine(chosen.run, device)
        stage = make_stage(chosen, tokenizer, engine.device)
        state = TrainingState(stage.model, chosen.optimiser)
        values = []
        for step in range(steps):
            numbers = train_step(stage, state.optimiser, chosen.optimiser, chosen.run, step, engine)
            values.append(numbers["loss"])
            on_step(number * steps + step + 1, len(precisions) * steps)
        losses[precision] = tuple(values)
    return PrecisionComparison(losses["float32"], losses["bfloat16"])


def make_stage(
    training: Training,
    tokenizer: TokenizerTraining | None,
    device: torch.device,
    *,
    cold: bool = False,
) -> TokenizerStage | TransformerStage:
    """A stage of this configuration on synthetic clips as long as it takes them."""
    alone = training if isinstance(training, TokenizerTraining) else tokenizer
    if alone is None:
        raise ValueError(
            "a transformer is measured on the tokens of a tokenizer; give its training"
        )
    # Longer clips are cropped at random, so that hardly a view comes twice.
    frames = training.max_frames * (2 if cold else 1) + 1
    count, captions = (training.optimiser.batch_size, 1000) if cold else (_FEW_CLIPS, 2)
    clips = [synthetic_clips(alone.model.dataset, count, frames, captions)]
    if isinstance(training, TokenizerTraining):
        with tempfile.TemporaryDirectory() as folder:
            body = Path(folder) / "body.npz"
            write_synthetic_body(body)
            chosen = replace(training, body_model=str(body))
            normaliser = training_statistics(clips, chosen)
            stage = TokenizerStage(chosen, clips, clips, normaliser, device, fresh=False)
        if training.freeze_codes:  # in training they come from clustering, which takes minutes
            randomise_codes(stage.model)
        return stage
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.run.seed)
        autoencoder = MotionAutoencoder(alone.model)
    randomise_codes(autoencoder)
    normaliser = training_statistics(clips, replace(alone, max_frames=training.max_frames))
    encoder = SyntheticText.of(training.text)
    return TransformerStage(
        training, autoencoder, normaliser, alone.floor, encoder, clips, clips, device
    )


@torch.no_grad()
def randomise_codes(autoencoder: MotionAutoencoder) -> None:
    """Codes as different as those of a trained tokenizer."""
    codebook = autoencoder.codebook
    generator = torch.Generator().manual_seed(0)
    codebook.codebook.copy_(torch.randn(codebook.codebook.shape, generator=generator))
    codebook.initialised.fill_(True)


class SyntheticText(FrozenTextEncoder):
    """A CLIP text tower of the real size with random weights: texts cost what they cost."""

    name = "clip"

    def __init__(self, tower: ClipTextEncoder) -> None:
        super().__init__()
        self.tower, self.width, self.max_tokens = tower, tower.width, tower.max_tokens
        self.freeze()

    @staticmethod
    def of(config: TextConfig) -> FrozenTextEncoder:
        """What reads text for this configuration; MiniLM is the real one.

        Raises:
            MissingExtra: its package is not installed.
        """
        if config.encoder == "minilm":
            return load_text_encoder("minilm")
        try:
            from transformers import CLIPTextConfig, CLIPTextModel
        except ImportError as error:
            raise MissingExtra("clip", "transformers") from error
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            tower = CLIPTextModel(
                CLIPTextConfig(
                    hidden_size=config.width,
                    intermediate_size=4 * config.width,
                    num_hidden_layers=12,
                    num_attention_heads=max(1, config.width // _CLIP_HEAD_WIDTH),
                    hidden_act="quick_gelu",
                )
            )
        return SyntheticText(ClipTextEncoder(tower))

    def encode(self, captions: Sequence[str]) -> TextFeatures:
        """Features (b, 77, w); every word has an id that its letters decide."""
        ids = torch.zeros(len(captions), self.max_tokens, dtype=torch.int64)
        end = self.tower.vocabulary_size - 1
        for row, caption in enumerate(captions):
            words = [zlib.crc32(word.encode()) % (end - 1) for word in caption.split()]
            words = [end - 1, *words[: self.max_tokens - 2], end]
            ids[row, : len(words)] = torch.tensor(words)
        return self.tower.encode_ids(ids)

    def count_tokens(self, caption: str) -> int:
        """Words, start and end."""
        return len(caption.split()) + 2


def _watch_parts(
    watch: Stopwatch,
    stage: TokenizerStage | TransformerStage,
    optimiser: torch.optim.Optimizer,
) -> None:
    watch.watch(stage, "draw", "data")
    watch.watch(optimiser, "step", "optimiser")
    if isinstance(stage, TransformerStage):
        watch.watch(stage.tokenizer, "tokenize", "tokenizer")
        watch.watch(stage.model.text_head, "forward", "text")
        watch.watch(stage.encoder, "encode", "text")


def count_flops() -> FlopCounterMode:
    """A counter of arithmetic that also knows attention's kernel on processors."""

    def forward(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
        return int(sdpa_flop_count(query, key, value))

    def backward(gradient: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
        return int(sdpa_backward_flop_count(gradient, query, key, value))

    kernel = "_scaled_dot_product_flash_attention_for_cpu"
    known = {
        getattr(torch.ops.aten, kernel): forward,
        getattr(torch.ops.aten, f"{kernel}_backward"): backward,
    }
    return FlopCounterMode(display=False, custom_mapping=known)


class Peak:
    """The best speed of a large matrix product so far, in both precisions.

    Args:
        device: that is measured.
        clock: in seconds; that of the process measures processors which others use, too.
    """

    def __init__(
        self, device: torch.device, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.device, self._clock = device, clock
        self.best: dict[Precision, float] = {"float32": 0.0, "bfloat16": 0.0}
        size = _PEAK_SIZE.get(device.type, 2048)
        self._matrix = torch.randn(size, size, device=device)
        for _ in range(2):
            self.try_again()

    def try_again(self) -> None:
        """One product of each; machines that others use, too, are not always equally fast."""
        for name in self.best:
            matrix = self._matrix.to(getattr(torch, name))
            self._wait()
            started = self._clock()
            torch.mm(matrix, matrix)
            self._wait()
            speed = 2 * len(matrix) ** 3 / (self._clock() - started)
            self.best[name] = max(self.best[name], speed)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
