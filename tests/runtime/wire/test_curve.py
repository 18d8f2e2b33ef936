"""Who is not on the list of a socket's role does not get through, and nothing of his is read."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from tests.kits.cell_kit import until
from tests.kits.handshake import ENDINGS, TURNED_AWAY
from tests.kits.needs import has, may_unshare, needs
from tests.kits.repository import ROOT
from voxgate.runtime.common.access import Access, Role
from voxgate.runtime.config.sections import Sockets
from voxgate.runtime.errors import KeyFileError
from voxgate.runtime.wire.curve import KeyPair, load_key_pair
from voxgate.runtime.wire.keys import load_signer, make_key_pair, make_signer
from voxgate.runtime.wire.poses import TOPIC_POSE
from voxgate.runtime.wire.sockets import CellSockets

KINDS: dict[Role, int] = {
    **{"poses": zmq.PUB, "commands": zmq.DEALER},
    **{"verdicts": zmq.SUB, "pictures": zmq.SUB},
}
HANDSHAKE_MS = 20_000

Knock = Callable[..., "tuple[zmq.Socket[bytes], zmq.Event]"]


@pytest.fixture
def denied() -> list[Role]:
    return []


@pytest.fixture
def peers(folder: Path) -> dict[str, KeyPair]:
    names = ("box", "robot", "display", "stranger")
    return {name: make_key_pair(folder, name)[1] for name in names}


@pytest.fixture
def sockets(folder: Path, peers: dict[str, KeyPair], denied: list[Role]) -> Iterator[CellSockets]:
    """The robot may do everything but hear verdicts, the display may hear them and nothing else."""
    robot, display = (peers[name].public.decode() for name in ("robot", "display"))
    access = Access(
        folder / "box.key_secret",
        {
            "poses": frozenset({robot}),
            "commands": frozenset({robot}),
            "verdicts": frozenset({display}),
            "pictures": frozenset({robot}),
        },
    )
    endpoints = {name: f"ipc://{folder}/{name}" for name in KINDS}
    sockets = CellSockets(Sockets.model_validate(endpoints), access, denied.append)
    yield sockets
    sockets.close()


@pytest.fixture
def knock(folder: Path, peers: dict[str, KeyPair]) -> Iterator[Knock]:
    """Connects as `name` (None: without a key); the socket, and how the handshake ended."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    made = []

    def knock(
        name: str | None, role: Role, box: str = "box"
    ) -> tuple[zmq.Socket[bytes], zmq.Event]:
        socket = context.socket(KINDS[role])
        made.append(socket)
        if name is not None:
            socket.curve_publickey, socket.curve_secretkey = peers[name].public, peers[name].secret
            socket.curve_serverkey = peers[box].public
        with socket.get_monitor_socket(ENDINGS) as monitor:
            socket.connect(f"ipc://{folder}/{role}")
            # a server that does not share our secret ends the connection without a word
            assert monitor.poll(HANDSHAKE_MS), "the handshake never ended"
            ending = zmq.Event(recv_monitor_message(monitor)["event"])
            socket.disable_monitor()
        return socket, ending

    yield knock
    context.destroy(linger=0)


def test_a_listed_peer_is_heard(sockets: CellSockets, knock: Knock, denied: list[Role]) -> None:
    commands, ending = knock("robot", "commands")
    assert ending is zmq.Event.HANDSHAKE_SUCCEEDED
    commands.send(b"question")
    (request,) = until(lambda: list(sockets.take_requests()), "the request")
    assert request.payload == b"question"
    poses, _ = knock("robot", "poses")

    def came() -> bool:
        poses.send_multipart([TOPIC_POSE, b"payload"])
        return bool(sockets.poses.poll(10)) and sockets.take_pose() == b"payload"

    until(came, "the pose")
    assert denied == []


@pytest.mark.parametrize("role", KINDS)
def test_a_stranger_gets_nowhere(
    role: Role, sockets: CellSockets, knock: Knock, denied: list[Role]
) -> None:
    assert knock("stranger", role)[1] in TURNED_AWAY
    assert set(denied) == {role}


@pytest.mark.parametrize(
    ("name", "role"),
    [
        *(("display", "commands"), ("display", "poses"), ("display", "pictures")),
        ("robot", "verdicts"),
    ],
)
def test_a_peer_of_one_role_has_no_other(
    name: str, role: Role, sockets: CellSockets, knock: Knock, denied: list[Role]
) -> None:
    assert knock(name, role)[1] in TURNED_AWAY
    assert set(denied) == {role}


@pytest.mark.parametrize("role", KINDS)
def test_a_peer_without_a_key_gets_nowhere(role: Role, sockets: CellSockets, knock: Knock) -> None:
    assert knock(None, role)[1] is not zmq.Event.HANDSHAKE_SUCCEEDED


def test_another_box_is_not_talked_to(sockets: CellSockets, knock: Knock) -> None:
    commands, ending = knock("robot", "commands", box="stranger")
    assert ending is not zmq.Event.HANDSHAKE_SUCCEEDED
    commands.send(b"question")
    honest, _ = knock("robot", "commands")
    honest.send(b"another")
    (request,) = until(lambda: list(sockets.take_requests()), "the request")
    assert request.payload == b"another"


OWN_NETWORK = """
import sys
from pathlib import Path
import zmq
from tests.kits.cell_kit import until
from voxgate.runtime.common.access import Access
from voxgate.runtime.config.sections import Sockets
from voxgate.runtime.wire.curve import load_key_pair
from voxgate.runtime.wire.sockets import CellSockets
folder = Path(sys.argv[1])
own, box = (load_key_pair(folder / f"{name}.key_secret") for name in ("robot", "box"))
ports = dict(zip(("poses", "commands", "verdicts"), range(5560, 5563)))
endpoints = {name: f"tcp://[fd12:3456::5]:{port}" for name, port in ports.items()}
access = Access(folder / "box.key_secret", {"commands": frozenset({own.public.decode()})})
sockets = CellSockets(Sockets.model_validate(endpoints), access)
with zmq.Context() as context, context.socket(zmq.DEALER) as robot:
    robot.ipv6 = True
    robot.curve_publickey, robot.curve_secretkey = own.public, own.secret
    robot.curve_serverkey = box.public
    robot.connect(endpoints["commands"])
    robot.send(b"question")
    (request,) = until(lambda: list(sockets.take_requests()), "the request")
    sockets.reply(request.envelope, b"answer")
    assert robot.recv() == b"answer"
sockets.close()
"""


@pytest.mark.slow
@needs(may_unshare("--net") and has("ip"), "root, unshare and ip: apt-get install iproute2")
def test_a_robot_on_an_ipv6_network_of_ones_own_is_not_heard(
    folder: Path, peers: dict[str, KeyPair]
) -> None:
    network = "ip link set lo up && ip -6 address add fd12:3456::5/64 dev lo nodad"
    command = f'{network} && exec "$0" -c "$1" "$2"'
    subprocess.run(
        ["unshare", "--net", "sh", "-c", command, sys.executable, OWN_NETWORK, str(folder)],
        cwd=ROOT,
        check=True,
    )


def test_without_its_gatekeeper_nobody_comes_in(sockets: CellSockets, knock: Knock) -> None:
    door = sockets._door
    assert door is not None
    door.close()
    assert knock("robot", "commands")[1] is not zmq.Event.HANDSHAKE_SUCCEEDED


def test_nothing_is_left_after_a_key_that_cannot_be_used(folder: Path) -> None:
    endpoints = {name: f"ipc://{folder}/{name}" for name in KINDS}
    with pytest.raises(KeyFileError, match="voxgate keys"):
        CellSockets(Sockets.model_validate(endpoints), Access(folder / "none.key_secret", {}))
    assert list(folder.iterdir()) == []


def test_a_secret_that_everybody_reads_is_refused(folder: Path) -> None:
    path, _ = make_key_pair(folder, "box")
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        load_key_pair(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no CURVE certificate"),
        ('curve\n public-key = "x"\n', "only a public key"),
        ('curve\n public-key = "x"\n secret-key = "y"\n', "40 characters"),
    ],
)
def test_a_file_that_is_no_key_is_told_in_one_line(folder: Path, text: str, words: str) -> None:
    path = folder / "box.key_secret"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=words):
        load_key_pair(path)


def test_a_signers_key_that_others_may_read_signs_nothing(folder: Path) -> None:
    path, _ = make_signer(folder, "quality", None)
    path.chmod(0o604)
    with pytest.raises(KeyFileError, match="chmod 600"):
        load_signer(path, None)


@needs(os.geteuid() == 0, "root")
def test_the_boxs_key_made_by_root_can_be_read_by_the_service_and_nobody_else(
    folder: Path,
) -> None:
    os.chown(folder, 0, 4711)
    path, _ = make_key_pair(folder, "box", for_group=True)
    peer, _ = make_key_pair(folder, "robot")
    assert (path.stat().st_uid, path.stat().st_gid, path.stat().st_mode & 0o777) == (0, 4711, 0o640)
    assert peer.stat().st_mode & 0o777 == 0o600


def test_a_key_is_never_written_over_another(folder: Path) -> None:
    path, _ = make_key_pair(folder, "box")
    before = path.read_bytes()
    with pytest.raises(KeyFileError, match="exists already"):
        make_key_pair(folder, "box")
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o600
