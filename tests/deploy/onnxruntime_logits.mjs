// By how much ONNX Runtime's logits differ from LibTorch's, a row a family:
//   node onnxruntime_logits.mjs FOLDER PACKAGE
// FOLDER has nets.json, and of each net its .onnx, .pixels and .logits as float32.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const kTolerance = 1e-4; // of the largest logit
const [folder, pkg] = process.argv.slice(2);
const ort = createRequire(join(pkg, 'package.json'))('onnxruntime-node');
const options = { intraOpNumThreads: 1, logSeverityLevel: 3 };

const floats = (path) => new Float32Array(new Uint8Array(readFileSync(path)).buffer);
const largest = (values) => values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);

const families = new Map();
for (const { family, file } of JSON.parse(readFileSync(join(folder, 'nets.json'), 'utf8'))) {
  const path = join(folder, file);
  const session = await ort.InferenceSession.create(`${path}.onnx`, options);
  const [, ...shape] = session.inputMetadata[0].shape;
  const pixels = floats(`${path}.pixels`);
  const images = pixels.length / shape.reduce((a, b) => a * b);
  const input = new ort.Tensor('float32', pixels, [images, ...shape]);
  const logits = (await session.run({ input })).logits.data;
  const expected = floats(`${path}.logits`);
  if (logits.length !== expected.length) throw new Error(`${file}: ${logits.length} logits`);
  const difference = largest(logits.map((logit, i) => logit - expected[i]));
  const row = families.get(family) ?? { nets: 0, difference: 0, relative: 0 };
  row.nets += 1;
  row.difference = Math.max(row.difference, difference);
  row.relative = Math.max(row.relative, difference / largest(expected));
  families.set(family, row);
  await session.release();
}

console.log('| family | nets | largest difference of a logit | in shares of the largest logit |');
console.log('|---|---|---|---|');
for (const [family, row] of families) {
  console.log(`| ${family} | ${row.nets} | ${row.difference.toExponential(1)} | ` +
    `${row.relative.toExponential(1)} |`);
}
process.exit([...families.values()].every((row) => row.relative <= kTolerance) ? 0 : 1);
