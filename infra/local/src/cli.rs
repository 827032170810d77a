//! The command line.

use clap::Parser;
use std::{path::PathBuf, time::Duration};

/// Frontdesk on one machine: DynamoDB, API Gateway, Lambda, streams, schedules and a simulated Popin, with no account.
///
/// Everything listens on 127.0.0.1 only. When all is up, the last line printed is `ready http://127.0.0.1:PORT`.
/// Ctrl-C ends it.
#[derive(Clone, Debug, Parser)]
#[command(name = "local", after_long_help = AFTER)]
pub struct Cli {
    /// The port of the HTTP API; 0 takes a free one.
    #[arg(long, default_value_t = 7700)]
    pub port: u16,
    /// The port of the embedded DynamoDB, for any DynamoDB client; 0 takes a free one.
    #[arg(long, default_value_t = 7701)]
    pub dynamodb_port: u16,
    /// The port of the simulated Popin and of the controls; 0 takes a free one.
    #[arg(long, default_value_t = 7702)]
    pub sim_port: u16,
    /// Keep the state in DIR: a killed process finds it again. [default: in memory]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The sellers document; `popin.base_url` decides whether the simulator or a real Popin is called.
    /// [default: a demo seller at the simulator]
    #[arg(long, value_name = "FILE")]
    pub sellers: Option<PathBuf>,
    /// Use another DynamoDB; missing tables are made there, with the credentials of the environment.
    /// Its streams are not read: new bookings wait for the sweep, which runs on every tick, and Popin's webhooks do not
    /// settle a booking in doubt. [default: embedded]
    #[arg(long, value_name = "URL")]
    pub dynamodb: Option<String>,
    /// Fire every schedule each SECONDS, instead of as the template says.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub tick: Option<u64>,
    /// Run the function binaries (`cargo build --workspace` makes them) under a small Runtime API, instead of calling
    /// their handlers in this process. One environment a function: its requests wait for each other.
    #[arg(long)]
    pub bootstraps: bool,
    /// Print a trigger for each CRM, as commands to paste, and end.
    #[arg(long)]
    pub examples: bool,
}

const AFTER: &str = "\
Controls, on the port of the simulator:
  POST   /_sim/faults     {\"endpoint\":\"capture|slots|schedule|any\",\"fault\":\"...\",\"times\":1 (0: until cleared),\"after\":0,\"seconds\":2}
                          faults: refuse unprocessable unauthorized hang hang_after error error_after
                          bad_gateway_after rate_limited rate_limited_retry_after unavailable
                          unavailable_retry_after html truncated slow held reset status_text empty
  DELETE /_sim/faults     no more faults
  GET    /_sim/calls      what Popin was asked, and what it answered
  GET    /_sim/schedules  the calls that are booked at Popin
  GET    /_sim/customers  whom Popin captured
  GET    /_sim/webhooks   how webhooks go out; POST {\"mode\":\"on|off|late|twice\"} changes it
  POST   /_sim/events     {\"seller\":\"<its token, if several>\",\"mobile\":\"+91...\",\"event\":\"popin_call_missed\"} has Popin send a webhook
  POST   /_sim/records    {\"name\":\"hubspot/contacts/614\",\"record\":{...}} is a record that a CRM is asked for (zoho/Leads/ID, pipedrive/persons/ID)
  POST   /_sim/release    lets the replies that are held leave
  POST   /_sim/reset      Popin forgets everything
  POST   /_local/tick/{function}   fires that schedule now, and answers when it is done
  GET    /_local/tables/{events|slots|bookings}?limit=5   what is stored
  GET    /_local/dead-letters      stream records that a function failed at for good

Environment: LOG_LEVEL (error, warn, info, debug; default warn) is for standard error.
AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY have placeholder values where they are not set.";

impl Cli {
    pub fn every(&self) -> Option<Duration> {
        self.tick.map(Duration::from_secs)
    }
}
