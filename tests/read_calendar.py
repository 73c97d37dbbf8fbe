#!/usr/bin/python3
"""Reads an iCalendar object on standard input with a parser that is not ours (python3-icalendar), and
prints what it found as JSON. Ends with 1 if it is none, or if a line is longer than RFC 5545 allows."""

import json
import sys

from icalendar import Calendar, vDuration

raw = sys.stdin.buffer.read()
assert raw.endswith(b"END:VCALENDAR\r\n"), raw[-60:]
assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r"), "a line does not end with CRLF"
for line in raw.split(b"\r\n"):
    assert len(line) <= 75, f"{len(line)} octets: {line!r}"
    line.decode()  # no letter is cut in two

calendar = Calendar.from_ical(raw)
assert not calendar.errors, calendar.errors


def text(component, name):
    value = component.get(name)
    return None if value is None else str(value)


def instant(component, name):
    at = component.decoded(name)
    assert at.utcoffset().total_seconds() == 0, f"{name} is not in UTC"
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(value):
    assert value.params["VALUE"] == "DURATION", value.params
    return int(vDuration.from_ical(str(value)).total_seconds())


def event(it):
    assert not it.errors, it.errors
    assert "DTEND" not in it and "DURATION" not in it
    return {
        "uid": text(it, "UID"),
        "sequence": int(it["SEQUENCE"]),
        "summary": text(it, "SUMMARY"),
        "description": text(it, "DESCRIPTION"),
        "url": text(it, "URL"),
        "status": text(it, "STATUS"),
        "transparency": text(it, "TRANSP"),
        "categories": [str(one) for one in it["CATEGORIES"].cats],
        "start": instant(it, "DTSTART"),
        "stamp": instant(it, "DTSTAMP"),
        "modified": instant(it, "LAST-MODIFIED"),
        "created": instant(it, "CREATED"),
        "alarms": [alarm(one) for one in it.walk("VALARM")],
    }


def alarm(it):
    assert not it.errors, it.errors
    assert it["ACTION"] == "DISPLAY" and it["DESCRIPTION"]
    before = -it["TRIGGER"].dt
    assert before.seconds == 0
    return before.days


json.dump(
    {
        "name": text(calendar, "NAME"),
        "old_name": text(calendar, "X-WR-CALNAME"),
        "version": text(calendar, "VERSION"),
        "refresh": seconds(calendar["REFRESH-INTERVAL"]),
        "parts": sorted({it.name for it in calendar.subcomponents}),
        "events": [event(it) for it in calendar.walk("VEVENT")],
    },
    sys.stdout,
)
