// Builds src/ into one file, src/lathe/report/report_template.html, which is committed.
//
//   npm install --ignore-scripts && npm run build
//   npm run check       fails if the committed file is not what src/ builds into
import { build } from 'esbuild';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, '../../src/lathe/report/report_template.html');
const options = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  write: false,
  charset: 'utf8',
  legalComments: 'none',
  logLevel: 'warning',
};

/// Names and licences of the packages that are in the bundle.
function licences(metafile) {
  const names = new Set(
    Object.keys(metafile.inputs)
      .map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1])
      .filter(Boolean),
  );
  const byText = new Map();
  for (const name of [...names].sort()) {
    const folder = join(here, 'node_modules', name);
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const text = readFileSync(join(folder, 'LICENSE'), 'utf8').trim();
    byText.set(text, [...(byText.get(text) ?? []), `${name} ${version}`]);
  }
  const notice = [...byText]
    .map(([text, packages]) => `${packages.join(', ')}:\n${text}`)
    .join('\n\n');
  return notice.replaceAll('--', '- -');
}

async function page() {
  const script = await build({
    ...options,
    entryPoints: ['src/main.js'],
    format: 'iife',
    target: 'es2022',
    metafile: true,
  });
  const style = await build({ ...options, entryPoints: ['src/style.css'], target: 'chrome100' });
  const parts = {
    licences: licences(script.metafile),
    style: style.outputFiles[0].text.trim(),
    script: script.outputFiles[0].text.trim(),
  };
  return readFileSync(join(here, 'src/page.html'), 'utf8').replace(
    /\{\{(licences|style|script)\}\}/g,
    (_, name) => parts[name],
  );
}

const built = await page();
if (!process.argv.includes('--check')) {
  writeFileSync(out, built);
  console.log(`${out}: ${built.length} characters`);
} else if (!existsSync(out) || readFileSync(out, 'utf8') !== built) {
  console.error(
    `${out}: is not what web/report/src builds into; npm run build in web/report, and commit it`,
  );
  process.exit(1);
}
