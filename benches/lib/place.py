"""Seeded data, and `keyward serve` on it. The demonstration makes the data in bulk and ends; what is measured
is a fresh `serve`, whose memory and start nothing else has touched."""
import http.client, os, shutil, signal, subprocess, tempfile, threading, time
from pathlib import Path

from . import machine, web

#: The subscription that is filled.
SLUG = "lab"


class Place:
    """Data with N instances: a folder, and on Postgres a database."""

    def __init__(self, program, instances, postgres=None, keep=None):
        """`keep`: a folder in which data of this size is looked for, and left for the next time (SQLite)."""
        self.program, self.instances, self.postgres = program, instances, postgres
        self.holder = tempfile.TemporaryDirectory(prefix="keyward-bench-")
        self.folder = Path(self.holder.name)
        self.demo = self.folder / "demo"
        self.database = postgres.create() if postgres else None
        url = postgres.url(self.database) if postgres else f"sqlite://{self.demo}/keyward.db"
        self.env = dict(os.environ, KEYWARD_LOG="error,keyward::live=info", KEYWARD_DATABASE_URL=url,
                        KEYWARD_PEPPER_FILE=str(self.demo / "keyward.pepper"))
        kept = keep / str(instances) if keep and not postgres else None
        started = time.monotonic()
        if kept and kept.exists():
            shutil.copytree(kept, self.demo)
            machine.say(f"# {instances} instances as they were kept")
        else:
            self._seed()
            machine.say(f"# {instances} instances made in {time.monotonic() - started:.1f} s")
            if kept:
                shutil.copytree(self.demo, kept)
        #: Of no meaning where it was a copy.
        self.seeded_in = time.monotonic() - started
        self.keys = (self.demo / "keys.txt").read_text().split()

    def _seed(self):
        seeding = Process(self, ["demo", "--folder", self.demo, "--instances", str(self.instances)])
        try:
            # The question takes a core's time from what is waited for.
            seeding.wait_until_ready(3600, 0.1)
        finally:
            seeding.stop()

    def serve(self):
        return Server(self)

    def bytes(self):
        """Of the database; on SQLite once no server has it open."""
        if self.postgres:
            return self.postgres.bytes(self.database)
        return sum(it.stat().st_size for it in self.demo.glob("keyward.db*"))

    def remove(self):
        if self.postgres:
            self.postgres.drop(self.database)
        shutil.rmtree(self.folder, ignore_errors=True)


class Process:
    """A process of the program on a place; it ends with the script, whatever ends that."""

    def __init__(self, place, arguments):
        self.port, self.place = machine.free_port(), place
        self.started = time.monotonic()
        self.in_memory = threading.Event()
        command = ["setpriv", "--pdeathsig", "KILL", place.program, *arguments]
        self.process = subprocess.Popen([*command, "--bind", f"127.0.0.1:{self.port}"], env=place.env,
                                        cwd=place.folder, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        self.complaints = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            if "keys are in memory" in line:
                self.loaded_after = time.monotonic() - self.started
                self.in_memory.set()
            elif len(self.complaints) < 100:
                self.complaints.append(line.rstrip())

    def wait_until_ready(self, seconds, pause=0.002):
        """Seconds from its start until /readyz says 200, which is asked for after each pause."""
        deadline = self.started + seconds
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/readyz")
                ready = connection.getresponse().status == 200
                connection.close()
                if ready:
                    return time.monotonic() - self.started
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the server did not start: " + "\n".join(self.complaints[-5:]))
            time.sleep(pause)

    def cpu(self):
        return machine.cpu(self.process.pid)

    def cpu_with_database(self):
        return self.cpu() + (self.place.postgres.cpu() if self.place.postgres else 0)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(30)
        self.reader.join(5)


class Server(Process):
    """`keyward serve`, ready and with all keys in memory."""

    def __init__(self, place):
        super().__init__(place, ["serve"])
        self.ready_after = self.wait_until_ready(120)
        if not self.in_memory.wait(300):
            raise SystemExit("the keys were not in memory after five minutes")
        self.keys = place.keys
        self._cookie = self._token = None

    @property
    def cookie(self):
        self._cookie = self._cookie or web.sign_in(self.port)
        return self._cookie

    @property
    def token(self):
        # Its form wants a password that was shown lately.
        self._token = self._token or web.token(self.port, web.sign_in(self.port), SLUG)
        return self._token

    def settle(self):
        """Waits until it does nothing: batches of last uses are written after the calls."""
        for _ in range(120):
            before = self.cpu_with_database()
            time.sleep(0.5)
            if self.cpu_with_database() - before < 0.03:
                return
        machine.say("# the server still works after a minute: what follows contains that")

    def api(self):
        return web.Api(self.port, self.token)

    def groups(self, count):
        """Ids of so many groups of keys: those that are there, and new ones for the rest."""
        api = self.api()
        found = []
        for page, _ in api.pages("/key-groups", count):
            found += [it["id"] for it in page if it["kind"] == "token"]
        found = found[:count]
        while len(found) < count:
            found.append(api.group(f"bench-{os.urandom(6).hex()}")[0])
        api.close()
        return found
