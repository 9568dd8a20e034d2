// A chart on the page: its legend, its values under the pointer or the arrow keys, its buttons.

import { drawChart, MARGIN, markAt, scheme, stepsOf, strokeOf, visibleLines } from "./chart.js";
import type { Chart, Line, Look, Scale, Style } from "./chart.js";
import { at } from "./data.js";
import { chartTools, drawing, element, foreign, number } from "./elements.js";
import { chartNumbers, chartPicture } from "./pictures.js";

export interface Figure {
  node: HTMLElement;
  /** Draws it anew, in the width that it has. */
  draw: () => void;
}

interface State {
  chart: Chart;
  svg: SVGSVGElement;
  values: HTMLElement;
  /** Names of lines. */
  hidden: Set<string>;
  /** None before it is drawn. */
  scale: Scale | null;
  /** The step whose values are shown. */
  cursor: number | null;
}

export function chartFigure(chart: Chart, look: Look): Figure {
  const hidden = new Set(chart.lines.filter((line) => line.hidden).map((line) => line.name));
  const svg = drawing("svg", { tabindex: 0, role: "img", "aria-label": chartSummary(chart) });
  const values = element("div", { class: "values", hidden: true, role: "status" });
  const frame = element("div", { class: "frame" }, svg, values);
  const state: State = { chart, svg, values, hidden, scale: null, cursor: null };
  const draw = () => {
    const width = Math.floor(frame.clientWidth);
    if (width > 0) {
      state.scale = drawChart(svg, chart, { ...look, hidden, width, height: width < 420 ? 200 : 240, mode: scheme() });
      pointAt(state, null);
    }
  };
  listen(state);
  const tools = chartTools(chart.id, () => chartPicture(chart, look, hidden), () => chartNumbers(chart));
  const node = element("figure", { class: "chart", "data-chart": chart.id },
    element("figcaption", {}, foreign(chart.title), tools), chartLegend(chart, hidden, draw), frame);
  return { node, draw };
}

function chartLegend(chart: Chart, hidden: Set<string>, draw: () => void): HTMLElement {
  const entry = (line: Line) => {
    const toggle = () => {
      hidden.has(line.name) ? hidden.delete(line.name) : hidden.add(line.name);
      button.setAttribute("aria-pressed", String(!hidden.has(line.name)));
      draw();
    };
    const button = element("button", { type: "button", "aria-pressed": String(!hidden.has(line.name)), onclick: toggle }, sampleOf(line, line.isOneOfMany), foreign(line.name));
    return button;
  };
  // The title says what a single line is.
  return element("div", { class: "legend" }, chart.lines.length < 2 ? [] : chart.lines.map(entry));
}

/** Shows the values of a step beside a line through it; none: hides them. */
function pointAt(state: State, step: number | null): void {
  const { svg, values, chart, hidden, scale } = state;
  state.cursor = step;
  svg.querySelector(".cursor")?.remove();
  values.hidden = step === null;
  if (step === null || scale === null) {
    return;
  }
  const x = scale.x(step);
  const [width, height] = [Number(svg.getAttribute("width")), Number(svg.getAttribute("height"))];
  svg.append(drawing("line", { class: "cursor", x1: x, x2: x, y1: MARGIN.top, y2: height - MARGIN.bottom }));
  const rows = visibleLines(chart, hidden).flatMap((line) => {
    const found = line.points.find(([x]) => x === step);
    return found ? [element("div", {}, sampleOf(line, line.isOneOfMany), foreign(line.name), " ", element("b", {}, number(found[1], 4)))] : [];
  });
  values.replaceChildren(element("b", {}, `step ${step}`), ...rows);
  values.style.left = x > width / 2 ? "" : `${x + 10}px`;
  values.style.right = x > width / 2 ? `${width - x + 10}px` : "";
}

function listen(state: State): void {
  const { svg, chart } = state;
  const steps = stepsOf(chart);
  const visible = () => {
    const [first, last] = state.scale?.range ?? [0, Infinity];
    return steps.filter((step) => step >= first && step <= last);
  };
  svg.addEventListener("pointermove", (event) => {
    const left = event.clientX - svg.getBoundingClientRect().left;
    const distance = (step: number) => Math.abs((state.scale?.x(step) ?? 0) - left);
    const nearest = (best: number | null, step: number) => (best === null || distance(step) < distance(best) ? step : best);
    pointAt(state, visible().reduce(nearest, null));
  });
  svg.addEventListener("pointerleave", () => pointAt(state, null));
  svg.addEventListener("blur", () => pointAt(state, null));
  svg.addEventListener("keydown", (event) => {
    const move = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
    const all = visible();
    if (move !== 0 && all.length > 0) {
      event.preventDefault();
      const place = state.cursor === null ? (move > 0 ? 0 : all.length - 1) : all.indexOf(state.cursor) + move;
      pointAt(state, at(all, Math.max(0, Math.min(all.length - 1, place))));
    }
  });
}

/** A piece of a line, with its mark where that tells runs apart. */
export function sampleOf(line: Style, isOneOfMany: boolean): SVGElement {
  const mark = isOneOfMany ? [markAt(line, 10, 5, 3.5, scheme())] : [];
  return drawing("svg", { width: 20, height: 10, class: "sample", "aria-hidden": "true" },
    drawing("line", { x1: 0, x2: 20, y1: 5, y2: 5, "stroke-width": 2.5, ...strokeOf(line, scheme()) }), ...mark);
}

function chartSummary(chart: Chart): string {
  const last = chart.lines.flatMap((line) => {
    const point = line.points.at(-1);
    return point ? [`${line.name}: ${number(point[1])}`] : [];
  });
  return `${chart.title}. Last values: ${last.join(", ")}. Arrow keys move along the steps.`;
}
