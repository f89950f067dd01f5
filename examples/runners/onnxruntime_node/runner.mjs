// Times ONNX models with ONNX Runtime on the CPU: a runner for `lathe ... --runner command`.
//
//   npm install --ignore-scripts --prefix examples/runners/onnxruntime_node
//   lathe latency benchmark --arch a.json --space mbv3_28 --runner command --protocol 2 \
//     --command 'node examples/runners/onnxruntime_node/runner.mjs'
//
// With a model as its argument it answers one request (protocol 1), without one all that come.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';
import ort from 'onnxruntime-node';

const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json');
const device = {
  device: cpus()[0].model,
  runtime: `onnxruntime-node ${version} cpu`,
  precision: 'float32',
};

function randomInput(shape) {
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < values.length; ++i) {
    values[i] = Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  }
  return new ort.Tensor('float32', values, shape);
}

async function load(path, inputShape, batch, threads) {
  const session = await ort.InferenceSession.create(path, {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
  });
  // A symbolic dimension is the batch.
  const shape = inputShape ??
    session.inputMetadata[0].shape.map((n) => (typeof n === 'number' ? n : batch));
  return { session, inputs: [randomInput(shape), randomInput(shape)] };
}

async function runOnce({ session, inputs }, i) {
  const begin = process.hrtime.bigint();
  const outputs = await session.run({ [session.inputNames[0]]: inputs[i % inputs.length] });
  const logit = outputs[session.outputNames[0]].data[0];
  const ms = Number(process.hrtime.bigint() - begin) / 1e6;
  if (Number.isNaN(logit)) throw new Error('the model gives NaN');
  return ms;
}

async function time(model, request) {
  const first_ms = await runOnce(model, 0);
  for (let i = 1; i < request.warmup_runs; ++i) await runOnce(model, i);
  const latencies_ms = [];
  const begin = process.hrtime.bigint();
  for (let i = 0; i < request.runs; ++i) {
    const elapsed_ms = Number(process.hrtime.bigint() - begin) / 1e6;
    if (i >= 2 && request.max_ms > 0 && elapsed_ms >= request.max_ms) break;
    latencies_ms.push(await runOnce(model, i));
  }
  return { first_ms, latencies_ms };
}

const models = new Map();
let threads = 1;
let batch = 1;

async function answer(request) {
  switch (request.request) {
    case 'hello':
      ({ threads, batch } = request);
      return device;
    case 'load':
      models.set(request.model, await load(request.model, request.input_shape, batch, threads));
      return {};
    case 'time':
      return time(models.get(request.model), request);
    case 'unload':
      await models.get(request.model).session.release();
      models.delete(request.model);
      return {};
    default:
      throw new Error(`unknown request ${request.request}`);
  }
}

if (process.argv.length > 2) {
  const request = JSON.parse(readFileSync(0, 'utf8'));
  const model = await load(process.argv[2], request.input_shape, request.batch, request.threads);
  console.log(JSON.stringify({ ...device, ...(await time(model, request)) }));
} else {
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    let result;
    try {
      result = await answer(request);
    } catch (error) {
      result = { error: String(error.message ?? error).split('\n')[0] };
    }
    console.log(JSON.stringify({ id: request.id, ...result }));
  }
}
