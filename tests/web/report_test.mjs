// The page of lathe report in headless Chromium.
//   node report_test.mjs CHROMIUM LATHE_REPORT_PAGES FOLDER
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openBrowser } from './chromium.mjs';

const [chromium, makePages, folder] = process.argv.slice(2);
const browser = await openBrowser(chromium);

const pages = join(folder, 'pages');
const made = spawnSync(makePages, [pages], { encoding: 'utf8' });

/// Opens a page, calls `check`, and expects that nothing was fetched and nothing complained.
async function on(name, { colors = 'light', media = 'screen' }, check) {
  const page = await browser.newPage();
  const complaints = [];
  const fetched = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => fetched.push(request.url()));
  await page.setViewportSize({ width: 1400, height: 900 });
  await page.emulateMedia({ colorScheme: colors, media });
  const url = pathToFileURL(join(pages, name)).href;
  await page.goto(url);
  await page.waitForSelector('footer');
  await check(page);
  assert.deepEqual(complaints, [], name);
  assert.deepEqual(fetched, [url], 'a page of its own asks for nothing else');
  await page.close();
}

const count = (page, selector) => page.locator(selector).count();

/// What sticks out of the page at the right, and texts too small to be read.
async function expectReadable(page, width) {
  const found = await page.evaluate(() => {
    const right = document.documentElement.clientWidth;
    const wide = [...document.body.querySelectorAll('*')].filter(
      (e) =>
        !e.closest('.scroll, pre, .hidden, thead') &&
        e.getBoundingClientRect().width > 0 &&
        e.getBoundingClientRect().right > right + 1,
    );
    const small = [
      ...document.querySelectorAll('main text, main p, main td, main th, main li'),
    ].filter(
      (e) =>
        e.getBoundingClientRect().height > 0 &&
        e.textContent.trim() &&
        e.getBoundingClientRect().height < 7,
    );
    return {
      scroll: document.documentElement.scrollWidth - right,
      wide: wide.map((e) => e.outerHTML.slice(0, 120)),
      small: small.map((e) => e.outerHTML.slice(0, 120)),
    };
  });
  assert.deepEqual(found, { scroll: 0, wide: [], small: [] }, `${width} pixels wide`);
}

async function showsTheRun(page) {
  assert.match(await page.title(), /^run · Lathe report$/);
  assert.match(
    await page.locator('.lead').innerText(),
    /4 latency targets.*3 of 4 are met, by 2 nets, 1 beyond reach/s,
  );
  assert.equal(await count(page, '.targets tbody tr'), 4);
  assert.match(
    await page.locator('.targets tbody tr').first().innerText(),
    /infeasible: the minimum reachable is 0.0200 ms/,
  );
  assert.equal(
    await count(page, '.tradeoff .answer'),
    2,
    'one mark for each net, however many targets it has',
  );
  assert.equal(await count(page, '.tradeoff .predicted'), 2 + 1, 'and one in the legend');
  assert.equal(await count(page, '.tradeoff .front'), 1 + 1);
  assert.equal(await count(page, '.two .sample'), 30 + 1);
  assert.ok(
    (await count(page, '.three .mark')) === 3,
    'the start of shrinking in each chart of the training',
  );
  assert.match(await page.locator('.marks').innerText(), /epoch 2\.2, step 220: shrinking starts/);
  assert.match(await page.locator('.use pre').innerText(), /nets\/0\.1ms\/model\.onnx/);
}

async function clickingShowsNets(page) {
  const title = () => page.locator('.net h3').innerText();
  assert.equal(await title(), 'Net for 0.100 ms');
  await page.locator('.tradeoff .answer').nth(1).click();
  assert.equal(await title(), 'Net for 0.500 and 0.700 ms');
  assert.match(await page.locator('.tooltip').innerText(), /measured/);
  assert.equal(await count(page, '.answer.chosen'), 1);
  await page.locator('.tradeoff .evaluated').nth(3).dispatchEvent('click');
  assert.equal(await title(), 'Evaluated net');
  await page.locator('.targets button').first().click();
  assert.equal(await title(), 'Net for 0.100 ms');
  assert.ok((await count(page, '.net .stages rect')) > 5);
}

async function worksByKeyboard(page) {
  await page.locator('.tradeoff .answer').nth(1).focus();
  assert.ok(await page.locator('.tooltip').isVisible());
  await page.keyboard.press('Enter');
  assert.equal(await page.locator('.net h3').innerText(), 'Net for 0.500 and 0.700 ms');
  await page.locator('.choice input[value=test]').check();
  assert.match(
    await page.locator('.tradeoff .answer').first().getAttribute('aria-label'),
    /test top-1 89\.00%/,
  );
  await page.getByText('All points as a table').click();
  assert.equal(await count(page, '.tradeoff .as-table tbody tr'), 2 + 6);
}

async function changesColours(page) {
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const before = await paper();
  await page.locator('.theme select').selectOption('dark');
  assert.notEqual(await paper(), before);
  await page.locator('.theme select').selectOption('auto');
  assert.equal(await paper(), before);
}

try {
  assert.equal(made.status, 0, made.stderr);
  for (const name of ['run/report.html', 'comparison.html', 'hostile/report.html']) {
    assert.ok(statSync(join(pages, name)).size < 2e6);
  }
  await on('run/report.html', {}, showsTheRun);
  await on('run/report.html', {}, clickingShowsNets);
  await on('run/report.html', {}, worksByKeyboard);
  await on('run/report.html', {}, changesColours);
  for (const name of [
    'run/report.html',
    'comparison.html',
    'cells/report.html',
    'widths/report.html',
  ]) {
    await on(name, { colors: 'dark' }, async (page) => {
      for (const width of [1400, 1000, 700, 400]) {
        await page.setViewportSize({ width, height: 900 });
        await page.evaluate(
          () => new Promise((done) => requestAnimationFrame(() => setTimeout(done))),
        );
        await expectReadable(page, width);
      }
    });
  }
  await on('run/report.html', { media: 'print', colors: 'dark' }, async (page) => {
    assert.equal(
      await page.evaluate(() => getComputedStyle(document.body).backgroundColor),
      'rgb(255, 255, 255)',
    );
    assert.ok((await page.pdf({ format: 'A4' })).length > 10000);
  });
  await on('int8/report.html', {}, async (page) => {
    const answer = await page.locator('.targets tbody tr').nth(1).innerText();
    assert.match(answer, /87\.00%\s+float32 89\.00%\s+88\.00%/);
    assert.match(answer, /617 B/);
    assert.match(await page.locator('.use pre').innerText(), /nets\/0\.1ms\/model_int8\.onnx/);
  });
  await on('cells/report.html', {}, async (page) => {
    assert.equal(await count(page, '.cell'), 2);
    assert.equal(await count(page, '.cell .op'), 16);
  });
  await on('widths/report.html', {}, async (page) => {
    assert.ok((await count(page, '.widths .width')) > 10);
    assert.ok((await count(page, '.widths .uniform')) > 10);
  });
  await on('unfinished/report.html', {}, async (page) => {
    assert.match(await page.locator('.missing').innerText(), /result\.json is missing/);
  });
  await on('hostile/report.html', {}, async (page) => {
    assert.notEqual(await page.title(), 'broken');
    assert.equal(await count(page, 'img'), 0);
    assert.equal(await count(page, '.targets tbody tr'), 4);
    assert.match(
      await page.locator('.missing').innerText(),
      /metrics\.jsonl: line 6 is no JSON object/,
    );
  });
  await on('comparison.html', {}, async (page) => {
    assert.match(await page.locator('.warning').innerText(), /Runtime differs/);
    assert.equal(await count(page, '.compared .run-mark'), 4 + 2);
    await page.getByText('All of other').click();
    assert.equal(await count(page, 'details.run'), 2);
    await page.locator('details.run[open] .tradeoff .answer').first().click();
  });
  console.log('the page is as it should be');
} finally {
  await browser.close();
}
