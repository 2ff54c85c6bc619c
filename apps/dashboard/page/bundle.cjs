// SPDX-License-Identifier: Apache-2.0
// bundle.cjs SOURCES OUT.c: bundles the page with esbuild; its files, packed by gzip, become C.
const { buildSync } = require("esbuild");
const { createHash } = require("crypto");
const { readFileSync, writeFileSync } = require("fs");
const { gzipSync } = require("zlib");
const path = require("path");

const [, , sources, out] = process.argv;
const built = buildSync({
  entryPoints: [path.join(sources, "main.jsx")],
  bundle: true,
  minify: true,
  write: false,
  outdir: "/",
  entryNames: "app",
  format: "iife",
  target: ["es2022"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  logLevel: "warning",
  nodePaths: (process.env.NODE_PATH || "").split(path.delimiter).filter(Boolean),
});
const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};
const files = built.outputFiles.map((f) => [path.basename(f.path), Buffer.from(f.contents)]);
for (const name of ["index.html", "icon.svg"])
  files.push([name, readFileSync(path.join(sources, name))]);
files.sort((a, b) => (a[0] < b[0] ? -1 : 1));

let text = '/* Made from the folder page of apps/dashboard. */\n#include "serve/dash_page.h"\n';
let rows = "";
files.forEach(([name, bytes], i) => {
  const packed = gzipSync(bytes, { level: 9 });
  const tag = createHash("sha256").update(bytes).digest("hex").slice(0, 32);
  text += `static const unsigned char file_${i}[] = {${packed.join(",")}};\n`;
  rows += `    {"/${name}", "${types[path.extname(name)]}", "\\"${tag}\\"", file_${i}, `;
  rows += `sizeof file_${i}, ${bytes.length}},\n`;
});
text += `const dash_file dash_files[] = {\n${rows}};\n`;
text += "const size_t dash_n_file = sizeof dash_files / sizeof dash_files[0];\n";
writeFileSync(out, text);
