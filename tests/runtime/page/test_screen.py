"""What the operator sees: a PASS never outlives its part, its box or its connection."""

from __future__ import annotations

import re

import pytest

from tests.kits.journalled import passing_verdict
from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.page.assets_folder import ASSETS
from voxgate.runtime.page.reasons import reasons_in
from voxgate.runtime.page.screen import STRIP, Light, Watcher
from voxgate.runtime.page.words import WORDS, language_of
from voxgate.runtime.remote.history import PastJob
from voxgate.runtime.wire.fields import State
from voxgate.runtime.wire.published import HeartbeatMessage
from voxgate.runtime.wire.verdict import ReasonMessage, VerdictMessage


def beat(state: State, job_id: str | None = None, **more: object) -> HeartbeatMessage:
    values = {"seq": 1, "t_host_ns": 1, "heartbeat_ms": 50, "is_simulated": True}
    return HeartbeatMessage.model_validate(
        {**values, "state": state, "recipe": "bracket/1", "job_id": job_id, **more}
    )


def failing(job_id: str) -> VerdictMessage:
    reason = ReasonMessage(reason=Reason.POSE_GAP, detail="80 ms between two poses")
    known = {"outcome": Outcome.INDETERMINATE, "reasons": (reason,)}
    return passing_verdict(job_id).model_copy(update=known)


@pytest.fixture
def passed() -> Watcher:
    """A part has just passed."""
    watcher = Watcher("c")
    watcher.hear(beat(State.READY))
    watcher.hear(beat(State.EXECUTING, "j1"))
    assert watcher.hear(passing_verdict("j1")).light is Light.PASS
    return watcher


def test_a_pass_is_green_for_the_next_part(passed: Watcher) -> None:
    assert passed.hear(beat(State.READY)).light is Light.PASS
    assert passed.hear(beat(State.EXECUTING, "j2")).light is Light.SCANNING
    assert passed.hear(beat(State.READY)).light is Light.WAITING, "its verdict did not come here"


def test_a_box_whose_heart_beats_slowly_is_silent_between_two_beats() -> None:
    screen = Watcher("c").hear(beat(State.READY, heartbeat_ms=10_000))
    assert screen.patience_ms == 30_000
    assert Watcher("c").screen().patience_ms == 0


def test_a_heartbeat_from_before_the_verdict_hides_it(passed: Watcher) -> None:
    assert passed.hear(beat(State.EXECUTING, "j1")).light is Light.PASS


@pytest.mark.parametrize("state", [State.ERROR, State.PREOPERATIONAL, State.HALTED])
def test_a_pass_is_green_on_a_box_that_cannot_inspect(passed: Watcher, state: State) -> None:
    screen = passed.hear(beat(state, error="camera cam0 lost"))
    assert (screen.light, screen.why) == (Light.DOWN, "camera cam0 lost")


def test_a_pass_is_green_on_a_box_that_is_gone(passed: Watcher) -> None:
    screen = passed.hear(None)
    assert screen.light is Light.SILENT
    assert screen.part == ""
    assert Watcher("c").screen().light is Light.SILENT, "nothing was ever heard"


def test_a_pass_is_green_again_after_a_silence_in_which_another_part_may_have_failed(
    passed: Watcher,
) -> None:
    passed.hear(None)
    assert passed.hear(beat(State.READY)).light is Light.WAITING


def test_what_is_not_pass_says_neither_why_nor_what_to_do(passed: Watcher) -> None:
    screen = passed.hear(failing("j2"))
    assert screen.light is Light.INDETERMINATE
    assert screen.why == "80 ms between two poses"
    assert "robot's stream" in reasons_in("en")[screen.reason]["remedy"]


@pytest.mark.parametrize("language", WORDS)
def test_a_reason_is_told_in_another_language_or_not_at_all(language: str) -> None:
    told, english = reasons_in(language), reasons_in("en")
    assert told.keys() == {reason.value for reason in Reason}
    for reason, said in told.items():
        for word in ("meaning", "remedy"):
            assert said[word].endswith((".", "?")), said
            assert "`" not in said[word]
            assert language == "en" or said[word] != english[reason][word]


def test_yesterdays_part_fills_the_screen() -> None:
    watcher = Watcher("c")
    old = [
        PastJob(f"j{n}", "p", "bracket/1", "2026", passing_verdict(f"j{n}"), None)
        for n in range(STRIP + 5)
    ]
    watcher.remember(old)
    screen = watcher.hear(beat(State.READY))
    assert screen.light is Light.WAITING
    assert [each.job_id for each in screen.strip][-1] == "j0", "the newest is the last"
    assert len(screen.strip) == STRIP


def test_a_word_is_said_in_one_language_only() -> None:
    first, *others = (set(words) for words in WORDS.values())
    assert all(first == other for other in others)
    for light in Light:
        assert light.value in first
    for file in ASSETS.iterdir():
        text = file.read_text("utf-8")
        asked = re.findall(r"words\.(\w+)|data-(?:word|label)=\"(\w+)\"", text)
        assert {one or other for one, other in asked} <= first, file.name
    script = (ASSETS / "operator.js").read_text("utf-8")
    signs = script[script.index("SIGNS") : script.index("};")]
    assert set(re.findall(r"([A-Z]+):", signs)) == {light.value for light in Light}


def test_a_browser_of_another_language_gets_no_words() -> None:
    assert language_of("de-AT,de;q=0.9,en;q=0.8") == "de"
    assert language_of("fr-FR, en;q=0.5") == "en"
    assert language_of("") == "en"
    assert language_of("xx") == "en"
