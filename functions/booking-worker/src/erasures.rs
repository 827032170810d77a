//! Erasures that a request could not finish, and the second look at those that it could.

use crate::{
    App, FUNCTION, PUT_OFF, side_by_side,
    sweep::{Count, Gathered, finish, gather},
};
use frontdesk::{
    edge::telemetry::{By, Metrics},
    flow::{advance_booking::Patience, resume_erasure},
    model::{
        erasure::ErasureState,
        ids::{ErasureId, SellerId},
        seller::Sellers,
    },
    store::{
        self,
        keys::{self, Key},
    },
};
use futures_util::StreamExt;
use jiff::SignedDuration;

/// Erasures of one seller that are worked on at a time: each reads and writes 16 rows at once.
const AT_ONCE: usize = 2;
/// A sweep that begins without an end of its own works for so long.
const WORKS_FOR: SignedDuration = SignedDuration::from_secs(60);

/// Whatever is due, of every seller.
pub(crate) async fn sweep(app: &App, sellers: &Sellers, patience: Patience) -> Result<Count, store::Error> {
    let id = |key: &Key| keys::parse_erasure(&key.pk).filter(|_| key.sk == keys::ERASURE);
    let Gathered { rows, whole } = gather(app, [keys::DUE_ERASURES.to_owned()], id, patience).await;
    let mut runs = Box::pin(side_by_side(
        rows.into_iter().map(|(key, (seller, id))| (seller.clone(), (key, seller, id))),
        |_| AT_ONCE,
        |(key, seller, id)| async move {
            let ran = run(app, sellers, &key, (&seller, &id), patience).await;
            ran.inspect_err(|error| tracing::error!(seller = %seller, error = %error, "erasure.interrupted"))
        },
    ));
    let mut count = Count::default();
    while let Some(ran) = runs.next().await {
        count.due += 1;
        count.failed += usize::from(ran.is_err());
    }
    whole.map(|()| count)
}

async fn run(
    app: &App,
    sellers: &Sellers,
    key: &Key,
    (seller, id): (&SellerId, &ErasureId),
    patience: Patience,
) -> Result<(), store::Error> {
    let now = app.clock.now();
    let Some((seller_id, document)) = sellers.get(seller.as_str()) else {
        tracing::warn!(seller = %seller, "erasure.of_unknown_seller");
        return app.bookings.reschedule(key, now, now + PUT_OFF).await;
    };
    let stop_by = patience.begin_until.unwrap_or(now + WORKS_FOR);
    if now >= stop_by {
        return Ok(());
    }
    let desk = app.desk(seller_id, document);
    let run = match Box::pin(resume_erasure(&desk, id, stop_by)).await {
        Ok(Some(run)) => run,
        Ok(None) => return Ok(()),
        Err(error @ store::Error::Corrupt { .. }) => return finish(app, key, Some(seller), &error.to_string()).await,
        Err(error @ store::Error::Unavailable { .. }) => return Err(error),
    };
    let mut metrics = Metrics::default();
    metrics.count("RecordsUnreadable", run.unreadable).emit(FUNCTION, By::Seller(seller_id.as_str()), now);
    if run.failure.is_none() && run.erasure.state == ErasureState::Done {
        tracing::info!(seller = %seller_id, "erasure.done");
    }
    run.failure.map_or(Ok(()), Err)
}
