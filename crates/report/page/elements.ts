// Building elements. Whatever comes from a run is a text node: no string is ever read as markup.

export type Child = Node | string | null | undefined | Child[];
type Attribute = string | number | boolean | null | undefined;
type Listener = (event: Event) => void;

/** Attributes by their names, and listeners by `on` and the name of the event. */
export type Attributes = Record<string, Attribute | Listener>;

export function element<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") {
      made.addEventListener(name.slice(2), value);
    } else if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(name, value === true ? "" : String(value));
    }
  }
  made.append(...flat(children));
  return made;
}

function flat(children: Child[]): (Node | string)[] {
  return children.flatMap((child) => (Array.isArray(child) ? flat(child) : child ? [child] : []));
}

export function drawing<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | number> = {},
  ...children: (Node | string)[]
): SVGElementTagNameMap[K] {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}

// Characters that cannot be seen, or that turn the direction of the text around them: shown by their numbers. Line ends, tabs and
// the joiners within emoji and scripts stay.
const INVISIBLE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

export function shown(text: string): Child[] {
  const nodes: Child[] = [];
  let behind = 0;
  for (const found of text.matchAll(INVISIBLE)) {
    nodes.push(text.slice(behind, found.index));
    const code = (found[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
    nodes.push(element("span", { class: "invisible", title: `the character U+${code}` }, `U+${code}`));
    behind = found.index + found[0].length;
  }
  nodes.push(text.slice(behind));
  return nodes;
}

/** Text of a run in a box of its own, so that its direction does not spread to what stands beside it. */
export function foreign(text: string): HTMLElement {
  return element("bdi", {}, shown(text));
}

export function number(value: number, digits = 3): string {
  if (value === 0) {
    return "0";
  }
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e6) {
    return value.toExponential(2).replace(/\.?0+e/, "e");
  }
  return String(Number(value.toPrecision(Math.max(digits, Math.ceil(Math.log10(size + 1))))));
}

export function signed(value: number, digits = 2): string {
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? `−${text}` : `+${text}`;
}

export function percent(share: number): string {
  return (100 * share).toFixed(1);
}

export function bytes(count: number): string {
  return count < 1e6 ? `${Math.ceil(count / 1e3)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

export function many(count: number, one: string, more = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : more}`;
}

export function save(name: string, type: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = element("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

export function field(label: string, control: Node): HTMLElement {
  return element("label", { class: "field" }, element("span", {}, label), control);
}

export function select(options: [string | number, string][], onchange: () => void): HTMLSelectElement {
  return element("select", { onchange }, options.map(([value, text]) => element("option", { value }, text)));
}

/** Buttons that save a chart's picture and its numbers, as files named `id`. */
export function chartTools(id: string, picture: () => string, numbers: () => string): HTMLElement {
  return element("div", { class: "tools" },
    element("button", { type: "button", title: "Save as a picture", onclick: () => save(`${id}.svg`, "image/svg+xml", picture()) }, "SVG"),
    element("button", { type: "button", title: "Save the numbers", onclick: () => save(`${id}.csv`, "text/csv", numbers()) }, "CSV"));
}
