//! How long the vendors take: a metric for every call that leaves, whatever came of it.

use super::{
    clock::SystemClock,
    telemetry::{By, Invocation, Metrics},
};
use crate::{
    flow::Clock as _,
    popin::{Transport, TransportError},
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response, Uri};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Whom a way leads to.
#[derive(Clone, Copy, Debug)]
enum Whom {
    Popin,
    Crm,
}

/// A way to a vendor with a stopwatch.
pub struct Timed {
    way: Arc<dyn Transport>,
    whom: Whom,
}

impl Timed {
    pub fn popin(way: Arc<dyn Transport>) -> Arc<dyn Transport> {
        Arc::new(Self { way, whom: Whom::Popin })
    }

    /// To the CRMs and to what sellers name.
    pub fn crm(way: Arc<dyn Transport>) -> Arc<dyn Transport> {
        Arc::new(Self { way, whom: Whom::Crm })
    }
}

impl Transport for Timed {
    fn send(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let (uri, began) = (request.uri().clone(), Instant::now());
            let answer = self.way.send(request, timeout).await;
            tell(self.whom, &uri, began.elapsed());
            answer
        })
    }
}

/// Seconds, by what Popin was asked for; the CRMs are one, for their paths have ids in them.
fn tell(whom: Whom, uri: &Uri, took: Duration) {
    let Some(Invocation { function, .. }) = Invocation::current() else { return };
    let (mut metrics, seconds) = (Metrics::default(), took.as_secs_f64());
    match (whom, uri.path().rsplit('/').next()) {
        (Whom::Crm, _) => metrics.seconds("CrmSeconds", seconds),
        (Whom::Popin, Some("capture")) => metrics.seconds("PopinCaptureSeconds", seconds),
        (Whom::Popin, Some("schedule")) => metrics.seconds("PopinScheduleSeconds", seconds),
        (Whom::Popin, _) => metrics.seconds("PopinSlotsSeconds", seconds),
    };
    metrics.emit(function, By::Function, SystemClock.now());
}
