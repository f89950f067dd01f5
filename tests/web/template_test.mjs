// Whether the committed page is what its sources build into.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const web = fileURLToPath(new URL('../../web/report/', import.meta.url));
if (!existsSync(`${web}node_modules/esbuild`)) {
  console.log(`needs npm install --ignore-scripts in ${web}`);
  process.exit(77);
}
process.exit(
  spawnSync(process.execPath, ['build.mjs', '--check'], { cwd: web, stdio: 'inherit' }).status ?? 1,
);
