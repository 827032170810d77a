//! What a seller lays down about telling a booking's end: their own URL, and what each CRM is to have in which field.

use super::{
    Credential, Crm, Secret,
    address::{Reach, check_url},
};
use crate::model::write_back::Destination;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

/// The seller's own URL, told by Standard Webhooks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    pub url: String,
    /// Each signs, so that one may be rotated.
    pub secrets: Vec<Secret>,
}

/// The CRM's own field for each of our words; what has none is not told.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fields {
    pub state: Option<String>,
    pub reason: Option<String>,
    pub join_url: Option<String>,
    pub start_at: Option<String>,
    pub start_local: Option<String>,
    pub booking_id: Option<String>,
}

impl Fields {
    /// Our word and the CRM's field.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("state", &self.state),
            ("reason", &self.reason),
            ("join_url", &self.join_url),
            ("start_at", &self.start_at),
            ("start_local", &self.start_local),
            ("booking_id", &self.booking_id),
        ]
        .into_iter()
        .filter_map(|(word, field)| Some((word, field.as_deref()?)))
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubSpotBack {
    pub access_token: Credential,
    #[serde(default)]
    pub fields: Fields,
}

/// A connected app with the client-credentials flow.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SalesforceBack {
    pub client_id: Credential,
    pub client_secret: Credential,
    #[serde(default = "salesforce_version")]
    pub api_version: String,
    pub fields: Fields,
}

fn salesforce_version() -> String {
    "v62.0".to_owned()
}

/// A self client with a refresh token; `accounts_base` is of the seller's own data centre. Records are read back with it
/// too: without `fields` for nothing else.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZohoBack {
    pub client_id: Credential,
    pub client_secret: Credential,
    pub refresh_token: Credential,
    pub accounts_base: String,
    #[serde(default)]
    pub fields: Fields,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeadSquaredBack {
    pub access_key: Credential,
    pub secret_key: Credential,
    /// The number of an activity of the seller's own, noted at the lead.
    pub activity: Option<u32>,
    #[serde(default)]
    pub fields: Fields,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipedriveBack {
    pub api_token: Credential,
    pub fields: Fields,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreshsalesBack {
    pub api_key: Credential,
    pub fields: Fields,
}

/// The customer is tagged `{tag}-{state}`, and never with two of these.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShopifyBack {
    pub access_token: Credential,
    #[serde(default = "shopify_tag")]
    pub tag: String,
    #[serde(default = "shopify_version")]
    pub api_version: String,
}

fn shopify_tag() -> String {
    "video-call".to_owned()
}

fn shopify_version() -> String {
    "2026-07".to_owned()
}

/// Each CRM's document of writing back, as far as there is one, and where it goes.
pub enum Back<'s> {
    HubSpot(&'s HubSpotBack, &'s str),
    Salesforce(&'s SalesforceBack, &'s str),
    Zoho(&'s ZohoBack, &'s str),
    LeadSquared(&'s LeadSquaredBack, &'s str),
    Pipedrive(&'s PipedriveBack, &'s str),
    Freshsales(&'s FreshsalesBack, &'s str),
    Shopify(&'s ShopifyBack, &'s str),
}

const HUBSPOT_API: &str = "https://api.hubapi.com";
const PIPEDRIVE_API: &str = "https://api.pipedrive.com";

impl Crm {
    /// `None` where the seller wants nothing written back, or the place is none of a CRM's.
    pub fn back(&self, place: Destination) -> Option<Back<'_>> {
        match place {
            Destination::Url => None,
            Destination::HubSpot => {
                let crm = self.hubspot.as_ref()?;
                Some(Back::HubSpot(crm.write_back.as_ref()?, base(crm.api_base.as_deref(), HUBSPOT_API)))
            }
            Destination::Salesforce => {
                let crm = self.salesforce.as_ref()?;
                Some(Back::Salesforce(crm.write_back.as_ref()?, base(crm.api_base.as_deref(), "")))
            }
            Destination::Zoho => {
                let crm = self.zoho.as_ref()?;
                Some(Back::Zoho(crm.write_back.as_ref()?, base(crm.api_base.as_deref(), "")))
            }
            Destination::LeadSquared => {
                let crm = self.leadsquared.as_ref()?;
                Some(Back::LeadSquared(crm.write_back.as_ref()?, base(crm.api_base.as_deref(), "")))
            }
            Destination::Pipedrive => {
                let crm = self.pipedrive.as_ref()?;
                Some(Back::Pipedrive(crm.write_back.as_ref()?, base(crm.api_base.as_deref(), PIPEDRIVE_API)))
            }
            Destination::Freshsales => {
                let crm = self.freshsales.as_ref()?;
                Some(Back::Freshsales(crm.write_back.as_ref()?, base(crm.api_base.as_deref(), "")))
            }
            Destination::Shopify => {
                let crm = self.shopify.as_ref()?;
                Some(Back::Shopify(crm.write_back.as_ref()?, base(crm.api_base.as_deref(), "")))
            }
        }
    }

    /// Whether there is anything to tell there; `waits` where a workflow does, which needs no field.
    pub fn writes(&self, place: Destination, waits: bool) -> bool {
        let Some(back) = self.back(place) else { return false };
        let (_, fields) = back.parts();
        let beside_fields = match &back {
            Back::HubSpot(..) => waits,
            Back::LeadSquared(back, _) => back.activity.is_some(),
            Back::Shopify(..) => true,
            Back::Salesforce(..) | Back::Zoho(..) | Back::Pipedrive(..) | Back::Freshsales(..) => false,
        };
        beside_fields || fields.is_some_and(|fields| fields.named().next().is_some())
    }

    /// The field of the document and the rule that it breaks.
    pub(super) fn check_back(&self, reach: Reach) -> Result<(), String> {
        for place in Destination::ALL {
            let Some(back) = self.back(place) else { continue };
            let at = format!("crm.{}", place.as_str());
            let (base, fields) = back.parts();
            if base.is_empty() {
                return Err(format!("{at}.api_base is missing, which write_back needs"));
            }
            check_url(&format!("{at}.api_base"), base, reach)?;
            if let Back::Zoho(zoho, _) = &back {
                check_url(&format!("{at}.write_back.accounts_base"), &zoho.accounts_base, reach)?;
            }
            for (word, field) in fields.into_iter().flat_map(Fields::named) {
                if !place.may_write(field) {
                    return Err(format!("{at}.write_back.fields.{word} is not a field of the seller's own making"));
                }
            }
            back.check_words(&at)?;
        }
        Ok(())
    }
}

fn base<'s>(own: Option<&'s str>, default: &'s str) -> &'s str {
    own.unwrap_or(default).trim_end_matches('/')
}

impl<'s> Back<'s> {
    fn parts(&self) -> (&'s str, Option<&'s Fields>) {
        match self {
            Self::HubSpot(back, base) => (base, Some(&back.fields)),
            Self::Salesforce(back, base) => (base, Some(&back.fields)),
            Self::Zoho(back, base) => (base, Some(&back.fields)),
            Self::LeadSquared(back, base) => (base, Some(&back.fields)),
            Self::Pipedrive(back, base) => (base, Some(&back.fields)),
            Self::Freshsales(back, base) => (base, Some(&back.fields)),
            Self::Shopify(_, base) => (base, None),
        }
    }

    /// What goes into a path or a tag.
    fn check_words(&self, at: &str) -> Result<(), String> {
        let plain = |text: &str| {
            (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
        };
        let words: &[(&str, &str)] = match self {
            Self::Salesforce(back, _) => &[("api_version", &back.api_version)],
            Self::Shopify(back, _) => &[("api_version", &back.api_version), ("tag", &back.tag)],
            Self::HubSpot(..) | Self::Zoho(..) | Self::LeadSquared(..) | Self::Pipedrive(..) | Self::Freshsales(..) => {
                &[]
            }
        };
        match words.iter().find(|(_, text)| !plain(text)) {
            Some((name, _)) => Err(format!("{at}.write_back.{name} is not a plain word")),
            None => Ok(()),
        }
    }
}

/// HubSpot's own properties that somebody's workflow is likely to watch: what we write must start nothing.
const HUBSPOT_OWN: [&str; 12] = [
    "email",
    "phone",
    "mobilephone",
    "firstname",
    "lastname",
    "lifecyclestage",
    "dealstage",
    "dealname",
    "closedate",
    "createdate",
    "hubspot_owner_id",
    "pipeline",
];

impl Destination {
    /// Only fields that the seller made for us: a CRM's own would start its workflows again, and us with them.
    fn may_write(self, field: &str) -> bool {
        let plain = (1..=100).contains(&field.len()) && field.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        plain
            && match self {
                Self::Salesforce => field.ends_with("__c"),
                Self::LeadSquared => field.starts_with("mx_"),
                Self::Freshsales => field.starts_with("cf_"),
                // The hash that Pipedrive gives to a field of one's own.
                Self::Pipedrive => field.len() == 40 && field.bytes().all(|b| b.is_ascii_hexdigit()),
                Self::HubSpot => !field.starts_with("hs_") && !HUBSPOT_OWN.contains(&field),
                Self::Zoho => field.starts_with(|c: char| c.is_ascii_uppercase()) && !ZOHO_OWN.contains(&field),
                Self::Url | Self::Shopify => true,
            }
    }
}

const ZOHO_OWN: [&str; 10] = [
    "Email",
    "Phone",
    "Mobile",
    "First_Name",
    "Last_Name",
    "Full_Name",
    "Lead_Status",
    "Stage",
    "Owner",
    "Modified_Time",
];

impl Notify {
    pub(super) fn check(&self, reach: Reach) -> Result<(), String> {
        check_url("notify.url", &self.url, reach)?;
        if self.secrets.is_empty() {
            return Err("notify.secrets is empty".into());
        }
        let strong = |secret: &Secret| {
            let key = secret.expose().strip_prefix("whsec_").and_then(|key| STANDARD.decode(key).ok());
            key.is_some_and(|key| (24..=64).contains(&key.len()))
        };
        match self.secrets.iter().position(|secret| !strong(secret)) {
            Some(at) => Err(format!("notify.secrets[{at}] is not whsec_ and 24 to 64 bytes of base64")),
            None => Ok(()),
        }
    }
}
