"""The Inter-M transformer: logits for the motion tokens of two people (InterMask, section 3.3).

Read from the top: the pieces (attention, feed-forward, text modulation, positions), the two halves
of a block (both people as one sequence, then each person with the other in view), and the whole
model.

Shapes: `b` batch, `p` person (2), `s` token row, `n` token column, `e` transformer width, `w` text
width, `m` channels of the text that modulate, `k` code, `l` any sequence, `h` head. Within the
blocks, `s` is 1 where a column is one position (``whole_columns``).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor, nn

from intermask.config import TransformerConfig
from intermask.masking import padding_id, separator_id
from intermask.models.code_geometry import CodeGeometry, GeometryReader
from intermask.models.dropout import Dropout
from intermask.models.quantizer import half_levelled, nearest_squares

PEOPLE = 2
# Of the layer norms that the text modulates (DiT's value, which the released weights were trained
# with).
MODULATED_NORM_EPSILON = 1e-6
POSITION_BASE = 10000.0
_START = 0.1
"""How sharply codes are told apart at the start, as a share of how far they lie apart: the rest is
learned, since a network that knows nothing yet should not be sure."""


# --- Pieces --------------------------------------------------------------------------------------


class Attention(nn.Module):
    """Multi-head attention from a query stream to a key stream, by default to itself.

    Queries, keys and values are one matrix, in this order, as the released weights store them.
    Dropout acts on what was attended to and not on the weights of the attention, so that fused
    kernels serve training too.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.heads = heads
        self.projection = nn.Linear(width, 3 * width)
        self.dropout = Dropout(dropout)
        self.output = nn.Linear(width, width)

    def forward(
        self, queries: Tensor, keys: Tensor | None = None, visible: Tensor | None = None
    ) -> Tensor:
        """Attend.

        `queries` (b, l, e); `keys` (b, m, e), from which the values are made too; `visible` bool,
        to be broadcast to (b, h, l, m), True where a key may be seen (None: everywhere). Returns
        (b, l, e).
        """
        if keys is None:
            query, key, value = rearrange(
                self.projection(queries), "b l (three h e) -> three b h l e", three=3, h=self.heads
            )
        else:
            weight, bias, width = self.projection.weight, self.projection.bias, self.width
            query = rearrange(
                F.linear(queries, weight[:width], bias[:width]),
                "b l (h e) -> b h l e",
                h=self.heads,
            )
            key, value = rearrange(
                F.linear(keys, weight[width:], bias[width:]),
                "b m (two h e) -> two b h m e",
                two=2,
                h=self.heads,
            )
        attended = attend(query, key, value, visible)
        output: Tensor = self.output(self.dropout(rearrange(attended, "b h l e -> b l (h e)")))
        return output


def attend(query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None) -> Tensor:
    """Scaled dot product attention: (b, h, l, d) on (b, h, m, d) -> (b, h, l, d).

    On a CPU, torch's fused kernel takes 2 to 5 times as long as plain products do in bfloat16
    (forward and backward together); in float32 it is the faster of the two.
    """
    if query.device.type != "cpu" or query.dtype != torch.bfloat16:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=visible)
    scores = (query * query.shape[-1] ** -0.5) @ key.mT
    if visible is not None:
        scores = scores.masked_fill(~visible, torch.finfo(scores.dtype).min)
    return scores.softmax(-1) @ value


class FeedForward(nn.Module):
    """Two linear layers with a GELU between them, on the last axis: (..., e) -> (..., e)."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.expand = nn.Linear(width, hidden)
        self.dropout = Dropout(dropout)
        self.contract = nn.Linear(hidden, width)

    def forward(self, stream: Tensor) -> Tensor:
        output: Tensor = self.contract(self.dropout(F.gelu(self.expand(stream))))
        return output


class Modulation(nn.Module):
    """Shifts, scales and gates read from the text condition (DiT's AdaLN-zero).

    They start at zero: every gated branch is silent, so an untrained block changes nothing but the
    stream's magnitude.
    """

    def __init__(self, config: TransformerConfig, chunks: int) -> None:
        super().__init__()
        self.chunks = chunks
        self.linear = nn.Linear(condition_channels(config), chunks * config.width)

    def start_at_zero(self) -> None:
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, condition: Tensor) -> tuple[Tensor, ...]:
        """Condition (b, m) -> that many (b, 1, e), one for each of `chunks`."""
        values = self.linear(F.silu(condition))
        return tuple(rearrange(values, "b (chunk e) -> chunk b 1 e", chunk=self.chunks))


def condition_channels(config: TransformerConfig) -> int:
    """How many numbers of the text all blocks read."""
    return config.modulation_width or config.width


def modulate(stream: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Layer norm without weights of its own, then scale and shift from the text: (b, ..., e)."""
    normalised = F.layer_norm(stream, stream.shape[-1:], eps=MODULATED_NORM_EPSILON)
    return torch.addcmul(shift, normalised, 1 + scale)


def sinusoids(length: int, channels: int, device: torch.device) -> Tensor:
    """Sines and cosines, interleaved, of positions 0, 1, ...: (length, channels), channels even."""
    exponents = torch.arange(0, channels, 2, device=device, dtype=torch.float32) / channels
    frequencies = POSITION_BASE**-exponents
    angles = torch.outer(torch.arange(length, device=device, dtype=torch.float32), frequencies)
    return rearrange([angles.sin(), angles.cos()], "two l i -> l (i two)")


def token_positions(rows: int, columns: int, width: int, device: torch.device) -> Tensor:
    """Where a token stands in its person's map: (s, n, e).

    Half of the channels tell the row, half the column. Computed for the map at hand, so no length
    is the longest.
    """
    by_row = repeat(sinusoids(rows, width // 2, device), "s e -> s n e", n=columns)
    by_column = repeat(sinusoids(columns, width // 2, device), "n e -> s n e", s=rows)
    return torch.cat([by_row, by_column], dim=-1)


@dataclass(frozen=True)
class Visibility:
    """Which keys each attention may see (True), or None where all are visible.

    `joint` (b, 1, 1, 2 s n + 1); `temporal` ((b p s), 1, 1, n); `cross` ((b p), 1, 1, s n).
    Spatial attention stays within one column, so that padding cannot reach it.
    """

    joint: Tensor | None = None
    temporal: Tensor | None = None
    cross: Tensor | None = None

    @classmethod
    def of(cls, valid: Tensor, rows: int) -> Visibility:
        """From valid columns (b, n). Masks cost time, so there are none where nothing is padded."""
        if bool(valid.all()):
            return cls()
        person = repeat(valid, "b n -> b (s n)", s=rows)
        separator = torch.ones_like(valid[:, :1])
        return cls(
            joint=rearrange(torch.cat([person, separator, person], dim=1), "b l -> b 1 1 l"),
            temporal=repeat(valid, "b n -> (b p s) 1 1 n", p=PEOPLE, s=rows),
            cross=repeat(person, "b l -> (b p) 1 1 l", p=PEOPLE),
        )


# --- A block: both people together, then each with the other in view -----------------------------


class JointPart(nn.Module):
    """Self-attention over both people and the separator as one sequence, then a feed-forward."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        width = config.width
        self.modulation = Modulation(config, chunks=6)
        self.attention = Attention(width, config.heads, config.dropout)
        self.feedforward = FeedForward(width, config.feedforward, config.dropout)

    def forward(self, stream: Tensor, condition: Tensor, visible: Tensor | None) -> Tensor:
        """Stream (b, l, e), condition (b, m), visible keys (b, 1, 1, l) -> (b, l, e)."""
        shift, scale, gate, forward_shift, forward_scale, forward_gate = self.modulation(condition)
        attended = self.attention(modulate(stream, shift, scale), visible=visible)
        stream = torch.addcmul(stream, gate, attended)
        changed = self.feedforward(modulate(stream, forward_shift, forward_scale))
        return torch.addcmul(stream, forward_gate, changed)


class PersonPart(nn.Module):
    """One person at a time, with shared weights: own map, the other person, feed-forward.

    Spatial attention joins the rows of a column, temporal attention the columns of a row. Both
    branches keep their own residual and are added, which doubles the stream, as in the released
    model. Where a column is one position there is nothing for spatial attention to join.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        width, heads, dropout = config.width, config.heads, config.dropout
        self.modulation = Modulation(config, chunks=11 if config.whole_columns else 14)
        self.spatial_attention = None if config.whole_columns else Attention(width, heads, dropout)
        self.temporal_attention = Attention(width, heads, dropout)
        self.cross_attention = Attention(width, heads, dropout)
        self.feedforward = FeedForward(width, config.feedforward, dropout)

    def forward(self, people: Tensor, condition: Tensor, visibility: Visibility) -> Tensor:
        """People (b, p, s, n, e), condition (b, m) -> (b, p, s, n, e)."""
        chunks = [rearrange(chunk, "b 1 e -> b 1 1 1 e") for chunk in self.modulation(condition)]
        temporal_shift, temporal_scale, temporal_gate = chunks[-11:-8]
        query_shift, query_scale, key_shift, key_scale, cross_gate = chunks[-8:-3]
        forward_shift, forward_scale, forward_gate = chunks[-3:]

        changed = people
        if self.spatial_attention is not None:
            changed = 2 * people
            spatial_shift, spatial_scale, spatial_gate = chunks[:3]
            spatial = self._along_rows(
                self.spatial_attention, modulate(people, spatial_shift, spatial_scale)
            )
            changed = torch.addcmul(changed, spatial_gate, spatial)
        temporal = self._along_columns(
            modulate(people, temporal_shift, temporal_scale), visibility.temporal
        )
        changed = torch.addcmul(changed, temporal_gate, temporal)

        # The other person as they were before this part, so that neither goes first.
        others = modulate(people, key_shift, key_scale).flip(1)
        crossed = self._across(
            modulate(changed, query_shift, query_scale), others, visibility.cross
        )
        changed = torch.addcmul(changed, cross_gate, crossed)
        forwarded = self.feedforward(modulate(changed, forward_shift, forward_scale))
        return torch.addcmul(changed, forward_gate, forwarded)

    @staticmethod
    def _along_rows(attention: Attention, people: Tensor) -> Tensor:
        b, p, _, n, _ = people.shape
        attended = attention(rearrange(people, "b p s n e -> (b p n) s e"))
        return rearrange(attended, "(b p n) s e -> b p s n e", b=b, p=p, n=n)

    def _along_columns(self, people: Tensor, visible: Tensor | None) -> Tensor:
        b, p, s, _, _ = people.shape
        attended = self.temporal_attention(
            rearrange(people, "b p s n e -> (b p s) n e"), visible=visible
        )
        return rearrange(attended, "(b p s) n e -> b p s n e", b=b, p=p, s=s)

    def _across(self, people: Tensor, others: Tensor, visible: Tensor | None) -> Tensor:
        b, _, s, _, _ = people.shape
        attended = self.cross_attention(
            rearrange(people, "b p s n e -> (b p) (s n) e"),
            rearrange(others, "b p s n e -> (b p) (s n) e"),
            visible,
        )
        return rearrange(attended, "(b p) (s n) e -> b p s n e", b=b, s=s)


class Block(nn.Module):
    """The joint part on the whole sequence, then the person part on the two maps within it."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.joint = JointPart(config)
        self.person = PersonPart(config)

    def forward(
        self, people: Tensor, separator: Tensor, condition: Tensor, visibility: Visibility
    ) -> tuple[Tensor, Tensor]:
        """People (b, p, s, n, e), separator (b, 1, e), condition (b, m) -> people, separator."""
        rows, columns = people.shape[2:4]
        maps = rearrange(people, "b p s n e -> p b (s n) e")
        sequence = self.joint(
            torch.cat([maps[0], separator, maps[1]], dim=1), condition, visibility.joint
        )
        first, separator, second = sequence.split([rows * columns, 1, rows * columns], dim=1)
        people = rearrange([first, second], "p b (s n) e -> b p s n e", s=rows)
        return self.person(people, condition, visibility), separator


# --- The model -----------------------------------------------------------------------------------


class LogitsHead(nn.Module):
    """Linear, GELU, modulation by the text, linear to one logit for each code."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.width, config.width)
        self.modulation = Modulation(config, chunks=2)
        self.rows = config.rows if config.row_codebooks else 1
        self.whole_columns = config.whole_columns
        self.logits = nn.Linear(config.width, self.rows * config.codebook_size)

    def forward(self, people: Tensor, condition: Tensor) -> Tensor:
        """People (b, p, s, n, e), condition (b, m) -> (b, p, s, n, k), for all rows."""
        shift, scale = (rearrange(c, "b 1 e -> b 1 1 1 e") for c in self.modulation(condition))
        modulated = modulate(F.gelu(self.dense(people)), shift, scale)
        if self.rows == 1 or self.whole_columns:
            logits: Tensor = self.logits(modulated)
            if self.whole_columns:
                logits = rearrange(logits, "b p 1 n (s k) -> b p s n k", s=self.rows)
            return logits
        weight = rearrange(self.logits.weight, "(s k) e -> s e k", s=self.rows)
        bias = rearrange(self.logits.bias, "(s k) -> s 1 k", s=self.rows)
        return modulated @ weight + bias


@dataclass(frozen=True)
class Prediction:
    """What the transformer says of a batch.

    Attributes:
        logits: (b, p, s, n, k).
        expected: of each reading of the geometry, the code vectors (b, p, n, s, c) it is made of:
            known ones, and expected ones where tokens are hidden.
    """

    logits: Tensor
    expected: tuple[Tensor, ...]


class InterMTransformer(nn.Module):
    """Predicts the codes of both people's motion tokens from the tokens known so far and a text.

    Token ids below k are codes; the configuration names the ids for "unknown", "behind the end"
    and "between the people" that follow them. The same weights and the same positions serve both
    people, so exchanging them in the input exchanges them in the output.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        codes = config.codebook_size * (config.rows if config.row_codebooks else 1)
        self.token_embedding = nn.Embedding(codes + 3, config.code_dim)
        together = 1
        if config.whole_columns:
            together = config.rows * PEOPLE * (2 * config.reach + 1)
        self.token_projection = nn.Linear(together * config.code_dim, config.width)
        self.condition_projection = nn.Linear(config.condition_width, condition_channels(config))
        self.blocks = nn.ModuleList([Block(config) for _ in range(config.layers)])
        self.head = LogitsHead(config)
        self.geometry = CodeGeometry(config) if config.geometry_channels else None
        readings = config.layers // 2 if config.geometry_channels else 0
        self.readers = nn.ModuleList([GeometryReader(config) for _ in range(readings)])
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, Modulation):
                module.start_at_zero()
            elif isinstance(module, GeometryReader):
                module.start_silent()

    @torch.no_grad()
    def start_from_codes(self, codebook: Tensor) -> None:
        """Start token embeddings and logits from the tokenizer's code vectors (k, c) or (s, k, c).

        Codes of alike poses then begin with alike embeddings and alike logits, so that what is
        learned about one holds for its neighbours. Channels are scaled half way to equal
        deviation: the smallest ones hold detail, but they hold noise, too.

        Codes of rows with codebooks of their own are put into channels of their own. Where a
        column is one position, its projection keeps the rows apart, and channels of ``code_dim``
        that codes leave free tell what is hidden.

        Raises:
            ValueError: not k codes (of each row) as wide as the configuration's ``code_dim`` (all
                rows together); of whole columns, wider than ``code_dim``.
        """
        if self.config.whole_columns:
            self._start_columns_from_codes(codebook)
            return
        codes = self.config.codebook_size
        if self.config.row_codebooks:
            codes, codebook = codes * self.config.rows, torch.block_diag(*codebook)
        expected = (codes, self.config.code_dim)
        if tuple(codebook.shape) != expected:
            raise ValueError(
                f"the codebook has shape {tuple(codebook.shape)}, the transformer expects "
                f"{expected} (codebook_size, code_dim)"
            )
        scaled = half_levelled(codebook)
        self.token_embedding.weight[:codes] = scaled
        # The same projection as that of the embeddings: what the stream holds is what it names, and
        # of the codes about one place the nearest has the highest logit.
        projection = self.token_projection.weight
        stream = F.layer_norm(scaled @ projection.T, (self.config.width,))
        held = stream @ projection
        size = (held * scaled).sum() / scaled.square().sum()
        by_row = scaled.view(-1, self.config.codebook_size, scaled.shape[1])
        sharpness = _START / nearest_squares(by_row).mean()
        self.head.logits.weight.copy_(sharpness / size * scaled @ projection.T)
        self.head.logits.bias.copy_(-0.5 * sharpness * scaled.square().sum(1))

    def _start_columns_from_codes(self, codebook: Tensor) -> None:
        config = self.config
        rows, codes, channels = codebook.shape
        if (rows, codes) != (config.rows, config.codebook_size) or channels > config.code_dim:
            raise ValueError(
                f"the codebook has shape {tuple(codebook.shape)}, the transformer expects "
                f"({config.rows}, {config.codebook_size}, at most {config.code_dim}) (rows, "
                "codebook_size, code_dim)"
            )
        scaled = half_levelled(codebook)
        embedding = self.token_embedding.weight
        embedding[: rows * codes] = F.pad(scaled, (0, config.code_dim - channels)).flatten(0, 1)
        embedding[rows * codes :, :channels] = 0.0
        # Directions of the head's input, of unit length, that mean the channels of each row's code.
        directions = F.normalize(self.head.logits.weight[: rows * channels], dim=-1)
        sharpness = _START / nearest_squares(scaled).mean()
        told = scaled @ directions.view(rows, channels, config.width)
        self.head.logits.weight.copy_(sharpness * told.flatten(0, 1))
        self.head.logits.bias.copy_(-0.5 * sharpness * scaled.square().sum(-1).flatten())

    def forward(self, tokens: Tensor, condition: Tensor, valid: Tensor) -> Tensor:
        """Logits of the codes at every token.

        `tokens` (b, p, s, n) ids; `condition` (b, w) from the text head, zeros for no text;
        `valid` (b, n) bool, False for columns behind a sample's end (what stands there does not
        matter). Returns (b, p, s, n, k); the logits of invalid columns mean nothing.
        """
        return self.predict(tokens, condition, valid).logits

    def predict(self, tokens: Tensor, condition: Tensor, valid: Tensor) -> Prediction:
        """As `forward`, with what is expected on the way."""
        _, _, rows, columns = tokens.shape
        codes = self.config.codebook_size
        tokens = tokens.masked_fill(rearrange(~valid, "b n -> b 1 1 n"), padding_id(codes))
        people = self._embed(tokens)
        rows = people.shape[2]
        people = people + token_positions(rows, columns, people.shape[-1], people.device)
        separators = torch.full_like(tokens[..., :1], separator_id(codes))
        separator = self._embed(separators)[:, 0, 0]
        condition = self.read(condition)
        visibility = Visibility.of(valid, rows)
        expected = []
        if self.geometry is not None:
            known = self.geometry.vectors(tokens)
            hidden = rearrange(tokens >= codes, "b p s n -> b p n s 1")
        for place, block in enumerate(self.blocks):
            if self.geometry is not None and place % 2:
                told, vectors = self.readers[place // 2](people, self.geometry, known, hidden)
                expected.append(vectors)
                people = people + told
            people, separator = block(people, separator, condition, visibility)
        return Prediction(self.head(people, condition), tuple(expected))

    def read(self, condition: Tensor) -> Tensor:
        """What all blocks read of a condition: (b, w) -> (b, m)."""
        projected: Tensor = self.condition_projection(condition)
        if self.config.condition_norm:
            return F.layer_norm(projected, projected.shape[-1:])
        return projected

    def _embed(self, tokens: Tensor) -> Tensor:
        """Ids (b, p, s, n) to the stream (b, p, s, n, e), or (b, p, 1, n, e) of whole columns."""
        columns, reach = tokens.shape[-1], self.config.reach
        if reach:
            tokens = F.pad(tokens, (reach, reach), value=padding_id(self.config.codebook_size))
        codes, rows = self.config.codebook_size, self.config.rows
        if self.config.row_codebooks:
            first = codes * torch.arange(rows, device=tokens.device)[:, None]
            # The ids that are no codes stand behind the codes of all rows.
            tokens = torch.where(tokens < codes, tokens + first, tokens + codes * (rows - 1))
        embedded = self.token_embedding(tokens)
        if self.config.whole_columns:
            own = rearrange(embedded, "b p s n c -> b p 1 n (s c)")
            both = torch.cat([own, own.flip(1)], dim=-1)
            shifted = [both[..., place : place + columns, :] for place in range(2 * reach + 1)]
            embedded = torch.cat(shifted, dim=-1)
        stream: Tensor = self.token_projection(embedded)
        return stream
