"""The event each function is measured with, and the week of slots that the slots cache and Popin answer."""

import datetime
import json

# The slots cache is in memory for a second: this row asks for another seller each time, so that each request reads the table.
UNCACHED = "slots-api, uncached"
SELLERS = 400
API_KEY = "measure-api-key-0123456789"


def http(method, path, headers=None, body=None, query=None):
    """An API Gateway event of payload format 2.0."""
    query = query or {}
    return {
        "version": "2.0", "routeKey": "$default", "rawPath": path,
        "rawQueryString": "&".join(f"{name}={value}" for name, value in query.items()), "queryStringParameters": query,
        "headers": {"host": "api.example.com", "user-agent": "Mozilla/5.0", "accept": "*/*"} | (headers or {}),
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "d", "domainPrefix": "d", "requestId": "r", "routeKey": "$default",
            "stage": "$default", "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": 1767225600000,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "Mozilla/5.0"},
        },
        "body": body, "isBase64Encoded": False,
    }  # fmt: skip


EVENT = {"id": "018f2b6e-7c1a-7e3b-9d0a-NUMBER", "source": "popin", "name": "popin_open", "data": {"uid": "u-1", "title": "Rings", "lang": "en-IN"}}
LEAD = {"lead": {"name": "Asha Example", "mobile": "9000000001"}}
SCHEDULE = {"source": "frontdesk.schedule"}
# `NUMBER` is replaced by a new number each time, so that nothing is a duplicate; `SELLER` by one seller after the other.
EVENTS = {
    "event-intake": http("POST", "/v1/collect/acme", {"origin": "https://shop.example.com"}, json.dumps({"events": [EVENT]})),
    "slots-api": http("GET", "/v1/slots/acme", query={"limit": "20"}),
    UNCACHED: http("GET", "/v1/slots/SELLER", query={"limit": "20"}),
    "crm-intake": http("POST", "/v1/bookings/acme", {"authorization": f"Bearer {API_KEY}", "idempotency-key": "NUMBER"}, json.dumps(LEAD)),
    "slot-cache": SCHEDULE,
    "booking-worker": SCHEDULE,
}


def week():
    """Yields the next seven days in India: a date, and its quarter hours as pairs of instant and time of day."""
    india = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    today = datetime.datetime.now(india).replace(hour=9, minute=30, second=0, microsecond=0)
    for day in (today + datetime.timedelta(days=n) for n in range(1, 8)):
        slots = [day + datetime.timedelta(minutes=15 * n) for n in range(40)]
        yield day.strftime("%a, %d %b %Y"), [(int(slot.timestamp()), slot.strftime("%I:%M %p")) for slot in slots]


def stored_offer():
    """The week as the slots cache stores it."""
    days, at, gap = [], 0, None
    for date, slots in week():
        day = date
        for start, time_ in slots:
            mark = "" if start - at == gap else f"~{start - at}~"
            day += f"|{mark}{time_}"
            at, gap = start, start - at
        days.append(day)
    return ";".join(days)


def snapshot():
    """The item of the slots cache, as DynamoDB returns it."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    texts = {"pk": "acme", "sk": "snapshot", "fetched_at": now, "timezone": "Asia/Kolkata", "offer": stored_offer()}
    return {name: {"S": text} for name, text in texts.items()} | {"slot_minutes": {"N": "15"}, "version": {"N": "2"}}


def availability():
    """The week as Popin offers it."""
    days = [{"date": date, "slots": [time_ for _, time_ in slots]} for date, slots in week()]
    return {"availability": days, "slotDiff": 15, "timezone": "Asia/Kolkata"}
