// Runs the ONNX nets of a finished run, or one file, on a test set's files, without Lathe.
//
//   npm install --ignore-scripts --prefix examples/runners/onnxruntime_node
//   node examples/use_a_net/onnx.mjs runs/quickstart [FOLDER]
//   node examples/use_a_net/onnx.mjs model.onnx [FOLDER]
//
// FOLDER has t10k-images-idx3-ubyte and its labels, or CIFAR's binary files.
// Pixels go in divided by 255, at the size of the model's input: what else a net has to be told is in
// result.json, and in the model's metadata_props. Fails unless every accuracy of a run is that of its
// result.json.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { shares } from './shares.mjs';

const runner = new URL('../runners/onnxruntime_node/', import.meta.url);
let ort;

// The values of an idx file, compressed or plain, and its dimensions.
function idx(folder, name, headerBytes) {
  const path = join(folder, name);
  const bytes = existsSync(path + '.gz') ? gunzipSync(readFileSync(path + '.gz')) : readFileSync(path);
  const sizes = [];
  for (let i = 4; i < headerBytes; i += 4) sizes.push(bytes.readUInt32BE(i));
  return { sizes, values: bytes.subarray(headerBytes) };
}

// Test images, each [channels, height, width] of bytes, and their labels.
function testSet(folder) {
  for (const [name, labelBytes] of [['test_batch.bin', 1], ['test.bin', 2]]) {
    const path = join(folder, name);
    if (!existsSync(path)) continue;
    // CIFAR-10 and CIFAR-100: records of the label, of CIFAR-100 the fine one last, and the image.
    const bytes = readFileSync(path);
    const record = labelBytes + 3 * 32 * 32;
    const starts = Array.from({ length: bytes.length / record }, (_, i) => i * record + labelBytes);
    return {
      shape: [3, 32, 32],
      images: starts.map((start) => bytes.subarray(start, start + 3 * 32 * 32)),
      labels: starts.map((start) => bytes[start - 1]),
    };
  }
  const { sizes: [count, height, width], values } = idx(folder, 't10k-images-idx3-ubyte', 16);
  const size = height * width;
  return {
    shape: [1, height, width],
    images: Array.from({ length: count }, (_, i) => values.subarray(i * size, (i + 1) * size)),
    labels: idx(folder, 't10k-labels-idx1-ubyte', 8).values,
  };
}

// The test set with square images of `size`, rounded to bytes as those were that the net has seen.
function resized({ shape: [channels, height, width], images, labels }, size) {
  const rows = [...shares(0, height, size)];
  const columns = [...shares(0, width, size)];
  const plane = size * size;
  const made = (image) => {
    const sums = new Float64Array(channels * plane);
    for (let channel = 0; channel < channels; ++channel) {
      for (const [y, fromY, shareY] of rows) {
        for (const [x, fromX, shareX] of columns) {
          sums[channel * plane + y * size + x] +=
            shareY * shareX * image[(channel * height + fromY) * width + fromX];
        }
      }
    }
    return Uint8Array.from(sums, Math.round);
  };
  return { shape: [channels, size, size], images: images.map(made), labels };
}

async function accuracy(path, test) {
  const session = await ort.InferenceSession.create(path, { intraOpNumThreads: 1 });
  const size = session.inputMetadata[0].shape[2];
  const { shape, images, labels } = size === test.shape[1] ? test : resized(test, size);
  let right = 0;
  for (let first = 0; first < images.length; first += 500) {
    const batch = images.slice(first, first + 500);
    const pixels = Float32Array.from(Buffer.concat(batch), (b) => b / 255);
    const { logits } = await session.run(
      { input: new ort.Tensor('float32', pixels, [batch.length, ...shape]) });
    const classes = logits.dims[1];
    for (let i = 0; i < batch.length; ++i) {
      const scores = logits.data.subarray(i * classes, (i + 1) * classes);
      if (scores.indexOf(Math.max(...scores)) === labels[first + i]) ++right;
    }
  }
  return right / images.length;
}

// Whether every net of the run has the accuracy that result.json gives it.
async function check(run, test) {
  const result = JSON.parse(readFileSync(join(run, 'result.json'), 'utf8'));
  if (result.input_range[0] !== 0 || result.input_range[1] !== 1 || result.input_layout !== 'NCHW') {
    throw new Error('this example feeds pixels in [0, 1]');
  }
  // Of lathe run, the answers to its targets; of lathe train --method plain, the one net.
  const nets = result.targets ?? [{ dir: '.', test_accuracy: result.test_top1 }];
  let same = true;
  for (const net of nets.filter((n) => n.feasible !== false)) {
    const path = join(run, net.dir, 'model.onnx');
    const found = await accuracy(path, test);
    same &&= found === net.test_accuracy;
    console.log(`${path}: ${(100 * found).toFixed(2)}% of ${test.labels.length} test images, ` +
      `result.json says ${(100 * net.test_accuracy).toFixed(2)}%`);
  }
  return same;
}

async function main(what, data = '/usr/share/datasets/fashion-mnist') {
  if (what === undefined) throw new Error('expected the folder of a finished run, or a file *.onnx');
  ort = createRequire(runner)('onnxruntime-node');
  const test = testSet(data);
  if (what.endsWith('.onnx')) {
    const found = await accuracy(what, test);
    console.log(`${what}: ${(100 * found).toFixed(2)}% of ${test.labels.length} test images`);
  } else if (!await check(what, test)) {
    throw new Error('not what result.json says');
  }
}

main(...process.argv.slice(2)).catch((error) => {
  const [line] = error.message.split('\n');
  const missing = error.code === 'MODULE_NOT_FOUND' ? '; see the first lines of this file' : '';
  console.error(`onnx.mjs: ${line}${missing}`);
  process.exit(1);
});
