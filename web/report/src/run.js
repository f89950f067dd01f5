// A run's record, read with care: what isn't as docs/report.md has it is as if it weren't there.
import { list, num, object, text } from './format.js';

function net(raw, index) {
  const value = object(raw);
  return {
    index,
    arch: object(value.arch),
    macs: num(value.macs),
    params: num(value.params),
    predictedMs: num(value.predicted_ms),
    predictedAccuracy: num(value.predicted_accuracy),
    validation: num(value.validation_accuracy),
    sampled: value.sampled === true,
    front: value.front === true,
    picture: object(value.picture),
  };
}

const files = (raw) =>
  list(raw)
    .map(object)
    .map((file) => ({ name: text(file.name) ?? '', bytes: num(file.bytes) }))
    .filter((file) => file.name !== '');

function target(raw, nets) {
  const value = object(raw);
  // Of a run in 8 bits, what is measured and handed over is the int8 net.
  const int8 = object(value.int8);
  const inInt8 = text(int8.model) !== null;
  const used = inInt8 ? int8 : value;
  return {
    ms: num(value.target_ms),
    feasible: value.feasible !== false,
    minimumMs: num(value.minimum_ms),
    predictedMs: num(value.predicted_ms),
    measuredMs: num(value.measured_ms),
    p90Ms: num(value.measured_p90_ms),
    sessionsMs: list(value.session_ms)
      .map(num)
      .filter((v) => v !== null),
    within: value.within_target === true,
    undecided: value.verdict === 'undecided',
    predictedAccuracy: num(value.predicted_accuracy),
    validation: num(used.validation_accuracy),
    test: num(used.test_accuracy),
    float32Test: inInt8 ? num(value.test_accuracy) : null,
    model: text(int8.model) ?? 'model.onnx',
    macs: num(value.macs),
    params: num(value.params),
    inputSize: num(value.input_size),
    trained: text(value.trained),
    sameAsMs: num(value.same_as_ms),
    replacedMs: list(value.replaced_ms)
      .map(num)
      .filter((v) => v !== null),
    dir: text(value.dir),
    files: files(value.files),
    net: nets[num(value.net) ?? -1] ?? null,
  };
}

function trained(raw, nets) {
  const value = object(raw);
  return {
    name: text(value.name) ?? 'net',
    macs: num(value.macs),
    params: num(value.params),
    validation: num(value.validation_top1),
    test: num(value.test_top1),
    float32Test: null,
    model: 'model.onnx',
    files: files(value.files),
    net: nets[num(value.net) ?? -1] ?? null,
  };
}

function training(raw) {
  const value = object(raw);
  const records = list(value.records)
    .map(object)
    .map((record) => ({
      step: num(record.step),
      epoch: num(record.epoch),
      loss: num(record.loss),
      logitsLoss: num(record.logits_loss),
      rate: num(record.learning_rate),
      top1: Object.fromEntries(
        Object.entries(object(record.top1)).filter(([, v]) => num(v) !== null),
      ),
    }))
    .filter((record) => record.step !== null && record.epoch !== null);
  return {
    method: text(value.method),
    epochs: num(value.epochs),
    stepsPerEpoch: num(value.steps_per_epoch),
    records,
    marks: list(value.marks)
      .map(object)
      .map((mark) => ({
        step: num(mark.step),
        toStep: num(mark.to_step),
        text: text(mark.text) ?? '',
      }))
      .filter((mark) => mark.step !== null),
  };
}

/// One answer for each net and measurement: targets that share both are together.
function answers(targets) {
  const byNet = new Map();
  for (const t of targets) {
    if (!t.feasible || t.measuredMs === null) continue;
    const key = t.net ? `${t.net.index} at ${t.measuredMs}` : `target ${t.ms}`;
    if (byNet.has(key)) byNet.get(key).targets.push(t);
    else byNet.set(key, { ...t, targets: [t] });
  }
  return [...byNet.values()];
}

export function readRun(raw, index) {
  const value = object(raw);
  const nets = list(value.nets).map(net);
  const targets = list(value.targets)
    .map((t) => target(t, nets))
    .filter((t) => t.ms !== null)
    .sort((a, b) => a.ms - b.ms);
  const latency = object(value.latency);
  return {
    index,
    name: text(value.name) || 'run',
    kind: text(value.kind) ?? 'run',
    finished: value.finished === true,
    space: text(value.space),
    dataset: text(value.dataset),
    method: text(value.method) ?? training(value.training).method,
    from: text(value.from),
    budgetS: num(value.budget_s),
    seconds: num(value.seconds),
    validationImages: num(value.validation_images),
    device: object(value.device),
    latencyError: object(value.latency_model),
    accuracyError: object(value.accuracy_predictor),
    search: object(value.search),
    plan: object(value.plan),
    input: value,
    targets,
    answers: answers(targets),
    trained: list(value.trained).map((t) => trained(t, nets)),
    nets,
    heldOut: latency.held_out === true,
    samples: list(latency.samples)
      .map(object)
      .map((sample) => ({
        predictedMs: num(sample.predicted_ms),
        measuredMs: num(sample.measured_ms),
        lowMs: num(sample.low_ms),
        highMs: num(sample.high_ms),
      }))
      .filter((sample) => sample.measuredMs !== null),
    anchorMs: list(latency.anchor_ms)
      .map(num)
      .filter((v) => v !== null),
    training: training(value.training),
    notes: list(value.notes)
      .map(text)
      .filter((note) => note !== null),
  };
}

/// Tells who is interested which net is looked at.
export class Selection {
  #listeners = [];
  net = null;
  answer = null;
  onChange(listener) {
    this.#listeners.push(listener);
  }
  choose(net, answer = null) {
    this.net = net;
    this.answer = answer;
    for (const listener of this.#listeners) listener();
  }
}
