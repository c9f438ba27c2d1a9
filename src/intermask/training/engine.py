"""Processes, devices and precision of a training, by lightning-fabric.

Every process holds all weights and computes its shares of each batch. The networks are small, so
gradients are added in one go after a process's last micro-batch, instead of by a wrapper around
the model that would have to know which parts of it take part in a step.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from torch import Tensor, nn

from intermask.config import RunConfig
from intermask.devices import select_device
from intermask.errors import MissingExtra, UserError
from intermask.training.shares import Share

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Value = TypeVar("Value")

_PRECISIONS: dict[str, Any] = {"float32": "32-true", "bfloat16": "bf16-mixed"}
_TORCHRUN = "LOCAL_WORLD_SIZE"
"""What torchrun tells its processes: how many it started on this machine."""


class Engine:
    """What a training asks of the processes it runs in.

    Args:
        fabric: launched; its device is the one that this process computes on.
    """

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric
        self.device = fabric.device
        self.processes = fabric.world_size
        self.is_first = fabric.is_global_zero
        """Whether this is the process that validates and writes."""

    def shares(self, accumulate: int) -> list[Share]:
        """This process's micro-batches of every step, in order."""
        first, count = self._fabric.global_rank * accumulate, self.processes * accumulate
        return [Share(first + number, count) for number in range(accumulate)]

    def autocast(self) -> AbstractContextManager[Any]:
        """Where it is entered, products are computed in the configured precision."""
        return self._fabric.autocast()

    def total(self, numbers: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Scalars added over all processes."""
        if self.processes == 1 or not numbers:
            return dict(numbers)
        stacked = torch.stack([value.double() for value in numbers.values()])
        summed = self._fabric.all_reduce(stacked.to(self.device), reduce_op="sum")
        return dict(zip(numbers, torch.as_tensor(summed).unbind(), strict=True))

    def gather(self, rows: Tensor) -> Tensor:
        """Rows (m, ...) of all processes, equally many of each, in the order of shares."""
        if self.processes == 1:
            return rows
        places = rows.new_zeros(self.processes, *rows.shape)
        places[self._fabric.global_rank] = rows
        return torch.as_tensor(self._fabric.all_reduce(places, reduce_op="sum")).flatten(0, 1)

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its sum over all processes."""
        if self.processes == 1:
            return
        gradients = [each.grad for each in parameters if each.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        summed = torch.as_tensor(self._fabric.all_reduce(flat, reduce_op="sum"))
        parts = summed.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def by_first(self, action: Callable[[], Value]) -> Value:
        """What an action gives that the first process does for all of them.

        Raises:
            UserError: in the other processes, if the action raised anything: none of them waits
                for the first one forever.
        """
        if self.processes == 1:
            return action()
        outcome: tuple[Value | None, str] = None, ""
        failure: Exception | None = None
        if self.is_first:
            try:
                outcome = action(), ""
            except Exception as error:  # it is raised again below
                failure, outcome = error, (None, str(error) or type(error).__name__)
        value, reason = self._fabric.broadcast(outcome)
        if failure is not None:
            raise failure
        if reason:
            raise UserError(f"the first process stopped: {reason}")
        return cast("Value", value)

    def share_weights(self, model: nn.Module) -> None:
        """Let all processes start from the first one's weights, to the bit."""
        if self.processes > 1:
            weights = {name: tensor.cpu() for name, tensor in model.state_dict().items()}
            model.load_state_dict(self._fabric.broadcast(weights))


def start_engine(config: RunConfig, device: str = "auto") -> Engine:
    """Start the processes of a training; each of them goes on behind this call.

    Without torchrun, and with ``config.devices`` above 1, the running command is started again for
    every further device, so this belongs before any work. Under torchrun, its processes are taken
    as they are, on one machine or several.

    Args:
        config: number of devices and precision.
        device: as for `select_device`.

    Raises:
        MissingExtra: lightning-fabric is not installed.
        UserError: a device cannot be used, or there are fewer than asked for.
    """
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise MissingExtra("train", "lightning-fabric") from error
    here = int(os.environ.get(_TORCHRUN, config.devices))
    machines = int(os.environ.get("WORLD_SIZE", here)) // here if _TORCHRUN in os.environ else 1
    several = here * machines > 1
    chosen = _kind_for_several(device, here) if several else select_device(device)
    index = 0 if chosen.index is None else chosen.index
    fabric = Fabric(
        accelerator=chosen.type,
        devices=here if several or chosen.type != "cuda" else [index],
        num_nodes=machines,
        strategy="ddp" if several else "auto",
        precision=_PRECISIONS[config.precision],
    )
    fabric.launch()
    if several:
        atexit.register(_leave_group)
    return Engine(fabric)


def _leave_group() -> None:
    """End a process's part in its group before Python ends.

    Gloo's threads, where they are still running by then, now and then abort the process ("terminate
    called without an active exception"), and torchrun takes a finished training for a failed one.
    """
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _kind_for_several(device: str, count: int) -> torch.device:
    """The kind of device that several processes share out among themselves."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda"):
        raise UserError(
            f"run.devices is {count}, the device {device!r}; several devices are cpu or cuda, "
            "without a number"
        )
    if device == "cuda" and torch.cuda.device_count() < count:
        raise UserError(
            f"{count} CUDA devices were asked for (run.devices), this machine has "
            f"{torch.cuda.device_count()}; set run.devices to at most that"
        )
    return torch.device(device)
