//! Counts the calls to the outside, knows where each stands in the sources, and kills whoever makes the one it waits for.

use super::sources::{self, Place};
use local::fate::{Checkpoint, Doom, Escort, Fate, Fates, Passage};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// At which call of a scenario, and how far that call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kill {
    pub(super) call: usize,
    pub(super) at: Passage,
}

/// A call to the outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) operation: String,
    /// The crate's lines that it stands under, innermost first; empty where nobody looked.
    pub(super) path: Vec<Place>,
}

/// What the killed one would have come to next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It was in the midst of the call.
    Same,
    Call(Vec<Place>),
    /// Nothing: it was at its end.
    Answer,
    /// It began to wait for time.
    Pause,
}

impl Next {
    pub(super) fn path(&self) -> Option<&Vec<Place>> {
        match self {
            Self::Call(path) => Some(path),
            Self::Same | Self::Answer | Self::Pause => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Died {
    pub(super) in_call: Call,
    pub(super) next: Option<(usize, Vec<Place>)>,
    /// Whether it had come to its end; not known before somebody else begins.
    pub(super) ended: Option<bool>,
}

#[derive(Default)]
struct Books {
    calls: Vec<Call>,
    /// All calls are looked at, not only the one that kills.
    looks: bool,
    kill: Option<Kill>,
    /// A part of the scenario itself: the next call of this operation.
    planned: Option<(String, Passage)>,
    died: Option<Died>,
    over: bool,
}

/// One for a run.
#[derive(Default)]
pub(super) struct Reaper {
    doom: Arc<Doom>,
    books: Mutex<Books>,
}

impl Reaper {
    pub(super) fn new(kill: Option<Kill>) -> Arc<Self> {
        let books = Books { looks: kill.is_none(), kill, ..Books::default() };
        Arc::new(Self { books: Mutex::new(books), ..Self::default() })
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fates(&self) -> Fates {
        let doom = self.doom.clone();
        Arc::new(move |_: &str| Fate::Doomed(doom.clone()))
    }

    pub(super) fn checkpoint(self: &Arc<Self>) -> Checkpoint {
        let this = self.clone();
        Arc::new(move |operation: &str| this.begins(operation))
    }

    /// Whoever makes the next such call dies, in every run of the scenario.
    pub(super) fn plan(&self, operation: &str, at: Passage) {
        self.books().planned = Some((operation.to_owned(), at));
    }

    /// The scenario is played: nobody counts or dies any more.
    pub(super) fn retire(&self) {
        self.books().over = true;
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.books().calls.clone()
    }

    /// Who was killed after an answer had come as far as to the next call, with the number of that one.
    pub(super) fn came_to_call(&self) -> Option<(usize, Vec<Place>)> {
        self.books().died.as_ref()?.next.clone()
    }

    /// Whom it killed, and what would have been next.
    pub(super) fn died(&self) -> Option<(Call, Next)> {
        let books = self.books();
        let died = books.died.clone()?;
        let next = match (died.next, books.kill.map(|kill| kill.at)) {
            (_, Some(Passage::Leaves | Passage::Done)) => Next::Same,
            (Some((_, path)), _) => Next::Call(path),
            (None, _) if died.ended.unwrap_or_else(|| self.doom.was_too_late()) => Next::Answer,
            (None, _) => Next::Pause,
        };
        Some((died.in_call, next))
    }

    /// A call begins, in the very poll of whoever makes it.
    pub(super) fn begins(self: &Arc<Self>, operation: &str) -> Escort {
        let mut books = self.books();
        if self.doom.has_struck() {
            // Whoever dies has come this far in one breath.
            let number = books.calls.len();
            if let Some(died) = &mut books.died {
                died.next.get_or_insert_with(|| (number, sources::here()));
            }
            return Box::new(|_| false);
        }
        if let Some(died) = &mut books.died {
            died.ended.get_or_insert_with(|| self.doom.was_too_late());
        }
        if books.over {
            return Box::new(|_| true);
        }
        let number = books.calls.len();
        let meant = books.kill.is_some_and(|kill| kill.call == number);
        let looks = books.looks || meant;
        let path = if looks { sources::here() } else { Vec::new() };
        books.calls.push(Call { operation: operation.to_owned(), path });
        // Nobody dies twice.
        let planned = books.planned.take_if(|(planned, _)| planned == operation).filter(|_| !meant).map(|(_, at)| at);
        let this = self.clone();
        Box::new(move |passage| this.passes(number, passage, planned))
    }

    fn passes(&self, number: usize, passage: Passage, planned: Option<Passage>) -> bool {
        if self.doom.has_struck() {
            return false;
        }
        let mut books = self.books();
        let meant = books.kill == Some(Kill { call: number, at: passage });
        if meant {
            books.died = Some(Died { in_call: books.calls[number].clone(), next: None, ended: None });
        }
        if meant || planned == Some(passage) {
            self.doom.strike();
            return passage == Passage::Answered;
        }
        true
    }
}
