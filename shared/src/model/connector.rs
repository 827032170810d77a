//! The CRMs that may ask for a call, by the names that the routes have for them.

/// One way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Connector {
    Standard,
    HubSpot,
    Salesforce,
    Zoho,
    LeadSquared,
    Freshsales,
    Pipedrive,
    Shopify,
}

impl Connector {
    pub const ALL: [Self; 8] = [
        Self::Standard,
        Self::HubSpot,
        Self::Salesforce,
        Self::Zoho,
        Self::LeadSquared,
        Self::Freshsales,
        Self::Pipedrive,
        Self::Shopify,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::HubSpot => "hubspot",
            Self::Salesforce => "salesforce",
            Self::Zoho => "zoho",
            Self::LeadSquared => "leadsquared",
            Self::Freshsales => "freshsales",
            Self::Pipedrive => "pipedrive",
            Self::Shopify => "shopify",
        }
    }

    pub fn parse(raw: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|connector| connector.as_str() == raw)
    }
}
