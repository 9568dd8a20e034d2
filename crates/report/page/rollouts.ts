// The browser of rollouts: find a group, see its responses side by side, follow its query through the epochs.

import { alikeGroups, at, groupRecord, openRun, outcomes, queryOf, rightShare } from "./data.js";
import type { Opened } from "./data.js";
import { element, field, foreign, many, select, signed } from "./elements.js";
import { Filters } from "./filters.js";
import { groupGrid, legendOfMarks, queryBlock } from "./group.js";
import type { Section } from "./main.js";
import type { GroupRecord, Head, Run } from "./records.js";
import { outcomeClass, OUTCOMES } from "./response.js";

/** Height of a row of the list, in pixels, as in the style sheet. */
const ROW = 46;
const KINDS = {
  with_hit: "learns from right and wrong answers",
  shaped_only: "all wrong: learns from shaping and penalties alone",
  without_signal: "teaches nothing: all responses are alike to the reward",
};

export function rollouts(head: Head): Section {
  const places = head.runs.flatMap((run, place) => (run.rollouts.groups > 0 ? [place] : []));
  const node = element("section", { id: "rollouts" });
  if (places.length === 0) {
    node.append(element("p", { class: "quiet" }, "No responses are recorded yet."));
    return { name: "Rollouts", node };
  }
  const browser = new Browser(node, head.runs, places);
  return { name: "Rollouts", node, open: (run, wanted) => browser.open(run, wanted) };
}

/** What is looked at. */
interface Shown {
  place: number;
  run: Run;
  data: Opened;
  filters: Filters;
}

class Browser {
  readonly #runs: Run[];
  /** The runs that have responses. */
  readonly #places: number[];
  #shown: Shown | null = null;
  #found: number[] = [];
  #selected: { group: number; record: GroupRecord } | null = null;
  /** The group that was asked for last, and the filter that was set last: what comes later than they is dropped. */
  #wanted: number | null = null;
  #turn = {};
  #showsTokens = false;
  readonly #controls = element("form", { class: "controls", onsubmit: (event) => event.preventDefault() });
  readonly #count = element("p", { class: "quiet", role: "status" });
  readonly #rows = element("div", { class: "rows" });
  readonly #list = element("div", { class: "list", tabindex: 0, role: "listbox", "aria-label": "Groups of responses" }, this.#rows);
  readonly #detail = element("div", { class: "detail" }, element("p", { class: "quiet" }, "Choose a group on the left."));

  constructor(section: HTMLElement, runs: Run[], places: number[]) {
    this.#runs = runs;
    this.#places = places;
    this.#list.addEventListener("scroll", () => this.#drawRows());
    this.#list.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#drawRows()).observe(this.#list);
    section.append(this.#controls, this.#count, element("div", { class: "browser" }, this.#list, this.#detail));
  }

  /** `wanted` is a group by its place, or a filter and its value: `flag=no box`. */
  async open(wantedRun: number, wanted: string): Promise<void> {
    const place = this.#places.includes(wantedRun) ? wantedRun : this.#shown?.place ?? at(this.#places, 0);
    const shown = this.#shown?.place === place ? this.#shown : await this.#openRun(place);
    const group = wanted === "" ? NaN : Number(wanted);
    if (wanted.includes("=")) {
      const [name = "", value = ""] = wanted.split("=");
      this.#show(place, shown.data).filters.choose(name, value);
      await this.#filter();
      await this.#selectFirst();
    } else if (group in shown.data.groups.step) {
      await this.#select(group);
    } else if (this.#selected === null) {
      await this.#selectFirst();
    }
  }

  async #openRun(place: number): Promise<Shown> {
    this.#count.textContent = "Unpacking…";
    const data = await openRun(place);
    [this.#selected, this.#wanted] = [null, null];
    const shown = this.#show(place, data);
    await this.#filter();
    return shown;
  }

  /** Turns to a run, with filters that ask for nothing yet. */
  #show(place: number, data: Opened): Shown {
    const filters = new Filters(data, () => this.#filter());
    const shown = { place, run: at(this.#runs, place), data, filters };
    this.#shown = shown;
    const clear = element("button", { type: "button", onclick: () => { this.#show(place, data); this.#filter(); } }, "Clear");
    this.#controls.replaceChildren(...this.#runChoice(place), ...filters.fields, clear);
    return shown;
  }

  #runChoice(place: number): HTMLElement[] {
    if (this.#places.length < 2) {
      return [];
    }
    const runs = select(this.#places.map((place) => [place, at(this.#runs, place).name]), () => this.open(Number(runs.value), ""));
    runs.value = String(place);
    return [field("Run", runs)];
  }

  async #filter(): Promise<void> {
    const shown = this.#shown;
    if (shown === null) {
      return;
    }
    const turn = {};
    this.#turn = turn;
    let found = shown.filters.groups();
    if (shown.filters.words !== "") {
      found = await this.#saying(shown, found, turn);
    }
    // A later filter has taken over.
    if (turn !== this.#turn) {
      return;
    }
    this.#found = found;
    const all = many(shown.data.groups.step.length, "group");
    this.#count.textContent = `${found.length.toLocaleString("en")} of ${all}. ↑ ↓ walk through the list, ← → follow a query through the epochs.`;
    this.#list.scrollTop = 0;
    this.#drawRows();
  }

  /** The groups of which a response has the words; block by block, since only there the texts are. */
  async #saying({ data, filters: { words } }: Shown, groups: number[], turn: object): Promise<number[]> {
    const found: number[] = [];
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

  #drawRows(): void {
    const shown = this.#shown;
    if (shown === null) {
      return;
    }
    this.#rows.style.height = `${this.#found.length * ROW}px`;
    const first = Math.max(0, Math.floor(this.#list.scrollTop / ROW) - 5);
    const last = Math.min(this.#found.length, first + Math.ceil(this.#list.clientHeight / ROW) + 10);
    this.#rows.replaceChildren(...this.#found.slice(first, last).map((group, place) => this.#row(shown.data, group, first + place)));
  }

  #row(data: Opened, group: number, place: number): HTMLElement {
    const step = `step ${at(data.groups.step, group)}`;
    const query = queryOf(data, group);
    const dots = outcomes(data, group).slice(0, 24).map((outcome) => element("span", { class: `dot ${outcomeClass(outcome)}` }, OUTCOMES[outcome][0]));
    const { right, all } = rightShare(data, group);
    return element("div", {
      class: "row", role: "option", id: `group-${group}`, "aria-selected": String(group === this.#wanted), style: `top: ${place * ROW}px`,
      "aria-label": `${step}, query ${query}, ${right} of ${all} right`,
      onclick: () => this.#select(group),
    },
      element("span", { class: "where" }, `${step} · `, foreign(at(data.classes, at(data.groups.class, group)))),
      element("span", { class: "dots" }, dots),
      element("span", { class: "id" }, foreign(query)));
  }

  #key(event: KeyboardEvent): void {
    const place = this.#wanted === null ? -1 : this.#found.indexOf(this.#wanted);
    const last = this.#found.length - 1;
    const moves: Record<string, number> = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: last, PageDown: place + 10, PageUp: place - 10 };
    const move = moves[event.key];
    if (move !== undefined && last >= 0) {
      event.preventDefault();
      this.#select(at(this.#found, Math.max(0, Math.min(last, move))));
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      event.preventDefault();
      this.#follow(event.key === "ArrowRight" ? 1 : -1);
    }
  }

  /** The same query, earlier or later. */
  #follow(move: number): void {
    if (this.#shown !== null && this.#wanted !== null) {
      const all = alikeGroups(this.#shown.data, this.#wanted);
      const next = all[all.indexOf(this.#wanted) + move];
      if (next !== undefined) {
        this.#select(next);
      }
    }
  }

  async #selectFirst(): Promise<void> {
    if (this.#found.length > 0) {
      await this.#select(at(this.#found, 0));
    }
  }

  async #select(group: number): Promise<void> {
    const shown = this.#shown;
    if (shown === null) {
      return;
    }
    this.#wanted = group;
    const record = await groupRecord(shown.data, group);
    if (this.#wanted !== group || this.#shown?.place !== shown.place) {
      return;
    }
    this.#selected = { group, record };
    history.replaceState(null, "", `#rollouts-${shown.place}-${group}`);
    this.#keepInSight(this.#found.indexOf(group));
    this.#drawRows();
    this.#list.setAttribute("aria-activedescendant", `group-${group}`);
    this.#drawDetail();
  }

  #keepInSight(place: number): void {
    const list = this.#list;
    if (place >= 0 && (place * ROW < list.scrollTop || (place + 1) * ROW > list.scrollTop + list.clientHeight)) {
      list.scrollTop = place * ROW - list.clientHeight / 2;
    }
  }

  #drawDetail(): void {
    const [shown, selected] = [this.#shown, this.#selected];
    if (shown === null || selected === null) {
      return;
    }
    const { data, run, filters } = shown;
    const { group, record } = selected;
    const tokens = element("input", { type: "checkbox", onchange: () => { this.#showsTokens = tokens.checked; this.#drawDetail(); } });
    tokens.checked = this.#showsTokens;
    tokens.disabled = !record.responses.some((response) => response.token_byte_lens?.length);
    const { right, all } = rightShare(data, group);
    const first = at(data.firstResponse, group);
    const marks = record.responses.map((_, place) => filters.hasFlag(first + place));
    this.#detail.replaceChildren(
      element("h2", {}, foreign(record.query)),
      element("p", {}, foreign(record.class), ` · epoch ${record.epoch} · step ${record.step} · `, element("b", {}, `${right} of ${all} right`),
        ` · ${KINDS[record.kind]}`, record.replaced ? " · another query took its place" : "", record.baseline === undefined ? "" : ` · greedy response ${signed(record.baseline, 3)}`),
      this.#timeline(data, group),
      queryBlock(data, record),
      element("div", { class: "over" }, legendOfMarks(), element("label", { class: "check" }, tokens, " show tokens")),
      groupGrid(record, run, this.#showsTokens, marks));
  }

  /** Each time the query was asked, with its share of right answers. */
  #timeline(data: Opened, selected: number): HTMLElement {
    const stops = alikeGroups(data, selected).map((group) => {
      const { right, all } = rightShare(data, group);
      return element("button", {
        type: "button", "aria-current": group === selected ? "true" : null, style: `--share: ${right / Math.max(all, 1)}`, onclick: () => this.#select(group),
      }, `epoch ${at(data.groups.epoch, group)}`, element("small", {}, `step ${at(data.groups.step, group)} · ${right}/${all}`));
    });
    return element("nav", { class: "timeline", "aria-label": "This query through the epochs" }, stops);
  }
}
