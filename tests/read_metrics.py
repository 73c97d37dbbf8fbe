#!/usr/bin/python3
"""Reads OpenMetrics text on standard input with a parser that is not ours (python3-prometheus-client),
and prints its samples as JSON. Ends with 1 if it is none."""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

text = sys.stdin.buffer.read().decode()
assert text.endswith("# EOF\n"), text[-60:]
families = list(text_string_to_metric_families(text))
print(
    json.dumps(
        {
            "families": {it.name: {"type": it.type, "unit": it.unit, "help": it.documentation} for it in families},
            "samples": [
                {"name": sample.name, "labels": sample.labels, "value": sample.value}
                for it in families
                for sample in it.samples
            ],
        }
    )
)
