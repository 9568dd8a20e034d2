// The page: sections, and the way between them.

import { darkScheme } from "./chart.js";
import { comparison } from "./comparison.js";
import { curves } from "./curves.js";
import { unpack } from "./data.js";
import { element, foreign } from "./elements.js";
import { overview } from "./overview.js";
import type { Head } from "./records.js";
import { rollouts } from "./rollouts.js";

export interface Section {
  /** In the navigation. */
  name: string;
  node: HTMLElement;
  /** Draws what depends on its width and the scheme of colours. */
  draw?: () => void;
  /** When it is turned to, with a run by its place and what is wanted of it, where the address names them. */
  open?: (run: number, wanted: string) => Promise<void>;
}

async function main(page: HTMLElement): Promise<void> {
  if (!("DecompressionStream" in window)) {
    page.append(element("p", { class: "fault" }, "This page needs a browser that can unpack data (DecompressionStream): any of 2023 or later."));
    return;
  }
  const head = await unpack<Head>("head");
  const sections = [overview(head), curves(head), rollouts(head), ...(head.runs.length > 1 ? [comparison(head)] : [])];
  const tabs = sections.map(({ name, node }) => element("a", { href: `#${node.id}` }, name));
  page.append(
    element("header", { class: "top" }, element("h1", {}, "ReRec ", element("small", {}, head.runs.map((run, place) => [place ? ", " : "", foreign(run.name)]))),
      element("nav", { "aria-label": "Sections" }, tabs)),
    element("main", {}, sections.map(({ node }) => node)));
  const show = () => showSection(sections, tabs);
  window.addEventListener("hashchange", show);
  window.addEventListener("resize", () => drawShown(sections));
  darkScheme.addEventListener("change", () => drawShown(sections));
  // On paper everything but the browser of rollouts stands one behind the other.
  window.addEventListener("beforeprint", () => {
    sections.forEach(({ node }) => { node.hidden = node.id === "rollouts" && !location.hash.startsWith("#rollouts"); });
    drawShown(sections);
  });
  window.addEventListener("afterprint", show);
  await show();
  document.documentElement.dataset["ready"] = "true";
}

async function showSection(sections: Section[], tabs: HTMLElement[]): Promise<void> {
  // Names a run by its place, and a group by its own or a filter: `rollouts-0-17`, `rollouts-0-flag=no box`.
  const [name, run, ...rest] = decodeURIComponent(location.hash.slice(1)).split("-");
  const chosen = sections.find(({ node }) => node.id === name) ?? sections[0];
  sections.forEach((section, place) => {
    section.node.hidden = section !== chosen;
    section === chosen ? tabs[place]?.setAttribute("aria-current", "page") : tabs[place]?.removeAttribute("aria-current");
  });
  drawShown(sections);
  await chosen?.open?.(Number(run ?? NaN), rest.join("-"));
}

function drawShown(sections: Section[]): void {
  sections.filter(({ node }) => !node.hidden).forEach((section) => section.draw?.());
}

const page = document.getElementById("page") ?? document.body;
main(page).catch((error) => {
  page.append(element("p", { class: "fault" }, `The page could not be drawn: ${error}`));
  throw error;
});
