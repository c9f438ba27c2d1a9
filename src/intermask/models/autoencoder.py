"""The motion tokenizer: a 2D VQ-VAE over body and time (method, section 3; paper, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from intermask.config import GraphScope, TokenizerConfig
from intermask.models import patches, root_frame
from intermask.models.dropout import Dropout
from intermask.models.patches import PatchDecoder, PatchEncoder
from intermask.models.quantizer import EMACodebook, Noise, RowCodebooks
from intermask.models.root_frame import RootFrame
from intermask.models.short_convolution import Convolution
from intermask.models.upsampling import convolve_upsampled
from intermask.skeleton import SMPL22

STRIDES = 2
"""Downsampling stages; every stage halves time."""


@dataclass(frozen=True)
class AutoencoderOutput:
    """One pass through encoder, codebook and decoder."""

    reconstruction: Tensor
    """(b, t, j, d) normalised joint grid."""
    tokens: Tensor
    """(b, s, n) int64."""
    latents: Tensor
    """(m, c) what was quantised, detached, in the order of b, n, s; the codes follow it."""
    indices: Tensor
    """(m,) codes of the latents: the tokens in the latents' order."""
    commitment: Tensor
    perplexity: Tensor


class MotionAutoencoder(nn.Module):
    """One person's joint grid (b, t, j, d) to a map of tokens (b, s, n) and back.

    Args:
        config: sizes and scopes; see `TokenizerConfig`.
    """

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        self.config = config
        self.frame = RootFrame() if config.position_frame == "root" else None
        self.encoder, self.decoder = _body(config)
        self.codebook = _codebook(config)
        self._initialise()

    def _initialise(self) -> None:
        """Signals keep their size at any depth, residual branches start silent, outputs small.

        With torch's default every plain convolution shrinks the signal, and a deep stack starts
        by predicting the mean for hundreds of steps; outputs that start large cost as many.
        """
        for module in self.modules():
            if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, ResidualBlock):
                nn.init.zeros_(module.mix.weight)
        if isinstance(self.decoder, Decoder):
            with torch.no_grad():
                for parameter in self.decoder.leave.parameters():
                    parameter.mul_(0.3)
        else:
            self.decoder.start_silent()

    @torch.no_grad()
    def fit_start(self, grids: Tensor, generator: torch.Generator) -> None:
        """Take what closed forms can give of normalised windows (b, t, j, d), before training.

        The root frame's statistics, and for patches the principal components and codes from
        Lloyd's algorithm.
        """
        if self.frame is None:
            return
        if not isinstance(self.encoder, PatchEncoder) or not isinstance(self.decoder, PatchDecoder):
            self.frame.fit([grids.flatten(0, 1)])
            return
        shared = not self.config.row_codebooks
        by_body = self.config.patch_layout == "body"
        patches.fit(self.encoder, self.decoder, self.frame.split(grids), shared, by_body)
        self.codebook.start_from_clusters(self.latent_rows(grids), generator)

    @property
    def stride(self) -> int:
        """Frames a token column."""
        if self.config.architecture == "patch":
            return self.config.patch_frames
        return int(self.config.stride[1] ** STRIDES)

    @property
    def rows(self) -> int:
        """Body rows of the token map."""
        if self.config.architecture == "patch":
            return self.config.patch_rows
        rows = self.config.joints
        for _ in range(STRIDES):
            rows = (rows + 2 - self.config.kernel[0]) // self.config.stride[0] + 1
        return rows

    def forward(self, grid: Tensor, noise: Noise = None) -> AutoencoderOutput:
        """Reconstruct normalised joint grids (b, t, j, d); t a multiple of `stride`.

        Args:
            grid: one person each.
            noise: for the assignment of codes in training mode; see `EMACodebook`.
        """
        batch, columns = len(grid), grid.shape[1] // self.stride
        latents = self.latent_rows(grid)
        with torch.autocast(latents.device.type, enabled=False):
            quantised = self.codebook(latents, noise)
        codes = rearrange(quantised.vectors, "(b n s) c -> b c s n", b=batch, n=columns)
        tokens = rearrange(quantised.indices, "(b n s) -> b s n", b=batch, n=columns)
        reconstruction = self.decode_latent(codes)
        return AutoencoderOutput(
            reconstruction,
            tokens,
            latents.detach(),
            quantised.indices,
            quantised.commitment,
            quantised.perplexity,
        )

    def reconstruct_unquantised(self, grid: Tensor) -> Tensor:
        """What encoder and decoder alone make of joint grids (b, t, j, d)."""
        return self.decode_latent(self.encode(grid))

    def encode(self, grid: Tensor) -> Tensor:
        """Latents (b, c, s, n) before quantisation.

        Raises:
            ValueError: another grid than the configuration's, or t not a multiple of `stride`.
        """
        expected = (self.config.joints, self.config.joint_features)
        if grid.ndim != 4 or tuple(grid.shape[2:]) != expected or grid.shape[1] % self.stride:
            raise ValueError(
                f"a joint grid has shape {tuple(grid.shape)}; expected (batch, frames, "
                f"{expected[0]}, {expected[1]}) with frames a multiple of {self.stride}"
            )
        if self.frame is not None:
            grid = self.frame.split(grid)
        return self.encoder(rearrange(grid, "b t j d -> b d j t"))

    def latent_rows(self, grid: Tensor) -> Tensor:
        """Latents (m, c) of joint grids (b, t, j, d) in the codebook's order b, n, s; float32."""
        return rearrange(self.encode(grid).float(), "b c s n -> (b n s) c")

    def tokenize(self, grid: Tensor) -> Tensor:
        """Nearest codes (b, s, n) of normalised joint grids (b, t, j, d)."""
        batch, columns = len(grid), grid.shape[1] // self.stride
        indices = self.codebook.assign(self.latent_rows(grid))
        return rearrange(indices, "(b n s) -> b s n", b=batch, n=columns)

    def decode(self, tokens: Tensor) -> Tensor:
        """Normalised joint grids (b, 4n, j, d) of tokens (b, s, n).

        Every sample must be decoded at its own number of columns: padding changes its end.
        """
        return self.decode_latent(rearrange(self.codebook.lookup(tokens), "b s n c -> b c s n"))

    def decode_latent(self, codes: Tensor) -> Tensor:
        """Normalised joint grids (b, t, j, d) of code vectors (b, c, s, n)."""
        grid = rearrange(self.decoder(codes), "b d j t -> b t j d")
        return grid if self.frame is None else self.frame.join(grid)


def _body(
    config: TokenizerConfig,
) -> tuple[Encoder | PatchEncoder, Decoder | PatchDecoder]:
    """Encoder (b, d, j, t) -> (b, c, s, n) and decoder of the configured architecture."""
    if config.architecture == "grid":
        return Encoder(config), Decoder(config)
    frames, rows, width = config.patch_frames, config.patch_rows, config.width
    depth = STRIDES * config.residual_depth
    return (
        PatchEncoder(frames, rows, width),
        PatchDecoder(frames, rows, width, config.decoder_width, depth, config.patch_smoothing),
    )


def _codebook(config: TokenizerConfig) -> EMACodebook | RowCodebooks:
    size, width = config.codebook_size, config.width
    if config.row_codebooks:
        return RowCodebooks(config.patch_rows, size, width)
    return EMACodebook(size, width, config.ema_decay, config.assignment_temperature)


class JointGraph(nn.Module):
    """One GraphSAGE layer with projection over the body's 21 bones (Hamilton et al. 2017).

    ``out_j = neighbours(mean over adjacent i of relu(project(x_i))) + self(x_j)``.

    Args:
        width_in: channels in.
        width_out: channels out.
        scope: frames on which messages pass; elsewhere the mean is 0.
    """

    mixing: Tensor

    def __init__(self, width_in: int, width_out: int, scope: GraphScope) -> None:
        super().__init__()
        self.scope = scope
        self.project = nn.Linear(width_in, width_in)
        self.neighbours = nn.Linear(width_in, width_out)
        self.own = nn.Linear(width_in, width_out, bias=False)
        adjacency = torch.zeros(SMPL22.joint_count, SMPL22.joint_count)
        for parent, child in SMPL22.bones:
            adjacency[parent, child] = adjacency[child, parent] = 1.0
        self.register_buffer("mixing", adjacency / adjacency.sum(1, keepdim=True), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(b, j, t, c) to (b, j, t, c')."""
        if self.scope == "all_frames":
            return self.neighbours(self.messages(x)) + self.own(x)
        first = self.neighbours(self.messages(x[:, :, :1]))
        silent = self.neighbours.bias.expand(*x.shape[:2], x.shape[2] - 1, first.shape[-1])
        return torch.cat((first, silent), 2) + self.own(x)

    def messages(self, x: Tensor) -> Tensor:
        """Mean (b, j, t, c) of the neighbours' projected features."""
        projected = F.relu(self.project(x))
        mixed = self.mixing.to(projected.dtype) @ projected.flatten(2)
        return mixed.view(projected.shape)


class GraphPair(nn.Module):
    """Two joint-graph layers, ReLU between them; grids as (b, c, j, t)."""

    def __init__(self, width_in: int, hidden: int, width_out: int, scope: GraphScope) -> None:
        super().__init__()
        self.first = JointGraph(width_in, hidden, scope)
        self.second = JointGraph(hidden, width_out, scope)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, j, t) to (b, c', j, t)."""
        x = rearrange(x, "b c j t -> b j t c")
        x = self.second(F.relu(self.first(x)))
        return rearrange(x, "b j t c -> b c j t")


class ResidualBlock(nn.Module):
    """x + conv1x1(relu(conv3x3(relu(x)))), the 3x3 dilated."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.spread = Convolution(width, width, dilation)
        self.mix = nn.Conv2d(width, width, 1)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) to the same shape."""
        return x + self.dropout(self.mix(F.relu(self.spread(F.relu(x)))))


def residual_net(config: TokenizerConfig) -> nn.Sequential:
    """Residual blocks with falling dilation, 3 then 1 in the paper."""
    dilations = [config.dilation_growth**depth for depth in range(config.residual_depth)]
    return nn.Sequential(
        *(ResidualBlock(config.width, d, config.dropout) for d in reversed(dilations))
    )


def grid_channels(config: TokenizerConfig) -> int:
    """Channels of the grid that the network itself sees."""
    return root_frame.CHANNELS if config.position_frame == "root" else config.joint_features


def joint_identity(config: TokenizerConfig) -> nn.Parameter | None:
    """What tells a row of the grid which joint it is (1, c, j, 1); the released form has none.

    Convolutions treat all rows alike, and joints normalised alike differ by their mean pose.
    """
    if config.position_frame == "world":
        return None
    return nn.Parameter(0.3 * torch.randn(1, config.width, config.joints, 1))


class Encoder(nn.Module):
    """Joint grid (b, d, j, t) to latents (b, c, s, n)."""

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        width, channels = config.width, grid_channels(config)
        self.enter: nn.Module
        if config.graph_scope == "none":
            self.enter = Convolution(channels, width)
        else:
            self.enter = GraphPair(channels, width, width, config.graph_scope)
        self.joint_identity = joint_identity(config)
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, config.kernel, config.stride, padding=1),
                residual_net(config),
            )
            for _ in range(STRIDES)
        )
        self.leave = Convolution(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(b, d, j, t) to (b, c, s, n)."""
        x = F.relu(self.enter(x.contiguous(memory_format=torch.channels_last)))
        if self.joint_identity is not None:
            x = x + self.joint_identity
        for stage in self.stages:
            x = stage(x)
        return self.leave(x)


class UpsamplingStage(nn.Sequential):
    """Residual blocks, nearest-neighbour upsampling and a 3x3 convolution, in this order."""

    def __init__(self, config: TokenizerConfig, factors: tuple[float, float]) -> None:
        convolution = Convolution(config.width, config.width)
        super().__init__(residual_net(config), nn.Upsample(scale_factor=factors), convolution)
        self.factors = factors

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) to (b, c, h * rows, w * columns)."""
        convolution = cast("Convolution", self[2])
        return convolve_upsampled(self[0](x), convolution.weight, convolution.bias, self.factors)


class Decoder(nn.Module):
    """Code vectors (b, c, s, n) to a joint grid (b, d, j, t)."""

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        width, channels = config.width, grid_channels(config)
        self.enter = Convolution(width, width)
        self.stages = nn.ModuleList(
            UpsamplingStage(config, factors) for factors in config.upsampling
        )
        self.joint_identity = joint_identity(config)
        self.widen = Convolution(width, width)
        self.leave: nn.Module
        if config.graph_scope == "none":
            self.leave = Convolution(width, channels)
        else:
            self.leave = GraphPair(width, width, channels, config.graph_scope)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, s, n) to (b, d, j, t)."""
        x = F.relu(self.enter(x.contiguous(memory_format=torch.channels_last)))
        for stage in self.stages:
            x = stage(x)
        if self.joint_identity is not None:
            x = x + self.joint_identity
        return self.leave(F.relu(self.widen(x)))
