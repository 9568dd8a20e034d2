// Part of rerec-report, MIT OR Apache-2.0. Built from page/ by `npm run build`, not to be edited. sha256 f77d75a8d7f141685e367c2070d76322f3a55855af6e7bb9740ba9a43ee7670b
"use strict";
(() => {
  // data.ts
  var unpacked = /* @__PURE__ */ new Map();
  var KEPT_BLOCKS = 24;
  function at(list, place) {
    if (!(place >= 0 && place < list.length)) {
      throw new RangeError(`entry ${place} of a list of ${list.length}`);
    }
    return list[place];
  }
  async function unpack(id) {
    const text = atob(document.getElementById(id)?.textContent ?? "");
    const bytes2 = new Uint8Array(text.length);
    for (let place = 0; place < text.length; place++) {
      bytes2[place] = text.charCodeAt(place);
    }
    const stream = new Blob([bytes2]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).json();
  }
  function piece(id) {
    const known = unpacked.get(id);
    if (known) {
      return known;
    }
    const promise = unpack(id);
    unpacked.set(id, promise);
    const blocks = [...unpacked.keys()].filter((key) => key.startsWith("block-"));
    if (blocks.length > KEPT_BLOCKS) {
      unpacked.delete(at(blocks, 0));
    }
    return promise;
  }
  var opened = /* @__PURE__ */ new Map();
  function openRun(run) {
    const known = opened.get(run) ?? readRun(run);
    opened.set(run, known);
    return known;
  }
  async function readRun(run) {
    const [index, records] = await Promise.all([piece(`index-${run}`), piece(`queries-${run}`)]);
    const { groups } = index;
    const firstResponse = [];
    const placeInBlock = [];
    const ofQuery = index.queries.map(() => []);
    let responses = 0;
    let [block, inBlock] = [-1, 0];
    for (let group = 0; group < groups.step.length; group++) {
      firstResponse.push(responses);
      responses += at(groups.size, group);
      inBlock = at(groups.block, group) === block ? inBlock + 1 : 0;
      block = at(groups.block, group);
      placeInBlock.push(inBlock);
      at(ofQuery, at(groups.query, group)).push(group);
    }
    const queryRecords = new Map(records.map((record) => [record.query, record]));
    return { ...index, run, queryRecords, firstResponse, placeInBlock, ofQuery };
  }
  async function groupRecord(data, group) {
    const block = await piece(`block-${data.run}-${at(data.groups.block, group)}`);
    return at(block, at(data.placeInBlock, group));
  }
  function queryOf(data, group) {
    return at(data.queries, at(data.groups.query, group));
  }
  function alikeGroups(data, group) {
    return at(data.ofQuery, at(data.groups.query, group));
  }
  function outcomes(data, group) {
    const first = at(data.firstResponse, group);
    return data.responses.outcome.slice(first, first + at(data.groups.size, group));
  }
  function rightShare(data, group) {
    const all = outcomes(data, group);
    return { right: all.filter((outcome) => outcome === 1).length, all: all.length };
  }

  // elements.ts
  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value === "function") {
        made.addEventListener(name.slice(2), value);
      } else if (value !== null && value !== void 0 && value !== false) {
        made.setAttribute(name, value === true ? "" : String(value));
      }
    }
    made.append(...flat(children));
    return made;
  }
  function flat(children) {
    return children.flatMap((child) => Array.isArray(child) ? flat(child) : child ? [child] : []);
  }
  function drawing(tag, attributes = {}, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) {
      made.setAttribute(name, String(value));
    }
    made.append(...children);
    return made;
  }
  var INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
  function shown(text) {
    const nodes = [];
    let behind = 0;
    for (const found of text.matchAll(INVISIBLE)) {
      nodes.push(text.slice(behind, found.index));
      const code = (found[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
      nodes.push(element("span", { class: "invisible", title: `the character U+${code}` }, `U+${code}`));
      behind = found.index + found[0].length;
    }
    nodes.push(text.slice(behind));
    return nodes;
  }
  function foreign(text) {
    return element("bdi", {}, shown(text));
  }
  function number(value, digits = 3) {
    if (value === 0) {
      return "0";
    }
    const size = Math.abs(value);
    if (size < 1e-3 || size >= 1e6) {
      return value.toExponential(2).replace(/\.?0+e/, "e");
    }
    return String(Number(value.toPrecision(Math.max(digits, Math.ceil(Math.log10(size + 1))))));
  }
  function signed(value, digits = 2) {
    const text = Math.abs(value).toFixed(digits);
    return value < 0 && Number(text) !== 0 ? `−${text}` : `+${text}`;
  }
  function percent(share) {
    return (100 * share).toFixed(1);
  }
  function bytes(count) {
    return count < 1e6 ? `${Math.ceil(count / 1e3)} kB` : `${(count / 1e6).toFixed(1)} MB`;
  }
  function many(count, one, more = `${one}s`) {
    return `${count.toLocaleString("en")} ${count === 1 ? one : more}`;
  }
  function save(name, type, text) {
    const address = URL.createObjectURL(new Blob([text], { type }));
    const link = element("a", { href: address, download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 1e3);
  }
  function field(label, control) {
    return element("label", { class: "field" }, element("span", {}, label), control);
  }
  function select(options, onchange) {
    return element("select", { onchange }, options.map(([value, text]) => element("option", { value }, text)));
  }
  function chartTools(id, picture2, numbers) {
    return element(
      "div",
      { class: "tools" },
      element("button", { type: "button", title: "Save as a picture", onclick: () => save(`${id}.svg`, "image/svg+xml", picture2()) }, "SVG"),
      element("button", { type: "button", title: "Save the numbers", onclick: () => save(`${id}.csv`, "text/csv", numbers()) }, "CSV")
    );
  }

  // chart.ts
  var COLOURS = {
    light: ["#1f2937", "#0072b2", "#b77900", "#00795a", "#c04a00", "#a84f83", "#3b8fc4", "#6b6f76"],
    dark: ["#e8eaee", "#56b4e9", "#e6a93c", "#2fc39a", "#ff8c4a", "#e094c1", "#9fd3f5", "#a5abb6"]
  };
  var DASHES = ["", "7 3", "2 3", "9 3 2 3", "4 2", "1 2", "12 4", "6 2 2 2 2 2"];
  var MARKS = ["M-1 0a1 1 0 1 0 2 0a1 1 0 1 0-2 0", "M-1-1H1V1H-1Z", "M0-1.2 1.2 1H-1.2Z", "M0-1.4 1.4 0 0 1.4-1.4 0Z", "M-1.2-.4H-.4V-1.2H.4V-.4H1.2V.4H.4V1.2H-.4V.4H-1.2Z"];
  var MARKED = 30;
  var INKS = {
    light: { ink: "#1f2937", quiet: "#5b6472", grid: "#e4e7ec", band: "#f1f3f6", paper: "#ffffff" },
    dark: { ink: "#e8eaee", quiet: "#a3abb8", grid: "#363c46", band: "#23272e", paper: "#1a1d22" }
  };
  var FONT = "system-ui, sans-serif";
  var MARGIN = { left: 52, right: 14, top: 10, bottom: 34 };
  var darkScheme = window.matchMedia("(prefers-color-scheme: dark)");
  function scheme() {
    return darkScheme.matches ? "dark" : "light";
  }
  function strokeOf(line, mode) {
    const colours = COLOURS[mode];
    return { stroke: at(colours, line.colour % colours.length), "stroke-dasharray": at(DASHES, line.dash % DASHES.length) };
  }
  function markAt(line, x, y, radius, mode) {
    const transform = `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${radius})`;
    return drawing("path", { class: "mark", d: at(MARKS, line.mark % MARKS.length), transform, fill: strokeOf(line, mode).stroke });
  }
  function ticks(low, high, count) {
    const rough = (high - low) / count;
    const unit = 10 ** Math.floor(Math.log10(rough));
    const step = unit * ([1, 2, 5].find((factor) => unit * factor >= rough) ?? 10);
    const first = Math.ceil(low / step - 1e-9);
    const last = Math.floor(high / step + 1e-9);
    return Array.from({ length: last - first + 1 }, (_, place) => Number(((first + place) * step).toPrecision(12)));
  }
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
  function stepsOf(chart) {
    return [...new Set(chart.lines.flatMap((line) => line.points.map(([x]) => x)))].sort((a, b) => a - b);
  }
  function visibleLines(chart, hidden) {
    return chart.lines.filter((line) => !hidden.has(line.name));
  }
  function bounds(chart, lines, range) {
    const values = lines.flatMap((line) => within(line.points, range).map(([, y]) => y));
    const low = values.reduce((least, y) => Math.min(least, y), 0);
    const high = values.reduce((most, y) => Math.max(most, y), 0);
    const room = 0.06 * (high - low);
    const top = high === low ? 1 : high + room;
    return [low < 0 ? low - room : 0, chart.most === null ? top : Math.min(top, chart.most)];
  }
  function shownRange(chart, wanted) {
    const last = chart.lines.flatMap((line) => line.points).reduce((most, [x]) => Math.max(most, x), 1);
    const [from, to] = [Math.max(0, wanted[0]), Math.min(last, wanted[1])];
    return [from, to > from ? to : from + 1];
  }
  function drawChart(svg, chart, look) {
    const { width, height } = look;
    const lines = visibleLines(chart, look.hidden);
    const range = shownRange(chart, look.range);
    const [low, high] = bounds(chart, lines, range);
    const scale = {
      x: (x) => MARGIN.left + (x - range[0]) / (range[1] - range[0]) * (width - MARGIN.left - MARGIN.right),
      y: (y) => height - MARGIN.bottom - (y - low) / (high - low) * (height - MARGIN.top - MARGIN.bottom),
      range,
      values: [low, high]
    };
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("width", String(width));
    svg.setAttribute("height", String(height));
    svg.replaceChildren(...bandShapes(scale, look), ...axisShapes(scale, look), ...lines.flatMap((line) => lineShapes(line, scale, look)));
    return scale;
  }
  function path(points, scale) {
    return points.map(([x, y], place) => `${place ? "L" : "M"}${scale.x(x).toFixed(1)} ${scale.y(y).toFixed(1)}`).join("");
  }
  function bandShapes(scale, look) {
    const [top, bottom] = [MARGIN.top, look.height - MARGIN.bottom];
    return look.bands.filter((_, place) => place % 2 === 1).flatMap((band) => {
      const left = Math.max(band.first - 1, scale.range[0]);
      const right = Math.min(band.last, scale.range[1]);
      const box = { x: scale.x(left), width: scale.x(right) - scale.x(left), y: top, height: bottom - top, fill: INKS[look.mode].band };
      return right > left ? [drawing("rect", box, drawing("title", {}, `epoch ${band.epoch}`))] : [];
    });
  }
  function axisShapes(scale, { width, height, mode }) {
    const inks = INKS[mode];
    const font = { "font-family": FONT, "font-size": 12, fill: inks.quiet };
    const values = ticks(...scale.values, height > 200 ? 5 : 3).flatMap((y) => [
      drawing("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: scale.y(y), y2: scale.y(y), stroke: inks.grid }),
      drawing("text", { ...font, x: MARGIN.left - 6, y: scale.y(y) + 4, "text-anchor": "end" }, number(y))
    ]);
    const steps = ticks(...scale.range, Math.max(2, Math.floor(width / 90))).filter(Number.isInteger).map((x) => drawing("text", { ...font, x: scale.x(x), y: height - 18, "text-anchor": "middle" }, String(x)));
    return [...values, ...steps, drawing("text", { ...font, x: width - MARGIN.right, y: height - 4, "text-anchor": "end" }, "step")];
  }
  function lineShapes(line, scale, { mode, smoothing }) {
    const points = within(line.points, scale.range);
    const { stroke, "stroke-dasharray": dashes } = strokeOf(line, mode);
    const common = { class: "line", fill: "none", stroke, "stroke-linejoin": "round" };
    const main2 = { ...common, "stroke-width": line.colour === 0 ? 2.25 : 1.75, "stroke-dasharray": dashes };
    if (smoothing > 0 && points.length > 2) {
      const smooth = within(smoothed(line.points, smoothing), scale.range);
      const faint = drawing("path", { ...common, d: path(points, scale), "stroke-width": 1, opacity: 0.3 });
      return [faint, drawing("path", { ...main2, d: path(smooth, scale) }), ...marks(line, smooth, scale, mode)];
    }
    return [drawing("path", { ...main2, d: path(points, scale) }), ...marks(line, points, scale, mode)];
  }
  function marks(line, points, scale, mode) {
    const apart = points.length <= MARKED ? 1 : line.isOneOfMany ? Math.ceil(points.length / 10) : Infinity;
    return points.filter((_, place) => apart === 1 || place % apart === Math.floor(apart / 2)).map(([x, y]) => markAt(line, scale.x(x), scale.y(y), 2.5, mode));
  }

  // response.ts
  var encoder = new TextEncoder();
  var decoder = new TextDecoder();
  var OUTCOMES = [["✗", "wrong"], ["✓", "right"], ["∅", "no answer"], ["!", "not scored"]];
  function outcomeClass(outcome) {
    return OUTCOMES[outcome][1].replace(" ", "-");
  }
  function outcomeOf(response) {
    if (!response.reward) {
      return 3;
    }
    return response.reward.hit ? 1 : response.reward.answer ? 0 : 2;
  }
  function responseCard(response, look) {
    const outcome = outcomeOf(response);
    const [sign, word] = OUTCOMES[outcome];
    const facts = [
      many(response.tokens, "token"),
      response.finish === "length" ? "cut off by the token limit" : null,
      `log-probability ${number(response.log_prob)}`
    ];
    return element(
      "article",
      { class: `response ${outcomeClass(outcome)}${look.matches ? " matches" : ""}` },
      element(
        "header",
        {},
        element("b", { class: "outcome" }, `${sign} ${word}`),
        element("span", {}, `sample ${response.sample + 1}`),
        response.reward ? element("b", { class: "total" }, signed(response.reward.total, 3)) : null
      ),
      element("p", { class: "quiet" }, facts.filter(Boolean).join(" · ")),
      response.error ? element("p", { class: "fault" }, foreign(response.error)) : null,
      response.reward ? rewardBar(response.reward, look) : null,
      flagList(response),
      element("div", { class: "text", dir: "auto" }, textParts(response, look))
    );
  }
  function rewardParts(reward, weights) {
    const { query_alignment: query, preference_alignment: preference } = reward;
    const known = [["format", weights.format * reward.format], ["ranking", reward.ranking]];
    if (query !== null) {
      known.push(["query", weights.query * query, query]);
    }
    if (preference !== null) {
      known.push(["preference", weights.preference * preference, preference]);
    }
    const rest = reward.total - known.reduce((sum, [, value]) => sum + value, 0);
    return Math.abs(rest) > 1e-9 ? [...known, ["others", rest]] : known;
  }
  function rewardBar(reward, look) {
    if (!look.weights) {
      return null;
    }
    const parts = rewardParts(reward, look.weights);
    const words = parts.map(([name, value]) => `${name} ${signed(value, 3)}`).join(", ");
    const scale = 100 / Math.max(look.mostBonus + look.mostMalus, 1e-9);
    const zero = look.mostMalus * scale;
    let [left, right] = [zero, zero];
    const boxes = parts.filter(([, value]) => value !== 0).map(([name, value]) => {
      const width = Math.abs(value) * scale;
      const x = value < 0 ? left -= width : right;
      right += value > 0 ? width : 0;
      return drawing(
        "rect",
        { class: `part-${name}`, x, y: 1, width, height: 8 },
        drawing("title", {}, `${name} ${signed(value, 3)}`)
      );
    });
    const terms = Object.entries(reward.terms ?? {});
    return element(
      "div",
      { class: "reward" },
      drawing(
        "svg",
        { viewBox: "0 0 100 10", preserveAspectRatio: "none", role: "img", "aria-label": words },
        drawing("line", { class: "zero", x1: zero, x2: zero, y1: 0, y2: 10 }),
        ...boxes
      ),
      element("p", { class: "parts" }, parts.map(([name, value, score]) => element(
        "span",
        { class: "part", title: "in brackets: before its weight" },
        element("i", { class: `part-${name}` }),
        `${name} ${signed(value, 3)}`,
        score === void 0 ? null : element("small", {}, ` (${score.toFixed(2)})`)
      ))),
      terms.length ? element("p", { class: "quiet" }, "mixed in: ", terms.map(([name, value], place) => [place ? " · " : "", foreign(name), ` ${value.toFixed(2)}`])) : null
    );
  }
  function flagList(response) {
    const flags = response.reward?.flags ?? [];
    return flags.length ? element("p", { class: "flags" }, flags.map((flag) => element("span", {}, flag.replaceAll("_", " ")))) : null;
  }
  function textParts(response, look) {
    const bytes2 = encoder.encode(response.text);
    const marks2 = textMarks(response);
    const cuts = tokenCuts(response, bytes2, look.tokens);
    const piece2 = (start, end) => inlineParts(bytes2, start, end, marks2, cuts);
    const blocks = [];
    let behind = 0;
    const between = (end) => {
      const text = decoder.decode(bytes2.subarray(behind, end));
      if (text.trim() !== "") {
        blocks.push(element("div", { class: "between" }, piece2(behind, end)));
      }
    };
    for (const step of [...response.steps].sort((a, b) => a.span.start - b.span.start)) {
      const start = Math.max(step.span.start, behind);
      if (step.span.end > start) {
        between(start);
        blocks.push(stepBlock(step, piece2(start, step.span.end), look));
        behind = step.span.end;
      }
    }
    between(bytes2.length);
    return blocks.length ? blocks : element("p", { class: "quiet" }, "The response is empty.");
  }
  function stepBlock(step, parts, look) {
    const strength = Math.min(1, Math.abs(step.advantage) / Math.max(look.mostAdvantage, 1e-9));
    const side = step.advantage < 0 ? "negative" : step.advantage > 0 ? "positive" : "neutral";
    const title = `advantage ${signed(step.advantage, 3)}, mean over ${many(step.tokens.end - step.tokens.start, "token")}`;
    return element(
      "div",
      { class: `step ${side} ${step.kind}${step.penalised ? " penalised" : ""}`, style: `--strength: ${strength.toFixed(3)}` },
      element("span", { class: "advantage", title }, signed(step.advantage)),
      element("div", {}, element("div", {}, parts), step.penalised ? penalty(step) : null)
    );
  }
  function penalty(step) {
    const culprits = step.items.filter((item) => item.is_recommended && !item.is_target);
    const why = culprits.length ? ["names the wrong recommendation ", culprits.map((item, place) => [place ? ", " : "", element("b", {}, foreign(item.name))])] : "by its distance from naming a right item";
    const kept = `${(100 * step.ratio).toFixed(0)} %`;
    return element("p", { class: "penalty", title: `Its tokens keep ${kept} of the reward.` }, `✂ ${kept} kept: `, why);
  }
  function textMarks(response) {
    const marks2 = response.steps.flatMap((step) => step.items.flatMap((item) => (item.spans ?? []).map((span) => {
      const role = item.is_target ? "target" : item.is_recommended ? "recommended" : "mentioned";
      const words = { target: "a right item", recommended: "the wrong recommendation", mentioned: "another item" }[role];
      return [span.start, span.end, `mention ${role}`, `${item.name}: ${words}`];
    })));
    const answer = response.reward?.answer;
    if (answer) {
      marks2.push([answer.span.start, answer.span.end, "box", "the answer"]);
      for (const { span, flag } of answer.items) {
        if (flag !== null) {
          marks2.push([span.start, span.end, "flagged", flag.replaceAll("_", " ")]);
        }
      }
    }
    return marks2;
  }
  function tokenCuts(response, bytes2, isWanted) {
    const lengths = isWanted ? response.token_byte_lens ?? [] : [];
    const cuts = [];
    let begin = 0;
    for (const length of lengths) {
      if (length > 0 && ((bytes2[begin] ?? 0) & 192) !== 128) {
        cuts.push(begin);
      }
      begin += length;
    }
    return cuts;
  }
  function inlineParts(bytes2, start, end, marks2, cuts) {
    const inside = (place) => place > start && place < end;
    const ends = /* @__PURE__ */ new Set([start, end, ...marks2.flatMap(([from, to]) => [from, to]).filter(inside), ...cuts.filter(inside)]);
    const sorted = [...ends].sort((a, b) => a - b);
    let token = cuts.findLastIndex((cut) => cut <= start);
    return sorted.slice(0, -1).map((from, place) => {
      const to = at(sorted, place + 1);
      while (token + 1 < cuts.length && at(cuts, token + 1) <= from) {
        token += 1;
      }
      const over = marks2.filter(([first, last]) => first <= from && last >= to);
      const classes = over.map(([, , name]) => name);
      for (const [first, last] of over.filter(([, , name]) => name === "box")) {
        classes.push(first === from ? "begins" : "", last === to ? "ends" : "");
      }
      if (cuts.length) {
        classes.push(token % 2 ? "token odd" : "token");
      }
      const text = shown(decoder.decode(bytes2.subarray(from, to)));
      return classes.length ? element("span", { class: classes.join(" "), title: over.map(([, , , words]) => words).join("; ") || null }, text) : element("span", {}, text);
    });
  }

  // group.ts
  function queryText(data, id) {
    const record = data.queryRecords.get(id);
    return record ? `${id} ${record.conversation.map((message) => message.content).join(" ")}` : id;
  }
  function queryBlock(data, record) {
    const query = data.queryRecords.get(record.query);
    const answers = answerCounts(record);
    if (!query) {
      return element("div", { class: "query" }, element("p", { class: "quiet" }, "The words of this query are not recorded."), answers);
    }
    const targets = new Set(query.targets);
    const messages = query.conversation.map((message) => element(
      "blockquote",
      {},
      query.conversation.length > 1 ? element("b", {}, foreign(message.role)) : null,
      element("div", { class: "text", dir: "auto" }, shown(message.content.trim()))
    ));
    return element(
      "div",
      { class: "query" },
      messages,
      element("p", {}, "Right: ", query.targets.map((title, place) => [place ? ", " : "", element("b", { class: "target" }, foreign(title))])),
      query.candidates ? element(
        "details",
        {},
        element("summary", {}, many(query.candidates.length, "candidate")),
        element("ul", { class: "candidates" }, query.candidates.map((title) => element("li", { class: targets.has(title) ? "target" : null }, targets.has(title) ? "✓ " : "", foreign(title))))
      ) : null,
      answers
    );
  }
  function answerCounts(record) {
    const counts = /* @__PURE__ */ new Map();
    for (const response of record.responses) {
      const outcome = outcomeOf(response);
      const item = response.reward?.answer?.items[0];
      const key = outcome === 3 ? "not scored" : item ? item.id ?? item.text : "no answer";
      const known = counts.get(key) ?? { text: item && outcome !== 3 ? item.text : key, outcome, count: 0 };
      counts.set(key, { ...known, count: known.count + 1 });
    }
    const sorted = [...counts.values()].sort((a, b) => b.count - a.count);
    return element("p", { class: "answers" }, "Answers: ", sorted.map(({ text, outcome, count }) => element("span", { class: `answer ${outcomeClass(outcome)}` }, `${OUTCOMES[outcome][0]} `, foreign(text), ` ×${count}`)));
  }
  function legendOfMarks() {
    return element(
      "p",
      { class: "marks quiet" },
      element("span", { class: "mention target" }, "right item"),
      element("span", { class: "mention recommended" }, "wrong recommendation"),
      element("span", { class: "mention mentioned" }, "other item"),
      element("span", { class: "box begins ends" }, "answer"),
      element("span", { class: "swatch positive" }, "+ advantage"),
      element("span", { class: "swatch negative" }, "− advantage"),
      element("span", {}, "✂ penalised step")
    );
  }
  function groupGrid(record, { weights }, tokens = false, marks2 = []) {
    const steps = record.responses.flatMap((response) => response.steps);
    const mostAdvantage = Math.max(0, ...steps.map((step) => Math.abs(step.advantage)));
    const parts = record.responses.map(({ reward }) => reward && weights ? rewardParts(reward, weights) : []);
    const most = (sign) => Math.max(0, ...parts.map((ofOne) => ofOne.reduce((sum, [, value]) => sum + Math.max(0, sign * value), 0)));
    const look = { weights, mostAdvantage, mostBonus: most(1), mostMalus: most(-1), tokens };
    return element("div", { class: "group" }, record.responses.map((response, place) => responseCard(response, { ...look, matches: marks2[place] ?? false })));
  }

  // pictures.ts
  var WIDTH = 640;
  var HEIGHT = 330;
  var TEXT = { "font-family": FONT, fill: INKS.light.ink };
  function chartPicture(chart, look, hidden) {
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
  function picture(title, height, ...shapes) {
    const head = drawing("text", { ...TEXT, x: 12, y: 24, "font-size": 16, "font-weight": "bold" }, title);
    const paper = drawing("rect", { width: "100%", height: "100%", fill: INKS.light.paper });
    const size = { width: WIDTH, height, viewBox: `0 0 ${WIDTH} ${height}` };
    return new XMLSerializer().serializeToString(drawing("svg", size, paper, head, ...shapes));
  }
  function chartNumbers(chart) {
    const columns = chart.lines.map((line) => new Map(line.points));
    const rows = stepsOf(chart).map((step) => [step, ...columns.map((column) => column.get(step) ?? "")]);
    return csv([["step", ...chart.lines.map((line) => line.name)], ...rows]);
  }
  function difficultyPicture(map) {
    const most = Math.max(1, ...map.counts.flat());
    const width = (WIDTH - 80) / Math.max(1, map.epochs.length);
    const small = { ...TEXT, "font-size": 12 };
    const columns = map.counts.flatMap((counts, column) => {
      const height = HEIGHT / counts.length;
      const cells = counts.map((count, bin) => drawing("rect", {
        x: 60 + column * width,
        y: 44 + (counts.length - 1 - bin) * height,
        width,
        height,
        fill: strokeOf({ colour: 1, dash: 0 }, "light").stroke,
        "fill-opacity": count / most
      }, drawing("title", {}, String(count))));
      return [...cells, drawing("text", { ...small, x: 60 + (column + 0.5) * width, y: HEIGHT + 62, "text-anchor": "middle" }, String(map.epochs[column]))];
    });
    const marks2 = [0, 0.5, 1].map((mark) => drawing("text", { ...small, x: 52, y: 48 + (1 - mark) * HEIGHT, "text-anchor": "end" }, String(mark)));
    const name = drawing("text", { ...small, x: WIDTH - 20, y: HEIGHT + 80, "text-anchor": "end" }, "epoch");
    return picture(`Queries by difficulty: ${map.class}`, HEIGHT + 92, ...columns, ...marks2, name);
  }
  function difficultyNumbers(map) {
    const rows = map.epochs.flatMap((epoch, column) => {
      const counts = map.counts[column] ?? [];
      return counts.map((count, bin) => [map.class, epoch, bin / counts.length, (bin + 1) / counts.length, count]);
    });
    return csv([["class", "epoch", "from", "to", "queries"], ...rows]);
  }
  function csv(rows) {
    const quoted = (value) => /[",\r\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
    return rows.map((row) => `${row.map(quoted).join(",")}
`).join("");
  }

  // figure.ts
  function chartFigure(chart, look) {
    const hidden = new Set(chart.lines.filter((line) => line.hidden).map((line) => line.name));
    const svg = drawing("svg", { tabindex: 0, role: "img", "aria-label": chartSummary(chart) });
    const values = element("div", { class: "values", hidden: true, role: "status" });
    const frame = element("div", { class: "frame" }, svg, values);
    const state = { chart, svg, values, hidden, scale: null, cursor: null };
    const draw = () => {
      const width = Math.floor(frame.clientWidth);
      if (width > 0) {
        state.scale = drawChart(svg, chart, { ...look, hidden, width, height: width < 420 ? 200 : 240, mode: scheme() });
        pointAt(state, null);
      }
    };
    listen(state);
    const tools = chartTools(chart.id, () => chartPicture(chart, look, hidden), () => chartNumbers(chart));
    const node = element(
      "figure",
      { class: "chart", "data-chart": chart.id },
      element("figcaption", {}, foreign(chart.title), tools),
      chartLegend(chart, hidden, draw),
      frame
    );
    return { node, draw };
  }
  function chartLegend(chart, hidden, draw) {
    const entry = (line) => {
      const toggle = () => {
        hidden.has(line.name) ? hidden.delete(line.name) : hidden.add(line.name);
        button.setAttribute("aria-pressed", String(!hidden.has(line.name)));
        draw();
      };
      const button = element("button", { type: "button", "aria-pressed": String(!hidden.has(line.name)), onclick: toggle }, sampleOf(line, line.isOneOfMany), foreign(line.name));
      return button;
    };
    return element("div", { class: "legend" }, chart.lines.length < 2 ? [] : chart.lines.map(entry));
  }
  function pointAt(state, step) {
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
      const found = line.points.find(([x2]) => x2 === step);
      return found ? [element("div", {}, sampleOf(line, line.isOneOfMany), foreign(line.name), " ", element("b", {}, number(found[1], 4)))] : [];
    });
    values.replaceChildren(element("b", {}, `step ${step}`), ...rows);
    values.style.left = x > width / 2 ? "" : `${x + 10}px`;
    values.style.right = x > width / 2 ? `${width - x + 10}px` : "";
  }
  function listen(state) {
    const { svg, chart } = state;
    const steps = stepsOf(chart);
    const visible = () => {
      const [first, last] = state.scale?.range ?? [0, Infinity];
      return steps.filter((step) => step >= first && step <= last);
    };
    svg.addEventListener("pointermove", (event) => {
      const left = event.clientX - svg.getBoundingClientRect().left;
      const distance = (step) => Math.abs((state.scale?.x(step) ?? 0) - left);
      const nearest = (best, step) => best === null || distance(step) < distance(best) ? step : best;
      pointAt(state, visible().reduce(nearest, null));
    });
    svg.addEventListener("pointerleave", () => pointAt(state, null));
    svg.addEventListener("blur", () => pointAt(state, null));
    svg.addEventListener("keydown", (event) => {
      const move = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
      const all = visible();
      if (move !== 0 && all.length > 0) {
        event.preventDefault();
        const place = state.cursor === null ? move > 0 ? 0 : all.length - 1 : all.indexOf(state.cursor) + move;
        pointAt(state, at(all, Math.max(0, Math.min(all.length - 1, place))));
      }
    });
  }
  function sampleOf(line, isOneOfMany) {
    const mark = isOneOfMany ? [markAt(line, 10, 5, 3.5, scheme())] : [];
    return drawing(
      "svg",
      { width: 20, height: 10, class: "sample", "aria-hidden": "true" },
      drawing("line", { x1: 0, x2: 20, y1: 5, y2: 5, "stroke-width": 2.5, ...strokeOf(line, scheme()) }),
      ...mark
    );
  }
  function chartSummary(chart) {
    const last = chart.lines.flatMap((line) => {
      const point = line.points.at(-1);
      return point ? [`${line.name}: ${number(point[1])}`] : [];
    });
    return `${chart.title}. Last values: ${last.join(", ")}. Arrow keys move along the steps.`;
  }

  // curves.ts
  function curves(head) {
    const look = { smoothing: 0, range: [0, Infinity], bands: bandsOf(head.runs) };
    const charts = mergedCharts(head.runs);
    const figures = charts.map((chart) => ({ section: chart.section, figure: chartFigure(chart, look) }));
    const sections = [...new Set(charts.map((chart) => chart.section))];
    const draw = () => figures.forEach(({ figure }) => figure.draw());
    const node = element(
      "section",
      { id: "curves" },
      curveControls(look, draw, head.runs),
      charts.length === 0 ? element("p", { class: "quiet" }, "No step is recorded yet.") : null,
      sections.map((name) => [
        element("h2", {}, name),
        element("div", { class: "charts" }, figures.filter((one) => one.section === name).map(({ figure }) => figure.node))
      ]),
      head.runs.map((run) => difficultyMaps(run, head.runs.length > 1))
    );
    return { name: "Curves", node, draw };
  }
  function bandsOf(runs) {
    return runs.length === 1 ? runs.flatMap((run) => run.epochs) : [];
  }
  function mergedCharts(runs) {
    const merged = /* @__PURE__ */ new Map();
    for (const [ofRun, run] of runs.entries()) {
      for (const chart of run.charts) {
        const known = merged.get(chart.id) ?? { ...chart, lines: [] };
        const names = [...new Set(runs.flatMap((one) => one.charts.filter((c) => c.id === chart.id)).flatMap((c) => c.lines.map((l) => l.name)))];
        for (const line of chart.lines) {
          const place = names.indexOf(line.name);
          const single = runs.length === 1;
          const name = single ? line.name : names.length === 1 ? run.name : `${run.name}: ${line.name}`;
          const hidden = !single && names[0] === "all" && place > 0;
          known.lines.push({ ...line, name, hidden, isOneOfMany: !single, colour: single ? place : ofRun, dash: place, mark: single ? 0 : ofRun });
        }
        merged.set(chart.id, known);
      }
    }
    return [...merged.values()];
  }
  function curveControls(look, draw, runs) {
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
    return element(
      "form",
      { class: "controls", onsubmit: (event) => event.preventDefault() },
      field("Smoothing", element("span", { class: "pair" }, smoothing, strength)),
      field("From step", from),
      field("to step", to),
      element("p", { class: "quiet" }, `${bands}A legend's entry hides its line; arrow keys walk along the steps of a chart.`)
    );
  }
  function difficultyMaps(run, isOneOfMany) {
    const maps = run.difficulties.filter((one) => one.epochs.length > 0);
    if (maps.length === 0) {
      return null;
    }
    return [
      element("h2", {}, "Difficulty by class and epoch", isOneOfMany ? [": ", foreign(run.name)] : null),
      element("p", { class: "quiet" }, "From easy (bottom, 0) to hard (top, 1); a number in each field counts its queries."),
      element("div", { class: "maps" }, maps.map((map, place) => difficultyMap(map, `difficulty-${place + 1}`)))
    ];
  }
  function difficultyMap(map, id) {
    const most = Math.max(1, ...map.counts.flat());
    const bins = Math.max(0, ...map.counts.map((counts) => counts.length));
    const rows = Array.from({ length: bins }, (_, place) => bins - 1 - place).map((bin) => element(
      "tr",
      {},
      element("th", { scope: "row" }, `${(bin / bins).toFixed(1)}–${((bin + 1) / bins).toFixed(1)}`),
      map.counts.map((counts) => element("td", { style: `--share: ${Math.sqrt((counts[bin] ?? 0) / most)}` }, counts[bin] ? String(counts[bin]) : ""))
    ));
    return element(
      "figure",
      { class: "map" },
      element("figcaption", {}, foreign(map.class), chartTools(id, () => difficultyPicture(map), () => difficultyNumbers(map))),
      element("div", { class: "wide" }, element(
        "table",
        {},
        element("tbody", {}, rows),
        element("tfoot", {}, element("tr", {}, element("th", {}, "epoch"), map.epochs.map((epoch) => element("th", { scope: "col" }, String(epoch)))))
      ))
    );
  }

  // overview.ts
  var FIRST = ["validation-accuracy", "reward", "groups", "pool"];
  function overview(head) {
    const isOneOfMany = head.runs.length > 1;
    const look = { smoothing: 0, range: [0, Infinity], bands: bandsOf(head.runs) };
    const figures = mergedCharts(head.runs).filter((chart) => FIRST.includes(chart.id)).map((chart) => chartFigure(chart, look));
    const node = element(
      "section",
      { id: "overview" },
      head.runs.map((run, place) => runOverview(run, place, isOneOfMany)),
      figures.length ? element("h2", {}, "How it went") : null,
      element("div", { class: "charts first" }, figures.map((figure) => figure.node)),
      head.runs.map((run) => settingsTable(run, isOneOfMany))
    );
    return { name: "Overview", node, draw: () => figures.forEach((figure) => figure.draw()) };
  }
  function runOverview(run, place, isOneOfMany) {
    const { glance } = run;
    return element(
      "article",
      { class: "run" },
      element("h2", {}, isOneOfMany ? runMark(place) : null, foreign(run.name)),
      element("p", {}, glance.subject ? [foreign(glance.subject), "; "] : null, glance.state, "."),
      element("p", { class: "quiet" }, foreign(run.folder), `. ${sizeInWords(run.rollouts)}`),
      worryList(run, place),
      element("div", { class: "tables" }, accuracyTable(glance.table), glance.gain ? pairedTable(glance.gain) : null)
    );
  }
  function sizeInWords(rollouts2) {
    if (rollouts2.groups === 0) {
      return "No responses are recorded.";
    }
    const kept = rollouts2.every > 1 ? ` They are a sample: of ${rollouts2.every} queries one is here, chosen by its id, with all of its responses.` : "";
    return `${many(rollouts2.responses, "response")} in ${many(rollouts2.groups, "group")} to ${many(rollouts2.queries, "query", "queries")} take ${bytes(rollouts2.bytes)} of this page.${kept}`;
  }
  function worryList({ glance: { worries, notes }, rollouts: { groups } }, place) {
    const address = (filter) => `#rollouts-${place}-${encodeURIComponent(filter)}`;
    const items = worries.map((worry) => element(
      "li",
      {},
      element("b", {}, foreign(worry.title)),
      " ",
      foreign(worry.text),
      worry.filter && groups > 0 ? [" ", element("a", { href: address(worry.filter) }, "Show them")] : null
    ));
    const unread = notes.map((note) => element("li", {}, element("b", {}, "Not read"), " ", foreign(note)));
    if (items.length + unread.length === 0) {
      return element("p", { class: "sound" }, "✓ Nothing stands out: groups teach, answers are read, no class was forgotten.");
    }
    return element("div", { class: "worries" }, element("h3", {}, "What to look at"), element("ul", {}, items, unread));
  }
  function accuracyTable(table) {
    if (table.rows.length === 0) {
      return element("p", { class: "quiet" }, "No evaluation on test queries is recorded yet.");
    }
    const head = ["query class", "queries", "guess", ...table.columns].map((text) => element("th", { scope: "col" }, text));
    const rows = table.rows.map((row) => element(
      "tr",
      { class: row.class === "all" ? "total" : null },
      element("th", { scope: "row" }, foreign(row.class)),
      element("td", {}, String(row.asked)),
      element("td", {}, percent(row.guess)),
      row.cells.map((cell) => shareCell(cell, row.guess))
    ));
    return element(
      "div",
      { class: "wide" },
      element("h3", {}, "Accuracy on test queries"),
      element("table", { class: "accuracy" }, element("thead", {}, element("tr", {}, head)), element("tbody", {}, rows)),
      element("p", { class: "quiet" }, "Percent right, with 95 % intervals (Wilson) as lines from 0 to 100; the thin mark is a guess among the candidates.")
    );
  }
  function shareCell(cell, guess) {
    if (cell.asked === 0) {
      return element("td", {}, "–");
    }
    const share = cell.right / cell.asked;
    const words = `${percent(share)} %, 95 % interval ${percent(cell.low)} to ${percent(cell.high)}: ${cell.right} of ${cell.asked}`;
    return element(
      "td",
      { title: words },
      element("b", {}, percent(share)),
      " ",
      element("small", {}, `${percent(cell.low)}–${percent(cell.high)}`),
      strip([cell.low, share, cell.high], guess, 0, 1)
    );
  }
  function strip([low, middle, high], reference, from, to) {
    const x = (value) => 2 + 96 * ((value - from) / (to - from));
    const mark = drawing("line", { class: "reference", x1: x(reference), x2: x(reference), y1: 1, y2: 13 });
    return drawing(
      "svg",
      { class: "strip", viewBox: "0 0 100 14", preserveAspectRatio: "none", "aria-hidden": "true" },
      drawing("line", { class: "scale", x1: 2, x2: 98, y1: 7, y2: 7 }),
      mark,
      drawing("line", { class: "interval", x1: x(low), x2: x(high), y1: 7, y2: 7 }),
      drawing("line", { class: "middle", x1: x(middle), x2: x(middle), y1: 2, y2: 12 })
    );
  }
  function pairedTable(paired) {
    const head = ["query class", "queries", "both right", `only ${paired.first}`, `only ${paired.second}`, "difference", "p"];
    const rows = paired.rows.map((row) => {
      const words = `${signed(100 * row.low, 1)} to ${signed(100 * row.high, 1)}`;
      return element(
        "tr",
        { class: row.class === "all" ? "total" : null },
        element("th", { scope: "row" }, foreign(row.class)),
        [row.queries, row.both, row.only_first, row.only_second].map((count) => element("td", {}, String(count))),
        element(
          "td",
          {},
          element("b", {}, signed(100 * row.difference, 1)),
          " ",
          element("small", {}, words),
          strip([row.low, row.difference, row.high], 0, -1, 1)
        ),
        element("td", {}, row.p < 1e-4 ? "< 0.0001" : row.p.toFixed(4))
      );
    });
    return element(
      "div",
      { class: "wide" },
      element("h3", {}, foreign(paired.second), " against ", foreign(paired.first), ", query for query"),
      element(
        "table",
        { class: "accuracy" },
        element("thead", {}, element("tr", {}, head.map((text) => element("th", { scope: "col" }, foreign(text))))),
        element("tbody", {}, rows)
      ),
      element(
        "p",
        { class: "quiet" },
        "Points of accuracy on the queries that both were asked, with 95 % intervals (Newcombe's for pairs) from −100 to +100, and McNemar's exact p."
      )
    );
  }
  function settingsTable(run, isOneOfMany) {
    const { settings } = run.glance;
    const sections = /* @__PURE__ */ new Map();
    for (const { key, value } of settings) {
      const dot = key.indexOf(".");
      const [section, rest] = dot < 0 ? ["run", key] : [key.slice(0, dot), key.slice(dot + 1)];
      sections.set(section, [...sections.get(section) ?? [], [rest, value]]);
    }
    if (sections.size === 0) {
      return null;
    }
    const blocks = [...sections].map(([section, entries]) => element(
      "div",
      {},
      element("h4", {}, foreign(section)),
      element("dl", {}, entries.map(([key, value]) => [element("dt", {}, foreign(key)), element("dd", {}, foreign(value))]))
    ));
    const whose = isOneOfMany ? ["of ", foreign(run.name), " "] : null;
    return element(
      "details",
      { open: !isOneOfMany },
      element("summary", {}, "Settings ", whose, `that differ from the defaults (${settings.length})`),
      element("div", { class: "settings" }, blocks)
    );
  }
  function runMark(place) {
    return sampleOf({ colour: place, dash: 0, mark: place }, true);
  }

  // comparison.ts
  function comparison(head) {
    const tables = head.comparisons.length ? head.comparisons.map(pairedTable) : [element("p", { class: "quiet" }, "No two of these runs have test outcomes of the same queries, so that accuracies cannot be paired.")];
    const body = element("div", {});
    const node = element(
      "section",
      { id: "comparison" },
      element("h2", {}, "What the runs differ in"),
      settingsCompared(head.runs),
      element("h2", {}, "Accuracy on test queries after reinforcement"),
      tables,
      element("h2", {}, "The same query in each run"),
      body
    );
    let isDrawn = false;
    const open = async () => {
      if (!isDrawn) {
        isDrawn = true;
        await drawCommonQueries(head, body);
      }
    };
    return { name: "Comparison", node, open };
  }
  function settingsCompared(runs) {
    const values = runs.map((run) => new Map(run.glance.settings.map(({ key, value }) => [key, value])));
    const keys = [...new Set(values.flatMap((one) => [...one.keys()]))].sort();
    const unlike = keys.filter((key) => key !== "name" && new Set(values.map((one) => one.get(key))).size > 1);
    if (unlike.length === 0) {
      return element("p", { class: "quiet" }, "Their settings are the same.");
    }
    const rows = unlike.map((key) => element(
      "tr",
      {},
      element("th", { scope: "row" }, foreign(key)),
      values.map((one) => {
        const value = one.get(key);
        return element("td", {}, value === void 0 ? element("span", { class: "quiet" }, "default") : foreign(value));
      })
    ));
    return element("div", { class: "wide" }, element(
      "table",
      { class: "accuracy" },
      element("thead", {}, element("tr", {}, element("th", {}, "setting"), runs.map((run, place) => element("th", { scope: "col" }, runMark(place), foreign(run.name))))),
      element("tbody", {}, rows)
    ));
  }
  async function drawCommonQueries(head, body) {
    const withResponses = head.runs.map((run, place) => ({ run, place })).filter(({ run }) => run.rollouts.groups > 0);
    const sides = await Promise.all(withResponses.map(async (one) => ({ ...one, data: await openRun(one.place) })));
    const [first, ...others] = sides.map(({ data }) => new Set(data.queries));
    const common = first && others.length > 0 ? [...first].filter((id) => others.every((one) => one.has(id))) : [];
    if (common.length === 0) {
      body.append(element("p", { class: "quiet" }, "These runs trained on no query in common."));
      return;
    }
    const entries = common.map((id) => commonQuery(id, sides));
    entries.sort((a, b) => b.spread - a.spread);
    const detail = element("div", { class: "detail" });
    const draw = () => drawQuery(at(entries, Number(chosen.value)), sides, detail);
    const chosen = select(entries.map((entry, place) => [place, `${entry.id}: ${entry.words}`]), draw);
    body.append(
      element("p", { class: "quiet" }, `${many(common.length, "query", "queries")} in common, those first on which the runs' last answers differ most. Numbers are right answers, first and last time.`),
      field("Query", chosen),
      detail
    );
    await draw();
  }
  function commonQuery(id, sides) {
    const groups = sides.map(({ data }) => at(data.ofQuery, data.queries.indexOf(id)));
    const ends = groups.map((all) => [.../* @__PURE__ */ new Set([at(all, 0), at(all, all.length - 1)])]);
    const shares = ends.map((found, place) => found.map((group) => rightShare(at(sides, place).data, group)));
    const words = shares.map((found) => found.map(({ right, all }) => `${right}/${all}`).join(" → "));
    const last = shares.map((found) => at(found, found.length - 1)).map(({ right, all }) => right / Math.max(all, 1));
    return { id, ends, words: words.join("; "), spread: Math.max(...last) - Math.min(...last) };
  }
  async function drawQuery(entry, sides, detail) {
    const records = await Promise.all(sides.map(({ data }, place) => Promise.all(at(entry.ends, place).map((group) => groupRecord(data, group)))));
    const columns = sides.map(({ run, place }, column) => element(
      "div",
      { class: "column" },
      element("h3", {}, runMark(place), foreign(run.name)),
      at(records, column).map((record) => [
        element(
          "h4",
          {},
          `epoch ${record.epoch}, step ${record.step}: `,
          `${record.responses.filter((response) => response.reward?.hit).length} of ${record.responses.length} right`
        ),
        answerCounts(record),
        groupGrid(record, run)
      ])
    ));
    const query = queryBlock(at(sides, 0).data, at(at(records, 0), 0));
    query.querySelector(".answers")?.remove();
    detail.replaceChildren(query, legendOfMarks(), element("div", { class: "columns" }, columns));
  }

  // filters.ts
  var Filters = class {
    #data;
    #from;
    #to;
    #query;
    #words;
    #choices;
    /** With their labels. */
    fields;
    constructor(data, changed) {
      this.#data = data;
      const steps = data.groups.step;
      const [first, last] = [at(steps, 0), at(steps, steps.length - 1)];
      const step = (value) => element("input", { type: "number", min: first, max: last, value, oninput: changed });
      const text = (hint) => element("input", { type: "search", placeholder: hint, onchange: changed });
      this.#from = step(first);
      this.#to = step(last);
      this.#query = text("id or words of the query");
      this.#query.addEventListener("input", changed);
      this.#words = text("words of a response");
      const choice = (options) => select([["", "any"], ...options], changed);
      const named = (names) => names.map((name, place) => [place, name]);
      const byClass = choice(named(data.classes));
      const outcome = choice([["right", "has a right answer"], ["wrong", "has a wrong answer"], ["mixed", "right and wrong"], ["none", "none right"], ["all", "all right"]]);
      const kind = choice([["with_hit", "by right and wrong"], ["shaped_only", "by shaping alone"], ["without_signal", "nothing"]]);
      const flag = choice([["not-scored", "not scored"], ...named(data.flags)]);
      this.#choices = { class: byClass, outcome, kind, flag };
      this.fields = [
        field("From step", this.#from),
        field("to step", this.#to),
        field("Class", byClass),
        field("Group", outcome),
        field("Teaches", kind),
        field("Flag", flag),
        field("Query", this.#query),
        field("Response", this.#words)
      ];
    }
    /** Sets one of the choices, to a value or to the words that stand for it. */
    choose(name, value) {
      const control = this.#choices[name];
      const option = [...control?.options ?? []].find((one) => one.value === value || one.textContent === value);
      if (control && option) {
        control.value = option.value;
      }
    }
    #chosen(name) {
      return this.#choices[name]?.value ?? "";
    }
    /** The words that a response shall have, in lower case; none: any. */
    get words() {
      return this.#words.value.trim().toLowerCase();
    }
    /** Whether a response has what the flag filter asks for; false where it asks for nothing. */
    hasFlag(response) {
      const flag = this.#chosen("flag");
      const { outcome, flags } = this.#data.responses;
      if (flag === "not-scored") {
        return at(outcome, response) === 3;
      }
      return flag !== "" && Boolean(at(flags, response) >> Number(flag) & 1);
    }
    /** The groups that fit, but for the words of their responses. */
    groups() {
      const { queries, groups } = this.#data;
      const needle = this.#query.value.trim().toLowerCase();
      const isAsked = queries.map((id) => needle === "" || queryText(this.#data, id).toLowerCase().includes(needle));
      const found = [];
      for (let group = 0; group < groups.step.length; group++) {
        if (at(isAsked, at(groups.query, group)) && this.#fits(group)) {
          found.push(group);
        }
      }
      return found;
    }
    #fits(group) {
      const { groups, firstResponse } = this.#data;
      const step = at(groups.step, group);
      const fits = (name, value) => this.#chosen(name) === "" || this.#chosen(name) === String(value);
      if (step < Number(this.#from.value) || step > Number(this.#to.value || Infinity)) {
        return false;
      }
      if (!fits("class", at(groups.class, group)) || !fits("kind", at(groups.kind, group))) {
        return false;
      }
      if (this.#chosen("flag") !== "") {
        const first = at(firstResponse, group);
        const responses = Array.from({ length: at(groups.size, group) }, (_, place) => first + place);
        if (!responses.some((response) => this.hasFlag(response))) {
          return false;
        }
      }
      return this.#fitsOutcome(group);
    }
    #fitsOutcome(group) {
      const all = outcomes(this.#data, group);
      const right = all.filter((outcome) => outcome === 1).length;
      switch (this.#chosen("outcome")) {
        case "right":
          return right > 0;
        case "wrong":
          return right < all.length;
        case "mixed":
          return right > 0 && right < all.length;
        case "none":
          return right === 0;
        case "all":
          return right === all.length;
        default:
          return true;
      }
    }
  };

  // rollouts.ts
  var ROW = 46;
  var KINDS = {
    with_hit: "learns from right and wrong answers",
    shaped_only: "all wrong: learns from shaping and penalties alone",
    without_signal: "teaches nothing: all responses are alike to the reward"
  };
  function rollouts(head) {
    const places = head.runs.flatMap((run, place) => run.rollouts.groups > 0 ? [place] : []);
    const node = element("section", { id: "rollouts" });
    if (places.length === 0) {
      node.append(element("p", { class: "quiet" }, "No responses are recorded yet."));
      return { name: "Rollouts", node };
    }
    const browser = new Browser(node, head.runs, places);
    return { name: "Rollouts", node, open: (run, wanted) => browser.open(run, wanted) };
  }
  var Browser = class {
    #runs;
    /** The runs that have responses. */
    #places;
    #shown = null;
    #found = [];
    #selected = null;
    /** The group that was asked for last, and the filter that was set last: what comes later than they is dropped. */
    #wanted = null;
    #turn = {};
    #showsTokens = false;
    #controls = element("form", { class: "controls", onsubmit: (event) => event.preventDefault() });
    #count = element("p", { class: "quiet", role: "status" });
    #rows = element("div", { class: "rows" });
    #list = element("div", { class: "list", tabindex: 0, role: "listbox", "aria-label": "Groups of responses" }, this.#rows);
    #detail = element("div", { class: "detail" }, element("p", { class: "quiet" }, "Choose a group on the left."));
    constructor(section, runs, places) {
      this.#runs = runs;
      this.#places = places;
      this.#list.addEventListener("scroll", () => this.#drawRows());
      this.#list.addEventListener("keydown", (event) => this.#key(event));
      new ResizeObserver(() => this.#drawRows()).observe(this.#list);
      section.append(this.#controls, this.#count, element("div", { class: "browser" }, this.#list, this.#detail));
    }
    /** `wanted` is a group by its place, or a filter and its value: `flag=no box`. */
    async open(wantedRun, wanted) {
      const place = this.#places.includes(wantedRun) ? wantedRun : this.#shown?.place ?? at(this.#places, 0);
      const shown2 = this.#shown?.place === place ? this.#shown : await this.#openRun(place);
      const group = wanted === "" ? NaN : Number(wanted);
      if (wanted.includes("=")) {
        const [name = "", value = ""] = wanted.split("=");
        this.#show(place, shown2.data).filters.choose(name, value);
        await this.#filter();
        await this.#selectFirst();
      } else if (group in shown2.data.groups.step) {
        await this.#select(group);
      } else if (this.#selected === null) {
        await this.#selectFirst();
      }
    }
    async #openRun(place) {
      this.#count.textContent = "Unpacking…";
      const data = await openRun(place);
      [this.#selected, this.#wanted] = [null, null];
      const shown2 = this.#show(place, data);
      await this.#filter();
      return shown2;
    }
    /** Turns to a run, with filters that ask for nothing yet. */
    #show(place, data) {
      const filters = new Filters(data, () => this.#filter());
      const shown2 = { place, run: at(this.#runs, place), data, filters };
      this.#shown = shown2;
      const clear = element("button", { type: "button", onclick: () => {
        this.#show(place, data);
        this.#filter();
      } }, "Clear");
      this.#controls.replaceChildren(...this.#runChoice(place), ...filters.fields, clear);
      return shown2;
    }
    #runChoice(place) {
      if (this.#places.length < 2) {
        return [];
      }
      const runs = select(this.#places.map((place2) => [place2, at(this.#runs, place2).name]), () => this.open(Number(runs.value), ""));
      runs.value = String(place);
      return [field("Run", runs)];
    }
    async #filter() {
      const shown2 = this.#shown;
      if (shown2 === null) {
        return;
      }
      const turn = {};
      this.#turn = turn;
      let found = shown2.filters.groups();
      if (shown2.filters.words !== "") {
        found = await this.#saying(shown2, found, turn);
      }
      if (turn !== this.#turn) {
        return;
      }
      this.#found = found;
      const all = many(shown2.data.groups.step.length, "group");
      this.#count.textContent = `${found.length.toLocaleString("en")} of ${all}. ↑ ↓ walk through the list, ← → follow a query through the epochs.`;
      this.#list.scrollTop = 0;
      this.#drawRows();
    }
    /** The groups of which a response has the words; block by block, since only there the texts are. */
    async #saying({ data, filters: { words } }, groups, turn) {
      const found = [];
      for (const [done, group] of groups.entries()) {
        if (turn !== this.#turn) {
          return found;
        }
        if (done % 100 === 0) {
          this.#count.textContent = `Reading the responses of group ${done} of ${many(groups.length, "group")}…`;
        }
        const record = await groupRecord(data, group);
        if (record.responses.some((response) => response.text.toLowerCase().includes(words))) {
          found.push(group);
        }
      }
      return found;
    }
    #drawRows() {
      const shown2 = this.#shown;
      if (shown2 === null) {
        return;
      }
      this.#rows.style.height = `${this.#found.length * ROW}px`;
      const first = Math.max(0, Math.floor(this.#list.scrollTop / ROW) - 5);
      const last = Math.min(this.#found.length, first + Math.ceil(this.#list.clientHeight / ROW) + 10);
      this.#rows.replaceChildren(...this.#found.slice(first, last).map((group, place) => this.#row(shown2.data, group, first + place)));
    }
    #row(data, group, place) {
      const step = `step ${at(data.groups.step, group)}`;
      const query = queryOf(data, group);
      const dots = outcomes(data, group).slice(0, 24).map((outcome) => element("span", { class: `dot ${outcomeClass(outcome)}` }, OUTCOMES[outcome][0]));
      const { right, all } = rightShare(data, group);
      return element(
        "div",
        {
          class: "row",
          role: "option",
          id: `group-${group}`,
          "aria-selected": String(group === this.#wanted),
          style: `top: ${place * ROW}px`,
          "aria-label": `${step}, query ${query}, ${right} of ${all} right`,
          onclick: () => this.#select(group)
        },
        element("span", { class: "where" }, `${step} · `, foreign(at(data.classes, at(data.groups.class, group)))),
        element("span", { class: "dots" }, dots),
        element("span", { class: "id" }, foreign(query))
      );
    }
    #key(event) {
      const place = this.#wanted === null ? -1 : this.#found.indexOf(this.#wanted);
      const last = this.#found.length - 1;
      const moves = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: last, PageDown: place + 10, PageUp: place - 10 };
      const move = moves[event.key];
      if (move !== void 0 && last >= 0) {
        event.preventDefault();
        this.#select(at(this.#found, Math.max(0, Math.min(last, move))));
      } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
        event.preventDefault();
        this.#follow(event.key === "ArrowRight" ? 1 : -1);
      }
    }
    /** The same query, earlier or later. */
    #follow(move) {
      if (this.#shown !== null && this.#wanted !== null) {
        const all = alikeGroups(this.#shown.data, this.#wanted);
        const next = all[all.indexOf(this.#wanted) + move];
        if (next !== void 0) {
          this.#select(next);
        }
      }
    }
    async #selectFirst() {
      if (this.#found.length > 0) {
        await this.#select(at(this.#found, 0));
      }
    }
    async #select(group) {
      const shown2 = this.#shown;
      if (shown2 === null) {
        return;
      }
      this.#wanted = group;
      const record = await groupRecord(shown2.data, group);
      if (this.#wanted !== group || this.#shown?.place !== shown2.place) {
        return;
      }
      this.#selected = { group, record };
      history.replaceState(null, "", `#rollouts-${shown2.place}-${group}`);
      this.#keepInSight(this.#found.indexOf(group));
      this.#drawRows();
      this.#list.setAttribute("aria-activedescendant", `group-${group}`);
      this.#drawDetail();
    }
    #keepInSight(place) {
      const list = this.#list;
      if (place >= 0 && (place * ROW < list.scrollTop || (place + 1) * ROW > list.scrollTop + list.clientHeight)) {
        list.scrollTop = place * ROW - list.clientHeight / 2;
      }
    }
    #drawDetail() {
      const [shown2, selected] = [this.#shown, this.#selected];
      if (shown2 === null || selected === null) {
        return;
      }
      const { data, run, filters } = shown2;
      const { group, record } = selected;
      const tokens = element("input", { type: "checkbox", onchange: () => {
        this.#showsTokens = tokens.checked;
        this.#drawDetail();
      } });
      tokens.checked = this.#showsTokens;
      tokens.disabled = !record.responses.some((response) => response.token_byte_lens?.length);
      const { right, all } = rightShare(data, group);
      const first = at(data.firstResponse, group);
      const marks2 = record.responses.map((_, place) => filters.hasFlag(first + place));
      this.#detail.replaceChildren(
        element("h2", {}, foreign(record.query)),
        element(
          "p",
          {},
          foreign(record.class),
          ` · epoch ${record.epoch} · step ${record.step} · `,
          element("b", {}, `${right} of ${all} right`),
          ` · ${KINDS[record.kind]}`,
          record.replaced ? " · another query took its place" : "",
          record.baseline === void 0 ? "" : ` · greedy response ${signed(record.baseline, 3)}`
        ),
        this.#timeline(data, group),
        queryBlock(data, record),
        element("div", { class: "over" }, legendOfMarks(), element("label", { class: "check" }, tokens, " show tokens")),
        groupGrid(record, run, this.#showsTokens, marks2)
      );
    }
    /** Each time the query was asked, with its share of right answers. */
    #timeline(data, selected) {
      const stops = alikeGroups(data, selected).map((group) => {
        const { right, all } = rightShare(data, group);
        return element("button", {
          type: "button",
          "aria-current": group === selected ? "true" : null,
          style: `--share: ${right / Math.max(all, 1)}`,
          onclick: () => this.#select(group)
        }, `epoch ${at(data.groups.epoch, group)}`, element("small", {}, `step ${at(data.groups.step, group)} · ${right}/${all}`));
      });
      return element("nav", { class: "timeline", "aria-label": "This query through the epochs" }, stops);
    }
  };

  // main.ts
  async function main(page2) {
    if (!("DecompressionStream" in window)) {
      page2.append(element("p", { class: "fault" }, "This page needs a browser that can unpack data (DecompressionStream): any of 2023 or later."));
      return;
    }
    const head = await unpack("head");
    const sections = [overview(head), curves(head), rollouts(head), ...head.runs.length > 1 ? [comparison(head)] : []];
    const tabs = sections.map(({ name, node }) => element("a", { href: `#${node.id}` }, name));
    page2.append(
      element(
        "header",
        { class: "top" },
        element("h1", {}, "ReRec ", element("small", {}, head.runs.map((run, place) => [place ? ", " : "", foreign(run.name)]))),
        element("nav", { "aria-label": "Sections" }, tabs)
      ),
      element("main", {}, sections.map(({ node }) => node))
    );
    const show = () => showSection(sections, tabs);
    window.addEventListener("hashchange", show);
    window.addEventListener("resize", () => drawShown(sections));
    darkScheme.addEventListener("change", () => drawShown(sections));
    window.addEventListener("beforeprint", () => {
      sections.forEach(({ node }) => {
        node.hidden = node.id === "rollouts" && !location.hash.startsWith("#rollouts");
      });
      drawShown(sections);
    });
    window.addEventListener("afterprint", show);
    await show();
    document.documentElement.dataset["ready"] = "true";
  }
  async function showSection(sections, tabs) {
    const [name, run, ...rest] = decodeURIComponent(location.hash.slice(1)).split("-");
    const chosen = sections.find(({ node }) => node.id === name) ?? sections[0];
    sections.forEach((section, place) => {
      section.node.hidden = section !== chosen;
      section === chosen ? tabs[place]?.setAttribute("aria-current", "page") : tabs[place]?.removeAttribute("aria-current");
    });
    drawShown(sections);
    await chosen?.open?.(Number(run ?? NaN), rest.join("-"));
  }
  function drawShown(sections) {
    sections.filter(({ node }) => !node.hidden).forEach((section) => section.draw?.());
  }
  var page = document.getElementById("page") ?? document.body;
  main(page).catch((error) => {
    page.append(element("p", { class: "fault" }, `The page could not be drawn: ${error}`));
    throw error;
  });
})();
