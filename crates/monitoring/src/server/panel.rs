//! What a panel of the page holds.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

/// A part of a panel: figures, a table, a chart or a sentence. The page sets all of it as text.
///
/// What is too much for a page is cut, and the panel says how much there is.
///
/// ```
/// use chrono::{DateTime, TimeDelta};
/// use trading_monitoring::Part;
///
/// let day = |day| DateTime::UNIX_EPOCH + TimeDelta::days(day);
/// let parts = [
///     Part::text("Since the start of the year."),
///     Part::facts([("agents", "5"), ("positions", "12")]),
///     Part::table(["agent", "return"], [["pelosi", "12.5 %"]]),
///     Part::chart("USD", [("pelosi", vec![(day(0), 10_000.0), (day(1), 10_050.0)])]),
/// ];
/// # drop(parts);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    json: Value,
}

impl Part {
    /// How many rows a table may have, and facts may be.
    pub const ROWS_MAX: usize = 500;
    /// How many points a line of a chart may have: beyond, every second one is left out, and so on.
    pub const POINTS_MAX: usize = 1_000;
    /// How many lines a chart may have: more cannot be told apart.
    pub const LINES_MAX: usize = 8;

    /// A sentence.
    #[must_use]
    pub fn text(sentence: impl Into<String>) -> Self {
        Self { json: json!({ "kind": "text", "text": sentence.into() }) }
    }

    /// Names and what there is to say of each.
    #[must_use]
    pub fn facts<N: Into<String>, F: Into<String>>(facts: impl IntoIterator<Item = (N, F)>) -> Self {
        let mut facts: Vec<Value> = facts.into_iter().map(|(name, fact)| json!([name.into(), fact.into()])).collect();
        let total = cut(&mut facts);
        Self { json: json!({ "kind": "facts", "facts": facts, "total": total }) }
    }

    /// Rows under the names of their columns.
    #[must_use]
    pub fn table<C, R, T>(columns: impl IntoIterator<Item = C>, rows: impl IntoIterator<Item = R>) -> Self
    where
        C: Into<String>,
        R: IntoIterator<Item = T>,
        T: Into<String>,
    {
        let columns: Vec<String> = columns.into_iter().map(Into::into).collect();
        let cells = |row: R| Value::from(row.into_iter().map(Into::into).collect::<Vec<String>>());
        let mut rows: Vec<Value> = rows.into_iter().map(cells).collect();
        let total = cut(&mut rows);
        Self { json: json!({ "kind": "table", "columns": columns, "rows": rows, "total": total }) }
    }

    /// Lines over time, each with its name and its points in the order of time. A value that is no number leaves a gap.
    #[must_use]
    pub fn chart<N: Into<String>>(
        unit: impl Into<String>,
        lines: impl IntoIterator<Item = (N, Vec<(DateTime<Utc>, f64)>)>,
    ) -> Self {
        let line = |(name, points): (N, Vec<(DateTime<Utc>, f64)>)| {
            let step = points.len().div_ceil(Self::POINTS_MAX).max(1);
            // From the end, so that the newest one is there.
            let mut points: Vec<Value> =
                points.iter().rev().step_by(step).map(|(at, value)| json!([at.timestamp_millis(), value])).collect();
            points.reverse();
            json!({ "name": name.into(), "points": points })
        };
        let lines: Vec<Value> = lines.into_iter().take(Self::LINES_MAX).map(line).collect();
        Self { json: json!({ "kind": "chart", "unit": unit.into(), "lines": lines }) }
    }

    pub(super) fn into_json(self) -> Value {
        self.json
    }
}

fn cut(rows: &mut Vec<Value>) -> usize {
    let total = rows.len();
    rows.truncate(Part::ROWS_MAX);
    total
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn what_is_too_much_is_cut_and_said() {
        let table = |rows: usize| Part::table(["n"], (0..rows).map(|number| [number.to_string()])).into_json();
        for (rows, shown) in [(0, 0), (500, 500), (501, 500)] {
            let table = table(rows);
            assert_eq!((table["rows"].as_array().unwrap().len(), &table["total"]), (shown, &json!(rows)));
        }
        let line = |points: i64| {
            let at = |number| DateTime::UNIX_EPOCH + TimeDelta::milliseconds(number);
            (0..points).map(|number| (at(number), 1.0)).collect::<Vec<_>>()
        };
        for (points, shown) in [(0, 0), (1_000, 1_000), (1_001, 501), (2_001, 667)] {
            let chart = Part::chart("s", [("a", line(points))]).into_json();
            let found = chart["lines"][0]["points"].as_array().unwrap();
            assert_eq!(found.len(), shown, "{points}");
            if let Some(last) = found.last() {
                assert_eq!(last, &json!([points - 1, 1.0]), "the newest is there");
            }
        }
        let many = Part::chart("s", (0..9).map(|number| (number.to_string(), line(1)))).into_json();
        assert_eq!(many["lines"].as_array().unwrap().len(), 8);
    }

    #[test]
    fn no_number_is_a_gap() {
        let chart = Part::chart("s", [("a", vec![(DateTime::UNIX_EPOCH, f64::NAN)])]).into_json();
        assert_eq!(chart["lines"][0]["points"], json!([[0, null]]));
    }
}
