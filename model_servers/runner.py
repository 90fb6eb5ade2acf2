"""The one thread that runs the model: takes a batch, runs it, answers it, for ever."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from skysail.control.errors import Kind
from skysail.model_servers import current_call
from skysail.model_servers.adapter import Adapter
from skysail.model_servers.contract import ContractBroken, OutputContract
from skysail.model_servers.loading import cause
from skysail.native import codec
from skysail.native._core import InferTask, ModelServer, NativeError

__all__ = ["ModelRunner"]

log = logging.getLogger(__name__)


class ModelRunner:
    """Answers a model server's tasks with a model.

    One thread, not a pool: two threads of one interpreter take turns anyway, and pay for the turns. What the
    model raises is answered to the callers of that batch; the next batch is served.
    """

    def __init__(self, server: ModelServer, model: Adapter, *, path: Path) -> None:
        self._server = server
        self._model = model
        self._path = path
        self._contract = OutputContract(model.signature)
        self._datatypes = {spec.name: spec.datatype for spec in model.signature.outputs}
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)

    def start(self) -> None:
        """Starts the thread; it ends when the server is closed."""
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Waits for the thread's end; whether it came."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (task := self._server.next_task()) is not None:
            current_call.become(task)
            try:
                self._answer(task)
            except NativeError:
                log.exception("an answer could not be given")

    def _answer(self, task: InferTask) -> None:
        try:
            request = codec.decode_request(task.request)
            returned = self._model.predict(request.inputs)
            outputs = self._contract.check(returned, rows=task.rows, requested=request.outputs)
            response = codec.encode_response(outputs, datatypes=self._datatypes)
        except ContractBroken as error:
            log.error("the model broke its signature: %s", error)
            task.fail(Kind.INTERNAL, f"the model broke its signature: {error}")
        except (Exception, SystemExit) as error:
            log.exception("the model raised")
            task.fail(Kind.INTERNAL, f"the model raised {cause(error, self._path)}")
        else:
            task.respond(response)
