// Line charts.

// Told apart by colour-blind readers too (Okabe and Ito), and by their dashes.
const COLOURS = {
  light: ["#1f2937", "#0072b2", "#b77900", "#00795a", "#c04a00", "#a84f83", "#3b8fc4", "#6b6f76"],
  dark: ["#e8eaee", "#56b4e9", "#e6a93c", "#2fc39a", "#ff8c4a", "#e094c1", "#9fd3f5", "#a5abb6"],
};
const DASHES = ["", "7 3", "2 3", "9 3 2 3", "4 2", "1 2", "12 4", "6 2 2 2 2 2"];
const INKS = {
  light: { ink: "#1f2937", quiet: "#5b6472", grid: "#e4e7ec", band: "#f1f3f6", paper: "#ffffff" },
  dark: { ink: "#e8eaee", quiet: "#a3abb8", grid: "#363c46", band: "#23272e", paper: "#1a1d22" },
};
const darkScheme = window.matchMedia("(prefers-color-scheme: dark)");

function scheme() {
  return darkScheme.matches ? "dark" : "light";
}

// Round values between two ends, some `count` of them.
function ticks(low, high, count) {
  const rough = (high - low) / count;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * [1, 2, 5, 10].find((factor) => unit * factor >= rough);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, place) => Number(((first + place) * step).toPrecision(12)));
}

// Exponential average of what was seen so far; early values are not pulled towards 0.
function smoothed(points, weight) {
  let sum = 0;
  let total = 0;
  return points.map(([x, y]) => {
    sum = weight * sum + (1 - weight) * y;
    total = weight * total + (1 - weight);
    return [x, sum / total];
  });
}

function within(points, range) {
  return points.filter(([x]) => x >= range[0] && x <= range[1]);
}

// From 0, or below it, to a little above the largest value, but not beyond what there can be.
function bounds(chart, lines, range) {
  const values = lines.flatMap((line) => within(line.points, range).map(([, y]) => y));
  const low = values.reduce((least, y) => Math.min(least, y), 0);
  const high = values.reduce((most, y) => Math.max(most, y), 0);
  const room = 0.06 * (high - low);
  // Nothing but zeros still needs a scale.
  const top = high === low ? 1 : high + room;
  return [low < 0 ? low - room : 0, chart.most === null ? top : Math.min(top, chart.most)];
}

function path(points, at) {
  return points.map(([x, y], place) => `${place ? "L" : "M"}${at.x(x).toFixed(1)} ${at.y(y).toFixed(1)}`).join("");
}

const MARGIN = { left: 52, right: 14, top: 10, bottom: 34 };

// Draws into an svg element and returns how steps and values lie in it.
function drawChart(svg, chart, look) {
  const { width, height } = look;
  const lines = chart.lines.filter((line) => !look.hidden.has(line.name));
  const range = shownRange(chart, look.range);
  const [low, high] = bounds(chart, lines, range);
  const at = {
    x: (x) => MARGIN.left + ((x - range[0]) / (range[1] - range[0])) * (width - MARGIN.left - MARGIN.right),
    y: (y) => height - MARGIN.bottom - ((y - low) / (high - low)) * (height - MARGIN.top - MARGIN.bottom),
    range,
    values: [low, high],
  };
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  svg.replaceChildren(...bandShapes(at, look), ...axisShapes(at, look), ...lines.flatMap((line) => lineShapes(line, at, look)));
  return at;
}

// The steps that are wanted, as far as there are any.
function shownRange(chart, wanted) {
  const last = chart.lines.flatMap((line) => line.points).reduce((most, [x]) => Math.max(most, x), 1);
  const [from, to] = [Math.max(0, wanted[0]), Math.min(last, wanted[1])];
  return [from, to > from ? to : from + 1];
}

function bandShapes(at, look) {
  const [top, bottom] = [MARGIN.top, look.height - MARGIN.bottom];
  return look.bands.filter((_, place) => place % 2 === 1).flatMap((band) => {
    const left = Math.max(band.first - 1, at.range[0]);
    const right = Math.min(band.last, at.range[1]);
    const box = { x: at.x(left), width: at.x(right) - at.x(left), y: top, height: bottom - top, fill: INKS[look.mode].band };
    return right > left ? [drawing("rect", box, drawing("title", {}, `epoch ${band.epoch}`))] : [];
  });
}

function axisShapes(at, { width, height, mode }) {
  const inks = INKS[mode];
  const font = { "font-family": "system-ui, sans-serif", "font-size": 12, fill: inks.quiet };
  const values = ticks(...at.values, height > 200 ? 5 : 3).flatMap((y) => [
    drawing("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: at.y(y), y2: at.y(y), stroke: inks.grid }),
    drawing("text", { ...font, x: MARGIN.left - 6, y: at.y(y) + 4, "text-anchor": "end" }, number(y)),
  ]);
  const steps = ticks(...at.range, Math.max(2, Math.floor(width / 90))).filter(Number.isInteger).map((x) =>
    drawing("text", { ...font, x: at.x(x), y: height - 18, "text-anchor": "middle" }, String(x)));
  return [...values, ...steps, drawing("text", { ...font, x: width - MARGIN.right, y: height - 4, "text-anchor": "end" }, "step")];
}

function lineShapes(line, at, { mode, smoothing }) {
  const points = within(line.points, at.range);
  const stroke = COLOURS[mode][line.colour % COLOURS[mode].length];
  const common = { fill: "none", stroke, "stroke-linejoin": "round" };
  const main = { ...common, "stroke-width": line.colour === 0 ? 2.25 : 1.75, "stroke-dasharray": DASHES[line.dash % DASHES.length] };
  if (smoothing > 0 && points.length > 2) {
    // Smoothed over all steps, then cut: the range must not change the line.
    const smooth = within(smoothed(line.points, smoothing), at.range);
    return [drawing("path", { ...common, d: path(points, at), "stroke-width": 1, opacity: 0.3 }), drawing("path", { ...main, d: path(smooth, at) })];
  }
  const dots = points.length <= 30 ? points.map(([x, y]) => drawing("circle", { cx: at.x(x), cy: at.y(y), r: 2.5, fill: stroke })) : [];
  return [drawing("path", { ...main, d: path(points, at) }), ...dots];
}

// The chart as a picture of its own, with title and legend, in light colours.
function chartPicture(chart, look) {
  const width = 640;
  const inks = INKS.light;
  const font = { "font-family": "system-ui, sans-serif", fill: inks.ink };
  const legend = drawing("g");
  let left = 12;
  let top = 44;
  const lines = chart.lines.filter((line) => !look.hidden.has(line.name));
  for (const line of lines.length > 1 ? lines : []) {
    const wide = 34 + 7 * line.name.length;
    if (left + wide > width && left > 12) {
      left = 12;
      top += 20;
    }
    const stroke = COLOURS.light[line.colour % COLOURS.light.length];
    const sample = { x1: left, x2: left + 18, y1: top, y2: top, stroke, "stroke-width": 2 };
    legend.append(drawing("line", { ...sample, "stroke-dasharray": DASHES[line.dash % DASHES.length] }));
    legend.append(drawing("text", { ...font, x: left + 22, y: top + 4, "font-size": 12 }, line.name));
    left += wide;
  }
  const below = lines.length > 1 ? top + 14 : 34;
  const inner = drawing("svg", { y: below });
  drawChart(inner, chart, { ...look, mode: "light", width, height: 330 });
  const size = { width, height: below + 330, viewBox: `0 0 ${width} ${below + 330}` };
  const title = drawing("text", { ...font, x: 12, y: 24, "font-size": 16, "font-weight": "bold" }, chart.title);
  const paper = drawing("rect", { width: "100%", height: "100%", fill: inks.paper });
  return new XMLSerializer().serializeToString(drawing("svg", size, paper, title, legend, inner));
}

function chartNumbers(chart) {
  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const steps = [...new Set(chart.lines.flatMap((line) => line.points.map(([x]) => x)))].sort((a, b) => a - b);
  const columns = chart.lines.map((line) => new Map(line.points));
  const rows = steps.map((step) => [step, ...columns.map((column) => column.get(step) ?? "")].join(","));
  return [["step", ...chart.lines.map((line) => quoted(line.name))].join(","), ...rows, ""].join("\n");
}

// A chart with its legend, its values under the pointer or the arrow keys, and buttons for picture and numbers. `look` holds what all
// charts share: smoothing, range and bands.
function chartFigure(chart, look) {
  const hidden = new Set(chart.lines.filter((line) => line.hidden).map((line) => line.name));
  const svg = drawing("svg", { tabindex: 0, role: "img", "aria-label": chartSummary(chart) });
  const values = element("div", { class: "values", hidden: true, role: "status" });
  const frame = element("div", { class: "frame" }, svg, values);
  const state = { chart, svg, values, hidden, at: null, cursor: null };
  const draw = () => {
    const width = Math.floor(frame.clientWidth);
    if (width > 0) {
      state.at = drawChart(svg, chart, { ...look, hidden, width, height: width < 420 ? 200 : 240, mode: scheme() });
      pointAt(state, null);
    }
  };
  listen(state);
  const picture = () => save(`${chart.id}.svg`, "image/svg+xml", chartPicture(chart, { ...look, hidden }));
  const numbers = () => save(`${chart.id}.csv`, "text/csv", chartNumbers(chart));
  const figure = element("figure", { class: "chart", "data-chart": chart.id },
    element("figcaption", {}, foreign(chart.title), element("div", { class: "tools" },
      element("button", { type: "button", title: "Save as a picture", onclick: picture }, "SVG"),
      element("button", { type: "button", title: "Save the numbers", onclick: numbers }, "CSV"))),
    chartLegend(chart, hidden, draw), frame);
  figure.draw = draw;
  return figure;
}

function chartLegend(chart, hidden, draw) {
  const entry = (line) => {
    const toggle = () => {
      hidden.has(line.name) ? hidden.delete(line.name) : hidden.add(line.name);
      button.setAttribute("aria-pressed", String(!hidden.has(line.name)));
      draw();
    };
    const button = element("button", { type: "button", "aria-pressed": String(!hidden.has(line.name)), onclick: toggle }, sampleOf(line), foreign(line.name));
    return button;
  };
  // The title says what a single line is.
  return element("div", { class: "legend" }, chart.lines.length < 2 ? [] : chart.lines.map(entry));
}

// Shows the values of a step beside a line through it; none: hides them.
function pointAt(state, step) {
  const { svg, values, chart, hidden, at } = state;
  state.cursor = step;
  svg.querySelector(".cursor")?.remove();
  values.hidden = step === null;
  if (step === null) {
    return;
  }
  const x = at.x(step);
  const [width, height] = [Number(svg.getAttribute("width")), Number(svg.getAttribute("height"))];
  svg.append(drawing("line", { class: "cursor", x1: x, x2: x, y1: MARGIN.top, y2: height - MARGIN.bottom }));
  const rows = chart.lines.filter((line) => !hidden.has(line.name)).map((line) => {
    const found = line.points.find(([at]) => at === step);
    return found ? element("div", {}, sampleOf(line), foreign(line.name), " ", element("b", {}, number(found[1], 4))) : "";
  });
  values.replaceChildren(element("b", {}, `step ${step}`), ...rows);
  values.style.left = x > width / 2 ? "" : `${x + 10}px`;
  values.style.right = x > width / 2 ? `${width - x + 10}px` : "";
}

function listen(state) {
  const { svg, chart } = state;
  const steps = [...new Set(chart.lines.flatMap((line) => line.points.map(([x]) => x)))].sort((a, b) => a - b);
  const visible = () => within(steps.map((step) => [step]), state.at.range).flat();
  svg.addEventListener("pointermove", (event) => {
    const left = event.clientX - svg.getBoundingClientRect().left;
    const distance = (step) => Math.abs(state.at.x(step) - left);
    pointAt(state, visible().reduce((best, step) => (best === null || distance(step) < distance(best) ? step : best), null));
  });
  svg.addEventListener("pointerleave", () => pointAt(state, null));
  svg.addEventListener("blur", () => pointAt(state, null));
  svg.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (move) {
      event.preventDefault();
      const all = visible();
      const place = state.cursor === null ? (move > 0 ? 0 : all.length - 1) : all.indexOf(state.cursor) + move;
      pointAt(state, all[Math.max(0, Math.min(all.length - 1, place))] ?? null);
    }
  });
}

function sampleOf(line) {
  const mode = scheme();
  const look = { x1: 0, x2: 20, y1: 5, y2: 5, "stroke-width": 2.5, stroke: COLOURS[mode][line.colour % COLOURS[mode].length] };
  return drawing("svg", { width: 20, height: 10, class: "sample", "aria-hidden": "true" },
    drawing("line", { ...look, "stroke-dasharray": DASHES[line.dash % DASHES.length] }));
}

function chartSummary(chart) {
  const last = chart.lines.map((line) => `${line.name}: ${number(line.points.at(-1)[1])}`);
  return `${chart.title}. Last values: ${last.join(", ")}. Arrow keys move along the steps.`;
}
