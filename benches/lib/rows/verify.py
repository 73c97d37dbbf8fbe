"""V1, V2 and V4: accepted verifications against a bare handler (benches/hello) that is asked the very same, back to
back in each round; against a handler that does nothing behind this server's own headers (/healthz); and against a
server with few keys."""
from .. import load
from ..hello import Hello
from ..table import median

#: The permission that the policies of keys 0, 20, 40 and so on have in common.
ASKED = "?permission=load:act-00"
#: The dearest of the accepted.
GRANTED = "policy and user group"


def requests(server):
    """Every second key's group holds a policy and a user group, the first one's included."""
    plain, granted = server.keys[1::2], server.keys[::2]
    return {
        "a key that holds nothing": load.verify(plain),
        GRANTED: load.verify(granted),
        "a permission asked for": load.verify(granted[::10], ASKED),
    }


def run(bench, server):
    bare = Hello(server.place)
    try:
        compared_to(bench, server, bare)
    finally:
        bare.stop()
    if server.place.instances > bench.reference_size:
        compared(bench, server)


def compared_to(bench, server, bare):
    asked = requests(server)
    nothing = load.script(server, "nothing", [load.text("GET", "/healthz")])
    scripts = {name: load.script(server, f"verify-{n}", texts) for n, (name, texts) in enumerate(asked.items())}
    hello = {name: load.script(bare, f"bare-{n}", texts) for n, (name, texts) in enumerate(asked.items())}
    for connections in bench.connections:
        cpu, rate, p99 = ({name: [] for name in scripts} for _ in range(3))
        bares, own_cpu, own_rate = [], [], []
        for _ in range(bench.rounds):
            for name, lua in scripts.items():
                # The machine drifts: each has a bare one of its own beside it.
                floor = load.measure(bare, hello[name], connections, bench.seconds)
                bares.append(floor)
                it = load.measure(server, lua, connections, bench.seconds)
                cpu[name].append(it["cpu"] / floor["cpu"])
                rate[name].append(it["rate"] / floor["rate"])
                p99[name].append(it["p99"])
            own = load.measure(server, nothing, connections, bench.seconds)
            it = load.measure(server, scripts[GRANTED], connections, bench.seconds)
            own_cpu.append(it["cpu"] / own["cpu"])
            own_rate.append(it["rate"] / own["rate"])
        n, add, by = server.place.instances, bench.table.add, f"{connections} connections"
        add("", f"bare handler, {by}", n, median(it["rate"] for it in bares), "/s")
        add("", f"the same, CPU, {by}", n, median(it["cpu"] for it in bares), "us")
        for name in scripts:
            add("V1", f"accepted, {name}, {by}, CPU vs bare", n, median(cpu[name]), "", 2.0, 1.2)
        for name in scripts:
            add("V2", f"accepted, {name}, {by}, throughput vs bare", n, median(rate[name]), "", 0.5, 0.85,
                least=True)
        add("", f"accepted, {GRANTED}, {by}, CPU vs /healthz", n, median(own_cpu))
        add("", f"accepted, {GRANTED}, {by}, throughput vs /healthz", n, median(own_rate))
        add("", f"accepted, {GRANTED}, {by}, p99", n, median(p99[GRANTED]), "ms")


def compared(bench, server):
    few = bench.reference()
    ratios = []
    # All keys that are known: of a million instances they do not fit into the caches of the processor.
    scripts = {it: load.script(it, "compared", load.verify(it.keys[::2])) for it in (few, server)}
    for _ in range(bench.rounds):
        before, after = (load.measure(it, scripts[it], bench.connections[0], bench.seconds)["cpu"]
                         for it in (few, server))
        ratios.append(after / before)
    bench.table.add("V4", f"accepted, CPU vs {bench.reference_size:,} instances", server.place.instances,
                    median(ratios), "", 1.5, 1.15)
