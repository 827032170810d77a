//! Popin's webhooks as events, as records of the stream, and as witnesses of bookings.

use super::{Told, Twice};
use crate::shop::lead;
use serde_json::{Value, json};

impl Twice {
    /// Popin's own word of each call that it has comes by its webhooks, and each is a record of the stream then.
    pub(super) async fn witnesses(&self, told: &mut Told) {
        let mut words = Vec::new();
        while self.sim.outbox_len() > 0 {
            words.extend(self.sim.take_due_webhooks());
            tokio::task::yield_now().await;
        }
        for word in words.iter().filter_map(|word| serde_json::from_slice(&word.body).ok()) {
            self.webhook(&word).await;
        }
        let records: Vec<_> = self.words("bearer").await.into_iter().map(record).collect();
        told.push(("Popin's words of calls", json!(records.len())));
        for what in ["what could not be taken of them", "nor a second time"] {
            let reply = self.functions.event("booking-worker", json!({ "Records": records })).await;
            told.push((what, reply.map_or(Value::Null, |reply| reply["batchItemFailures"].clone())));
        }
        told.push((
            "witnesses, confirmed",
            json!([self.words("bearer").await.len(), self.words("confirmed").await.len()]),
        ));
        let (_, doubt) = self.book("k20", false, &lead(20)).await;
        told.push(("the booking that was in doubt", json!([doubt["state"], doubt["confirmed_by"]])));
    }

    /// The stored events that say that a call was booked, proven so far: key and what a witness needs.
    async fn words(&self, trust: &str) -> Vec<[String; 5]> {
        let scan = self.gates.client.scan().table_name("frontdesk-events").into_paginator().items().send();
        let items = scan.collect::<Result<Vec<_>, _>>().await.unwrap_or_default();
        let names = ["pk", "sk", "trust", "data", "kind"];
        items
            .iter()
            .map(|item| {
                names.map(|name| item.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default())
            })
            .filter(|[.., proven, _, kind]| kind == "booking.created" && proven == trust)
            .collect()
    }
}

/// As the stream has it.
fn record([pk, sk, trust, data, _]: [String; 5]) -> Value {
    let keys = json!({"pk": {"S": pk}, "sk": {"S": sk}});
    json!({"eventID": "1", "eventName": "INSERT", "eventSource": "aws:dynamodb", "eventVersion": "1.1", "awsRegion": "us-east-1",
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:000000000000:table/frontdesk-events/stream/s",
        "dynamodb": {"ApproximateCreationDateTime": 1_795_400_000, "Keys": keys, "SequenceNumber": "1", "SizeBytes": 1,
            "StreamViewType": "NEW_IMAGE", "NewImage": {"trust": {"S": trust}, "data": {"S": data}}}})
}
