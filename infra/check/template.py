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
ENV_NAMES = {"ANONYMOUS_WRITE_UNITS", "EVENTS_TABLE", "SLOTS_TABLE", "BOOKINGS_TABLE", "SELLERS_SECRET_ARN", "PUBLIC_SELLERS_SECRET_ARN", "LOG_LEVEL"}
# Whom anyone can call reads no credential of a caller, of Popin or of a CRM.
PUBLIC = {"CollectFunction", "SlotsApiFunction"}
# The only wildcards, each argued where it stands in the template: role and Sid.
ARGUED = {("BookingWorkerRole", "ListStreams"), ("ReleaseCheckRole", "AskNewVersions"), ("CodeDeployRole", "ReadAlarms")}
# What a mapping asks of a stream in its function's name; of the table it lists the streams.
READ_STREAM = {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}
STREAM_ACTIONS = READ_STREAM | {"dynamodb:ListStreams"}
# What AWS tells by itself: name space, metric, and the dimensions that it tells it by. A stream's age is of a function as a whole.
AWS_METRICS = {
    ("AWS/Lambda", name): [{"FunctionName"}, {"FunctionName", "Resource"}] for name in ("Errors", "Throttles", "Duration")
} | {
    ("AWS/Lambda", "IteratorAge"): [{"FunctionName"}],
    ("AWS/Lambda", "ConcurrentExecutions"): [set()],
    ("AWS/DynamoDB", "ConsumedWriteCapacityUnits"): [{"TableName"}],
    ("AWS/DynamoDB", "ReadThrottleEvents"): [{"TableName"}],
    ("AWS/DynamoDB", "WriteThrottleEvents"): [{"TableName"}],
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): [{"QueueName"}],
    ("AWS/ApiGateway", "Count"): [{"ApiId"}],
    ("AWS/ApiGateway", "4xx"): [{"ApiId"}],
    ("AWS/ApiGateway", "5xx"): [{"ApiId"}],
}  # fmt: skip
METHODS = {"DELETE", "GET", "HEAD", "OPTIONS", "POST"}
RATE = re.compile(r"rate\((1 (minute|hour|day)|([2-9]|[1-9]\d+) (minutes|hours|days))\)")
# What is set aside for whom, as the template's comments count it; Lambda keeps 100 for the rest of an account.
SET_ASIDE = {"CollectFunction": 10, "EventIntakeFunction": 20, "SlotCacheFunction": 2, "BookingWorkerFunction": 12}
UNRESERVED = 100
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

    def role(self, value):
        """What `value` names when it is !GetAtt ROLE.Arn, else nothing."""
        return self.resources[value["Fn::GetAtt"][0]]["Properties"] if self.names(value, "AWS::IAM::Role", "Arn") else {}

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


def statements(role):
    return [s for p in role.get("Policies", []) for s in listed(p["PolicyDocument"]["Statement"])]


def granted(role):
    """Pairs of an action and a resource, which is JSON."""
    return {(a, json.dumps(r)) for s in statements(role) for a in listed(s["Action"]) for r in listed(s["Resource"])}


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
        require("HttpApi" in events or name in SET_ASIDE, name, "asks Popin without a bound")
        bound = {"Fn::If": ["Reserves", SET_ASIDE[name], {"Ref": "AWS::NoValue"}]} if name in SET_ASIDE else None
        got = f.get("ReservedConcurrentExecutions")
        require(got == bound, name, f"has {got} set aside, not {bound}")
        if "HttpApi" in events and isinstance(timeout, int):
            require(timeout < GATEWAY_GIVES_UP, name, f"runs on ({timeout} s) when the gateway has given up (30 s)")
        # A tick is invoked asynchronously: by itself Lambda would run one that failed twice more, for up to six hours.
        once = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
        require("ScheduleV2" not in events or f.get("EventInvokeConfig") == once, name, "runs a tick that failed again, beside the next one")
        group = f.get("LoggingConfig", {}).get("LogGroup")
        require(sam.names(group, "AWS::Logs::LogGroup", None), name, "has no log group of this template")
        used[group["Ref"] if isinstance(group, dict) else None] += 1
        check_environment(sam, name, f)
    written = sorted(p.parent.name for p in ROOT.glob("functions/*/Cargo.toml"))
    require(sorted(set(sent)) == written, "template", f"sends {sorted(set(sent))}, and functions/ holds {written}")
    for f in sam.of("AWS::Lambda::Function").values():
        used[f["LoggingConfig"]["LogGroup"]["Ref"]] += 1
    for api in sam.of("AWS::Serverless::HttpApi").values():
        used[api["AccessLogSettings"]["DestinationArn"]["Fn::GetAtt"][0]] += 1
        check_access_log(api["AccessLogSettings"].get("Format"))
    for group, g in groups.items():
        require(used[group] == 1, group, f"is the log of {used[group]}")
        require("RetentionInDays" in g, group, "keeps its lines for ever")


def check_set_aside(functions):
    """The documents name the reserved concurrency of the template."""
    least = UNRESERVED + sum(SET_ASIDE.values())
    deploy = (ROOT / "infra" / "README.md").read_text(encoding="utf-8")
    require(f"whole limit is under {least} " in deploy, "infra/README.md", f"does not say that an account needs {least}")
    operate = (ROOT / "infra" / "OPERATIONS.md").read_text(encoding="utf-8")
    restored = re.findall(r"--function-name (\S+) --reserved-concurrent-executions ([1-9]\d*)", operate)
    wanted = [(f["FunctionName"]["Fn::Sub"].replace("${AWS::StackName}", "frontdesk"), str(SET_ASIDE.get(name))) for name, f in functions.items()]
    require(restored and set(restored) <= set(wanted), "infra/OPERATIONS.md", f"restores {restored}, and the template reserves {SET_ASIDE}")


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
        if "Metrics" in a:
            require(False, name, "is on a sum, which is silent until all its parts were told once")
            continue
        looked_at.append((name, a["Namespace"], a["MetricName"], {d["Name"] for d in a.get("Dimensions", [])}))
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
    secret = "PublicSellersSecret" if name in PUBLIC else "SellersSecret"
    variable = "PUBLIC_SELLERS_SECRET_ARN" if name in PUBLIC else "SELLERS_SECRET_ARN"
    told = {v: env[v] for v in env if v.endswith("_SECRET_ARN")}
    require(told == {variable: {"Ref": secret}}, name, f"is told of {told}, and not of {secret} by {variable}")
    told = set()
    for variable in env.keys() & {v for v in ENV_NAMES if v.endswith("_TABLE")}:
        table = variable.removesuffix("_TABLE").capitalize() + "Table"
        require(env[variable] == {"Ref": table}, name, f"{variable} is not !Ref {table}")
        told.add(table)
    grants = {(action, resource) for action, resource in granted(sam.role(f.get("Role"))) if action not in STREAM_ACTIONS}
    opened = {t for t in sam.of("AWS::DynamoDB::Table") for _, r in grants if f'"{t}"' in r or f"{{{t}.Arn}}" in r}
    require(told == opened, name, f"is told of {sorted(told)}, and may use {sorted(opened)}")
    read = {g for g in grants if g[0].startswith("secretsmanager:")}
    require(read == {("secretsmanager:GetSecretValue", json.dumps({"Ref": secret}))}, name, f"may read {sorted(read)}, and not just the {secret}")


def check_roles(sam, functions, cloud):
    """Each function has a role of its own, and Lambda may do in its name what its log, mappings and queues need: no less, no more."""
    roles = Counter(json.dumps(f.get("Role")) for f in functions.values())
    for name, f in functions.items():
        role = sam.role(f.get("Role"))
        require(role, name, "has no role of this template, and SAM gives it policies of AWS's own")
        require(roles[json.dumps(f.get("Role"))] == 1, name, "shares its role")
        require("Policies" not in f, name, "has Policies beside its Role, which SAM passes over")
        require(trusted(role) == ["lambda.amazonaws.com"], name, f"has a role for {trusted(role)}")
        needed = log_writing(f)
        given_up = [f.get("EventInvokeConfig", {})]
        for m in cloud.of("AWS::Lambda::EventSourceMapping").values():
            if m["FunctionName"] == {"Ref": f"{name}Aliaslive"}:
                given_up.append(m)
                needed += [(action, m["EventSourceArn"]) for action in READ_STREAM]
                needed.append(("dynamodb:ListStreams", {"Fn::Sub": f"${{{m['EventSourceArn']['Fn::GetAtt'][0]}.Arn}}/stream/*"}))
        queues = [g.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination") for g in given_up]
        needed += [("sqs:SendMessage", queue) for queue in queues if queue]
        needed = as_granted(needed)
        has = {g for g in granted(role) if g[0] in STREAM_ACTIONS or g[0].startswith(("logs:", "sqs:"))}
        require(has >= needed, name, f"is not granted {sorted(needed - has)}, which Lambda asks for in its name")
        require(has <= needed, name, f"is granted {sorted(has - needed)}, which nobody asks for")


def log_writing(f):
    log = {"Fn::GetAtt": [f["LoggingConfig"]["LogGroup"].get("Ref"), "Arn"]}
    return [(action, log) for action in ("logs:CreateLogStream", "logs:PutLogEvents")]


def as_granted(pairs):
    return {(action, json.dumps(resource)) for action, resource in pairs}


def trusted(role):
    """Who may take a role on."""
    return [p for s in role.get("AssumeRolePolicyDocument", {}).get("Statement", []) for p in listed(s["Principal"].get("Service"))]


def check_versions(document, sam, functions, cloud):
    """What changes a function makes a new version, which the alias moves to: each property, and each parameter that it depends on."""
    slower = copy.deepcopy(document)
    for f in Template(slower).of("AWS::Serverless::Function").values():
        f["Timeout"] = 28 if f["Timeout"] == 29 else 29
    after = transform(slower)["Resources"]
    for name, f in functions.items():
        got = cloud.resources[f"{name}Aliaslive"]["Properties"]["FunctionVersion"]["Fn::GetAtt"][0]
        require(got not in after, name, "keeps its version when its time-out changes")
        said = set(re.findall(r"\$\{(\w+)\}", json.dumps(cloud.resources[got]["Properties"].get("Description", {}))))
        hangs_on = parameters(document, sam, [f.get("Environment"), document["Globals"]["Function"]["Architectures"]])
        require(said >= hangs_on, name, f"keeps its version when {sorted(hangs_on - said)} change")
        require(said <= hangs_on, name, f"gets a version, which Lambda refuses, when {sorted(said - hangs_on)} change")


def parameters(document, sam, value):
    """Those that a value hangs on, by itself or by the names of what it refers to."""
    found = set()
    for name in re.findall(r'"Ref": "(\w+)"|\$\{(\w+)\}', json.dumps(value)):
        name = name[0] or name[1]
        if name in document["Parameters"]:
            found.add(name)
        elif name in sam.resources:
            found |= parameters(document, sam, sam.resources[name]["Properties"])
    return found


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
        role = cloud.role(target.get("RoleArn"))
        needed = as_granted([("lambda:InvokeFunction", target.get("Arn")), ("sqs:SendMessage", queue)])
        require(role and set(granted(role)) == needed, name, f"runs as one who may {sorted(granted(role))}, and needs {sorted(needed)}")


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
        age = m.get("MaximumRecordAgeInSeconds", -1)
        require(60 <= age <= STREAM_FORGETS // 2, name, f"gives a record up after {age} s: its stream forgets it before it is redriven")
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


def check_bus(document, sam, cloud):
    """Salesforce's bus, where there is one: its events alone start crm-intake, and what is not taken is kept."""
    condition = "HasSalesforceEventBus"
    wanted = {"Fn::Not": [{"Fn::Equals": [{"Ref": "SalesforceEventBus"}, "none"]}]}
    require(document["Conditions"].get(condition) == wanted, condition, "is not that there is a bus")
    rules = sam.of("AWS::Events::Rule")
    require(len(rules) == 1, "template", f"listens to a bus by {sorted(rules)}")
    for name, rule in rules.items():
        ours = {"Fn::GetAtt": [name, "Arn"]}
        require(sam.resources[name].get("Condition") == condition, name, "is there without a bus")
        bus = {"Ref": "SalesforceEventBus"}
        require(rule.get("EventBusName") == bus, name, f"listens to {rule.get('EventBusName')}")
        require(rule.get("EventPattern") == {"source": [bus]}, name, f"takes {rule.get('EventPattern')}")
        require(len(rule.get("Targets", [])) == 1, name, "has another target than crm-intake")
        for target in cloud.of("AWS::Events::Rule")[name].get("Targets", []):
            require(target.get("Arn") == {"Ref": "CrmIntakeFunctionAliaslive"}, name, f"starts {target.get('Arn')}")
            require({"MaximumRetryAttempts", "MaximumEventAgeInSeconds"} == target.get("RetryPolicy", {}).keys(), name, "has no bounded RetryPolicy")
            queue = target.get("DeadLetterConfig", {}).get("Arn")
            require(queue == {"Fn::GetAtt": ["EventDeadLetters", "Arn"]}, name, f"DLQ {queue!r} is not the one that is redriven")
        let_in = [(n, p) for n, p in cloud.of("AWS::Lambda::Permission").items() if p.get("SourceArn") == ours]
        require(len(let_in) == 1, name, "may not start what it is for, or by more than one permission")
        for permission, p in let_in:
            require(sam.resources[permission].get("Condition") == condition, permission, "is there without a bus")
            told = (p.get("Action"), p.get("Principal"), p.get("FunctionName"))
            wanted = ("lambda:InvokeFunction", "events.amazonaws.com", {"Ref": "CrmIntakeFunctionAliaslive"})
            require(told == wanted, permission, f"lets in {told}")
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": {"Fn::GetAtt": ["EventDeadLetters", "Arn"]},
            "Condition": {"ArnEquals": {"aws:SourceArn": ours}},
        }
        policies = sam.of("AWS::SQS::QueuePolicy")
        require([sam.resources[p].get("Condition") for p in policies] == [condition], name, "cannot send a letter, or is not the only one")
        for policy, p in policies.items():
            require(p.get("Queues") == [{"Ref": "EventDeadLetters"}], policy, f"is of {p.get('Queues')}")
            require(p["PolicyDocument"]["Statement"] == [statement], policy, "lets in other than the rule, for letters alone")
    # Whoever may start a function of ours is named: without it any account's rule or API could.
    for name, p in cloud.of("AWS::Lambda::Permission").items():
        require("SourceArn" in p, name, "lets in a whole service, of any account")


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
        bounds = t.get("OnDemandThroughput", {})
        require(bounds.keys() == {"MaxReadRequestUnits", "MaxWriteRequestUnits"}, name, "has no bound of what it costs")
        # The alarm is on half of what the table takes in a minute.
        alarms = [a["Threshold"] for a in sam.of("AWS::CloudWatch::Alarm").values()
                  if a["MetricName"] == "ConsumedWriteCapacityUnits" and a["Dimensions"][0]["Value"] == {"Ref": name}]  # fmt: skip
        half = bounds.get("MaxWriteRequestUnits", 0) * 30
        require(alarms == [half], name, f"has alarms at {alarms} write units a minute, not at {half}")
        require(t.get("DeletionProtectionEnabled") is True, name, "can be deleted by a slip of the hand")
        stream = t.get("StreamSpecification", {}).get("StreamViewType", "NEW_IMAGE")
        require(stream == "NEW_IMAGE", name, f"stream shows {stream}")


def check_pages(document, sam):
    """What pages write at most, by the defaults, leaves half of the events table to webhooks."""
    units = document["Parameters"]["AnonymousWriteUnits"]["Default"] * SET_ASIDE["CollectFunction"]
    takes = sam.of("AWS::DynamoDB::Table")["EventsTable"]["OnDemandThroughput"]["MaxWriteRequestUnits"]
    require(units <= takes / 2, "CollectFunction", f"may write {units} units a second of the {takes} that the events table takes")


def check_topics(sam):
    """Alarms are encrypted by a key that those who publish them may use; AWS's own key for SNS lets CloudWatch do nothing."""
    publishers = {"Service": ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"]}
    account = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    for name, topic in sam.of("AWS::SNS::Topic").items():
        key = topic.get("KmsMasterKeyId")
        require(sam.names(key, "AWS::KMS::Key", None), name, f"is encrypted by {key}")
        policies = [p for p in sam.of("AWS::SNS::TopicPolicy").values() if p.get("Topics") == [{"Ref": name}]]
        keys = [k["KeyPolicy"] for k in sam.of("AWS::KMS::Key").values()]
        for policy, actions in [*((p["PolicyDocument"], "sns:Publish") for p in policies), *((k, ["kms:Decrypt", "kms:GenerateDataKey*"]) for k in keys)]:
            let_in = [s for s in policy["Statement"] if s["Principal"] == publishers]
            require([(s["Action"], s.get("Condition")) for s in let_in] == [(actions, account)], name, f"lets in {let_in}")
        require(len(policies) == 1, name, "has no policy of its own")
    for name, key in sam.of("AWS::KMS::Key").items():
        require(key.get("EnableKeyRotation") is True, name, "is never rotated")


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
            minute = [alarm.get(k) for k in ("Period", "EvaluationPeriods", "DatapointsToAlarm")]
            require(minute == [60, 1, 1], name, f"is rolled back by more than one bad minute: {minute}")
            dimensions = {d["Name"]: d["Value"] for d in alarm.get("Dimensions", [])}
            require(alarm.get("MetricName") == "Errors", name, "is rolled back by other than its errors")
            require(dimensions.get("FunctionName") == {"Ref": name}, name, "is rolled back by another's errors")
            require(dimensions.get("Resource") == {"Fn::Sub": f"${{{name}}}:live"}, name, "is rolled back by what is not its alias's")


def check_releasers(sam, functions, cloud):
    """CodeDeploy and the check may do what each release needs, for our functions and groups alone."""
    arn = "arn:${AWS::Partition}:%s:${AWS::Region}:${AWS::AccountId}:"
    ours = [arn % "lambda" + "function:" + f["FunctionName"]["Fn::Sub"] for f in functions.values()]
    checks = sam.of("AWS::Lambda::Function")
    groups = cloud.of("AWS::CodeDeploy::DeploymentGroup")
    for name, group in groups.items():
        needed = [("lambda:InvokeFunction", {"Fn::Sub": arn % "lambda" + "function:" + f["FunctionName"]["Fn::Sub"]}) for f in checks.values()]
        needed += [(action, {"Fn::Sub": function}) for function in ours for action in ("lambda:GetAlias", "lambda:UpdateAlias")]
        needed += [("lambda:GetProvisionedConcurrencyConfig", {"Fn::Sub": f"{function}:live"}) for function in ours]
        needed = as_granted([*needed, ("cloudwatch:DescribeAlarms", "*")])
        role = cloud.role(group["ServiceRoleArn"])
        require(trusted(role) == ["codedeploy.amazonaws.com"], name, f"is released by a role for {trusted(role)}")
        require(granted(role) == needed, name, f"is released by a role that differs in {sorted(granted(role) ^ needed)}")
    for name, f in checks.items():
        answered = [arn % "codedeploy" + f"deploymentgroup:${{ServerlessDeploymentApplication}}/${{{group}}}" for group in groups]
        needed = [("lambda:InvokeFunction", {"Fn::Sub": f"{function}:*"}) for function in ours]
        needed += [("codedeploy:PutLifecycleEventHookExecutionStatus", {"Fn::Sub": group}) for group in answered]
        needed, has = as_granted(needed + log_writing(f)), granted(sam.role(f["Role"]))
        require(has == needed, name, f"has a role that differs in {sorted(has ^ needed)}")


class Cloud:
    """As much of boto3 as the check before a release uses; `broken` names the version that does not answer as it should."""

    def __init__(self, answers, broken, how):
        self.answers, self.broken, self.how, self.said, self.configs = answers, broken, how, [], []

    def client(self, _, config=None):
        self.configs.append(config)
        return self

    def invoke(self, FunctionName, Payload):  # noqa: N803
        json.loads(Payload)
        answer = json.dumps(self.answers[FunctionName])
        if FunctionName == self.broken:
            if isinstance(self.how, Exception):
                raise self.how
            answer = self.how
        return {"Payload": io.BytesIO(answer.encode())}

    def put_lifecycle_event_hook_execution_status(self, **said):
        self.said.append(said["status"])


def check_hook(sam):
    """Runs what the template gives CodeDeploy to ask: it says yes when all answer, and no for each that does not or cannot."""
    properties = sam.of("AWS::Lambda::Function").get("ReleaseCheckFunction", {})
    code = properties.get("Code", {}).get("ZipFile", "")
    answers = {
        "COLLECT": {"statusCode": 200},
        "EVENT_INTAKE": {"statusCode": 200},
        "SLOTS_API": {"statusCode": 403},
        "CRM_INTAKE": {"statusCode": 401},
        "SLOT_CACHE": {"refreshed": 0, "not_due": 1, "failed": 0},
        "BOOKING_WORKER": {"batchItemFailures": []},
    }
    variables = set(properties.get("Environment", {}).get("Variables", {}))
    require(variables == set(answers), "ReleaseCheckFunction", f"is told of {sorted(variables)}")
    wrong = ['{"errorMessage": "cannot start"}', "not JSON", "null", TimeoutError("no answer")]
    for broken, how in [(None, None), *((name, how) for name in answers for how in wrong)]:
        cloud = Cloud(answers, broken, how)
        sys.modules["boto3"] = cloud
        os.environ.update({name: name for name in answers})
        module = {}
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
            exec(compile(code, "ReleaseCheckFunction", "exec"), module)  # noqa: S102
            module["handler"]({"DeploymentId": "d", "LifecycleEventHookExecutionId": "e"}, None)
        wanted = ["Succeeded" if broken is None else "Failed"]
        require(cloud.said == wanted, "ReleaseCheckFunction", f"says {cloud.said} when {broken} answers {how!r}")
    check_patience(cloud.configs, len(answers) + 1, properties.get("Timeout", 0))


def check_patience(configs, calls, timeout):
    """The check gives its answer before its own time is over, however long each call takes."""
    for config in configs:
        tries = (getattr(config, "retries", None) or {}).get("total_max_attempts")
        if not tries:
            require(False, "ReleaseCheckFunction", "asks AWS with no bound of its own")
            continue
        # A pause is at most twice the one before it, from a second on.
        longest = calls * (tries * (config.connect_timeout + config.read_timeout) + 2 ** (tries - 1) - 1)
        require(longest < timeout, "ReleaseCheckFunction", f"may take {longest} s of its {timeout} s")


DOMAIN = ("DomainName", "CertificateArn", "HostedZoneId")
# Which of the three are given, where what is given can be deployed.
SOUND = [(), ("DomainName", "CertificateArn"), ("DomainName", "CertificateArn", "HostedZoneId")]


def holds(condition, values):
    """As CloudFormation reads a rule's or a condition's functions."""
    ((function, parts),) = condition.items()
    if function == "Fn::Equals":
        one, other = (values[part["Ref"]] if isinstance(part, dict) else part for part in parts)
        return one == other
    return {"Fn::Not": lambda all_of: not all_of[0], "Fn::And": all, "Fn::Or": any}[function]([holds(part, values) for part in parts])


def check_domain(document, sam, cloud):
    """A name of one's own, where there is one: it leads to the API, the outputs name it, and half of one is refused."""
    conditions = {"HasDomain": "DomainName", "HasZone": "HostedZoneId"}
    for name, parameter in conditions.items():
        wanted = {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}
        require(document["Conditions"].get(name) == wanted, name, f"is not that {parameter} is given")
    both = {"Fn::And": [{"Condition": "HasDomain"}, {"Condition": "HasZone"}]}
    require(document["Conditions"].get("HasDomainAndZone") == both, "HasDomainAndZone", "is not that both are")
    regional = {"Fn::GetAtt": ["ApiDomain", "RegionalDomainName"]}
    wanted = {
        ("AWS::ApiGatewayV2::DomainName", "ApiDomain"): ("HasDomain", {
            "DomainName": {"Ref": "DomainName"},
            "DomainNameConfigurations": [
                {"CertificateArn": {"Ref": "CertificateArn"}, "EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2"}
            ],
        }),
        ("AWS::ApiGatewayV2::ApiMapping", "ApiMapping"): ("HasDomain", {
            "ApiId": {"Ref": "Api"},
            "DomainName": {"Ref": "ApiDomain"},
            "Stage": {"Ref": "ApiApiGatewayDefaultStage"},
        }),
        ("AWS::Route53::RecordSet", "ApiRecord"): ("HasDomainAndZone", {
            "HostedZoneId": {"Ref": "HostedZoneId"},
            "Name": {"Ref": "DomainName"},
            "Type": "A",
            "AliasTarget": {"DNSName": regional, "HostedZoneId": {"Fn::GetAtt": ["ApiDomain", "RegionalHostedZoneId"]}},
        }),
    }  # fmt: skip
    for (kind, name), (condition, properties) in wanted.items():
        got = {n: {k: v for k, v in p.items() if k != "Tags"} for n, p in cloud.of(kind).items()}
        require(got == {name: properties}, name, f"is {got}")
        require(cloud.resources.get(name, {}).get("Condition") == condition, name, f"is not there just when {condition}")
    for api, a in sam.of("AWS::Serverless::HttpApi").items():
        closed = a.get("DisableExecuteApiEndpoint")
        require(closed == {"Fn::If": ["HasDomain", True, False]}, api, f"has AWS's address beside its own name: {closed}")
    outputs = document["Outputs"]
    target = {k: v for k, v in outputs.get("ApiDomainTarget", {}).items() if k != "Description"}
    require(target == {"Condition": "HasDomain", "Value": regional}, "ApiDomainTarget", "is not what DomainName is to point at")
    named, *_ = outputs["ApiUrl"]["Value"].get("Fn::If", [None])
    own = {"Fn::Sub": "https://${DomainName}"}
    require(named == "HasDomain" and outputs["ApiUrl"]["Value"]["Fn::If"][1] == own, "ApiUrl", "does not name the domain that there is")
    for given in [tuple(p for at, p in enumerate(DOMAIN) if bits >> at & 1) for bits in range(8)]:
        values = {p: "given" if p in given else "" for p in DOMAIN}
        taken = all(
            holds(a["Assert"], values)
            for rule in document["Rules"].values()
            if holds(rule["RuleCondition"], values)
            for a in rule["Assertions"]
        )
        require(taken == (given in SOUND), "Rules", f"{'take' if taken else 'refuse'} {list(given)} of {list(DOMAIN)}")


def check_parameters(document):
    body = json.dumps({part: v for part, v in document.items() if part != "Parameters"})
    for name in document.get("Parameters", {}):
        require(f'"Ref": "{name}"' in body or f"${{{name}}}" in body, name, "is a parameter that nothing uses")


def check_permissions(cloud):
    """Of every role, SAM's for the schedules too: named actions on named resources, and no policy that stands elsewhere."""
    argued = set()
    for name, role in cloud.of("AWS::IAM::Role").items():
        require("ManagedPolicyArns" not in role, name, f"has policies of others: {role.get('ManagedPolicyArns')}")
        for statement in statements(role):
            require(statement.get("Effect") == "Allow", name, "has a statement that is not Allow")
            # No Condition: a grant that holds at times only is none that the tests could see.
            known = {"Sid", "Effect", "Action", "Resource"}
            require(statement.keys() <= known, name, f"has a statement with {sorted(statement.keys() - known)}")
            for field in ("Action", "Resource"):
                require(field in statement, name, f"has a statement without {field}")
                for value in listed(statement.get(field, [])):
                    if field == "Resource" and "*" in json.dumps(value) and (name, statement.get("Sid")) in ARGUED:
                        argued.add((name, statement["Sid"]))
                    else:
                        require("*" not in json.dumps(value), name, f"has a wildcard in {field}: {value}")
    require(argued == ARGUED, "check", f"argues for wildcards that are not there: {sorted(ARGUED - argued)}")
    others = {r["Type"] for r in cloud.resources.values()} & {"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"}
    require(not others, "template", f"has policies outside of roles: {sorted(others)}")


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
    check_set_aside(functions)
    check_runtime(document, cloud)
    check_metrics(sam)
    check_routes(sam, functions, cloud)
    check_schedules(cloud)
    check_streams(cloud)
    check_bus(document, sam, cloud)
    check_domain(document, sam, cloud)
    check_tables(sam)
    check_pages(document, sam)
    check_topics(sam)
    check_kept(sam)
    check_parameters(document)
    require(result.get("Rules") == document.get("Rules") and "Rules" in document, "template", "loses what parameters need of each other")
    check_permissions(cloud)
    check_roles(sam, functions, cloud)
    check_versions(document, sam, functions, cloud)
    check_releases(sam, functions, cloud)
    check_releasers(sam, functions, cloud)
    check_hook(sam)
    for fault in faults:
        print(fault)
    print(f"{len(result['Resources'])} resources, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
