"""What one peer subscribes to is bounded, whatever it takes back or does when it comes again."""

from __future__ import annotations

from voxgate.runtime.wire.door.subscriptions import MOST_BYTES, Subscriptions, asks_for


def test_a_peer_that_subscribes_to_more_than_there_is_is_told_apart_from_the_others() -> None:
    heard = Subscriptions()
    greedy = [heard.heard("display", b"\x01%050d" % number) for number in range(MOST_BYTES // 50)]
    assert greedy[0]
    assert not greedy[-1]
    assert heard.heard("robot", b"\x01verdict.cell")


def test_who_takes_back_what_he_asked_for_may_ask_again_for_ever() -> None:
    heard = Subscriptions()
    for number in range(10_000):
        assert heard.heard("display", b"\x01%050d" % number)
        assert heard.heard("display", b"\x00%050d" % number)


def test_who_is_gone_begins_anew() -> None:
    heard = Subscriptions()
    assert not heard.heard("display", b"\x01" + bytes(MOST_BYTES))
    heard.gone("display")
    assert heard.heard("display", b"\x01verdict.cell")


def test_a_subscription_covers_the_topics_that_begin_with_it() -> None:
    assert asks_for(b"\x01", b"offer.cell")
    assert asks_for(b"\x01offer", b"offer.cell")
    assert not asks_for(b"\x00offer", b"offer.cell")
    assert not asks_for(b"\x01verdict", b"offer.cell")
