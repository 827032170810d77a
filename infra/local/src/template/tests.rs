//! Tests of `template`.

use super::*;
use serde_json::json;
use std::collections::BTreeSet;

fn with_event(event: &str) -> String {
    format!(
        "Resources:
  T:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: things
      StreamSpecification: {{ StreamViewType: NEW_IMAGE }}
  F:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: ../target/lambda/f
      MemorySize: 128
      Timeout: 3
      Environment: {{ Variables: {{ TABLE: !Ref T }} }}
      Events:
        E: {event}
"
    )
}

fn refusal(yaml: &str) -> String {
    Template::parse(yaml).unwrap_err().to_string()
}

#[test]
fn the_deployed_template_has_three_tables_and_every_function() {
    let template = Template::deployed().unwrap();
    let mut tables: Vec<_> = template.tables.iter().map(|table| table.name.as_str()).collect();
    tables.sort_unstable();
    assert_eq!(tables, ["frontdesk-bookings", "frontdesk-events", "frontdesk-slots"]);
    for name in ["booking-worker", "collect", "crm-intake", "event-intake", "slot-cache", "slots-api"] {
        assert!(template.function(name).is_some(), "{name}");
    }
    assert_eq!(template.table_of("BOOKINGS_TABLE").unwrap(), "frontdesk-bookings");
}

#[test]
fn a_stream_is_enabled_and_an_item_ends_by_its_attribute() {
    let template = Template::deployed().unwrap();
    let bookings = template.tables.iter().find(|table| table.name == "frontdesk-bookings").unwrap();
    let stream = json!({ "StreamEnabled": true, "StreamViewType": "NEW_IMAGE" });
    assert_eq!(bookings.create["StreamSpecification"], stream);
    assert_eq!(bookings.ttl.as_deref(), Some("expires_at"));
}

#[test]
fn the_worker_is_woken_by_two_streams_and_a_minute() {
    let template = Template::deployed().unwrap();
    let worker = template.function("booking-worker").unwrap();
    let streams: Vec<_> = worker.streams.iter().map(|s| (s.name.as_str(), s.table.as_str())).collect();
    let expected =
        [("booking-worker.NewBooking", "frontdesk-bookings"), ("booking-worker.Witness", "frontdesk-events")];
    assert_eq!(streams, expected);
    assert!(worker.streams.iter().all(|s| s.bisect && s.reports_failures && s.retries == Some(10)));
    let minute = Schedule { every: Duration::from_mins(1), input: json!({ "source": "frontdesk.schedule" }) };
    assert_eq!(worker.schedules, [minute]);
}

#[test]
fn the_environment_names_tables_and_the_sellers() {
    let template = Template::deployed().unwrap();
    let environment = &template.function("event-intake").unwrap().environment;
    assert_eq!(environment["EVENTS_TABLE"], Variable::Text("frontdesk-events".to_owned()));
    assert_eq!(environment["SELLERS_SECRET_ARN"], Variable::Sellers);
}

#[test]
fn a_role_is_for_the_code_and_for_what_lambda_does_in_its_name() {
    let template = Template::deployed().unwrap();
    let of = |name| template.function(name).unwrap();
    let query = Access { action: "Query".to_owned(), table: "frontdesk-slots".to_owned(), index: None };
    assert_eq!(of("slots-api").grants.tables, BTreeSet::from([query]));
    for function in &template.functions {
        // Whom anyone can call reads no credential of a caller, of Popin or of a CRM.
        let public = ["collect", "slots-api"].contains(&function.name.as_str());
        let secret = if public { "PublicSellersSecret" } else { "SellersSecret" };
        let secret = format!("secretsmanager:GetSecretValue on ${{{secret}}}");
        assert_eq!(function.grants.others, BTreeSet::from([secret]), "{}", function.name);
    }
    let log = ["logs:CreateLogStream on ${SlotsApiLogs.Arn}", "logs:PutLogEvents on ${SlotsApiLogs.Arn}"];
    assert_eq!(of("slots-api").grants.platform.iter().collect::<Vec<_>>(), log);
    let worker = &of("booking-worker").grants.platform;
    assert!(worker.contains("dynamodb:GetRecords on ${EventsTable.StreamArn}"), "{worker:?}");
    assert!(worker.contains("dynamodb:ListStreams on ${EventsTable.Arn}/stream/*"), "{worker:?}");
    assert!(worker.contains("sqs:SendMessage on ${StreamDeadLetters.Arn}"), "{worker:?}");
}

#[test]
fn a_grant_on_what_is_not_here_is_refused() {
    let with_role = |action: &str, resource: &str| {
        let yaml = with_event("{ Type: HttpApi, Properties: { Path: /a, Method: GET } }");
        let yaml = yaml.replace("      Events:", "      Role: !GetAtt R.Arn\n      Events:");
        format!(
            "{yaml}  R:
    Type: AWS::IAM::Role
    Properties:
      Policies: [{{ PolicyDocument: {{ Statement: [{{ Action: '{action}', Resource: {resource} }}] }} }}]
"
        )
    };
    assert!(Template::parse(&with_role("dynamodb:GetItem", "!GetAtt T.Arn")).is_ok());
    let nowhere = refusal(&with_role("dynamodb:GetItem", "!GetAtt U.Arn"));
    assert!(nowhere.contains("f: dynamodb:GetItem on ${U.Arn}, which is no table here"), "{nowhere}");
    assert!(Template::parse(&with_role("dynamodb:GetRecords", "!GetAtt T.StreamArn")).is_ok());
    let nowhere = refusal(&with_role("dynamodb:GetRecords", "'*'"));
    assert!(nowhere.contains("f: dynamodb:GetRecords on *, which is no stream here"), "{nowhere}");
    let no_role = with_role("dynamodb:GetItem", "!GetAtt T.Arn").replace("AWS::IAM::Role", "AWS::SNS::Topic");
    assert!(refusal(&no_role).contains("f: its Role is no role here"), "{}", refusal(&no_role));
    let beside =
        with_role("dynamodb:GetItem", "!GetAtt T.Arn").replace("      Events:", "      Policies: []\n      Events:");
    assert!(refusal(&beside).contains("F has Policies"), "{}", refusal(&beside));
}

#[test]
fn what_is_not_known_here_is_named() {
    let sqs = with_event("{ Type: SQS, Properties: { Queue: q } }");
    assert!(refusal(&sqs).contains("SQS"), "{}", refusal(&sqs));
    let cron = with_event("{ Type: ScheduleV2, Properties: { ScheduleExpression: cron(0 8 * * ? *) } }");
    assert!(refusal(&cron).contains("F.Events.E: cron(0 8 * * ? *) is not rate"), "{}", refusal(&cron));
    let window = "{ Type: DynamoDB, Properties: { Stream: !GetAtt T.StreamArn, StartingPosition: TRIM_HORIZON, TumblingWindowInSeconds: 3 } }";
    assert!(refusal(&with_event(window)).contains("TumblingWindowInSeconds"));
    let stream = "{ Type: DynamoDB, Properties: { Stream: !GetAtt U.StreamArn, StartingPosition: TRIM_HORIZON } }";
    assert!(refusal(&with_event(stream)).contains("${U.StreamArn} is no table's stream"));
    let greedy = with_event("{ Type: HttpApi, Properties: { Path: '/{proxy+}', Method: GET } }");
    assert!(refusal(&greedy).contains("/{proxy+}"));
    let tag = with_event("{ Type: HttpApi, Properties: { Path: !Join ['', ['/a']], Method: GET } }");
    assert!(refusal(&tag).contains("!Join"));
}

#[test]
fn what_a_condition_leaves_out_is_not_there() {
    let yaml = "Parameters: { Name: { Type: String, Default: '' } }
Conditions:
  Named: !Not [!Equals [!Ref Name, '']]
  Unnamed: !Not [!Condition Named]
  Both: !And [!Condition Named, !Condition Unnamed]
Resources:
  A: { Type: AWS::SNS::Topic, Condition: Named }
  B: { Type: AWS::SNS::Topic, Condition: Unnamed, Properties: { Size: !If [Named, 1, 2], None: !If [Both, 1, !Ref AWS::NoValue] } }
";
    let found = resolve::resources(yaml).unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), ["B"]);
    assert_eq!(found["B"]["Properties"], json!({ "Size": 2, "None": null }));
    let other = yaml.replace("Condition: Unnamed, P", "Condition: Other, P");
    assert!(refusal(&other).contains("there is no condition Other"), "{}", refusal(&other));
}
