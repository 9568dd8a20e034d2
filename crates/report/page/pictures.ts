// Charts as files: pictures of their own, in light colours, and their numbers.

import { drawChart, FONT, INKS, markAt, strokeOf, stepsOf, visibleLines } from "./chart.js";
import type { Chart, Look } from "./chart.js";
import { drawing } from "./elements.js";
import type { Difficulty } from "./records.js";

const WIDTH = 640;
const HEIGHT = 330;
const TEXT = { "font-family": FONT, fill: INKS.light.ink };

/** A chart with title and legend. */
export function chartPicture(chart: Chart, look: Look, hidden: Set<string>): string {
  const legend = drawing("g");
  let left = 12;
  let top = 44;
  const lines = visibleLines(chart, hidden);
  for (const line of lines.length > 1 ? lines : []) {
    const wide = 34 + 7 * line.name.length;
    if (left + wide > WIDTH && left > 12) {
      left = 12;
      top += 20;
    }
    legend.append(drawing("line", { x1: left, x2: left + 18, y1: top, y2: top, "stroke-width": 2, ...strokeOf(line, "light") }));
    if (line.isOneOfMany) {
      legend.append(markAt(line, left + 9, top, 3.5, "light"));
    }
    legend.append(drawing("text", { ...TEXT, x: left + 22, y: top + 4, "font-size": 12 }, line.name));
    left += wide;
  }
  const below = lines.length > 1 ? top + 14 : 34;
  const inner = drawing("svg", { y: below });
  drawChart(inner, chart, { ...look, hidden, mode: "light", width: WIDTH, height: HEIGHT });
  return picture(chart.title, below + HEIGHT, legend, inner);
}

function picture(title: string, height: number, ...shapes: Node[]): string {
  const head = drawing("text", { ...TEXT, x: 12, y: 24, "font-size": 16, "font-weight": "bold" }, title);
  const paper = drawing("rect", { width: "100%", height: "100%", fill: INKS.light.paper });
  const size = { width: WIDTH, height, viewBox: `0 0 ${WIDTH} ${height}` };
  return new XMLSerializer().serializeToString(drawing("svg", size, paper, head, ...shapes));
}

/** A row for each step, a column for each line; empty where a line has no point. */
export function chartNumbers(chart: Chart): string {
  const columns = chart.lines.map((line) => new Map(line.points));
  const rows = stepsOf(chart).map((step) => [step, ...columns.map((column) => column.get(step) ?? "")]);
  return csv([["step", ...chart.lines.map((line) => line.name)], ...rows]);
}

/** The difficulties of a class: an epoch is a column, darker where more queries are, from easy below to hard above. */
export function difficultyPicture(map: Difficulty): string {
  const most = Math.max(1, ...map.counts.flat());
  const width = (WIDTH - 80) / Math.max(1, map.epochs.length);
  const small = { ...TEXT, "font-size": 12 };
  const columns = map.counts.flatMap((counts, column) => {
    const height = HEIGHT / counts.length;
    const cells = counts.map((count, bin) => drawing("rect", {
      x: 60 + column * width, y: 44 + (counts.length - 1 - bin) * height, width, height, fill: strokeOf({ colour: 1, dash: 0 }, "light").stroke, "fill-opacity": count / most,
    }, drawing("title", {}, String(count))));
    return [...cells, drawing("text", { ...small, x: 60 + (column + 0.5) * width, y: HEIGHT + 62, "text-anchor": "middle" }, String(map.epochs[column]))];
  });
  const marks = [0, 0.5, 1].map((mark) => drawing("text", { ...small, x: 52, y: 48 + (1 - mark) * HEIGHT, "text-anchor": "end" }, String(mark)));
  const name = drawing("text", { ...small, x: WIDTH - 20, y: HEIGHT + 80, "text-anchor": "end" }, "epoch");
  return picture(`Queries by difficulty: ${map.class}`, HEIGHT + 92, ...columns, ...marks, name);
}

export function difficultyNumbers(map: Difficulty): string {
  const rows = map.epochs.flatMap((epoch, column) => {
    const counts = map.counts[column] ?? [];
    return counts.map((count, bin) => [map.class, epoch, bin / counts.length, (bin + 1) / counts.length, count]);
  });
  return csv([["class", "epoch", "from", "to", "queries"], ...rows]);
}

/** As RFC 4180 wants fields that hold separators. */
function csv(rows: (string | number)[][]): string {
  const quoted = (value: string | number) => (/[",\r\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
  return rows.map((row) => `${row.map(quoted).join(",")}\n`).join("");
}
