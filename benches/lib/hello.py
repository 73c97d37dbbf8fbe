"""The floor of verifications: actix-web that does nothing, as many workers as Keyward's."""
import http.client, subprocess, time

from . import machine


class Hello:
    def __init__(self, place):
        self.place, self.port = place, machine.free_port()
        command = ["setpriv", "--pdeathsig", "KILL", machine.hello(), str(self.port)]
        self.process = subprocess.Popen(command, **machine.QUIET)
        deadline = time.monotonic() + 10
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/")
                connection.getresponse().read()
                connection.close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("benches/hello did not start")
                time.sleep(0.01)

    def cpu(self):
        return machine.cpu(self.process.pid)

    cpu_with_database = cpu

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
