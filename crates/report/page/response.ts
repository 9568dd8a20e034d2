// One response: its reasoning step by step, its mentions, its answer, its reward.

import { at } from "./data.js";
import { drawing, element, foreign, many, number, shown, signed } from "./elements.js";
import type { Child } from "./elements.js";
import type { Outcome, ResponseRecord, Reward, Step, Weights } from "./records.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** Sign and words of each outcome. */
export const OUTCOMES = [["✗", "wrong"], ["✓", "right"], ["∅", "no answer"], ["!", "not scored"]] as const;

export interface CardLook {
  /** None where the run's settings could not be read. */
  weights: Weights | null;
  /** Over the group: the largest |advantage| of a step, the largest sums of positive and of negative parts of a reward. */
  mostAdvantage: number;
  mostBonus: number;
  mostMalus: number;
  /** Whether tokens are shown. */
  tokens: boolean;
  /** Whether it is what the filter asks for. */
  matches: boolean;
}

/** Name, weighted value, and for alignments the score before its weight. */
type Part = [name: string, value: number, score?: number];

/** Begin and end by bytes, class, explanation. */
type Mark = [start: number, end: number, name: string, words: string];

/** The class of an outcome in the style sheets. */
export function outcomeClass(outcome: Outcome): string {
  return OUTCOMES[outcome][1].replace(" ", "-");
}

export function outcomeOf(response: ResponseRecord): Outcome {
  if (!response.reward) {
    return 3;
  }
  return response.reward.hit ? 1 : response.reward.answer ? 0 : 2;
}

export function responseCard(response: ResponseRecord, look: CardLook): HTMLElement {
  const outcome = outcomeOf(response);
  const [sign, word] = OUTCOMES[outcome];
  const facts = [many(response.tokens, "token"), response.finish === "length" ? "cut off by the token limit" : null,
    `log-probability ${number(response.log_prob)}`];
  return element("article", { class: `response ${outcomeClass(outcome)}${look.matches ? " matches" : ""}` },
    element("header", {},
      element("b", { class: "outcome" }, `${sign} ${word}`), element("span", {}, `sample ${response.sample + 1}`),
      response.reward ? element("b", { class: "total" }, signed(response.reward.total, 3)) : null),
    element("p", { class: "quiet" }, facts.filter(Boolean).join(" · ")),
    response.error ? element("p", { class: "fault" }, foreign(response.error)) : null,
    response.reward ? rewardBar(response.reward, look) : null,
    flagList(response),
    element("div", { class: "text", dir: "auto" }, textParts(response, look)));
}

/** The weighted parts of a reward. What no weight explains are terms that were mixed in. */
export function rewardParts(reward: Reward, weights: Weights): Part[] {
  const { query_alignment: query, preference_alignment: preference } = reward;
  const known: Part[] = [["format", weights.format * reward.format], ["ranking", reward.ranking]];
  if (query !== null) {
    known.push(["query", weights.query * query, query]);
  }
  if (preference !== null) {
    known.push(["preference", weights.preference * preference, preference]);
  }
  const rest = reward.total - known.reduce((sum, [, value]) => sum + value, 0);
  return Math.abs(rest) > 1e-9 ? [...known, ["others", rest]] : known;
}

function rewardBar(reward: Reward, look: CardLook): HTMLElement | null {
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
    const x = value < 0 ? (left -= width) : right;
    right += value > 0 ? width : 0;
    return drawing("rect", { class: `part-${name}`, x, y: 1, width, height: 8 },
      drawing("title", {}, `${name} ${signed(value, 3)}`));
  });
  const terms = Object.entries(reward.terms ?? {});
  return element("div", { class: "reward" },
    drawing("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", role: "img", "aria-label": words },
      drawing("line", { class: "zero", x1: zero, x2: zero, y1: 0, y2: 10 }), ...boxes),
    element("p", { class: "parts" }, parts.map(([name, value, score]) =>
      element("span", { class: "part", title: "in brackets: before its weight" }, element("i", { class: `part-${name}` }), `${name} ${signed(value, 3)}`,
        score === undefined ? null : element("small", {}, ` (${score.toFixed(2)})`)))),
    terms.length ? element("p", { class: "quiet" }, "mixed in: ", terms.map(([name, value], place) => [place ? " · " : "", foreign(name), ` ${value.toFixed(2)}`])) : null);
}

function flagList(response: ResponseRecord): HTMLElement | null {
  const flags = response.reward?.flags ?? [];
  return flags.length ? element("p", { class: "flags" }, flags.map((flag) => element("span", {}, flag.replaceAll("_", " ")))) : null;
}

/** The text as blocks: reasoning steps, and what stands between them. */
function textParts(response: ResponseRecord, look: CardLook): Child {
  const bytes = encoder.encode(response.text);
  const marks = textMarks(response);
  const cuts = tokenCuts(response, bytes, look.tokens);
  const piece = (start: number, end: number) => inlineParts(bytes, start, end, marks, cuts);
  const blocks: HTMLElement[] = [];
  let behind = 0;
  const between = (end: number) => {
    const text = decoder.decode(bytes.subarray(behind, end));
    if (text.trim() !== "") {
      blocks.push(element("div", { class: "between" }, piece(behind, end)));
    }
  };
  for (const step of [...response.steps].sort((a, b) => a.span.start - b.span.start)) {
    const start = Math.max(step.span.start, behind);
    if (step.span.end > start) {
      between(start);
      blocks.push(stepBlock(step, piece(start, step.span.end), look));
      behind = step.span.end;
    }
  }
  between(bytes.length);
  return blocks.length ? blocks : element("p", { class: "quiet" }, "The response is empty.");
}

function stepBlock(step: Step, parts: Child, look: CardLook): HTMLElement {
  const strength = Math.min(1, Math.abs(step.advantage) / Math.max(look.mostAdvantage, 1e-9));
  const side = step.advantage < 0 ? "negative" : step.advantage > 0 ? "positive" : "neutral";
  const title = `advantage ${signed(step.advantage, 3)}, mean over ${many(step.tokens.end - step.tokens.start, "token")}`;
  return element("div", { class: `step ${side} ${step.kind}${step.penalised ? " penalised" : ""}`, style: `--strength: ${strength.toFixed(3)}` },
    element("span", { class: "advantage", title }, signed(step.advantage)),
    element("div", {}, element("div", {}, parts), step.penalised ? penalty(step) : null));
}

function penalty(step: Step): HTMLElement {
  const culprits = step.items.filter((item) => item.is_recommended && !item.is_target);
  const why = culprits.length
    ? ["names the wrong recommendation ", culprits.map((item, place) => [place ? ", " : "", element("b", {}, foreign(item.name))])]
    : "by its distance from naming a right item";
  const kept = `${(100 * step.ratio).toFixed(0)} %`;
  return element("p", { class: "penalty", title: `Its tokens keep ${kept} of the reward.` }, `✂ ${kept} kept: `, why);
}

/** What is marked in the text. */
function textMarks(response: ResponseRecord): Mark[] {
  const marks = response.steps.flatMap((step) => step.items.flatMap((item) => (item.spans ?? []).map((span): Mark => {
    const role = item.is_target ? "target" : item.is_recommended ? "recommended" : "mentioned";
    const words = { target: "a right item", recommended: "the wrong recommendation", mentioned: "another item" }[role];
    return [span.start, span.end, `mention ${role}`, `${item.name}: ${words}`];
  })));
  const answer = response.reward?.answer;
  if (answer) {
    marks.push([answer.span.start, answer.span.end, "box", "the answer"]);
    for (const { span, flag } of answer.items) {
      if (flag !== null) {
        marks.push([span.start, span.end, "flagged", flag.replaceAll("_", " ")]);
      }
    }
  }
  return marks;
}

/** Where tokens begin, by bytes. Tokens that begin within a character are shown together with the one before. */
function tokenCuts(response: ResponseRecord, bytes: Uint8Array, isWanted: boolean): number[] {
  const lengths = isWanted ? response.token_byte_lens ?? [] : [];
  const cuts: number[] = [];
  let begin = 0;
  for (const length of lengths) {
    if (length > 0 && ((bytes[begin] ?? 0) & 0xc0) !== 0x80) {
      cuts.push(begin);
    }
    begin += length;
  }
  return cuts;
}

function inlineParts(bytes: Uint8Array, start: number, end: number, marks: Mark[], cuts: number[]): HTMLElement[] {
  const inside = (place: number) => place > start && place < end;
  const ends = new Set([start, end, ...marks.flatMap(([from, to]) => [from, to]).filter(inside), ...cuts.filter(inside)]);
  const sorted = [...ends].sort((a, b) => a - b);
  let token = cuts.findLastIndex((cut) => cut <= start);
  return sorted.slice(0, -1).map((from, place) => {
    const to = at(sorted, place + 1);
    while (token + 1 < cuts.length && at(cuts, token + 1) <= from) {
      token += 1;
    }
    const over = marks.filter(([first, last]) => first <= from && last >= to);
    const classes = over.map(([, , name]) => name);
    // The box may be cut into pieces: the outer ones close its frame.
    for (const [first, last] of over.filter(([, , name]) => name === "box")) {
      classes.push(first === from ? "begins" : "", last === to ? "ends" : "");
    }
    if (cuts.length) {
      classes.push(token % 2 ? "token odd" : "token");
    }
    const text = shown(decoder.decode(bytes.subarray(from, to)));
    return classes.length
      ? element("span", { class: classes.join(" "), title: over.map(([, , , words]) => words).join("; ") || null }, text)
      : element("span", {}, text);
  });
}
