"""Deploys the transformed template with the real binaries to MiniStack and goes through it once.

    smoke.py ROOT x86_64|arm64
"""

import io
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import boto3

ROOT, ARCHITECTURE = Path(sys.argv[1]), sys.argv[2]
OUT = ROOT / "target/smoke"
FUNCTIONS = ["event-intake", "slot-cache", "slots-api", "crm-intake", "booking-worker"]
KEY = "smoke-api-key-0123456789"
ORIGIN = "https://shop.example.com"
ORGANIZATION = "00D000000000001EAA"
# Pages and webhooks are two functions of one binary.
BINARIES = {"collect": "event-intake"}
# What an ELF says that it is for, at its 18th byte.
MACHINE = {"x86_64": 0x3E, "arm64": 0xB7}
# The account that `local` has at its simulated Popin.
DEMO = "demo-popin-{}-not-a-secret"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait(what, seconds, look):
    """Looks once a second, and says how long it took."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        try:
            if found := look():
                print(f"ok    {what} ({time.monotonic() - began:.0f} s)", flush=True)
                return found
        except Exception as error:  # noqa: BLE001
            last = error
        else:
            last = None
        time.sleep(1)
    sys.exit(f"FAIL  {what}: not within {seconds} s ({last})")


def require(holds, what, found):
    if not holds:
        sys.exit(f"FAIL  {what}: {found}")
    print(f"ok    {what}", flush=True)


def start(name, command, **environment):
    log = (OUT / f"{name}.log").open("wb")
    return subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | environment, cwd=OUT)


def template():
    """What CloudFormation would get, less what MiniStack has no stand-in for: CodeDeploy, which only moves aliases. And less
    the sweep, which takes up by itself whatever the stream leaves: here the stream has to do it."""
    document = json.loads((ROOT / "target/check/transformed.json").read_text())
    resources = document["Resources"]
    # The check before a release answers to CodeDeploy.
    gone = {n for n, r in resources.items() if r["Type"].startswith("AWS::CodeDeploy::")}
    gone |= {"CodeDeployRole", "ReleaseCheckFunction", "ReleaseCheckRole", "ReleaseCheckLogs", "Budget"}
    sweeps = {n for n, r in resources.items() if r["Type"] == "AWS::Scheduler::Schedule" and "sweep" in str(r["Properties"]["Name"])}
    require(len(sweeps) == 1, "the sweep is left out", sweeps)
    gone |= sweeps
    document["Resources"] = {n: r for n, r in resources.items() if n not in gone}
    for resource in document["Resources"].values():
        resource.pop("UpdatePolicy", None)
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Lambda::Function":
            # Popin is this machine's.
            properties["Environment"]["Variables"]["ALLOW_PRIVATE_ADDRESSES"] = "true"
            name = properties["FunctionName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
            name = BINARIES.get(name, name)
            properties["Code"] = {"S3Bucket": "packages", "S3Key": f"{name}.zip"}
            properties["Architectures"] = [ARCHITECTURE]
    return document


def package(name):
    binary = (ROOT / f"target/lambda/{name}/bootstrap").read_bytes()
    if binary[18] != MACHINE[ARCHITECTURE]:
        sys.exit(f"{name} is built for another machine: infra/build {ARCHITECTURE} first")
    bytes_ = io.BytesIO()
    with zipfile.ZipFile(bytes_, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, binary, zipfile.ZIP_DEFLATED)
    return bytes_.getvalue()


def request(method, path, headers=None, body=""):
    return {
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": headers or {},
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "d", "domainPrefix": "d", "requestId": "r", "routeKey": "$default",
            "stage": "$default", "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": 1767225600000,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "smoke"},
        },
        "body": body, "isBase64Encoded": False,
    }  # fmt: skip


class Stack:
    def __init__(self, port, popin):
        self.url = f"http://127.0.0.1:{port}"
        self.popin = popin

    def client(self, service):
        return boto3.client(service, endpoint_url=self.url)

    def invoke(self, function, event):
        reply = self.client("lambda").invoke(FunctionName=f"frontdesk-{function}:live", Payload=json.dumps(event))
        answer = json.loads(reply["Payload"].read())
        require("FunctionError" not in reply, f"{function} answers", answer)
        return answer

    def deploy(self):
        s3 = self.client("s3")
        s3.create_bucket(Bucket="packages")
        for name in FUNCTIONS:
            s3.put_object(Bucket="packages", Key=f"{name}.zip", Body=package(name))
        cloud = self.client("cloudformation")
        # Too large to be sent along; `sam deploy` does the same.
        s3.put_object(Bucket="packages", Key="template.json", Body=json.dumps(template()).encode())
        url = f"{self.url}/packages/template.json"
        cloud.create_stack(StackName="frontdesk", TemplateURL=url, Capabilities=["CAPABILITY_IAM"])

        def done():
            stack = cloud.describe_stacks(StackName="frontdesk")["Stacks"][0]
            if "FAILED" in stack["StackStatus"] or "ROLLBACK" in stack["StackStatus"]:
                events = cloud.describe_stack_events(StackName="frontdesk")["StackEvents"]
                sys.exit(f"FAIL  {[e for e in events if 'FAILED' in e['ResourceStatus']]}")
            return stack["StackStatus"] == "CREATE_COMPLETE"

        wait("the stack is made", 60, done)
        sellers = {
            "acme": {
                "name": "Acme Jewels", "default_country": "IN", "origins": [ORIGIN], "api_keys": [KEY],
                "popin": {"base_url": f"{self.popin}/api/v1", "api_key": DEMO.format("api-key"), "token": DEMO.format("token")},
                "person_key": "smoke-person-key-0123",
                "crm": {"salesforce": {"organization_ids": [ORGANIZATION], "path_secrets": ["smoke-path-secret-0123"]}},
            }
        }  # fmt: skip
        file = OUT / "sellers.json"
        file.write_text(json.dumps(sellers))
        public = subprocess.run([sys.executable, ROOT / "infra/public-sellers", file], capture_output=True, text=True, check=True).stdout
        secrets = [DEMO.format("api-key"), DEMO.format("token"), KEY, "smoke-path-secret-0123"]
        require(ORIGIN in public and not [s for s in secrets if s in public], "the public part has no credential", public)
        for name, document in [("sellers", file.read_text()), ("public-sellers", public)]:
            self.client("secretsmanager").put_secret_value(SecretId=f"frontdesk/{name}", SecretString=document)

    def items(self, table):
        return self.client("dynamodb").scan(TableName=f"frontdesk-{table}")["Items"]

    def tour(self):
        require(self.invoke("collect", request("GET", "/v1/health"))["statusCode"] == 200, "health", "not 200")
        event = {"id": "018f2b6e-7c1a-7e3b-9d0a-000000000001", "source": "popin", "name": "popin_open", "data": {"uid": "u"}}
        headers = {"origin": ORIGIN, "content-type": "application/json"}
        reply = self.invoke("collect", request("POST", "/v1/collect/acme", headers, json.dumps({"events": [event]})))
        require(reply["statusCode"] == 202 and len(self.items("events")) == 1, "an event is stored", reply)
        wait("the schedule refreshes the diary", 150, lambda: [i for i in self.items("slots") if i["sk"]["S"] == "snapshot"])
        reply = self.invoke("slots-api", request("GET", "/v1/slots/acme"))
        require(reply["statusCode"] == 200 and json.loads(reply["body"])["slots"], "the slots are shown", reply)
        one = self.book(1)
        wait("the stream runs it", 60, lambda: self.state(one) == "scheduled")
        self.calls(1)
        self.redrive()

    def book(self, number):
        """A booking that is stored and not yet run: its path."""
        headers = {"authorization": f"Bearer {KEY}", "idempotency-key": f"k{number}"}
        lead = {"lead": {"name": "Asha Example", "mobile": f"90000000{number:02}"}}
        reply = self.invoke("crm-intake", request("POST", "/v1/bookings/acme", headers, json.dumps(lead)))
        require(reply["statusCode"] == 202, "a booking is accepted", reply)
        return f"/v1/bookings/acme/{json.loads(reply['body'])['id']}"

    def state(self, booking):
        look = request("GET", booking, {"authorization": f"Bearer {KEY}"})
        answer = self.client("lambda").invoke(FunctionName="frontdesk-crm-intake:live", Payload=json.dumps(look))
        return json.loads(json.loads(answer["Payload"].read())["body"])["state"]

    def calls(self, number):
        with urllib.request.urlopen(f"{self.popin}/_sim/schedules") as reply:
            calls = json.loads(reply.read())
        require(len(calls if isinstance(calls, list) else calls["schedules"]) == number, f"Popin has {number}", calls)

    def redrive(self):
        """Letters as they are left by the stream, the scheduler, EventBridge and Lambda, done again by the documented command."""
        aws = self.client("lambda")
        for mapping in aws.list_event_source_mappings()["EventSourceMappings"]:
            aws.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        # One that is under way still ends; from here on, only letters make anything happen.
        time.sleep(3)
        outputs = self.client("cloudformation").describe_stacks(StackName="frontdesk")["Stacks"][0]["Outputs"]
        urls = {output["OutputKey"]: output["OutputValue"] for output in outputs}
        arn = {name: f"{aws.get_function(FunctionName=f'frontdesk-{name}')['Configuration']['FunctionArn']}:live" for name in FUNCTIONS}

        def letter(queue, body, **attributes):
            attributes = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
            self.client("sqs").send_message(QueueUrl=urls[queue], MessageBody=json.dumps(body), MessageAttributes=attributes)

        def redriven(queue, said, stays=""):
            done = subprocess.run(
                [sys.executable, ROOT / "infra/redrive", queue],
                env=os.environ | {"AWS_ENDPOINT_URL": self.url}, capture_output=True, text=True, check=False,
            )  # fmt: skip
            holds = done.returncode == (1 if stays else 0) and done.stdout.endswith(f"{said}\n") and stays in done.stdout
            require(holds, f"letters of the {queue} are redriven: {said}", done)

        two = self.book(2)
        require(self.state(two) == "requested", "no stream runs it now", self.state(two))
        letter("StreamDeadLettersUrl", {"requestContext": {"functionArn": arn["booking-worker"]}, "DDBStreamBatchInfo": self.record_of(two)})
        redriven("streams", "1 done, 0 stay")
        require(self.state(two) == "scheduled", "its letter does", self.state(two))

        three = self.book(3)
        letter("ScheduleDeadLettersUrl", {"source": "frontdesk.schedule"}, TARGET_ARN=arn["booking-worker"], ERROR_CODE="THROTTLED")
        redriven("schedules", "1 done, 0 stay")
        require(self.state(three) == "scheduled", "a tick's letter runs what is due", self.state(three))
        self.calls(3)

        bookings = len(self.bookings())
        letter("EventDeadLettersUrl", platform_event(4), TARGET_ARN=arn["crm-intake"], RULE_ARN="arn:aws:events:::rule/r")
        failed = {"requestContext": {"functionArn": arn["crm-intake"], "condition": "RetriesExhausted"}, "requestPayload": platform_event(5)}
        letter("EventDeadLettersUrl", failed)
        letter("EventDeadLettersUrl", platform_event(6, "00D000000000002EAA"), TARGET_ARN=arn["crm-intake"])
        redriven("events", "2 done, 1 stay", "no seller in the document has that organization")
        require(len(self.bookings()) == bookings + 2, "each event is a booking, and a stranger's is not", self.bookings())

    def bookings(self):
        return [item["pk"]["S"] for item in self.items("bookings") if item["sk"]["S"] == "booking"]

    def record_of(self, booking):
        """What a letter says of a batch of this one record."""
        streams, id_ = self.client("dynamodbstreams"), booking.rsplit("/", 1)[1]
        arn = self.client("dynamodb").describe_table(TableName="frontdesk-bookings")["Table"]["LatestStreamArn"]
        for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            at = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
            for record in streams.get_records(ShardIterator=at["ShardIterator"])["Records"]:
                keys = record["dynamodb"]["Keys"]
                if id_ in keys["pk"]["S"] and keys["sk"]["S"] == "booking":
                    number = record["dynamodb"]["SequenceNumber"]
                    return {
                        "shardId": shard["ShardId"], "startSequenceNumber": number, "endSequenceNumber": number, "batchSize": 1,
                        "streamArn": arn,
                    }  # fmt: skip
        sys.exit("FAIL  the stream has no record of it")


def platform_event(number, organization=ORGANIZATION):
    """As the relay of Salesforce puts it on the bus."""
    payload = {"Lead_Id__c": f"00Q{number:012}AAA", "Name__c": "Sami Example", "Mobile__c": f"+9190000000{number:02}", "EventUuid": f"u-{number}"}
    return {
        "version": "0", "id": f"e-{number}", "source": f"aws.partner/salesforce.com/{organization}/0YL000000000001",
        "detail-type": "VideoCall_Request__e", "account": "000000000000", "time": "2026-11-23T03:00:00Z", "region": "us-east-1",
        "resources": [], "detail": {"payload": payload, "schemaId": "s", "id": f"d-{number}"},
    }  # fmt: skip


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    cloud_port, api_port, db_port, sim_port = (free_port() for _ in range(4))
    local = next((p for p in (ROOT / "target/debug/local", ROOT / "target/quick/local") if p.exists()), None)
    if local is None:
        sys.exit("cargo build -p local first: its simulator is Popin")
    popin = f"http://127.0.0.1:{sim_port}"
    ports = ["--port", api_port, "--dynamodb-port", db_port, "--sim-port", sim_port]
    children = [
        start("local", [local, *map(str, ports)]),
        start(
            "ministack", [sys.executable, "-m", "ministack"], BIND_HOST="127.0.0.1", GATEWAY_PORT=str(cloud_port),
            LAMBDA_EXECUTOR="local", AWS_ENDPOINT_URL=f"http://127.0.0.1:{cloud_port}",
        ),
    ]  # fmt: skip
    try:
        wait("Popin's simulator listens", 30, lambda: urllib.request.urlopen(f"{popin}/_sim/calls").status == 200)
        stack = Stack(cloud_port, popin)
        wait("MiniStack listens", 30, lambda: stack.client("sts").get_caller_identity())
        stack.deploy()
        stack.tour()
    finally:
        for child in children:
            child.terminate()


if __name__ == "__main__":
    main()
