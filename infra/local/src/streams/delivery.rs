//! What becomes of the records that one read brought: Lambda's rules as a state machine, without time or network.

use crate::template::StreamMapping;
use serde_json::Value;
use std::collections::{HashSet, VecDeque};

/// Records on their way to a function.
#[derive(Debug)]
pub(super) struct Delivery {
    waiting: VecDeque<Portion>,
    retries: Option<u32>,
    bisect: bool,
    reports_failures: bool,
}

#[derive(Clone, Debug)]
struct Portion {
    records: Vec<Value>,
    failures: u32,
}

/// What follows from an answer.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Everything up to this sequence number is settled.
    Settled(String),
    /// Some of it, perhaps: what is left comes again, after a pause that grows with the failures.
    Again { settled: Option<String>, failures: u32 },
    /// These were tried for the last time.
    GivenUp { records: Vec<Value>, attempts: u32, settled: String },
}

impl Delivery {
    pub(super) fn new(records: &[Value], mapping: &StreamMapping) -> Self {
        let portions = records.chunks(mapping.batch_size).map(|chunk| Portion { records: chunk.to_vec(), failures: 0 });
        Self {
            waiting: portions.collect(),
            retries: mapping.retries,
            bisect: mapping.bisect,
            reports_failures: mapping.reports_failures,
        }
    }

    /// The records to hand over now.
    pub(super) fn batch(&self) -> Option<&[Value]> {
        self.waiting.front().map(|portion| portion.records.as_slice())
    }

    /// The function's answer about [`Self::batch`].
    pub(super) fn answered(&mut self, answer: Result<&Value, ()>) -> Step {
        let portion = self.waiting.pop_front().expect("an answer is about the batch that was handed over");
        let failed_from = match answer {
            Ok(answer) if self.reports_failures => first_failure(answer, &portion.records),
            Ok(_) => None,
            Err(()) => Some(0),
        };
        match failed_from {
            None => Step::Settled(last(&portion.records)),
            Some(at) => self.failed(portion, at, answer.is_err()),
        }
    }

    fn failed(&mut self, mut portion: Portion, at: usize, whole: bool) -> Step {
        let rest = portion.records.split_off(at);
        let settled = portion.records.last().map(sequence);
        let failures = portion.failures + 1;
        if whole && self.bisect && rest.len() > 1 {
            // A split is not counted as a try.
            let (first, second) = rest.split_at(rest.len() / 2);
            for half in [second, first] {
                self.waiting.push_front(Portion { records: half.to_vec(), failures: portion.failures });
            }
            return Step::Again { settled, failures };
        }
        // Whoever got somewhere begins to count anew.
        let failures = if settled.is_some() { 1 } else { failures };
        if self.retries.is_some_and(|retries| failures > retries) {
            return Step::GivenUp { settled: last(&rest), records: rest, attempts: failures };
        }
        self.waiting.push_front(Portion { records: rest, failures });
        Step::Again { settled, failures }
    }
}

/// The first record that the answer names as failed; an answer that names a strange one fails all.
fn first_failure(answer: &Value, records: &[Value]) -> Option<usize> {
    let failures = answer["batchItemFailures"].as_array()?;
    let named: HashSet<&str> = failures.iter().map(|f| f["itemIdentifier"].as_str().unwrap_or_default()).collect();
    let first = records.iter().position(|record| named.contains(sequence(record).as_str()));
    let strange = named.iter().any(|name| !records.iter().any(|record| sequence(record) == *name));
    if strange { Some(0) } else { first }
}

pub(super) fn sequence(record: &Value) -> String {
    record["dynamodb"]["SequenceNumber"].as_str().unwrap_or_default().to_owned()
}

fn last(records: &[Value]) -> String {
    records.last().map(sequence).unwrap_or_default()
}
