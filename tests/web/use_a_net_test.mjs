// The page of examples/use_a_net/browser in headless Chromium, on images of a data set's files.
//   node use_a_net_test.mjs CHROMIUM NET FOLDER EXPECTED
// EXPECTED: JSON of LibTorch's logits, a list for each of the first test images in FOLDER.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { openBrowser, skip } from './chromium.mjs';

const kTolerance = 1e-4;
const [chromium, net, folder, expectedFile] = process.argv.slice(2);
const example = fileURLToPath(new URL('../../examples/use_a_net/browser/', import.meta.url));
if (!existsSync(join(example, 'node_modules/onnxruntime-web')))
  skip(`needs npm install --ignore-scripts in ${example}`);

const expected = JSON.parse(readFileSync(expectedFile, 'utf8'));
const { classes } = JSON.parse(readFileSync(join(net, 'result.json'), 'utf8'));
const idx = readFileSync(join(folder, 't10k-images-idx3-ubyte'));
const side = idx.readUInt32BE(8);

/// A grey image as a file, every pixel `times` by `times` large.
function bmp(pixels, times) {
  const size = side * times;
  const stride = Math.ceil((size * 3) / 4) * 4;
  const file = Buffer.alloc(54 + size * stride);
  file.write('BM');
  file.writeUInt32LE(file.length, 2);
  file.writeUInt32LE(54, 10); // where the pixels begin
  file.writeUInt32LE(40, 14); // of this header's part
  file.writeInt32LE(size, 18);
  file.writeInt32LE(-size, 22); // the first row on top
  file.writeUInt16LE(1, 26);
  file.writeUInt16LE(24, 28); // bits a pixel
  for (let y = 0; y < size; ++y) {
    for (let x = 0; x < size; ++x) {
      const pixel = pixels[Math.floor(y / times) * side + Math.floor(x / times)];
      file.fill(pixel, 54 + y * stride + 3 * x, 54 + y * stride + 3 * x + 3);
    }
  }
  return file;
}

const browser = await openBrowser(chromium);
const server = spawn(process.execPath, [join(example, 'serve.mjs'), net, '0'], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
try {
  const [url] = await once(createInterface(server.stdout), 'line');
  const page = await browser.newPage();
  const complaints = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(url);
  await page.waitForSelector('body[data-ready]');

  /// The rows of the answer to an image: class and logit, the highest first.
  async function answer(name, buffer) {
    await page.setInputFiles('input', { name, mimeType: 'image/bmp', buffer });
    await page.waitForSelector(`tbody[data-of="${name}"]`);
    return page.$$eval('tbody tr', (rows) =>
      rows.map((row) => [row.cells[0].textContent, Number(row.querySelector('data').value)]),
    );
  }
  let largest = 0;
  for (const [i, logits] of expected.entries()) {
    const pixels = idx.subarray(16 + i * side * side, 16 + (i + 1) * side * side);
    for (const times of [1, 2]) {
      // Made smaller again, it is the same image.
      const rows = await answer(`${i}-${times}.bmp`, bmp(pixels, times));
      assert.equal(rows[0][0], classes[logits.indexOf(Math.max(...logits))]);
      for (const [name, logit] of rows) {
        largest = Math.max(largest, Math.abs(logit - logits[classes.indexOf(name)]));
      }
    }
  }
  const difference = largest.toExponential(1);
  console.log(`${expected.length} images: largest difference of a logit ${difference}`);
  assert.ok(largest <= kTolerance);

  await page.getByRole('button', { name: 'Clear' }).click();
  const box = await page.locator('canvas').boundingBox();
  await page.mouse.move(box.x + 50, box.y + 50);
  await page.mouse.down();
  await page.mouse.move(box.x + 150, box.y + 150, { steps: 5 });
  await page.mouse.up();
  await page.waitForSelector('tbody[data-of="drawing"] tr');
  assert.equal(await page.locator('tbody tr').count(), classes.length);
  assert.deepEqual(complaints, []);
} finally {
  await browser.close();
  server.kill();
}
