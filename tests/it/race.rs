//! Two hundred bookings for one slot; `cargo run -p system-tests --release -- --race 100` runs more rounds.

#[tokio::test(start_paused = true)]
async fn two_hundred_bookings_that_race_for_one_slot_have_one_winner() {
    for round in 0..2 {
        Box::pin(system_tests::race::one(round)).await.unwrap();
    }
}
