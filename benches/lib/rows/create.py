"""C1: creations through the native interface, each with its audit row and synced, against a writer that shares
commits and does nothing else."""
import os

from .. import floor, load
from ..table import median

#: Groups that keys are added to in turn: their size changes little.
GROUPS = 1_000


def script(server):
    head = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"}
    groups = server.groups(GROUPS)
    texts = [load.text("POST", f"/api/v1/key-groups/{it}/instances", head, '{"note":"bench"}') for it in groups]
    return load.script(server, f"create-{os.urandom(4).hex()}", texts)


def run(bench, server):
    lua = script(server)
    n, add = server.place.instances, bench.table.add
    for clients in (16, 1):
        ratios, floors, made, bare = [], [], [], []
        for _ in range(bench.rounds):
            least = floor.rows(server.place, clients, bench.seconds)
            if clients > 1 and not server.place.postgres:
                database = server.place.demo / "keyward.db"
                most = floor.own_tables(database, server.place.folder, clients, bench.seconds)
                bare.append(most / least)
            it = load.measure(server, lua, clients, bench.seconds)
            floors.append(least)
            made.append(it)
            ratios.append(it["rate"] / least)
        by = "16 clients" if clients > 1 else "1 client"
        if clients > 1:
            add("C1", f"creations, {by}, vs shared commits", n, median(ratios), "", 0.3, 0.7, least=True)
        else:
            add("", f"creations, {by}, vs commits one by one", n, median(ratios))
        if bare:
            add("", f"the two rows alone in our tables, {by}, vs shared commits", n, median(bare))
        add("", f"creations, {by}", n, median(it["rate"] for it in made), "/s")
        add("", f"the floor, {by}", n, median(floors), "/s")
        add("", f"creation, {by}, p99", n, median(it["p99"] for it in made), "ms")
        add("", f"creation, {by}, CPU", n, median(it["cpu"] for it in made), "us")
        if server.place.postgres:
            add("", f"creation, {by}, CPU with the database", n, median(it["all"] for it in made), "us")
