"""HTTP/1.1 by hand over asyncio, on connections that are kept: thousands of calls a second from one thread, in
which what was read comes before what is sent afterwards."""
import asyncio, json, time

from .web import IDLE


class Caller(asyncio.Protocol):
    """One connection that calls without a pause: `choose` gives the next request as bytes and what to remember
    of it, or nothing to pause until `wake`; `judge` is told the status and what was remembered."""

    def __init__(self, choose, judge):
        self.choose, self.judge = choose, judge
        self.buffer, self.transport, self.pending = b"", None, None
        self.stopping, self.lost = False, asyncio.get_running_loop().create_future()

    @classmethod
    async def open(cls, port, choose, judge):
        loop = asyncio.get_running_loop()
        _, it = await loop.create_connection(lambda: cls(choose, judge), "127.0.0.1", port)
        return it

    def connection_made(self, transport):
        self.transport = transport
        self.wake()

    def wake(self):
        if self.pending is None and not self.stopping and not self.transport.is_closing():
            chosen = self.choose(self)
            if chosen:
                request, self.pending = chosen
                self.transport.write(request)

    def data_received(self, data):
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.buffer[:end].lower()
        length, at = 0, head.find(b"\r\ncontent-length:")
        if at >= 0:
            length = int(head[at + 17:].split(b"\r\n", 1)[0])
        if len(self.buffer) < end + 4 + length:
            return
        self.buffer = self.buffer[end + 4 + length:]
        pending, self.pending = self.pending, None
        self.judge(self, int(head[9:12]), pending)
        self.wake()

    def connection_lost(self, error):
        if not self.lost.done():
            self.lost.set_result(self.stopping)

    async def stop(self):
        """Lets the last call be answered."""
        self.stopping = True
        for _ in range(500):
            if self.pending is None or self.transport.is_closing():
                break
            await asyncio.sleep(0.01)
        self.transport.close()
        await self.lost


class Program:
    """A client of the native interface, one request after the other."""

    def __init__(self, port, token):
        self.port, self.token, self.streams, self.used = port, token, None, 0

    async def ask(self, method, path, body=None, headers=None):
        """Status, headers in lower case, and the JSON of the body."""
        if self.streams and time.monotonic() > self.used + IDLE:
            self.close()
            self.streams = None
        if not self.streams:
            self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.streams
        text = json.dumps(body) if body is not None else ""
        lines = [f"{method} /api/v1{path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}",
                 f"Authorization: Bearer {self.token}", f"Content-Length: {len(text)}"]
        if text:
            lines.append("Content-Type: application/json")
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        writer.write(("\r\n".join(lines) + "\r\n\r\n" + text).encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        told = dict(it.lower().split(": ", 1) for it in head[1:] if it)
        read = await reader.readexactly(int(told.get("content-length", 0)))
        status, self.used = int(head[0].split()[1]), time.monotonic()
        return status, told, json.loads(read) if read[:1] in (b"{", b"[") else None

    async def done(self, method, path, body=None):
        """The same, where nothing else than success is right: headers and body."""
        for wait in (0.5, 1, 2, 4, 0):
            status, told, read = await self.ask(method, path, body)
            if status != 503:  # too busy: it says when to come back
                break
            await asyncio.sleep(wait)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {read}")
        return told, read

    def close(self):
        if self.streams:
            self.streams[1].close()


def call(port, secret, query=""):
    """The bytes of a verification."""
    return (f"GET /verify{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Authorization: Bearer {secret}\r\n\r\n").encode()
