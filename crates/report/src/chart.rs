//! Line charts as SVG.

use plotters::prelude::*;

use crate::error::{Error, Result};

/// One chart of the picture.
pub(crate) struct Panel<'a> {
    pub(crate) title: &'a str,
    pub(crate) lines: Vec<Line<'a>>,
    /// The largest value that there can be, such as 100 for a percentage: the axis does not go beyond.
    pub(crate) highest: Option<f64>,
}

/// One line of a chart.
pub(crate) struct Line<'a> {
    name: &'a str,
    points: &'a [(f64, f64)],
}

impl<'a> Panel<'a> {
    pub(crate) fn new<const N: usize>(
        title: &'a str,
        lines: [(&'a str, &'a Vec<(f64, f64)>); N],
    ) -> Self {
        Self {
            title,
            lines: lines.map(|(name, points)| Line::new(name, points)).into(),
            highest: None,
        }
    }
}

impl<'a> Line<'a> {
    pub(crate) fn new(name: &'a str, points: &'a [(f64, f64)]) -> Self {
        Self { name, points }
    }
}

/// Width of the picture and height of a row of charts, in pixels.
const WIDTH: u32 = 1040;
const ROW: u32 = 350;
/// Heights of a chart's title and of its legend, and the margin around it, in pixels.
const TITLE: u32 = 30;
const LEGEND: u32 = 22;
const MARGIN: i32 = 12;
/// What a character of the legend takes at most, in pixels.
const CHARACTER: i32 = 7;
/// Length of a line's sample in the legend, in pixels.
const SAMPLE: i32 = 16;

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

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Drawn = std::result::Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// A picture of the panels, two in a row.
///
/// # Errors
/// What the drawing library reports.
pub(crate) fn svg(panels: &[Panel<'_>]) -> Result<String> {
    let mut text = String::new();
    {
        let fault = |title: &str| {
            let title = title.to_owned();
            move |error: DrawingAreaErrorKind<std::io::Error>| Error::Chart {
                title,
                what: error.to_string(),
            }
        };
        let rows = panels.len().div_ceil(2);
        // 20: the margins above and below the cells.
        let size = (WIDTH, ROW * rows as u32 + 20);
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        root.fill(&WHITE).map_err(fault("background"))?;
        let cells = root.margin(10, 10, 10, 10).split_evenly((rows, 2));
        for (cell, panel) in cells.iter().zip(panels) {
            draw(cell, panel).map_err(fault(panel.title))?;
        }
        root.present().map_err(fault("picture"))?;
    }
    Ok(text)
}

fn draw(area: &Area<'_>, panel: &Panel<'_>) -> Drawn {
    let (title, below) = area.split_vertically(TITLE);
    let bold = (FONT, 16).into_font().style(FontStyle::Bold).color(&INK);
    title.draw(&Text::new(panel.title, (MARGIN, 8), bold))?;
    // The legend has a strip of its own: inside the chart it would cover lines.
    let (legend, chart) = below.split_vertically(LEGEND);
    draw_legend(&legend, panel)?;
    draw_lines(&chart, panel)
}

fn draw_legend(area: &Area<'_>, panel: &Panel<'_>) -> Drawn {
    // The title says what a single line is.
    if panel.lines.len() < 2 {
        return Ok(());
    }
    let mut left = MARGIN;
    for (index, line) in panel.lines.iter().enumerate() {
        let middle = LEGEND as i32 / 2;
        area.draw(&PathElement::new(
            [(left, middle), (left + SAMPLE, middle)],
            style(index),
        ))?;
        let text = (FONT, 12).into_font().color(&INK);
        area.draw(&Text::new(line.name, (left + SAMPLE + 4, middle - 6), text))?;
        // The viewer lays out the text of an SVG, so that its width can only be estimated.
        left += SAMPLE + 16 + CHARACTER * line.name.chars().count() as i32;
    }
    Ok(())
}

fn draw_lines(area: &Area<'_>, panel: &Panel<'_>) -> Drawn {
    let points = || {
        panel
            .lines
            .iter()
            .flat_map(|line| line.points.iter().copied())
    };
    // At least 1: an axis without length cannot be drawn.
    let right = points().map(|p| p.0).fold(1.0, f64::max);
    let (low, high) = bounds(points().map(|p| p.1));
    let high = panel.highest.map_or(high, |most| high.min(most));
    let mut chart = ChartBuilder::on(area)
        .margin(MARGIN)
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
        // Rounded, since labels are sums of steps such as 0.30000000000000004.
        .y_label_formatter(&|y| format!("{}", (y * 1000.0).round() / 1000.0))
        .draw()?;
    for (index, line) in panel.lines.iter().enumerate() {
        chart.draw_series(LineSeries::new(line.points.iter().copied(), style(index)))?;
    }
    Ok(())
}

fn style(index: usize) -> ShapeStyle {
    let width = if index == 0 { 3 } else { 2 };
    COLOURS[index % COLOURS.len()].stroke_width(width)
}

/// Room for all values: from 0, or below it, to a little above the largest.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((0.0f64, 0.0f64), |(low, high), y| (low.min(y), high.max(y)));
    // Some room, too, where all values are 0.
    let room = 0.05 * (high - low).max(1e-3);
    (if low < 0.0 { low - room } else { 0.0 }, high + room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_and_title_is_in_the_picture() {
        let (rising, flat) = (vec![(1.0, 0.2), (2.0, 0.9)], vec![(1.0, -0.1), (2.0, -0.1)]);
        let lines = [("all", &rising), ("implicit", &flat)];
        let picture = svg(&[Panel::new("Accuracy", lines)]).unwrap();
        for text in ["<svg", "Accuracy", "implicit", "polyline", "</svg>"] {
            assert!(picture.contains(text), "{text} is missing");
        }
    }

    #[test]
    fn an_axis_ends_where_values_can_end() {
        let points = vec![(1.0, 20.0), (2.0, 99.0)];
        let mut panel = Panel::new("Accuracy (%)", [("all", &points)]);
        panel.highest = Some(100.0);
        let picture = svg(&[panel]).unwrap();
        let largest = picture
            .lines()
            .filter_map(|line| line.trim().parse::<f64>().ok());
        assert_eq!(largest.fold(0.0, f64::max), 100.0);
    }

    #[test]
    fn nothing_to_show_is_no_fault() {
        assert!(svg(&[Panel::new("Empty", [("none", &vec![])])]).is_ok());
    }
}
