//! Line charts as SVG.

use plotters::prelude::*;

/// One chart of the picture.
pub(crate) struct Panel<'a> {
    pub(crate) title: &'a str,
    pub(crate) lines: Vec<Line<'a>>,
}

/// One line of a chart.
pub(crate) struct Line<'a> {
    pub(crate) name: &'a str,
    pub(crate) points: &'a [(f64, f64)],
}

impl<'a> Line<'a> {
    pub(crate) fn new(name: &'a str, points: &'a [(f64, f64)]) -> Self {
        Self { name, points }
    }
}

/// Width of the picture and height of a row of charts, in pixels.
const WIDTH: u32 = 1040;
const ROW: u32 = 350;
/// Height of a legend's line as a share of the chart.
const LEGEND_LINE: f64 = 0.1;
const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(55, 65, 81);
const GRID: RGBColor = RGBColor(229, 231, 235);
/// Told apart by colour-blind readers too (Okabe and Ito); the first stands for the main line.
const COLOURS: [RGBColor; 6] = [
    RGBColor(31, 41, 55),
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
];

/// A picture of the panels, two a row.
///
/// # Errors
/// What the drawing library reports.
pub(crate) fn svg(panels: &[Panel<'_>]) -> Result<String, String> {
    let mut text = String::new();
    {
        let rows = panels.len().div_ceil(2);
        let size = (WIDTH, ROW * rows as u32 + 20);
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        root.fill(&WHITE).map_err(|e| e.to_string())?;
        let cells = root.margin(10, 10, 10, 10).split_evenly((rows, 2));
        for (cell, panel) in cells.iter().zip(panels) {
            draw(cell, panel).map_err(|e| e.to_string())?;
        }
        root.present().map_err(|e| e.to_string())?;
    }
    Ok(text)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

fn draw(area: &Area<'_>, panel: &Panel<'_>) -> Drawn {
    let points = || {
        panel
            .lines
            .iter()
            .flat_map(|line| line.points.iter().copied())
    };
    let right = points().map(|p| p.0).fold(1.0, f64::max);
    let (low, mut high) = bounds(points().map(|p| p.1));
    if panel.lines.len() > 1 {
        // The legend stands above the lines, not on them.
        high += (high - low) * LEGEND_LINE * panel.lines.len() as f64;
    }
    let mut chart = ChartBuilder::on(area)
        .caption(
            panel.title,
            (FONT, 16).into_font().style(FontStyle::Bold).color(&INK),
        )
        .margin(12)
        .x_label_area_size(34)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..right, low..high)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(GRID)
        .label_style((FONT, 12).into_font().color(&INK))
        .x_desc("step")
        .x_labels(8)
        .y_labels(6)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{}", (y * 1000.0).round() / 1000.0))
        .draw()?;
    for (index, line) in panel.lines.iter().enumerate() {
        let width = if index == 0 { 3 } else { 2 };
        let style = COLOURS[index % COLOURS.len()].stroke_width(width);
        chart
            .draw_series(LineSeries::new(line.points.iter().copied(), style))?
            .label(line.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], style));
    }
    if panel.lines.len() > 1 {
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .label_font((FONT, 12).into_font().color(&INK))
            .draw()?;
    }
    Ok(())
}

/// Room for all values: from 0, or below it, to a little above the largest.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((0.0f64, 0.0f64), |(low, high), y| (low.min(y), high.max(y)));
    let room = 0.05 * (high - low).max(1e-3);
    (if low < 0.0 { low - room } else { 0.0 }, high + room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_and_title_is_in_the_picture() {
        let (rising, flat) = ([(1.0, 0.2), (2.0, 0.9)], [(1.0, -0.1), (2.0, -0.1)]);
        let lines = vec![Line::new("all", &rising), Line::new("implicit", &flat)];
        let picture = svg(&[Panel {
            title: "Accuracy",
            lines,
        }])
        .unwrap();
        for text in ["<svg", "Accuracy", "implicit", "polyline", "</svg>"] {
            assert!(picture.contains(text), "{text} is missing");
        }
    }

    #[test]
    fn nothing_to_show_is_no_fault() {
        assert!(
            svg(&[Panel {
                title: "Empty",
                lines: vec![Line::new("none", &[])]
            }])
            .is_ok()
        );
    }
}
