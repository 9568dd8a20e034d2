// Line charts as drawings.

import { at } from "./data.js";
import { drawing, number } from "./elements.js";
import type { Epoch, Point } from "./records.js";

/** How lines are told apart: places among the colours, the dashes, and the marks on them. */
export interface Style {
  colour: number;
  dash: number;
  mark: number;
}

export interface Line extends Style {
  name: string;
  points: Point[];
  /** Whether there are other runs' lines beside it. */
  isOneOfMany: boolean;
  /** Shown on request alone. */
  hidden: boolean;
}

export interface Chart {
  id: string;
  title: string;
  section: string;
  most: number | null;
  lines: Line[];
}

/** What all charts share, and changes. */
export interface Look {
  /** Weight of what was before, in [0, 1). */
  smoothing: number;
  /** First and last step. */
  range: [number, number];
  bands: Epoch[];
}

/** How one chart is drawn: size in pixels, lines that are hidden by their names. */
interface OwnLook extends Look {
  hidden: Set<string>;
  width: number;
  height: number;
  mode: Mode;
}

type Mode = "light" | "dark";

/** How steps and values lie in a drawing. */
export interface Scale {
  x: (step: number) => number;
  y: (value: number) => number;
  range: [number, number];
  values: [number, number];
}

// Told apart by colour-blind readers too (Okabe and Ito), and by their dashes.
const COLOURS = {
  light: ["#1f2937", "#0072b2", "#b77900", "#00795a", "#c04a00", "#a84f83", "#3b8fc4", "#6b6f76"],
  dark: ["#e8eaee", "#56b4e9", "#e6a93c", "#2fc39a", "#ff8c4a", "#e094c1", "#9fd3f5", "#a5abb6"],
};
const DASHES = ["", "7 3", "2 3", "9 3 2 3", "4 2", "1 2", "12 4", "6 2 2 2 2 2"];
/** Circle, square, triangle, diamond and cross, within 1 of their middle. */
const MARKS = ["M-1 0a1 1 0 1 0 2 0a1 1 0 1 0-2 0", "M-1-1H1V1H-1Z", "M0-1.2 1.2 1H-1.2Z", "M0-1.4 1.4 0 0 1.4-1.4 0Z", "M-1.2-.4H-.4V-1.2H.4V-.4H1.2V.4H.4V1.2H-.4V.4H-1.2Z"];
/** Points of a line up to which each has its mark; of more, some have. */
const MARKED = 30;
export const INKS = {
  light: { ink: "#1f2937", quiet: "#5b6472", grid: "#e4e7ec", band: "#f1f3f6", paper: "#ffffff" },
  dark: { ink: "#e8eaee", quiet: "#a3abb8", grid: "#363c46", band: "#23272e", paper: "#1a1d22" },
};
export const FONT = "system-ui, sans-serif";
export const MARGIN = { left: 52, right: 14, top: 10, bottom: 34 };
export const darkScheme = window.matchMedia("(prefers-color-scheme: dark)");

export function scheme(): Mode {
  return darkScheme.matches ? "dark" : "light";
}

export function strokeOf(line: Omit<Style, "mark">, mode: Mode): { stroke: string; "stroke-dasharray": string } {
  const colours = COLOURS[mode];
  return { stroke: at(colours, line.colour % colours.length), "stroke-dasharray": at(DASHES, line.dash % DASHES.length) };
}

/** A mark of a line at a place, with a radius, in pixels. */
export function markAt(line: Style, x: number, y: number, radius: number, mode: Mode): SVGElement {
  const transform = `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${radius})`;
  return drawing("path", { class: "mark", d: at(MARKS, line.mark % MARKS.length), transform, fill: strokeOf(line, mode).stroke });
}

/** Round values between two ends, some `count` of them. */
function ticks(low: number, high: number, count: number): number[] {
  const rough = (high - low) / count;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * ([1, 2, 5].find((factor) => unit * factor >= rough) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, place) => Number(((first + place) * step).toPrecision(12)));
}

/** Exponential average of what was seen so far; early values are not pulled towards 0. */
function smoothed(points: Point[], weight: number): Point[] {
  let sum = 0;
  let total = 0;
  return points.map(([x, y]) => {
    sum = weight * sum + (1 - weight) * y;
    total = weight * total + (1 - weight);
    return [x, sum / total];
  });
}

function within(points: Point[], range: [number, number]): Point[] {
  return points.filter(([x]) => x >= range[0] && x <= range[1]);
}

/** The steps at which a chart has a point, in order. */
export function stepsOf(chart: Chart): number[] {
  return [...new Set(chart.lines.flatMap((line) => line.points.map(([x]) => x)))].sort((a, b) => a - b);
}

export function visibleLines(chart: Chart, hidden: Set<string>): Line[] {
  return chart.lines.filter((line) => !hidden.has(line.name));
}

/** From 0, or below it, to a little above the largest value, but not beyond what there can be. */
function bounds(chart: Chart, lines: Line[], range: [number, number]): [number, number] {
  const values = lines.flatMap((line) => within(line.points, range).map(([, y]) => y));
  const low = values.reduce((least, y) => Math.min(least, y), 0);
  const high = values.reduce((most, y) => Math.max(most, y), 0);
  const room = 0.06 * (high - low);
  // Nothing but zeros still needs a scale.
  const top = high === low ? 1 : high + room;
  return [low < 0 ? low - room : 0, chart.most === null ? top : Math.min(top, chart.most)];
}

/** The steps that are wanted, as far as there are any. */
function shownRange(chart: Chart, wanted: [number, number]): [number, number] {
  const last = chart.lines.flatMap((line) => line.points).reduce((most, [x]) => Math.max(most, x), 1);
  const [from, to] = [Math.max(0, wanted[0]), Math.min(last, wanted[1])];
  return [from, to > from ? to : from + 1];
}

/** Draws into an svg element and returns how steps and values lie in it. */
export function drawChart(svg: SVGSVGElement, chart: Chart, look: OwnLook): Scale {
  const { width, height } = look;
  const lines = visibleLines(chart, look.hidden);
  const range = shownRange(chart, look.range);
  const [low, high] = bounds(chart, lines, range);
  const scale: Scale = {
    x: (x) => MARGIN.left + ((x - range[0]) / (range[1] - range[0])) * (width - MARGIN.left - MARGIN.right),
    y: (y) => height - MARGIN.bottom - ((y - low) / (high - low)) * (height - MARGIN.top - MARGIN.bottom),
    range,
    values: [low, high],
  };
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("width", String(width));
  svg.setAttribute("height", String(height));
  svg.replaceChildren(...bandShapes(scale, look), ...axisShapes(scale, look), ...lines.flatMap((line) => lineShapes(line, scale, look)));
  return scale;
}

function path(points: Point[], scale: Scale): string {
  return points.map(([x, y], place) => `${place ? "L" : "M"}${scale.x(x).toFixed(1)} ${scale.y(y).toFixed(1)}`).join("");
}

function bandShapes(scale: Scale, look: OwnLook): SVGElement[] {
  const [top, bottom] = [MARGIN.top, look.height - MARGIN.bottom];
  return look.bands.filter((_, place) => place % 2 === 1).flatMap((band) => {
    const left = Math.max(band.first - 1, scale.range[0]);
    const right = Math.min(band.last, scale.range[1]);
    const box = { x: scale.x(left), width: scale.x(right) - scale.x(left), y: top, height: bottom - top, fill: INKS[look.mode].band };
    return right > left ? [drawing("rect", box, drawing("title", {}, `epoch ${band.epoch}`))] : [];
  });
}

function axisShapes(scale: Scale, { width, height, mode }: OwnLook): SVGElement[] {
  const inks = INKS[mode];
  const font = { "font-family": FONT, "font-size": 12, fill: inks.quiet };
  const values = ticks(...scale.values, height > 200 ? 5 : 3).flatMap((y) => [
    drawing("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: scale.y(y), y2: scale.y(y), stroke: inks.grid }),
    drawing("text", { ...font, x: MARGIN.left - 6, y: scale.y(y) + 4, "text-anchor": "end" }, number(y)),
  ]);
  const steps = ticks(...scale.range, Math.max(2, Math.floor(width / 90))).filter(Number.isInteger).map((x) =>
    drawing("text", { ...font, x: scale.x(x), y: height - 18, "text-anchor": "middle" }, String(x)));
  return [...values, ...steps, drawing("text", { ...font, x: width - MARGIN.right, y: height - 4, "text-anchor": "end" }, "step")];
}

function lineShapes(line: Line, scale: Scale, { mode, smoothing }: OwnLook): SVGElement[] {
  const points = within(line.points, scale.range);
  const { stroke, "stroke-dasharray": dashes } = strokeOf(line, mode);
  const common = { class: "line", fill: "none", stroke, "stroke-linejoin": "round" };
  const main = { ...common, "stroke-width": line.colour === 0 ? 2.25 : 1.75, "stroke-dasharray": dashes };
  if (smoothing > 0 && points.length > 2) {
    // Smoothed over all steps, then cut: the range must not change the line.
    const smooth = within(smoothed(line.points, smoothing), scale.range);
    const faint = drawing("path", { ...common, d: path(points, scale), "stroke-width": 1, opacity: 0.3 });
    return [faint, drawing("path", { ...main, d: path(smooth, scale) }), ...marks(line, smooth, scale, mode)];
  }
  return [drawing("path", { ...main, d: path(points, scale) }), ...marks(line, points, scale, mode)];
}

/** Marks along a line. A long line has them only where they tell it from another run's. */
function marks(line: Line, points: Point[], scale: Scale, mode: Mode): SVGElement[] {
  const apart = points.length <= MARKED ? 1 : line.isOneOfMany ? Math.ceil(points.length / 10) : Infinity;
  return points.filter((_, place) => apart === 1 || place % apart === Math.floor(apart / 2)).map(([x, y]) => markAt(line, scale.x(x), scale.y(y), 2.5, mode));
}
