"""V7: accepted verifications alone, while 16 clients create instances, and while four people a second sign in;
and beside 200 connections that show wrong client secrets, whose argon2id must not be in the way."""
import base64, os, threading, time

from .. import load, machine, web
from ..table import median
from . import create

PER_SECOND = 4


class SignIns:
    """Four a second, of the people of the demonstration in turn, with the right password."""

    def __init__(self, server):
        self.server, self.done, self.failed = server, 0, []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        started, crowd = time.monotonic(), []
        for n in range(10_000):
            # One is not late because the one before is.
            crowd.append(threading.Thread(target=self._one, args=(n,), daemon=True))
            crowd[-1].start()
            if self.stopped.wait(max(started + (n + 1) / PER_SECOND - time.monotonic(), 0)):
                break
        for it in crowd:
            it.join(30)

    def _one(self, n):
        try:
            web.sign_in(self.server.port, web.PEOPLE[n % len(web.PEOPLE)])
            self.done += 1
        except (web.Refused, OSError) as error:
            self.failed.append(str(error))

    def stop(self):
        self.stopped.set()
        self.thread.join(40)
        if self.failed:
            raise SystemExit(f"{len(self.failed)} could not sign in: {self.failed[0]}")


def run(bench, server):
    connections, seconds = bench.connections[0], bench.seconds
    lua = load.script(server, "beside", load.verify(server.keys[::2]))
    creating = create.script(server)
    creations, signing, made, people = [], [], [], 0
    for _ in range(bench.rounds):
        alone = load.measure(server, lua, connections, seconds)["rate"]
        crowd = load.Crowd(server, creating, 16, seconds + 2)
        try:
            beside = load.measure(server, lua, connections, seconds)["rate"]
            result = crowd.result()
        finally:
            crowd.stop()
        if result["bad"]:
            raise SystemExit(f"{result['bad']} creations were refused")
        creations.append(beside / alone)
        made.append(result["rate"])
        alone = load.measure(server, lua, connections, seconds)["rate"]
        crowd = SignIns(server)
        try:
            time.sleep(0.5)
            beside = load.measure(server, lua, connections, seconds)["rate"]
        finally:
            crowd.stop()
        signing.append(beside / alone)
        people += crowd.done
    n, add = server.place.instances, bench.table.add
    add("V7", "throughput while 16 clients create", n, median(creations), "", 0.7, 0.9, least=True)
    add("", "creations meanwhile", n, median(made), "/s")
    add("V7", "throughput while 4 people a second sign in", n, median(signing), "", 0.7, 0.85, least=True)
    machine.say(f"# {people} signed in")


def flood(bench, server):
    """Generated keys alone, and beside wrong client secrets, each of a client that nobody was wrong about."""
    plain = load.script(server, "flooded", load.verify(server.keys[1::2]))
    run = os.urandom(3).hex()
    pairs = (base64.b64encode(f"c{run}{it:06}:Wrong-secret-x".encode()).decode() for it in range(20_000))
    wrong = load.script(server, "flood", [load.text("GET", "/verify", {"Authorization": f"Basic {it}"})
                                          for it in pairs])
    alone = load.measure(server, plain, bench.connections[0], bench.seconds)
    crowd = load.Crowd(server, wrong, 200, bench.seconds + 2)
    try:
        beside = load.measure(server, plain, bench.connections[0], bench.seconds)
        crowd.result()
    finally:
        crowd.stop()
    n, add = server.place.instances, bench.table.add
    add("", "throughput beside 200 connections with wrong client secrets", n, beside["rate"] / alone["rate"])
    add("", "p99 beside them", n, beside["p99"], "ms")
