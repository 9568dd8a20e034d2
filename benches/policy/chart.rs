//! Where the time of a training step goes, as a picture.

use plotters::{coord::Shift, prelude::*};

use crate::{
    Result,
    cost::{CostPoint, Parts, Sweep},
};

/// Of one chart, in pixels.
const SIZE: (u32, u32) = (420, 300);
const FONT: (&str, i32) = ("sans-serif", 12);
const SWEEPS: [Sweep; 3] = [Sweep::ResponseLength, Sweep::GroupSize, Sweep::Vocabulary];

/// A line of a chart: its name, what it shows, its colour, told apart by colour-blind readers too (Okabe and Ito).
type Line = (&'static str, fn(&Parts) -> f64, RGBColor);
const LINES: [Line; 4] = [
    ("step", Parts::seconds, RGBColor(31, 41, 55)),
    ("forward", |parts| parts.forward, RGBColor(0, 114, 178)),
    (
        "head and backward",
        |parts| parts.backward,
        RGBColor(213, 94, 0),
    ),
    ("optimiser", |parts| parts.optimizer, RGBColor(230, 159, 0)),
];

/// A row of charts for each precision, a chart for each sweep.
pub(crate) fn svg(costs: &[CostPoint]) -> Result<String> {
    let mut precisions: Vec<_> = costs.iter().map(|c| c.precision).collect();
    precisions.dedup();
    let mut text = String::new();
    {
        let (columns, rows) = (SWEEPS.len(), precisions.len());
        let size = (SIZE.0 * columns as u32, SIZE.1 * rows as u32);
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        root.fill(&WHITE)?;
        let cells = root.split_evenly((rows, columns));
        let panels = precisions
            .iter()
            .flat_map(|&p| SWEEPS.map(|sweep| (p, sweep)));
        for (cell, (precision, sweep)) in cells.iter().zip(panels) {
            let points = costs
                .iter()
                .filter(|c| c.precision == precision && c.sweep == sweep);
            let title = format!("{}: seconds by {}", precision.name(), sweep.name());
            draw(cell, &title, sweep, &points.collect::<Vec<_>>())?;
        }
        root.present()?;
    }
    Ok(text)
}

fn draw(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    title: &str,
    sweep: Sweep,
    points: &[&CostPoint],
) -> Result<()> {
    let value = |c: &CostPoint| sweep.value(&c.shape) as f64;
    let right = points.iter().map(|c| value(c)).fold(1.0, f64::max);
    let high = points
        .iter()
        .map(|c| c.parts.seconds())
        .fold(0.01, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(title, FONT)
        .margin(10)
        .margin_right(24)
        .x_label_area_size(24)
        .y_label_area_size(40)
        // Room for the legend above the lines.
        .build_cartesian_2d(0.0..right, 0.0..high * 1.6)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .x_labels(6)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .draw()?;
    for (name, seconds, colour) in LINES {
        let line = points.iter().map(|c| (value(c), seconds(&c.parts)));
        chart
            .draw_series(LineSeries::new(line, colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 14, y)], colour));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .draw()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{case::Precision, cost::Shape};

    #[test]
    fn every_part_of_every_sweep_is_drawn() {
        let point = |precision, response| CostPoint {
            precision,
            sweep: Sweep::ResponseLength,
            shape: Shape {
                vocab: 10,
                prompt: 3,
                samples: 2,
                response,
            },
            parts: Parts {
                forward: 1.0,
                backward: 2.0,
                optimizer: 0.1,
            },
            matmul_flop: 1.0,
            attention_flop: 1.0,
            peak_flops: 1.0,
            layer_flops: 1.0,
        };
        let costs = [Precision::F32, Precision::Bf16].map(|p| [point(p, 64), point(p, 128)]);
        let picture = svg(costs.as_flattened()).unwrap();
        for text in [
            "f32: seconds by response length",
            "bf16: seconds by vocabulary",
            "backward",
        ] {
            assert!(picture.contains(text), "{text} is missing");
        }
        assert!(picture.matches("<polyline").count() >= 2 * LINES.len());
    }
}
