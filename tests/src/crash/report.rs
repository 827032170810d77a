//! What a sweep came to: every call with its kills and their ends, and every await point with what was seen under it.

use super::{
    Run,
    reaper::{Call, Kill, Next},
    scenarios::Scenario,
    sources::{self, Place, Point},
};
use local::fate::Passage;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

pub struct Sweep {
    points: Vec<Point>,
    scenarios: Vec<Played>,
}

struct Played {
    scenario: &'static Scenario,
    unharmed: Run,
    killed: BTreeMap<usize, Vec<(Passage, Run)>>,
}

/// What was seen under an await point.
#[derive(Clone, Copy, Debug, Default)]
struct Under {
    calls: usize,
    kills: [usize; 3],
    scenarios: usize,
}

impl Sweep {
    pub(super) fn new(unharmed: impl Iterator<Item = (&'static Scenario, Run)>) -> Self {
        let played = |(scenario, unharmed)| Played { scenario, unharmed, killed: BTreeMap::new() };
        let scenarios = unharmed.map(played).collect();
        Self { points: sources::points(), scenarios }
    }

    pub(super) fn add(&mut self, scenario: usize, kill: Kill, run: Run) {
        self.scenarios[scenario].killed.entry(kill.call).or_default().push((kill.at, run));
    }

    pub fn kills(&self) -> usize {
        self.scenarios.iter().flat_map(|played| played.killed.values()).map(Vec::len).sum()
    }

    /// Every promise that was broken, and where.
    pub fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        for played in &self.scenarios {
            let name = played.scenario.name;
            found.extend(played.unharmed.violations.iter().map(|what| format!("{name}, unharmed: {what}")));
            for (call, runs) in &played.killed {
                for (at, run) in runs {
                    let seen = &played.unharmed.calls[*call];
                    let told = format!("{name}, killed {} call {call}, {seen}", word(*at));
                    found.extend(run.violations.iter().map(|what| format!("{told}: {what}")));
                    found.extend(played.astray(seen, run).map(|what| format!("{told}: {what}")));
                }
            }
        }
        found
    }

    /// The await points, each with what was seen under it.
    fn under(&self) -> BTreeMap<Place, Under> {
        let mut under: BTreeMap<Place, Under> =
            self.points.iter().map(|point| (point.place.clone(), Under::default())).collect();
        for played in &self.scenarios {
            let mut here = BTreeSet::new();
            for (number, call) in played.unharmed.calls.iter().enumerate() {
                for place in call.path.iter().collect::<BTreeSet<_>>() {
                    let Some(seen) = under.get_mut(place) else { continue };
                    seen.calls += 1;
                    here.insert(place.clone());
                    for (at, _) in played.killed.get(&number).into_iter().flatten() {
                        seen.kills[*at as usize] += 1;
                    }
                }
            }
            for run in played.killed.values().flatten().map(|(_, run)| run) {
                for point in self.points.iter().filter(|point| point.pauses && paused_at(point, run)) {
                    let seen = under.entry(point.place.clone()).or_default();
                    seen.kills[Passage::Answered as usize] += 1;
                    here.insert(point.place.clone());
                }
            }
            for place in here {
                under.entry(place).or_default().scenarios += 1;
            }
        }
        under
    }

    /// The await points that nobody was killed at.
    pub fn missed(&self) -> Vec<String> {
        let under = self.under();
        let missed = self.points.iter().filter(|point| {
            let seen = under[&point.place];
            if point.pauses { seen.kills[Passage::Answered as usize] == 0 } else { seen.kills.contains(&0) }
        });
        missed.map(|point| format!("{} {}", point.place, point.text)).collect()
    }

    /// A pause is told by its file alone: that holds while a file has one.
    pub fn pauses(&self) -> Vec<&Point> {
        self.points.iter().filter(|point| point.pauses).collect()
    }
}

/// Killed after an answer, in the file of the pause, with nothing but time to wait for.
fn paused_at(point: &Point, run: &Run) -> bool {
    let died = run.died.as_ref();
    died.is_some_and(|(call, next)| {
        *next == Next::Pause && call.path.iter().any(|place| place.file == point.place.file)
    })
}

impl Played {
    /// The kill must have struck where it was meant to; and whoever never came into doubt ends as if nothing had been.
    fn astray(&self, seen: &Call, run: &Run) -> Option<String> {
        let Some((call, next)) = &run.died else { return Some("nobody was killed".to_owned()) };
        if call != seen {
            return Some(format!("the call was {call}"));
        }
        if let Some(number) = run.goes_on_as {
            let known = self.killed.contains_key(&number)
                && self.unharmed.calls.get(number).map(|call| &call.path) == next.path();
            return (!known).then(|| format!("it came to call {number}, which is another one unharmed"));
        }
        for (end, was) in run.ends.iter().zip(&self.unharmed.ends) {
            let doubted = end.history.iter().any(|state| state == "in_doubt");
            if end.state != was.state && !doubted && !self.scenario.or.contains(&end.state.as_str()) {
                return Some(format!("ended {} in place of {}: {:?}", end.state, was.state, end.history));
            }
        }
        None
    }

    /// How the bookings ended; a run that goes on as another one ends as that.
    fn states(&self, run: &Run) -> String {
        match run.goes_on_as.and_then(|number| self.killed.get(&number)) {
            Some(runs) => {
                runs.iter().find(|(at, _)| *at == Passage::Leaves).map(|(_, run)| states(run)).unwrap_or_default()
            }
            None => states(run),
        }
    }
}

fn word(at: Passage) -> &'static str {
    match at {
        Passage::Leaves => "before",
        Passage::Done => "after the effect of",
        Passage::Answered => "after the reply to",
    }
}

fn states(run: &Run) -> String {
    run.ends.iter().map(|end| end.state.as_str()).collect::<Vec<_>>().join("+")
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.operation)?;
        self.path.iter().try_for_each(|place| write!(f, " < {place}"))
    }
}

impl fmt::Display for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for played in &self.scenarios {
            writeln!(f, "\n{}: {}", played.scenario.name, states(&played.unharmed))?;
            for (number, runs) in &played.killed {
                writeln!(f, "  {number:>3} {}", played.unharmed.calls[*number])?;
                for (at, run) in runs {
                    let next = match run.died.as_ref().map(|(_, next)| next) {
                        Some(Next::Call(path)) => path
                            .iter()
                            .find(|place| place.file.starts_with("flow/"))
                            .map(|place| format!(", next {place}")),
                        Some(Next::Answer) => Some(", its answer is lost".to_owned()),
                        Some(Next::Pause) => Some(", in a pause".to_owned()),
                        Some(Next::Same) | None => None,
                    };
                    writeln!(f, "        killed {} it{}: {}", word(*at), next.unwrap_or_default(), played.states(run))?;
                }
            }
        }
        let under = self.under();
        writeln!(
            f,
            "\nawait points: calls seen under each; kills before, after the effect, after the reply; scenarios"
        )?;
        for point in &self.points {
            let Under { calls, kills: [before, done, answered], scenarios } = under[&point.place];
            let place = point.place.to_string();
            let pause = if point.pauses { " (a pause: no call is made)" } else { "" };
            writeln!(
                f,
                "  {place:<38} {calls:>4} {before:>4} {done:>4} {answered:>4} {scenarios:>3}  {}{pause}",
                point.text
            )?;
        }
        let of = (self.points.len(), self.scenarios.len(), self.kills());
        writeln!(f, "{} await points, {} scenarios, {} kills", of.0, of.1, of.2)
    }
}
