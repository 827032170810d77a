//! What a document with a fault still says: which callers' credentials of the last good one it has no more.

#[cfg(test)]
mod tests;

use super::{Secret, Seller, Sellers};
use crate::model::ids::SellerId;
use serde_json::Value;

impl Sellers {
    /// These sellers, with those of their callers' credentials that `text` still has. Fails closed: what cannot be found is
    /// revoked.
    #[must_use]
    pub fn without_revoked(&self, text: &[u8]) -> Self {
        let text = Text::read(text);
        let kept = |(id, seller): (&SellerId, &Seller)| {
            let mut seller = seller.clone();
            seller.retain_secrets(&|secret| text.has(id, secret.expose()));
            (id.clone(), seller)
        };
        Self(self.0.iter().map(kept).collect())
    }
}

/// A document as far as it can be read.
enum Text {
    Json(Value),
    Raw(String),
}

impl Text {
    fn read(text: &[u8]) -> Self {
        serde_json::from_slice(text).map_or_else(|_| Self::Raw(String::from_utf8_lossy(text).into_owned()), Self::Json)
    }

    /// In the seller's own part where that can be told.
    fn has(&self, seller: &SellerId, secret: &str) -> bool {
        match self {
            Self::Json(document) => document.get(seller.as_str()).is_some_and(|part| is_in(part, secret)),
            Self::Raw(text) => {
                let encoded = Value::from(secret).to_string();
                stands_in(text, secret) || stands_in(text, encoded.trim_matches('"'))
            }
        }
    }
}

fn is_in(value: &Value, secret: &str) -> bool {
    match value {
        Value::String(text) => text == secret,
        Value::Array(list) => list.iter().any(|value| is_in(value, secret)),
        Value::Object(map) => map.values().any(|value| is_in(value, secret)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// By itself, and not as a part of a longer one.
fn stands_in(text: &str, secret: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || "-_.+/=~".contains(c);
    text.match_indices(secret).any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + secret.len()..].chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

impl Seller {
    /// Of everything that lets a caller in. What we show to others and what we sign with is none of it.
    fn retain_secrets(&mut self, kept: &dyn Fn(&Secret) -> bool) {
        self.api_keys.retain(kept);
        // An empty list is not asked for: where both are required, one alone would let callers in.
        self.webhooks.retain(|_, secrets| {
            let given = [&secrets.keys, &secrets.path_secrets].map(|list| !list.is_empty());
            secrets.keys.retain(kept);
            secrets.path_secrets.retain(kept);
            given == [&secrets.keys, &secrets.path_secrets].map(|list| !list.is_empty())
        });
        let crm = &mut self.crm;
        let lists = [
            crm.standard.as_mut().map(|crm| &mut crm.secrets),
            crm.zoho.as_mut().map(|crm| &mut crm.tokens),
            crm.leadsquared.as_mut().map(|crm| &mut crm.tokens),
            crm.freshsales.as_mut().map(|crm| &mut crm.tokens),
            crm.shopify.as_mut().map(|crm| &mut crm.secrets),
        ];
        let hubspot = crm.hubspot.as_mut().map(|crm| [&mut crm.client_secrets, &mut crm.tokens]);
        let salesforce = crm.salesforce.as_mut().map(|crm| [&mut crm.path_secrets, &mut crm.tokens]);
        let both = hubspot.into_iter().chain(salesforce).flatten();
        lists.into_iter().flatten().chain(both).for_each(|list| list.retain(kept));
        if let Some(crm) = &mut crm.pipedrive {
            crm.users.retain(|user| kept(&user.password));
        }
    }
}
