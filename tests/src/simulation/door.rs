//! The front door, as clients of the simulation knock at it.

use crate::shop::{API_KEY, ORIGIN, STANDARD_SECRET, sign};
use bytes::Bytes;
use http::{Method, Request};
use local::world::World;
use serde_json::{Value, json};

pub(crate) struct Door {
    pub world: World,
}

/// A request for a call, which a client may send any number of times.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub number: usize,
    pub key: String,
    pub body: Value,
    /// A caller of our own API that waits so long, one that does not wait, or a CRM.
    pub way: Way,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Waits(u32),
    Api,
    Crm,
}

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Door {
    pub(crate) fn new(world: World) -> Self {
        Self { world }
    }

    pub(crate) async fn ask(&self, ask: &Ask, now: i64) -> Answer {
        let body = ask.body.to_string();
        match ask.way {
            Way::Crm => {
                let (timestamp, signature) =
                    (now.to_string(), sign(STANDARD_SECRET, &ask.key, &now.to_string(), &body));
                let headers = [
                    ("webhook-id", ask.key.as_str()),
                    ("webhook-timestamp", &timestamp),
                    ("webhook-signature", &signature),
                ];
                self.send(Method::POST, "/v1/crm/acme/standard", &headers, body).await
            }
            Way::Api => self.book(ask, None, body).await,
            Way::Waits(seconds) => self.book(ask, Some(format!("wait={seconds}")), body).await,
        }
    }

    async fn book(&self, ask: &Ask, prefer: Option<String>, body: String) -> Answer {
        let authorization = format!("Bearer {API_KEY}");
        let mut headers = vec![("authorization", authorization.as_str()), ("idempotency-key", &ask.key)];
        headers.extend(prefer.as_deref().map(|prefer| ("prefer", prefer)));
        self.send(Method::POST, "/v1/bookings/acme", &headers, body).await
    }

    pub(crate) async fn resolve(&self, booking: &str, decision: &Value) -> Answer {
        let authorization = format!("Bearer {API_KEY}");
        let path = format!("/v1/bookings/acme/{booking}/resolve");
        self.send(Method::POST, &path, &[("authorization", &authorization)], decision.to_string()).await
    }

    pub(crate) async fn collect(&self, id: &str, uid: &str) -> Answer {
        let event = json!({"id": id, "source": "popin", "name": "popin_open", "data": {"uid": uid}});
        let body = json!({"events": [event]}).to_string();
        self.send(Method::POST, "/v1/collect/acme", &[("origin", ORIGIN)], body).await
    }

    pub(crate) async fn forget(&self, person: &Value) -> Answer {
        let authorization = format!("Bearer {API_KEY}");
        self.send(Method::DELETE, "/v1/people/acme", &[("authorization", &authorization)], person.to_string()).await
    }

    /// A webhook of nobody's.
    pub(crate) async fn forge_webhook(&self, told: &Value) {
        self.send(Method::POST, "/v1/webhooks/acme/popin", &[("x-api-key", "nobody")], told.to_string()).await;
    }

    /// A page's event that looks like Popin's webhook.
    pub(crate) async fn forge_event(&self, id: &str, told: &Value) {
        let event = json!({"id": id, "source": "popin", "name": "popin_schedule_created", "data": told});
        let body = json!({"events": [event]}).to_string();
        self.send(Method::POST, "/v1/collect/acme", &[("origin", ORIGIN)], body).await;
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Bytes::from(body)).expect("the simulation's own request is well formed");
        let response = self.world.http(request).await;
        let body = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
        Answer { status: response.status().as_u16(), body }
    }
}
