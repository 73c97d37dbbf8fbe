#!/usr/bin/env python3
"""Runs the exchanges of three documents against a running Keyward and prints each of them: API keys of
Backstage (000), API access keys of Octane (001), API keys of WebTSM Services (003).

    tests/documents.py http://127.0.0.1:8080 --user ida@northwind.example --space northwind

The user is an admin of the space; the password is asked for, or taken from KEYWARD_PASSWORD. What the
exchanges make, they take back: two clients stay behind, revoked. Only Python's standard library. Ends
with 0 if every answer was the documented one.
"""
import argparse, base64, datetime, getpass, http.client, json, os, re, sys, urllib.parse, uuid

SECRET = "9011@83sd!f1042ds+f19fg86M"
NEXT_SECRET = "kj@s$dfS124GDd35"


class Answer:
    def __init__(self, response):
        self.status, self.headers = response.status, response.headers
        self.text = response.read().decode()

    def json(self):
        return json.loads(self.text)

    def cookie(self, name):
        lines = self.headers.get_all("Set-Cookie") or []
        found = [it.split(";")[0] for it in lines if it.startswith(f"{name}=")]
        return found[-1] if found else ""


class Server:
    """Sends, prints, and insists on the documented status."""

    def __init__(self, origin):
        self.origin = origin.rstrip("/")
        parts = urllib.parse.urlsplit(self.origin)
        self.https, self.host = parts.scheme == "https", parts.netloc
        self.wrong = 0

    def send(self, method, path, body=None, headers=None, status=200, quiet=False):
        kind = http.client.HTTPSConnection if self.https else http.client.HTTPConnection
        connection = kind(self.host, timeout=30)
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body, headers["Content-Type"] = json.dumps(body), "application/json"
        # What http.client would send as it stands: spaces and quotes belong into %.
        connection.request(method, urllib.parse.quote(path, "/?&=%;(){},:.-_"), body, headers)
        answer = Answer(connection.getresponse())
        connection.close()
        if not quiet:
            self.tell(method, path, body, answer, status)
        elif answer.status != status:
            sys.exit(f"{method} {path}: {answer.status} instead of {status}\n{answer.text[:400]}")
        return answer

    def tell(self, method, path, body, answer, status):
        print(f"\n> {method} {path}")
        if body:
            print(f"> {body}")
        print(f"< {answer.status}" + ("" if answer.status == status else f"  WRONG: expected {status}"))
        for name in ("Location", "Set-Cookie", "Keyward-Key-Group", "Keyward-Key-Instance", "Keyward-User",
                     "Keyward-Reason"):
            for value in answer.headers.get_all(name) or []:
                print(f"< {name}: {value}")
        if answer.text and "html" not in (answer.headers.get("Content-Type") or ""):
            print("< " + answer.text.strip().replace("\n", "\n< "))
        self.wrong += answer.status != status

    def insist(self, is_so, what):
        if not is_so:
            print(f"  WRONG: {what}")
            self.wrong += 1


def basic(name, password):
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


class Pages:
    """What document 000 does in a browser: a form is opened, and sent with its token."""

    def __init__(self, server, user, password):
        self.server = server
        form = {"email": user, "password": password}
        self.cookies = {}
        self.post("/sign-in", form)

    def headers(self):
        cookies = "; ".join(self.cookies.values())
        return {"Cookie": cookies, "Origin": self.server.origin,
                "Content-Type": "application/x-www-form-urlencoded"}

    def keep(self, answer):
        for line in answer.headers.get_all("Set-Cookie") or []:
            pair = line.split(";")[0]
            self.cookies[pair.split("=")[0]] = pair
        return answer

    def post(self, path, form):
        body = urllib.parse.urlencode(form)
        return self.keep(self.server.send("POST", path, body, self.headers(), 303, quiet=True))

    def get(self, path):
        return self.keep(self.server.send("GET", path, None, self.headers(), quiet=True))

    def submit(self, path, form):
        token = re.findall(r'name="submission" value="([^"]+)"', self.get(path).text)[-1]
        return self.post(path, {**form, "submission": token}).headers["Location"]


def backstage(server, user, password, space):
    print("\n== 000 Backstage: an id and a secret, HTTP Basic")
    pages = Pages(server, user, password)
    name = f"documents-{uuid.uuid4().hex[:8]}"
    print(f"\n(in the browser: +Create API Key {name}, then +Create Secret twice)")
    group = pages.submit(f"/s/{space}/groups/new", {"kind": "client_credentials", "name": name})
    secrets = []
    for _ in range(2):
        shown = pages.submit(f"{group}/keys/new", {"make": "generate", "preset": "30"})
        secrets.append(pages.get(f"{shown}/download.json"))
        pages.post(f"{shown}/acknowledgement", {"saved_by": "download"})
    old, new = (it.json() for it in secrets)
    print("(the JSON that the dialog offers)\n" + json.dumps(old, indent=2))
    key = old["api_key_id"]

    def call(secret, status):
        headers = {"authorization": basic(key, secret), "x-bs-clientid": "alice@example.com"}
        return server.send("GET", "/verify", None, headers, status)

    call(old["api_key_secret"], 204)
    call(new["api_key_secret"], 204)
    call("wrong", 401)
    print("\n(in the browser: the first secret is revoked)")
    rows = re.findall(rf"{group}/keys/([0-9a-f-]{{36}})/revocation", pages.get(group).text)
    # The newest stands first. The key is in use, so its label is typed.
    pages.post(f"{group}/keys/{rows[-1]}/revocation", {"confirm": old["key_id"]})
    server.insist(call(old["api_key_secret"], 401).headers["Keyward-Reason"] == "revoked", "the reason")
    call(new["api_key_secret"], 204)
    pages.post(f"{group}/keys/{rows[0]}/revocation", {"confirm": new["key_id"]})


def octane(server, user, password, space):
    print("\n== 001 Octane: API access keys")
    sign_in = {"user": user, "password": password}
    answer = server.send("POST", "/authentication/sign_in", sign_in)
    cookie = {"Cookie": answer.cookie("LWSSO_COOKIE_KEY")}
    base = f"/api/shared_spaces/{space}"
    roles = server.send("GET", f"{base}/roles", None, cookie).json()
    server.insist(roles["exceeds_total_count"] is False, "all roles are counted")
    found = server.send("GET", f"{base}/workspace_roles?fields=role,workspace", None, cookie).json()
    chosen = found["data"][:2]
    for it in chosen:
        where = f"(role={{id={it['role']['id']}}}"
        where += f";workspace={{id={it['workspace']['id']}}})" if it["workspace"] else ")"
        query = f'{base}/workspace_roles?fields=role&query="{where}"'
        answer = server.send("GET", query, None, cookie).json()
        server.insist(it["id"] in [one["id"] for one in answer["data"]], "the role is found again")
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=60)
    new = {"client_secret": SECRET, "name": f"myKey-{uuid.uuid4().hex[:8]}",
           "expiration": end.strftime("%Y-%m-%dT00:00:00Z"),
           "workspace_roles": {"data": [{"type": "workspace_role", "id": it["id"]} for it in chosen]}}
    made = server.send("POST", f"{base}/api_accesses?fields=client_id", {"data": [new]}, cookie, 201).json()
    server.insist(set(made) == {"total_count", "data", "exceeds_total_count"}, "the shape of a list")
    access = made["data"][0]
    server.insist(set(access) == {"type", "id", "client_id", "is_valid"}, "the shape of an access")
    own, path = access["client_id"], f"{base}/api_accesses/{access['id']}"
    server.insist(re.fullmatch(re.escape(new["name"]) + "_[0-9a-z]{25}", own), "the client_id")

    def call(secret, status):
        server.send("GET", "/verify", None, {"authorization": basic(own, secret)}, status)

    call(SECRET, 204)
    server.send("PUT", path, {"is_valid": False}, cookie)
    call(SECRET, 401)
    again = {"is_valid": True, "client_secret": NEXT_SECRET}
    again = server.send("PUT", f"{path}?fields=client_id", again, cookie).json()
    server.insist(again == {**access, "is_valid": True}, "the previous client_id is kept")
    call(NEXT_SECRET, 204)
    call(SECRET, 401)
    as_key = {"client_id": own, "client_secret": NEXT_SECRET}
    key = server.send("POST", "/authentication/sign_in", as_key).cookie("LWSSO_COOKIE_KEY")
    server.send("GET", f"{base}/api_accesses", None, {"Cookie": key}, 403)
    server.send("PUT", path, {"is_valid": False}, cookie)
    server.send("POST", "/authentication/sign_out", {}, cookie)
    server.send("GET", f"{base}/roles", None, cookie, 401)


def webtsm(server, user, password):
    print("\n== 003 WebTSM Services: a user's own keys")
    own = {"authorization": basic(user, password)}
    made = server.send("POST", "/auth/api-keys/keys", None, own, 201)
    key, info = made.json(), urllib.parse.urlsplit(made.headers["Location"]).path
    server.insist(isinstance(key, str) and key.count(".") == 2, "a string that holds the key")
    bearer = {"authorization": f"Bearer {key}"}
    server.send("GET", "/verify", None, bearer, 204)
    listed = server.send("GET", "/auth/api-keys/keys", None, own).json()
    one = server.send("GET", info, None, own).json()
    server.insist(one in listed and key not in json.dumps(listed), "listed, and never the key")
    fields = {"KeyId", "Key", "IssuedAt", "ClaimValues", "OriginalIssuer", "KeyIssuer"}
    server.insist(set(one) == fields and one["KeyIssuer"].startswith("api-key://"), "its fields")
    server.send("GET", "/.well-known/jwks.json")
    server.send("DELETE", info, None, bearer, 403)
    server.send("DELETE", info, None, own, 204)
    server.send("GET", info, None, own, 404)
    server.send("GET", "/verify", None, bearer, 401)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("origin")
    options.add_argument("--user", required=True)
    options.add_argument("--space", required=True, help="the short name of the subscription")
    chosen = options.parse_args()
    password = os.environ.get("KEYWARD_PASSWORD") or getpass.getpass()
    server = Server(chosen.origin)
    backstage(server, chosen.user, password, chosen.space)
    octane(server, chosen.user, password, chosen.space)
    webtsm(server, chosen.user, password)
    print(f"\n{server.wrong} answers were wrong." if server.wrong else "\nEvery answer is as documented.")
    sys.exit(1 if server.wrong else 0)


if __name__ == "__main__":
    main()
