"""PyPI's packages sign for `local`, send to it, and verify what it sends: tests.py"""
import base64
import json
import os
import time
from datetime import datetime, timezone
from urllib.parse import urlsplit

import requests
from hubspot import HubSpot
from hubspot.exceptions import InvalidSignatureTimestampError
from hubspot.utils.signature import Signature
from nacl.exceptions import BadSignatureError
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from zeep import Client, xsd
from zeep.exceptions import TransportError

from harness import MINUTES, Shop, check, equal, one_byte, refuses, run_all, test
from sellers import V1A

shop = Shop("python", 2101)

# ---- HubSpot ---------------------------------------------------------------------------------------------------------

SECRET = shop.crm["hubspot"]["client_secrets"][0]
PUBLIC = shop.crm["hubspot"]["public_url"]
hubspot = HubSpot(base_url=shop.api)


def to_hubspot(body, headers):
    """Sent by the package's own client."""
    path = urlsplit(PUBLIC).path
    return hubspot.api_request({"method": "POST", "path": path, "body": body.encode(), "headers": headers})


def batch(person):
    """An app's event, and the contact that it is read back from."""
    record = {"firstname": person.name, "lastname": "", "mobilephone": person.mobile}
    requests.post(f"{shop.sim}/_sim/records", json={"name": f"hubspot/contacts/{person.id}", "record": record}, timeout=20)
    event = {"eventId": 1, "portalId": 44001122, "occurredAt": int(time.time() * 1000), "attemptNumber": 0}
    return json.dumps([{**event, "subscriptionType": "contact.creation", "objectId": int(person.id)}])


def v3(body, at, uri=PUBLIC, secret=SECRET):
    signature = Signature.get_signature(secret, body, "v3", uri, "POST", at)
    return {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": at}


def millis(seconds_ago=0):
    return str(int((time.time() - seconds_ago) * 1000))


@test
def hubspot_signs_an_apps_batch_by_v3_and_its_contact_is_called():
    asha = shop.person("Asha")
    body, at = batch(asha), millis(4 * MINUTES)
    signed = v3(body, at)
    check(Signature.is_valid(signed["X-HubSpot-Signature-v3"], SECRET, body, PUBLIC, "POST", "v3", at), "the package disagrees with itself")
    answer = to_hubspot(body, signed)
    equal(answer.status_code, 200, "the answer")
    equal(answer.json()["stored"], True, "whether it is stored")
    shop.booked(asha, "hubspot")


@test
def hubspots_v3_is_refused_when_a_byte_is_changed_or_the_time_is_not_now():
    mina = shop.person("Mina")
    body, at, old = batch(mina), millis(), millis(5 * MINUTES + 10)
    signed = v3(body, at)
    signature = signed["X-HubSpot-Signature-v3"]
    check(not Signature.is_valid(signature, SECRET, one_byte(body), PUBLIC, "POST", "v3", at), "the package takes another body")
    other = "B" if signature[0] == "A" else "A"
    for what, text, headers in [
        ("another body", one_byte(body), signed),
        ("another signature", body, {**signed, "X-HubSpot-Signature-v3": other + signature[1:]}),
        ("another time", body, {**signed, "X-HubSpot-Request-Timestamp": str(int(at) + 1)}),
        ("another URL", body, v3(body, at, uri=f"{PUBLIC}/")),
        ("another secret", body, v3(body, at, secret=shop.crm["shopify"]["secrets"][0])),
        ("an old time stamp", body, v3(body, old)),
        # The package itself takes this one.
        ("a time stamp of the future", body, v3(body, millis(-5 * MINUTES - 10))),
    ]:
        equal(to_hubspot(text, headers).status_code, 401, what)
    stale = v3(body, old)["X-HubSpot-Signature-v3"]
    refuses(
        lambda: Signature.is_valid(stale, SECRET, body, PUBLIC, "POST", "v3", old), InvalidSignatureTimestampError, "an old time stamp"
    )


@test
def hubspot_signs_a_workflows_action_by_v2_and_is_told_to_wait():
    hari = shop.person("Hāri")
    fields = {"name": hari.name, "mobile": hari.mobile}
    action = {"callbackId": f"ap-{hari.id}", "object": {"objectId": int(hari.id), "objectType": "CONTACT"}, "inputFields": fields}
    body = json.dumps(action, ensure_ascii=False)
    headers = {"X-HubSpot-Signature-Version": "v2", "X-HubSpot-Signature": Signature.get_signature(SECRET, body, "v2", PUBLIC, "POST")}
    equal(to_hubspot(one_byte(body), headers).status_code, 401, "another body")
    # Whoever has a v3 that is wrong does not get by with a v2 that is right.
    equal(to_hubspot(body, {**headers, **v3(one_byte(body), millis())}).status_code, 401, "a wrong v3 beside it")
    answer = to_hubspot(body, headers)
    equal(answer.status_code, 200, "the answer")
    equal(answer.json()["outputFields"]["hs_execution_state"], "BLOCK", "what the workflow is told")
    shop.booked(hari, "hubspot")


@test
def hubspots_batch_is_not_taken_by_an_older_signature():
    hema = shop.person("Hema")
    body = batch(hema)
    for version in ["v1", "v2"]:
        signature = Signature.get_signature(SECRET, body, version, PUBLIC, "POST")
        headers = {"X-HubSpot-Signature-Version": version, "X-HubSpot-Signature": signature}
        equal(to_hubspot(body, headers).status_code, 401, version)


# ---- Standard Webhooks -----------------------------------------------------------------------------------------------

WHSEC = shop.crm["standard"]["secrets"][0]


def to_standard(body, headers):
    return requests.post(shop.url("standard"), data=body.encode(), headers={"content-type": "application/json", **headers}, timeout=20)


def lead(person):
    return json.dumps({"lead": {"external_id": person.id, "name": person.name, "mobile": person.mobile}}, ensure_ascii=False)


def webhook(signature, message, seconds):
    return {"webhook-id": message, "webhook-timestamp": str(seconds), "webhook-signature": signature}


def v1(body, message, seconds, secret=WHSEC):
    return webhook(Webhook(secret).sign(message, datetime.fromtimestamp(seconds, timezone.utc), body), message, seconds)


def v1a(body, message, seconds):
    signature = V1A.sign(f"{message}.{seconds}.{body}".encode()).signature
    return webhook("v1a," + base64.b64encode(signature).decode(), message, seconds)


def now(seconds_ago=0):
    return int(time.time()) - seconds_ago


@test
def standardwebhooks_signs_a_trigger_and_the_same_message_is_the_same_booking():
    ravi = shop.person("Rāvi")
    body = lead(ravi)
    signed = v1(body, f"msg_{ravi.id}", now(4 * MINUTES))
    Webhook(WHSEC).verify(body, signed)
    first = to_standard(body, signed)
    equal(first.status_code, 202, "the answer")
    booking = shop.booked(ravi, "standard")
    equal(first.json()["id"], booking["id"], "the booking of the answer")
    again = to_standard(body, v1(body, f"msg_{ravi.id}", now()))
    equal((again.status_code, again.json()["id"]), (first.status_code, booking["id"]), "the answer to the same message")


@test
def standardwebhooks_and_we_refuse_the_same():
    mina = shop.person("Mina")
    body, message, seconds = lead(mina), f"msg_{mina.id}", now()
    signed = v1(body, message, seconds)
    for what, text, headers in [
        ("another body", one_byte(body), signed),
        ("another id", body, {**signed, "webhook-id": one_byte(message)}),
        ("another time", body, {**signed, "webhook-timestamp": str(seconds - 1)}),
        ("another secret", body, v1(body, message, seconds, shop.document["notify"]["secrets"][0])),
        ("an old time stamp", body, v1(body, message, now(5 * MINUTES + 10))),
        ("a time stamp of the future", body, v1(body, message, now(-5 * MINUTES - 10))),
        ("no signature but another's", body, {**signed, "webhook-signature": signed["webhook-signature"].replace("v1,", "v2,")}),
    ]:
        refuses(lambda: Webhook(WHSEC).verify(text, headers), WebhookVerificationError, what)
        equal(to_standard(text, headers).status_code, 401, what)


@test
def pynacl_signs_a_trigger_by_v1a():
    uma = shop.person("Umā")
    body, message = lead(uma), f"msg_{uma.id}"
    signed = v1a(body, message, now(4 * MINUTES))
    # As while a sender goes over to it: the other signature is not by a secret of ours.
    beside = v1(body, message, now(4 * MINUTES), shop.document["notify"]["secrets"][0])["webhook-signature"]
    answer = to_standard(body, {**signed, "webhook-signature": f"{beside} {signed['webhook-signature']}"})
    equal(answer.status_code, 202, "the answer")
    equal(shop.booked(uma, "standard")["id"], answer.json()["id"], "the booking of the answer")


@test
def a_v1a_is_refused_when_a_byte_is_changed_or_the_time_is_not_now():
    mina = shop.person("Mina")
    body, message, seconds = lead(mina), f"msg_{mina.id}", now()
    signed = v1a(body, message, seconds)
    made = base64.b64decode(signed["webhook-signature"].removeprefix("v1a,"))
    other = f"{message}.{seconds}.{one_byte(body)}".encode()
    refuses(lambda: V1A.verify_key.verify(other, made), BadSignatureError, "another body")
    public = base64.b64encode(V1A.verify_key.encode()).decode()
    for what, text, headers in [
        ("another body", one_byte(body), signed),
        ("another id", body, {**signed, "webhook-id": one_byte(message)}),
        ("another time", body, {**signed, "webhook-timestamp": str(seconds - 1)}),
        ("another signature", body, webhook("v1a," + base64.b64encode(made[:-1] + bytes([made[-1] ^ 1])).decode(), message, seconds)),
        ("an old time stamp", body, v1a(body, message, now(5 * MINUTES + 10))),
        ("a time stamp of the future", body, v1a(body, message, now(-5 * MINUTES - 10))),
        ("a v1 by the key that all may know", body, v1(body, message, seconds, f"whsec_{public}")),
    ]:
        equal(to_standard(text, headers).status_code, 401, what)


# ---- Salesforce ------------------------------------------------------------------------------------------------------

outbound = Client(os.path.join(os.path.dirname(os.path.abspath(__file__)), "outbound.wsdl"))


def to_salesforce(people, path_secret=None, organization=None):
    """Sent by the package, which answers what it reads of our Ack."""
    lead_type = outbound.get_type("{urn:sobject.enterprise.soap.sforce.com}Lead")
    notifications = [
        {"Id": f"04l{one.id}", "sObject": lead_type(Id=one.id, Name=one.name, MobilePhone=one.mobile, Status="Working")}
        for one in people
    ]
    address = shop.url(f"salesforce/{path_secret or shop.crm['salesforce']['path_secrets'][0]}")
    service = outbound.create_service("{http://soap.sforce.com/2005/09/outbound}NotificationBinding", address)
    return service.notifications(
        OrganizationId=organization or shop.crm["salesforce"]["organization_ids"][0],
        ActionId="04k000000000001AAA",
        SessionId=xsd.Nil,
        EnterpriseUrl="https://acme.my.salesforce.com/services/Soap/c/66.0/00D000000000001",
        PartnerUrl="https://acme.my.salesforce.com/services/Soap/u/66.0/00D000000000001",
        Notification=notifications,
    )


@test
def zeep_sends_two_notifications_and_reads_one_ack():
    people = [shop.person("Sāra"), shop.person("Sami & Sons <Ltd>")]
    for one in people:
        one.id = f"00Q{one.id}AAA"
    equal(to_salesforce(people), True, "our Ack")
    for one in people:
        shop.booked(one, "salesforce")
    equal(to_salesforce(people), True, "our Ack of the same again")


@test
def zeep_hears_no_ack_with_another_path_and_another_organization_starts_nothing():
    mina = shop.person("Mina")
    path_secret = shop.crm["salesforce"]["path_secrets"][0]
    try:
        raise AssertionError(f"another path is answered {to_salesforce([mina], path_secret=f'q{path_secret[1:]}')}")
    except TransportError as error:
        equal(error.status_code, 401, "another path")
    # A refusal would bring the message again for a day. At the end nobody but those who were booked is known to Popin.
    equal(to_salesforce([mina], organization="00D000000000002EAA"), True, "another organization's Ack")


# ---- What we sign ----------------------------------------------------------------------------------------------------


@test
def what_the_shop_is_told_is_verified_by_standardwebhooks_and_nothing_near_it():
    check(len(shop.messages) >= len(shop.booked_mobiles) > 0, "the shop was told too little")
    new, old = shop.document["notify"]["secrets"]
    for message in shop.messages:
        equal(message.path, "/hooks/frontdesk", "the path that is told")
        headers = {name.lower(): value for name, value in message.headers.items()}
        for secret in (new, old):
            equal(Webhook(secret).verify(message.body, headers)["data"]["seller"], "python", "the seller")
        for what, secret, body, shown in [
            ("another body", new, message.body.replace(b"scheduled", b"scheduleb", 1), headers),
            ("another id", new, message.body, {**headers, "webhook-id": headers["webhook-id"] + "0"}),
            ("another time", new, message.body, {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}),
            ("another secret", WHSEC, message.body, headers),
        ]:
            refuses(lambda: Webhook(secret).verify(body, shown), WebhookVerificationError, what)


@test
def nothing_that_was_refused_went_any_further():
    shop.nothing_else()


run_all()
