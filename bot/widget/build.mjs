// Builds dist/ from src/: what is committed there is exactly what this prints (a test compares the bytes).
// OUT names another folder to build into.
import { build } from "esbuild";
import { mkdir, readFile, writeFile } from "node:fs/promises";

const out = process.env.OUT ?? "dist";
await mkdir(out, { recursive: true });
await build({
  entryPoints: ["src/loader.ts", "src/app.ts", "src/app.css"],
  outdir: out,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022", // light-dark() and logical properties stay as written: every browser since 2024 has them
  charset: "utf8",
  legalComments: "none",
  supported: { nesting: true },
  logLevel: "warning",
});
const frame = await readFile("src/frame.html", "utf8");
await writeFile(`${out}/frame.html`, frame.replace(/<!--.*?-->/gs, "").replace(/>\s+</g, "><").trim() + "\n");
