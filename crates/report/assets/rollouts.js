// The browser of rollouts: find a group, see its responses side by side, follow its query through the epochs.

const ROW = 46;
const KINDS = {
  with_hit: "learns from right and wrong answers",
  shaped_only: "all wrong: learns from shaping and penalties alone",
  without_signal: "teaches nothing: all responses are alike to the reward",
};

function rollouts(head) {
  const runs = head.runs.filter((run) => run.rollouts.groups > 0);
  const section = element("section", { id: "rollouts" });
  if (runs.length === 0) {
    section.append(element("p", { class: "quiet" }, "No responses are recorded yet."));
    section.open = async () => {};
    return section;
  }
  const browser = new Browser(section, runs);
  section.open = (run, wanted) => browser.open(run, wanted);
  return section;
}

class Browser {
  constructor(section, runs) {
    this.runs = runs;
    this.run = null;
    this.data = null;
    this.found = [];
    this.selected = null;
    this.showsTokens = false;
    this.filters = element("form", { class: "controls", onsubmit: (event) => { event.preventDefault(); this.filter(); } });
    this.count = element("p", { class: "quiet", role: "status" });
    this.rows = element("div", { class: "rows" });
    this.list = element("div", { class: "list", tabindex: 0, role: "listbox", "aria-label": "Groups of responses" }, this.rows);
    this.detail = element("div", { class: "detail" }, element("p", { class: "quiet" }, "Choose a group on the left."));
    this.list.addEventListener("scroll", () => this.drawRows());
    this.list.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.drawRows()).observe(this.list);
    section.append(this.filters, this.count, element("div", { class: "browser" }, this.list, this.detail));
  }

  // `wanted` is a group by its place, or a filter and its value: `flag=no box`.
  async open(place, wanted = "") {
    const run = this.runs.find((one) => one.place === place) ?? this.run ?? this.runs[0];
    if (run !== this.run) {
      this.run = run;
      this.count.textContent = "Unpacking…";
      this.data = await openRun(run.place);
      this.selected = null;
      this.drawFilters();
      await this.filter();
    }
    const group = wanted === "" ? NaN : Number(wanted);
    if (wanted.includes("=")) {
      await this.filterBy(...wanted.split("="));
    } else if (this.data.groups.step[group] !== undefined) {
      await this.select(group);
    } else if (this.selected === null && this.found.length) {
      await this.select(this.found[0]);
    }
  }

  async filterBy(name, value) {
    this.drawFilters();
    const options = [...(this[name]?.options ?? [])];
    const option = options.find((one) => one.value === value || one.textContent === value);
    if (option) {
      this[name].value = option.value;
    }
    await this.filter();
    if (this.found.length) {
      await this.select(this.found[0]);
    }
  }

  drawFilters() {
    const { data } = this;
    const steps = data.groups.step;
    const refilter = () => this.filter();
    const text = (hint) => element("input", { type: "search", placeholder: hint, onchange: refilter });
    const step = (value) => element("input", { type: "number", min: steps[0], max: steps.at(-1), value, oninput: refilter });
    this.from = step(steps[0]);
    this.to = step(steps.at(-1));
    this.query = text("id or words of the query");
    this.words = text("words of a response");
    this.query.addEventListener("input", refilter);
    const select = (label, options) => {
      const made = choice(label, [["", "any"], ...options], refilter);
      return [made, made.querySelector("select")];
    };
    let parts = [];
    [parts[0], this.class] = select("Class", data.classes.map((name, place) => [place, name]));
    [parts[1], this.outcome] = select("Group", [
      ["right", "has a right answer"], ["wrong", "has a wrong answer"], ["mixed", "right and wrong"], ["none", "none right"], ["all", "all right"],
    ]);
    [parts[2], this.kind] = select("Teaches", [["with_hit", "by right and wrong"], ["shaped_only", "by shaping alone"], ["without_signal", "nothing"]]);
    [parts[3], this.flag] = select("Flag", [["not-scored", "not scored"], ...data.flags.map((name, place) => [place, name])]);
    const runs = this.runs.length > 1
      ? choice("Run", this.runs.map((run) => [run.place, run.name]), (place) => this.open(Number(place)))
      : null;
    if (runs) {
      runs.querySelector("select").value = this.run.place;
    }
    const clear = element("button", { type: "button", onclick: () => { this.drawFilters(); this.filter(); } }, "Clear");
    this.filters.replaceChildren(...[runs, field("From step", this.from), field("to step", this.to), ...parts,
      field("Query", this.query), field("Response", this.words), clear].filter(Boolean));
  }

  // Whether a response has what the flag filter asks for.
  hasFlag(place) {
    const flag = this.flag.value;
    const { outcome, flags } = this.data.responses;
    return flag === "not-scored" ? outcome[place] === 3 : Boolean((flags[place] >> Number(flag)) & 1);
  }

  fits(group) {
    const { groups, firstResponse } = this.data;
    if (groups.step[group] < Number(this.from.value) || groups.step[group] > Number(this.to.value || Infinity)) {
      return false;
    }
    if (this.class.value !== "" && groups.class[group] !== Number(this.class.value)) {
      return false;
    }
    if (this.kind.value !== "" && groups.kind[group] !== this.kind.value) {
      return false;
    }
    if (this.flag.value !== "") {
      const responses = Array.from({ length: groups.size[group] }, (_, place) => firstResponse[group] + place);
      if (!responses.some((place) => this.hasFlag(place))) {
        return false;
      }
    }
    const { right, all } = rightShare(this.data, group);
    const isRight = { "": true, right: right > 0, wrong: right < all, mixed: right > 0 && right < all, none: right === 0, all: right === all };
    return isRight[this.outcome.value];
  }

  async filter() {
    const { data } = this;
    const turn = (this.turn = {});
    const needle = this.query.value.trim().toLowerCase();
    const isAsked = data.queries.map((id) => needle === "" || queryText(data, id).toLowerCase().includes(needle));
    let found = [];
    for (let group = 0; group < data.groups.step.length; group++) {
      if (isAsked[data.groups.query[group]] && this.fits(group)) {
        found.push(group);
      }
    }
    const words = this.words.value.trim().toLowerCase();
    if (words !== "") {
      found = await this.saying(found, words, turn);
    }
    // A later filter has taken over.
    if (turn !== this.turn) {
      return;
    }
    this.found = found;
    const all = data.groups.step.length;
    this.count.textContent = `${found.length.toLocaleString("en")} of ${many(all, "group")}. ↑ ↓ walk through the list, ← → follow a query through the epochs.`;
    this.list.scrollTop = 0;
    this.drawRows();
  }

  // The groups of which a response has the words; block by block, since only there the texts are.
  async saying(groups, words, turn) {
    const found = [];
    for (const [done, group] of groups.entries()) {
      if (turn !== this.turn) {
        return found;
      }
      if (done % 100 === 0) {
        this.count.textContent = `Reading the responses of group ${done} of ${many(groups.length, "group")}…`;
      }
      const record = await groupRecord(this.data, group);
      if (record.responses.some((response) => response.text.toLowerCase().includes(words))) {
        found.push(group);
      }
    }
    return found;
  }

  drawRows() {
    const { list, rows, found } = this;
    rows.style.height = `${found.length * ROW}px`;
    const first = Math.max(0, Math.floor(list.scrollTop / ROW) - 5);
    const last = Math.min(found.length, first + Math.ceil(list.clientHeight / ROW) + 10);
    rows.replaceChildren(...found.slice(first, last).map((group, place) => this.row(group, first + place)));
  }

  row(group, place) {
    const { data } = this;
    const { groups } = data;
    const dots = outcomes(data, group).slice(0, 24).map((outcome) =>
      element("span", { class: `dot ${OUTCOMES[outcome][1].replace(" ", "-")}` }, OUTCOMES[outcome][0]));
    const { right, all } = rightShare(data, group);
    return element("div", {
      class: "row", role: "option", id: `group-${group}`, "aria-selected": String(group === this.selected), style: `top: ${place * ROW}px`,
      "aria-label": `step ${groups.step[group]}, query ${data.queries[groups.query[group]]}, ${right} of ${all} right`,
      onclick: () => this.select(group),
    },
      element("span", { class: "where" }, `step ${groups.step[group]} · `, foreign(data.classes[groups.class[group]])),
      element("span", { class: "dots" }, dots),
      element("span", { class: "id" }, foreign(data.queries[groups.query[group]])));
  }

  key(event) {
    const place = this.found.indexOf(this.selected);
    const moves = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: this.found.length - 1, PageDown: place + 10, PageUp: place - 10 };
    if (event.key in moves && this.found.length) {
      event.preventDefault();
      this.select(this.found[Math.max(0, Math.min(this.found.length - 1, moves[event.key]))]);
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      event.preventDefault();
      this.follow(event.key === "ArrowRight" ? 1 : -1);
    }
  }

  // The same query, earlier or later.
  follow(move) {
    const { data, selected } = this;
    if (selected !== null) {
      const all = data.ofQuery[data.groups.query[selected]];
      const next = all[all.indexOf(selected) + move];
      if (next !== undefined) {
        this.select(next);
      }
    }
  }

  async select(group) {
    this.selected = group;
    const record = await groupRecord(this.data, group);
    if (this.selected !== group) {
      return;
    }
    this.record = record;
    history.replaceState(null, "", `#rollouts-${this.run.place}-${group}`);
    this.keepInSight(this.found.indexOf(group));
    this.drawRows();
    this.list.setAttribute("aria-activedescendant", `group-${group}`);
    this.drawDetail();
  }

  keepInSight(place) {
    const { list } = this;
    if (place >= 0 && (place * ROW < list.scrollTop || (place + 1) * ROW > list.scrollTop + list.clientHeight)) {
      list.scrollTop = place * ROW - list.clientHeight / 2;
    }
  }

  drawDetail() {
    const { data, record, selected } = this;
    const tokens = element("input", { type: "checkbox", onchange: () => { this.showsTokens = tokens.checked; this.drawDetail(); } });
    tokens.checked = this.showsTokens;
    tokens.disabled = !record.responses.some((response) => response.token_byte_lens?.length);
    const { right, all } = rightShare(data, selected);
    const first = data.firstResponse[selected];
    const marks = record.responses.map((_, place) => this.flag.value !== "" && this.hasFlag(first + place));
    this.detail.replaceChildren(
      element("h2", {}, foreign(record.query)),
      element("p", {}, foreign(record.class), ` · epoch ${record.epoch} · step ${record.step} · `, element("b", {}, `${right} of ${all} right`),
        ` · ${KINDS[record.kind] ?? record.kind}`, record.replaced ? " · another query took its place" : "", record.baseline === undefined ? "" : ` · greedy response ${signed(record.baseline, 3)}`),
      this.timeline(),
      queryBlock(data, record),
      element("div", { class: "over" }, legendOfMarks(), element("label", { class: "check" }, tokens, " show tokens")),
      groupGrid(record, this.run, { tokens: this.showsTokens, marks }));
  }

  // Each time the query was asked, with its share of right answers.
  timeline() {
    const { data, selected } = this;
    const all = data.ofQuery[data.groups.query[selected]];
    const stops = all.map((group) => {
      const { right, all: size } = rightShare(data, group);
      return element("button", {
        type: "button", "aria-current": group === selected ? "true" : null, style: `--share: ${right / Math.max(size, 1)}`, onclick: () => this.select(group),
      }, `epoch ${data.groups.epoch[group]}`, element("small", {}, `step ${data.groups.step[group]} · ${right}/${size}`));
    });
    return element("nav", { class: "timeline", "aria-label": "This query through the epochs" }, stops);
  }
}

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
  const messages = query.conversation.map((message) => element("blockquote", {},
    query.conversation.length > 1 ? element("b", {}, foreign(message.role)) : null, element("div", { class: "text", dir: "auto" }, shown(message.content.trim()))));
  return element("div", { class: "query" }, messages,
    element("p", {}, "Right: ", query.targets.map((title, place) => [place ? ", " : "", element("b", { class: "target" }, foreign(title))])),
    query.candidates ? element("details", {}, element("summary", {}, many(query.candidates.length, "candidate")),
      element("ul", { class: "candidates" }, query.candidates.map((title) =>
        element("li", { class: targets.has(title) ? "target" : null }, targets.has(title) ? "✓ " : "", foreign(title))))) : null,
    answers);
}

// What the group's responses answer, the most frequent first.
function answerCounts(record) {
  const counts = new Map();
  for (const response of record.responses) {
    const outcome = outcomeOf(response);
    const item = response.reward?.answer?.items[0];
    const key = outcome === 3 ? "not scored" : item ? item.id ?? item.text : "no answer";
    const known = counts.get(key) ?? { text: item && outcome !== 3 ? item.text : key, outcome, count: 0 };
    counts.set(key, { ...known, count: known.count + 1 });
  }
  const sorted = [...counts.values()].sort((a, b) => b.count - a.count);
  return element("p", { class: "answers" }, "Answers: ", sorted.map(({ text, outcome, count }) =>
    element("span", { class: `answer ${OUTCOMES[outcome][1].replace(" ", "-")}` }, `${OUTCOMES[outcome][0]} `, foreign(text), ` ×${count}`)));
}

function legendOfMarks() {
  return element("p", { class: "marks quiet" },
    element("span", { class: "mention target" }, "right item"), element("span", { class: "mention recommended" }, "wrong recommendation"),
    element("span", { class: "mention mentioned" }, "other item"), element("span", { class: "box" }, "answer"),
    element("span", { class: "swatch positive" }, "+ advantage"), element("span", { class: "swatch negative" }, "− advantage"),
    element("span", {}, "✂ penalised step"));
}

function groupGrid(record, run, { tokens = false, marks = [] } = {}) {
  const steps = record.responses.flatMap((response) => response.steps);
  const mostAdvantage = Math.max(0, ...steps.map((step) => Math.abs(step.advantage)));
  const rewards = record.responses.map((response) => response.reward).filter((reward) => reward && run.weights);
  const most = (sign) => Math.max(0, ...rewards.map((reward) =>
    rewardParts(reward, run.weights).reduce((sum, [, value]) => sum + Math.max(0, sign * value), 0)));
  const look = { weights: run.weights, mostAdvantage, mostBonus: most(1), mostMalus: most(-1), tokens };
  return element("div", { class: "group" }, record.responses.map((response, place) => responseCard(response, { ...look, matches: marks[place] })));
}
