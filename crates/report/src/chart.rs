//! Charts as SVG.

use plotters::element::DashedPathElement;
use plotters::prelude::*;

use crate::charts::{Chart, Difficulty};
use crate::epochs::Epoch;
use crate::error::{Error, Result};

/// Width of the picture and height of a row of charts, in pixels.
const WIDTH: u32 = 1040;
const ROW: u32 = 350;
/// Size of a chart in a picture of its own, in pixels.
const ALONE: (u32, u32) = (640, 400);
/// Heights of a chart's title and of a row of its legend, and the margin around it, in pixels.
const TITLE: u32 = 30;
const LEGEND: u32 = 22;
const MARGIN: i32 = 12;
/// What a character of the legend takes at most, in pixels.
const CHARACTER: i32 = 7;
/// Length of a line's sample in the legend, in pixels.
const SAMPLE: i32 = 22;

const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(55, 65, 81);
const GRID: RGBColor = RGBColor(229, 231, 235);
/// Behind every second epoch.
const BAND: RGBColor = RGBColor(246, 247, 249);
/// Told apart by colour-blind readers too (Okabe and Ito); the first stands for the main line.
const COLOURS: [RGBColor; 8] = [
    RGBColor(31, 41, 55),
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(107, 111, 118),
];
/// Dashes and the gaps between them, in pixels; the first line is solid, and the others can be told apart without colour.
const DASHES: [(i32, i32); 7] = [(8, 4), (2, 3), (13, 3), (5, 2), (1, 2), (16, 6), (4, 6)];

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Fault = DrawingAreaErrorKind<std::io::Error>;
type Drawn = std::result::Result<(), Fault>;

/// A picture of the charts, two in a row.
///
/// # Errors
/// What the drawing library reports.
pub(crate) fn picture(charts: &[&Chart], epochs: &[Epoch]) -> Result<String> {
    let rows = charts.len().div_ceil(2);
    // 20: the margins above and below the cells.
    drawn((WIDTH, ROW * rows as u32 + 20), "picture", |root| {
        let cells = root.margin(10, 10, 10, 10).split_evenly((rows, 2));
        let mut pairs = cells.iter().zip(charts);
        pairs.try_for_each(|(cell, chart)| draw(cell, chart, epochs))
    })
}

/// One chart as a picture.
///
/// # Errors
/// What the drawing library reports.
pub(crate) fn svg(chart: &Chart, epochs: &[Epoch]) -> Result<String> {
    drawn(ALONE, &chart.title, |root| draw(root, chart, epochs))
}

/// The difficulties of a class as a picture: an epoch is a column, darker where more queries are.
///
/// # Errors
/// What the drawing library reports.
pub(crate) fn difficulty_svg(difficulty: &Difficulty) -> Result<String> {
    drawn(ALONE, &difficulty.class, |root| {
        let title = format!("Queries by difficulty: {}", difficulty.class);
        let below = headed(root, &title)?;
        let bins = difficulty
            .counts
            .iter()
            .map(Vec::len)
            .max()
            .unwrap_or(0)
            .max(1);
        let most = difficulty
            .counts
            .iter()
            .flatten()
            .copied()
            .max()
            .unwrap_or(0)
            .max(1);
        let last = difficulty.epochs.last().copied().unwrap_or(1).max(1);
        let mut chart = axes(&below).build_cartesian_2d(0.5..f64::from(last) + 0.5, 0.0..1.0)?;
        let columns = difficulty.epochs.iter().zip(&difficulty.counts);
        chart.draw_series(columns.flat_map(|(&epoch, counts)| {
            let cell = move |(bin, &count): (usize, &usize)| {
                let (left, low) = (f64::from(epoch) - 0.5, bin as f64 / bins as f64);
                let high = (bin + 1) as f64 / bins as f64;
                let shade = COLOURS[1].mix(count as f64 / most as f64);
                Rectangle::new([(left, low), (left + 1.0, high)], shade.filled())
            };
            counts.iter().enumerate().map(cell)
        }))?;
        let mut mesh = chart.configure_mesh();
        mesh.disable_mesh().axis_style(GRID).label_style(label());
        mesh.x_desc("epoch")
            .y_desc("difficulty")
            .x_labels(last.min(10) as usize);
        mesh.x_label_formatter(&|x| format!("{x:.0}")).draw()
    })
}

fn drawn(size: (u32, u32), title: &str, draw: impl FnOnce(&Area<'_>) -> Drawn) -> Result<String> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        let all = root.fill(&WHITE).and_then(|()| draw(&root));
        let all = all.and_then(|()| root.present());
        all.map_err(|error| Error::Chart {
            title: title.to_owned(),
            what: error.to_string(),
        })?;
    }
    Ok(text)
}

/// Draws the title and returns what is below.
fn headed<'a>(area: &Area<'a>, text: &str) -> std::result::Result<Area<'a>, Fault> {
    let (title, below) = area.split_vertically(TITLE);
    let bold = (FONT, 16).into_font().style(FontStyle::Bold).color(&INK);
    title.draw(&Text::new(text, (MARGIN, 8), bold))?;
    Ok(below)
}

fn draw(area: &Area<'_>, chart: &Chart, epochs: &[Epoch]) -> Drawn {
    let below = headed(area, &chart.title)?;
    let width = area.dim_in_pixel().0 as i32;
    let places = legend(chart, width);
    let rows = places.last().map_or(0, |(_, row)| row + 1);
    // The legend has a strip of its own: inside the chart it would cover lines.
    let (strip, lines) = below.split_vertically(LEGEND * rows as u32);
    draw_legend(&strip, chart, &places)?;
    draw_lines(&lines, chart, epochs)
}

/// Where each line's entry stands: pixels from the left, and the row.
fn legend(chart: &Chart, width: i32) -> Vec<(i32, i32)> {
    let (mut left, mut row) = (MARGIN, 0);
    let place = |line: &crate::charts::Line| {
        // The viewer lays out the text of an SVG, so that its width can only be estimated.
        let entry = SAMPLE + 16 + CHARACTER * line.name.chars().count() as i32;
        if left + entry > width && left > MARGIN {
            (left, row) = (MARGIN, row + 1);
        }
        let at = (left, row);
        left += entry;
        at
    };
    // The title says what a single line is.
    match chart.lines.len() {
        0 | 1 => Vec::new(),
        _ => chart.lines.iter().map(place).collect(),
    }
}

fn draw_legend(area: &Area<'_>, chart: &Chart, places: &[(i32, i32)]) -> Drawn {
    let entries = chart.lines.iter().zip(places).enumerate();
    for (index, (line, &(left, row))) in entries {
        let middle = row * LEGEND as i32 + LEGEND as i32 / 2;
        let sample = [(left, middle), (left + SAMPLE, middle)];
        match dash(index) {
            None => area.draw(&PathElement::new(sample, style(index)))?,
            Some((size, gap)) => {
                area.draw(&DashedPathElement::new(sample, size, gap, style(index)))?;
            }
        }
        area.draw(&Text::new(
            line.name.as_str(),
            (left + SAMPLE + 4, middle - 6),
            label(),
        ))?;
    }
    Ok(())
}

fn draw_lines(area: &Area<'_>, chart: &Chart, epochs: &[Epoch]) -> Drawn {
    let points = || {
        chart
            .lines
            .iter()
            .flat_map(|line| line.points.iter().copied())
    };
    // At least 1: an axis without length cannot be drawn.
    let right = points().map(|p| p.0).fold(1.0, f64::max);
    let (low, high) = bounds(points().map(|p| p.1));
    let high = chart.most.map_or(high, |most| high.min(most));
    let mut plot = axes(area).build_cartesian_2d(0.0..right, low..high)?;
    plot.draw_series(epochs.iter().skip(1).step_by(2).map(|epoch| {
        let ends = [
            (epoch.first as f64 - 1.0).min(right),
            (epoch.last as f64).min(right),
        ];
        Rectangle::new([(ends[0], low), (ends[1], high)], BAND.filled())
    }))?;
    plot.configure_mesh()
        .disable_x_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(GRID)
        .label_style(label())
        .x_desc("step")
        .x_labels(8)
        .y_labels(6)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|&y| number(y, high - low))
        .draw()?;
    for (index, line) in chart.lines.iter().enumerate() {
        let points = line.points.iter().copied();
        match dash(index) {
            None => plot.draw_series(LineSeries::new(points, style(index)))?,
            Some((size, gap)) => {
                plot.draw_series(DashedLineSeries::new(points, size, gap, style(index)))?
            }
        };
    }
    Ok(())
}

fn axes<'a, 'b>(area: &'a Area<'b>) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut builder = ChartBuilder::on(area);
    builder
        .margin(MARGIN)
        .x_label_area_size(34)
        .y_label_area_size(54);
    builder
}

fn label() -> TextStyle<'static> {
    (FONT, 12).into_font().color(&INK)
}

/// A label of an axis of the given length: rounded, since labels are sums of steps such as 0.30000000000000004.
fn number(value: f64, length: f64) -> String {
    let unit = 10f64.powf((length / 1000.0).log10().floor());
    let rounded = (value / unit).round() * unit;
    match rounded.abs() < unit || rounded.abs() >= 1e-3 {
        true => format!("{}", format!("{rounded:.6}").parse().unwrap_or(rounded)),
        false => format!("{rounded:.0e}"),
    }
}

fn dash(index: usize) -> Option<(i32, i32)> {
    let place = index.checked_sub(1)?;
    Some(DASHES[place % DASHES.len()])
}

fn style(index: usize) -> ShapeStyle {
    let width = if index == 0 { 3 } else { 2 };
    COLOURS[index % COLOURS.len()].stroke_width(width)
}

/// Room for all values: from 0, or below it, to a little above the largest.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((0.0f64, 0.0f64), |(low, high), y| (low.min(y), high.max(y)));
    // Nothing but zeros still needs a scale.
    if low == high {
        return (0.0, 1.0);
    }
    let room = 0.05 * (high - low);
    (if low < 0.0 { low - room } else { 0.0 }, high + room)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charts::Line;

    fn chart(lines: &[(&str, &[(f64, f64)])]) -> Chart {
        let line = |&(name, points): &(&str, &[(f64, f64)])| Line {
            name: name.to_owned(),
            points: points.to_vec(),
        };
        Chart {
            title: "Accuracy (%)".to_owned(),
            lines: lines.iter().map(line).collect(),
            ..Chart::default()
        }
    }

    #[test]
    fn every_line_and_title_is_in_the_picture() {
        let both = chart(&[
            ("all", &[(1.0, 0.2), (2.0, 0.9)]),
            ("implicit", &[(1.0, -0.1), (2.0, -0.1)]),
        ]);
        let picture = picture(&[&both], &[]).unwrap();
        for text in ["<svg", "Accuracy", "implicit", "polyline", "</svg>"] {
            assert!(picture.contains(text), "{text} is missing");
        }
    }

    #[test]
    fn an_axis_ends_where_values_can_end() {
        let mut shares = chart(&[("all", &[(1.0, 20.0), (2.0, 99.0)])]);
        shares.most = Some(100.0);
        let picture = svg(&shares, &[]).unwrap();
        let largest = picture
            .lines()
            .filter_map(|line| line.trim().parse::<f64>().ok());
        assert_eq!(largest.fold(0.0, f64::max), 100.0);
    }

    #[test]
    fn a_long_legend_goes_on_in_the_next_row() {
        let long = "a class of queries with a long name";
        let lines = chart(&[(long, &[]), (long, &[]), (long, &[])]);
        let places = legend(&lines, 640);
        // An entry takes 22 + 16 + 35 · 7 = 283 of 640 pixels.
        assert_eq!(places, [(12, 0), (295, 0), (12, 1)]);
    }

    #[test]
    fn names_are_text_of_the_picture() {
        let hostile = chart(&[("</svg><script>", &[(1.0, 1.0)]), ("b", &[(1.0, 1.0)])]);
        assert!(!svg(&hostile, &[]).unwrap().contains("<script>"));
    }

    #[test]
    fn nothing_to_show_is_no_fault() {
        assert!(picture(&[&chart(&[("none", &[])])], &[]).is_ok());
        let difficulty = Difficulty {
            class: "explicit".to_owned(),
            epochs: Vec::new(),
            counts: Vec::new(),
        };
        assert!(difficulty_svg(&difficulty).is_ok());
    }

    #[test]
    fn labels_are_rounded_to_their_axis() {
        assert_eq!(number(0.1 + 0.2, 1.0), "0.3");
        assert_eq!(number(100.0, 100.0), "100");
        assert_eq!(number(0.0, 5e-4), "0");
        assert_eq!(number(5e-4, 5e-4), "5e-4");
    }
}
