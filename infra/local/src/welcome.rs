//! What is printed at the start: where everything is, and what to try, as commands to paste.

use crate::{demo, examples, stack::Stack};

/// The last line of it is `ready URL`.
pub fn text(stack: &Stack) -> String {
    let (api, sim) = (format!("http://127.0.0.1:{}", stack.api_port), format!("http://127.0.0.1:{}", stack.sim_port));
    let dynamodb =
        stack.dynamodb_port.map_or_else(String::new, |port| format!("  DynamoDB       http://127.0.0.1:{port}\n"));
    let tries = if stack.sellers.iter().any(|seller| seller == demo::SELLER) {
        tries(&api, &sim)
    } else {
        format!("Sellers: {}\n", stack.sellers.join(", "))
    };
    format!(
        "Frontdesk on one machine\n\n  HTTP API       {api}\n{dynamodb}  Popin (sim)    {sim}\n\n{tries}\n\
         Other faults and controls: cargo run -p local -- --help\n\nready {api}"
    )
}

/// Each command works as it is, in bash; the later ones go on from the earlier ones.
fn tries(api: &str, sim: &str) -> String {
    let (seller, key, origin) = (demo::SELLER, demo::API_KEY, demo::ORIGIN);
    let json = "-H 'Content-Type: application/json'";
    let bearer = format!("-H 'Authorization: Bearer {key}'");
    let look = format!(
        r#"curl -sS -w '\n' {bearer} "{api}/v1/bookings/{seller}/$(echo "$booking" | grep -o '"id":"[^"]*"' | head -n 1 | cut -d '"' -f 4)""#
    );
    let crms = examples::crms(api, sim);
    format!(
        r#"Things to try:

# A browser tells of an event. Again, it is a duplicate.
curl -sS -w '\n' {api}/v1/collect/{seller} -H 'Origin: {origin}' {json} \
  -d '{{"events":[{{"id":"0a1b2c3d-0000-4000-8000-000000000001","source":"popin","name":"popin_open","data":{{"uid":"u-1"}}}}]}}'

# Which slots are free?
curl -sS -w '\n' '{api}/v1/slots/{seller}?limit=3'

# Book a call and wait for it. Again, it is the same booking.
booking=$(curl -sS {api}/v1/bookings/{seller} {bearer} {json} \
  -H 'Idempotency-Key: "first-try"' -H 'Prefer: wait=10' \
  -d '{{"lead":{{"external_id":"9021001","name":"Asha Example","mobile":"+919000000001"}}}}'); echo "$booking"

# How does it stand? Popin's webhook has told of it by now: see witnessed_at.
sleep 1; {look}

# Popin books a call, and its answer is lost: in doubt, until Popin's webhook is the witness. Never twice.
curl -sS -w '\n' {sim}/_sim/faults {json} -d '{{"endpoint":"schedule","fault":"reset"}}'
booking=$(curl -sS {api}/v1/bookings/{seller} {bearer} {json} \
  -H 'Idempotency-Key: "lost-answer"' -H 'Prefer: wait=10' \
  -d '{{"lead":{{"external_id":"9021002","name":"Meera Example","mobile":"+919000000002"}}}}'); echo "$booking"
sleep 1; {look}

{crms}
# A shop page with fake widgets, and the live list of what they said: {api}/demo

# What Popin was asked, what it booked, and what is stored here.
curl -sS -w '\n' {sim}/_sim/calls
curl -sS -w '\n' {sim}/_sim/schedules

# What the shop's own URL was told of its bookings' ends.
curl -sS -w '\n' {sim}/_sim/crms
curl -sS -w '\n' '{sim}/_local/tables/bookings?limit=3'
curl -sS -w '\n' '{sim}/_local/tables/events?limit=5'

# Fire a schedule now.
curl -sS -w '\n' -X POST {sim}/_local/tick/slot-cache
"#
    )
}
