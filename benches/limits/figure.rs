//! One measured figure, its floor and its limit.

use comfy_table::{Cell, CellAlignment, Table, presets::ASCII_MARKDOWN};

/// How much a figure may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    /// So many times the floor.
    Times(f64),
    /// The floor and so much.
    Above(f64),
    /// So much, on any machine.
    Most(f64),
}

/// What was measured, in one unit.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) ours: f64,
    /// What is measured beside it, and what that is; nothing for a limit of its own.
    pub(crate) floor: Option<(f64, &'static str)>,
    pub(crate) unit: &'static str,
    pub(crate) limit: Limit,
}

impl Figure {
    /// Whether the limit holds. What needs a floor and has none does not.
    pub(crate) fn holds(&self) -> bool {
        let floor = self.floor.map_or(f64::NAN, |(floor, _)| floor);
        let most = match self.limit {
            Limit::Times(times) => floor * times,
            Limit::Above(much) => floor + much,
            Limit::Most(most) => most,
        };
        self.ours <= most
    }

    fn cells(&self) -> [String; 6] {
        let shown = |value: f64| format!("{value:.3} {}", self.unit);
        let limit = match self.limit {
            Limit::Times(times) => format!("{times} x"),
            Limit::Above(much) => format!("floor + {much} {}", self.unit),
            Limit::Most(most) => format!("{most} {}", self.unit),
        };
        [
            self.name.into(),
            shown(self.ours),
            self.floor.map_or_else(|| "-".into(), |(floor, what)| format!("{} ({what})", shown(floor))),
            self.floor.map_or_else(|| "-".into(), |(floor, _)| format!("{:.2}", self.ours / floor)),
            limit,
            if self.holds() { "ok" } else { "BROKEN" }.into(),
        ]
    }
}

/// All of them, as Markdown.
pub(crate) fn table(figures: &[Figure]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(["figure", "ours", "floor", "ratio", "limit", ""]);
    for figure in figures {
        table.add_row(figure.cells().map(|text| Cell::new(text).set_alignment(CellAlignment::Left)));
    }
    table
}
