//! What each CRM sends, as it sends it: proven requests, in every form that a connector takes.

use crate::shop::{API_KEY, Reply, STANDARD_SECRET, Shop, sellers, sign};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use frontdesk::model::hash;
use hmac::{Hmac, KeyInit, Mac};
use http::{Method, Request};
use serde_json::{Value, json};
use sha2::Sha256;
use sim::crms::KEY;

pub const SECRET: &str = "a-crm-secret-0123456789";
pub const OLD_SECRET: &str = "the-secret-before-0123456789";
pub const ACCESS_TOKEN: &str = "a-crm-access-token-0123456789";
/// Shown to a CRM for a token of its own.
pub const CLIENT_SECRET: &str = "a-client-secret-0123456789";
pub const PUBLIC_URL: &str = "https://api.example.com/v1/crm/acme/hubspot?x=a%40b";
pub const ORGANIZATION: &str = "00D000000000001EAA";

/// A seller with all of them.
pub fn with_crms(change: impl FnOnce(&mut Value)) -> Value {
    sellers(|seller| {
        let tokens = json!({"tokens": [SECRET, OLD_SECRET]});
        seller["crm"] = json!({
            "standard": {"secrets": [STANDARD_SECRET]},
            "hubspot": {"client_secrets": [OLD_SECRET, SECRET], "signatures": ["v3", "v2"], "public_url": PUBLIC_URL, "access_token": ACCESS_TOKEN, "tokens": [SECRET],
                        "api_base": "http://hubspot.test"},
            "salesforce": {"path_secrets": [SECRET], "tokens": [SECRET], "organization_ids": ["00D000000000001"]},
            "zoho": {"tokens": [SECRET], "api_base": "http://zoho.test/crm/zoho",
                     "write_back": {"client_id": "client", "client_secret": CLIENT_SECRET, "refresh_token": KEY, "accounts_base": "http://zoho.test/crm/zoho"}},
            "leadsquared": tokens, "freshsales": tokens,
            "pipedrive": {"users": [{"name": "frontdesk", "password": SECRET}], "access_token": ACCESS_TOKEN, "api_base": "http://pipedrive.test"},
            "shopify": {"secrets": [SECRET, OLD_SECRET]},
        });
        change(seller);
    })
}

/// One of the ways in which a CRM comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Standard,
    Bearer,
    HubSpotApp,
    HubSpotAction,
    HubSpotWorkflow,
    HubSpotToken,
    Outbound,
    Callout,
    ZohoJson,
    ZohoForm,
    ZohoNotification,
    LeadSquared,
    Freshsales,
    PipedrivePerson,
    PipedriveDeal,
    Shopify,
}

impl Way {
    pub const ALL: [Self; 16] = [
        Self::Standard,
        Self::Bearer,
        Self::HubSpotApp,
        Self::HubSpotAction,
        Self::HubSpotWorkflow,
        Self::HubSpotToken,
        Self::Outbound,
        Self::Callout,
        Self::ZohoJson,
        Self::ZohoForm,
        Self::ZohoNotification,
        Self::LeadSquared,
        Self::Freshsales,
        Self::PipedrivePerson,
        Self::PipedriveDeal,
        Self::Shopify,
    ];

    pub fn connector(self) -> &'static str {
        match self {
            Self::Standard | Self::Bearer => "standard",
            Self::HubSpotApp | Self::HubSpotAction | Self::HubSpotWorkflow | Self::HubSpotToken => "hubspot",
            Self::Outbound | Self::Callout => "salesforce",
            Self::ZohoJson | Self::ZohoForm | Self::ZohoNotification => "zoho",
            Self::LeadSquared => "leadsquared",
            Self::Freshsales => "freshsales",
            Self::PipedrivePerson | Self::PipedriveDeal => "pipedrive",
            Self::Shopify => "shopify",
        }
    }

    /// Whether the body is under the signature.
    pub fn is_signed(self) -> bool {
        match self {
            Self::Standard | Self::HubSpotApp | Self::HubSpotAction | Self::HubSpotWorkflow | Self::Shopify => true,
            Self::Bearer
            | Self::HubSpotToken
            | Self::Outbound
            | Self::Callout
            | Self::ZohoJson
            | Self::ZohoForm
            | Self::ZohoNotification
            | Self::LeadSquared
            | Self::Freshsales
            | Self::PipedrivePerson
            | Self::PipedriveDeal => false,
        }
    }

    /// Whether it carries ids only.
    pub fn is_thin(self) -> bool {
        matches!(self, Self::HubSpotApp | Self::ZohoNotification | Self::PipedriveDeal)
    }

    /// A trigger about the person of this number, `+91 90000 xxxxx`.
    pub fn body(self, number: u32) -> String {
        let mobile = format!("+9190000{number:05}");
        let (first, last, email) = ("Asha", "Example", "asha@example.com");
        let body = match self {
            Self::Standard | Self::Bearer => {
                json!({"lead": {"external_id": format!("L-{number}"), "name": "Asha Example", "mobile": mobile}})
            }
            Self::HubSpotApp => json!([hubspot_event(number, 0)]),
            Self::HubSpotAction => json!({
                "callbackId": format!("ap-44001122-5677-11-{number}"),
                "origin": {"portalId": 44_001_122, "actionDefinitionId": 1086, "actionDefinitionVersion": 3},
                "context": {"source": "WORKFLOWS", "workflowId": 192_814},
                "object": {"objectId": number, "objectType": "CONTACT", "properties": {"email": email}},
                "inputFields": {"name": "Asha Example", "mobile": mobile, "campaign": "diwali"}
            }),
            Self::HubSpotWorkflow | Self::HubSpotToken => json!({
                "vid": number,
                "properties": {"firstname": {"value": first}, "lastname": {"value": last}, "mobilephone": {"value": mobile, "versions": []}}
            }),
            Self::Outbound => return outbound(ORGANIZATION, &[number]),
            Self::Callout => {
                json!({"organization_id": ORGANIZATION, "record_id": format!("00Q{number:012}AAA"), "object": "Lead", "name": "Asha Example", "mobile": mobile, "stage": "Working"})
            }
            Self::ZohoJson => json!({
                "event_id": format!("41508680000{number}-2026-11-23T02:59:00Z"), "lead_id": format!("41508680000{number}"),
                "name": "Asha Example", "mobile": mobile, "stage": "Contacted"
            }),
            Self::ZohoForm => {
                return format!(
                    "lead_id=41508680000{number}&name=Asha+Example&mobile=%2B9190000{number:05}&stage=Contacted"
                );
            }
            Self::ZohoNotification => json!({
                "server_time": 1_795_402_800_000_u64, "module": "Leads", "operation": "edit", "channel_id": "1000000068001", "token": SECRET,
                "resource_uri": "https://elsewhere.example.com/crm/v8/Leads", "ids": [format!("41508680000{number}")],
                "affected_fields": [], "affected_values": [], "query_params": {}
            }),
            Self::LeadSquared => json!({
                "ProspectID": format!("a3110000-0e56-4601-b580-{number:012}"), "ProspectAutoId": "3142", "FirstName": first, "LastName": last,
                "EmailAddress": email, "Phone": format!("+91-90000{number:05}"), "Mobile": null, "SourceCampaign": "diwali",
                "ProspectStage": "Prospect", "ModifiedOn": "2026-11-23 02:59:00", "mx_Zip": "560001"
            }),
            Self::Freshsales => json!({
                "record_id": number.to_string(), "name": "Asha Example", "mobile": format!("90000{number:05}"), "stage": "Qualified",
                "updated_at": "2026-11-23T02:59:00Z"
            }),
            Self::PipedrivePerson => pipedrive(
                "person",
                number,
                &json!({"id": number, "name": "Asha Example", "phones": [{"value": mobile, "primary": true, "label": "mobile"}], "emails": [{"value": email}]}),
            ),
            Self::PipedriveDeal => pipedrive(
                "deal",
                number,
                &json!({"id": 7_000_000 + number, "title": "demo", "stage_id": 428, "person_id": number}),
            ),
            Self::Shopify => json!({
                "id": number, "email": email, "first_name": first, "last_name": last, "phone": mobile,
                "default_address": {"zip": "560001", "country_code": "IN"}
            }),
        };
        body.to_string()
    }

    /// The path and the headers that prove a body, sent now with this secret.
    pub fn proof(self, shop: &Shop, body: &str, secret: &str) -> (String, Vec<(&'static str, String)>) {
        let now = shop.clock_seconds();
        let path = format!("/v1/crm/acme/{}", self.connector());
        let json = ("content-type", "application/json".to_owned());
        let token = ("x-frontdesk-token", secret.to_owned());
        match self {
            Self::Standard => {
                // The same message has the same id.
                let (id, at) = (format!("msg_{}", &hash::hex(body.as_bytes())[..16]), now.to_string());
                let signature =
                    if secret == SECRET { sign(STANDARD_SECRET, &id, &at, body) } else { "v1,AAAA".to_owned() };
                (path, vec![json, ("webhook-id", id), ("webhook-timestamp", at), ("webhook-signature", signature)])
            }
            Self::Bearer => {
                let key = if secret == SECRET { API_KEY } else { secret };
                let id = hash::hex(body.as_bytes());
                (path, vec![json, ("authorization", format!("Bearer {key}")), ("idempotency-key", id)])
            }
            Self::HubSpotApp => (path, [vec![json], hubspot_v3(body, secret, now * 1000)].concat()),
            Self::HubSpotAction | Self::HubSpotWorkflow => {
                let signature = hash::hex(format!("{secret}POST{}{body}", PUBLIC_URL.replace("%40", "@")).as_bytes());
                (path, vec![json, ("x-hubspot-signature-version", "v2".to_owned()), ("x-hubspot-signature", signature)])
            }
            Self::HubSpotToken | Self::ZohoJson | Self::LeadSquared => (path, vec![json, token]),
            Self::Callout | Self::Freshsales => (path, vec![json, ("authorization", format!("Bearer {secret}"))]),
            Self::ZohoForm => (path, vec![("content-type", "application/x-www-form-urlencoded".to_owned()), token]),
            Self::ZohoNotification => (path, vec![json]),
            Self::Outbound => (
                format!("{path}/{secret}"),
                vec![("content-type", "text/xml; charset=utf-8".to_owned()), ("soapaction", "\"\"".to_owned())],
            ),
            Self::PipedrivePerson | Self::PipedriveDeal => {
                let shown = STANDARD.encode(format!("frontdesk:{secret}"));
                (path, vec![json, ("authorization", format!("Basic {shown}"))])
            }
            Self::Shopify => (
                path,
                vec![
                    json,
                    ("x-shopify-hmac-sha256", hmac(secret, &[body.as_bytes()])),
                    ("x-shopify-topic", "customers/create".to_owned()),
                    ("x-shopify-event-id", format!("event-{}", &hash::hex(body.as_bytes())[..16])),
                    ("x-shopify-webhook-id", format!("delivery-{now}")),
                ],
            ),
        }
    }

    /// Sends a trigger; the answer is as its CRM reads it.
    pub async fn send(self, shop: &Shop, body: &str) -> Said {
        let (path, headers) = self.proof(shop, body, SECRET);
        said(shop, &path, &headers, body.to_owned()).await
    }

    /// Has the CRM keep the person that a thin trigger is about.
    pub fn keep_record(self, shop: &Shop, number: u32) {
        let mobile = format!("+9190000{number:05}");
        let sim = &shop.world.sim;
        match self {
            Self::HubSpotApp => sim.put_record(
                format!("hubspot/contacts/{number}"),
                json!({"firstname": "Asha", "lastname": "Example", "mobilephone": mobile, "secret_field": "x"}),
            ),
            Self::ZohoNotification => sim.put_record(
                format!("zoho/Leads/41508680000{number}"),
                json!({"id": format!("41508680000{number}"), "Full_Name": "Asha Example", "Mobile": mobile}),
            ),
            Self::PipedriveDeal => sim.put_record(
                format!("pipedrive/persons/{number}"),
                json!({"id": number, "name": "Asha Example", "phones": [{"value": mobile}]}),
            ),
            Self::Standard
            | Self::Bearer
            | Self::HubSpotAction
            | Self::HubSpotWorkflow
            | Self::HubSpotToken
            | Self::Outbound
            | Self::Callout
            | Self::ZohoJson
            | Self::ZohoForm
            | Self::LeadSquared
            | Self::Freshsales
            | Self::PipedrivePerson
            | Self::Shopify => {}
        }
    }
}

/// An answer with its text, which a CRM may compare to the letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub status: u16,
    pub content_type: String,
    pub text: String,
}

impl Said {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }
}

pub async fn said(shop: &Shop, path: &str, headers: &[(&str, String)], body: impl Into<Bytes>) -> Said {
    crate::overheard::nothing_so_far();
    let mut request = Request::builder().method(Method::POST).uri(path);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(body.into()).expect("the test's own request is well formed");
    let reply = shop.world.http(request).await;
    let content_type = reply.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (status, content_type) = (reply.status().as_u16(), content_type.to_owned());
    Said { status, content_type, text: String::from_utf8_lossy(reply.body()).into_owned() }
}

pub fn hmac(secret: &str, parts: &[&[u8]]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    STANDARD.encode(mac.finalize().into_bytes())
}

/// Over the URL as HubSpot signs it.
pub fn hubspot_v3(body: &str, secret: &str, millis: i64) -> Vec<(&'static str, String)> {
    let at = millis.to_string();
    let uri = PUBLIC_URL.replace("%40", "@");
    let signature = hmac(secret, &[b"POST", uri.as_bytes(), body.as_bytes(), at.as_bytes()]);
    vec![("x-hubspot-signature-v3", signature), ("x-hubspot-request-timestamp", at)]
}

pub fn hubspot_event(contact: u32, attempt: u32) -> Value {
    json!({"eventId": 3_816_270_000_u64 + u64::from(contact), "subscriptionId": 918_273, "portalId": 44_001_122, "appId": 771_122,
        "occurredAt": 1_795_402_740_123_u64, "subscriptionType": "contact.propertyChange", "attemptNumber": attempt,
        "objectId": contact, "propertyName": "lifecyclestage", "propertyValue": "opportunity", "changeSource": "CRM_UI"})
}

/// One message with a notification for each number.
pub fn outbound(organization: &str, numbers: &[u32]) -> String {
    let notification = |number: &u32| {
        format!(
            "<Notification><Id>04l{number:012}AAA</Id><sObject xsi:type=\"sf:Lead\" xmlns:sf=\"urn:sobject.enterprise.soap.sforce.com\">\
             <sf:Id>00Q{number:012}AAA</sf:Id><sf:MobilePhone>+9190000{number:05}</sf:MobilePhone><sf:Name>Asha Example</sf:Name>\
             <sf:Email xsi:nil=\"true\"/><sf:Status>Working</sf:Status></sObject></Notification>"
        )
    };
    let notifications = numbers.iter().map(notification).collect::<Vec<_>>().concat();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Body>\
         <notifications xmlns=\"http://soap.sforce.com/2005/09/outbound\"><OrganizationId>{organization}</OrganizationId>\
         <ActionId>04k000000000001AAA</ActionId><SessionId xsi:nil=\"true\"/>\
         <EnterpriseUrl>https://acme.my.salesforce.com/services/Soap/c/66.0/00D000000000001</EnterpriseUrl>{notifications}\
         </notifications></soapenv:Body></soapenv:Envelope>"
    )
}

fn pipedrive(entity: &str, number: u32, data: &Value) -> Value {
    json!({
        "meta": {"action": "change", "entity": entity, "entity_id": data["id"].to_string(), "company_id": "60830",
            "id": format!("6ba407fc-006d-4556-9804-{entity:0>6}{number:06}"), "timestamp": "2026-11-23T02:59:00.057Z", "type": "general",
            "version": "2.0", "change_source": "app", "is_bulk_edit": false, "attempt": 1, "host": "elsewhere.example.com"},
        "data": data, "previous": {}
    })
}

impl Shop {
    /// A shop with all CRMs and a filled diary.
    pub async fn with_crms() -> Self {
        let shop = Self::with(with_crms(|_| {})).await;
        shop.tick("slot-cache").await;
        shop
    }

    /// The sagas' records.
    pub fn bookings(&self) -> Vec<Value> {
        self.world.items("bookings").into_iter().filter(|item| item["sk"] == "booking").collect()
    }

    /// The triggers that have made no booking.
    pub fn parked(&self) -> Vec<Value> {
        self.world.items("bookings").into_iter().filter(|item| item["pk"] == "acme#parked").collect()
    }

    pub async fn parked_list(&self, query: &str) -> Reply {
        let authorization = format!("Bearer {API_KEY}");
        let headers = [("authorization", authorization.as_str())];
        self.send(Method::GET, &format!("/v1/crm/acme/parked{query}"), &headers, Bytes::new()).await
    }

    pub async fn retry(&self, id: &str) -> Reply {
        let authorization = format!("Bearer {API_KEY}");
        let headers = [("authorization", authorization.as_str())];
        self.send(Method::POST, &format!("/v1/crm/acme/parked/{id}/retry"), &headers, Bytes::new()).await
    }
}
