//! Erasures that a request could not finish, and the second look at those that it could.

use crate::{App, PUT_OFF, side_by_side, sweep::Count};
use frontdesk::{
    flow::{advance_booking::Patience, resume_erasure},
    model::{
        erasure::ErasureState,
        ids::{ErasureId, SellerId},
        seller::Sellers,
    },
    store,
};
use futures_util::StreamExt;
use jiff::SignedDuration;

/// Erasures of one seller that are worked on at a time: each reads and writes 16 rows at once.
const AT_ONCE: usize = 2;
/// The most that one sweep takes.
const MOST: i32 = 50;
/// A sweep that begins without an end of its own works for so long.
const WORKS_FOR: SignedDuration = SignedDuration::from_secs(60);

/// Whatever is due, of every seller.
pub(crate) async fn sweep(app: &App, sellers: &Sellers, patience: Patience) -> Result<Count, store::Error> {
    let due = app.bookings.due_erasures(app.clock.now(), MOST).await?;
    let due = due.into_iter().map(|(seller, id)| (seller.clone(), (seller, id)));
    let mut runs = Box::pin(side_by_side(
        due,
        |_| AT_ONCE,
        |(seller, id)| async move {
            let ran = run(app, sellers, &seller, &id, patience).await;
            ran.inspect_err(|error| tracing::error!(seller = %seller, error = %error, "erasure.interrupted"))
        },
    ));
    let mut count = Count::default();
    while let Some(ran) = runs.next().await {
        count.due += 1;
        count.failed += usize::from(ran.is_err());
    }
    Ok(count)
}

async fn run(
    app: &App,
    sellers: &Sellers,
    seller: &SellerId,
    id: &ErasureId,
    patience: Patience,
) -> Result<(), store::Error> {
    let now = app.clock.now();
    let Some((seller_id, document)) = sellers.get(seller.as_str()) else {
        tracing::warn!(seller = %seller, "erasure.of_unknown_seller");
        return app.bookings.reschedule_erasure(seller, id, now + PUT_OFF).await;
    };
    let stop_by = patience.begin_until.unwrap_or(now + WORKS_FOR);
    if now >= stop_by {
        return Ok(());
    }
    let desk = app.desk(seller_id, document);
    let Some(run) = Box::pin(resume_erasure(&desk, id, stop_by)).await? else { return Ok(()) };
    if run.failure.is_none() && run.erasure.state == ErasureState::Done {
        tracing::info!(seller = %seller_id, "erasure.done");
    }
    run.failure.map_or(Ok(()), Err)
}
