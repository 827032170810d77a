"""What the binaries meet when they are measured: events, and stand-ins for DynamoDB and Popin over TLS."""

import datetime
import functools
import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The diary is kept for a second: this row asks for another seller's each time.
READ = "slots-api, a read"
SELLERS = 400


def http(method, path, headers=None, body=None):
    return {
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": {"host": "api.example.com", "user-agent": "Mozilla/5.0", "accept": "*/*"} | (headers or {}),
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "d", "domainPrefix": "d", "requestId": "r", "routeKey": "$default",
            "stage": "$default", "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": 1767225600000,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "Mozilla/5.0"},
        },
        "body": body, "isBase64Encoded": False,
    }  # fmt: skip


def event(id_):
    page = {"id": id_, "source": "popin", "name": "popin_open", "data": {"uid": "u-1", "title": "Rings", "lang": "en-IN"}}
    return json.dumps({"events": [page]})


KEY = "measure-api-key-0123456789"
LEAD = json.dumps({"lead": {"name": "Asha Example", "mobile": "9000000001"}})
# `NUMBER` is another one each time: nothing is known already.
EVENTS = {
    "event-intake": http("POST", "/v1/collect/acme", {"origin": "https://shop.example.com"}, event("018f2b6e-7c1a-7e3b-9d0a-NUMBER")),
    "slots-api": http("GET", "/v1/slots/acme") | {"rawQueryString": "limit=20", "queryStringParameters": {"limit": "20"}},
    READ: http("GET", "/v1/slots/SELLER") | {"rawQueryString": "limit=20", "queryStringParameters": {"limit": "20"}},
    "crm-intake": http("POST", "/v1/bookings/acme", {"authorization": f"Bearer {KEY}", "idempotency-key": "NUMBER"}, LEAD),
    "slot-cache": {"source": "frontdesk.schedule"},
    "booking-worker": {"source": "frontdesk.schedule"},
}


def week():
    """Quarter hours of a week to come, in India: by their date, each its instant and its time of day."""
    india = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    today = datetime.datetime.now(india).replace(hour=9, minute=30, second=0, microsecond=0)
    for day in (today + datetime.timedelta(days=n) for n in range(1, 8)):
        slots = [day + datetime.timedelta(minutes=15 * n) for n in range(40)]
        yield day.strftime("%a, %d %b %Y"), [(int(slot.timestamp()), slot.strftime("%I:%M %p")) for slot in slots]


def offer():
    """The week as the diary keeps it."""
    days, at, gap = [], 0, None
    for date, slots in week():
        day = date
        for start, time_ in slots:
            mark = "" if start - at == gap else f"~{start - at}~"
            day += f"|{mark}{time_}"
            at, gap = start, start - at
        days.append(day)
    return ";".join(days)


def availability():
    """The week as Popin offers it."""
    days = [{"date": date, "slots": [time_ for _, time_ in slots]} for date, slots in week()]
    return {"availability": days, "slotDiff": 15, "timezone": "Asia/Kolkata"}


def answers(folder, diary):
    """What DynamoDB answers to a query, and Popin to a look at its slots."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    snapshot = {"pk": "acme", "sk": "snapshot", "fetched_at": now, "timezone": "Asia/Kolkata", "offer": offer()}
    item = {name: {"S": text} for name, text in snapshot.items()} | {"slot_minutes": {"N": "15"}, "version": {"N": "2"}}
    items = [item] if diary else []
    (folder / "query.json").write_text(json.dumps({"Items": items, "Count": len(items), "ScannedCount": len(items)}))
    (folder / "get.json").write_text(json.dumps(availability()))


def certificates(folder):
    run = lambda *words: subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)  # noqa: E731
    run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem",
        "-subj", "/CN=measure", "-days", "2", "-addext", "basicConstraints=critical,CA:TRUE")  # fmt: skip
    run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-out", "csr.pem", "-subj", "/CN=localhost")
    (folder / "ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    run("x509", "-req", "-in", "csr.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "cert.pem", "-days", "2", "-extfile", "ext")


@functools.cache
def backend(folder, diary):
    """A stand-in for DynamoDB and Popin that is no burden to what it answers, and its port. It ends with its input, which ends with us."""
    files = folder / f"diary-{diary}"
    files.mkdir()
    answers(files, diary)
    command = [ROOT / "target/release/examples/standin", folder / "cert.pem", folder / "key.pem", files / "query.json", files / "get.json"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return process, int(process.stdout.readline())


def environment(folder, name):
    _, port = backend(folder, name in ("slots-api", READ))
    sellers = folder / f"{name}.json"
    sellers.write_text(json.dumps({id_: {
        "name": "Acme Jewels", "default_country": "IN", "origins": ["https://shop.example.com"], "api_keys": [KEY],
        "popin": {"base_url": f"https://localhost:{port}/api/v1", "api_key": "popin-key-0123456789", "token": "12159"},
        # However long it takes: what is read is as old as the run.
        "slots": {"refresh_seconds": 1, "stale_after_seconds": 86400, "unusable_after_seconds": 86400},
    } for id_ in ([f"s{n}" for n in range(SELLERS)] if name == READ else ["acme"])}))  # fmt: skip
    return {
        "PATH": os.environ["PATH"], "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "measure", "AWS_SECRET_ACCESS_KEY": "measure",
        "AWS_CA_BUNDLE": str(folder / "ca.pem"), "AWS_ENDPOINT_URL_DYNAMODB": f"https://localhost:{port}",
        "AWS_ENDPOINT_URL": f"https://localhost:{port}", "EXTRA_CA_FILE": str(folder / "ca.pem"),
        "NODE_EXTRA_CA_CERTS": str(folder / "ca.pem"), "TABLE_NAME": "t", "SELLERS_FILE": str(sellers), "LOG_LEVEL": "warn",
        "EVENTS_TABLE": "e", "SLOTS_TABLE": "s", "BOOKINGS_TABLE": "b", "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128", "AWS_LAMBDA_LOG_GROUP_NAME": "g",
        "AWS_LAMBDA_LOG_STREAM_NAME": "s", "_HANDLER": "handler",
    }  # fmt: skip
