"""V3: what a refusal costs, for each reason, against accepting keys that were made in the same way."""
import datetime, os, time, zlib

from .. import load, machine, web
from ..table import median

#: Different keys of each kind.
KEYS = 40
#: A second subscription, which is suspended meanwhile.
OTHER = "northwind"
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def well_formed():
    """A key with the right checksum that nobody has."""
    text = "kw_" + "".join(DIGITS[it % 62] for it in os.urandom(43))
    rest, checksum = zlib.crc32(text.encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        checksum = DIGITS[digit] + checksum
    return text + checksum


def instant(seconds):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def made(api, name, **period):
    """Ids and secrets of new keys of a new group."""
    group, *first = api.group(f"{name}-{os.urandom(6).hex()}", **period)
    return [tuple(first)] + [api.key(group, **period) for _ in range(KEYS - 1)]


def suspend(server, yes):
    path = f"/subscriptions/{OTHER}/{'suspension' if yes else 'resumption'}"
    answer, _ = web.form(server.port, path, {"confirm": OTHER}, web.sign_in(server.port))
    if answer.status != 303:
        raise SystemExit(f"{path}: {answer.status}")


def kinds(server):
    """Name, code of the reason that is told, and requests."""
    api = server.api()
    secrets = lambda keys: [it[1] for it in keys]
    # Long enough that the last of them is made before its end.
    end = time.monotonic() + 20
    expired = made(api, "expired", until=instant(20))
    good, revoked, off = (made(api, it) for it in ("good", "revoked", "off"))
    later = made(api, "later", **{"from": instant(86_400), "until": instant(2 * 86_400)})
    other = web.Api(server.port, web.token(server.port, web.sign_in(server.port), OTHER))
    suspended = made(other, "suspended")
    other.close()
    suspend(server, True)
    for id, _ in revoked:
        api.ask("POST", f"/instances/{id}/revocation")
    for id, _ in off:
        api.ask("POST", f"/instances/{id}/deactivation")
    api.close()
    time.sleep(max(end + 1 - time.monotonic(), 0))
    good = secrets(good)
    tenant = {"X-Tenant-Name": OTHER}
    return [
        ("accepted", None, load.verify(good)),
        ("malformed", None, load.verify(["kw_" + "a" * 49] * KEYS)),
        ("unknown", None, load.verify([well_formed() for _ in range(KEYS)])),
        ("revoked", "revoked", load.verify(secrets(revoked))),
        ("deactivated", "deactivated", load.verify(secrets(off))),
        ("suspended", "suspended", load.verify(secrets(suspended))),
        ("expired", "expired", load.verify(secrets(expired))),
        ("not yet active", "not_yet_active", load.verify(secrets(later))),
        ("insufficient permissions", "insufficient_permissions", load.verify(good, "?permission=load:act-00")),
        ("wrong subscription", "wrong_subscription", load.verify(good, "", tenant)),
    ]


def prove(server, name, code, request):
    """The first of the requests is answered as it should be."""
    head = dict(it.split(": ", 1) for it in request.split("\r\n")[1:] if it)
    answer, _ = web.ask(server.port, "GET", request.split()[1], headers=head)
    told = answer.headers.get("Keyward-Reason")
    right = answer.status == 204 if name == "accepted" else answer.status in (401, 403)
    if not right or (code and told != code):
        raise SystemExit(f"{name}: answered {answer.status} {told}")
    machine.say(f"# {name}: {answer.status} {told or ''}")


def run(bench, server):
    scripts = {}
    for n, (name, code, texts) in enumerate(kinds(server)):
        prove(server, name, code, texts[0])
        scripts[name] = load.script(server, f"refused-{n}", texts)
    cost = lambda name: load.measure(server, scripts[name], bench.connections[0], bench.seconds,
                                     name != "accepted")["cpu"]
    ratios = {name: [] for name in scripts if name != "accepted"}
    for _ in range(bench.rounds):
        for name, it in ratios.items():
            accepted = cost("accepted")  # the machine drifts: the next moment is another
            it.append(cost(name) / accepted)
    suspend(server, False)
    add, n = bench.table.add, server.place.instances
    ratio = {name: median(it) for name, it in ratios.items()}
    for name, value in ratio.items():
        add("V3", f"refused, {name}, CPU vs accepted", n, value, "", 1.2, 1.05)
    add("", "the dearest reason vs the cheapest", n, max(ratio.values()) / min(ratio.values()))
