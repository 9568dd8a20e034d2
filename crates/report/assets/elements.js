// Building elements. Whatever comes from a run is a text node: no string is ever read as markup.

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) {
      made.addEventListener(name.slice(2), value);
    } else if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(name, value === true ? "" : value);
    }
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

function drawing(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// Characters that cannot be seen, or that turn the direction of the text around them: shown by their numbers. Line ends, tabs and
// the joiners within emoji and scripts stay.
const INVISIBLE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

function shown(text) {
  const nodes = [];
  let behind = 0;
  for (const found of text.matchAll(INVISIBLE)) {
    nodes.push(text.slice(behind, found.index));
    const code = found[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    nodes.push(element("span", { class: "invisible", title: `the character U+${code}` }, `U+${code}`));
    behind = found.index + found[0].length;
  }
  nodes.push(text.slice(behind));
  return nodes.filter((node) => node !== "");
}

// Text of a run in a box of its own, so that its direction does not spread to what stands beside it.
function foreign(text, attributes = {}) {
  return element("bdi", attributes, shown(String(text)));
}

function number(value, digits = 3) {
  if (value === 0) {
    return "0";
  }
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e6) {
    return value.toExponential(2).replace(/\.?0+e/, "e");
  }
  return String(Number(value.toPrecision(Math.max(digits, Math.ceil(Math.log10(size + 1))))));
}

function signed(value, digits = 2) {
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? `−${text}` : `+${text}`;
}

function percent(share) {
  return (100 * share).toFixed(1);
}

function bytes(count) {
  return count < 1e6 ? `${Math.ceil(count / 1e3)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

function many(count, one, more = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : more}`;
}

function save(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = element("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

function field(label, control) {
  return element("label", { class: "field" }, element("span", {}, label), control);
}

function choice(label, options, onchange) {
  const select = element(
    "select",
    { onchange: () => onchange(select.value) },
    options.map(([value, text]) => element("option", { value }, text)),
  );
  return field(label, select);
}
