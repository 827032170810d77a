//! Where in the CRM a trigger came from: what an answer to it goes back to.

use serde::{Deserialize, Serialize};

/// Ids of the CRM's own, never a person's data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The CRM's id of this event, notification or message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The id of this delivery of it, where the CRM tells the two apart (Shopify).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<String>,
    /// The CRM's word for the kind of record: `contact`, `deal`, `Lead`, `Leads`, `person`, `customer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// That record's id: what is written back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// What the CRM waits on: HubSpot's `callbackId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<String>,
}
