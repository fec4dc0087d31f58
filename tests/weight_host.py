"""A file host on 127.0.0.1, over real HTTP, whose paths say how it behaves.

``http://127.0.0.1:PORT/<behaviour>/<name>`` serves the bytes given for <name>:

=============  ==================================================================
ok             the file; knows Range, If-Range and ETag
plain          the file; knows no ranges and has no ETag
slow           half of the file, then silence
404, 403, 500  that answer
busy           429 and a Retry-After of an hour
flaky          503 the first time, then ok
redirect       302 to ok
loop           302 to itself
truncated      half of what it is asked for, then the connection ends
interrupted    truncated the first time, then ok
changed        truncated the first time, then another file under another ETag
misranged      truncated the first time, then always the same range, whatever was asked
html           200 with a web page
huge           a Content-Length that no disk has room for
endless        the file again and again, of no stated length
packed         a few KiB that unpack to 64 MiB
ours           302 to a file of whoever asks
garbled        an answer that is no HTTP
=============  ==================================================================
"""

import gzip
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

BOMB = gzip.compress(bytes(2**26))
WEB_PAGE = b"<!DOCTYPE html>\n<html><body>Sign in to download</body></html>\n"


@dataclass(frozen=True)
class Request:
    """A request as the host got it."""

    behaviour: str
    name: str
    byte_range: str | None


@dataclass
class WeightHost:
    """Serves files by name while its context lasts."""

    files: Mapping[str, bytes]
    requests: list[Request] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def address(self, behaviour: str, name: str) -> str:
        """Return the address at which a file is served in a certain way."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/{behaviour}/{name}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        host, asked = self, Counter[tuple[str, str]]()

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                _, behaviour, name = self.path.split("/", 2)
                host.requests.append(Request(behaviour, name, self.headers["Range"]))
                asked[behaviour, name] += 1
                first = asked[behaviour, name] == 1
                content = host.files[name]
                harm = {
                    "endless": lambda: self._send_without_end(content),
                    "packed": lambda: self._send(BOMB, headers={"Content-Encoding": "gzip"}),
                    "ours": lambda: self._redirect_to("file:///etc/hostname"),
                    "garbled": lambda: self.wfile.write(b"\0\xff" * 100),
                }
                if behaviour in harm:
                    harm[behaviour]()
                elif behaviour.isdigit():
                    self.send_error(int(behaviour))
                elif behaviour == "busy":
                    self._send(b"", 429, {"Retry-After": "3600"})
                elif behaviour == "flaky" and first:
                    self.send_error(503)
                elif behaviour in ("redirect", "loop"):
                    self._redirect("ok" if behaviour == "redirect" else "loop", name)
                elif behaviour == "html":
                    self._send(WEB_PAGE, headers={"Content-Type": "text/html"})
                elif behaviour == "huge":
                    self._send(content, headers={"Content-Length": str(10**18)})
                elif behaviour == "plain":
                    self._send(content)
                elif behaviour == "misranged" and self.headers["Range"]:
                    self._send(content[:9], 206, {"Content-Range": f"bytes 0-8/{len(content)}"})
                elif behaviour == "changed" and not first:
                    self._send_range(content[::-1], etag='"second"')
                else:
                    cut = behaviour in ("truncated", "slow")
                    cut = cut or (behaviour in ("interrupted", "changed", "misranged") and first)
                    self._send_range(content, etag='"first"', cut=cut)
                    if behaviour == "slow":
                        host._over.wait(30)

            def _redirect(self, behaviour: str, name: str) -> None:
                self._redirect_to(f"/{behaviour}/{name}")

            def _redirect_to(self, address: str) -> None:
                self.send_response(302)
                self.send_header("Location", address)
                self.end_headers()

            def _send_without_end(self, content: bytes) -> None:
                self.send_response(200)
                self.end_headers()
                with suppress(ConnectionError):
                    while not host._over.is_set():
                        self.wfile.write(content)

            def _send_range(self, content: bytes, etag: str, cut: bool = False) -> None:
                byte_range, headers = self.headers["Range"], {"ETag": etag}
                if byte_range is None or self.headers["If-Range"] not in (None, etag):
                    self._send(content, headers=headers, cut=cut)
                    return
                start = int(byte_range.removeprefix("bytes=").rstrip("-"))
                if start >= len(content):
                    self.send_error(416)
                    return
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
                self._send(content[start:], 206, headers, cut)

            def _send(
                self,
                content: bytes,
                status: int = 200,
                headers: Mapping[str, str] | None = None,
                cut: bool = False,
            ) -> None:
                self.send_response(status)
                for key, value in (
                    {"Content-Length": str(len(content))} | dict(headers or {})
                ).items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if cut else content)
                self.wfile.flush()

        return Handler
