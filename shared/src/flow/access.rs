//! The one door to a CRM's access tokens, whoever needs one: had by the CRM's own log-in, and remembered until it ends.

use super::Clock;
use crate::{
    crm::back::{self, Call, Meaning, Token},
    model::{ids::SellerId, seller::Seller, write_back::Destination},
    popin::{Transport, TransportError},
};
use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// For one call.
const CALL: Duration = Duration::from_secs(10);

/// The access tokens of this process, each until it ends.
#[derive(Debug, Default)]
pub struct Tokens(Mutex<HashMap<(SellerId, Destination), (Token, Timestamp)>>);

/// Who logs in, and by which way.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    pub clock: &'a dyn Clock,
    pub transport: &'a dyn Transport,
    pub id: &'a SellerId,
    pub seller: &'a Seller,
}

impl Tokens {
    /// `None` where the place wants no log-in. What keeps it from being had is what keeps the call from being made.
    pub(super) async fn token(&self, caller: &Caller<'_>, place: Destination) -> Result<Option<Token>, Meaning> {
        let Some(login) = back::login(caller.seller, place) else { return Ok(None) };
        if let Some(token) = self.get(caller.id, place, caller.clock.now()) {
            return Ok(Some(token));
        }
        let token = back::token(&send(caller.transport, &login).await?)?;
        self.keep(caller.id, place, token.clone(), caller.clock.now());
        Ok(Some(token))
    }

    fn get(&self, seller: &SellerId, place: Destination, now: Timestamp) -> Option<Token> {
        let tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (token, ends) = tokens.get(&(seller.clone(), place))?;
        (*ends > now).then(|| token.clone())
    }

    fn keep(&self, seller: &SellerId, place: Destination, token: Token, now: Timestamp) {
        let ends = now + token.lives;
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.insert((seller.clone(), place), (token, ends));
    }

    /// It was refused before its end.
    pub(super) fn forget(&self, seller: &SellerId, place: Destination) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(seller.clone(), place));
    }
}

pub(super) async fn send(transport: &dyn Transport, call: &Call) -> Result<Response<Bytes>, Meaning> {
    let request = call.request().ok_or(Meaning::Refused("not_configured"))?;
    transport.send(request, CALL).await.map_err(|error| match error {
        TransportError::NotSent => Meaning::Later { code: "not_reached", after: None },
        TransportError::Unanswered => Meaning::Later { code: "unanswered", after: None },
        TransportError::NotAllowed => Meaning::Refused("address_not_allowed"),
    })
}
