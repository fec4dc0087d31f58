import email.utils
import gzip
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from ingest.downloads.http import FAILURES, Client, NoFileError, Policy

HASTY = Policy(timeout=1.0, deadline=4.0, attempts=2, pause=0.01, max_bytes=100_000)
BODY = bytes(range(256)) * 100


def failure(client, url):
    with pytest.raises(NoFileError) as caught:
        client.get(url)
    assert caught.value.reason in FAILURES
    return caught.value.reason


def nobody():
    """Return an address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/a.jpg"


def test_a_file_arrives_as_it_is(host, answer):
    assert Client(HASTY).get(host.serve("/a", answer(BODY))) == BODY


def test_the_host_is_told_who_asks(host, answer):
    Client(HASTY).get(host.serve("/a", answer(BODY)))
    assert host.user_agents == {HASTY.user_agent}


def test_a_redirect_is_followed(host, answer):
    host.serve("/new", answer(BODY))
    moved = host.serve("/old", answer(status=302, headers={"Location": "/new"}))
    assert Client(HASTY).get(moved) == BODY


def test_redirects_without_end_are_refused(host, answer):
    url = host.serve("/a", answer(status=302, headers={"Location": "/a"}))
    assert failure(Client(HASTY), url) == "refused"
    assert host.asked["/a"] == 6


@pytest.mark.parametrize(
    ("status", "reason"), [(404, "gone"), (410, "gone"), (403, "refused"), (401, "refused")]
)
def test_a_plain_no_is_not_asked_twice(host, answer, status, reason):
    assert failure(Client(HASTY), host.serve("/a", answer(status=status))) == reason
    assert host.asked["/a"] == 1


@pytest.mark.parametrize(
    ("status", "reason"),
    [(500, "server-error"), (502, "server-error"), (503, "busy"), (429, "busy")],
)
def test_a_host_that_fails_is_asked_again_so_many_times(host, answer, status, reason):
    assert failure(Client(HASTY), host.serve("/a", answer(status=status))) == reason
    assert host.asked["/a"] == 2


def test_a_host_that_fails_once_is_forgiven(host, answer):
    assert Client(HASTY).get(host.serve("/a", answer(status=500), answer(BODY))) == BODY


def test_a_host_that_asks_for_more_time_than_there_is_is_left_in_peace(host, answer):
    url = host.serve("/a", answer(status=429, headers={"Retry-After": "3600"}))
    assert failure(Client(HASTY), url) == "busy"
    assert host.asked["/a"] == 1


def in_two_seconds():
    return email.utils.formatdate(time.time() + 2, usegmt=True)


@pytest.mark.parametrize("when", ["1", in_two_seconds])
def test_a_host_that_names_a_time_is_asked_again_then(host, answer, when):
    retry_after = when if isinstance(when, str) else when()
    busy = answer(status=503, headers={"Retry-After": retry_after})
    started = time.monotonic()
    assert Client(HASTY).get(host.serve("/a", busy, answer(BODY))) == BODY
    assert time.monotonic() - started >= 0.9  # a date has whole seconds


def test_a_retry_after_that_cannot_be_read_is_passed_over(host, answer):
    busy = answer(status=503, headers={"Retry-After": "soon"})
    assert Client(HASTY).get(host.serve("/a", busy, answer(BODY))) == BODY


def test_pauses_double(host, answer):
    url = host.serve("/a", answer(status=500))
    started = time.monotonic()
    failure(Client(Policy(attempts=4, pause=0.1)), url)
    assert 0.7 <= time.monotonic() - started < 1.5
    assert host.asked["/a"] == 4


def test_an_answer_that_ends_early_is_asked_for_again_from_the_start(host, answer):
    other = BODY[::-1]
    url = host.serve("/a", answer(BODY, claimed=len(BODY) + 1), answer(other))
    assert Client(HASTY).get(url) == other


def test_an_answer_that_always_ends_early_is_truncated(host, answer):
    url = host.serve("/a", answer(BODY, claimed=len(BODY) + 1))
    assert failure(Client(HASTY), url) == "truncated"
    assert host.asked["/a"] == 2


def test_a_host_that_does_not_answer_in_time_is_slow(host, answer):
    assert failure(Client(HASTY), host.serve("/a", answer(BODY, silence_before=2.0))) == "slow"


def test_a_host_that_falls_silent_midway_is_slow(host, answer):
    assert failure(Client(HASTY), host.serve("/a", answer(BODY, silence_midway=2.0))) == "slow"


def test_a_host_that_trickles_is_given_up_at_the_deadline(host, answer):
    policy = Policy(timeout=5.0, deadline=0.2)
    trickle = answer(BODY, silence_midway=0.05, parts=20)
    assert failure(Client(policy), host.serve("/a", trickle)) == "slow"


def test_a_host_that_is_stopped_midway_is_not_held_to_have_failed(host, answer):
    client = Client(HASTY)
    timer = threading.Timer(0.1, client.stop)
    timer.start()
    trickle = answer(BODY, silence_midway=0.05, parts=20)
    assert failure(client, host.serve("/a", trickle)) == "not-asked"
    timer.join()


def test_a_packed_answer_is_unpacked_and_its_size_counts_unpacked(host, answer):
    packed = {"Content-Encoding": "gzip"}
    assert Client(HASTY).get(host.serve("/a", answer(gzip.compress(BODY), headers=packed))) == BODY
    bomb = host.serve("/b", answer(gzip.compress(bytes(50_000_000)), headers=packed))
    assert failure(Client(HASTY), bomb) == "too-large"


def test_an_answer_packed_badly_is_truncated(host, answer):
    url = host.serve("/a", answer(b"not gzip", headers={"Content-Encoding": "gzip"}))
    assert failure(Client(HASTY), url) == "truncated"


def test_a_file_that_is_too_large_is_not_taken(host, answer):
    assert failure(Client(HASTY), host.serve("/a", answer(bytes(100_001)))) == "too-large"


@pytest.mark.parametrize(
    "url", ["", "a.jpg", "file:///etc/passwd", "ftp://host/a.jpg", "http://", "http://[1/a.jpg"]
)
def test_other_than_web_addresses_are_bad(url):
    assert failure(Client(HASTY), url) == "bad-address"


def test_a_host_that_is_not_there_is_unreachable_and_soon_not_asked():
    client = Client(Policy(connection_failures=3))
    url = nobody()
    assert [failure(client, url) for _ in range(5)] == ["unreachable"] * 3 + ["not-asked"] * 2


def test_a_host_is_asked_a_few_times_at_once_at_most(host, answer):
    urls = [host.serve(f"/{n}", answer(BODY, silence_before=0.03)) for n in range(12)]
    client = Client(Policy(per_host=3))
    with ThreadPoolExecutor(12) as executor:
        assert list(executor.map(client.get, urls)) == [BODY] * 12
    assert host.most_at_once == 3


def test_whoever_is_stopped_asks_no_more(host, answer):
    client = Client(HASTY)
    url = host.serve("/a", answer(BODY))
    client.stop()
    assert failure(client, url) == "not-asked"
    assert host.asked["/a"] == 0


def test_stopping_ends_a_pause_at_once(host, answer):
    client = Client(Policy(pause=60.0, deadline=100.0))
    url = host.serve("/a", answer(status=500))
    timer = threading.Timer(0.1, client.stop)
    timer.start()
    assert failure(client, url) == "server-error"
    timer.join()
    assert host.asked["/a"] == 1


def test_a_host_that_was_looked_for_in_vain_is_not_asked_for_files(host, answer):
    client, there, gone = Client(HASTY), host.serve("/a", answer(BODY)), nobody()
    client.look_for_hosts([gone, there, "http://[no address"])
    assert failure(client, gone) == "not-asked"
    assert client.get(there) == BODY


def test_hosts_are_looked_for_all_at_once(monkeypatch):
    client, all_of_them = Client(HASTY), threading.Barrier(3, timeout=5)
    monkeypatch.setattr(client._session, "head", lambda *_, **__: all_of_them.wait())
    client.look_for_hosts(f"https://{name}.example.org/{name}.pth" for name in "abcabc")


def test_a_host_without_an_answer_is_unreachable_after_the_time_for_that():
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        with socket.create_connection(address):  # all places to wait for an answer are taken
            url = f"http://127.0.0.1:{address[1]}/a"
            client = Client(replace(HASTY, connect_timeout=0.1, attempts=1))
            assert failure(client, url) == "unreachable"
