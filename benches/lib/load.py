"""Load by wrk: scripts of requests, and what came of them."""
import json, re, subprocess, time
from pathlib import Path

UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


def script(server, name, requests):
    """A wrk script that sends these one after the other, again and again, on each connection."""
    path = Path(server.place.folder) / f"{name}.lua"
    # A page and the interface want to be called by their name.
    named = (it.replace("Host: 127.0.0.1\r", f"Host: 127.0.0.1:{server.port}\r", 1) for it in requests)
    texts = ",\n".join(json.dumps(it) for it in named)
    path.write_text(f"""local texts = {{{texts}}}
local n = 0
request = function()
  n = n % #texts + 1
  return texts[n]
end
""")
    return path


def text(method, path, headers=(), body=""):
    """One request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in dict(headers).items()]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body.encode())}")
    return "\r\n".join(lines) + "\r\n\r\n" + body


def verify(keys, query="", headers=()):
    return [text("GET", f"/verify{query}", {"Authorization": f"Bearer {it}", **dict(headers)}) for it in keys]


def command(server, lua, connections, seconds):
    return ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "30s", "-s", lua,
            f"http://127.0.0.1:{server.port}/"]


def read(text):
    """Requests, requests a second, p99 in ms, and answers that were no 2xx or 3xx."""
    p99, unit = re.search(r"99%\s+([\d.]+)(us|ms|s|m)", text).groups()
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(r"Socket errors: (.*)", text)
    if broken and set(re.findall(r"\d+", broken[1])) != {"0"}:
        raise SystemExit(f"connections broke: {broken[1]}")
    return {"requests": int(re.search(r"(\d+) requests in", text)[1]),
            "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]),
            "p99": float(p99) * UNITS[unit], "bad": int(bad[1]) if bad else 0}


def measure(server, lua, connections, seconds, refused=False):
    """The same, with CPU of the server (`cpu`) and with its database's (`all`) in microseconds a request."""
    before, all_before = server.cpu(), server.cpu_with_database()
    run = command(server, lua, connections, seconds)
    it = read(subprocess.run(run, check=True, capture_output=True, text=True).stdout)
    used, all_used = server.cpu() - before, server.cpu_with_database() - all_before
    good = it["requests"] - it["bad"]
    if not it["requests"] or (it["bad"] and not refused) or (refused and good):
        raise SystemExit(f"{Path(lua).stem}: {it['bad']} of {it['requests']} answers were refusals")
    it["cpu"] = used * 1e6 / it["requests"]
    it["all"] = all_used * 1e6 / it["requests"]
    return it


class Crowd:
    """wrk in the background."""

    def __init__(self, server, lua, connections, seconds):
        run = command(server, lua, connections, seconds)
        self.process = subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.seconds = seconds
        time.sleep(0.5)

    def result(self):
        return read(self.process.communicate(timeout=self.seconds + 60)[0])

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
