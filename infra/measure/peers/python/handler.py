"""Stores one event as a Python team would write it: Powertools logger, pydantic model, boto3 client."""

import base64
import os
import re
from typing import Annotated

import boto3
from aws_lambda_powertools import Logger
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

logger = Logger(service="intake", level="WARNING")
dynamodb = boto3.client("dynamodb")
TABLE = os.environ["TABLE_NAME"]

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{16,64}$")]
Name = Annotated[str, Field(max_length=40)]
Value = Annotated[str, Field(max_length=256)]
EVENT = re.compile(r"^[a-z_]{1,64}$")


class Event(BaseModel):
    model_config = ConfigDict(extra="forbid")
    event: str
    event_id: Id
    ts: Annotated[int, Field(ge=1_500_000_000_000, lt=4_000_000_000_000)]
    anon_id: Id
    url: Annotated[str, Field(max_length=2048, pattern="^https://")]
    props: Annotated[dict[Name, Value], Field(max_length=20)] = {}

    @field_validator("event")
    @classmethod
    def known_form(cls, value: str) -> str:
        value = value.strip().lower()
        if not EVENT.match(value):
            raise ValueError("event")
        return value


def answer(status, body):
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": body}


def plain(url):
    """The URL without its fragment and campaign parameters."""
    base, _, query = url.split("#")[0].partition("?")
    kept = [pair for pair in query.split("&") if pair and not pair.startswith("utm_")]
    return f"{base}?{'&'.join(kept)}" if kept else base


def handler(request, context):
    body = base64.b64decode(request["body"]) if request.get("isBase64Encoded") else request["body"]
    try:
        event = Event.model_validate_json(body)
    except ValidationError as error:
        return answer(422, error.errors()[0]["type"])
    item = {
        "pk": {"S": f"E#{event.event_id}"},
        "sk": {"S": f"T#{event.ts}"},
        "ev": {"S": event.event},
        "ts": {"N": str(event.ts)},
        "anon": {"S": event.anon_id},
        "url": {"S": plain(event.url)},
        "props": {"M": {name: {"S": value} for name, value in event.props.items()}},
    }
    try:
        dynamodb.put_item(TableName=TABLE, Item=item, ConditionExpression="attribute_not_exists(pk)")
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return answer(202, '{"ok":true,"dup":true}')
    return answer(202, '{"ok":true}')
