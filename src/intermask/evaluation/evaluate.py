"""One evaluation from beginning to end: what is measured, stored and told about one model."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch

from intermask import __version__
from intermask.data.layout import PROVENANCE
from intermask.errors import UserError
from intermask.evaluation import metrics
from intermask.evaluation.audit import audit as run_audit
from intermask.evaluation.clips import encoder_of
from intermask.evaluation.comparison import KIND, SCHEMA_VERSION
from intermask.evaluation.data import LAYOUTS, Data, data_fingerprint, model_fingerprint
from intermask.evaluation.evaluators.evaluator import Evaluator, TrainedEvaluator
from intermask.evaluation.nearest_training import (
    TrainingClips,
    comparable,
    nearest_training,
)
from intermask.evaluation.physical_rows import Bodies, joints_of
from intermask.evaluation.protocol import Plan, generator_of
from intermask.evaluation.references import ReferenceRows
from intermask.evaluation.replications import Maker, Measured, Progress, Replicator, sample_name
from intermask.evaluation.report_markdown import write_markdown
from intermask.evaluation.report_page import write_page
from intermask.evaluation.rivals import Rival, RivalFiles, check_rival, read_rival
from intermask.evaluation.rows import all_rows, own_distances
from intermask.evaluation.samples import read_sample, write_sample
from intermask.evaluation.store import Shard, Store, Unit
from intermask.evaluation.terms import SHUFFLED
from intermask.evaluation.tokenizer_quality import tokenizer_quality
from intermask.files import atomic_path, write_json
from intermask.generation.generator import InteractionGenerator
from intermask.generation.requests import DEFAULT_OPTIONS, GenerationOptions
from intermask.skeleton import SMPL22, SMPLX55
from intermask.smplx import BODY_MODEL, RestBody
from intermask.training.representations import representation_of

OFFICIAL = {"interhuman": metrics.INTERHUMAN, "interx": metrics.INTERX}
OFFICIAL_FRAMES = {"interhuman": 300, "interx": 150}
"""Most stored frames of a clip that are looked at (method, sections 1 and 2)."""
SHOWN_SAMPLES = 6
"""Worst motions, and best, that a report shows."""


class Evaluation:
    """An evaluation in its folder; made anew with the same arguments it goes on where it was.

    Args:
        generator: the model.
        evaluator: scores motions.
        data: clips of the split.
        plan: how much is measured.
        folder: new, or of an evaluation with the same settings.
        options: how tokens are drawn, and how many motions are made together.
        rivals: other methods' motions.

    Raises:
        UserError: too few clips, a rival that cannot be scored, or the folder holds something else.
    """

    def __init__(
        self,
        generator: InteractionGenerator,
        evaluator: Evaluator,
        data: Data,
        plan: Plan,
        folder: Path,
        options: GenerationOptions = DEFAULT_OPTIONS,
        rivals: Sequence[RivalFiles] = (),
    ) -> None:
        self.generator, self.evaluator, self.data, self.plan = generator, evaluator, data, plan
        self.options, self.rivals = options, rivals
        clips = plan.chosen(data.clips)
        pool = min(evaluator.protocol.pool, len(clips))
        self.measured = Measured(clips, plan, pool)
        for files in rivals:
            if files.name == self.name:
                raise UserError(
                    f"the model is called {self.name}, too; give the rival another name"
                )
            check_rival(files, clips, pool)
        self.settings = self._settings()
        self.store = Store(folder, self.settings)
        joints = joints_of(generator.model, self._body)
        real = [clip.features for clip in clips]
        self.bodies = None if joints is None else Bodies.of(joints, real)
        self.replicator = Replicator(
            Maker(generator, self.measured), evaluator, self.store, options, self.bodies
        )
        self.references = ReferenceRows(
            self.measured, generator.coder, evaluator, self.store, self.bodies
        )

    @property
    def _body(self) -> RestBody | None:
        """Rest joints of SMPL-X, for Inter-X alone; None: they are not at hand."""
        interx = self.generator.model.config.dataset == "interx"
        return self.generator.body if interx else None

    @property
    def folder(self) -> Path:
        """Of the report."""
        return self.store.folder

    @property
    def name(self) -> str:
        """The model's."""
        return self.generator.model.config.name

    def missing(self) -> list[Unit]:
        """What no process has made yet."""
        return [unit for unit in self.measured.units(Shard()) if not self.store.has(unit.name)]

    def run(
        self,
        shard: Shard = Shard(),  # noqa: B008
        progress: Progress = lambda done, total: None,
        finished: Callable[[Unit], None] = lambda unit: None,
    ) -> None:
        """Make and embed motions, as far as it was not done before.

        Raises:
            UserError: more shards than replications.
        """
        if shard.count > self.plan.replications:
            raise UserError(
                f"{self.plan.replications} replications cannot be shared by {shard.count} "
                f"processes; give {self.plan.replications} or fewer"
            )
        self.replicator.run(shard, progress, finished)

    def report(
        self,
        progress: Callable[[str, int, int], None] = lambda what, done, total: None,
        *,
        audit: bool = False,
    ) -> dict[str, Any]:
        """Score what was made, and write ``report.json``, ``report.md`` and ``report.html``.

        Args:
            progress: called with what is being done, how much of it is, and all of it.
            audit: also ask what the evaluator itself can see (`intermask.evaluation.audit`).

        Returns:
            The content of ``report.json``.

        Raises:
            UserError: replications are missing, or a rival cannot be read.
        """
        missing = self.missing()
        if missing:
            raise UserError(
                f"{len(missing)} parts of {self.folder} are still to be made, {missing[0].name} "
                "the first of them"
            )
        self.references.make(partial(progress, "embedding real motion"))
        rivals = []
        for number, files in enumerate(self.rivals):
            progress("embedding rivals", number, len(self.rivals))
            rivals.append(self._rival(files))
        progress("computing metrics", 0, 1)
        rows = all_rows(
            self.measured, self.references, self.store, self.evaluator.protocol, self.name, rivals
        )
        notes = self.left_out() + [note for rival in rivals for note in rival.notes]
        if SHUFFLED not in [row.name for row in rows]:
            notes.append("captions were not shuffled: too many clips share a sentence")
        with_physics = max(len(row.physics) for row in rows)
        if 0 < with_physics < self.plan.replications:
            notes.append(
                f"physical metrics are of {with_physics} of {self.plan.replications} replications: "
                "an older version of intermask made the others"
            )
        content = {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "intermask_version": __version__,
            "protocol": self._protocol(notes),
            "settings": self._all_settings(),
            "versions": self._versions(),
            "seeds": {"seed": self.plan.seed, "a motion's": "of seed, replication and clip"},
            "hashes": {key: self.settings[key] for key in ("model", "evaluator", "data")},
            "rows": [row.as_json() for row in rows],
            "tokenizer": self._tokenizer(progress),
            "memorisation": self._memorisation(progress),
            "audit": self._audit(progress) if audit else None,
            "samples": self._samples(),
            "speed": self._speed(),
        }
        self.write(content)
        return content

    def left_out(self) -> list[str]:
        """What this report will not have and why, a sentence each."""
        if self.bodies is not None:
            return []
        return [
            "physical metrics, the tokenizer's errors, motions that play and the comparison with "
            "training clips are left out, for joints of Inter-X need the body model: put "
            f"{BODY_MODEL} into {self.data.folders[0]}, or say where it is (--smplx FILE), and "
            "evaluate into a new folder; it is free for research at https://smpl-x.is.tue.mpg.de"
        ]

    def write(self, content: Mapping[str, Any]) -> None:
        """Write a report's three files."""
        write_json(self.folder / "report.json", content)
        with atomic_path(self.folder / "report.md") as temporary:
            temporary.write_text(write_markdown(content), "utf-8")
        write_page(content, self.folder)

    # --- Parts of a report -----------------------------------------------------------------------

    def _settings(self) -> dict[str, Any]:
        """Everything that decides the numbers."""
        model = self.generator.model
        prompts, samples = self.plan.sizes(len(self.measured.clips))
        return {
            "task": self.plan.task,
            "split": self.plan.split,
            "seed": self.plan.seed,
            "replications": self.plan.replications,
            "clips": len(self.measured.clips),
            "pool": self.measured.pool,
            "multimodality": [prompts, samples] if prompts else None,
            "sampling": asdict(self.options.sampling or model.config.sampling),
            "model": model_fingerprint(model),
            "evaluator": self.evaluator.fingerprint,
            "data": data_fingerprint(self.measured.clips),
            **self._body_settings(),
        }

    def _body_settings(self) -> dict[str, str]:
        """The body model decides physical metrics of Inter-X, and whether there are any."""
        if self._body is None:
            return {}
        return {"body_model": hashlib.sha256(self._body.positions.numpy().data).hexdigest()}

    def _all_settings(self) -> dict[str, Any]:
        """What was asked for, as a reader of the report wants to know it."""
        hashes = ("model", "evaluator", "data")
        return {
            **{key: value for key, value in self.settings.items() if key not in hashes},
            "model": self.name,
            "evaluator": self.evaluator.name,
            "data": [folder.resolve().name for folder in self.data.folders],
            "rivals": [rival.name for rival in self.rivals],
            "batch_size": self.options.batch_size,
            "device": str(self.generator.device),
        }

    def _protocol(self, notes: Sequence[str]) -> dict[str, Any]:
        why_not = self.departures()
        return {
            "official": not why_not,
            "why_not": why_not,
            "task": self.plan.task,
            "split": self.plan.split,
            "pool": self.measured.pool,
            "replications": self.plan.replications,
            "clips": len(self.measured.clips),
            "multimodality": self.settings["multimodality"],
            "evaluator": self.evaluator.name,
            "notes": list(notes),
        }

    def departures(self) -> list[str]:
        """How this differs from the official protocol, a sentence each."""
        model, evaluator = self.generator.model, self.evaluator
        official = OFFICIAL[model.config.dataset]
        clips, pool = len(self.measured.clips), self.measured.pool
        found = self.plan.departures(clips, len(self.data.clips))
        if pool != official.pool:
            few = f", for there are no more than {clips} clips" if pool == clips else ""
            found.append(
                f"R-precision searches pools of {pool}, not {official.pool}{few}; the smaller the "
                "pool, the higher it is"
            )
        longest, usual = self.data.longest, OFFICIAL_FRAMES[model.config.dataset]
        if longest != usual:
            found.append(f"clips are looked at up to {longest} frames, not {usual}")
        pairs, whole = official.diversity_pairs, clips // pool * pool
        if whole < pairs:
            found.append(f"Diversity of {whole} pairs of motions, not {pairs}")
        if isinstance(evaluator, TrainedEvaluator) or evaluator.protocol != official:
            found.append(
                f"the evaluator {evaluator.name} is not the authors', so its numbers have a scale "
                "of their own"
            )
        for folder in self.data.folders:
            if (folder / PROVENANCE).is_file() or len(self.data.folders) > 1:
                found.append(
                    f"the dataset {folder.resolve().name} is not "
                    f"{LAYOUTS[model.config.dataset]} as released"
                )
        if model.config.dataset == "interhuman" and evaluator.floor != model.config.floor:
            found.append(
                f"the model puts people on the floor by the rule {model.config.floor}, the "
                f"evaluator was trained with {evaluator.floor}"
            )
        return found

    def _versions(self) -> dict[str, str]:
        device = self.generator.device
        versions = {"python": platform.python_version(), "torch": torch.__version__}
        if device.type == "cuda":
            versions["device"] = torch.cuda.get_device_name(device)
        return versions

    def _speed(self) -> dict[str, Any]:
        units = [self.store.load(unit.name) for unit in self.measured.units(Shard())]
        generating, scoring = torch.stack([unit["seconds"] for unit in units]).sum(0).tolist()
        motions = sum(len(unit["motions"]) for unit in units)
        return {"seconds_generating": generating, "seconds_scoring": scoring, "clips": motions}

    def _rival(self, files: RivalFiles) -> Rival:
        return read_rival(
            files,
            self.measured.clips,
            self.generator.model.config.floor,
            self.evaluator,
            self.store,
            self.bodies,
        )

    def _tokenizer(self, progress: Callable[[str, int, int], None]) -> dict[str, Any] | None:
        """What the tokenizer loses; its FID is that of the row "tokenizer reconstruction"."""
        if self.bodies is None:
            return None
        config = self.generator.model.config
        skeleton = SMPL22 if config.dataset == "interhuman" else SMPLX55
        return tokenizer_quality(
            self.generator.coder,
            representation_of(config.tokenizer, config.floor, self._body),
            skeleton.names,
            self.measured.seen(0),
            progress=partial(progress, "measuring the tokenizer"),
        ).numbers()

    def _audit(self, progress: Callable[[str, int, int], None]) -> list[dict[str, Any]]:
        rows = run_audit(
            self.evaluator,
            self.measured.seen(0),
            generator_of(self.plan.seed, "audit", 0),
            partial(progress, "asking what the evaluator sees"),
        )
        return [row.as_json() for row in rows]

    def _samples(self) -> dict[str, Any]:
        """The motions farthest from their captions, and the nearest; real ones beside them."""
        if self.bodies is None:
            return {"worst": [], "best": []}
        distances = own_distances(self.measured, self.references, self.store)
        ordered = sorted(distances, key=lambda one: one[2])
        shown = min(SHOWN_SAMPLES, len(ordered) // 2)
        chosen = {"worst": ordered[::-1][:shown], "best": ordered[:shown]}
        facts: dict[str, list[dict[str, Any]]] = {}
        for kind, samples in chosen.items():
            facts[kind] = []
            for clip, caption, distance in samples:
                path = self.store.path(sample_name(clip))
                real = self.bodies.joints(clip.features)
                write_sample(path, read_sample(path).generated, real)
                facts[kind].append(
                    {
                        "name": clip.name,
                        "caption": caption,
                        "distance": distance,
                        "file": str(path.relative_to(self.folder)),
                    }
                )
        return facts

    def _memorisation(self, progress: Callable[[str, int, int], None]) -> dict[str, Any] | None:
        """Distances to training clips, or what was found before; None without training clips."""
        path = self.folder / "memorisation.json"
        if path.is_file():
            return cast("dict[str, Any]", json.loads(path.read_text("utf-8")))
        if self.bodies is None or self.plan.split == "train":
            return None
        samples, seen = self.measured.samples(Unit(0, "replications")), self.measured.seen(0)
        clips = comparable([seen[sample.clip] for sample in samples])
        made = [read_sample(self.store.path(sample_name(clip))).generated for clip in clips]
        config = self.generator.model.config
        encode = encoder_of(config.dataset, config.floor)
        content = nearest_training(
            clips,
            made,
            TrainingClips.of(self.data.folders, encode, self.bodies.joints),
            self.generator.device,
            partial(progress, "comparing with training clips"),
        )
        if content is not None:
            write_json(path, content)
        return content
