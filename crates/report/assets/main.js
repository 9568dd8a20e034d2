// The page: sections, and the way between them.

async function main() {
  const page = document.getElementById("page");
  if (!("DecompressionStream" in window)) {
    page.append(element("p", { class: "fault" }, "This page needs a browser that can unpack data (DecompressionStream): any of 2023 or later."));
    return;
  }
  const head = await unpack("head");
  head.runs.forEach((run, place) => { run.place = place; });
  const sections = [
    ["Overview", overview(head)],
    ["Curves", curves(head)],
    ["Rollouts", rollouts(head)],
    ...(head.runs.length > 1 ? [["Comparison", comparison(head)]] : []),
  ];
  const tabs = sections.map(([name, section]) => element("a", { href: `#${section.id}` }, name));
  page.append(
    element("header", { class: "top" }, element("h1", {}, "ReRec ", element("small", {}, head.runs.map((run, place) => [place ? ", " : "", foreign(run.name)]))),
      element("nav", { "aria-label": "Sections" }, tabs)),
    element("main", {}, sections.map(([, section]) => section)));
  const show = () => showSection(sections, tabs);
  window.addEventListener("hashchange", show);
  window.addEventListener("resize", () => drawShown(sections));
  darkScheme.addEventListener("change", () => drawShown(sections));
  // On paper everything but the browser of rollouts stands one behind the other.
  window.addEventListener("beforeprint", () => {
    sections.forEach(([, section]) => { section.hidden = section.id === "rollouts" && !location.hash.startsWith("#rollouts"); });
    drawShown(sections);
  });
  window.addEventListener("afterprint", show);
  await show();
  document.documentElement.dataset.ready = "true";
}

async function showSection(sections, tabs) {
  // Names a run by its place, and a group by its own or a filter: `rollouts-0-17`, `rollouts-0-flag=no box`.
  const [name, run, ...rest] = decodeURIComponent(location.hash.slice(1)).split("-");
  const chosen = sections.find(([, section]) => section.id === name) ?? sections[0];
  sections.forEach(([, section], place) => {
    section.hidden = section !== chosen[1];
    section === chosen[1] ? tabs[place].setAttribute("aria-current", "page") : tabs[place].removeAttribute("aria-current");
  });
  drawShown(sections);
  await chosen[1].open?.(Number(run ?? NaN), rest.join("-"));
}

function drawShown(sections) {
  sections.filter(([, section]) => !section.hidden).forEach(([, section]) => section.draw?.());
}

main().catch((error) => {
  document.getElementById("page").append(element("p", { class: "fault" }, `The page could not be drawn: ${error}`));
  throw error;
});
