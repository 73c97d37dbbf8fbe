"""L1 to L6: lists, search and overview of somebody who is signed in, one request after the other. CPU is that of
the server and of its database. Growth is measured against a server with few instances in the same round."""
import datetime, gzip, http.client, re, time, urllib.parse

from .. import machine, web
from ..place import SLUG
from ..table import median


class Visitor:
    """A browser of a signed-in admin, with one connection."""

    def __init__(self, server):
        self.server = server
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self.used = time.monotonic()

    def _ask(self, *request, **more):
        if time.monotonic() > self.used + web.IDLE:
            self.connection.close()
        self.connection.request(*request, **more)

    def get(self, path):
        self._ask("GET", f"/s/{SLUG}{path}", headers={"Cookie": self.server.cookie})
        return self._answer(path, 200)

    def search(self, key):
        fields = urllib.parse.urlencode({"query": key, "list": f"/s/{SLUG}/keys"})
        headers = {"Cookie": self.server.cookie, "Origin": f"http://127.0.0.1:{self.server.port}",
                   "Content-Type": "application/x-www-form-urlencoded"}
        self._ask("POST", f"/s/{SLUG}/search", fields, headers)
        return self._answer("/search", 303)

    def _answer(self, path, wanted):
        answer = self.connection.getresponse()
        body, self.used = answer.read(), time.monotonic()
        if answer.status != wanted:
            raise SystemExit(f"{path}: {answer.status}")
        if wanted == 303 and "/keys/" not in answer.headers["Location"]:
            raise SystemExit("the search by a whole key found nothing")
        return body

    def cost(self, act, seconds):
        """CPU of the server, CPU with its database, and time, in ms for each call of `act`."""
        cpu, all, began = self.server.cpu(), self.server.cpu_with_database(), time.monotonic()
        times = []
        while len(times) < 3 or time.monotonic() < began + seconds:
            before = time.monotonic()
            act(self)
            times.append(time.monotonic() - before)
        cpu, all = self.server.cpu() - cpu, self.server.cpu_with_database() - all
        return {"cpu": cpu * 1e3 / len(times), "all": all * 1e3 / len(times), "ms": median(times) * 1e3}


def page(path):
    return lambda it: it.get(path)


def filters(server):
    """Each filter and sort of both lists, and the review; a sort comes with its filter."""
    day = datetime.date.today()
    days = lambda it: (day + datetime.timedelta(days=it)).isoformat()
    visitor, api = Visitor(server), server.api()
    knower = re.search(r"known_to=([0-9a-f-]+)", visitor.get("/members").decode())[1]
    user_group = api.ask("GET", "/user-groups?limit=1")["data"][0]["id"]
    api.close()
    queries = [("groups", it) for it in ("", "show=soon", "show=gap", "show=none", "show=unused",
                                         "q=service-00000", "q=nowhere", f"user_group={user_group}")]
    queries += [("keys", it) for it in ("", *(f"status={it}" for it in ("active", "soon", "future", "expired",
                                                                        "deactivated")),
                                        *(f"used={it}" for it in ("7d", "30d", "not30d", "not90d", "never")),
                                        f"from={days(0)}&until={days(30)}", "q=k-9", "q=nowhere",
                                        "status=active&used=never", f"known_to={knower}")]
    queries += [("keys/unused", ""), ("keys/unused", "used=never")]
    name = lambda list, it: re.sub(r"=[0-9a-f-]{36}", "=…", f"{list}?{it}" if it else list)
    return {name(list, it): page(f"/{list}?{it}" if it else f"/{list}") for list, it in queries}


def far(server, list, count):
    """The address of the page that is 90 % down."""
    api, cursor = server.api(), None
    for _, at in api.pages(list, int(count * 0.9), min(200, count // 20)):
        cursor = at or cursor
    api.close()
    return cursor


def compared(bench, visitor, few, acts, few_acts, seconds):
    """Medians of CPU, big against small, in each round."""
    ratios = {name: [] for name in acts}
    costs = {name: [] for name in acts}
    for _ in range(bench.rounds):
        for name, act in acts.items():
            before = few.cost(few_acts[name], seconds)
            after = visitor.cost(act, seconds)
            costs[name].append(after)
            ratios[name].append(after["all"] / max(before["all"], 1e-6))
    return {it: median(ratios[it]) for it in acts}, {it: median(x["ms"] for x in costs[it]) for it in acts}


def run(bench, server):
    n, add, seconds = server.place.instances, bench.table.add, max(bench.seconds / 3, 0.5)
    visitor = Visitor(server)
    first = page("/groups")
    rounds = [visitor.cost(first, bench.seconds) for _ in range(bench.rounds)]
    add("L1", "list of groups, signed in, CPU", n, median(it["cpu"] for it in rounds), "ms", 1.3, 0.33)
    if server.place.postgres:
        add("", "the same with the database", n, median(it["all"] for it in rounds), "ms")
    for list, path, count in (("groups", "/key-groups", n // 10), ("keys", "/instances", n)):
        deep = page(f"/{list}?after={far(server, path, count)}")
        top = page(f"/{list}")
        ratios = []
        for _ in range(bench.rounds):
            before = visitor.cost(top, seconds)
            ratios.append(visitor.cost(deep, seconds)["all"] / max(before["all"], 1e-6))
        add("L2", f"{list}, 90 % down vs first page, CPU", n, median(ratios), "", 1.5, 1.1)
    if n > bench.reference_size:
        small = bench.reference()
        small.settle()
        few = Visitor(small)
        wanted = filters(server), filters(small)
        ratios, times = compared(bench, visitor, few, *wanted, seconds)
        # A page with fewer rows costs less: then it is no comparison of sizes alone.
        counts = {name: (rows_of(act, visitor), rows_of(wanted[1][name], few)) for name, act in wanted[0].items()}
        for name, it in ratios.items():
            now, then = counts[name]
            shown = f"{now} rows" if now == then else f"{now} rows vs {then}"
            add("L3", f"{name} vs {bench.reference_size:,}, CPU ({shown}, now {times[name]:.1f} ms)", n, it, "",
                3, 1.2)
        # A key of the middle on both sides.
        find = lambda it: lambda browser: browser.search(it.keys[len(it.keys) // 2])
        ratios, times = compared(bench, visitor, few, {"": find(server)}, {"": find(small)}, seconds)
        add("L4", f"whole key vs {bench.reference_size:,}, CPU (now {times['']:.1f} ms)", n, ratios[""], "", 1.5, 1.2)
    rounds = [visitor.cost(page(""), seconds) for _ in range(bench.rounds)]
    goal = (20, 3) if n == 10_000 else (None, None)
    add("L5", "overview, signed in, CPU", n, median(it["cpu"] for it in rounds), "ms", *goal)
    if server.place.postgres:
        add("", "the same with the database", n, median(it["all"] for it in rounds), "ms")
    for list in ("groups", "keys"):
        size(bench, n, list, visitor.get(f"/{list}"))


def table_of(html):
    """The rows of its list, and how many they are."""
    body = html.split(b"<tbody", 1)[-1].split(b"</tbody>", 1)[0] if b"<tbody" in html else b""
    return body, body.count(b"<tr")


def rows_of(act, visitor):
    return table_of(act(visitor))[1]


def size(bench, n, list, html):
    body, rows = table_of(html)
    add = bench.table.add
    add("L6", f"HTML of a row, list of {list}, {rows} rows", n, len(body) / rows, "B", 1000, 400)
    # As a proxy compresses it: level 6 of gzip.
    add("L6", f"list of {list}, compressed", n, len(gzip.compress(html, 6)) / 1e3, "KB", 12, 5)
