"""Stories: several sentences in order become one long motion of two people, without a cut.

For each next window the overlap, the last frames that are there, is placed as models want it
(person 1 at the place where the story began, facing as then; the floor stays the floor), turned
into tokens and held; the rest is drawn from the next sentence. What comes out is eased into the
overlap inside its new frames (`world.ease_into`) and brought back into the story's world. Frames
that are there are final, bit for bit. Each window is settled with its overlap, whose bones it takes
over, so that nobody grows, sinks or slides over the minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from intermask import geometry
from intermask.generation.drafts import best_draft, draft_seeds, flaws
from intermask.generation.generator import InteractionGenerator
from intermask.generation.requests import (
    DEFAULT_OPTIONS,
    GenerationOptions,
    KnownTokens,
    Request,
    checked_prompts,
    checked_seed,
)
from intermask.generation.story_plan import OVERLAP_FRAMES, StoryPlan, Window, plan_story
from intermask.generation.story_script import StoryScene
from intermask.generation.story_work import FinishedWindows, checksums
from intermask.generation.world import EASE_FRAMES, SceneFrame, kept_columns
from intermask.masking import mask_id
from intermask.motion import FPS, Motion
from intermask.skeleton import SMPL22

EASE_SPEED = 0.6
"""Metres a second at which people are led from where they are to where a new window begins."""
LONGEST_EASE = 45
"""Most frames over which they are led there."""
FARTHEST = 2.5
"""Metres between two people at the end of a window beyond which a draft leads them astray: what
follows begins there, and models know people who are near each other."""
_ALIKE = 0.1
"""Metres by which drafts may differ that are alike in where they lead from and to."""
_SPEED_FRAMES = 10
"""New frames over which the speed is read at which a window begins."""

_DRAWING = 0.85
"""Share of a window's time in which its tokens are drawn; then it is settled."""

Progress = Callable[[int, int], None]
"""Called with frames done and frames in all."""


def tell(
    generator: InteractionGenerator,
    scenes: Sequence[StoryScene | str],
    seed: int = 0,
    options: GenerationOptions = DEFAULT_OPTIONS,
    finished: FinishedWindows | None = None,
    on_progress: Progress = lambda done, total: None,
) -> Motion:
    """One motion of all scenes in order; its `captions` tell what happens when.

    The same script and seed give the same story; scenes that are added at its end change nothing
    of what comes before.

    Args:
        generator: of any model.
        scenes: sentences, or scenes with durations and seeds.
        seed: decides all scenes without a seed of their own.
        options: how tokens are drawn, and progress of the drawing.
        finished: where windows are kept until the story is told, to go on after an interruption;
            None: only in memory.
        on_progress: called while a window is drawn, and when it is done.

    Raises:
        UserError: an unusable sentence, duration or seed.
    """
    plan = planned(generator, scenes, seed)
    parts = list(told(generator, plan, options, finished, on_progress))
    return replace(
        joined(parts),
        caption=" ".join(caption.text for caption in plan.captions),
        captions=plan.captions,
        seed=seed,
        model=generator.model.config.name,
    )


def planned(
    generator: InteractionGenerator, scenes: Sequence[StoryScene | str], seed: int = 0
) -> StoryPlan:
    """Windows and times of a story; nothing is made. Arguments and errors as of `tell`."""
    written = [StoryScene(scene) if isinstance(scene, str) else scene for scene in scenes]
    texts = checked_prompts([scene.text for scene in written], generator.encoder)
    for each in (seed, *(scene.seed for scene in written if scene.seed is not None)):
        checked_seed(each)
    cleaned = [replace(scene, text=text) for scene, text in zip(written, texts, strict=True)]
    seconds = [
        generator.estimate(scene.text).seconds if scene.seconds is None else scene.seconds
        for scene in cleaned
    ]
    stride = generator.coder.stride
    return plan_story(cleaned, seconds, seed, generator.model.config.max_frames, stride)


def told(
    generator: InteractionGenerator,
    plan: StoryPlan,
    options: GenerationOptions = DEFAULT_OPTIONS,
    finished: FinishedWindows | None = None,
    on_progress: Progress = lambda done, total: None,
) -> Iterator[Motion]:
    """The story, one window's new frames at a time, float32; memory does not grow with it.

    Arguments as of `tell`.
    """
    sampling = options.sampling or generator.model.config.sampling
    keys = checksums(generator, sampling, plan.windows) if finished is not None else []
    begun: SceneFrame | None = None
    tail: Motion | None = None
    for number, window in enumerate(plan.windows):
        part = finished.find(number, keys[number]) if finished is not None else None
        if part is None or part.frames != window.frames:
            watched = _watched(options, window, lambda done: on_progress(done, plan.frames))
            if tail is None or begun is None:
                part = _first(generator, window, watched)
            else:
                overlap = tail.cropped(tail.frames - window.overlap, tail.frames)
                part = continued(generator, overlap, window, begun, watched)
            if finished is not None:
                finished.keep(number, keys[number], part)
        begun = begun or _stance(part)
        tail = part if tail is None else joined([tail, part])
        tail = tail.cropped(max(0, tail.frames - OVERLAP_FRAMES), tail.frames)
        yield part
        on_progress(window.start + window.frames, plan.frames)


def _watched(
    options: GenerationOptions, window: Window, tell_frames: Callable[[int], None]
) -> GenerationOptions:
    """Options whose drawing also tells how many frames of the story are done."""

    def on_step(number: int, rounds: int, tokens: Tensor) -> None:
        if options.on_step is not None:
            options.on_step(number, rounds, tokens)
        tell_frames(window.start + round(_DRAWING * window.frames * number / rounds))

    return replace(options, on_step=on_step)


@torch.no_grad()
def continued(
    generator: InteractionGenerator,
    overlap: Motion,
    window: Window,
    begun: SceneFrame,
    options: GenerationOptions = DEFAULT_OPTIONS,
) -> Motion:
    """The new frames of a window, in the world of its overlap, where the floor is at y = 0.

    Args:
        generator: of any model.
        overlap: the frames before the window, as many as it knows.
        window: what to make.
        begun: where person 1 stands on the first frame of motion that this model makes.
        options: how tokens are drawn, and progress.
    """
    scenes, coder = generator.scenes, generator.coder
    here = _stance(overlap)
    given = _lengthened(begun.to_world(here.to_scene(overlap)), window.made)
    kept = (torch.arange(window.made) < window.overlap).expand(2, -1)
    placed = scenes.place(scenes.accepted(given), kept, coder.stride, grounded=True)
    (tokens,) = coder.encode([placed.features[:, : window.overlap]])
    columns = kept_columns(kept, coder.stride)
    unknown = mask_id(generator.model.config.tokenizer.codebook_size)
    more = columns.shape[1] - tokens.shape[2]
    tokens = torch.nn.functional.pad(tokens, (0, more), value=unknown)

    sampling = options.sampling or generator.model.config.sampling
    seeds = draft_seeds(window.seed, sampling.drafts)
    requests = [Request(window.text, window.made, seed) for seed in seeds]
    known = [KnownTokens(tokens, columns)] * len(requests)
    drafts = [
        _led_back(draft, window.overlap) for draft in generator.features(requests, known, options)
    ]
    before = scenes.rough(placed.features)[:, window.overlap - 1]
    steps = [_step(before, scenes.rough(draft)[:, window.overlap - 1]) for draft in drafts]
    best = _best(generator, drafts, steps, window.text)
    ease = min(max(EASE_FRAMES, round(steps[best] / EASE_SPEED * FPS)), LONGEST_EASE)
    # Holding the first frames to the pace of the overlap would put off a long way, not shorten it.
    made = scenes.settled(placed, drafts[best], kept, ease, paced=False)
    new = made.cropped(window.overlap, window.overlap + window.frames)
    return _single(here.to_world(begun.to_scene(new)))


def _led_back(features: Tensor, overlap: int) -> Tensor:
    """Features (2, t, f) in which the known frames are where the new ones come from.

    A sampler may leave what it knows behind in one step, from one token to the next. Of the known
    frames only how the new ones differ from them matters, so these go on into the past at the speed
    that the new ones begin with: what differs is then all that has to be eased away.
    """
    first = features[:, overlap : overlap + 1]
    steps = features[:, overlap : overlap + _SPEED_FRAMES].diff(dim=1)
    speed = steps.median(1, keepdim=True).values  # one that leaps on has no say
    past = torch.arange(-overlap, 0).to(features)[:, None]
    return torch.cat((first + past * speed, features[:, overlap:]), 1)


def _step(before: Tensor, after: Tensor) -> float:
    """Metres that the joints (2, 22, 3) of the person who is further off are away on average."""
    return float((after - before).norm(dim=-1).mean(-1).amax())


def _first(generator: InteractionGenerator, window: Window, options: GenerationOptions) -> Motion:
    """The new frames of a window of which nothing is known."""
    seconds = (window.frames + window.ahead) / FPS
    (motion,) = generator([window.text], seconds, window.seed, options)
    return motion.cropped(0, window.frames)


def _best(
    generator: InteractionGenerator, drafts: Sequence[Tensor], steps: Sequence[float], text: str
) -> int:
    """Which draft (2, t, f) looks best, goes on from what is there and keeps people together."""
    if len(drafts) == 1:
        return 0
    joints = [generator.scenes.rough(draft) for draft in drafts]
    apart = [float((each[0, -1, 0] - each[1, -1, 0])[[0, 2]].norm()) for each in joints]
    astray = [
        step + max(0.0, distance - FARTHEST) for step, distance in zip(steps, apart, strict=True)
    ]
    fit = [place for place, way in enumerate(astray) if way <= min(astray) + _ALIKE]
    found = [flaws(joints[place]) for place in fit]
    return fit[best_draft([drafts[place] for place in fit], found, text, generator.critic)]


def _stance(motion: Motion) -> SceneFrame:
    """Where person 1 begins: the point on the floor y = 0 below the pelvis, and the facing."""
    joints = motion.positions[0, 0, : SMPL22.joint_count].double()
    x, _, z = geometry.facing_direction(joints).unbind()
    turn = geometry.yaw_matrix(torch.atan2(x, z))
    return SceneFrame(turn, joints[0] * joints.new_tensor((1.0, 0.0, 1.0)), joints.new_zeros(2))


def _lengthened(motion: Motion, frames: int) -> Motion:
    """A motion with frames that nobody looks at behind its end, but for the speed they begin at."""

    def held(part: Tensor, last: Tensor) -> Tensor:
        return torch.cat((part, last.expand(-1, frames - motion.frames, *last.shape[2:])), 1)

    places = motion.positions
    return replace(
        motion,
        positions=held(places, 2 * places[:, -1:] - places[:, -2:-1]),
        rotations=held(motion.rotations, motion.rotations[:, -1:]),
        root_rotations=held(motion.root_rotations, motion.root_rotations[:, -1:]),
    )


def joined(parts: Sequence[Motion]) -> Motion:
    """All frames of several motions in one, as they are."""
    return replace(
        parts[0],
        positions=torch.cat([part.positions for part in parts], 1),
        rotations=torch.cat([part.rotations for part in parts], 1),
        root_rotations=torch.cat([part.root_rotations for part in parts], 1),
    )


def _single(motion: Motion) -> Motion:
    """A motion as its file keeps it, float32."""
    return replace(
        motion,
        positions=motion.positions.float(),
        rotations=motion.rotations.float(),
        root_rotations=motion.root_rotations.float(),
    )
