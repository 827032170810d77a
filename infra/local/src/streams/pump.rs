//! Reads the embedded database's streams and hands their records to the functions.

use super::{
    DeadLetters, Positions, Unkept,
    delivery::{Delivery, Step, sequence},
    filter::{Pattern, UnknownPattern},
};
use crate::{
    dynamodb::Embedded,
    functions::{Failure, Invoker},
    template::{StreamMapping, Template},
};
use dynoxide::{
    DynoxideError,
    actions::{
        get_records::GetRecordsRequest, get_shard_iterator::GetShardIteratorRequest, list_streams::ListStreamsRequest,
    },
    streams,
};
use frontdesk::flow::Clock;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// How many records one read brings.
const PAGE: usize = 100;
/// How long a write by somebody else than the SDK goes unseen.
const POLL: Duration = Duration::from_millis(100);
/// No pause between two tries is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
pub enum NoPump {
    #[error("infra/template.yaml: {0}")]
    Pattern(#[from] UnknownPattern),
    #[error("the table {0} has no stream")]
    NoStream(String),
    #[error("the streams cannot be read: {0}")]
    Unread(String),
    #[error(transparent)]
    Unkept(#[from] Unkept),
}

impl From<DynoxideError> for NoPump {
    fn from(error: DynoxideError) -> Self {
        Self::Unread(error.to_string())
    }
}

/// Every stream mapping of the template. Clones are the same.
#[derive(Clone)]
pub struct Pump(Arc<Inner>);

struct Inner {
    db: Embedded,
    invoker: Arc<Invoker>,
    clock: Arc<dyn Clock>,
    positions: Positions,
    dead_letters: DeadLetters,
    /// The pause after a first failure; it doubles.
    first_pause: Duration,
    batches: Batches,
    lines: Vec<Line>,
}

/// The batches that a read is delivered in. Lambda promises the order of each key's records, and each at least once.
pub type Batches = Arc<dyn Fn(Vec<Value>) -> Vec<Vec<Value>> + Send + Sync>;

struct Line {
    function: String,
    mapping: StreamMapping,
    patterns: Vec<Pattern>,
    stream: String,
    /// A mapping is read by one at a time.
    reading: tokio::sync::Mutex<()>,
}

/// Where the pump keeps its books, and how patient it is.
pub struct PumpOptions {
    pub positions: Positions,
    pub dead_letters: DeadLetters,
    pub first_pause: Duration,
    pub batches: Batches,
}

impl PumpOptions {
    /// As read, once.
    pub fn plain(positions: Positions, dead_letters: DeadLetters, first_pause: Duration) -> Self {
        Self { positions, dead_letters, first_pause, batches: Arc::new(|read| vec![read]) }
    }
}

impl Pump {
    pub fn new(
        template: &Template,
        db: Embedded,
        invoker: Arc<Invoker>,
        clock: Arc<dyn Clock>,
        options: PumpOptions,
    ) -> Result<Self, NoPump> {
        let mut lines = Vec::new();
        for function in &template.functions {
            for mapping in &function.streams {
                let request = ListStreamsRequest { table_name: Some(mapping.table.clone()), ..Default::default() };
                let listed = db.database().list_streams(request)?.streams.into_iter().next();
                lines.push(Line {
                    function: function.name.clone(),
                    mapping: mapping.clone(),
                    patterns: mapping.patterns.iter().map(Pattern::parse).collect::<Result<_, _>>()?,
                    stream: listed.ok_or_else(|| NoPump::NoStream(mapping.table.clone()))?.stream_arn,
                    reading: tokio::sync::Mutex::default(),
                });
            }
        }
        let PumpOptions { positions, dead_letters, first_pause, batches } = options;
        Ok(Self(Arc::new(Inner { db, invoker, clock, positions, dead_letters, first_pause, batches, lines })))
    }

    pub fn dead_letters(&self) -> Vec<Value> {
        self.0.dead_letters.all()
    }

    /// Delivers until no stream has anything left, and says how many records functions took or were given up on.
    pub async fn drain(&self) -> Result<usize, NoPump> {
        let mut delivered = 0;
        loop {
            let before = delivered;
            for line in &self.0.lines {
                delivered += self.0.drain(line).await?;
            }
            if delivered == before {
                return Ok(delivered);
            }
        }
    }

    /// One endless task per mapping.
    pub fn tasks(&self) -> Vec<impl Future<Output = ()> + Send + use<>> {
        (0..self.0.lines.len()).map(|at| run(self.0.clone(), at)).collect()
    }
}

async fn run(pump: Arc<Inner>, at: usize) {
    loop {
        if let Err(error) = pump.drain(&pump.lines[at]).await {
            tracing::error!(error = %error, mapping = pump.lines[at].mapping.name, "stream.not_read");
            tokio::time::sleep(LONGEST_PAUSE).await;
        }
        // Not to be woken is as good as to be: then it looks for itself.
        drop(tokio::time::timeout(POLL, pump.db.written()).await);
    }
}

impl Inner {
    async fn drain(&self, line: &Line) -> Result<usize, NoPump> {
        let _reading = line.reading.lock().await;
        let name = &line.mapping.name;
        let mut delivered = 0;
        loop {
            let read = self.read(line)?;
            let Some(last) = read.last().map(sequence) else { return Ok(delivered) };
            let wanted = |record: &Value| line.patterns.is_empty() || line.patterns.iter().any(|p| p.lets_pass(record));
            let records: Vec<Value> = read.into_iter().filter(wanted).collect();
            delivered += records.len();
            for batch in (self.batches)(records) {
                self.deliver(line, batch).await?;
            }
            self.positions.advance(name, &line.stream, &last)?;
        }
    }

    fn read(&self, line: &Line) -> Result<Vec<Value>, NoPump> {
        let after = self.positions.after(&line.mapping.name, &line.stream);
        let kind = if after.is_some() { "AFTER_SEQUENCE_NUMBER" } else { "TRIM_HORIZON" };
        let db = self.db.database();
        let iterator = db.get_shard_iterator(GetShardIteratorRequest {
            stream_arn: line.stream.clone(),
            shard_id: streams::shard_id(&line.mapping.table),
            shard_iterator_type: kind.to_owned(),
            sequence_number: after,
        })?;
        let shard_iterator = iterator.shard_iterator.unwrap_or_default();
        let answer = db.get_records(GetRecordsRequest { shard_iterator, limit: Some(PAGE) })?;
        let records = serde_json::to_value(answer.records).map_err(|error| NoPump::Unread(error.to_string()))?;
        let Value::Array(mut records) = records else { return Ok(Vec::new()) };
        for record in &mut records {
            record["eventSourceARN"] = line.stream.as_str().into();
        }
        Ok(records)
    }

    async fn deliver(&self, line: &Line, records: Vec<Value>) -> Result<(), NoPump> {
        let mut delivery = Delivery::new(&records, &line.mapping);
        while let Some(batch) = delivery.batch() {
            let answer = self.invoker.event(&line.function, json!({ "Records": batch })).await;
            match delivery.answered(answer.as_ref().map_err(drop)) {
                Step::Settled(through) => self.positions.advance(&line.mapping.name, &line.stream, &through)?,
                Step::Again { settled, failures } => {
                    tracing::warn!(mapping = line.mapping.name, failures, why = why(&answer), "stream.tried_again");
                    if let Some(through) = settled {
                        self.positions.advance(&line.mapping.name, &line.stream, &through)?;
                    }
                    let pause = self.first_pause.saturating_mul(1 << (failures - 1).min(16));
                    tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
                }
                Step::GivenUp { records, attempts, settled } => {
                    tracing::error!(mapping = line.mapping.name, attempts, why = why(&answer), "stream.given_up");
                    self.dead_letters.add(self.letter(line, &records, attempts, &why(&answer)))?;
                    self.positions.advance(&line.mapping.name, &line.stream, &settled)?;
                }
            }
        }
        Ok(())
    }

    /// Keys and numbers, as in the cloud: the records themselves may hold people.
    fn letter(&self, line: &Line, records: &[Value], attempts: u32, why: &str) -> Value {
        let named = |record: &Value| {
            let (keys, number) = (&record["dynamodb"]["Keys"], &record["dynamodb"]["SequenceNumber"]);
            json!({ "eventName": record["eventName"], "keys": keys, "sequenceNumber": number })
        };
        json!({
            "at": self.clock.now().to_string(),
            "function": line.function,
            "mapping": line.mapping.name,
            "table": line.mapping.table,
            "condition": "RetryAttemptsExhausted",
            "attempts": attempts,
            "why": why,
            "records": records.iter().map(named).collect::<Vec<_>>(),
        })
    }
}

fn why(answer: &Result<Value, Failure>) -> String {
    match answer {
        Ok(_) => "the function named the record as failed".to_owned(),
        Err(failure) => failure.to_string(),
    }
}
