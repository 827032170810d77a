//! Every pair of state and outcome, walked.

mod diagram;

use super::*;
use crate::model::ids::CustomerId;

fn customer() -> Customer {
    Customer { id: CustomerId::parse("MzE1").unwrap(), join_url: None }
}

fn held(unsettled: u32) -> Held {
    let slot = Slot { start: Timestamp::UNIX_EPOCH, vendor_time: "Thu, 01 Jan 1970 05:30 AM".into() };
    Held { slot, place: 0, shared: false, unsettled }
}

fn scheduled(confirmed_by: ConfirmedBy) -> State {
    State::Scheduled { customer: Some(customer()), held: Some(held(0)), confirmed_by }
}

fn needs_human(reason: HumanReason) -> State {
    State::NeedsHuman { customer: Some(customer()), held: Some(held(0)), reason }
}

fn told() -> Told {
    Told { time: Some("24-Nov-2026 10:45 AM".into()), same_phone: true }
}

fn states() -> Vec<State> {
    let (customer, until) = (customer(), Timestamp::UNIX_EPOCH);
    vec![
        State::Requested,
        State::Captured { customer: customer.clone() },
        State::SlotHeld { customer: customer.clone(), held: held(0) },
        State::SlotHeld { customer: customer.clone(), held: held(1) },
        State::SlotHeld { customer: customer.clone(), held: held(2) },
        State::Scheduling { customer: customer.clone(), held: held(0) },
        State::Scheduling { customer: customer.clone(), held: held(1) },
        State::InDoubt { customer: customer.clone(), held: held(0), until },
        State::InDoubt { customer: customer.clone(), held: held(1), until },
        scheduled(ConfirmedBy::Reply),
        scheduled(ConfirmedBy::Webhook),
        scheduled(ConfirmedBy::Human),
        State::NoSlot { customer: customer.clone() },
        State::Refused { customer: Some(customer.clone()), reason: RefusedReason::ResolvedByHuman },
        needs_human(HumanReason::OutcomeUnknown),
        needs_human(HumanReason::ReplyDisagrees),
        needs_human(HumanReason::WebhookDisagrees),
        State::NeedsHuman { customer: None, held: None, reason: HumanReason::PopinUnavailable },
    ]
}

fn outcomes() -> Vec<Outcome> {
    vec![
        Outcome::CapturedAs(customer()),
        Outcome::LeadRefused("no".into()),
        Outcome::SlotPicked(held(0)),
        Outcome::NothingFree,
        Outcome::SlotGone(Vec::new()),
        Outcome::Asking,
        Outcome::Confirmed,
        Outcome::Disagreed(told()),
        Outcome::Contradicted(told()),
        Outcome::SlotRefused,
        Outcome::SlotPassed,
        Outcome::NotDone,
        Outcome::Unanswered { until: Timestamp::UNIX_EPOCH },
        Outcome::Witnessed,
        Outcome::WindowOver(OnSilence::AskHuman),
        Outcome::WindowOver(OnSilence::Retry),
        Outcome::GaveUp(HumanReason::PopinUnavailable),
        Outcome::Resolved(Resolution::Scheduled),
        Outcome::Resolved(Resolution::NotScheduled),
        Outcome::Resolved(Resolution::Retry),
    ]
}

#[test]
fn a_booking_at_rest_moves_only_for_popins_own_word_or_a_person() {
    for state in states().into_iter().filter(State::at_rest) {
        for outcome in outcomes() {
            let moved = state.clone().after(outcome.clone());
            let may = matches!(
                outcome,
                Outcome::Witnessed
                    | Outcome::Contradicted(_)
                    | Outcome::Confirmed
                    | Outcome::Disagreed(_)
                    | Outcome::Resolved(_)
            );
            assert!(may || moved.is_err(), "{} took {}", state.as_str(), outcome.as_str());
        }
    }
}

#[test]
fn only_an_intent_leads_to_a_call_and_only_a_held_slot_to_an_intent() {
    for state in states() {
        for outcome in outcomes() {
            let name = outcome.as_str();
            if let Ok(State::Scheduling { .. }) = state.clone().after(outcome) {
                assert_eq!((state.as_str(), name), ("slot_held", "asking"));
            }
        }
    }
}

#[test]
fn where_popin_may_have_the_call_the_claim_is_never_given_back_without_a_definite_answer_or_a_person() {
    for state in states() {
        let unsettled = matches!(&state, State::SlotHeld { held, .. } if held.unsettled > 0);
        let may_have = unsettled || matches!(state, State::Scheduling { .. } | State::InDoubt { .. });
        for outcome in outcomes().into_iter().filter(|_| may_have) {
            let definite = matches!(outcome, Outcome::SlotRefused | Outcome::SlotGone(_))
                && !matches!(state, State::SlotHeld { .. });
            let late_no = matches!((&state, &outcome), (State::SlotHeld { .. }, Outcome::SlotRefused));
            if let Ok(next) = state.clone().after(outcome.clone()) {
                assert!(
                    next.held().is_some() || definite || late_no,
                    "{} lost its claim by {}",
                    state.as_str(),
                    outcome.as_str()
                );
            }
        }
    }
}

#[test]
fn a_person_ends_what_needs_a_human_or_sends_it_on_its_way() {
    let asks =
        |customer: Option<Customer>| State::NeedsHuman { customer, held: None, reason: HumanReason::PopinUnavailable };
    let after = |state: State, resolution| state.after(Outcome::Resolved(resolution)).unwrap().as_str();
    assert_eq!(after(asks(Some(customer())), Resolution::Scheduled), "scheduled");
    assert_eq!(after(asks(Some(customer())), Resolution::NotScheduled), "refused");
    assert_eq!(after(asks(Some(customer())), Resolution::Retry), "captured");
    assert_eq!(after(asks(None), Resolution::Retry), "requested");
}

#[test]
fn where_reply_and_webhook_disagree_a_person_is_asked_in_whatever_order_they_come() {
    let after = |state: State, outcomes: &[Outcome]| {
        outcomes.iter().fold(state, |state, outcome| state.after(outcome.clone()).unwrap())
    };
    let asked = || State::Scheduling { customer: customer(), held: held(0) };
    let (yes, no) = (Outcome::Confirmed, Outcome::Disagreed(told()));
    let (seen, another) = (Outcome::Witnessed, Outcome::Contradicted(told()));
    for outcomes in [[yes.clone(), another.clone()], [another.clone(), yes]] {
        assert_eq!(after(asked(), &outcomes), needs_human(HumanReason::WebhookDisagrees));
    }
    for outcomes in [[no.clone(), seen.clone()], [seen.clone(), no]] {
        assert_eq!(after(asked(), &outcomes), needs_human(HumanReason::ReplyDisagrees));
    }
    // A webhook that fits shows that the other one was about another call.
    assert_eq!(after(asked(), &[another, seen]), scheduled(ConfirmedBy::Webhook));
    assert!(scheduled(ConfirmedBy::Human).after(Outcome::Contradicted(told())).is_err());
}

#[test]
fn a_no_to_a_second_ask_for_a_slot_says_nothing_about_the_first() {
    let asks_a_person = |state: State, outcome: Outcome| {
        let after = state.after(outcome).unwrap();
        assert_eq!(
            after,
            State::NeedsHuman {
                customer: Some(customer()),
                held: after.held().cloned(),
                reason: HumanReason::OutcomeUnknown
            }
        );
        assert!(after.held().is_some());
    };
    let again = |unsettled| State::Scheduling { customer: customer(), held: held(unsettled) };
    asks_a_person(again(1), Outcome::SlotRefused);
    asks_a_person(again(1), Outcome::SlotGone(Vec::new()));
    let silent = again(1).after(Outcome::Unanswered { until: Timestamp::UNIX_EPOCH }).unwrap();
    asks_a_person(silent.clone(), Outcome::SlotRefused);
    let held_again = silent.after(Outcome::WindowOver(OnSilence::Retry)).unwrap();
    assert_eq!(held_again.held().unwrap().unsettled, 2);
    asks_a_person(held_again.clone(), Outcome::SlotRefused);
    let one_less = held_again.after(Outcome::NotDone).unwrap();
    assert_eq!(one_less.held().unwrap().unsettled, 1);
    // The late no to the only ask is a definite one.
    assert_eq!(one_less.after(Outcome::SlotRefused).unwrap().as_str(), "captured");
    assert_eq!(again(0).after(Outcome::SlotRefused).unwrap().as_str(), "captured");
}

#[test]
fn a_place_is_a_slot_and_a_number_and_nothing_else() {
    let other_slot = Slot { start: Timestamp::from_second(900).unwrap(), ..held(0).slot };
    assert!(held(0).same_place(&Held { shared: true, unsettled: 2, ..held(0) }));
    assert!(!held(0).same_place(&Held { place: 1, ..held(0) }));
    assert!(!held(0).same_place(&Held { slot: other_slot, ..held(0) }));
}
