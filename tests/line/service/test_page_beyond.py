"""The page beyond this machine: TLS, login, roles; and what somebody tries who has none of them."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from tests.kits.cell_kit import write_cell
from tests.kits.certificate import certificate_in
from tests.kits.journalled import passing_verdict, record
from tests.kits.needs import needs_chromium
from tests.kits.page_kit import Answer, PageProcess, page_process
from voxgate.benchmarks.line.browser import browser
from voxgate.runtime.common.people.accounts import put_account
from voxgate.runtime.common.people.role import Role
from voxgate.runtime.config.cell import check_config, load_cell
from voxgate.runtime.nouns import JobIdentity, Outcome, Reason
from voxgate.runtime.records.job_record import JobRecord
from voxgate.runtime.records.journal import Journal
from voxgate.runtime.wire.verdict import ReasonMessage

MOST_BEATS = 50  # that may be on their way, in some seconds
PASSWORD = "correct horse battery"
EVIL = "<img src=x onerror=document.title='owned'>"
EVERYTHING = {
    Role.OPERATOR: ("/", "/stream", "/me", "/jobs/job-1", "/api/jobs/job-1"),
    Role.QUALITY: ("/quality", "/api/jobs", "/api/scores"),
    Role.MAINTENANCE: (
        *("/maintenance", "/api/state", "/api/pictures", "/api/calibration", "/api/last"),
    ),
}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate_in(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def cell(certificate: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nobody serves it; its journal knows job-1, which failed for an evil reason, and an open job
    of an evil part."""
    folder = tmp_path_factory.mktemp("cell")
    for role in Role:
        put_account(folder / "accounts", role.value, role, PASSWORD)
    tls = {"certificate": str(certificate), "key": str(certificate.with_name("key.pem"))}
    made = write_cell(
        folder,
        page={"host": "127.0.0.1", "tls": tls, "accounts": "accounts"},
        sockets={"pictures": f"ipc://{folder}/pictures"},
    )
    journal = Journal(folder / "journal.sqlite")
    journal.open_job(record("job-1"))
    why = (ReasonMessage(reason=Reason.POSE_GAP, detail=EVIL),)
    said = {"outcome": Outcome.INDETERMINATE, "reasons": why}
    journal.close_job(passing_verdict("job-1").model_copy(update=said))
    evil = JobIdentity("job-2", EVIL, "bracket/1", "0" * 16, is_simulated=True)
    journal.open_job(JobRecord(evil, "none"))
    journal.close()
    return made


@pytest.fixture(scope="module")
def page(cell: Path, certificate: Path) -> Iterator[PageProcess]:
    with page_process(cell, certificate) as page:
        yield page


def _log_in(page: PageProcess, role: Role, password: str = PASSWORD) -> Answer:
    return page.post("/session", {"name": role.value, "password": password})


def _cookie(page: PageProcess, role: Role) -> str:
    """Of a session that several tests share: a password takes a third of a second to prove."""
    if role.value not in page.cookies:
        page.cookies[role.value] = _new_cookie(page, role)
    return page.cookies[role.value]


def _new_cookie(page: PageProcess, role: Role) -> str:
    answer = _log_in(page, role)
    assert answer.status == 200, answer.text
    return answer.headers["set-cookie"].partition(";")[0]


def test_who_has_not_logged_in_sees_a_job(page: PageProcess) -> None:
    for path in (path for paths in EVERYTHING.values() for path in paths):
        answer = page.ask(path)
        assert answer.status in (303, 401), path
        assert "job-1" not in answer.text
        assert answer.headers.get("location", "/login") == "/login"
    assert page.ask("/login").status == page.ask("/words").status == 200
    assert page.ask("/me", Cookie="__Host-voxgate=guessed").status == 401


def test_a_role_sees_what_another_one_is_for(page: PageProcess) -> None:
    operator, quality, keeper = (_cookie(page, each) for each in Role)
    for path in EVERYTHING[Role.QUALITY]:
        assert page.ask(path, Cookie=operator).status == 403
        assert page.ask(path, Cookie=quality).status == 200, path
    for path in EVERYTHING[Role.MAINTENANCE]:
        assert page.ask(path, Cookie=quality).status == 403
        assert page.ask(path, Cookie=keeper).status == 200, path
    assert page.ask("/api/jobs/job-1", Cookie=operator).status == 200
    mark = {"judged": "right"}
    token = page.token(Cookie=operator)
    may_not = page.post("/api/jobs/job-1/mark", mark, Cookie=operator, X_VoxGate_Token=token)
    assert may_not.status == 403


def test_a_cookie_is_told_over_plain_http_to_a_script_or_to_another_page(page: PageProcess) -> None:
    attributes = _log_in(page, Role.OPERATOR).headers["set-cookie"].lower()
    for each in ("__host-", "secure", "httponly", "samesite=strict", "path=/"):
        assert each in attributes
    assert "domain" not in attributes


def test_another_page_judges_a_verdict_with_a_persons_cookie(page: PageProcess, cell: Path) -> None:
    cookie = _cookie(page, Role.QUALITY)
    mark, path = {"judged": "right"}, "/api/jobs/job-1/mark"
    token = page.token(Cookie=cookie)
    forged = (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Content_Type": "text/plain"},  # what a form of elsewhere can send
        {"X_VoxGate_Token": "guessed"},
        {"X_VoxGate_Token": page.token(Cookie=_cookie(page, Role.MAINTENANCE))},
    )
    for headers in forged:
        named = {"Cookie": cookie, "X_VoxGate_Token": token, **headers}
        assert page.post(path, mark, **named).status == 403, headers
    assert page.ask(path, Cookie=cookie).status == 405
    assert not load_cell(cell).config.journal.path.with_suffix(".sqlite.marks").exists()
    assert page.post(path, mark, Cookie=cookie, X_VoxGate_Token=token).status == 200


def test_a_session_goes_on_after_its_end(page: PageProcess) -> None:
    cookie = _new_cookie(page, Role.QUALITY)
    token = page.token(Cookie=cookie)
    assert page.post("/session/end", {}, Cookie=cookie, X_VoxGate_Token=token).status == 200
    assert page.ask("/me", Cookie=cookie).status == 401


def test_who_has_logged_out_looks_on(page: PageProcess) -> None:
    cookie = _new_cookie(page, Role.OPERATOR)
    with page.stream("/stream", Cookie=cookie) as lines:
        assert "SILENT" in next(lines)
        token = page.token(Cookie=cookie)
        assert page.post("/session/end", {}, Cookie=cookie, X_VoxGate_Token=token).status == 200
        assert sum(1 for _ in islice(lines, MOST_BEATS)) < MOST_BEATS, "it never ends"


@pytest.mark.nightly  # by day without a page: page/test_door.py
def test_a_password_is_guessed_as_often_as_one_likes(cell: Path, certificate: Path) -> None:
    with page_process(cell, certificate) as page:
        answers = [_log_in(page, Role.OPERATOR, f"wrong {number}") for number in range(8)]
        assert [answer.status for answer in answers[:5]] == [403] * 5
        assert {answer.status for answer in answers[5:]} == {429}
        assert int(answers[-1].headers["retry-after"]) > 0
        assert _log_in(page, Role.OPERATOR).status == 429, "the right one too: it would tell"
        names = {answer.text for answer in answers[:5]}
    assert len(names) == 1


@pytest.mark.parametrize(
    "job_id",
    [
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "a%00b",
        "a%2fb",
        ".hidden",
        "x" * 65,
        "%3Cscript%3E",
        "a+b",
    ],
)
def test_a_jobs_id_leads_out_of_the_folder(page: PageProcess, job_id: str) -> None:
    cookie = _cookie(page, Role.QUALITY)
    for path in (f"/jobs/{job_id}", f"/api/jobs/{job_id}", f"/api/jobs/{job_id}/volume"):
        answer = page.ask(path, Cookie=cookie)
        assert answer.status == 404, path
        assert "text/html" not in answer.headers["content-type"]
        assert "root:" not in answer.text
        assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "query",
    [
        "outcome=DROP",
        "part=" + "x" * 200,
        "begin=never",
        "before=%27~1%3BDROP",
        "part=%27%20OR%201",
    ],
)
def test_a_search_runs_as_sql_or_ends_in_a_traceback(page: PageProcess, query: str) -> None:
    answer = page.ask(f"/api/jobs?{query}", Cookie=_cookie(page, Role.QUALITY))
    assert answer.status in (200, 404)
    assert "Traceback" not in answer.text
    if answer.status == 200:
        assert answer.json["jobs"] == []


def test_an_answer_lets_a_browser_do_more_than_it_must(page: PageProcess) -> None:
    cookie = _cookie(page, Role.QUALITY)
    paths = (
        "/",
        "/quality",
        "/jobs/job-1",
        "/login",
        "/me",
        "/words",
        "/assets/job.js",
        "/nowhere",
    )
    for path in (*paths[:-1], "/api/jobs"):
        headers = page.ask(path, Cookie=cookie).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'"), path
        assert "unsafe" not in policy
        assert "*" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers
        assert "strict-transport-security" in headers


def test_an_old_tls_or_plain_http_is_answered(page: PageProcess) -> None:
    with socket.create_connection(("127.0.0.1", page.port), 10) as plain:
        plain.sendall(b"GET /words HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert not plain.recv(100).startswith(b"HTTP/1.1 200")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", page.port), 10) as connection,
        pytest.raises(ssl.SSLError),
    ):
        old.wrap_socket(connection)


@pytest.mark.parametrize("missing", ["tls", "accounts", "names"])
def test_a_page_is_open_to_the_network_without_tls_and_login(
    certificate: Path, tmp_path: Path, missing: str
) -> None:
    tls = {"certificate": str(certificate), "key": str(certificate.with_name("key.pem"))}
    section = {"host": "0.0.0.0", "tls": tls, "accounts": "accounts", "names": ["box.lan"]}
    del section[missing]
    found = check_config(write_cell(tmp_path, page=section))
    assert any("page" in line for line in found), found


@pytest.mark.nightly  # by day the policy forbids it, above
@needs_chromium
def test_a_browser_runs_what_a_reason_says(page: PageProcess, tmp_path: Path) -> None:
    with browser(tmp_path, "--ignore-certificate-errors") as tab:
        tab.open(f"{page.url}/login")
        tab.wait_for("document.body.dataset.ready && document.activeElement.name == 'name'")
        tab.type(Role.QUALITY.value)
        tab.value("document.querySelector('[name=password]').focus()")
        tab.type(PASSWORD)
        tab.value("document.querySelector('button').click()")
        tab.wait_for("location.pathname == '/' && document.body.dataset.light")
        tab.open(f"{page.url}/jobs/job-1")
        tab.wait_for("document.body.dataset.ready")
        assert EVIL in tab.value("document.querySelector('#reasons').textContent")
        assert "owned" not in tab.value("document.title")
        assert tab.value("document.querySelectorAll('#reasons img').length") == 0
        tab.open(f"{page.url}/quality")
        tab.wait_for("location.pathname == '/quality' && document.body.dataset.ready")
        assert EVIL in tab.value("document.querySelector('#jobs').textContent")
        assert tab.value("document.images.length") == 0
        assert "owned" not in tab.value("document.title")
