//! A goal, what was measured for it, and whether it holds.
//!
//! Owns the comparison and its forms for people and for files. A goal that is
//! missed is a figure like any other: nothing fails.

use crate::bench::report::{Cell, Table, median};
use serde_json::{Value, json};

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// Not above this.
    AtMost(f64),
    /// Not below this.
    AtLeast(f64),
}

impl Goal {
    fn holds(self, figure: f64) -> bool {
        match self {
            Self::AtMost(limit) => figure <= limit,
            Self::AtLeast(limit) => figure >= limit,
        }
    }

    pub(crate) fn shown(self) -> String {
        match self {
            Self::AtMost(limit) => format!("≤ {limit}"),
            Self::AtLeast(limit) => format!("≥ {limit}"),
        }
    }
}

/// One goal of a measure and what was found.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// The measure's number.
    pub(crate) measure: &'static str,
    /// What the figure is, its unit included.
    pub(crate) what: String,
    /// One a round.
    pub(crate) figures: Vec<f64>,
    pub(crate) goal: Goal,
    /// Why the figure is not worth much, if so: it then neither holds nor fails.
    pub(crate) void: Option<String>,
}

impl Verdict {
    pub(crate) fn new(
        measure: &'static str,
        what: impl Into<String>,
        figures: Vec<f64>,
        goal: Goal,
    ) -> Self {
        let finite = figures.iter().all(|figure| figure.is_finite());
        let void = (figures.is_empty() || !finite).then(|| "nothing was measured".to_owned());
        Self {
            measure,
            what: what.into(),
            figures,
            goal,
            void,
        }
    }

    /// The same, worth nothing if `is_void`.
    pub(crate) fn void_if(mut self, is_void: bool, why: &str) -> Self {
        if is_void && self.void.is_none() {
            self.void = Some(why.to_owned());
        }
        self
    }

    /// Whether the median holds; `None` where the figure is void.
    pub(crate) fn holds(&self) -> Option<bool> {
        let holds = self.goal.holds(median(&self.figures));
        self.void.is_none().then_some(holds)
    }

    fn answer(&self) -> String {
        match (self.holds(), &self.void) {
            (Some(true), _) => "holds".to_owned(),
            (Some(false), _) => "missed".to_owned(),
            (None, why) => format!("void: {}", why.as_deref().unwrap_or("not known")),
        }
    }

    pub(crate) fn value(&self) -> Value {
        json!({
            "measure": self.measure,
            "what": self.what,
            "median": median(&self.figures),
            "rounds": self.figures,
            "goal": self.goal.shown(),
            "holds": self.holds(),
            "void": self.void,
        })
    }
}

/// The verdicts as a table.
pub(crate) fn table(verdicts: &[Verdict]) -> Table {
    let columns = &["measure", "what", "measured", "goal", "answer"];
    let mut table = Table::new("goals", columns);
    for verdict in verdicts {
        table.row(vec![
            Cell::text(verdict.measure),
            Cell::text(&verdict.what),
            Cell::Rounds(verdict.figures.clone()),
            Cell::text(verdict.goal.shown()),
            Cell::text(verdict.answer()),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_decides() {
        let verdict = |figures: &[f64]| {
            Verdict::new("1", "ratio", figures.to_vec(), Goal::AtMost(0.45)).holds()
        };
        assert_eq!(verdict(&[0.4, 0.9, 0.44]), Some(true));
        assert_eq!(verdict(&[0.4, 0.9, 0.46]), Some(false));
        assert_eq!(
            Verdict::new("1", "ratio", vec![2.0], Goal::AtLeast(2.0)).holds(),
            Some(true)
        );
    }

    #[test]
    fn what_was_not_measured_neither_holds_nor_fails() {
        let nothing = Verdict::new("1", "ratio", vec![], Goal::AtMost(1.0));
        assert_eq!(nothing.holds(), None);
        let lost = Verdict::new("1", "ratio", vec![0.5], Goal::AtMost(1.0));
        let lost = lost.void_if(true, "the peer lost keys");
        assert_eq!(lost.holds(), None);
        assert_eq!(lost.value()["void"], "the peer lost keys");
        assert!(
            Verdict::new("1", "x", vec![f64::NAN], Goal::AtMost(1.0))
                .holds()
                .is_none()
        );
    }
}
