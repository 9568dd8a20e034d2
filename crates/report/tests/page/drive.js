// Clicks through a page of two runs and tells the page around it what it saw, in base64: nothing of it is read as markup.
{
  const saw = { errors: [], width: window.innerWidth };
  window.addEventListener("error", (event) => saw.errors.push(String(event.message)));
  window.addEventListener("unhandledrejection", (event) => saw.errors.push(String(event.reason)));
  console.error = (...words) => saw.errors.push(words.join(" "));

  const find = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const pause = (time = 50) => new Promise((resolve) => setTimeout(resolve, time));
  const until = async (what, holds) => {
    for (let turn = 0; turn < 100; turn++) {
      const value = holds();
      if (value) {
        return value;
      }
      await pause();
    }
    throw new Error(`waited in vain: ${what}`);
  };
  const key = (target, name) => target.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
  const set = (control, value, event) => {
    control.value = value;
    control.dispatchEvent(new Event(event, { bubbles: true }));
  };
  const labelled = (text) => all("#rollouts .field").find((label) => label.firstChild.textContent === text).lastChild;
  const overflow = () => document.documentElement.scrollWidth - document.documentElement.clientWidth;
  const go = async (name) => {
    all(".top nav a").find((link) => link.textContent === name).click();
    await pause();
    saw[`overflow of ${name}`] = overflow();
  };

  async function drive() {
    await until("the page", () => document.documentElement.dataset.ready);
    saw.runs = all("#overview h2 bdi").map((name) => name.textContent);
    saw.shownFirst = all("#overview figure.chart path.line").length;
    saw.accuracyRows = find("#overview table").querySelectorAll("tbody tr").length;
    await worriesLead();
    await curvesWork();
    await rolloutsWork();
    await comparisonWorks();
    window.dispatchEvent(new Event("beforeprint"));
    saw.printed = all("main > section").filter((section) => !section.hidden).map((section) => section.id);
    saw["overflow on paper"] = overflow();
    window.dispatchEvent(new Event("afterprint"));
    saw.images = document.images.length;
    saw.title = document.title;
  }

  async function worriesLead() {
    const link = all("#overview .worries a").find((one) => one.href.includes("no%20box"));
    link.click();
    await until("their responses", () => all(".response.matches .flags").some((flags) => flags.textContent.includes("no box")));
    all("#rollouts .controls button").at(-1).click();
  }

  async function curvesWork() {
    await go("Curves");
    const chart = find("#curves [data-chart=validation-accuracy]");
    saw.lines = chart.querySelectorAll("path.line").length;
    saw.hiddenLines = chart.querySelectorAll("[aria-pressed=false]").length;
    chart.querySelector("[aria-pressed=false]").click();
    saw.linesAfterClick = chart.querySelectorAll("path.line").length;
    const drawing = chart.querySelector(".frame > svg");
    key(drawing, "ArrowRight");
    saw.values = chart.querySelector(".values b").textContent;
    const steps = find("#curves input[type=number]");
    set(steps, "10", "input");
    key(drawing, "ArrowRight");
    saw.valuesOfRange = chart.querySelector(".values b").textContent;
    set(steps, "0", "input");
    set(find("#curves input[type=range]"), "0.5", "input");
    const reward = find("#curves [data-chart=reward]");
    saw.smoothed = reward.querySelectorAll("path[opacity]").length;
    saw.marks = new Set([...reward.querySelectorAll(".frame .mark")].map((mark) => mark.getAttribute("d"))).size;
    await chartsAreSaved(reward);
    saw.charts = all("#curves figure.chart").length;
  }

  // The first letters of what the buttons of a chart and of a difficulty map save.
  async function chartsAreSaved(chart) {
    const saved = [];
    URL.createObjectURL = (blob) => {
      saved.push(blob);
      return "data:,";
    };
    for (const figure of [chart, find("#curves .map")]) {
      figure.querySelectorAll(".tools button").forEach((button) => button.click());
    }
    saw.saved = await Promise.all(saved.map(async (blob) => (await blob.text()).slice(0, 10)));
  }

  async function rolloutsWork() {
    await go("Rollouts");
    const list = await until("the list", () => find(".list .row") && find(".list"));
    await until("a group", () => find(".response"));
    const count = () => Number(find("#rollouts [role=status]").textContent.split(" ")[0]);
    saw.groups = count();
    const heading = () => find(".detail h2").textContent;
    const first = heading();
    key(list, "ArrowDown");
    await until("the next group", () => heading() !== first);
    const [query, stops] = [heading(), all(".timeline button").length];
    key(list, "ArrowRight");
    await until("the next epoch", () => find(".timeline button:nth-child(2)[aria-current]"));
    saw.follows = heading() === query && stops > 1;
    saw.steps = all(".response .step").length;
    set(labelled("Class"), "0", "change");
    await until("fewer groups", () => count() < saw.groups);
    saw.ofClass = count();
    set(labelled("Flag"), "0", "change");
    await until("penalised groups", () => count() < saw.ofClass);
    key(list, "Home");
    saw.penalties = await until("a penalty", () => all(".response.matches .penalty").length);
    all("#rollouts .controls button").at(-1).click();
    await until("all groups", () => count() === saw.groups);
    await hostileTextIsShown(list, count);
  }

  async function hostileTextIsShown(list, count) {
    set(labelled("Response"), "right to left", "change");
    await until("hostile groups", () => count() > 0 && count() < saw.groups);
    key(list, "Home");
    const marks = () => all(".response .invisible").map((mark) => mark.textContent);
    await until("hostile text", () => marks().includes("U+202E"));
    saw.markup = find(".group").textContent.includes("<script>document.title");
    find(".check input").click();
    saw.tokens = all(".response .token").length;
    // Tokens cut the text, but lose nothing of it.
    saw.markupInTokens = find(".group").textContent.includes("<script>document.title");
    saw["overflow of a group"] = overflow();
  }

  async function comparisonWorks() {
    await go("Comparison");
    const select = await until("common queries", () => find("#comparison select"));
    saw.compared = find("#comparison table").textContent.includes("all");
    await until("both runs", () => all("#comparison .column .response").length);
    saw.columns = all("#comparison .column").length;
    const right = () => find("#comparison .query").textContent;
    const before = right();
    set(select, "1", "change");
    await until("another query", () => right() !== before);
    await pause();
    saw["overflow of a comparison"] = overflow();
  }

  drive().catch((error) => saw.errors.push(String(error))).finally(() => {
    const bytes = new TextEncoder().encode(JSON.stringify(saw));
    const text = btoa(String.fromCharCode(...bytes));
    window.parent.postMessage(text, "*");
  });
}
