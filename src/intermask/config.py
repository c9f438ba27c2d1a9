"""Every configuration: frozen, validated once, saved as JSON. Needs no torch."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from intermask.conventions import FloorRule

GraphScope = Literal["all_frames", "first_frame", "none"]
PositionFrame = Literal["world", "root"]
Distance = Literal["smooth_l1", "l1"]
RotationOrder = Literal["two_columns", "interleaved"]
TieOrder = Literal["position", "unstable"]
DataSet = Literal["interhuman", "interx"]
"""Whose motion a model knows: InterHuman's 22 joints, or Inter-X's SMPL-X with hands."""

GRIDS: dict[DataSet, tuple[int, int]] = {"interhuman": (22, 12), "interx": (56, 6)}
"""Joints and features a joint of each dataset's grid (method, sections 2 and 3)."""

BODY_ROWS = 10
"""Rows of a token map whose rows are parts of the body."""

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class TokenizerConfig:
    """The 2D VQ-VAE (method, section 3). Defaults are the paper's for InterHuman."""

    joints: int = 22
    """Rows of the joint grid."""
    joint_features: int = 12
    """Channels of the joint grid."""
    width: int = 512
    """Channels of every convolution, and of a code."""
    decoder_width: int = 256
    """Channels of the decoder's convolutions over time; architecture ``patch`` alone has them."""
    codebook_size: int = 1024
    """Codes that a token may take."""
    row_codebooks: bool = False
    """Every row of the token map has a codebook of its own, of ``codebook_size`` codes; for
    architecture ``patch``, whose rows hold different components. The paper's rows share one."""
    ema_decay: float = 0.99
    assignment_temperature: float = 0.5
    """Gumbel noise when training assigns codes (0.5 in the paper); 0 takes the nearest code."""
    residual_depth: int = 2
    dilation_growth: int = 3
    dropout: float = 0.2
    kernel: tuple[int, int] = (4, 4)
    """Body and time size of the downsampling convolutions."""
    stride: tuple[int, int] = (2, 2)
    """Body and time stride of the downsampling convolutions; two of them follow each other."""
    upsampling: tuple[tuple[float, float], tuple[float, float]] = ((2.2, 2.0), (2.0, 2.0))
    """Body and time factors of the decoder's two nearest-neighbour upsamplings."""
    architecture: Literal["grid", "patch"] = "grid"
    """``grid``: the paper's graph layers and convolutions over joints and frames. ``patch``: a
    linear map of whole token columns that starts as principal components (see `models.patches`);
    it needs ``position_frame = "root"`` and ignores kernel, stride, upsampling and graph_scope."""
    patch_frames: int = 4
    """Frames of a token column of architecture ``patch``."""
    patch_rows: int = 5
    """Rows of its token map. Twice the frames and twice the rows are as many tokens, which say
    more: motion is smooth."""
    patch_layout: Literal["spread", "body"] = "spread"
    """What rows of architecture ``patch`` tell: ``spread``: each a share of all components;
    ``body``: three the pelvis, three legs and trunk, two the left and two the right arm."""
    patch_smoothing: int = 0
    """How often the decoder of architecture ``patch`` averages frames with their neighbours: seams
    between columns are small in joints' places and large in their jerk."""
    graph_scope: GraphScope = "all_frames"
    """Frames on which joints exchange messages. Released weights need ``first_frame`` (a quirk of
    their edge list); ``none`` replaces the graph by a 3x3 convolution (Inter-X)."""
    position_frame: PositionFrame = "world"
    """``root``: inside the network the pelvis's motion is apart from the pose (see
    `models.root_frame`), and rows of the grid know which joint they are. ``world``: as released."""

    def __post_init__(self) -> None:
        _choices(self)
        _positive(self, "joints", "joint_features", "width", "codebook_size", "residual_depth")
        _positive(self, "decoder_width", "patch_frames", "patch_rows")
        _fraction(self, "ema_decay", "dropout")
        if self.architecture == "patch" and self.position_frame != "root":
            raise ValueError('architecture "patch" needs position_frame "root"')
        if self.row_codebooks and self.architecture != "patch":
            raise ValueError('row_codebooks needs architecture "patch"')
        if self.patch_smoothing < 0:
            raise ValueError(f"patch_smoothing is {self.patch_smoothing}; expected 0 or more")
        fits = self.row_codebooks and self.patch_rows == BODY_ROWS
        if self.patch_layout == "body" and not fits:
            raise ValueError(f'patch_layout "body" needs row_codebooks and patch_rows {BODY_ROWS}')
        if (self.joints, self.joint_features) not in GRIDS.values():
            grids = " or ".join(f"{j} with {f} ({name})" for name, (j, f) in GRIDS.items())
            raise ValueError(
                f"joints is {self.joints} with joint_features {self.joint_features}; choose {grids}"
            )
        if self.dataset == "interx" and (
            self.graph_scope != "none" or self.position_frame != "world"
        ):
            raise ValueError(
                "the joint graph and the root frame know 22 joints; with 56 (Inter-X) set "
                'graph_scope "none" and position_frame "world"'
            )

    @property
    def dataset(self) -> DataSet:
        """Whose motion this tokenizer reads: the grids tell."""
        grid = (self.joints, self.joint_features)
        return next(name for name, known in GRIDS.items() if known == grid)

    @staticmethod
    def interx(**changes: Any) -> TokenizerConfig:
        """Shapes for Inter-X: 55 SMPL-X joints and the root's row, 6 features each."""
        values: dict[str, Any] = {
            "joints": 56,
            "joint_features": 6,
            "kernel": (6, 4),
            "stride": (3, 2),
            "upsampling": ((3.5, 2.0), (3.3, 2.0)),
            "graph_scope": "none",
        }
        return TokenizerConfig(**(values | changes))


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """Which frozen text encoder is read, and the trainable head on it (method, section 4)."""

    encoder: Literal["clip", "minilm"] = "clip"
    width: int = 768
    """Features a text token."""
    head_layers: int = 2
    head_heads: int = 8
    head_feedforward: int = 2048
    head_dropout: float = 0.1
    pooling: Literal["end", "mean", "words", "phrases"] = "end"
    """What of a caption conditions the motion: the feature at its end, behind the head's layers
    (the paper's), or the mean of its tokens, standardised over the training captions. Sentences
    about one kind of motion hardly differ in their raw features; a small model then never learns
    to listen, and standardised ones tell them apart from the first step. ``words`` adds to this
    mean what learned queries find in single words, such as sides; ``phrases`` what filters find in
    a few neighbouring words, such as whose side."""

    def __post_init__(self) -> None:
        _choices(self)
        _positive(self, "width", "head_heads", "head_feedforward")
        _divides(self, "head_heads", "width")


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """Inter-M (method, section 4). Defaults are the paper's."""

    codebook_size: int = 1024
    code_dim: int = 512
    """Width of a token's embedding before the projection."""
    width: int = 384
    layers: int = 6
    heads: int = 6
    feedforward: int = 1024
    dropout: float = 0.2
    condition_width: int = 768
    """Width of the pooled text feature."""
    rows: int = 5
    """Body rows of the token map."""
    row_codebooks: bool = False
    """As in the tokenizer: a code's embedding and logits are those of its row."""
    whole_columns: bool = False
    """One position for all rows of a column, in place of one for each token: the sequence is as
    many times shorter as there are rows. Not part of the paper. Needs ``row_codebooks``."""
    reach: int = 0
    """Columns to each side that the position of a whole column reads beside its own."""
    modulation_width: int = 0
    """Channels of the text from which shifts, scales and gates are made; 0: ``width``, as in the
    paper."""
    condition_norm: bool = False
    """Normalise what the blocks read of the text: a text head that learns to be understood else
    does so by speaking louder. Not part of the paper."""
    geometry_channels: int = 0
    """Channels of the tokenizer's code vectors, from which both people's joints are computed before
    every second block, and told to each as seen from the own pelvis. Not part of the paper; 0:
    nothing is. Needs ``whole_columns``, and codes that tell places, as the patch tokenizer's do."""

    def __post_init__(self) -> None:
        _positive(self, "codebook_size", "code_dim", "width", "layers", "heads", "feedforward")
        if self.whole_columns and not self.row_codebooks:
            raise ValueError("whole_columns needs row_codebooks: each row has logits of its own")
        if self.modulation_width < 0 or self.geometry_channels < 0:
            raise ValueError(
                f"modulation_width is {self.modulation_width} and geometry_channels "
                f"{self.geometry_channels}; expected 0 or more"
            )
        if self.reach < 0 or (self.reach and not self.whole_columns):
            raise ValueError(f"reach is {self.reach}; it needs whole_columns, and is 0 or more")
        if self.geometry_channels and (not self.whole_columns or self.layers < 2):
            raise ValueError("geometry_channels needs whole_columns and at least two layers")
        _divides(self, "heads", "width")
        if self.width % 4:
            raise ValueError(f"width is {self.width}; 2D sinusoidal positions need a multiple of 4")
        _fraction(self, "dropout")


@dataclass(frozen=True, kw_only=True)
class MaskingConfig:
    """How training hides tokens (method, section 4)."""

    whole_person_probability: float = 0.2
    random_code_fraction: float = 0.1
    mask_fraction: float = 0.88
    """Of the chosen tokens that did not become a random code, the share that becomes MASK."""
    first_rounds_probability: float = 0.0
    """Share of samples that look as in the sampler's first rounds: nearly everything is hidden, and
    what is hidden is MASK without exception. The paper's noise leaves a fifth of the chosen tokens
    visible; a model that sees few motions then copies them and never learns what a text alone
    decides."""
    soft_targets: float = 0.0
    """How far, in distances to the nearest code, other codes pass for the right one: deviation of a
    Gaussian about its code vector. Not part of the paper; 0: only the code itself."""
    condition_dropout: float = 0.1
    unroll_weight: float = 1.0
    """Weight of the second pass on the model's own predictions; 0 skips it."""

    def __post_init__(self) -> None:
        if self.soft_targets < 0:
            raise ValueError(f"soft_targets is {self.soft_targets}; expected 0 or more")
        _fraction(
            self,
            "whole_person_probability",
            "random_code_fraction",
            "mask_fraction",
            "first_rounds_probability",
            "condition_dropout",
        )


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """How tokens are filled in (method, section 5)."""

    steps: int = 20
    reaction_steps: int = 20
    """Rounds when one person is given. The released code halves them (10 of 20)."""
    guidance: float = 2.0
    """Scale of classifier-free guidance; 1 is none."""
    keep_fraction: float = 0.1
    """Share of the codes, best first, that may be sampled."""
    temperature: float = 1.0
    """Divides the logits: above 1 more variety, below 1 less, 0 always the best code."""
    confidence_noise: float = 0.0
    """Gumbel noise on the logarithm of confidence, fading over the rounds (as in MaskGIT). At 0,
    the released form, the surest tokens settle first; in a small model those are of people who
    hardly move. Noise lets the text decide about the first ones."""
    revisions: int = 0
    """Rounds after the last one, each of which hides a quarter of the new tokens, drawn at random,
    and draws them anew. Tokens that were drawn in the same round do not know of each other; this
    lets them agree. 0 is the paper's form."""
    revision_temperature: float = 0.7
    drafts: int = 1
    """Motions that are made where one is asked for, to keep the best; evaluations make one."""
    tie_order: TieOrder = "position"
    """Which of equally sure tokens is drawn anew: the first in the sequence, or (as released)
    whichever an unstable sort puts first, which varies with padding and processor."""

    def __post_init__(self) -> None:
        _choices(self)
        _positive(self, "steps", "reaction_steps", "drafts")
        if not 0 < self.keep_fraction <= 1:
            raise ValueError(f"keep_fraction is {self.keep_fraction}; expected above 0 and up to 1")
        for name in ("temperature", "confidence_noise", "revisions", "revision_temperature"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; expected 0 or more")


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """Weights of the tokenizer's loss terms and their two conventions (method, section 3)."""

    commitment: float = 0.02
    position: float = 1.0
    velocity: float = 100.0
    bone: float = 5.0
    rotation: float = 0.01
    foot: float = 500.0
    distance: Distance = "smooth_l1"
    rotation_order: RotationOrder = "two_columns"
    """How the geodesic term reads the 6D columns: as released, or in their true order."""

    def __post_init__(self) -> None:
        _choices(self)


@dataclass(frozen=True, kw_only=True)
class OptimiserConfig:
    """AdamW, linear warm-up, step decay."""

    steps: int = 10_000
    """Optimiser steps of the whole run."""
    batch_size: int = 256
    learning_rate: float = 2e-4
    text_rate: float = 1.0
    """Factor on the learning rate of the text head and of the projection behind it. A clip has
    hundreds of tokens but one caption, and a head that has learned to hear (``hearing_steps``)
    forgets it at the pace that suits the rest."""
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.0
    warmup_steps: int = 100
    decay_at: tuple[float, ...] = (0.7, 0.85)
    """Shares of the run after which the learning rate is multiplied by ``decay``."""
    decay: float = 0.1
    gradient_clip: float = 1.0
    """Largest gradient norm; 0 leaves gradients alone."""
    average_decay: float = 0.0
    """Decay of an averaged copy of the weights that is validated and bundled; 0 keeps none."""

    def __post_init__(self) -> None:
        _positive(self, "steps", "batch_size", "learning_rate", "text_rate")
        _fraction(self, "average_decay")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What every training run shares."""

    seed: int = 3407
    validate_every: int = 500
    save_every: int = 500
    log_every: int = 20
    best_metric: str = ""
    """Validation number by which the best checkpoint is chosen; empty: the stage's own choice."""
    precision: Literal["float32", "bfloat16"] = "float32"
    devices: int = 1
    """Devices of this machine that share every batch. Under torchrun, which may span several
    machines, its processes count instead."""
    accumulate: int = 1
    """Parts in which each device computes its share of a batch, one after the other, to save
    memory. Neither this nor the number of devices changes what is learned."""
    compile: bool = False
    """Let torch.compile make the networks faster; needs a C++ compiler or a GPU with Triton."""
    workers: int = 0

    def __post_init__(self) -> None:
        _choices(self)
        _positive(self, "validate_every", "save_every", "log_every", "devices", "accumulate")


@dataclass(frozen=True, kw_only=True)
class TokenizerTraining:
    """Stage 1: one file that says everything about a tokenizer run."""

    body_model: str = ""
    """SMPLX_NEUTRAL.npz, from which the losses of Inter-X know where joints rest; empty: looked
    for in the data folders."""
    model: TokenizerConfig = field(default_factory=TokenizerConfig)
    losses: LossWeights = field(default_factory=LossWeights)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    run: RunConfig = field(default_factory=RunConfig)
    window: int = 64
    """Frames of a training window."""
    window_stride: int = 10
    quantise_from: int = 0
    """Step from which latents are quantised. Before it the network is a plain autoencoder, so
    that the codes start from latents that already mean something; the paper starts at 0."""
    freeze_codes: bool = False
    """Encoder and codes stay as they start, only the decoder learns. For architecture ``patch``,
    whose start is better than what small batches make of it."""
    code_noise: float = 0.0
    """How far, in distances to the nearest code, codes are mistaken for others while the decoder
    learns: deviation of a Gaussian about the code vector. A transformer's codes are never all
    right; a decoder that met such ones makes more of them. Needs ``model.row_codebooks``."""
    max_frames: int = 300
    """Longer clips are cropped before windows are cut, so that places stay near the origin."""
    floor: FloorRule = "per_person"
    mirror: bool = True
    """Also train on mirror images."""

    def __post_init__(self) -> None:
        _choices(self)
        _positive(self, "window", "window_stride", "max_frames")
        if self.freeze_codes and self.model.architecture != "patch":
            raise ValueError(
                'freeze_codes needs model.architecture "patch": a grid starts at noise'
            )
        if self.code_noise < 0 or (self.code_noise and not self.model.row_codebooks):
            raise ValueError(
                f"code_noise is {self.code_noise}; it needs model.row_codebooks, and is 0 or more"
            )
        if self.model.row_codebooks and not self.freeze_codes:
            raise ValueError("model.row_codebooks needs freeze_codes: they do not follow training")


@dataclass(frozen=True, kw_only=True)
class TransformerTraining:
    """Stage 2: one file that says everything about a transformer run."""

    model: TransformerConfig = field(default_factory=TransformerConfig)
    text: TextConfig = field(default_factory=TextConfig)
    masking: MaskingConfig = field(default_factory=MaskingConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    run: RunConfig = field(default_factory=RunConfig)
    start_from_codes: bool = False
    """Token embeddings and logits start from the tokenizer's code vectors, so that codes of alike
    poses begin alike; needs ``model.code_dim`` as wide as a code. The paper starts at random."""
    hearing_steps: int = 0
    """Steps before the first one in which the text head alone learns to name what captions state,
    where the data's ground truth tells it (the open dataset's; other data goes without). Not part
    of the paper: motion tells a head only slowly that "left" matters."""
    hearing_weight: float = 0.0
    """Weight of the same task along the training, so that what was heard is not forgotten before
    the network can follow it. Not part of the paper."""
    geometry_weight: float = 0.0
    """Weight of how far expected code vectors, and the ways from hands to the partner that follow
    from them, are from the truth. Not part of the paper; needs ``model.geometry_channels``."""
    max_frames: int = 300
    mirror: bool = True
    midway_probability: float = 0.0
    """Share of samples that begin somewhere in their clip instead of where it begins, with two
    seconds left at least. A story's later windows begin midway; the paper's clips never do unless
    they are longer than ``max_frames``."""

    def __post_init__(self) -> None:
        _positive(self, "max_frames")
        _fraction(self, "midway_probability")
        if self.hearing_steps < 0:
            raise ValueError(f"hearing_steps is {self.hearing_steps}; expected 0 or more")
        if self.hearing_weight < 0:
            raise ValueError(f"hearing_weight is {self.hearing_weight}; expected 0 or more")
        if self.geometry_weight and not self.model.geometry_channels:
            raise ValueError("geometry_weight needs model.geometry_channels")


@dataclass(frozen=True, kw_only=True)
class EvaluatorConfig:
    """An evaluator of our own: a motion transformer and a head on a frozen text encoder.

    Defaults are the sizes of InterCLIP (method, section 6).
    """

    dataset: DataSet = "interhuman"
    """Whose motion it reads. A training takes it from its data folders."""
    width: int = 1024
    """Of the motion transformer."""
    layers: int = 8
    heads: int = 8
    feedforward: int = 2048
    embedding: int = 512
    """Numbers that a caption or a motion becomes."""
    dropout: float = 0.1
    start_scale: float = 3.78
    """Length of every embedding before training learns it; products of embeddings are the logits
    of the loss, so this is CLIP's temperature of 0.07."""

    def __post_init__(self) -> None:
        _choices(self)
        _positive(self, "width", "layers", "heads", "feedforward", "embedding", "start_scale")
        _divides(self, "heads", "width")
        if self.width % 2:
            raise ValueError(f"width is {self.width}; sines and cosines need an even one")
        _fraction(self, "dropout")


@dataclass(frozen=True, kw_only=True)
class EvaluatorTraining:
    """One file that says everything about the training of an evaluator.

    ``run.best_metric``: r_precision_1, r_precision_2, r_precision_3 (by itself) or cross_entropy.
    """

    model: EvaluatorConfig = field(default_factory=EvaluatorConfig)
    text: TextConfig = field(default_factory=lambda: TextConfig(encoder="minilm", width=384))
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    run: RunConfig = field(default_factory=RunConfig)
    pool: int = 32
    """Clips among which R-precision searches, in validation and whenever this evaluator is used."""
    max_frames: int = 300
    shortest_crop: float = 1.0
    """Clips are cropped at random to no less than this share of what is usable of them; 1: only
    where they are longer than ``max_frames``."""
    floor: FloorRule = "per_person"
    """Whose lowest point is the floor; that of the models to be measured. Inter-X has none."""
    mirror: bool = True
    """Also train on mirror images, with left and right exchanged in their captions."""

    def __post_init__(self) -> None:
        _choices(self)
        _positive(self, "max_frames", "shortest_crop")
        _fraction(self, "shortest_crop")
        if self.pool < 4:
            raise ValueError(f"pool is {self.pool}; the best 3 of it say something from 4 on")


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Everything a bundle needs to be rebuilt and used."""

    name: str
    tokenizer: TokenizerConfig
    transformer: TransformerConfig
    text: TextConfig
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    floor: FloorRule = "per_person"
    dataset: DataSet = "interhuman"
    """Whose features the tokenizer reads and writes."""
    max_frames: int = 300

    def __post_init__(self) -> None:
        _choices(self)
        if self.tokenizer.codebook_size != self.transformer.codebook_size:
            raise ValueError(
                f"the tokenizer has {self.tokenizer.codebook_size} codes, the transformer "
                f"{self.transformer.codebook_size}; they must come from the same training"
            )
        if self.text.width != self.transformer.condition_width:
            raise ValueError(
                f"text features are {self.text.width} wide, the transformer expects "
                f"{self.transformer.condition_width}"
            )


T = TypeVar("T")


def to_dict(config: Any) -> dict[str, Any]:
    """Plain nested dictionary of a configuration, ready for JSON."""
    return dataclasses.asdict(config)


def from_dict(kind: type[T], values: dict[str, Any], where: str = "") -> T:
    """Configuration of a class from nested dictionaries; missing keys take their defaults.

    Raises:
        ValueError: an unknown key (the nearest valid one is named) or a value of a wrong type.
    """
    hints = typing.get_type_hints(kind)
    known = {item.name for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    arguments: dict[str, Any] = {}
    for key, value in values.items():
        path = f"{where}{key}"
        if key not in known:
            near = difflib.get_close_matches(key, sorted(known), n=1)
            hint = (
                f"; did you mean {where}{near[0]}?"
                if near
                else f"; keys: {', '.join(sorted(known))}"
            )
            raise ValueError(f"unknown setting {path}{hint}")
        arguments[key] = _convert(hints[key], value, path)
    return kind(**arguments)


def _convert(kind: Any, value: Any, path: str) -> Any:
    origin = typing.get_origin(kind)
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, dict):
            raise ValueError(f"{path} is {value!r}; expected a table of settings")
        return from_dict(typing.cast("type[Any]", kind), value, f"{path}.")
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{path} is {value!r}; expected a list")
        inner = typing.get_args(kind)
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else list(inner)
        if len(kinds) != len(value):
            raise ValueError(f"{path} has {len(value)} entries; expected {len(kinds)}")
        return tuple(_convert(k, v, path) for k, v in zip(kinds, value, strict=True))
    if origin in (typing.Union, types.UnionType):
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(kind, type) and (
        not isinstance(value, kind) or (kind is int and isinstance(value, bool))
    ):
        raise ValueError(f"{path} is {value!r}; expected {kind.__name__}")
    return value


def _choices(config: Any) -> None:
    for name, hint in typing.get_type_hints(type(config)).items():
        if typing.get_origin(hint) is Literal and getattr(config, name) not in typing.get_args(
            hint
        ):
            options = ", ".join(map(str, typing.get_args(hint)))
            raise ValueError(f"{name} is {getattr(config, name)!r}; choose one of {options}")


def _positive(config: Any, *names: str) -> None:
    for name in names:
        if not getattr(config, name) > 0:
            raise ValueError(f"{name} is {getattr(config, name)}; expected above 0")


def _fraction(config: Any, *names: str) -> None:
    for name in names:
        if not 0 <= getattr(config, name) <= 1:
            raise ValueError(f"{name} is {getattr(config, name)}; expected between 0 and 1")


def _divides(config: Any, divisor: str, number: str) -> None:
    if getattr(config, number) % getattr(config, divisor):
        raise ValueError(
            f"{number} ({getattr(config, number)}) must be a multiple of {divisor} "
            f"({getattr(config, divisor)})"
        )
