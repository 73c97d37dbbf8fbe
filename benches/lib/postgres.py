"""A Postgres that ends with the script that started it. It syncs each commit."""
import os, re, shutil, signal, subprocess, tempfile, time
from pathlib import Path

from . import machine


class Postgres:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="keyward-bench-pg-")

        def found():
            programs = Path("/usr/lib/postgresql").glob("*/bin")
            return sorted(programs, key=lambda it: float(it.parent.name))

        if not found():
            machine.need("postgres", "postgresql")
        self.programs = found()[-1]
        # It refuses to run as root.
        other = ["setpriv", "--pdeathsig", "QUIT"]
        if os.getuid() == 0:
            shutil.chown(self.folder.name, "postgres")
            other += ["--reuid=postgres", "--regid=postgres", "--clear-groups"]
        data, self.port = Path(self.folder.name) / "data", machine.free_port()
        quiet = dict(machine.QUIET, cwd="/")
        subprocess.run([*other, self.programs / "initdb", "-D", data, "-U", "app", "--auth=trust",
                        "--encoding=UTF8", "--locale=C"], check=True, **quiet)
        self.process = subprocess.Popen(
            [*other, self.programs / "postgres", "-D", data, "-p", str(self.port), "-k", self.folder.name,
             "-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=256MB", "-c", "max_connections=200"],
            **quiet)
        self.place = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "app"]
        deadline = time.monotonic() + 60
        while subprocess.run([self.programs / "pg_isready", *self.place], **quiet).returncode:
            if time.monotonic() > deadline:
                raise SystemExit("Postgres did not start")
            time.sleep(0.1)
        self.made = 0

    def create(self):
        """The name of a new database."""
        self.made += 1
        self.ask("postgres", f"CREATE DATABASE bench{self.made}")
        return f"bench{self.made}"

    def url(self, database):
        return f"postgres://app@127.0.0.1:{self.port}/{database}"

    def ask(self, database, statements):
        command = [self.programs / "psql", "-qAtX", "-v", "ON_ERROR_STOP=1", *self.place, database]
        return subprocess.run(command, input=statements, text=True, check=True, capture_output=True,
                              cwd="/").stdout.strip()

    def bytes(self, database):
        return int(self.ask(database, f"SELECT pg_database_size('{database}')"))

    def bench(self, database, script, clients, seconds):
        """Transactions a second of `pgbench` with this script."""
        file = Path(self.folder.name) / "floor.sql"
        file.write_text(script)
        command = [self.programs / "pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "1",
                   "-T", str(seconds), "-f", file, *self.place, database]
        text = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout
        return float(re.search(r"tps = ([\d.]+)", text)[1])

    def drop(self, database):
        self.ask("postgres", f"DROP DATABASE {database} WITH (FORCE)")

    def cpu(self):
        return machine.cpu_of_family(self.process.pid)

    def stop(self):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(30)
        self.folder.cleanup()
