// Runs the ONNX nets of a finished run, or one file, on a test set's files, without Lathe.
//
//   npm install --ignore-scripts --prefix examples/runners/onnxruntime_node
//   node examples/use_a_net/onnx.mjs runs/quickstart [FOLDER WITH t10k-images-idx3-ubyte]
//   node examples/use_a_net/onnx.mjs model.onnx [FOLDER]
//
// Pixels go in as they are, divided by 255: what else a net has to be told is in result.json, and in
// the model's metadata_props. Fails unless every accuracy of a run is that of its result.json.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const require = createRequire(new URL('../runners/onnxruntime_node/', import.meta.url));
const ort = require('onnxruntime-node');

// The values of an idx file, compressed or plain, and its dimensions.
function idx(folder, name, headerBytes) {
  const path = join(folder, name);
  const bytes = existsSync(path + '.gz') ? gunzipSync(readFileSync(path + '.gz')) : readFileSync(path);
  const sizes = [];
  for (let i = 4; i < headerBytes; i += 4) sizes.push(bytes.readUInt32BE(i));
  return { sizes, values: bytes.subarray(headerBytes) };
}

async function accuracy(path, images, labels) {
  const session = await ort.InferenceSession.create(path, { intraOpNumThreads: 1 });
  const [count, height, width] = images.sizes;
  const classes = (logits, i, n) => logits.subarray(i * n, (i + 1) * n);
  let right = 0;
  for (let first = 0; first < count; first += 500) {
    const n = Math.min(500, count - first);
    const bytes = images.values.subarray(first * height * width, (first + n) * height * width);
    const pixels = new ort.Tensor('float32', Float32Array.from(bytes, (b) => b / 255),
      [n, 1, height, width]);
    const { logits } = await session.run({ input: pixels });
    for (let i = 0; i < n; ++i) {
      const scores = classes(logits.data, i, logits.dims[1]);
      if (scores.indexOf(Math.max(...scores)) === labels.values[first + i]) ++right;
    }
  }
  return right / count;
}

// Whether every net of the run has the accuracy that result.json gives it.
async function check(run, images, labels) {
  const result = JSON.parse(readFileSync(join(run, 'result.json'), 'utf8'));
  if (result.input_range[0] !== 0 || result.input_range[1] !== 1 || result.input_layout !== 'NCHW') {
    throw new Error('this example feeds pixels in [0, 1]');
  }
  // Of lathe run, the answers to its targets; of lathe train --method plain, the one net.
  const nets = result.targets ?? [{ dir: '.', test_accuracy: result.test_top1 }];
  let same = true;
  for (const net of nets.filter((n) => n.feasible !== false)) {
    const path = join(run, net.dir, 'model.onnx');
    const found = await accuracy(path, images, labels);
    same &&= found === net.test_accuracy;
    console.log(`${path}: ${(100 * found).toFixed(2)}% of ${labels.values.length} test images, ` +
      `result.json says ${(100 * net.test_accuracy).toFixed(2)}%`);
  }
  return same;
}

const [what, data = '/usr/share/datasets/fashion-mnist'] = process.argv.slice(2);
const images = idx(data, 't10k-images-idx3-ubyte', 16);
const labels = idx(data, 't10k-labels-idx1-ubyte', 8);
if (what.endsWith('.onnx')) {
  const found = await accuracy(what, images, labels);
  console.log(`${what}: ${(100 * found).toFixed(2)}% of ${labels.values.length} test images`);
} else if (!await check(what, images, labels)) {
  console.error('not what result.json says');
  process.exit(1);
}
