"""Speaking to a server as a person or a program does: signing in, making a token, JSON."""
import http.client, json, re, time, urllib.parse

#: Seconds after which a connection is opened anew: the server closes those that lie idle for five.
IDLE = 3

PASSWORD = "a password for the demo"
PEOPLE = [f"{it}@northwind.example" for it in ("ida", "tomas", "jonas", "noor")]


class Refused(Exception):
    pass


def ask(port, method, path, body=None, headers=(), timeout=30):
    """One request on a connection of its own: the answer, and its body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def form(port, path, fields, cookie=""):
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://127.0.0.1:{port}"}
    if cookie:
        headers["Cookie"] = cookie
    return ask(port, "POST", path, urllib.parse.urlencode(fields, doseq=True), headers)


def _cookies(answer):
    return "; ".join(it.split(";")[0] for it in answer.headers.get_all("Set-Cookie") or [])


def sign_in(port, person=PEOPLE[0]):
    """The cookies of a session."""
    answer, _ = form(port, "/sign-in", {"email": person, "password": PASSWORD})
    if answer.status != 303:
        raise Refused(f"{person} cannot sign in: {answer.status}")
    return next(it for it in _cookies(answer).split("; ") if it.startswith("__Host-sid="))


def token(port, cookie, slug, scopes=("keys:write", "access:write", "keys:verify")):
    """The text of a new automation token, made by the forms of its pages."""
    path = f"/s/{slug}/settings/tokens/new"
    shown, page = ask(port, "GET", path, headers={"Cookie": cookie})
    found = re.search(r'name="submission" value="([^"]+)"', page.decode())
    if shown.status != 200 or not found:
        raise Refused(f"no form for a token: {shown.status}")
    fields = {"submission": found[1], "name": f"bench {found[1][:8]}", "preset": "30", "scopes": scopes}
    made, _ = form(port, path, fields, cookie)
    if made.status != 303:
        raise Refused(f"no token: {made.status}")
    once = {"Cookie": f"{cookie}; {_cookies(made)}"}
    _, page = ask(port, "GET", made.headers["Location"], headers=once)
    return re.search(r">(kwa_\w+)</textarea>", page.decode())[1]


class Api:
    """The native interface, on one connection that is kept."""

    def __init__(self, port, token):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.headers, self.used = {"Authorization": f"Bearer {token}"}, time.monotonic()

    def ask(self, method, path, body=None):
        headers = dict(self.headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        if time.monotonic() > self.used + IDLE:
            self.connection.close()
        self.connection.request(method, f"/api/v1{path}", body, headers)
        answer = self.connection.getresponse()
        text, self.used = answer.read(), time.monotonic()
        if answer.status >= 300:
            raise Refused(f"{method} {path}: {answer.status} {text[:300]!r}")
        return json.loads(text) if text else None

    def pages(self, path, most, limit=200):
        """Pages of a list, with the cursor behind each, until `most` rows were seen."""
        seen, cursor = 0, None
        while seen < most:
            page = self.ask("GET", f"{path}?limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
            seen, cursor = seen + len(page["data"]), page["next_cursor"]
            yield page["data"], cursor
            if not cursor:
                return

    def group(self, name, **instance):
        """A new group: its id, and its first key with its secret."""
        made = self.ask("POST", "/key-groups", {"name": name, "instance": instance})
        return made["key_group"]["id"], made["instance"]["id"], made["secret"]

    def key(self, group, **instance):
        made = self.ask("POST", f"/key-groups/{group}/instances", instance)
        return made["instance"]["id"], made["secret"]

    def close(self):
        self.connection.close()
