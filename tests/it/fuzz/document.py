"""Whether a document is valid OpenAPI 3.1, and each example in it fits the schema that stands beside it."""
import json
import sys

import jsonschema_rs
from openapi_spec_validator import validate

document = json.load(open(sys.argv[1]))
validate(document)
assert document["openapi"].startswith("3.1."), document["openapi"]


def schemas(node, place=""):
    """Pairs of a schema and an example of it."""
    if isinstance(node, dict):
        if "schema" in node and "example" in node:
            yield place, node["schema"], node["example"]
        for example in node.get("examples", []) if "type" in node else []:
            yield place, node, example
        for name, value in node.items():
            yield from schemas(value, f"{place}/{name}")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from schemas(value, f"{place}/{number}")


seen = 0
for place, schema, example in schemas(document):
    whole = dict(schema, components=document["components"])
    faults = list(jsonschema_rs.Draft202012Validator(whole, validate_formats=True).iter_errors(example))
    assert not faults, f"{place}: {[it.message for it in faults]}"
    seen += 1
assert seen > 50, seen
print(seen, "examples are as their schemas say")
