// Times an ONNX model with ONNX Runtime on the CPU: a runner for `lathe latency ... --runner command`.
//
//   npm install --ignore-scripts --prefix examples/runners/onnxruntime_node
//   lathe latency benchmark --arch a.json --space mbv3_28 --runner command \
//     --command 'node examples/runners/onnxruntime_node/runner.mjs'
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import ort from 'onnxruntime-node';

const request = JSON.parse(readFileSync(0, 'utf8'));
const session = await ort.InferenceSession.create(process.argv[2], {
  executionProviders: ['cpu'],
  graphOptimizationLevel: 'all',
  intraOpNumThreads: request.threads,
  interOpNumThreads: 1,
});
const [inputName] = session.inputNames;
// A symbolic dimension is the batch.
const shape = request.input_shape ??
  session.inputMetadata[0].shape.map((n) => (typeof n === 'number' ? n : request.batch));

function randomInput() {
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < values.length; ++i) {
    values[i] = Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  }
  return new ort.Tensor('float32', values, shape);
}
const inputs = [randomInput(), randomInput()];

let consumed = 0;
async function timeOnce(i) {
  const begin = process.hrtime.bigint();
  const outputs = await session.run({ [inputName]: inputs[i % inputs.length] });
  consumed += outputs[session.outputNames[0]].data[0];
  return Number(process.hrtime.bigint() - begin) / 1e6;
}

const first_ms = await timeOnce(0);
for (let i = 1; i < request.warmup_runs; ++i) await timeOnce(i);
const latencies_ms = [];
const begin = process.hrtime.bigint();
for (let i = 0; i < request.runs; ++i) {
  const elapsed_ms = Number(process.hrtime.bigint() - begin) / 1e6;
  if (i >= 2 && request.max_ms > 0 && elapsed_ms >= request.max_ms) break;
  latencies_ms.push(await timeOnce(i));
}
if (Number.isNaN(consumed)) throw new Error('the model gives NaN');

const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json');
console.log(JSON.stringify({
  device: cpus()[0].model,
  runtime: `onnxruntime-node ${version} cpu`,
  precision: 'float32',
  first_ms,
  latencies_ms,
}));
