"""Who is nobody sees nothing: accounts, sessions and guesses, on a clock that the test steps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from voxgate.runtime.cli import app
from voxgate.runtime.common.people.accounts import Accounts, put_account, read_accounts
from voxgate.runtime.common.people.patience import FORGOTTEN_S, FREE, LONGEST_WAIT_S, MOST, Patience
from voxgate.runtime.common.people.role import Role
from voxgate.runtime.errors import KeyFileError
from voxgate.runtime.page.door.sessions import IDLE_S, LONGEST_S, Sessions
from voxgate.runtime.page.door.sessions import MOST as MOST_SESSIONS

PASSWORD = "correct horse battery"


@dataclass
class Clock:
    """Seconds, as the test says."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Of one account."""
    path = tmp_path / "accounts"
    put_account(path, "ann", Role.QUALITY, PASSWORD)
    return path


def test_a_wrong_password_or_name_is_let_in(file: Path) -> None:
    accounts = Accounts(file)
    assert accounts.role_of("ann", PASSWORD) is Role.QUALITY
    assert accounts.role_of("ann", PASSWORD + "!") is None
    assert accounts.role_of("bob", PASSWORD) is None
    assert accounts.role_of("ann", "") is None


def test_the_file_tells_a_password_or_anybody_may_read_it(file: Path) -> None:
    assert PASSWORD not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    file.chmod(0o644)
    with pytest.raises(KeyFileError, match="others may read"):
        Accounts(file)


@pytest.mark.parametrize(
    "line", ["ann", "ann:quality:plain", "ann:root:$argon2id$x", "a b:quality:x"]
)
def test_a_line_that_is_no_account_is_passed_over(file: Path, line: str) -> None:
    file.write_text(f"{file.read_text()}{line}\n")
    with pytest.raises(KeyFileError, match=":2: is no account"):
        Accounts(file)


def test_an_account_cannot_be_made_changed_or_taken_away(tmp_path: Path) -> None:
    file = tmp_path / "accounts"
    made = ("account", "add", "ann", "--role", "operator", "--accounts", str(file))
    assert CliRunner().invoke(app, made, input=f"{PASSWORD}\n").exit_code == 0
    other = (*made[:4], "maintenance", *made[5:])
    assert CliRunner().invoke(app, other, input=f"{PASSWORD}2\n").exit_code == 0
    assert [(each.name, each.role) for each in read_accounts(file)] == [("ann", Role.MAINTENANCE)]
    assert Accounts(file).role_of("ann", f"{PASSWORD}2") is Role.MAINTENANCE
    short = CliRunner().invoke(app, made, input="short\n")
    assert "12 to 256 characters" in str(short.exception)
    gone = CliRunner().invoke(app, ["account", "remove", "ann", "--accounts", str(file)])
    assert gone.exit_code == 0
    with pytest.raises(KeyFileError, match="holds no account"):
        Accounts(file)


def test_a_role_sees_what_is_not_its_own() -> None:
    for role in Role:
        assert role.covers(Role.OPERATOR)
        assert Role.MAINTENANCE.covers(role)
    assert not Role.OPERATOR.covers(Role.QUALITY)
    assert not Role.QUALITY.covers(Role.MAINTENANCE)


def test_a_session_outlives_its_shift_or_its_end(clock: Clock) -> None:
    sessions = Sessions(clock)
    cookie = sessions.begin("ann", Role.QUALITY)
    assert sessions.visitor(cookie) is not None
    assert sessions.visitor(cookie[:-1]) is None
    clock.now_s += IDLE_S + 1
    assert sessions.visitor(cookie) is None
    cookie = sessions.begin("ann", Role.QUALITY)
    for _ in range(int(LONGEST_S // (IDLE_S / 2))):
        clock.now_s += IDLE_S / 2
        assert sessions.visitor(cookie) is not None
    clock.now_s += IDLE_S / 2
    assert sessions.visitor(cookie) is None
    cookie = sessions.begin("ann", Role.QUALITY)
    sessions.end(cookie)
    assert sessions.visitor(cookie) is None


def test_two_sessions_have_one_token_or_sessions_fill_the_memory(clock: Clock) -> None:
    sessions = Sessions(clock)
    cookies = [sessions.begin("ann", Role.QUALITY) for _ in range(MOST_SESSIONS + 1)]
    assert sessions.visitor(cookies[0]) is None
    visitors = [sessions.visitor(cookie) for cookie in cookies[1:]]
    assert len({visitor.token for visitor in visitors if visitor is not None}) == MOST_SESSIONS


def test_a_password_can_be_guessed_all_day(clock: Clock) -> None:
    patience, guesses = Patience(clock), 0
    until_s = clock.now_s + 86_400
    while clock.now_s < until_s:
        wait_s = patience.wait_s("address a", "name ann")
        clock.now_s += wait_s
        patience.failed("address a", "name ann")
        guesses += 1
    assert guesses < FREE + 10 + 86_400 / LONGEST_WAIT_S
    assert patience.wait_s("address b", "name ann") > 0, "many machines, one name"
    assert patience.wait_s("address a", "name bob") > 0, "one machine, many names"
    assert patience.wait_s("address b", "name bob") == 0
    clock.now_s += FORGOTTEN_S + 1
    assert patience.wait_s("address a", "name ann") == 0


def test_who_mistypes_once_waits_or_guesses_fill_the_memory(clock: Clock) -> None:
    patience = Patience(clock)
    for _ in range(FREE - 1):
        patience.failed("name ann")
    assert patience.wait_s("name ann") == 0
    patience.failed("name ann")
    assert patience.wait_s("name ann") > 0
    patience.succeeded("name ann")
    assert patience.wait_s("name ann") == 0
    for number in range(MOST + 5):
        patience.failed(f"address {number}")
    assert len(patience._of) == MOST
