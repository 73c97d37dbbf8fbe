"""S1 and S2: how soon a fresh `serve` answers on data that is there, and the memory it takes."""
import time

from .. import machine
from ..place import Server
from ..table import median

READY = {10_000: (200, 50), 1_000_000: (5_000, 50)}
MEMORY = {10_000: (80, 25), 100_000: (120, 40), 1_000_000: (500, 150)}


def run(bench, place):
    starts = []
    for _ in range(bench.rounds):
        server = Server(place)
        try:
            time.sleep(1)  # what loading needed is given back
            starts.append((server.ready_after * 1e3, server.loaded_after * 1e3,
                           machine.resident(server.process.pid),
                           machine.resident(server.process.pid, "VmHWM")))
        finally:
            server.stop()
    ready, loaded, resident, most = (median(it) for it in zip(*starts))
    n, add = place.instances, bench.table.add
    add("S1", "start of `serve` until ready", n, ready, "ms", *READY.get(n, (None, 50)))
    add("", "start until all keys are in memory", n, loaded, "ms")
    add("S2", "memory once they are", n, resident, "MiB", *MEMORY.get(n, (None, None)))
    add("", "the most until then", n, most, "MiB")
