// Several runs: accuracy query for query, and the responses to one query, early and late.

function comparison(head) {
  const section = element("section", { id: "comparison" });
  const tables = head.comparisons.length
    ? head.comparisons.map(pairedTable)
    : element("p", { class: "quiet" }, "No two of these runs have test outcomes of the same queries, so that accuracies cannot be paired.");
  const body = element("div", {});
  section.append(element("h2", {}, "What the runs differ in"), settingsCompared(head.runs), element("h2", {}, "Accuracy on test queries after reinforcement"), ...[tables].flat(),
    element("h2", {}, "The same query in each run"), body);
  let isDrawn = false;
  section.open = async () => {
    if (!isDrawn) {
      isDrawn = true;
      await drawCommonQueries(head, body);
    }
  };
  return section;
}

// Settings that are not the same in all runs; a default is left empty.
function settingsCompared(runs) {
  const values = runs.map((run) => new Map(run.glance.settings.map(({ key, value }) => [key, value])));
  const keys = [...new Set(values.flatMap((one) => [...one.keys()]))].sort();
  const unlike = keys.filter((key) => key !== "name" && new Set(values.map((one) => one.get(key))).size > 1);
  if (unlike.length === 0) {
    return element("p", { class: "quiet" }, "Their settings are the same.");
  }
  const rows = unlike.map((key) => element("tr", {}, element("th", { scope: "row" }, foreign(key)),
    values.map((one) => element("td", {}, one.has(key) ? foreign(one.get(key)) : element("span", { class: "quiet" }, "default")))));
  return element("div", { class: "wide" }, element("table", { class: "accuracy" },
    element("thead", {}, element("tr", {}, element("th", {}, "setting"), runs.map((run) => element("th", { scope: "col" }, runMark(run.place), foreign(run.name))))),
    element("tbody", {}, rows)));
}

async function drawCommonQueries(head, body) {
  const runs = head.runs.filter((run) => run.rollouts.groups > 0);
  const data = await Promise.all(runs.map((run) => openRun(run.place)));
  const common = data.length < 2 ? [] : data[0].queries.filter((id) => data.every((one) => one.queries.includes(id)));
  if (common.length === 0) {
    body.append(element("p", { class: "quiet" }, "These runs trained on no query in common."));
    return;
  }
  const entries = common.map((id) => commonQuery(id, data));
  entries.sort((a, b) => b.spread - a.spread);
  const detail = element("div", { class: "detail" });
  const select = element("select", { onchange: () => drawQuery(entries[Number(select.value)], runs, data, detail) },
    entries.map((entry, place) => element("option", { value: place }, `${entry.id}: ${entry.words}`)));
  body.append(element("p", { class: "quiet" }, `${many(common.length, "query", "queries")} in common, those first on which the runs' last answers differ most. Numbers are right answers, first and last time.`),
    field("Query", select), detail);
  await drawQuery(entries[0], runs, data, detail);
}

function commonQuery(id, data) {
  const ends = data.map((one) => {
    const groups = one.ofQuery[one.queries.indexOf(id)];
    return [groups[0], groups.at(-1)];
  });
  const share = (one, group) => {
    const { right, all } = rightShare(one, group);
    return right / Math.max(all, 1);
  };
  const last = data.map((one, place) => share(one, ends[place][1]));
  const words = data.map((one, place) => ends[place].map((group) => {
    const { right, all } = rightShare(one, group);
    return `${right}/${all}`;
  }).join(" → "));
  return { id, ends, words: words.join("; "), spread: Math.max(...last) - Math.min(...last) };
}

async function drawQuery(entry, runs, data, detail) {
  const records = await Promise.all(data.map((one, place) =>
    Promise.all([...new Set(entry.ends[place])].map((group) => groupRecord(one, group)))));
  const columns = records.map((found, place) => element("div", { class: "column" },
    element("h3", {}, runMark(runs[place].place), foreign(runs[place].name)),
    found.map((record) => [
      element("h4", {}, `epoch ${record.epoch}, step ${record.step}: `,
        `${record.responses.filter((response) => response.reward?.hit).length} of ${record.responses.length} right`),
      answerCounts(record),
      groupGrid(record, runs[place]),
    ])));
  const query = queryBlock(data[0], records[0][0]);
  query.querySelector(".answers")?.remove();
  detail.replaceChildren(query, legendOfMarks(), element("div", { class: "columns" }, columns));
}
