// The filters of the browser of rollouts.

import { at, outcomes } from "./data.js";
import type { Opened } from "./data.js";
import { element, field, select } from "./elements.js";
import { queryText } from "./group.js";

/** Controls over the groups of a run; each change calls `changed`. */
export class Filters {
  readonly #data: Opened;
  readonly #from: HTMLInputElement;
  readonly #to: HTMLInputElement;
  readonly #query: HTMLInputElement;
  readonly #words: HTMLInputElement;
  readonly #choices: Record<string, HTMLSelectElement>;
  /** With their labels. */
  readonly fields: HTMLElement[];

  constructor(data: Opened, changed: () => void) {
    this.#data = data;
    const steps = data.groups.step;
    const [first, last] = [at(steps, 0), at(steps, steps.length - 1)];
    const step = (value: number) => element("input", { type: "number", min: first, max: last, value, oninput: changed });
    const text = (hint: string) => element("input", { type: "search", placeholder: hint, onchange: changed });
    this.#from = step(first);
    this.#to = step(last);
    this.#query = text("id or words of the query");
    this.#query.addEventListener("input", changed);
    this.#words = text("words of a response");
    const choice = (options: [string | number, string][]) => select([["", "any"], ...options], changed);
    const named = (names: string[]) => names.map((name, place): [number, string] => [place, name]);
    const byClass = choice(named(data.classes));
    const outcome = choice([["right", "has a right answer"], ["wrong", "has a wrong answer"], ["mixed", "right and wrong"], ["none", "none right"], ["all", "all right"]]);
    const kind = choice([["with_hit", "by right and wrong"], ["shaped_only", "by shaping alone"], ["without_signal", "nothing"]]);
    const flag = choice([["not-scored", "not scored"], ...named(data.flags)]);
    this.#choices = { class: byClass, outcome, kind, flag };
    this.fields = [
      field("From step", this.#from), field("to step", this.#to), field("Class", byClass), field("Group", outcome), field("Teaches", kind),
      field("Flag", flag), field("Query", this.#query), field("Response", this.#words),
    ];
  }

  /** Sets one of the choices, to a value or to the words that stand for it. */
  choose(name: string, value: string): void {
    const control = this.#choices[name];
    const option = [...(control?.options ?? [])].find((one) => one.value === value || one.textContent === value);
    if (control && option) {
      control.value = option.value;
    }
  }

  #chosen(name: string): string {
    return this.#choices[name]?.value ?? "";
  }

  /** The words that a response shall have, in lower case; none: any. */
  get words(): string {
    return this.#words.value.trim().toLowerCase();
  }

  /** Whether a response has what the flag filter asks for; false where it asks for nothing. */
  hasFlag(response: number): boolean {
    const flag = this.#chosen("flag");
    const { outcome, flags } = this.#data.responses;
    if (flag === "not-scored") {
      return at(outcome, response) === 3;
    }
    return flag !== "" && Boolean((at(flags, response) >> Number(flag)) & 1);
  }

  /** The groups that fit, but for the words of their responses. */
  groups(): number[] {
    const { queries, groups } = this.#data;
    const needle = this.#query.value.trim().toLowerCase();
    const isAsked = queries.map((id) => needle === "" || queryText(this.#data, id).toLowerCase().includes(needle));
    const found: number[] = [];
    for (let group = 0; group < groups.step.length; group++) {
      if (at(isAsked, at(groups.query, group)) && this.#fits(group)) {
        found.push(group);
      }
    }
    return found;
  }

  #fits(group: number): boolean {
    const { groups, firstResponse } = this.#data;
    const step = at(groups.step, group);
    const fits = (name: string, value: string | number) => this.#chosen(name) === "" || this.#chosen(name) === String(value);
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

  #fitsOutcome(group: number): boolean {
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
}
