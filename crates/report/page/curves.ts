// Learning curves, the curriculum's difficulties, and what all charts share.

import type { Chart, Look } from "./chart.js";
import { chartTools, element, field, foreign } from "./elements.js";
import type { Child } from "./elements.js";
import { chartFigure } from "./figure.js";
import type { Section } from "./main.js";
import { difficultyNumbers, difficultyPicture } from "./pictures.js";
import type { Difficulty, Epoch, Head, Run } from "./records.js";

export function curves(head: Head): Section {
  const look: Look = { smoothing: 0, range: [0, Infinity], bands: bandsOf(head.runs) };
  const charts = mergedCharts(head.runs);
  const figures = charts.map((chart) => ({ section: chart.section, figure: chartFigure(chart, look) }));
  const sections = [...new Set(charts.map((chart) => chart.section))];
  const draw = () => figures.forEach(({ figure }) => figure.draw());
  const node = element("section", { id: "curves" },
    curveControls(look, draw, head.runs),
    charts.length === 0 ? element("p", { class: "quiet" }, "No step is recorded yet.") : null,
    sections.map((name) => [
      element("h2", {}, name),
      element("div", { class: "charts" }, figures.filter((one) => one.section === name).map(({ figure }) => figure.node)),
    ]),
    head.runs.map((run) => difficultyMaps(run, head.runs.length > 1)));
  return { name: "Curves", node, draw };
}

/** Epochs of a run; several runs have none in common. */
export function bandsOf(runs: Run[]): Epoch[] {
  return runs.length === 1 ? runs.flatMap((run) => run.epochs) : [];
}

/** The runs' charts with one id as one chart. Where there are several, a run has its colour and its mark, and a line its dash. */
export function mergedCharts(runs: Run[]): Chart[] {
  const merged = new Map<string, Chart>();
  for (const [ofRun, run] of runs.entries()) {
    for (const chart of run.charts) {
      const known: Chart = merged.get(chart.id) ?? { ...chart, lines: [] };
      const names = [...new Set(runs.flatMap((one) => one.charts.filter((c) => c.id === chart.id)).flatMap((c) => c.lines.map((l) => l.name)))];
      for (const line of chart.lines) {
        const place = names.indexOf(line.name);
        const single = runs.length === 1;
        const name = single ? line.name : names.length === 1 ? run.name : `${run.name}: ${line.name}`;
        // Of several runs the classes are shown on request: all lines at once would be a thicket.
        const hidden = !single && names[0] === "all" && place > 0;
        known.lines.push({ ...line, name, hidden, isOneOfMany: !single, colour: single ? place : ofRun, dash: place, mark: single ? 0 : ofRun });
      }
      merged.set(chart.id, known);
    }
  }
  return [...merged.values()];
}

function curveControls(look: Look, draw: () => void, runs: Run[]): HTMLElement {
  const last = Math.max(1, ...runs.flatMap((run) => run.epochs.map((epoch) => epoch.last)));
  const smoothing = element("input", { type: "range", min: 0, max: 0.95, step: 0.05, value: 0 });
  const from = element("input", { type: "number", min: 0, max: last, value: 0 });
  const to = element("input", { type: "number", min: 0, max: last, value: last });
  const strength = element("output", {}, "none");
  const update = () => {
    look.smoothing = Number(smoothing.value);
    strength.textContent = look.smoothing === 0 ? "none" : look.smoothing.toFixed(2);
    look.range = [Number(from.value) || 0, Number(to.value) || last];
    draw();
  };
  [smoothing, from, to].forEach((control) => control.addEventListener("input", update));
  const bands = runs.length === 1 ? "Shaded bands are every second epoch of the curriculum. " : "";
  return element("form", { class: "controls", onsubmit: (event) => event.preventDefault() },
    field("Smoothing", element("span", { class: "pair" }, smoothing, strength)),
    field("From step", from), field("to step", to),
    element("p", { class: "quiet" }, `${bands}A legend's entry hides its line; arrow keys walk along the steps of a chart.`));
}

/** How many queries of each class have which difficulty, epoch by epoch. */
function difficultyMaps(run: Run, isOneOfMany: boolean): Child {
  const maps = run.difficulties.filter((one) => one.epochs.length > 0);
  if (maps.length === 0) {
    return null;
  }
  return [
    element("h2", {}, "Difficulty by class and epoch", isOneOfMany ? [": ", foreign(run.name)] : null),
    element("p", { class: "quiet" }, "From easy (bottom, 0) to hard (top, 1); a number in each field counts its queries."),
    element("div", { class: "maps" }, maps.map((map, place) => difficultyMap(map, `difficulty-${place + 1}`))),
  ];
}

function difficultyMap(map: Difficulty, id: string): HTMLElement {
  const most = Math.max(1, ...map.counts.flat());
  const bins = Math.max(0, ...map.counts.map((counts) => counts.length));
  const rows = Array.from({ length: bins }, (_, place) => bins - 1 - place).map((bin) =>
    element("tr", {},
      element("th", { scope: "row" }, `${(bin / bins).toFixed(1)}–${((bin + 1) / bins).toFixed(1)}`),
      map.counts.map((counts) => element("td", { style: `--share: ${Math.sqrt((counts[bin] ?? 0) / most)}` }, counts[bin] ? String(counts[bin]) : ""))));
  return element("figure", { class: "map" },
    element("figcaption", {}, foreign(map.class), chartTools(id, () => difficultyPicture(map), () => difficultyNumbers(map))),
    element("div", { class: "wide" }, element("table", {},
      element("tbody", {}, rows),
      element("tfoot", {}, element("tr", {}, element("th", {}, "epoch"), map.epochs.map((epoch) => element("th", { scope: "col" }, String(epoch))))))));
}
