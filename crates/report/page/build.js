// Bundles the page's script into ../assets/page.js, which is committed, so that building the crate needs no node. With --check it
// compares instead. The first line holds a hash over the sources in this folder and the script itself: a test of the crate computes it
// anew, without node.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { buildSync } from "esbuild";

const OUTPUT = "../assets/page.js";

function bundled() {
  // Not minified: whoever opens the source of a page can read it, a change can be reviewed, and beside the data it is small.
  const built = buildSync({
    entryPoints: ["main.ts"], bundle: true, write: false, format: "iife", target: "es2022", charset: "utf8", logLevel: "warning",
  });
  return built.outputFiles[0].text;
}

function hashed(script) {
  const hash = createHash("sha256");
  const names = readdirSync(".").filter((name) => /\.(ts|js|json)$/.test(name)).sort();
  for (const name of names) {
    hash.update(`${name}\0`).update(readFileSync(name)).update("\0");
  }
  return hash.update(script).digest("hex");
}

const script = bundled();
const whole = `// Part of rerec-report, MIT OR Apache-2.0. Built from page/ by \`npm run build\`, not to be edited. sha256 ${hashed(script)}\n${script}`;
if (!process.argv.includes("--check")) {
  writeFileSync(OUTPUT, whole);
} else if (readFileSync(OUTPUT, "utf8") !== whole) {
  console.error(`${OUTPUT} is not what page/ makes: npm run build`);
  process.exit(1);
}
