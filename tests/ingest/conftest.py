"""A real web server on this machine that misbehaves on request."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class Answer:
    """How to answer a request.

    The body comes in so many parts with silence between them; `claimed` is the length announced,
    where it isn't the true one.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    claimed: int | None = None
    silence_before: float = 0.0
    silence_midway: float = 0.0
    parts: int = 2


class Host:
    """A web server: the n-th request of a path gets its n-th answer, or its last."""

    def __init__(self):
        self.answers = {}
        self.asked = Counter()
        self.user_agents = set()
        self.at_once = 0
        self.most_at_once = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def serve(self, path, *answers):
        """Say how a path answers, and return its whole address."""
        self.answers[path] = answers
        return self.address + path

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(host):  # noqa: N805 - `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                with host._lock:
                    number = host.asked[self.path]
                    host.asked[self.path] += 1
                    host.user_agents.add(self.headers["User-Agent"])
                    host.at_once += 1
                    host.most_at_once = max(host.most_at_once, host.at_once)
                try:
                    answers = host.answers.get(self.path, (Answer(status=404),))
                    self.give(answers[min(number, len(answers) - 1)])
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the client had enough
                finally:
                    with host._lock:
                        host.at_once -= 1

            def give(self, answer):
                time.sleep(answer.silence_before)
                length = len(answer.body) if answer.claimed is None else answer.claimed
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(length), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                step = max(1, -(-len(answer.body) // answer.parts))
                for start in range(0, len(answer.body), step):
                    time.sleep(answer.silence_midway if start else 0.0)
                    self.wfile.write(answer.body[start : start + step])

            def log_message(self, *arguments):
                pass

        return Handler


@pytest.fixture
def host():
    host = Host()
    yield host
    host.close()


@pytest.fixture
def answer():
    return Answer
