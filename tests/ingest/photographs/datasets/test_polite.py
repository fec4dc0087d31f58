import gzip
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ingest.photographs.datasets.polite import FAILURES, Asker, Manners, NoFileError

HASTY = Manners(timeout=1.0, deadline=4.0, attempts=2, pause=0.01, max_bytes=100_000)
BODY = bytes(range(256)) * 100


def failure(asker, url):
    with pytest.raises(NoFileError) as caught:
        asker.get(url)
    assert caught.value.reason in FAILURES
    return caught.value.reason


def nobody():
    """Return an address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/a.jpg"


def test_a_file_arrives_as_it_is(host, answer):
    assert Asker(HASTY).get(host.serve("/a", answer(BODY))) == BODY


def test_the_host_is_told_who_asks(host, answer):
    Asker(HASTY).get(host.serve("/a", answer(BODY)))
    assert host.user_agents == {HASTY.user_agent}


def test_a_redirect_is_followed(host, answer):
    host.serve("/new", answer(BODY))
    moved = host.serve("/old", answer(status=302, headers={"Location": "/new"}))
    assert Asker(HASTY).get(moved) == BODY


def test_redirects_without_end_are_refused(host, answer):
    url = host.serve("/a", answer(status=302, headers={"Location": "/a"}))
    assert failure(Asker(HASTY), url) == "refused"
    assert host.asked["/a"] == 6


@pytest.mark.parametrize(
    ("status", "reason"), [(404, "gone"), (410, "gone"), (403, "refused"), (401, "refused")]
)
def test_a_plain_no_is_not_asked_twice(host, answer, status, reason):
    assert failure(Asker(HASTY), host.serve("/a", answer(status=status))) == reason
    assert host.asked["/a"] == 1


@pytest.mark.parametrize(
    ("status", "reason"),
    [(500, "server-error"), (502, "server-error"), (503, "busy"), (429, "busy")],
)
def test_a_host_that_fails_is_asked_again_so_many_times(host, answer, status, reason):
    assert failure(Asker(HASTY), host.serve("/a", answer(status=status))) == reason
    assert host.asked["/a"] == 2


def test_a_host_that_fails_once_is_forgiven(host, answer):
    assert Asker(HASTY).get(host.serve("/a", answer(status=500), answer(BODY))) == BODY


def test_a_host_that_asks_for_more_time_than_there_is_is_left_in_peace(host, answer):
    url = host.serve("/a", answer(status=429, headers={"Retry-After": "3600"}))
    assert failure(Asker(HASTY), url) == "busy"
    assert host.asked["/a"] == 1


def test_an_answer_that_ends_early_is_asked_for_again_from_the_start(host, answer):
    other = BODY[::-1]
    url = host.serve("/a", answer(BODY, claimed=len(BODY) + 1), answer(other))
    assert Asker(HASTY).get(url) == other


def test_an_answer_that_always_ends_early_is_truncated(host, answer):
    url = host.serve("/a", answer(BODY, claimed=len(BODY) + 1))
    assert failure(Asker(HASTY), url) == "truncated"
    assert host.asked["/a"] == 2


def test_a_host_that_does_not_answer_in_time_is_slow(host, answer):
    assert failure(Asker(HASTY), host.serve("/a", answer(BODY, silence_before=2.0))) == "slow"


def test_a_host_that_falls_silent_midway_is_slow(host, answer):
    assert failure(Asker(HASTY), host.serve("/a", answer(BODY, silence_midway=2.0))) == "slow"


def test_a_host_that_trickles_is_given_up_at_the_deadline(host, answer):
    manners = Manners(timeout=5.0, deadline=0.2)
    trickle = answer(BODY, silence_midway=0.05, parts=20)
    assert failure(Asker(manners), host.serve("/a", trickle)) == "slow"


def test_a_host_that_is_stopped_midway_is_not_held_to_have_failed(host, answer):
    asker = Asker(HASTY)
    timer = threading.Timer(0.1, asker.stop)
    timer.start()
    trickle = answer(BODY, silence_midway=0.05, parts=20)
    assert failure(asker, host.serve("/a", trickle)) == "not-asked"
    timer.join()


def test_a_packed_answer_is_unpacked_and_its_size_counts_unpacked(host, answer):
    packed = {"Content-Encoding": "gzip"}
    assert Asker(HASTY).get(host.serve("/a", answer(gzip.compress(BODY), headers=packed))) == BODY
    bomb = host.serve("/b", answer(gzip.compress(bytes(50_000_000)), headers=packed))
    assert failure(Asker(HASTY), bomb) == "too-large"


def test_an_answer_packed_badly_is_truncated(host, answer):
    url = host.serve("/a", answer(b"not gzip", headers={"Content-Encoding": "gzip"}))
    assert failure(Asker(HASTY), url) == "truncated"


def test_a_file_that_is_too_large_is_not_taken(host, answer):
    assert failure(Asker(HASTY), host.serve("/a", answer(bytes(100_001)))) == "too-large"


@pytest.mark.parametrize(
    "url", ["", "a.jpg", "file:///etc/passwd", "ftp://host/a.jpg", "http://", "http://[1/a.jpg"]
)
def test_other_than_web_addresses_are_bad(url):
    assert failure(Asker(HASTY), url) == "bad-address"


def test_a_host_that_is_not_there_is_unreachable_and_soon_not_asked():
    asker = Asker(Manners(patience=3))
    url = nobody()
    assert [failure(asker, url) for _ in range(5)] == ["unreachable"] * 3 + ["not-asked"] * 2


def test_a_host_is_asked_a_few_times_at_once_at_most(host, answer):
    urls = [host.serve(f"/{n}", answer(BODY, silence_before=0.03)) for n in range(12)]
    asker = Asker(Manners(per_host=3))
    with ThreadPoolExecutor(12) as executor:
        assert list(executor.map(asker.get, urls)) == [BODY] * 12
    assert host.most_at_once == 3


def test_whoever_is_stopped_asks_no_more(host, answer):
    asker = Asker(HASTY)
    url = host.serve("/a", answer(BODY))
    asker.stop()
    assert failure(asker, url) == "not-asked"
    assert host.asked["/a"] == 0


def test_stopping_ends_a_pause_at_once(host, answer):
    asker = Asker(Manners(pause=60.0, deadline=100.0))
    url = host.serve("/a", answer(status=500))
    timer = threading.Timer(0.1, asker.stop)
    timer.start()
    assert failure(asker, url) == "server-error"
    timer.join()
    assert host.asked["/a"] == 1
