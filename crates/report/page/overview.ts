// What was run, how it went, what to worry about.

import type { Look } from "./chart.js";
import { bandsOf, mergedCharts } from "./curves.js";
import { bytes, drawing, element, foreign, many, percent, signed } from "./elements.js";
import { chartFigure, sampleOf } from "./figure.js";
import type { Section } from "./main.js";
import type { AccuracyTable, Cell, Head, Paired, RolloutsHead, Run } from "./records.js";

// The charts that are seen first.
const FIRST = ["validation-accuracy", "reward", "groups", "pool"];

export function overview(head: Head): Section {
  const isOneOfMany = head.runs.length > 1;
  const look: Look = { smoothing: 0, range: [0, Infinity], bands: bandsOf(head.runs) };
  const figures = mergedCharts(head.runs).filter((chart) => FIRST.includes(chart.id)).map((chart) => chartFigure(chart, look));
  const node = element("section", { id: "overview" },
    head.runs.map((run, place) => runOverview(run, place, isOneOfMany)),
    figures.length ? element("h2", {}, "How it went") : null,
    element("div", { class: "charts first" }, figures.map((figure) => figure.node)),
    head.runs.map((run) => settingsTable(run, isOneOfMany)));
  return { name: "Overview", node, draw: () => figures.forEach((figure) => figure.draw()) };
}

function runOverview(run: Run, place: number, isOneOfMany: boolean): HTMLElement {
  const { glance } = run;
  return element("article", { class: "run" },
    element("h2", {}, isOneOfMany ? runMark(place) : null, foreign(run.name)),
    element("p", {}, glance.subject ? [foreign(glance.subject), "; "] : null, glance.state, "."),
    element("p", { class: "quiet" }, foreign(run.folder), `. ${sizeInWords(run.rollouts)}`),
    worryList(run, place),
    element("div", { class: "tables" }, accuracyTable(glance.table), glance.gain ? pairedTable(glance.gain) : null));
}

function sizeInWords(rollouts: RolloutsHead): string {
  if (rollouts.groups === 0) {
    return "No responses are recorded.";
  }
  const kept = rollouts.every > 1
    ? ` They are a sample: of ${rollouts.every} queries one is here, chosen by its id, with all of its responses.`
    : "";
  return `${many(rollouts.responses, "response")} in ${many(rollouts.groups, "group")} to ` +
    `${many(rollouts.queries, "query", "queries")} take ${bytes(rollouts.bytes)} of this page.${kept}`;
}

function worryList({ glance: { worries, notes }, rollouts: { groups } }: Run, place: number): HTMLElement {
  const address = (filter: string) => `#rollouts-${place}-${encodeURIComponent(filter)}`;
  const items = worries.map((worry) => element("li", {}, element("b", {}, foreign(worry.title)), " ", foreign(worry.text),
    worry.filter && groups > 0 ? [" ", element("a", { href: address(worry.filter) }, "Show them")] : null));
  const unread = notes.map((note) => element("li", {}, element("b", {}, "Not read"), " ", foreign(note)));
  if (items.length + unread.length === 0) {
    return element("p", { class: "sound" }, "✓ Nothing stands out: groups teach, answers are read, no class was forgotten.");
  }
  return element("div", { class: "worries" }, element("h3", {}, "What to look at"), element("ul", {}, items, unread));
}

function accuracyTable(table: AccuracyTable): HTMLElement {
  if (table.rows.length === 0) {
    return element("p", { class: "quiet" }, "No evaluation on test queries is recorded yet.");
  }
  const head = ["query class", "queries", "guess", ...table.columns].map((text) => element("th", { scope: "col" }, text));
  const rows = table.rows.map((row) => element("tr", { class: row.class === "all" ? "total" : null },
    element("th", { scope: "row" }, foreign(row.class)),
    element("td", {}, String(row.asked)),
    element("td", {}, percent(row.guess)),
    row.cells.map((cell) => shareCell(cell, row.guess))));
  return element("div", { class: "wide" },
    element("h3", {}, "Accuracy on test queries"),
    element("table", { class: "accuracy" }, element("thead", {}, element("tr", {}, head)), element("tbody", {}, rows)),
    element("p", { class: "quiet" }, "Percent right, with 95 % intervals (Wilson) as lines from 0 to 100; the thin mark is a guess among the candidates."));
}

function shareCell(cell: Cell, guess: number): HTMLElement {
  if (cell.asked === 0) {
    return element("td", {}, "–");
  }
  const share = cell.right / cell.asked;
  const words = `${percent(share)} %, 95 % interval ${percent(cell.low)} to ${percent(cell.high)}: ${cell.right} of ${cell.asked}`;
  return element("td", { title: words }, element("b", {}, percent(share)), " ",
    element("small", {}, `${percent(cell.low)}–${percent(cell.high)}`), strip([cell.low, share, cell.high], guess, 0, 1));
}

/** A line from `low` to `high` with a mark at the value between them, on a scale; another where the reference lies. */
function strip([low, middle, high]: [number, number, number], reference: number, from: number, to: number): SVGElement {
  const x = (value: number) => 2 + 96 * ((value - from) / (to - from));
  const mark = drawing("line", { class: "reference", x1: x(reference), x2: x(reference), y1: 1, y2: 13 });
  return drawing("svg", { class: "strip", viewBox: "0 0 100 14", preserveAspectRatio: "none", "aria-hidden": "true" },
    drawing("line", { class: "scale", x1: 2, x2: 98, y1: 7, y2: 7 }), mark,
    drawing("line", { class: "interval", x1: x(low), x2: x(high), y1: 7, y2: 7 }),
    drawing("line", { class: "middle", x1: x(middle), x2: x(middle), y1: 2, y2: 12 }));
}

export function pairedTable(paired: Paired): HTMLElement {
  const head = ["query class", "queries", "both right", `only ${paired.first}`, `only ${paired.second}`, "difference", "p"];
  const rows = paired.rows.map((row) => {
    const words = `${signed(100 * row.low, 1)} to ${signed(100 * row.high, 1)}`;
    return element("tr", { class: row.class === "all" ? "total" : null },
      element("th", { scope: "row" }, foreign(row.class)),
      [row.queries, row.both, row.only_first, row.only_second].map((count) => element("td", {}, String(count))),
      element("td", {}, element("b", {}, signed(100 * row.difference, 1)), " ", element("small", {}, words),
        strip([row.low, row.difference, row.high], 0, -1, 1)),
      element("td", {}, row.p < 1e-4 ? "< 0.0001" : row.p.toFixed(4)));
  });
  return element("div", { class: "wide" },
    element("h3", {}, foreign(paired.second), " against ", foreign(paired.first), ", query for query"),
    element("table", { class: "accuracy" },
      element("thead", {}, element("tr", {}, head.map((text) => element("th", { scope: "col" }, foreign(text))))),
      element("tbody", {}, rows)),
    element("p", { class: "quiet" },
      "Points of accuracy on the queries that both were asked, with 95 % intervals (Newcombe's for pairs) from −100 to +100, and McNemar's exact p."));
}

function settingsTable(run: Run, isOneOfMany: boolean): HTMLElement | null {
  const { settings } = run.glance;
  const sections = new Map<string, [string, string][]>();
  for (const { key, value } of settings) {
    const dot = key.indexOf(".");
    const [section, rest] = dot < 0 ? ["run", key] : [key.slice(0, dot), key.slice(dot + 1)];
    sections.set(section, [...(sections.get(section) ?? []), [rest, value]]);
  }
  if (sections.size === 0) {
    return null;
  }
  const blocks = [...sections].map(([section, entries]) => element("div", {},
    element("h4", {}, foreign(section)),
    element("dl", {}, entries.map(([key, value]) => [element("dt", {}, foreign(key)), element("dd", {}, foreign(value))]))));
  const whose = isOneOfMany ? ["of ", foreign(run.name), " "] : null;
  return element("details", { open: !isOneOfMany },
    element("summary", {}, "Settings ", whose, `that differ from the defaults (${settings.length})`),
    element("div", { class: "settings" }, blocks));
}

/** A run's mark where there are several: the colour and mark of its lines. */
export function runMark(place: number): SVGElement {
  return sampleOf({ colour: place, dash: 0, mark: place }, true);
}
