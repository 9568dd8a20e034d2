//! Numbers of items, such as a time or a price, as attributes that items can share.

use minijinja::{Value, context};
use rerec_rewards::{Attribute, Item};
use serde::{Deserialize, Serialize};

use crate::error::{Result, check};
use crate::template::Templates;

/// A column of numbers. Each number becomes an attribute as it stands ("time 45 minutes"), and one for each threshold, which queries can
/// ask about, under the relation `RELATION range` ("under 60 minutes", "30 minutes or more").
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NumberColumn {
    /// The relation. Default: the column's name.
    pub relation: Option<String>,
    /// What is counted: `minutes`. Default: nothing.
    pub unit: String,
    /// Where ranges part, ascending. Default: the three quartiles of the column.
    pub thresholds: Vec<f64>,
    /// A template of the words for less than `{{ number }}`; it knows `unit` too. Default `under {{ number }} {{ unit }}`.
    pub under: String,
    /// The words for `{{ number }}` and more. Default `{{ number }} {{ unit }} or more`.
    pub from: String,
}

impl Default for NumberColumn {
    fn default() -> Self {
        Self {
            relation: None,
            unit: String::new(),
            thresholds: Vec::new(),
            under: "under {{ number }}{% if unit %} {{ unit }}{% endif %}".to_owned(),
            from: "{{ number }}{% if unit %} {{ unit }}{% endif %} or more".to_owned(),
        }
    }
}

impl NumberColumn {
    /// The relation of the numbers as they stand; queries never ask about it, as hardly two items share a number.
    pub(crate) fn relation<'a>(&'a self, column: &'a str) -> &'a str {
        self.relation.as_deref().unwrap_or(column)
    }

    /// Gives the items the attributes of the column of this name; `numbers` has one number for each item that has any.
    pub(super) fn describe(
        &self,
        column: &str,
        items: &mut [Item],
        numbers: &[Option<f64>],
    ) -> Result<()> {
        let (under, from) = (
            format!("numbers.{column}.under"),
            format!("numbers.{column}.from"),
        );
        let templates = self.compile(&under, &from)?;
        let words = |setting: &str, number: f64| {
            // As a text: minijinja would write 30.0, `Display` writes 30.
            let known: Value = context! { number => number.to_string(), unit => self.unit };
            templates.render(setting, &known)
        };
        let thresholds = self.thresholds(column, numbers)?;
        let relation = self.relation(column);
        // Thresholds all apply, not only the nearest: a recipe of 20 minutes is under 30 and under
        // 60.
        for (item, number) in items.iter_mut().zip(numbers) {
            let Some(number) = *number else { continue };
            item.attributes.push(Attribute {
                relation: relation.to_owned(),
                value: format!("{number} {}", self.unit).trim().to_owned(),
            });
            for &threshold in &thresholds {
                let setting = if number < threshold { &under } else { &from };
                item.attributes.push(Attribute {
                    relation: format!("{relation} range"),
                    value: words(setting, threshold)?,
                });
            }
        }
        Ok(())
    }

    fn compile(&self, under: &str, from: &str) -> Result<Templates> {
        // Not "30" or the like, which the fixed words of a template may contain.
        const PROBE: &str = "⟨number⟩";
        let mut templates = Templates::new();
        for (setting, text) in [(under, &self.under), (from, &self.from)] {
            templates.add(setting, text, &["number", "unit"])?;
            let probe = context! { number => PROBE, unit => self.unit };
            templates.require(setting, &probe, &[(PROBE, "number")])?;
        }
        Ok(templates)
    }

    fn thresholds(&self, column: &str, numbers: &[Option<f64>]) -> Result<Vec<f64>> {
        // Strictly, as equal thresholds would give an item the same attribute twice. NaN compares
        // false.
        let ascending = self.thresholds.is_sorted_by(|a, b| a < b);
        check(
            ascending && self.thresholds.iter().all(|x| x.is_finite()),
            "thresholds",
            &format!("ascending numbers (column {column})"),
            &self.thresholds,
        )?;
        if !self.thresholds.is_empty() {
            return Ok(self.thresholds.clone());
        }
        let mut sorted: Vec<f64> = numbers.iter().flatten().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let quartiles = [1, 2, 3].map(|quarter| sorted.get(sorted.len() * quarter / 4).copied());
        let mut quartiles: Vec<f64> = quartiles.into_iter().flatten().collect();
        // In a skewed column quartiles coincide, and the same range would be given twice.
        quartiles.dedup();
        // Nothing lies under the least number.
        quartiles.retain(|&quartile| Some(&quartile) > sorted.first());
        Ok(quartiles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(column: &NumberColumn, numbers: &[Option<f64>]) -> Result<Vec<Vec<String>>> {
        let mut items: Vec<Item> = (0..numbers.len())
            .map(|place| Item::new(place.to_string(), "A dish"))
            .collect();
        column.describe("minutes", &mut items, numbers)?;
        let facts = |item: Item| {
            let facts = item.attributes.into_iter();
            facts
                .map(|a| format!("{}: {}", a.relation, a.value))
                .collect()
        };
        Ok(items.into_iter().map(facts).collect())
    }

    #[test]
    fn a_number_is_told_as_it_stands_and_by_its_ranges() {
        let column = NumberColumn {
            relation: Some("time".to_owned()),
            unit: "minutes".to_owned(),
            thresholds: vec![30.0, 60.0],
            ..NumberColumn::default()
        };
        let facts = described(&column, &[Some(45.0), None, Some(30.0)]).unwrap();
        assert_eq!(
            facts[0],
            [
                "time: 45 minutes",
                "time range: 30 minutes or more",
                "time range: under 60 minutes"
            ]
        );
        assert!(facts[1].is_empty());
        assert_eq!(facts[2][1], "time range: 30 minutes or more");
    }

    #[test]
    fn quartiles_part_the_ranges_where_nothing_else_is_said() {
        let numbers: Vec<Option<f64>> = (1..=8).map(|n| Some(f64::from(n))).collect();
        let facts = described(&NumberColumn::default(), &numbers).unwrap();
        assert_eq!(
            facts[0],
            [
                "minutes: 1",
                "minutes range: under 3",
                "minutes range: under 5",
                "minutes range: under 7"
            ]
        );
        let alike = described(&NumberColumn::default(), &[Some(2.0), Some(2.0)]).unwrap();
        assert_eq!(alike[0], ["minutes: 2"]);
    }

    #[test]
    fn words_and_thresholds_are_checked() {
        let refused = |column: NumberColumn| described(&column, &[]).unwrap_err().to_string();
        let unordered = NumberColumn {
            thresholds: vec![60.0, 30.0],
            ..NumberColumn::default()
        };
        assert_eq!(
            refused(unordered),
            "thresholds must be ascending numbers (column minutes), got [60.0, 30.0]"
        );
        let wordless = NumberColumn {
            under: "quick".to_owned(),
            ..NumberColumn::default()
        };
        assert_eq!(
            refused(wordless),
            "numbers.minutes.under: it leaves out {{ number }}"
        );
    }
}
