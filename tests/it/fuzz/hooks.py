"""What the fuzzer is told of this server: things that are there, and reasons for which a request may be refused although the
document allows its values."""
import json
import os
import re
import urllib.request
import uuid

import schemathesis

URL, TOKEN = os.environ["KEYWARD_URL"], os.environ["KEYWARD_TOKEN"]


def ids(path):
    request = urllib.request.Request(f"{URL}/api/v1/{path}?limit=200", headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request) as answer:
        return sorted(it.get("id", it["name"]) for it in json.load(answer)["data"])


# By the names of parameters and of fields. None of them takes a thing of another kind.
THERE = {
    "group": ids("key-groups"),
    "key": ids("instances"),
    "policy": ids("policies"),
    "user_group": ids("user-groups"),
    "workspace": ids("workspaces"),
    "role": ids("workspace-roles"),
    "permission": ids("permissions"),
}
THERE |= {
    "instance": THERE["key"],
    "policies": THERE["policy"],
    "user_groups": THERE["user_group"],
    "workspace_roles": THERE["role"],
    "permissions": THERE["permission"],
}
PERMISSION = re.compile(r"[A-Za-z0-9._-]{1,64}:[A-Za-z0-9._:/-]{1,100}")


def there(name, value):
    """Three of four values that could name a thing name one. The same value always gives the same one."""
    if isinstance(value, list):
        return [there(name, it) for it in value]
    if isinstance(value, dict):
        return {field: there(field, it) for field, it in value.items()}
    if name not in THERE or not isinstance(value, str):
        return value
    try:
        number = uuid.UUID(value).int if str(uuid.UUID(value)) == value else None
    except ValueError:
        number = int.from_bytes(value.encode()) if PERMISSION.fullmatch(value) and "perm" in name else None
    if number is None or number % 4 == 0:
        return value
    return THERE[name][number % len(THERE[name])]


@schemathesis.hook
def map_path_parameters(ctx, path_parameters):
    return path_parameters and there("", path_parameters)


@schemathesis.hook
def map_query(ctx, query):
    return query and there("", query)


@schemathesis.hook
def map_body(ctx, body):
    return there("", body)


REASONS = (
    # a thing that is not there, or that is there already
    "is gone. Choose again.",
    "This is not there any more. Choose again.",
    "no member any more.",
    "Choose a policy.",
    "No service declares the permission",
    "This role is there already.",
    "Another workspace has this short name.",
    "Use 2 to 63 lower-case letters, digits or dashes.",
    "A client gets its secrets afterwards",
    # a secret that could be guessed
    "Use 20 to 128 characters.",
    "Use only letters A to Z, digits and dashes.",
    "Use at least 10 different characters.",
    "No character may make up more than a quarter of the key.",
    "fills half of the key.",
    "The key is little more than the group's name.",
    "Use 10 to 30 characters.",
    # parameters that do not go together
    "Ask for one kind of use at a time.",
    "expiring_before goes with the status",
)


@schemathesis.check
def known_reasons(ctx, response, case):
    """What the configuration lets pass is refused for one of these reasons, and for no other."""
    mode = case.meta.generation.mode if case.meta else None
    if mode is None or not mode.is_positive or response.status_code not in (400, 422):
        return
    told = response.json()["detail"]
    assert any(reason in told for reason in REASONS), f"refused for another reason: {told}"
