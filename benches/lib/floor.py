"""What a creation at least costs: two inserts, of a row and of its audit row, and a synced commit. Nothing of
Keyward takes part; the database and the disk are the same."""
import os, sqlite3, time

ROW, AUDIT = 160, 360  # bytes of payload, about those of an instance and of its audit row


def sqlite(folder, waiting, seconds):
    """Rows a second of one writer that commits for up to `waiting` rows at once."""
    path = folder / "floor.db"
    it = sqlite3.connect(path, isolation_level=None)
    try:
        it.execute("PRAGMA journal_mode = WAL")
        it.execute("PRAGMA synchronous = FULL")
        it.execute("CREATE TABLE rows (id BLOB NOT NULL PRIMARY KEY, digest BLOB NOT NULL UNIQUE, rest BLOB)")
        it.execute("CREATE TABLE audit (seq INTEGER PRIMARY KEY, rest BLOB)")
        row, audit, made = os.urandom(ROW), os.urandom(AUDIT), 0
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            it.execute("BEGIN IMMEDIATE")
            for _ in range(waiting):
                it.execute("INSERT INTO rows VALUES (?, ?, ?)", (os.urandom(16), os.urandom(32), row))
                it.execute("INSERT INTO audit (rest) VALUES (?)", (audit,))
            it.execute("COMMIT")
            made += waiting
        return made / (time.monotonic() - began)
    finally:
        it.close()
        for file in folder.glob("floor.db*"):
            file.unlink()


def own_tables(database, folder, waiting, seconds):
    """The same with the two rows in a copy of Keyward's tables, whose indexes and triggers lists and nodes need: more
    than that no program can make."""
    path = folder / "tables.db"
    it, source = sqlite3.connect(path, isolation_level=None), sqlite3.connect(database)
    try:
        source.backup(it)
        it.row_factory = sqlite3.Row
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "temp_store = MEMORY",
                       "cache_size = -32768"):
            it.execute(f"PRAGMA {pragma}")
        keys = it.execute("SELECT * FROM key_instances WHERE last_used_at IS NULL LIMIT 100").fetchall()
        event = dict(it.execute("SELECT * FROM audit_events ORDER BY scope, seq DESC LIMIT 1").fetchone())
        add_key, add_event = _insert("key_instances", keys[0].keys()), _insert("audit_events", event)
        made, label = 0, 1_000_000
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            it.execute("BEGIN IMMEDIATE")
            for _ in range(waiting):
                label, now = label + 1, time.time_ns() // 1_000_000
                key = dict(keys[label % len(keys)], id=now.to_bytes(6) + b"\x70" + os.urandom(9), label=label,
                           digest=os.urandom(32), created_at=now, idle_since=now)
                it.execute(add_key, key)
                event["seq"] += 1
                it.execute(add_event, event)
            it.execute("COMMIT")
            made += waiting
        return made / (time.monotonic() - began)
    finally:
        it.close()
        source.close()
        for file in folder.glob("tables.db*"):
            file.unlink()


def _insert(table, columns):
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(':' + it for it in columns)})"


TABLES = """
DROP TABLE IF EXISTS floor_rows, floor_audit;
CREATE TABLE floor_rows (id uuid PRIMARY KEY, digest uuid NOT NULL UNIQUE, rest bytea);
CREATE TABLE floor_audit (seq bigserial PRIMARY KEY, rest bytea);
"""


def script(postgres, database):
    """For pgbench, on tables that are made anew."""
    postgres.ask(database, TABLES)
    return f"""BEGIN;
INSERT INTO floor_rows VALUES (gen_random_uuid(), gen_random_uuid(), decode(repeat('5a', {ROW}), 'hex'));
INSERT INTO floor_audit (rest) VALUES (decode(repeat('a5', {AUDIT}), 'hex'));
COMMIT;
"""


def rows(place, clients, seconds):
    """Rows a second with so many clients at once, on the database of this place."""
    if not place.postgres:
        return sqlite(place.folder, clients, seconds)
    try:
        return place.postgres.bench(place.database, script(place.postgres, place.database), clients, seconds)
    finally:
        place.postgres.ask(place.database, "DROP TABLE IF EXISTS floor_rows, floor_audit")
