"""The store on etcd.

aetcd brings the protocol (messages and stubs); the calls are made on them directly. Its own watcher hands out
single events, so that the bounds of a transaction are lost, and cannot tell whether a stream that broke had
delivered everything; and its transactions do not return their revision.
"""

import asyncio
import ipaddress
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from typing import Any

from aetcd import rpc

from skysail.control.errors import (
    Conflict,
    HistoryLost,
    InvalidArgument,
    LeaseLost,
    SkysailError,
    StoreUnavailable,
)
from skysail.control.store import Change, Changes, Entry, Listing, Put, Unchanged, Write

__all__ = ["EtcdStore"]

_OPTIONS = (
    # A lease outlives an absence of etcd only when we are back soon after it: never wait long to reconnect.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A connection that died without a word is noticed.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.max_receive_message_length", 64 << 20),
    # Stores do not share a connection, so that closing or breaking one is not felt by another.
    ("grpc.use_local_subchannel_pool", 1),
)


class EtcdStore:
    """Connects lazily and reconnects by itself; used from one event loop.

    Args:
        endpoints: "host:port", or several separated by commas, which must then be IPv4 addresses.
        timeout_s: for each call; watches have none.
    """

    def __init__(self, endpoints: str, *, timeout_s: float = 5.0) -> None:
        self._endpoints = endpoints
        self._timeout_s = timeout_s
        self._channel = rpc.insecure_channel(_target(endpoints), options=_OPTIONS)
        self._kv = rpc.KVStub(self._channel)
        self._watch = rpc.WatchStub(self._channel)
        self._lease = rpc.LeaseStub(self._channel)

    async def list(self, prefix: str) -> Listing:
        """Everything under a prefix, at one revision."""
        request = rpc.RangeRequest(key=prefix.encode(), range_end=_end(prefix))
        with self._errors():
            response = await self._kv.Range(request, timeout=self._timeout_s)
        entries = tuple(Entry(kv.key.decode(), kv.value, kv.mod_revision, kv.lease) for kv in response.kvs)
        return Listing(response.header.revision, entries)

    async def commit(self, writes: Sequence[Write], *, require: Sequence[Unchanged] = ()) -> int:
        """All writes or none, in one transaction; returns its revision."""
        request = rpc.TxnRequest(
            compare=[
                rpc.Compare(
                    key=condition.key.encode(),
                    target=rpc.Compare.MOD,
                    result=rpc.Compare.EQUAL,
                    mod_revision=condition.revision,
                )
                for condition in require
            ],
            success=[_operation(write) for write in writes],
        )
        with self._errors():
            response = await self._kv.Txn(request, timeout=self._timeout_s)
        if not response.succeeded:
            keys = ", ".join(condition.key for condition in require)
            raise Conflict(f"one of {keys} was changed by somebody else; nothing was written: try again")
        return int(response.header.revision)

    async def watch(self, prefix: str, *, after: int) -> AsyncGenerator[Changes, None]:
        """Every change under a prefix since revision `after`, each once."""
        create = rpc.WatchCreateRequest(key=prefix.encode(), range_end=_end(prefix), start_revision=after + 1)
        # A member that has lost its cluster ends the watch rather than fall silent.
        call = self._watch.Watch(
            _stay_open(rpc.WatchRequest(create_request=create)), metadata=(("hasleader", "true"),)
        )
        try:
            with self._errors():
                async for response in call:
                    if response.compact_revision:
                        raise HistoryLost(f"etcd has compacted the changes since revision {after}")
                    if response.canceled:
                        raise StoreUnavailable(f"etcd ended the watch: {response.cancel_reason}")
                    if response.created and response.header.revision < after:
                        raise HistoryLost(
                            f"etcd is at revision {response.header.revision}, before {after}: it was replaced"
                        )
                    if response.events:
                        changes = tuple(map(_change, response.events))
                        yield Changes(changes[-1].revision, changes)
        finally:
            call.cancel()
        raise StoreUnavailable(f"etcd at {self._endpoints} closed the watch")

    async def grant(self, ttl_s: float) -> int:
        """A new lease that ends when it is not kept alive for `ttl_s`, rounded up to whole seconds."""
        with self._errors():
            response = await self._lease.LeaseGrant(
                rpc.LeaseGrantRequest(TTL=ceil(ttl_s)), timeout=self._timeout_s
            )
        return int(response.ID)

    async def keep_alive(self, lease: int) -> None:
        """Extends a lease to its full time."""
        call = self._lease.LeaseKeepAlive(
            _stay_open(rpc.LeaseKeepAliveRequest(ID=lease)), timeout=self._timeout_s
        )
        try:
            with self._errors():
                async for response in call:
                    if response.TTL <= 0:
                        raise LeaseLost(f"lease {lease:x} has ended")
                    return
        finally:
            call.cancel()
        raise StoreUnavailable(f"etcd at {self._endpoints} closed the lease's stream")

    async def revoke(self, lease: int) -> None:
        """Ends a lease and deletes its keys; nothing happens when it has ended already."""
        try:
            with self._errors():
                await self._lease.LeaseRevoke(rpc.LeaseRevokeRequest(ID=lease), timeout=self._timeout_s)
        except LeaseLost:
            return

    async def close(self) -> None:
        """Closes the connection; what is under way ends with StoreUnavailable."""
        await self._channel.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except rpc.AioRpcError as error:
            raise self._translate(error) from error

    def _translate(self, error: Any) -> SkysailError:
        details = error.details() or ""
        match error.code():
            case rpc.StatusCode.NOT_FOUND if "lease" in details:
                return LeaseLost(details)
            case rpc.StatusCode.OUT_OF_RANGE:
                return HistoryLost(details)
            case rpc.StatusCode.INVALID_ARGUMENT if "too many operations" in details:
                return InvalidArgument(
                    "the change touches more documents than this etcd takes at once: "
                    "make it in parts, or start etcd with a larger --max-txn-ops"
                )
            case rpc.StatusCode.INVALID_ARGUMENT:
                return InvalidArgument(f"etcd refused the request: {details}")
        return StoreUnavailable(
            f"etcd at {self._endpoints} cannot be reached ({error.code().name}: {details}); "
            "what is being served goes on: start etcd again, or give its address with --etcd"
        )


def _target(endpoints: str) -> str:
    addresses = [address.strip() for address in endpoints.split(",") if address.strip()]
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit():
            raise InvalidArgument(f"etcd endpoint {address!r}: write host:port")
        if len(addresses) > 1 and not _is_ipv4(host):
            raise InvalidArgument(f"etcd endpoint {address!r}: several endpoints must be IPv4 addresses")
    if not addresses:
        raise InvalidArgument("no etcd endpoint given: write host:port")
    return f"ipv4:{','.join(addresses)}" if len(addresses) > 1 else addresses[0]


def _is_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _end(prefix: str) -> bytes:
    """The first key after all that begin with the prefix, which ends in an ASCII character."""
    raw = prefix.encode()
    return raw[:-1] + bytes([raw[-1] + 1])


def _operation(write: Write) -> Any:
    if isinstance(write, Put):
        return rpc.RequestOp(
            request_put=rpc.PutRequest(key=write.key.encode(), value=write.value, lease=write.lease)
        )
    return rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(key=write.key.encode()))


def _change(event: Any) -> Change:
    value = None if event.type == rpc.Event.DELETE else event.kv.value
    return Change(event.kv.key.decode(), value, event.kv.mod_revision)


async def _stay_open(request: Any) -> AsyncIterator[Any]:
    """Sends one request and keeps the stream's sending side open until the call ends."""
    yield request
    await asyncio.Event().wait()
