//! Alarms and the dashboard look at what the code tells, and each alarm leads to a page of the Runbook.

use local::template::Template;
use serde_json::{Value, json};
use serde_yaml_ng::Value as Yaml;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};
use system_tests::tour::tour;

fn read(path: &str) -> String {
    fs::read_to_string(format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn template() -> Yaml {
    serde_yaml_ng::from_str(&read("infra/template.yaml")).unwrap()
}

fn resources<'t>(template: &'t Yaml, kind: &'t str) -> impl Iterator<Item = (&'t str, &'t Yaml)> {
    let all = template["Resources"].as_mapping().unwrap().iter();
    all.filter(move |(_, resource)| resource["Type"] == kind)
        .map(|(id, resource)| (id.as_str().unwrap(), &resource["Properties"]))
}

fn text(yaml: &Yaml) -> String {
    let inner = if let Yaml::Tagged(tagged) = yaml { &tagged.value } else { yaml };
    inner.as_str().unwrap_or_else(|| panic!("not a text: {inner:?}")).to_owned()
}

/// As it is written inside of `!Sub`, whichever way it stands.
fn filled(yaml: &Yaml) -> String {
    let tag = if let Yaml::Tagged(tagged) = yaml { tagged.tag.to_string() } else { String::new() };
    match tag.as_str() {
        "" | "!Sub" => text(yaml),
        "!Ref" | "!GetAtt" => format!("${{{}}}", text(yaml)),
        other => panic!("{other} is not known here"),
    }
}

/// The plain names of the functions, by a reference to each: what a metric's `function` is here, by what it is in the cloud.
fn functions(template: &Yaml) -> BTreeMap<String, String> {
    let of = |(id, function): (&str, &Yaml)| {
        let plain = text(&function["CodeUri"]).rsplit('/').next().unwrap().to_owned();
        // A stack's name is in it, so that the metrics of two stacks in one account are two. One binary is two functions.
        let own = if id == "CollectFunction" { "collect" } else { &plain };
        assert_eq!(filled(&function["FunctionName"]), format!("${{AWS::StackName}}-{own}"));
        (format!("${{{id}}}"), plain)
    };
    resources(template, "AWS::Serverless::Function").map(of).collect()
}

/// Function and metric, of everything in our own name space that an alarm or the dashboard looks at.
fn looked_at(template: &Yaml) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let functions = functions(template);
    let plain = |who: &str, named: &str| {
        functions
            .get(named)
            .cloned()
            .unwrap_or_else(|| panic!("{who} looks at {named}, which is no reference to a function"))
    };
    let function = |id: &str, dimensions: &Yaml| {
        let dimensions = dimensions.as_sequence().unwrap();
        assert_eq!(dimensions.len(), 1, "{id} has to look by what is told of a function as a whole");
        assert_eq!(text(&dimensions[0]["Name"]), "function");
        plain(id, &filled(&dimensions[0]["Value"]))
    };
    for (id, alarm) in resources(template, "AWS::CloudWatch::Alarm") {
        assert!(alarm["Metrics"].is_null(), "{id} is on a sum, which is silent until all its parts were told once");
        if alarm["Namespace"] == "Frontdesk" {
            found.push((id.to_owned(), function(id, &alarm["Dimensions"]), text(&alarm["MetricName"])));
        }
    }
    let (_, dashboard) = resources(template, "AWS::CloudWatch::Dashboard").next().unwrap();
    let body: Value = serde_json::from_str(&filled(&dashboard["DashboardBody"])).unwrap();
    for metric in
        body["widgets"].as_array().unwrap().iter().flat_map(|one| one["properties"]["metrics"].as_array().unwrap())
    {
        let word = |at: usize| metric[at].as_str().unwrap_or_default().to_owned();
        if word(0) == "Frontdesk" {
            assert_eq!(word(2), "function");
            found.push(("Dashboard".to_owned(), plain("Dashboard", &word(3)), word(1)));
        }
    }
    found
}

#[tokio::test(start_paused = true)]
async fn what_is_looked_at_is_told_under_that_name() {
    let tour = tour().await;
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in tour.told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        // A metric is one with its dimensions: what is told by seller or code alone is none of a whole function's.
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        let of_a_function = directive["Dimensions"].as_array().is_some_and(|sets| sets.contains(&json!(["function"])));
        for metric in directive["Metrics"].as_array().filter(|_| of_a_function).into_iter().flatten() {
            let names = told.entry(line["function"].as_str().unwrap().to_owned()).or_default();
            names.insert(metric["Name"].as_str().unwrap().to_owned());
        }
    }
    let looked_at = looked_at(&template());
    assert!(looked_at.len() > 20, "{looked_at:?}");
    for (who, function, metric) in &looked_at {
        let names = told.get(function).unwrap_or_else(|| panic!("{function} tells of nothing"));
        assert!(names.contains(metric), "{who} looks at {metric} of {function}, which tells of {names:?}");
    }
    // Where one function's word is looked at, so is every other's: by the alarms, and on the dashboard.
    for board in [false, true] {
        let here = looked_at.iter().filter(|(who, ..)| (who == "Dashboard") == board);
        let here: BTreeSet<_> = here.map(|(_, function, metric)| (function, metric)).collect();
        for metric in here.iter().map(|(_, metric)| *metric).collect::<BTreeSet<_>>() {
            for (function, _) in told.iter().filter(|(_, names)| names.contains(metric)) {
                let by = if board { "the dashboard" } else { "an alarm" };
                assert!(here.contains(&(function, metric)), "{by} looks at {metric}, and not at {function}'s");
            }
        }
    }
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>();
    kept.replace(' ', "-")
}

#[test]
fn every_alarm_links_to_its_runbook_section() {
    let template = template();
    assert_eq!(template["Parameters"]["RunbookUrl"]["Default"], "infra/RUNBOOK.md");
    let runbook = read("infra/RUNBOOK.md");
    let sections = runbook.split("\n## ").skip(1).map(|section| section.split_once('\n').unwrap());
    let sections: BTreeMap<String, &str> = sections.map(|(heading, text)| (anchor(heading), text)).collect();
    let mut linked = BTreeSet::new();
    for (id, alarm) in resources(&template, "AWS::CloudWatch::Alarm") {
        let description = text(&alarm["AlarmDescription"]);
        let (_, to) =
            description.split_once(" ${RunbookUrl}#").unwrap_or_else(|| panic!("{id} has no link: {description}"));
        let section =
            sections.get(to).unwrap_or_else(|| panic!("{id} links to {to}, not one of {:?}", sections.keys()));
        assert!(section.contains(&format!("`{id}`")), "section {to} does not name {id}");
        assert!(!alarm["AlarmActions"].as_sequence().unwrap().is_empty(), "{id} notifies nobody");
        linked.insert(to.to_owned());
    }
    assert!(sections.keys().eq(&linked), "sections without an alarm: {:?}", sections.keys());
}

#[test]
fn every_function_has_an_alarm_for_its_errors_and_its_throttling() {
    let yaml = template();
    let alarms: Vec<_> = resources(&yaml, "AWS::CloudWatch::Alarm").collect();
    let functions = Template::deployed().unwrap().functions.len();
    for metric in ["Errors", "Throttles"] {
        let watched: BTreeSet<String> = alarms
            .iter()
            .filter(|(_, alarm)| alarm["Namespace"] == "AWS/Lambda" && alarm["MetricName"] == metric)
            .map(|(_, alarm)| text(&alarm["Dimensions"][0]["Value"]))
            .collect();
        assert_eq!(watched.len(), functions, "{metric}: {watched:?}");
    }
    let queues = resources(&yaml, "AWS::SQS::Queue").map(|(id, _)| format!("{id}.QueueName")).collect::<BTreeSet<_>>();
    let watched = alarms.iter().filter(|(_, alarm)| alarm["Namespace"] == "AWS/SQS");
    assert_eq!(watched.map(|(_, alarm)| text(&alarm["Dimensions"][0]["Value"])).collect::<BTreeSet<_>>(), queues);
}

/// Every alarm whole: what it looks at, when it goes off, what a gap means, and whether it also tells that it is over.
const ALARMS: &str = "
CollectErrors: AWS/Lambda Errors FunctionName=${CollectFunction} Resource=${CollectFunction}:live | Sum of 60 s >= 1, 1 of 1 | notBreaching, tells OK
EventIntakeErrors: AWS/Lambda Errors FunctionName=${EventIntakeFunction} Resource=${EventIntakeFunction}:live | Sum of 60 s >= 1, 1 of 1 | notBreaching, tells OK
SlotCacheErrors: AWS/Lambda Errors FunctionName=${SlotCacheFunction} Resource=${SlotCacheFunction}:live | Sum of 60 s >= 1, 1 of 1 | notBreaching, tells OK
SlotsApiErrors: AWS/Lambda Errors FunctionName=${SlotsApiFunction} Resource=${SlotsApiFunction}:live | Sum of 60 s >= 1, 1 of 1 | notBreaching, tells OK
CrmIntakeErrors: AWS/Lambda Errors FunctionName=${CrmIntakeFunction} Resource=${CrmIntakeFunction}:live | Sum of 60 s >= 1, 1 of 1 | notBreaching, tells OK
BookingWorkerErrors: AWS/Lambda Errors FunctionName=${BookingWorkerFunction} Resource=${BookingWorkerFunction}:live | Sum of 60 s >= 1, 1 of 1 | notBreaching, tells OK
CollectThrottles: AWS/Lambda Throttles FunctionName=${CollectFunction} | Sum of 60 s >= 1, 2 of 3 | notBreaching, tells OK
EventIntakeThrottles: AWS/Lambda Throttles FunctionName=${EventIntakeFunction} | Sum of 60 s >= 1, 2 of 3 | notBreaching, tells OK
SlotCacheThrottles: AWS/Lambda Throttles FunctionName=${SlotCacheFunction} | Sum of 60 s >= 1, 2 of 3 | notBreaching, tells OK
SlotsApiThrottles: AWS/Lambda Throttles FunctionName=${SlotsApiFunction} | Sum of 60 s >= 1, 2 of 3 | notBreaching, tells OK
CrmIntakeThrottles: AWS/Lambda Throttles FunctionName=${CrmIntakeFunction} | Sum of 60 s >= 1, 2 of 3 | notBreaching, tells OK
BookingWorkerThrottles: AWS/Lambda Throttles FunctionName=${BookingWorkerFunction} | Sum of 60 s >= 1, 2 of 3 | notBreaching, tells OK
ApiFails: AWS/ApiGateway 5xx ApiId=${Api} | Sum of 300 s >= 5, 1 of 1 | notBreaching, tells OK
ApiRefuses: AWS/ApiGateway 4xx ApiId=${Api} | Sum of 300 s >= 3000, 1 of 1 | notBreaching, tells OK
PagesOverBudget: Frontdesk BatchesOverBudget function=${CollectFunction} | Sum of 300 s >= 10, 1 of 1 | notBreaching, tells OK
ConcurrencyIsUsedUp: AWS/Lambda ConcurrentExecutions of the account | Maximum of 60 s >= ${ConcurrencyAlarmAt}, 2 of 3 | notBreaching, tells OK
EventsWrittenMuch: AWS/DynamoDB ConsumedWriteCapacityUnits TableName=${EventsTable} | Sum of 60 s >= 300000, 1 of 1 | notBreaching, tells OK
SlotsWrittenMuch: AWS/DynamoDB ConsumedWriteCapacityUnits TableName=${SlotsTable} | Sum of 60 s >= 30000, 1 of 1 | notBreaching, tells OK
BookingsWrittenMuch: AWS/DynamoDB ConsumedWriteCapacityUnits TableName=${BookingsTable} | Sum of 60 s >= 120000, 1 of 1 | notBreaching, tells OK
EventsWritesThrottled: AWS/DynamoDB WriteThrottleEvents TableName=${EventsTable} | Sum of 60 s >= 1, 2 of 3 | notBreaching, tells OK
EventsReadsThrottled: AWS/DynamoDB ReadThrottleEvents TableName=${EventsTable} | Sum of 60 s >= 1, 2 of 3 | notBreaching, tells OK
SlotsWritesThrottled: AWS/DynamoDB WriteThrottleEvents TableName=${SlotsTable} | Sum of 60 s >= 1, 2 of 3 | notBreaching, tells OK
SlotsReadsThrottled: AWS/DynamoDB ReadThrottleEvents TableName=${SlotsTable} | Sum of 60 s >= 1, 2 of 3 | notBreaching, tells OK
BookingsWritesThrottled: AWS/DynamoDB WriteThrottleEvents TableName=${BookingsTable} | Sum of 60 s >= 1, 2 of 3 | notBreaching, tells OK
BookingsReadsThrottled: AWS/DynamoDB ReadThrottleEvents TableName=${BookingsTable} | Sum of 60 s >= 1, 2 of 3 | notBreaching, tells OK
StreamDeadLettersWait: AWS/SQS ApproximateNumberOfMessagesVisible QueueName=${StreamDeadLetters.QueueName} | Maximum of 60 s >= 1, 1 of 1 | notBreaching, tells OK
ScheduleDeadLettersWait: AWS/SQS ApproximateNumberOfMessagesVisible QueueName=${ScheduleDeadLetters.QueueName} | Maximum of 60 s >= 1, 1 of 1 | notBreaching, tells OK
EventDeadLettersWait: AWS/SQS ApproximateNumberOfMessagesVisible QueueName=${EventDeadLetters.QueueName} | Maximum of 60 s >= 1, 1 of 1 | notBreaching, tells OK
StreamFallsBehind: AWS/Lambda IteratorAge FunctionName=${BookingWorkerFunction} | Maximum of 60 s > 120000, 1 of 3 | notBreaching, tells OK
SlotsOld: Frontdesk SlotAgeSeconds function=${SlotsApiFunction} | Maximum of 300 s > 1800, 1 of 1 | notBreaching, tells OK
SlotsNotRenewed: Frontdesk SlotAgeSeconds function=${SlotCacheFunction} | Maximum of 900 s > 1800, 1 of 1 | notBreaching, tells OK
SlotsMissing: Frontdesk SlotsUnavailable function=${SlotsApiFunction} | Sum of 300 s >= 1, 1 of 1 | notBreaching, tells OK
RefreshesFail: Frontdesk SlotRefreshFailuresInRow function=${SlotCacheFunction} | Maximum of 900 s >= 3, 1 of 1 | notBreaching, tells OK
RefreshesAreNotMade: Frontdesk SlotRefreshesNotMade function=${SlotCacheFunction} | Sum of 900 s >= 3, 1 of 1 | notBreaching, tells OK
WorkerBookingsInDoubt: Frontdesk BookingsInDoubt function=${BookingWorkerFunction} | Sum of 300 s >= 1, 1 of 1 | notBreaching, tells no OK
IntakeBookingsInDoubt: Frontdesk BookingsInDoubt function=${CrmIntakeFunction} | Sum of 300 s >= 1, 1 of 1 | notBreaching, tells no OK
WorkerBookingsNeedHuman: Frontdesk BookingsNeedingHuman function=${BookingWorkerFunction} | Sum of 300 s >= 1, 1 of 1 | notBreaching, tells no OK
IntakeBookingsNeedHuman: Frontdesk BookingsNeedingHuman function=${CrmIntakeFunction} | Sum of 300 s >= 1, 1 of 1 | notBreaching, tells no OK
WorkerTriggersAreParked: Frontdesk TriggersParked function=${BookingWorkerFunction} | Sum of 300 s >= 1, 1 of 1 | notBreaching, tells no OK
IntakeTriggersAreParked: Frontdesk TriggersParked function=${CrmIntakeFunction} | Sum of 300 s >= 1, 1 of 1 | notBreaching, tells no OK
WriteBacksAreParked: Frontdesk WriteBacksParked function=${BookingWorkerFunction} | Sum of 300 s >= 1, 1 of 1 | notBreaching, tells no OK
WorkerRecordsUnreadable: Frontdesk RecordsUnreadable function=${BookingWorkerFunction} | Sum of 300 s >= 1, 1 of 1 | notBreaching, tells no OK
IntakeRecordsUnreadable: Frontdesk RecordsUnreadable function=${CrmIntakeFunction} | Sum of 300 s >= 1, 1 of 1 | notBreaching, tells no OK
SellersFaulty: Frontdesk SellersFaulty function=${SlotCacheFunction} | Sum of 300 s >= 1, 1 of 3 | notBreaching, tells OK
CollectSellersFaulty: Frontdesk SellersFaulty function=${CollectFunction} | Sum of 300 s >= 1, 1 of 3 | notBreaching, tells OK
SlotsApiSellersFaulty: Frontdesk SellersFaulty function=${SlotsApiFunction} | Sum of 300 s >= 1, 1 of 3 | notBreaching, tells OK
ClockIsOff: Frontdesk ClockSkewSeconds function=${SlotCacheFunction} | Minimum of 900 s > 60, 2 of 2 | notBreaching, tells OK
ZonesAreOld: Frontdesk ZoneDataAgeDays function=${SlotCacheFunction} | Maximum of 86400 s > 500, 1 of 1 | notBreaching, tells OK
";

/// What an alarm has; whatever else it were given would be in no line of the table.
const PARTS: [&str; 12] = [
    "AlarmDescription",
    "Namespace",
    "MetricName",
    "Dimensions",
    "Statistic",
    "Period",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "ComparisonOperator",
    "Threshold",
    "TreatMissingData",
    "AlarmActions",
];

fn settings(id: &str, alarm: &Yaml) -> String {
    let topic = |name: &str| {
        let told: Vec<String> = alarm[name].as_sequence().into_iter().flatten().map(filled).collect();
        assert!(alarm[name].is_null() || told == ["${Alarms}"], "{id}: {name} tells {told:?}");
        !told.is_empty()
    };
    assert!(topic("AlarmActions"), "{id} tells nobody");
    let over = if topic("OKActions") { "tells OK" } else { "tells no OK" };
    for (part, _) in alarm.as_mapping().unwrap() {
        let part = part.as_str().unwrap();
        assert!(PARTS.contains(&part) || part == "OKActions", "{id}: {part} is not in the table");
    }
    let by = |one: &Yaml| format!("{}={}", text(&one["Name"]), filled(&one["Value"]));
    let by: Vec<String> = alarm["Dimensions"].as_sequence().into_iter().flatten().map(by).collect();
    let by = if by.is_empty() { "of the account".to_owned() } else { by.join(" ") };
    let threshold = &alarm["Threshold"];
    let threshold = threshold.as_u64().map_or_else(|| filled(threshold), |number| number.to_string());
    let number = |name: &str| alarm[name].as_u64().unwrap_or_else(|| panic!("{id}: {name} is no number"));
    let than = match alarm["ComparisonOperator"].as_str() {
        Some("GreaterThanOrEqualToThreshold") => ">=",
        Some("GreaterThanThreshold") => ">",
        other => panic!("{id}: {other:?} is not known here"),
    };
    let (space, metric) = (text(&alarm["Namespace"]), text(&alarm["MetricName"]));
    let when = format!("{} of {} s {than} {threshold}", text(&alarm["Statistic"]), number("Period"));
    let often = format!("{} of {}", number("DatapointsToAlarm"), number("EvaluationPeriods"));
    let gap = text(&alarm["TreatMissingData"]);
    format!("{id}: {space} {metric} {by} | {when}, {often} | {gap}, {over}")
}

#[test]
fn every_alarm_is_set_as_this_table_says() {
    let template = template();
    let set: Vec<String> =
        resources(&template, "AWS::CloudWatch::Alarm").map(|(id, alarm)| settings(id, alarm)).collect();
    let set = set.join("\n");
    assert!(set == ALARMS.trim(), "the alarms are now\n{set}");
}
