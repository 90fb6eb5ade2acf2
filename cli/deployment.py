"""Deploying, step by step: try the artefact, keep it, start replicas, and only then send calls there."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from skysail.cli.samples import sample, sample_http
from skysail.cli.waiting import open_store, read_snapshot, registered, wait_applied, wait_for_replicas
from skysail.control import changes, views
from skysail.control.artefacts import ArtefactStore, Files
from skysail.control.errors import CallFailed, FailedPrecondition, Kind, NotFound, Timeout
from skysail.control.home import Home
from skysail.control.launcher import SINGLE_THREADED
from skysail.control.running import running_mesh
from skysail.control.schema import Artefact, Signature, Version
from skysail.control.signature_text import format_tensor
from skysail.control.snapshot import Snapshot
from skysail.control.store import Store
from skysail.control.transaction import Origin

__all__ = ["Deployed", "Request", "deploy_model", "scale_model"]


@dataclass(frozen=True)
class Request:
    """What was asked on the command line; None and empty: left out."""

    name: str
    path: str
    data: Path | None
    version: str | None
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    replicas: int | None
    objective_ms: float | None
    weight: float | None
    priority: str | None
    default: JsonValue
    cache: bool | None
    resources: Mapping[str, int]
    keep_warm: int | None
    route: bool
    timeout_s: float
    origin: Origin


@dataclass(frozen=True)
class Deployed:
    """What is served now, and how to call it."""

    model: str
    version: str
    digest: str
    replicas: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    revision: int
    grpc: str
    http: str
    sample: str
    sample_http: str

    def encode(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


async def deploy_model(home: Home, request: Request, note: Callable[[str], None]) -> Deployed:
    """Deploys a version and, unless asked not to, sends its model's calls there.

    Returns when every service does so.

    Raises:
        SkysailError: it could not be deployed; calls go where they went before.
    """
    mesh = running_mesh(home)
    note(f"trying {request.path} ...")
    loader, class_name, files, signature = await _describe(request)
    digest, uri = ArtefactStore(home.artefacts).put(files)
    async with open_store(home) as store:
        before = await read_snapshot(store)
        if not request.route and request.name not in before.models:
            raise FailedPrecondition(
                f"the first version of model {request.name!r} takes its calls: leave out --no-route"
            )
        version = _named(
            before,
            Version.make(
                model=request.name,
                version=request.version or "1",
                artefact=Artefact(uri=uri, digest=digest),
                loader=loader,
                options={"class": class_name} if class_name else {},
                signature=signature,
            ),
            request.version,
        )
        await changes.deploy(
            store,
            version,
            replicas=request.replicas or _replicas_now(before, version),
            objective_ms=request.objective_ms,
            weight=request.weight,
            priority=request.priority,
            default=request.default,
            cache=request.cache,
            resources=request.resources,
            keep_warm=request.keep_warm,
            origin=request.origin,
        )
        wanted = (await read_snapshot(store)).models[request.name].versions[version.version].replicas
        if wanted == 0:
            wanted = 1
            await changes.scale(store, request.name, wanted, version=version.version, origin=request.origin)
        note(f"starting {wanted} replica{'s' if wanted != 1 else ''} of version {version.version} ...")
        try:
            await wait_for_replicas(home, store, version, wanted, timeout_s=request.timeout_s)
            # A route must not lead to a batcher that has not heard of the replicas yet.
            await wait_applied(store, await registered(store, version), timeout_s=request.timeout_s)
        except BaseException:
            await _undo(store, before, version, request.origin)
            raise
        revision = await registered(store, version)
        if request.route:
            share = {version.version: 1.0}
            revision = await changes.set_route(store, request.name, share, origin=request.origin)
            await wait_applied(store, revision, timeout_s=request.timeout_s)
        if request.route and (old := before.models.get(request.name)) is not None:
            await changes.rest(store, request.name, old.versions, origin=request.origin)
    return Deployed(
        model=request.name,
        version=version.version,
        digest=digest,
        replicas=wanted,
        inputs=tuple(map(format_tensor, signature.inputs)),
        outputs=tuple(map(format_tensor, signature.outputs)),
        revision=revision,
        grpc=mesh.grpc,
        http=mesh.http,
        sample=sample(signature),
        sample_http=sample_http(signature),
    )


async def scale_model(
    home: Home,
    name: str,
    replicas: int,
    *,
    version: str | None,
    timeout_s: float | None,
    origin: Origin,
) -> int:
    """Changes how many replicas run; with a timeout, returns when that many do.

    Raises:
        NotFound: no such model or version.
        Timeout: it has not become so in time.
    """
    async with open_store(home) as store:
        revision = await changes.scale(store, name, replicas, version=version, origin=origin)
        if timeout_s is not None:
            snapshot = await read_snapshot(store)
            names = [version] if version is not None else list(views.route(snapshot, name))
            for one in names:
                await wait_for_replicas(
                    home, store, snapshot.versions[name, one], replicas, timeout_s=timeout_s
                )
    return revision


def _replicas_now(before: Snapshot, version: Version) -> int | None:
    """As many as the model has now, so that a new version can take over all of the old one's calls."""
    model = before.models.get(version.model)
    if model is None:
        return None
    return max((model.versions[name].replicas for name in views.route(before, model.name)), default=None)


async def _describe(request: Request) -> tuple[str, str, Files, Signature]:
    """Loads the artefact in a process of its own: loader, class name, files, signature."""
    with tempfile.TemporaryDirectory(prefix="skysail-") as folder:
        report, printed = Path(folder) / "report.json", Path(folder) / "printed"
        command = [sys.executable, "-m", "skysail.model_servers.describe", request.path]
        command += [f"--data={request.data}"] if request.data else []
        command += [f"--input={text}" for text in request.inputs]
        command += [f"--output={text}" for text in request.outputs]
        with printed.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                f"--report={report}",
                stdout=output,
                stderr=output,
                env={**os.environ, **SINGLE_THREADED},
            )
            try:
                status = await asyncio.wait_for(process.wait(), request.timeout_s)
            except BaseException as error:
                process.kill()
                await process.wait()
                if isinstance(error, TimeoutError):
                    raise Timeout(
                        f"{request.path} was still loading after {request.timeout_s:g} s; "
                        "allow more with --timeout-s"
                    ) from None
                raise
        if not report.exists():
            said = printed.read_text(errors="replace").splitlines()
            raise FailedPrecondition(
                f"{request.path} ended the process that loaded it (status {status})"
                + (f": {said[-1]}" if said else "")
            )
        found = json.loads(report.read_text())
    if "error" in found:
        raise CallFailed(Kind.of(found["kind"]), found["error"])
    files = Files(Path(found["path"]), request.data.absolute() if request.data else None)
    return found["loader"], found["class"], files, Signature.decode(json.dumps(found["signature"]).encode())


def _named(snapshot: Snapshot, version: Version, name: str | None) -> Version:
    """Under the name that was asked for; else the one it has already, or the next whole number."""
    if name is not None:
        return version
    known = [one for one in snapshot.versions.values() if one.model == version.model]
    for one in known:
        if one == version.model_copy(update={"version": one.version}):
            return one
    numbers = [int(one.version) for one in known if one.version.isascii() and one.version.isdigit()]
    return version.model_copy(update={"version": str(max(numbers, default=0) + 1)})


async def _undo(store: Store, before: Snapshot, version: Version, origin: Origin) -> None:
    """Takes back a deployment that failed; what was there before it stays."""
    name = version.model
    if name not in before.models:
        await changes.remove_model(store, name, origin=origin)
    elif (name, version.version) not in before.versions:
        await changes.remove_version(store, name, version.version, origin=origin)
    else:
        replicas = before.models[name].versions[version.version].replicas
        await changes.scale(store, name, replicas, version=version.version, origin=origin)
    application = before.applications.get(name)
    try:
        if application is not None:
            await changes.set_application(store, application, origin=origin)
        elif name in before.models:
            await changes.remove_application(store, name, origin=origin)
    except NotFound:
        return
