// A group: its query, what its responses answer, and the responses side by side.

import type { Opened } from "./data.js";
import { element, foreign, many, shown } from "./elements.js";
import type { GroupRecord, Outcome, Run } from "./records.js";
import { outcomeClass, outcomeOf, OUTCOMES, responseCard, rewardParts } from "./response.js";

/** What is searched for a query: its id and its words. */
export function queryText(data: Opened, id: string): string {
  const record = data.queryRecords.get(id);
  return record ? `${id} ${record.conversation.map((message) => message.content).join(" ")}` : id;
}

export function queryBlock(data: Opened, record: GroupRecord): HTMLElement {
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

/** What the group's responses answer, the most frequent first. */
export function answerCounts(record: GroupRecord): HTMLElement {
  const counts = new Map<string, { text: string; outcome: Outcome; count: number }>();
  for (const response of record.responses) {
    const outcome = outcomeOf(response);
    const item = response.reward?.answer?.items[0];
    const key = outcome === 3 ? "not scored" : item ? item.id ?? item.text : "no answer";
    const known = counts.get(key) ?? { text: item && outcome !== 3 ? item.text : key, outcome, count: 0 };
    counts.set(key, { ...known, count: known.count + 1 });
  }
  const sorted = [...counts.values()].sort((a, b) => b.count - a.count);
  return element("p", { class: "answers" }, "Answers: ", sorted.map(({ text, outcome, count }) =>
    element("span", { class: `answer ${outcomeClass(outcome)}` }, `${OUTCOMES[outcome][0]} `, foreign(text), ` ×${count}`)));
}

export function legendOfMarks(): HTMLElement {
  return element("p", { class: "marks quiet" },
    element("span", { class: "mention target" }, "right item"), element("span", { class: "mention recommended" }, "wrong recommendation"),
    element("span", { class: "mention mentioned" }, "other item"), element("span", { class: "box begins ends" }, "answer"),
    element("span", { class: "swatch positive" }, "+ advantage"), element("span", { class: "swatch negative" }, "− advantage"),
    element("span", {}, "✂ penalised step"));
}

/** The responses side by side; `marks` are those that the filter asks for. */
export function groupGrid(record: GroupRecord, { weights }: Run, tokens = false, marks: boolean[] = []): HTMLElement {
  const steps = record.responses.flatMap((response) => response.steps);
  const mostAdvantage = Math.max(0, ...steps.map((step) => Math.abs(step.advantage)));
  const parts = record.responses.map(({ reward }) => (reward && weights ? rewardParts(reward, weights) : []));
  const most = (sign: number) => Math.max(0, ...parts.map((ofOne) => ofOne.reduce((sum, [, value]) => sum + Math.max(0, sign * value), 0)));
  const look = { weights, mostAdvantage, mostBonus: most(1), mostMalus: most(-1), tokens };
  return element("div", { class: "group" }, record.responses.map((response, place) => responseCard(response, { ...look, matches: marks[place] ?? false })));
}
