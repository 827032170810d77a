"""What sam and cfn-lint let pass in infra/template.yaml: transforms it as CloudFormation would, and asserts the rest.

    template.py TEMPLATE TRANSFORMED    writes TRANSFORMED (JSON), prints one line a fault, exits 1 when there is one
"""

import contextlib
import copy
import io
import json
import os
import re
import sys
from collections import Counter
from pathlib import Path

from samcli.yamlhelper import yaml_parse
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

ROOT = Path(__file__).resolve().parents[2]
ENV_NAMES = {"EVENTS_TABLE", "SLOTS_TABLE", "BOOKINGS_TABLE", "SELLERS_SECRET_ARN", "LOG_LEVEL"}
# The only managed policies: what SAM gives every function for its log, a stream's reader for the stream, and CodeDeploy.
MANAGED = {
    "service-role/AWSLambdaBasicExecutionRole",
    "service-role/AWSLambdaDynamoDBExecutionRole",
    "service-role/AWSCodeDeployRoleForLambda",
}
# The only wildcards, each argued where it stands in the template: versions and deployment groups are named when they are made.
ARGUED = {("ReleaseCheckRole", "AskNewVersions"), ("ReleaseCheckRole", "AnswerCodeDeploy")}
# What AWS tells by itself: name space, metric, and the dimensions that it tells it by.
AWS_METRICS = {
    ("AWS/Lambda", name): [{"FunctionName"}, {"FunctionName", "Resource"}] for name in ("Errors", "Throttles", "IteratorAge", "Duration")
} | {
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): [{"QueueName"}],
    ("AWS/ApiGateway", "Count"): [{"ApiId"}],
    ("AWS/ApiGateway", "4xx"): [{"ApiId"}],
    ("AWS/ApiGateway", "5xx"): [{"ApiId"}],
}  # fmt: skip
METHODS = {"DELETE", "GET", "HEAD", "OPTIONS", "POST"}
RATE = re.compile(r"rate\((1 (minute|hour|day)|([2-9]|[1-9]\d+) (minutes|hours|days))\)")
GATEWAY_GIVES_UP, STREAM_FORGETS, TWO_WEEKS = 30, 86_400, 1_209_600

faults = []


def require(holds, where, what):
    if not holds:
        faults.append(f"{where}: {what}")


class Template:
    """Resources by type, from either form of the template."""

    def __init__(self, document):
        self.resources = document["Resources"]

    def of(self, kind):
        return {name: r.get("Properties", {}) for name, r in self.resources.items() if r["Type"] == kind}

    def names(self, value, kind, attribute):
        """Whether `value` is !GetAtt (or !Ref, when `attribute` is None) of a resource of that kind."""
        if not isinstance(value, dict):
            return False
        if attribute is None:
            target = value.get("Ref")
        else:
            target, got = ([*value.get("Fn::GetAtt", []), None, None])[:2]
            if got != attribute:
                return False
        return self.resources.get(target, {}).get("Type") == kind


def transform(document):
    """As the cloud does it, with the parameters' defaults; the code is somewhere in S3 by then."""
    document = copy.deepcopy(document)
    for resource in document["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://packages/function.zip"
    return Translator({}, Parser()).translate(sam_template=document, parameter_values={})


def json_object(text):
    try:
        value = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        value = None
    return value if isinstance(value, dict) else None


def leaves_are_lists(pattern):
    return all(
        leaves_are_lists(v) if isinstance(v, dict) else isinstance(v, list) and v != [] for v in pattern.values()
    )


def check_functions(sam, functions):
    require(functions, "template", "has no functions")
    groups = sam.of("AWS::Logs::LogGroup")
    used = Counter()
    sent = []
    for name, f in functions.items():
        folder, binary = os.path.split(str(f.get("CodeUri")))
        sent.append(binary)
        require(folder == "../target/lambda", name, "is not where cargo lambda puts it")
        timeout, memory = f.get("Timeout"), f.get("MemorySize")
        require(isinstance(timeout, int) and 1 <= timeout <= 900, name, f"Timeout {timeout!r} is not 1 to 900 s")
        require(isinstance(memory, int) and 128 <= memory <= 10240, name, f"MemorySize {memory!r} is not 128 to 10240")
        events = [e["Type"] for e in f.get("Events", {}).values()]
        require(events, name, "is started by nothing")
        # What is not a caller's may wait, and calls Popin: it is bounded.
        bound = f.get("ReservedConcurrentExecutions", {}).get("Fn::If", [None])[0]
        require("HttpApi" in events or bound == "Reserves", name, "asks Popin without a bound")
        if "HttpApi" in events and isinstance(timeout, int):
            require(timeout < GATEWAY_GIVES_UP, name, f"runs on ({timeout} s) when the gateway has given up (30 s)")
        group = f.get("LoggingConfig", {}).get("LogGroup")
        require(sam.names(group, "AWS::Logs::LogGroup", None), name, "has no log group of this template")
        used[group["Ref"] if isinstance(group, dict) else None] += 1
        check_environment(sam, name, f)
    written = sorted(p.parent.name for p in ROOT.glob("functions/*/Cargo.toml"))
    require(sorted(sent) == written, "template", f"sends {sorted(sent)}, and functions/ holds {written}")
    for f in sam.of("AWS::Lambda::Function").values():
        used[f["LoggingConfig"]["LogGroup"]["Ref"]] += 1
    for api in sam.of("AWS::Serverless::HttpApi").values():
        used[api["AccessLogSettings"]["DestinationArn"]["Fn::GetAtt"][0]] += 1
        check_access_log(api["AccessLogSettings"].get("Format"))
    for group, g in groups.items():
        require(used[group] == 1, group, f"is the log of {used[group]}")
        require("RetentionInDays" in g, group, "keeps its lines for ever")


def check_runtime(document, cloud):
    """Of what was built here: Amazon Linux 2023, and the processor that the parameter says, which is arm64 by default."""
    architecture = document["Parameters"]["Architecture"]
    require(architecture.get("Default") == "arm64", "Architecture", "is not arm64 by default")
    require(set(architecture.get("AllowedValues", [])) == {"arm64", "x86_64"}, "Architecture", "cannot be x86_64")
    for name, f in cloud.of("AWS::Lambda::Function").items():
        if "ZipFile" not in f["Code"]:
            require(f.get("Runtime") == "provided.al2023", name, f"runs on {f.get('Runtime')}")
            require(f.get("Architectures") == [{"Ref": "Architecture"}], name, f"runs on {f.get('Architectures')}")


def check_metrics(sam):
    """Alarms and the dashboard look at what AWS tells; the code's own metrics are `tests/it/alarms.rs`'s."""
    looked_at = []
    for name, a in sam.of("AWS::CloudWatch::Alarm").items():
        parts = [m["MetricStat"]["Metric"] for m in a.get("Metrics", []) if "MetricStat" in m] or [a]
        looked_at += [(name, m["Namespace"], m["MetricName"], {d["Name"] for d in m.get("Dimensions", [])}) for m in parts]
    for name, d in sam.of("AWS::CloudWatch::Dashboard").items():
        for widget in json.loads(d["DashboardBody"]["Fn::Sub"])["widgets"]:
            for space, metric, *rest in widget["properties"]["metrics"]:
                looked_at.append((name, space, metric, {d for d in rest[::2] if isinstance(d, str)}))
    for name, space, metric, dimensions in looked_at:
        known = space == "Frontdesk" or dimensions in AWS_METRICS.get((space, metric), [])
        require(known, name, f"looks at {space} {metric} by {sorted(dimensions)}, which nobody tells")


def check_access_log(text):
    """JSON, and nothing in it that a caller chose: a path may hold a secret, an address is a person's."""
    line = json_object(text)
    require(line, "Api", f"access log is not a JSON object: {text!r}")
    quiet = ("requestId", "requestTime", "routeKey", "status", "response", "integration", "error.responseType")
    for value in (line or {}).values():
        require(value.startswith("$context.") and value.removeprefix("$context.").startswith(quiet), "Api", f"access log tells {value}")


def check_environment(sam, name, f):
    """A function is told the names of the tables that its policy opens, no more and no fewer."""
    env = f.get("Environment", {}).get("Variables", {})
    require(env.keys() <= ENV_NAMES, name, f"has variables that nobody reads: {sorted(env.keys() - ENV_NAMES)}")
    require(env.get("LOG_LEVEL") == {"Ref": "LogLevel"}, name, "LOG_LEVEL is not the parameter")
    require(env.get("SELLERS_SECRET_ARN") == {"Ref": "SellersSecret"}, name, "SELLERS_SECRET_ARN is not the secret")
    told = set()
    for variable in env.keys() & {v for v in ENV_NAMES if v.endswith("_TABLE")}:
        table = variable.removesuffix("_TABLE").capitalize() + "Table"
        require(env[variable] == {"Ref": table}, name, f"{variable} is not !Ref {table}")
        told.add(table)
    policies = json.dumps(f.get("Policies", []))
    opened = {t for t in sam.of("AWS::DynamoDB::Table") if f'"{t}"' in policies or f"{{{t}.Arn}}" in policies}
    require(told == opened, name, f"is told of {sorted(told)}, and may use {sorted(opened)}")
    require('"secretsmanager:GetSecretValue"' in policies, name, "may not read the sellers")


def check_routes(sam, functions, cloud):
    routes = Counter()
    for name, f in functions.items():
        for event, e in f.get("Events", {}).items():
            if e["Type"] != "HttpApi":
                continue
            where, p = f"{name}.{event}", e["Properties"]
            path, method = p.get("Path"), p.get("Method")
            require(isinstance(path, str) and re.fullmatch(r"/v1(/([a-z0-9-]+(\.js)?|\{[a-z_]+\}))+", path), where, f"Path {path!r}")
            require(method in METHODS, where, f"Method {method!r} is not one of {sorted(METHODS)}")
            require(sam.names(p.get("ApiId"), "AWS::Serverless::HttpApi", None), where, "is on another API")
            routes[f"{method} {path}"] += 1
    require(not [r for r, n in routes.items() if n > 1], "template", "answers a route twice")
    for api, a in sam.of("AWS::Serverless::HttpApi").items():
        require(a.get("StageName") == "$default", api, "has a stage in its paths")
        require("CorsConfiguration" not in a, api, "answers OPTIONS itself, which is the functions' work")
    bodies = [a["Body"] for a in cloud.of("AWS::ApiGatewayV2::Api").values()]
    made = {f"{m.upper()} {path}" for b in bodies for path, item in b["paths"].items() for m in item}
    require(made == set(routes), "template", f"routes differ from what is deployed: {sorted(made ^ set(routes))}")


def check_schedules(cloud):
    for name, s in cloud.of("AWS::Scheduler::Schedule").items():
        expression = s.get("ScheduleExpression")
        require(isinstance(expression, str) and RATE.fullmatch(expression), name, f"ScheduleExpression {expression!r}")
        require("${AWS::StackName}" in str(s.get("Name")), name, "two stacks would collide: its Name lacks the stack's")
        target = s.get("Target", {})
        body = json_object(target.get("Input"))
        # A tick, or a request by a path that no route has, so that only the schedule can send it.
        asked = f"{body['requestContext']['http']['method']} {body['rawPath']}" if "rawPath" in body else None
        require(body == {"source": "frontdesk.schedule"} or asked, name, f"Input {target.get('Input')!r}")
        made = {f"{m.upper()} {p}" for a in cloud.of("AWS::ApiGatewayV2::Api").values() for p, i in a["Body"]["paths"].items() for m in i}
        require(asked not in made, name, f"sends {asked}, which anybody can")
        require(cloud.names(target.get("Arn"), "AWS::Lambda::Alias", None), name, "starts no released version of ours")
        retry = target.get("RetryPolicy", {})
        require({"MaximumRetryAttempts", "MaximumEventAgeInSeconds"} <= retry.keys(), name, "has no bounded RetryPolicy")
        queue = target.get("DeadLetterConfig", {}).get("Arn")
        require(cloud.names(queue, "AWS::SQS::Queue", "Arn"), name, f"DLQ {queue!r} is not the ARN of a queue here")


def check_streams(cloud):
    tables = cloud.of("AWS::DynamoDB::Table")
    for name, m in cloud.of("AWS::Lambda::EventSourceMapping").items():
        source = m.get("EventSourceArn")
        if not cloud.names(source, "AWS::DynamoDB::Table", "StreamArn"):
            require(False, name, f"reads no stream of ours: {source!r}")
            continue
        require(cloud.names(m.get("FunctionName"), "AWS::Lambda::Alias", None), name, "wakes no released version of ours")
        table = tables[source["Fn::GetAtt"][0]]
        require("StreamSpecification" in table, name, f"reads a stream that {source['Fn::GetAtt'][0]} does not have")
        queue = m.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        require(cloud.names(queue, "AWS::SQS::Queue", "Arn"), name, f"DLQ {queue!r} is not the ARN of a queue here")
        require(m.get("StartingPosition") == "TRIM_HORIZON", name, "may begin after the first record")
        require(m.get("FunctionResponseTypes") == ["ReportBatchItemFailures"], name, "ignores batchItemFailures")
        require(m.get("BisectBatchOnFunctionError") is True, name, "lets one record sink its batch")
        require(0 <= m.get("MaximumRetryAttempts", -1) <= 100, name, "tries for ever")
        require(60 <= m.get("MaximumRecordAgeInSeconds", -1) <= STREAM_FORGETS, name, "outlives its stream's 24 h")
        require(m.get("ParallelizationFactor", 1) == 1, name, "gives up the order of records")
        filters = m.get("FilterCriteria", {}).get("Filters", [])
        require(filters, name, "has no filter")
        for text in (f.get("Pattern") for f in filters):
            check_filter(name, text, table)


def check_filter(name, text, table):
    pattern = json_object(text)
    if pattern is None:
        require(False, name, f"filter is not a JSON object: {text!r}")
        return
    require(leaves_are_lists(pattern), name, "filter matches on something that is not a list")
    record = pattern.get("dynamodb", {})
    # A function that writes where it listens must not wake itself: what it writes is `confirmed`.
    trust = record.get("NewImage", {}).get("trust", {}).get("S", ["confirmed"])
    names = ["INSERT"] if "confirmed" in trust else ["INSERT", "MODIFY"]
    require(pattern.get("eventName") == names, name, f"is woken by other than {names}")
    require(pattern.keys() <= {"eventName", "dynamodb"}, name, f"filters on {sorted(pattern)}")
    require(record and record.keys() <= {"Keys", "NewImage"}, name, f"filters on {sorted(record)}")
    keys = {k["AttributeName"] for k in table["KeySchema"]}
    require(record.get("Keys", {}).keys() <= keys, name, f"filters on keys other than {sorted(keys)}")
    for attribute in (a for part in record.values() for a in part.values()):
        require(isinstance(attribute, dict) and attribute.keys() == {"S"}, name, "filters on what is not a string attribute")


def check_tables(sam):
    for name, t in sam.of("AWS::DynamoDB::Table").items():
        indexes = t.get("GlobalSecondaryIndexes", [])
        used = set()
        for where, schema in [(name, t["KeySchema"])] + [(f"{name}/{i['IndexName']}", i["KeySchema"]) for i in indexes]:
            kinds = [k["KeyType"] for k in schema]
            require(kinds == ["HASH", "RANGE"], where, f"KeyType {kinds}, not HASH then RANGE")
            used |= {k["AttributeName"] for k in schema}
        defined = {a["AttributeName"]: a["AttributeType"] for a in t["AttributeDefinitions"]}
        require(set(defined) == used, name, f"defines {sorted(defined)} and uses {sorted(used)} as keys")
        require(set(defined.values()) == {"S"}, name, "has a key that is not a string")
        require([k["AttributeName"] for k in t["KeySchema"]] == ["pk", "sk"], name, "keys are not pk, sk")
        require(all(i["Projection"] == {"ProjectionType": "KEYS_ONLY"} for i in indexes), name, "an index copies items")
        require("${TablePrefix}-" in str(t.get("TableName")), name, "TableName has no prefix")
        require(t.get("BillingMode") == "PAY_PER_REQUEST", name, "is not on-demand")
        ttl = {"AttributeName": "expires_at", "Enabled": True}
        require(t.get("TimeToLiveSpecification") == ttl, name, "TTL is not on expires_at")
        recovery = t.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled")
        require(recovery is True, name, "has no point-in-time recovery")
        require(t.get("SSESpecification", {}).get("SSEEnabled") is True, name, "is not encrypted by KMS")
        require(t.get("DeletionProtectionEnabled") is True, name, "can be deleted by a slip of the hand")
        stream = t.get("StreamSpecification", {}).get("StreamViewType", "NEW_IMAGE")
        require(stream == "NEW_IMAGE", name, f"stream shows {stream}")


def check_kept(sam):
    for name, resource in sam.resources.items():
        if resource["Type"] in {"AWS::DynamoDB::Table", "AWS::SecretsManager::Secret"}:
            for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
                require(resource.get(policy) == "Retain", name, f"{policy} is not Retain")
    for name, q in sam.of("AWS::SQS::Queue").items():
        require(q.get("SqsManagedSseEnabled") is True, name, "is not encrypted")
        require(q.get("MessageRetentionPeriod") == TWO_WEEKS, name, "forgets within two weeks")


def check_releases(sam, functions, cloud):
    """A version is asked before it gets traffic, takes over step by step, and is rolled back by its own function's errors."""
    hooks = cloud.of("AWS::Lambda::Function")
    for name, f in functions.items():
        release = f.get("DeploymentPreference", {})
        require(release.get("Type") == {"Ref": "Rollout"}, name, "is not released step by step")
        hook = release.get("Hooks", {}).get("PreTraffic", {}).get("Ref")
        asked = hooks.get(hook, {}).get("Environment", {}).get("Variables", {})
        require(hook in hooks and asked, name, "gets traffic before it was asked anything")
        version = cloud.resources.get(f"{name}Aliaslive", {}).get("Properties", {}).get("FunctionVersion", {})
        got = version.get("Fn::GetAtt", [None])[0]
        require({"Ref": got} in asked.values(), name, f"is released as {got}, and {sorted(map(str, asked.values()))} are asked")
        alarms = [sam.resources.get(a.get("Ref"), {}).get("Properties", {}) for a in release.get("Alarms", [])]
        require(alarms, name, "is never rolled back")
        for alarm in alarms:
            dimensions = {d["Name"]: d["Value"] for d in alarm.get("Dimensions", [])}
            require(alarm.get("MetricName") == "Errors", name, "is rolled back by other than its errors")
            require(dimensions.get("FunctionName") == {"Ref": name}, name, "is rolled back by another's errors")
            require(dimensions.get("Resource") == {"Fn::Sub": f"${{{name}}}:live"}, name, "is rolled back by what is not its alias's")


class Cloud:
    """As much of boto3 as the check before a release uses; `broken` names the version whose answer is not to be trusted."""

    def __init__(self, answers, broken):
        self.answers, self.broken, self.said = answers, broken, []

    def client(self, _):
        return self

    def invoke(self, FunctionName, Payload):  # noqa: N803
        json.loads(Payload)
        answer = self.answers[FunctionName]
        if FunctionName == self.broken:
            answer = {"errorMessage": "cannot start"}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}

    def put_lifecycle_event_hook_execution_status(self, **said):
        self.said.append(said["status"])


def check_hook(sam):
    """Runs what the template gives CodeDeploy to ask: it says yes when all answer, and no for each that does not."""
    properties = sam.of("AWS::Lambda::Function").get("ReleaseCheckFunction", {})
    code = properties.get("Code", {}).get("ZipFile", "")
    answers = {
        "EVENT_INTAKE": {"statusCode": 200},
        "SLOTS_API": {"statusCode": 403},
        "CRM_INTAKE": {"statusCode": 401},
        "SLOT_CACHE": {"refreshed": 0, "not_due": 1, "failed": 0},
        "BOOKING_WORKER": {"batchItemFailures": []},
    }
    variables = set(properties.get("Environment", {}).get("Variables", {}))
    require(variables == set(answers), "ReleaseCheckFunction", f"is told of {sorted(variables)}")
    for broken in [None, *answers]:
        cloud = Cloud(answers, broken)
        sys.modules["boto3"] = cloud
        os.environ.update({name: name for name in answers})
        module = {}
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(code, "ReleaseCheckFunction", "exec"), module)  # noqa: S102
            module["handler"]({"DeploymentId": "d", "LifecycleEventHookExecutionId": "e"}, None)
        wanted = ["Succeeded" if broken is None else "Failed"]
        require(cloud.said == wanted, "ReleaseCheckFunction", f"says {cloud.said} when {broken} does not start")


def check_parameters(document):
    body = json.dumps({part: v for part, v in document.items() if part != "Parameters"})
    for name in document.get("Parameters", {}):
        require(f'"Ref": "{name}"' in body or f"${{{name}}}" in body, name, "is a parameter that nothing uses")


def check_permissions(cloud):
    for name, role in cloud.of("AWS::IAM::Role").items():
        for arn in role.get("ManagedPolicyArns", []):
            require(str(arn).partition(":policy/")[2] in MANAGED, name, f"has managed policy {arn}")
        for statement in (s for p in role.get("Policies", []) for s in listed(p["PolicyDocument"]["Statement"])):
            require(statement.get("Effect") == "Allow", name, "has a statement that is not Allow")
            for field in ("Action", "Resource"):
                require(field in statement, name, f"has a statement without {field}")
                for value in listed(statement.get(field, [])):
                    open_ended = "*" in json.dumps(value) and not (field == "Resource" and (name, statement.get("Sid")) in ARGUED)
                    require(not open_ended, name, f"has a wildcard in {field}: {value}")


def listed(value):
    return value if isinstance(value, list) else [value]


def main(template, transformed):
    document = yaml_parse(Path(template).read_text(encoding="utf-8"))
    try:
        result = transform(document)
    except InvalidDocumentException as error:
        print(*(cause.message for cause in error.causes), "not transformed: nothing else was asserted", sep="\n")
        return 1
    Path(transformed).write_text(json.dumps(result, indent=1), encoding="utf-8")
    sam, cloud = Template(document), Template(result)
    functions = sam.of("AWS::Serverless::Function")
    check_functions(sam, functions)
    check_runtime(document, cloud)
    check_metrics(sam)
    check_routes(sam, functions, cloud)
    check_schedules(cloud)
    check_streams(cloud)
    check_tables(sam)
    check_kept(sam)
    check_parameters(document)
    check_permissions(cloud)
    check_releases(sam, functions, cloud)
    check_hook(sam)
    for fault in faults:
        print(fault)
    print(f"{len(result['Resources'])} resources, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
