"""The world of a test in Python: a shop of its own at `local`, people with numbers of their own, and what the shop is told."""
import itertools
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import urlsplit

import requests
from standardwebhooks.webhooks import Webhook

MINUTES = 60


def check(truth, otherwise):
    if not truth:
        raise AssertionError(otherwise)


def equal(seen, wanted, what):
    check(seen == wanted, f"{what}: {seen!r} instead of {wanted!r}")


def refuses(call, error, what):
    """The package itself says no."""
    try:
        call()
    except error:
        return
    raise AssertionError(f"the package takes {what}")


def until(what, look, seconds=30):
    """Looks until `look` answers something true."""
    end = time.monotonic() + seconds
    while not (seen := look()):
        check(time.monotonic() < end, f"not within {seconds} s: {what}")
        time.sleep(0.05)
    return seen


def one_byte(text):
    """The last number or id of the text with another digit: as good a body as it was, and of somebody else."""
    at = text.rindex("90000")
    return f"{text[:at]}8{text[at + 1:]}"


class Shop:
    def __init__(self, name, first):
        with open(os.environ["SELLERS"], encoding="utf-8") as file:
            self.document = json.load(file)[name]
        self.name = name
        self.api = os.environ["API"]
        self.crm = self.document["crm"]
        self.sim = self.document["popin"]["base_url"].removesuffix("/api/v1")
        self.numbers = itertools.count(first)
        self.booked_mobiles = []
        self.messages = []
        self.listen()

    def url(self, rest):
        return f"{self.api}/v1/crm/{self.name}/{rest}"

    def person(self, name):
        number = next(self.numbers)
        return SimpleNamespace(id=f"90000{number}", name=f"{name} Example", mobile=f"+9190000{number:05}")

    def listen(self):
        """The shop's own URL: keeps what it is told, to the byte."""
        messages = self.messages

        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                messages.append(SimpleNamespace(path=self.path, headers=dict(self.headers), body=body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        url = urlsplit(self.document["notify"]["url"])
        server = ThreadingHTTPServer((url.hostname, url.port), Receiver)
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def get(self, path):
        answer = requests.get(self.api + path, headers={"authorization": f"Bearer {self.document['api_keys'][0]}"}, timeout=20)
        equal(answer.status_code, 200, f"GET {path}")
        return answer.json()

    def at_popin(self, what):
        token = self.document["popin"]["token"]
        return [seen for seen in requests.get(f"{self.sim}/_sim/{what}", timeout=20).json() if seen["seller"] == token]

    def message_of(self, person):
        """What the shop was told of a person's booking, proven by the package."""
        return next((m for m in list(self.messages) if json.loads(m.body)["data"]["external_id"] == person.id), None)

    def booked(self, person, connector):
        """One call at Popin, a booking that says so, and the shop told of it by a message that the package verifies."""
        message = until(f"the shop is told of {person.name}'s call", lambda: self.message_of(person))
        for secret in self.document["notify"]["secrets"]:
            told = Webhook(secret).verify(message.body, message.headers)
        equal(told["type"], "booking.scheduled", "what the shop is told")
        equal(told["data"]["connector"], connector, "the connector that the shop is told of")
        booking = self.get(f"/v1/bookings/{self.name}/{told['data']['booking_id']}")
        equal(booking["state"], "scheduled", f"{person.name}'s booking")
        equal(booking["trigger"]["connector"], connector, "the booking's trigger")
        equal(told["data"]["join_url"], booking["join_url"], "the link to join")
        calls = [call for call in self.at_popin("schedules") if call["mobile"] == person.mobile]
        equal(len(calls), 1, f"{person.name}'s calls at Popin")
        self.booked_mobiles.append(person.mobile)
        return booking

    def nothing_else(self):
        """Popin heard of nobody but those who were booked, and no trigger lies parked."""
        captured = sorted(customer["mobile"] for customer in self.at_popin("customers"))
        equal(captured, sorted(self.booked_mobiles), "who is known to Popin")
        equal(self.get(f"/v1/crm/{self.name}/parked")["parked"], [], "what is parked")


tests = []


def test(run):
    tests.append(run)
    return run


def run_all():
    failed = 0
    for run in tests:
        name = run.__name__.replace("_", " ")
        try:
            run()
            print(f"ok    {name}", flush=True)
        except Exception as error:  # noqa: BLE001: whatever a package throws is a failed test
            failed += 1
            print(f"FAIL  {name}: {type(error).__name__}: {error}", flush=True)
    print(f"{len(tests) - failed} passed, {failed} failed")
    sys.exit(1 if failed or not tests else 0)
