"""The sockets the box binds, made in this one file: time-outs, queues, batches."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import zmq

from voxgate.runtime.common.access import Access, Role
from voxgate.runtime.common.endpoints import host_of, is_loopback, remove_socket_file
from voxgate.runtime.config.sections import Sockets
from voxgate.runtime.errors import ServiceError, VoxGateError
from voxgate.runtime.wire.door.connections import Cause, CutOff
from voxgate.runtime.wire.door.keeper import Door, OnDenied
from voxgate.runtime.wire.door.subscriptions import Subscriptions, asks_for
from voxgate.runtime.wire.poses import TOPIC_POSE

log = logging.getLogger(__name__)

MAX_IN_BYTES = 64 * 1024
"""Of one message: who sends a larger one is cut off, by libzmq for one such frame, by us for many.
A command beyond 4 KiB, but below, still gets an answer."""
MAX_TOPIC_BYTES, MAX_HANDSHAKE_BYTES = 128, 1024
"""Of a subscription, and of what CURVE says before it: libzmq needs seconds to take some topics of
60,000 bytes out again."""
MOST_PARTS = 64  # of a command; proxies put some before it
POSES_WAITING = 2000  # 2 s at 1 kHz; the loop takes them as they come
COMMANDS_WAITING = 100
VERDICTS_WAITING = 1000  # per subscriber; who does not read loses, PUB is a mirror
PICTURES_WAITING = 2  # per subscriber: an old picture is worth nothing
LINGER_MS = 300  # the last verdict leaves before the process does
KEEPALIVE_IDLE_S = 10
KEEPALIVE_PROBES, PROBE_S = 3, 5  # a peer that says nothing 25 s long is gone, not quiet
UNANSWERED_MS = 20_000  # and so is one that takes nothing so long
COMMAND_BATCH = 16
_EVENTS, _POLLIN = int(zmq.EVENTS), int(zmq.POLLIN)  # hundreds a second: plain numbers
SUBSCRIPTION_BATCH = 64
USER_ID, PEER_ADDRESS = "User-Id", "Peer-Address"  # of RFC 27 and libzmq, beside each message


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who asked; the answer goes back the same way.

    delimited: an empty frame stands before the message, as a REQ puts it. route: what stands before
    that, as proxies and REQ_CORRELATE put it.
    """

    identity: bytes
    delimited: bool
    route: tuple[bytes, ...] = ()

    @property
    def frames(self) -> list[bytes]:
        """What stands before the answer."""
        return [self.identity, *self.route, *([b""] if self.delimited else [])]


@dataclass(frozen=True, slots=True)
class Request:
    """One command as it came; payload None: the message has not exactly one frame.

    peer: the name of who sent it; None where peers have no keys.
    """

    envelope: Envelope
    payload: bytes | None
    peer: str | None = None


class CellSockets:
    """Bound sockets of one cell; without `access` they are plain, on this machine only.

    Raises ServiceError for what cannot or may not be bound, KeyFileError for a key that cannot be
    used.
    """

    def __init__(
        self,
        sockets: Sockets,
        access: Access | None = None,
        on_denied: OnDenied = lambda role: None,
    ) -> None:
        self._context = zmq.Context()
        self._context.linger = LINGER_MS
        self._bound: list[str] = []
        self._keyed = access is not None
        self._subscriptions: dict[Role, Subscriptions] = {
            "verdicts": Subscriptions(),
            "pictures": Subscriptions(),
        }
        self._looks: set[bytes] = set()
        self._door: Door | None = None
        try:
            self._door = Door(self._context, access, on_denied)
            self.poses = self._bind(zmq.SUB, sockets.poses, "poses")
            self.commands = self._bind(zmq.ROUTER, sockets.commands, "commands")
            # a PUB that hears who subscribes
            self.verdicts = self._bind(zmq.XPUB, sockets.verdicts, "verdicts")
            self.pictures = (
                None
                if sockets.pictures is None
                else self._bind(zmq.XPUB, sockets.pictures, "pictures")
            )
        except VoxGateError:
            self._end(linger_ms=0)
            raise
        self.poses.subscribe(TOPIC_POSE)

    def close(self) -> None:
        """Send what is waiting, at most LINGER_MS long, and unbind."""
        self._end(LINGER_MS)

    def _end(self, linger_ms: int) -> None:
        if self._door is not None:
            self._door.close()
        self._context.destroy(linger=linger_ms)
        for endpoint in self._bound:
            remove_socket_file(endpoint)

    @property
    def guarded(self) -> bool:
        """Whether peers are judged, and cut off."""
        return self._door is not None and self._door.alive

    def take_cut(self) -> list[CutOff]:
        """Whose connections were ended since the last call."""
        return [] if self._door is None else self._door.take_cut()

    def take_pose(self) -> bytes:
        """Payload of the pose that the poller told of; b"" for any other message.

        One a turn: asking whether there is a second costs more than being told again.
        """
        # a frame says itself whether one follows: half of what recv_multipart takes
        topic = self.poses.recv(zmq.NOBLOCK, copy=False)
        if not topic.more:
            return b""
        payload = self.poses.recv(copy=False)
        if payload.more:
            self._skip_rest()
            return b""
        return payload.bytes if topic.bytes == TOPIC_POSE else b""

    def _skip_rest(self) -> None:
        while self.poses.recv(copy=False).more:
            pass

    def waiting_poses(self) -> Iterator[bytes]:
        """Payloads of the poses that came while nobody looked; b"" for any other message."""
        left = POSES_WAITING
        # cheaper than to try in vain
        while left and int(self.poses.getsockopt(_EVENTS)) & _POLLIN:
            yield self.take_pose()
            left -= 1

    def take_requests(self) -> Iterator[Request]:
        """Commands that are there, a batch at most; who sends one that is too large is cut off."""
        for _ in range(COMMAND_BATCH):
            try:
                frames = self._take_frames()
            except zmq.Again:
                return
            if sum(map(len, frames)) > MAX_IN_BYTES or len(frames) > MOST_PARTS:
                self._cut("commands", int(frames[-1].get(zmq.SRCFD)), Cause.TOO_LARGE)
                continue
            identity, *parts = (frame.bytes for frame in frames)
            peer = _property(frames[-1], USER_ID) if self._keyed else None
            yield _request(identity, parts, peer)

    def _take_frames(self) -> list[zmq.Frame]:
        """One command's; of very many only some. Raises zmq.Again."""
        frames = [self.commands.recv(zmq.NOBLOCK, copy=False)]
        while self.commands.rcvmore:
            frame = self.commands.recv(copy=False)  # all of them are there
            if len(frames) <= MOST_PARTS:
                frames.append(frame)
        return frames

    def reply(self, envelope: Envelope, payload: bytes) -> bool:
        """Answer; False when the asker is gone or does not read."""
        try:
            self.commands.send_multipart([*envelope.frames, payload], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            log.warning("a reply was not delivered: %s", error)
            return False
        return True

    def publish(self, topic: bytes, payload: bytes) -> None:
        """Tell everyone who listens; never blocks."""
        self.verdicts.send_multipart([topic, payload], zmq.NOBLOCK)

    def subscribed(self, topic: bytes) -> bool:
        """Whether somebody has begun to listen to `topic` since the last call.

        A batch of what subscribers said is taken at most; who says too much is cut off.
        """
        return any([asks_for(told, topic) for told in self._told(self.verdicts, "verdicts")])

    def is_looked_at(self, topic: bytes) -> bool:
        """Whether anybody listens to `topic` of the pictures, as far as a batch tells."""
        if self.pictures is None:
            return False
        for told in self._told(self.pictures, "pictures"):
            if asks_for(told, topic):
                self._looks.add(told[1:])
            else:
                self._looks.discard(told[1:])  # said by XPUB when the last one has gone
        return bool(self._looks)

    def show(self, topic: bytes, payload: bytes) -> None:
        """A picture for everyone who looks; who is slow loses it."""
        if self.pictures is not None:
            self.pictures.send_multipart([topic, payload], zmq.NOBLOCK)

    def _told(self, socket: zmq.Socket[bytes], role: Role) -> Iterator[bytes]:
        """What subscribers say, a batch at most; who says too much is cut off."""
        for of, name in () if self._door is None else self._door.take_gone():
            if of in self._subscriptions:
                self._subscriptions[of].gone(name)
        for _ in range(SUBSCRIPTION_BATCH):
            try:
                frame = socket.recv(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            who = _property(frame, USER_ID if self._keyed else PEER_ADDRESS)
            if who is not None and not self._subscriptions[role].heard(who, frame.bytes):
                self._cut(role, who, Cause.SUBSCRIPTIONS)
            yield frame.bytes

    def _cut(self, role: Role, who: int | str, cause: Cause) -> None:
        if self._door is not None:
            self._door.cut(role, who, cause)

    def _bind(self, kind: int, endpoint: str, role: Role) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = self._context.socket(kind)
        if not self._keyed:
            _refuse_plain_network(endpoint)
        if self._door is not None:
            self._door.guard(socket, role)
        socket.linger = LINGER_MS
        socket.maxmsgsize = MAX_IN_BYTES
        socket.ipv6 = "[" in endpoint
        socket.tcp_keepalive = 1
        socket.tcp_keepalive_idle = KEEPALIVE_IDLE_S
        socket.tcp_keepalive_cnt, socket.tcp_keepalive_intvl = KEEPALIVE_PROBES, PROBE_S
        socket.set(zmq.TCP_MAXRT, UNANSWERED_MS)
        socket.set(zmq.HANDSHAKE_IVL, 2000)  # a peer that opens and says nothing
        if kind == zmq.SUB:
            socket.rcvhwm = POSES_WAITING
        elif kind == zmq.ROUTER:
            socket.rcvhwm = socket.sndhwm = COMMANDS_WAITING
            socket.router_mandatory = True  # an answer nobody gets is an error we count
            # a robot that always says the same name must not wait for its own dead connection
            socket.set(zmq.ROUTER_HANDOVER, 1)
        else:
            socket.sndhwm = VERDICTS_WAITING if role == "verdicts" else PICTURES_WAITING
            socket.maxmsgsize = MAX_HANDSHAKE_BYTES if self._keyed else MAX_TOPIC_BYTES
            socket.set(zmq.XPUB_VERBOSE, 1)  # also of a topic that somebody else has already
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as error:
            raise ServiceError(
                f"{endpoint} cannot be bound: {error}: stop the program that holds it "
                "or choose another endpoint"
            ) from error
        self._bound.append(endpoint)
        return socket


def _property(frame: zmq.Frame, name: str) -> str | None:
    """What libzmq knows of the connection that a frame came by."""
    try:
        return str(frame.get(name))
    except zmq.ZMQError:
        return None


def _request(identity: bytes, parts: list[bytes], peer: str | None) -> Request:
    """What one message asks; the frames up to the first empty one are its envelope.

    Many frames without an empty one are no command, but a proxy may have put the first of them
    there: who sent it hears so only if they go back.
    """
    if b"" in parts[:-1]:
        end = parts.index(b"")
        envelope, body = Envelope(identity, True, tuple(parts[:end])), parts[end + 1 :]
        return Request(envelope, body[0] if len(body) == 1 else None, peer)
    payload = parts[0] if len(parts) == 1 else None
    return Request(Envelope(identity, False, tuple(parts[:-1])), payload, peer)


def _refuse_plain_network(endpoint: str) -> None:
    if not is_loopback(host_of(endpoint)):
        raise ServiceError(
            f"{endpoint} is reachable from the network without encryption: bind 127.0.0.1, or make "
            "keys (voxgate keys --help) and name them under `security`"
        )
    log.warning("PLAIN SOCKET: every program of this machine may use %s", endpoint)
