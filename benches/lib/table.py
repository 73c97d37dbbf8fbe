"""The table: what was measured, what it must be, and whether the goal is reached."""
import statistics


def median(values):
    return statistics.median(values)


def shown(value):
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


class Table:
    def __init__(self):
        self.rows = []

    def add(self, id, what, instances, value, unit="", must=None, goal=None, least=False):
        """`least`: more is better. A row without a goal is for information."""
        reached = ""
        if must is not None:
            fits = lambda limit: value >= limit if least else value <= limit
            reached = "goal" if fits(goal) else "must" if fits(must) else "NO"
        row = (id, what, f"{instances:,}" if instances else "", shown(value) + (f" {unit}" if unit else ""),
               shown(must), shown(goal), reached)
        self.rows.append(row)
        print("| " + " | ".join(row) + " |", flush=True)

    def begin(self):
        self.rows.clear()
        head = ("", "what", "instances", "value", "must", "goal", "reached")
        print("| " + " | ".join(head) + " |\n|" + "---|" * len(head), flush=True)
