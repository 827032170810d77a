//! What a seller lays down about its CRMs: how each is proven, where its API is, which of its fields is what.

use super::{
    Credential, Secret,
    mapping::{Mapping, Only},
    write_back::{FreshsalesBack, HubSpotBack, LeadSquaredBack, PipedriveBack, SalesforceBack, ShopifyBack, ZohoBack},
};
use crate::model::connector::Connector;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A caller of ours asks for what it wants.
static ALL: Only = Only(BTreeMap::new());

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Crm {
    pub standard: Option<Standard>,
    pub hubspot: Option<HubSpot>,
    pub salesforce: Option<Salesforce>,
    pub zoho: Option<Zoho>,
    pub leadsquared: Option<Tokens<LeadSquaredBack>>,
    pub freshsales: Option<Tokens<FreshsalesBack>>,
    pub pipedrive: Option<Pipedrive>,
    pub shopify: Option<Shopify>,
}

impl Crm {
    /// Which fields count, and when; `None` where the seller has no such CRM.
    pub fn fields(&self, connector: Connector) -> Option<(&Mapping, &Only)> {
        match connector {
            Connector::Standard => self.standard.as_ref().map(|crm| (&crm.fields, &ALL)),
            Connector::HubSpot => self.hubspot.as_ref().map(|crm| (&crm.fields, &crm.only)),
            Connector::Salesforce => self.salesforce.as_ref().map(|crm| (&crm.fields, &crm.only)),
            Connector::Zoho => self.zoho.as_ref().map(|crm| (&crm.fields, &crm.only)),
            Connector::LeadSquared => self.leadsquared.as_ref().map(|crm| (&crm.fields, &crm.only)),
            Connector::Freshsales => self.freshsales.as_ref().map(|crm| (&crm.fields, &crm.only)),
            Connector::Pipedrive => self.pipedrive.as_ref().map(|crm| (&crm.fields, &crm.only)),
            Connector::Shopify => self.shopify.as_ref().map(|crm| (&crm.fields, &crm.only)),
        }
    }

    /// What must agree; the error is the field and the rule.
    pub(super) fn check(&self) -> Result<(), String> {
        let standard = self.standard.iter().flat_map(|standard| &standard.secrets).map(Secret::expose);
        if let Some(at) = standard.into_iter().position(|s| !s.starts_with("whsec_") && !s.starts_with("whpk_")) {
            return Err(format!("crm.standard.secrets[{at}] begins with neither whsec_ nor whpk_"));
        }
        // Without secrets nothing is signed, and nobody let in.
        if self.hubspot.as_ref().is_some_and(|crm| !crm.client_secrets.is_empty() && !is_url(&crm.public_url)) {
            return Err("crm.hubspot.public_url is not the URL that HubSpot calls".into());
        }
        if self.hubspot.as_ref().is_some_and(|crm| !crm.signatures.contains(&HubSpotSignature::V3)) {
            return Err("crm.hubspot.signatures lacks v3, which always proves a delivery".into());
        }
        let shop = self.shopify.as_ref().and_then(|crm| crm.shop_domain.as_deref());
        if shop.is_some_and(|shop| !is_host(shop)) {
            return Err("crm.shopify.shop_domain is not a host name".into());
        }
        let bases = [
            ("hubspot", self.hubspot.as_ref().and_then(|crm| crm.api_base.as_ref())),
            ("salesforce", self.salesforce.as_ref().and_then(|crm| crm.api_base.as_ref())),
            ("zoho", self.zoho.as_ref().and_then(|crm| crm.api_base.as_ref())),
            ("leadsquared", self.leadsquared.as_ref().and_then(|crm| crm.api_base.as_ref())),
            ("freshsales", self.freshsales.as_ref().and_then(|crm| crm.api_base.as_ref())),
            ("pipedrive", self.pipedrive.as_ref().and_then(|crm| crm.api_base.as_ref())),
            ("shopify", self.shopify.as_ref().and_then(|crm| crm.api_base.as_ref())),
        ];
        match bases.into_iter().find(|(_, base)| base.is_some_and(|base| !is_url(base))) {
            Some((crm, _)) => Err(format!("crm.{crm}.api_base is not a URL")),
            None => Ok(()),
        }
    }
}

fn is_host(text: &str) -> bool {
    text.contains('.') && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
}

fn is_url(text: &str) -> bool {
    text.parse::<http::Uri>()
        .is_ok_and(|uri| uri.host().is_some() && matches!(uri.scheme_str(), Some("https" | "http")))
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standard {
    pub secrets: Vec<Secret>,
    /// For callers that cannot nest: bodies without a `lead`.
    #[serde(default)]
    pub fields: Mapping,
}

/// A version of `HubSpot`'s signatures that proves a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum HubSpotSignature {
    /// An HMAC that covers the time.
    V3,
    /// A plain hash that covers no time, of what a workflow sends.
    V2,
}

impl TryFrom<String> for HubSpotSignature {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        match name.as_str() {
            "v3" => Ok(Self::V3),
            "v2" => Ok(Self::V2),
            _ => Err("rule: is neither v3 nor v2"),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubSpot {
    pub client_secrets: Vec<Secret>,
    /// What proves a delivery; v3 always does.
    #[serde(default = "v3_alone")]
    pub signatures: Vec<HubSpotSignature>,
    /// What HubSpot was told to call, to the letter: it signs it.
    pub public_url: String,
    /// For workflow webhooks that send a key in a header in place of a signature.
    #[serde(default)]
    pub tokens: Vec<Secret>,
    /// The accounts that count; all, when there are none.
    #[serde(default)]
    pub portal_ids: Vec<u64>,
    pub access_token: Option<Credential>,
    pub api_base: Option<String>,
    pub write_back: Option<HubSpotBack>,
    #[serde(default)]
    pub fields: Mapping,
    #[serde(default)]
    pub only: Only,
}

fn v3_alone() -> Vec<HubSpotSignature> {
    vec![HubSpotSignature::V3]
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Salesforce {
    pub path_secrets: Vec<Secret>,
    /// What a named credential sends in a header.
    #[serde(default)]
    pub tokens: Vec<Secret>,
    #[serde(default)]
    pub organization_ids: Vec<String>,
    pub api_base: Option<String>,
    pub write_back: Option<SalesforceBack>,
    #[serde(default)]
    pub fields: Mapping,
    #[serde(default)]
    pub only: Only,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zoho {
    pub tokens: Vec<Secret>,
    pub api_base: Option<String>,
    pub write_back: Option<ZohoBack>,
    #[serde(default)]
    pub fields: Mapping,
    #[serde(default)]
    pub only: Only,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens<B> {
    pub tokens: Vec<Secret>,
    pub api_base: Option<String>,
    pub write_back: Option<B>,
    #[serde(default)]
    pub fields: Mapping,
    #[serde(default)]
    pub only: Only,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipedrive {
    pub users: Vec<BasicUser>,
    /// Whose key writes back, where that user does nothing else by the API.
    #[serde(default)]
    pub own_user_ids: Vec<u64>,
    pub access_token: Option<Credential>,
    pub api_base: Option<String>,
    pub write_back: Option<PipedriveBack>,
    #[serde(default)]
    pub fields: Mapping,
    #[serde(default)]
    pub only: Only,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasicUser {
    pub name: String,
    pub password: Secret,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shopify {
    /// The new one and, for the hour after a rotation, the old one.
    pub secrets: Vec<Secret>,
    /// The shop that counts, as `acme.myshopify.com`; any, where there is none.
    pub shop_domain: Option<String>,
    pub api_base: Option<String>,
    pub write_back: Option<ShopifyBack>,
    #[serde(default)]
    pub fields: Mapping,
    #[serde(default)]
    pub only: Only,
}
