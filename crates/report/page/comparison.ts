// Several runs: accuracy query for query, and the responses to one query, early and late.

import { at, groupRecord, openRun, rightShare } from "./data.js";
import type { Opened } from "./data.js";
import { element, field, foreign, many, select } from "./elements.js";
import { answerCounts, groupGrid, legendOfMarks, queryBlock } from "./group.js";
import type { Section } from "./main.js";
import { pairedTable, runMark } from "./overview.js";
import type { Head, Run } from "./records.js";

/** A run with responses: its place on the page and its data. */
interface Side {
  run: Run;
  place: number;
  data: Opened;
}

/** A query that all runs were trained on. */
interface CommonQuery {
  id: string;
  /** The first and the last group in each run; one where they are the same. */
  ends: number[][];
  /** Right answers, first and last time. */
  words: string;
  /** How far the last shares of right answers lie apart. */
  spread: number;
}

export function comparison(head: Head): Section {
  const tables = head.comparisons.length
    ? head.comparisons.map(pairedTable)
    : [element("p", { class: "quiet" }, "No two of these runs have test outcomes of the same queries, so that accuracies cannot be paired.")];
  const body = element("div", {});
  const node = element("section", { id: "comparison" },
    element("h2", {}, "What the runs differ in"), settingsCompared(head.runs),
    element("h2", {}, "Accuracy on test queries after reinforcement"), tables,
    element("h2", {}, "The same query in each run"), body);
  let isDrawn = false;
  const open = async () => {
    if (!isDrawn) {
      isDrawn = true;
      await drawCommonQueries(head, body);
    }
  };
  return { name: "Comparison", node, open };
}

/** Settings that are not the same in all runs. */
function settingsCompared(runs: Run[]): HTMLElement {
  const values = runs.map((run) => new Map(run.glance.settings.map(({ key, value }) => [key, value])));
  const keys = [...new Set(values.flatMap((one) => [...one.keys()]))].sort();
  const unlike = keys.filter((key) => key !== "name" && new Set(values.map((one) => one.get(key))).size > 1);
  if (unlike.length === 0) {
    return element("p", { class: "quiet" }, "Their settings are the same.");
  }
  const rows = unlike.map((key) => element("tr", {}, element("th", { scope: "row" }, foreign(key)),
    values.map((one) => {
      const value = one.get(key);
      return element("td", {}, value === undefined ? element("span", { class: "quiet" }, "default") : foreign(value));
    })));
  return element("div", { class: "wide" }, element("table", { class: "accuracy" },
    element("thead", {}, element("tr", {}, element("th", {}, "setting"), runs.map((run, place) => element("th", { scope: "col" }, runMark(place), foreign(run.name))))),
    element("tbody", {}, rows)));
}

async function drawCommonQueries(head: Head, body: HTMLElement): Promise<void> {
  const withResponses = head.runs.map((run, place) => ({ run, place })).filter(({ run }) => run.rollouts.groups > 0);
  const sides = await Promise.all(withResponses.map(async (one): Promise<Side> => ({ ...one, data: await openRun(one.place) })));
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
  body.append(element("p", { class: "quiet" }, `${many(common.length, "query", "queries")} in common, those first on which the runs' last answers differ most. Numbers are right answers, first and last time.`),
    field("Query", chosen), detail);
  await draw();
}

function commonQuery(id: string, sides: Side[]): CommonQuery {
  const groups = sides.map(({ data }) => at(data.ofQuery, data.queries.indexOf(id)));
  const ends = groups.map((all) => [...new Set([at(all, 0), at(all, all.length - 1)])]);
  const shares = ends.map((found, place) => found.map((group) => rightShare(at(sides, place).data, group)));
  const words = shares.map((found) => found.map(({ right, all }) => `${right}/${all}`).join(" → "));
  const last = shares.map((found) => at(found, found.length - 1)).map(({ right, all }) => right / Math.max(all, 1));
  return { id, ends, words: words.join("; "), spread: Math.max(...last) - Math.min(...last) };
}

async function drawQuery(entry: CommonQuery, sides: Side[], detail: HTMLElement): Promise<void> {
  const records = await Promise.all(sides.map(({ data }, place) => Promise.all(at(entry.ends, place).map((group) => groupRecord(data, group)))));
  const columns = sides.map(({ run, place }, column) => element("div", { class: "column" },
    element("h3", {}, runMark(place), foreign(run.name)),
    at(records, column).map((record) => [
      element("h4", {}, `epoch ${record.epoch}, step ${record.step}: `,
        `${record.responses.filter((response) => response.reward?.hit).length} of ${record.responses.length} right`),
      answerCounts(record),
      groupGrid(record, run),
    ])));
  const query = queryBlock(at(sides, 0).data, at(at(records, 0), 0));
  query.querySelector(".answers")?.remove();
  detail.replaceChildren(query, legendOfMarks(), element("div", { class: "columns" }, columns));
}
