// Chromium for the tests, driven by playwright-core.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const web = fileURLToPath(new URL('../../web/report/', import.meta.url));

/// What a machine lacks is said, and the test is skipped.
export function skip(why) {
  console.log(why);
  process.exit(77);
}

/// Headless, without network of its own, with a profile that is gone when it is closed.
export async function openBrowser(chromium) {
  if (!chromium) skip('needs chromium; on Debian: apt-get install chromium');
  if (!existsSync(join(web, 'node_modules/playwright-core')))
    skip(`needs npm install --ignore-scripts in ${web}`);
  const playwright = createRequire(join(web, 'package.json'))('playwright-core');
  const profile = mkdtempSync(join(tmpdir(), 'lathe_browser_test_'));
  const browser = await playwright.chromium.launchPersistentContext(profile, {
    executablePath: chromium,
    headless: true,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  const close = browser.close.bind(browser);
  browser.close = async () => {
    await close();
    rmSync(profile, { recursive: true, force: true });
  };
  return browser;
}
