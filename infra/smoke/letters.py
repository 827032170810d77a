"""What real queues and streams do now and then and MiniStack never does: letters that come back, pages without records.

    letters.py ROOT
"""

import datetime
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

LOADER = SourceFileLoader("redrive", str(Path(sys.argv[1]) / "infra/redrive"))
redrive = module_from_spec(spec_from_loader("redrive", LOADER))
LOADER.exec_module(redrive)
redrive.time.sleep = lambda _: None


class Queue:
    """Gives what it is told, one after another."""

    def __init__(self, *gives, counts=()):
        self.gives, self.counts = list(gives), list(counts)

    def receive_message(self, **_):
        return {"Messages": [{"MessageId": self.gives.pop(0)}]} if self.gives else {}

    def get_queue_attributes(self, **_):
        return {"Attributes": {"ApproximateNumberOfMessagesNotVisible": str(self.counts.pop(0) if len(self.counts) > 1 else self.counts[0])}}


class Stream:
    """A shard in pages of sequence numbers; open at its end, it has empty ones for ever."""

    def __init__(self, *pages):
        self.pages = list(pages)

    def get_shard_iterator(self, **_):
        return {"ShardIterator": "i"}

    def get_records(self, **_):
        numbers = self.pages.pop(0) if self.pages else []
        at = datetime.datetime.fromtimestamp(0, datetime.UTC)
        return {
            "Records": [{"dynamodb": {"SequenceNumber": str(n), "ApproximateCreationDateTime": at}} for n in numbers],
            "NextShardIterator": "i",
        }


def require(found, wanted, what):
    if found != wanted:
        sys.exit(f"FAIL  {what}: {found} and not {wanted}")
    print(f"ok    {what}", flush=True)


def numbers(*pages):
    batch = {"streamArn": "a", "shardId": "s", "startSequenceNumber": "1", "endSequenceNumber": "3"}
    return [int(record["dynamodb"]["SequenceNumber"]) for record in redrive.records(Stream(*pages), batch)]


require([m["MessageId"] for m in redrive.letters(Queue("a", "b", "a", "c"), "q")], ["a", "b", "c"], "a letter that comes back does not hide the next")
require(redrive.out_of_reach(Queue(counts=[4, 1]), "q", 1), 0, "a late count is waited for")
require(redrive.out_of_reach(Queue(counts=[4]), "q", 1), 3, "letters that others hold are told of")
require(numbers([1], [], [], [2, 3, 4]), [1, 2, 3], "an empty page is no end")
require(numbers([1, 4]), [1], "what comes after the batch is an end")
require(numbers(), [], "a shard that has nothing left has an end")
for answer, wanted in [
    (None, None),
    ({"batchItemFailures": []}, None),
    ({"batchItemFailures": [{"itemIdentifier": "1"}]}, "the function reported records as not done"),
    ({"due": 3, "failed": 0}, None),
    ({"due": 3, "failed": 2}, "the function failed at 2"),
    ({"taken": 1}, None),
    ({"taken": 0}, "no seller in the document has that organization"),
    ({"statusCode": 503, "body": "{}"}, "the function answered 503"),
    ({"statusCode": 200, "body": '{"known_now":0,"still_unknown":1,"failed":1}'}, "the function failed at 1"),
    ({"statusCode": 200, "body": "not JSON"}, None),
]:
    require(redrive.undone(answer), wanted, f"{answer} is {'not ' if wanted else ''}done")
