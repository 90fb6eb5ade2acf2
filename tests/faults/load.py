"""Callers of one model at a steady rate, who keep what became of each call.

Arrivals do not wait for answers, as those of real callers do not: a service that stalls meets all the calls
that it missed. No caller states a deadline, so the application's objective is the one that counts, and an
answer that comes after it is seen as such.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import grpc
import numpy as np

from skysail.native import codec

WIDTH = 16
#: Nobody waits longer; far more than any objective here.
PATIENCE_S = 20.0
METHOD = "/inference.GRPCInferenceService/ModelInfer"
#: As a caller who wants to go on after a restart sets it: gRPC's own back-off goes up to two minutes.
OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 300),
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclass(frozen=True)
class Outcome:
    """What became of one call.

    Attributes:
        sent_s: when it was sent (monotonic).
        took_s: until it was answered.
        status: gRPC's name of it.
        text: the message of an error.
        right: whether the answer holds what the model computes; True for errors.
        default: whether it was the default output, and marked so.
    """

    sent_s: float
    took_s: float
    status: str
    text: str = ""
    right: bool = True
    default: bool = False


class Load:
    """Calls `model` at `rate_per_s` while the block runs; see `Outcome` for what is kept.

    Attributes:
        rate_per_s: calls sent per second; may be changed at any time.
        repeats: whether all calls have the same input, which a cache knows; likewise.
    """

    def __init__(
        self, address: str, model: str = "sum", *, rate_per_s: float = 200.0, repeats: bool = False
    ) -> None:
        self.outcomes: list[Outcome] = []
        self._address = address
        self._model = model
        self.rate_per_s = rate_per_s
        self.repeats = repeats
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="load")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def sent(self, since_s: float = 0.0, until_s: float = float("inf")) -> list[Outcome]:
        """What became of the calls that were sent in that time and have ended."""
        return [one for one in list(self.outcomes) if since_s <= one.sent_s < until_s]

    def answered(self, since_s: float = 0.0) -> int:
        """How many calls that were sent since then have been answered with a prediction."""
        return sum(one.status == "OK" for one in self.sent(since_s))

    def statuses(self, since_s: float = 0.0, until_s: float = float("inf")) -> dict[str, int]:
        """How often each status ended a call that was sent in that time."""
        return dict(Counter(one.status for one in self.sent(since_s, until_s)))

    def failures(self) -> list[Outcome]:
        """The calls that ended in an error."""
        return [one for one in self.outcomes if one.status != "OK"]

    def recovered_s(self) -> float:
        """From when on (monotonic) every call was answered with a prediction; 0 if always."""
        return max((one.sent_s for one in self.failures()), default=0.0)

    async def _run(self) -> None:
        rng = np.random.default_rng(len(self._model))
        calls: set[asyncio.Task[None]] = set()
        async with grpc.aio.insecure_channel(self._address, options=OPTIONS) as channel:
            infer = channel.unary_unary(METHOD)
            next_s = time.monotonic()
            while not self._stop.is_set():
                row = np.ones((1, WIDTH), np.float32) if self.repeats else rng.random((1, WIDTH), np.float32)
                call = asyncio.create_task(self._call(infer, row))
                calls.add(call)
                call.add_done_callback(calls.discard)
                next_s = max(next_s + 1.0 / self.rate_per_s, time.monotonic() - 0.1)
                await asyncio.sleep(max(0.0, next_s - time.monotonic()))
            await asyncio.gather(*calls)

    async def _call(self, infer: grpc.aio.UnaryUnaryMultiCallable, row: np.ndarray) -> None:
        request = codec.encode_request(self._model, {"x": row})
        sent_s = time.monotonic()
        try:
            answer = await infer(request, timeout=PATIENCE_S)
        except grpc.aio.AioRpcError as error:
            took_s = time.monotonic() - sent_s
            self.outcomes.append(Outcome(sent_s, took_s, error.code().name, error.details() or ""))
            return
        took_s = time.monotonic() - sent_s
        response = codec.decode_response(answer)
        default = bool(response.parameters.get("skysail.default", False))
        right = default or bool(np.allclose(response.outputs["y"], row.sum(axis=1), rtol=1e-5))
        self.outcomes.append(Outcome(sent_s, took_s, "OK", right=right, default=default))
