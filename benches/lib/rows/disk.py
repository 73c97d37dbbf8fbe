"""S3 and S4: disk of an instance with its audit rows, made through the interface in groups of ten like the
seeded ones; and the size of the program."""
import os, shutil, sqlite3, subprocess

from .. import machine
from ..place import Server

PER_GROUP = 10


def used(place):
    """Bytes in use: on SQLite without pages that are free."""
    if place.postgres:
        place.postgres.ask(place.database, "VACUUM ANALYZE; CHECKPOINT;")
        return place.bytes()
    it = sqlite3.connect(place.demo / "keyward.db")
    try:
        one = lambda name: it.execute(f"PRAGMA {name}").fetchone()[0]
        return (one("page_count") - one("freelist_count")) * one("page_size")
    finally:
        it.close()


def tables(place):
    """Bytes of each table and index; nothing, where SQLite is built without `dbstat`."""
    if place.postgres:
        text = place.postgres.ask(place.database, "SELECT relname, pg_relation_size(oid) FROM pg_class "
                                                  "WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace")
        return {name: int(size) for name, size in (it.split("|") for it in text.splitlines())}
    it = sqlite3.connect(place.demo / "keyward.db")
    try:
        return dict(it.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"))
    except sqlite3.OperationalError:
        return {}
    finally:
        it.close()


def run(bench, place):
    before, tables_before = used(place), tables(place)
    server = Server(place)
    try:
        api = server.api()
        for _ in range(bench.disk_keys // PER_GROUP):
            group, *_ = api.group(f"disk-{os.urandom(6).hex()}", note="bench")
            for _ in range(PER_GROUP - 1):
                api.key(group, note="bench")
        api.close()
    finally:
        server.stop()
    after, tables_after = used(place), tables(place)
    n, add = place.instances, bench.table.add
    each = (after - before) / (bench.disk_keys // PER_GROUP * PER_GROUP)
    add("S3", "disk of an instance incl. audit", n, each, "B", 600, 250)
    if n >= 50_000:  # with fewer it is the empty database that is measured
        add("", "disk of a seeded instance, without audit rows", n, before / n, "B")
    grown = {name: (it - tables_before.get(name, 0)) / bench.disk_keys for name, it in tables_after.items()}
    passing = sum(it for name, it in grown.items() if "submissions" in name or "changes" in name)
    if grown:
        add("", "the same without what is forgotten within a day", n, each - passing, "B")
    for name, it in sorted(grown.items(), key=lambda it: -it[1])[:12]:
        machine.say(f"#   {it:7.1f} B an instance: {name}")


def program(bench, file):
    mib = lambda it: it.stat().st_size / 1e6
    bench.table.add("S4", "release program", None, mib(file), "MB", 40, 15)
    if shutil.which("strip"):
        stripped = bench.folder / "stripped"
        subprocess.run(["strip", "-o", stripped, file], check=True)
        if stripped.stat().st_size != file.stat().st_size:
            bench.table.add("", "the same, stripped", None, mib(stripped), "MB")
