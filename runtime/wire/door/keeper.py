"""Stands at the sockets of one context: who comes in (CURVE, RFC 26 and 27), and who goes again.

A peer whose public key is not on the list of the socket's role is turned away during the handshake:
none of its bytes reaches a parser. Whoever is in may send so much and no more: libzmq limits the
size of a frame, not their number, and reads on while the program is busy. So a thread of its own
counts what the kernel received from each peer, ends the connection of one that sends too much, and
lets it wait before it may come again.
"""

from __future__ import annotations

import logging
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import Thread
from typing import Any

import zmq

from voxgate.runtime.common.access import ROLES, Access, Role
from voxgate.runtime.common.clock import steady_ns
from voxgate.runtime.wire.curve import load_key_pair
from voxgate.runtime.wire.door.allowance import ALLOWANCES, Allowance
from voxgate.runtime.wire.door.connections import Cause, Connections, CutOff
from voxgate.runtime.wire.door.zap import ENDPOINT, Knock, admission, parse_knock, refusal

log = logging.getLogger(__name__)

LOOK_MS, LOOK_SOON_MS = 100, 10
NS_PER_MS = 1_000_000
BAN_NS = 30_000_000_000  # how long a listed peer that was cut off for what it sent stays outside
DENIED_AGAIN_NS = 10_000_000_000  # between two lines of the log about strangers
MOST_TOLD = 1000  # cut-offs that nobody has asked for yet
BANNING = frozenset({Cause.FLOOD, Cause.TOO_LARGE, Cause.SUBSCRIPTIONS, Cause.RESTLESS})
EVENTS = zmq.Event.ACCEPTED | zmq.Event.DISCONNECTED | zmq.Event.CLOSED

OnDenied = Callable[[Role], None]
"""Hears of every peer that was turned away; called on the door's thread."""


class Door:
    """Guards the sockets of one context. Raises KeyFileError when the box's key is unusable.

    access None: peers have no keys, only limits. Close it before the context ends.
    """

    def __init__(
        self,
        context: zmq.Context[Any],
        access: Access | None = None,
        on_denied: OnDenied = lambda role: None,
    ) -> None:
        self._context = context
        self._access = access
        self._on_denied = on_denied
        self._keys = None if access is None else load_key_pair(access.secret_key)
        self._guarded: list[zmq.Socket[bytes]] = []
        self._rooms: dict[Role, Connections] = {}
        self._banned_until_ns: dict[tuple[Role, str], int] = {}
        self._denied: Counter[Role] = Counter()
        self._denied_again_ns: dict[Role, int] = {}
        self._tasks: deque[Callable[[], Iterable[CutOff]]] = deque()
        self._told: deque[CutOff] = deque(maxlen=MOST_TOLD)
        self._gone: deque[tuple[Role, str]] = deque(maxlen=MOST_TOLD)
        self._wake_read, self._wake_write = os.pipe()
        self._zap = self._bind_zap()
        self._monitors = {role: self._monitor(role) for role in ROLES}
        self._look_ns = 0
        self._stop = False
        self._thread = Thread(target=self._run, name="door", daemon=True)
        self._thread.start()

    # --- called by the owner of the sockets ------------------------------------------------------

    def guard(
        self, socket: zmq.Socket[bytes], role: Role, allowance: Allowance | None = None
    ) -> None:
        """Before it is bound: only peers of this role get through, and send what they may."""
        self._rooms[role] = Connections(
            role, allowance or ALLOWANCES[role], keyed=self._keys is not None
        )
        socket.monitor(_monitored(role), EVENTS)
        self._guarded.append(socket)
        if self._keys is None:
            return
        socket.curve_server = True
        socket.curve_publickey = self._keys.public
        socket.curve_secretkey = self._keys.secret
        socket.zap_domain = role.encode()
        # should this thread ever be gone, nobody comes in instead of everybody
        socket.set(zmq.ZAP_ENFORCE_DOMAIN, 1)

    @property
    def alive(self) -> bool:
        """Whether peers are still judged."""
        return self._thread.is_alive()

    def cut(self, role: Role, who: int | str, cause: Cause) -> None:
        """End this connection (its descriptor), or all of a peer (its name, or its address)."""
        room = self._rooms[role]
        if isinstance(who, int):
            self._do(lambda: room.cut_descriptor(who, cause))
        else:
            self._do(lambda: room.cut_name(who, cause))

    def whole(self, role: Role, descriptor: int) -> None:
        """A whole message of this connection was taken; nobody is woken for it."""
        self._tasks.append(lambda: self._rooms[role].whole(descriptor))

    def take_cut(self) -> list[CutOff]:
        """Whose connections were ended since the last call."""
        return [self._told.popleft() for _ in range(len(self._told))]

    def take_gone(self) -> list[tuple[Role, str]]:
        """Peers whose last connection has ended since the last call."""
        return [self._gone.popleft() for _ in range(len(self._gone))]

    def close(self) -> None:
        """Nobody new gets in."""
        for socket in self._guarded:
            if not socket.closed:
                socket.disable_monitor()  # before its ear is gone: libzmq would wait for it
        self._guarded.clear()
        if not self._stop:
            self._stop = True
            os.write(self._wake_write, b"\0")
            self._thread.join()
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _do(self, task: Callable[[], Iterable[CutOff]]) -> None:
        self._tasks.append(task)
        with suppress(OSError):
            os.write(self._wake_write, b"\0")

    def _bind_zap(self) -> zmq.Socket[bytes] | None:
        if self._access is None:
            return None
        zap: zmq.Socket[bytes] = self._context.socket(zmq.REP)
        zap.linger = 0
        zap.bind(ENDPOINT)
        return zap

    def _monitor(self, role: Role) -> zmq.Socket[bytes]:
        """Where libzmq tells of a socket; it is not asked to wait for us."""
        monitor: zmq.Socket[bytes] = self._context.socket(zmq.PAIR)
        monitor.linger = 0
        monitor.rcvhwm = 0
        monitor.connect(_monitored(role))
        return monitor

    # --- on the door's thread --------------------------------------------------------------------

    def _run(self) -> None:
        poller = zmq.Poller()
        for source in (self._wake_read, *self._monitors.values(), self._zap):
            if source is not None:
                poller.register(source, zmq.POLLIN)
        try:
            while not self._stop:
                self._turn({found for found, _ in poller.poll(self._patience_ms())})
        finally:
            for socket in (*self._monitors.values(), self._zap):
                if socket is not None:
                    socket.close(linger=0)

    def _turn(self, ready: set[Any]) -> None:
        if self._wake_read in ready:
            os.read(self._wake_read, 4096)
        while self._tasks:
            self._tell(self._tasks.popleft()())
        for role, monitor in self._monitors.items():
            if monitor in ready:
                self._hear(role, monitor)
        if self._zap is not None and self._zap in ready:
            self._answer(self._zap)
        now_ns = steady_ns()
        if now_ns >= self._look_ns:  # not for each of a thousand strangers
            self._look_ns = now_ns + LOOK_SOON_MS * NS_PER_MS
            for room in list(self._rooms.values()):
                self._tell(room.look(now_ns))

    def _patience_ms(self) -> int | None:
        rooms = list(self._rooms.values())
        if not any(map(len, rooms)):
            return None
        return LOOK_SOON_MS if any(room.is_busy(steady_ns()) for room in rooms) else LOOK_MS

    def _hear(self, role: Role, monitor: zmq.Socket[bytes]) -> None:
        """What libzmq tells of this role's connections, all of it."""
        room = self._rooms[role]
        with suppress(zmq.Again):
            while True:
                told, _ = monitor.recv_multipart(zmq.NOBLOCK)
                event, descriptor = _event(told)
                if event == zmq.Event.ACCEPTED:
                    self._tell(room.opened(descriptor, steady_ns()))
                else:
                    room.closed(descriptor)
        self._gone += [(role, name) for name in room.gone]
        room.gone.clear()

    def _answer(self, zap: zmq.Socket[bytes]) -> None:
        """One peer a turn: who knocks a thousand times a second keeps nobody else waiting."""
        frames = zap.recv_multipart()
        knock = parse_knock(frames)
        name = None if knock is None else self._name(knock)
        if knock is None or name is None:
            zap.send_multipart(refusal(frames))
            return
        role: Role = knock.role  # type: ignore[assignment]
        self._hear(role, self._monitors[role])  # that it is connected was told before
        self._tell(self._rooms[role].admitted(knock.address, name, steady_ns()))
        zap.send_multipart(admission(knock, name))

    def _name(self, knock: Knock) -> str | None:
        """Who this is; None: nobody who may come in now."""
        assert self._access is not None
        role = next((each for each in ROLES if each == knock.role), None)
        if role is None or role not in self._rooms:
            return None
        if knock.key not in self._access.allowed.get(role, frozenset()):
            self._deny(role, knock.address)
            return None
        name = self._access.name_of(knock.key)
        banned = steady_ns() < self._banned_until_ns.get((role, name), 0)
        return None if banned else name

    def _deny(self, role: Role, address: str) -> None:
        self._on_denied(role)
        self._denied[role] += 1
        if steady_ns() >= self._denied_again_ns.get(role, 0):
            self._denied_again_ns[role] = steady_ns() + DENIED_AGAIN_NS
            log.warning(
                "%s: %d handshakes were turned away since the start, this one from %s, whose key "
                "is not on the list",
                *(role, self._denied[role], address),
            )

    def _tell(self, cut: Iterable[CutOff]) -> None:
        for each in cut:
            self._told.append(each)
            if each.name is not None and each.cause in BANNING:
                self._banned_until_ns[each.role, each.name] = steady_ns() + BAN_NS


def _monitored(role: Role) -> str:
    return f"inproc://door.{role}"


def _event(told: bytes) -> tuple[int, int]:
    """Number and value, as zmq_socket_monitor(3) lays them out."""
    return int.from_bytes(told[:2], "little"), int.from_bytes(told[2:6], "little", signed=True)
