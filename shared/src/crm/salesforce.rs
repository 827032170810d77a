//! Salesforce: the outbound message (SOAP), the flow's HTTP callout, and the platform event.

use super::{Arrival, Batch, Form, Unread, body, fields::Fields, xml};
use crate::model::{connector::Connector, origin::Origin, seller::crm::Salesforce, trigger::Told, trust::Trust};
use roxmltree::{Document, Node, ParsingOptions};
use serde_json::{Map, Value};

const OUTBOUND: &str = "http://soap.sforce.com/2005/09/outbound";
const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// A hundred notifications of several hundred fields.
const MOST_NODES: u32 = 200_000;
const MOST_NOTIFICATIONS: usize = 100;

/// A secret in the path for messages, which have no header of their own, or a named credential's header.
pub fn prove(arrival: &Arrival<'_>, config: &Salesforce) -> Option<Trust> {
    if arrival.shows_path_secret(&config.path_secrets) {
        return Some(Trust::Bearer);
    }
    arrival.shows_token(&config.tokens)
}

pub fn read(arrival: &Arrival<'_>, config: &Salesforce) -> Result<Batch, Unread> {
    let fields = Fields::new(Connector::Salesforce, &config.fields, &config.only);
    if arrival.body.trim_ascii_start().starts_with(b"<") || arrival.header("content-type").contains("xml") {
        return outbound(arrival.body, config, &fields);
    }
    let record = body::parse(arrival).filter(Value::is_object).ok_or(Unread::NotReadable)?;
    let organizations = ORGANIZATION.map(|name| record[name].as_str().or((!record[name].is_null()).then_some("")));
    let told = if are_ours(config, organizations.into_iter().flatten()) {
        let object =
            super::fields::text(&record["object"]).or_else(|| super::fields::text(&record["attributes"]["type"]));
        body::record(record, object.as_deref(), &fields)
    } else {
        body::ignored(arrival.body, NOT_OURS)
    };
    Ok(Batch { form: Form::Callout, told: vec![told] })
}

/// What a callout calls its organization.
const ORGANIZATION: [&str; 2] = ["organization_id", "OrganizationId"];

/// Why a delivery of another organization starts nothing.
pub const NOT_OURS: &str = "organization_not_ours";

/// Whether the organizations that a delivery names are all the seller's. One that names none is nobody's.
fn are_ours<'n>(config: &Salesforce, named: impl Iterator<Item = &'n str>) -> bool {
    let mut named = named.peekable();
    config.organization_ids.is_empty() || named.peek().is_some() && named.all(|name| is_ours(config, name))
}

/// By namespace, never by prefix. A DTD is refused before any entity is expanded.
fn outbound(bytes: &[u8], config: &Salesforce, fields: &Fields<'_>) -> Result<Batch, Unread> {
    if !xml::is_bounded(bytes) {
        return Err(Unread::NotReadable);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Unread::NotReadable)?;
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|_| Unread::NotReadable)?;
    let message = document
        .descendants()
        .find(|node| node.has_tag_name((OUTBOUND, "notifications")))
        .ok_or(Unread::NotReadable)?;
    let named = message.children().filter(|node| node.has_tag_name((OUTBOUND, "OrganizationId")));
    if !are_ours(config, named.map(|node| node.text().unwrap_or_default())) {
        return Ok(Batch { form: Form::Outbound, told: vec![body::ignored(bytes, NOT_OURS)] });
    }
    let notifications: Vec<_> =
        message.children().filter(|node| node.has_tag_name((OUTBOUND, "Notification"))).collect();
    if notifications.is_empty() || notifications.len() > MOST_NOTIFICATIONS {
        return Err(Unread::NotReadable);
    }
    let told = notifications.into_iter().map(|node| notification(node, fields)).collect::<Option<_>>();
    Ok(Batch { form: Form::Outbound, told: told.ok_or(Unread::NotReadable)? })
}

fn child<'d>(node: Node<'d, 'd>, name: &str) -> Option<Node<'d, 'd>> {
    node.children().find(|child| child.has_tag_name((OUTBOUND, name)))
}

/// The same id comes again for a day until it is acknowledged, each time with the record as it is by then.
fn notification(node: Node<'_, '_>, fields: &Fields<'_>) -> Option<Told> {
    let id = child(node, "Id")?.text()?.trim().to_owned();
    let object = child(node, "sObject")?;
    let kind = object.attribute((INSTANCE, "type")).map(|kind| kind.rsplit(':').next().unwrap_or(kind));
    let record: Map<String, Value> = object
        .children()
        .filter(Node::is_element)
        .map(|field| (field.tag_name().name().to_owned(), field.text().map_or(Value::Null, Value::from)))
        .collect();
    let told = body::record(Value::Object(record), kind, fields);
    Some(Told { key: format!("notification#{id}"), origin: Origin { event: Some(id), ..told.origin }, ..told })
}

/// Ids come with 15 characters or with 18: the last three only repeat which of the others are capitals.
fn is_ours(config: &Salesforce, organization: &str) -> bool {
    let short = |id: &str| id.trim().get(..15).map(str::to_owned);
    short(organization).is_some_and(|given| config.organization_ids.iter().any(|id| short(id).as_ref() == Some(&given)))
}

/// Whether an event of the partner's bus is of one of the seller's organizations: AWS has proven the source.
pub fn sends(config: &Salesforce, event: &Value) -> bool {
    let source = event["source"].as_str().unwrap_or_default();
    let organization = source.strip_prefix("aws.partner/salesforce.com/").and_then(|rest| rest.split('/').next());
    organization.is_some_and(|organization| is_ours(config, organization))
}

/// One event of the relay. A change event tells of fields that changed, and of nobody.
pub fn event(event: &Value, config: &Salesforce) -> Told {
    let fields = Fields::new(Connector::Salesforce, &config.fields, &config.only);
    let (detail, payload) = (&event["detail"], &event["detail"]["payload"]);
    let ids = [&payload["EventUuid"], &detail["event"]["EventUuid"], &detail["id"], &event["id"]];
    let id = ids.into_iter().find_map(super::fields::text);
    let told = if payload.is_object() && payload["ChangeEventHeader"].is_null() {
        let object = super::fields::text(&payload["Object__c"]);
        body::record(payload.clone(), object.as_deref(), &fields)
    } else {
        let code = if payload.is_object() { "change_event_tells_of_nobody" } else { "event_unknown" };
        let told = body::unreadable(detail.to_string().as_bytes(), code);
        let header = &payload["ChangeEventHeader"];
        let (object, record) =
            (super::fields::text(&header["entityName"]), super::fields::text(&header["recordIds"][0]));
        Told { origin: Origin { object, record, ..Origin::default() }, ..told }
    };
    let key = id.as_ref().map_or_else(|| told.key.clone(), |id| format!("event#{id}"));
    Told { key, origin: Origin { event: id, ..told.origin }, about: told.about }
}

/// What the sender reads as "all of them are stored", and as "send them again".
pub fn acknowledgement(stored: bool) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body>\
         <notificationsResponse xmlns=\"{OUTBOUND}\"><Ack>{stored}</Ack></notificationsResponse>\
         </soapenv:Body></soapenv:Envelope>"
    )
}
