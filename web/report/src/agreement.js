// What was predicted against what was measured.
import { asTable, chart, domain, interactive, legend, shape } from './chart.js';
import { h, s } from './dom.js';
import { msDigits, ms, num, percent, plain, points, signedPercent, whole } from './format.js';
import { targetNames } from './tradeoff.js';

const HEIGHT = 330;

function diagonal({ plot, x, y }, [low, high]) {
  plot.append(s('line', { class: 'diagonal', x1: x(low), y1: y(low), x2: x(high), y2: y(high) }));
}

function latencySentence(run) {
  const error = run.latencyError;
  const n = num(error.samples);
  if (num(error.mape) === null || !n) return 'The run says nothing of its latency model’s error.';
  return [
    `Of ${whole(n)} nets that the model had not seen, predictions are ${percent(error.mape, 1)} off on average`,
    num(error.rmse_ms) !== null && ` (RMSE ${ms(error.rmse_ms)})`,
    num(error.within_5) !== null && `; ${percent(error.within_5, 0)} of the nets within 5%`,
    num(error.within_10) !== null && `, ${percent(error.within_10, 0)} within 10%`,
    num(error.spearman) !== null && `; rank correlation ${plain(error.spearman, 3)} (Spearman)`,
    '.',
  ]
    .filter(Boolean)
    .join('');
}

export function latencyAgreement(run) {
  const samples = run.samples.filter((p) => p.predictedMs !== null);
  if (samples.length === 0) return null;
  const answers = run.answers.filter((a) => a.predictedMs !== null);
  const both = domain([
    ...samples.flatMap((p) => [p.predictedMs, p.measuredMs, p.highMs]),
    ...answers.flatMap((a) => [a.predictedMs, a.measuredMs]),
  ]);
  const mark = (frame, kind, area, predicted, measured, lines, label) =>
    frame.plot.append(
      interactive(
        s('path', {
          class: kind,
          d: shape(kind === 'measured' ? 'circle' : 'square', area),
          transform: `translate(${frame.x(measured)},${frame.y(predicted)})`,
        }),
        {
          label,
          lines: [
            ...lines,
            ['measured', ms(measured)],
            ['predicted', ms(predicted)],
            ['off by', signedPercent(predicted / measured - 1)],
          ],
          focusable: false,
        },
      ),
    );
  const drawing = chart(
    {
      title: 'latency, predicted against measured',
      height: HEIGHT,
      x: { label: 'measured (ms)', domain: both },
      y: { label: 'predicted (ms)', domain: both },
    },
    (frame) => {
      diagonal(frame, both);
      for (const p of samples) {
        if (p.lowMs !== null && p.highMs !== null) {
          frame.plot.append(
            s('path', {
              class: 'faint-whisker',
              d: `M${frame.x(p.lowMs)},${frame.y(p.predictedMs)}H${frame.x(p.highMs)}`,
            }),
          );
        }
      }
      for (const p of samples) {
        mark(
          frame,
          'sample',
          26,
          p.predictedMs,
          p.measuredMs,
          [[run.heldOut ? 'net left out of the fit' : 'measured net']],
          'measured net',
        );
      }
      for (const a of answers) {
        mark(
          frame,
          'measured',
          90,
          a.predictedMs,
          a.measuredMs,
          [[`answer to ${targetNames(a)}`]],
          `answer to ${targetNames(a)}`,
        );
      }
    },
  );
  return h(
    'div',
    {},
    h('h3', {}, 'Latency'),
    drawing,
    legend(
      [
        {
          shape: 'square',
          area: 30,
          class: 'sample',
          text: run.heldOut
            ? 'net, predicted by a model that was fitted without it; line: its turns’ medians'
            : 'measured net; the model has seen these',
        },
        answers.length && { shape: 'circle', class: 'measured', text: 'answer, measured anew' },
        { line: true, class: 'diagonal', text: 'as predicted' },
      ].filter(Boolean),
    ),
    h('p', { class: 'note' }, latencySentence(run)),
    asTable(
      'Latencies as a table',
      ['net', 'predicted ms', 'measured ms', 'off by'],
      samples.map((p, i) => [
        i + 1,
        msDigits(p.predictedMs),
        msDigits(p.measuredMs),
        signedPercent(p.predictedMs / p.measuredMs - 1),
      ]),
    ),
  );
}

function accuracySentence(run) {
  const error = run.accuracyError;
  const n = num(error.samples);
  if (!n) return 'No accuracy predictor was needed.';
  return (
    `Held out in turns, the ${whole(n)} nets that the predictor was fitted to are ` +
    `${plain(100 * (num(error.rmse) ?? NaN), 2)} points off (RMSE), rank correlation ${plain(error.kendall, 2)} (Kendall).`
  );
}

export function accuracyAgreement(run) {
  const nets = run.nets.filter((n) => n.predictedAccuracy !== null && n.validation !== null);
  if (nets.length === 0) return null;
  const values = nets.flatMap((n) => [n.predictedAccuracy, n.validation]);
  const both = domain(values, { least: 0.002 }).map((v) => 100 * v);
  const drawing = chart(
    {
      title: 'accuracy, predicted against evaluated',
      height: HEIGHT,
      x: { label: 'validation top-1 (%)', domain: both },
      y: { label: 'predicted (%)', domain: both },
    },
    (frame) => {
      diagonal(frame, both);
      for (const n of nets) {
        frame.plot.append(
          interactive(
            s('path', {
              class: n.sampled ? 'sample seen' : 'sample',
              d: shape(n.sampled ? 'triangle' : 'square', n.sampled ? 34 : 26),
              transform: `translate(${frame.x(100 * n.validation)},${frame.y(100 * n.predictedAccuracy)})`,
            }),
            {
              label: 'evaluated net',
              focusable: false,
              lines: [
                [n.sampled ? 'the predictor was fitted to it' : 'not in the fit'],
                ['validation top-1', percent(n.validation)],
                ['predicted', percent(n.predictedAccuracy)],
                ['off by', `${points(n.predictedAccuracy - n.validation)} points`],
              ],
            },
          ),
        );
      }
    },
  );
  return h(
    'div',
    {},
    h('h3', {}, 'Accuracy'),
    drawing,
    legend(
      [
        nets.some((n) => !n.sampled) && {
          shape: 'square',
          area: 30,
          class: 'sample',
          text: 'evaluated net that was not in the fit',
        },
        nets.some((n) => n.sampled) && {
          shape: 'triangle',
          area: 34,
          class: 'sample seen',
          text: 'net that the predictor was fitted to',
        },
        { line: true, class: 'diagonal', text: 'as predicted' },
      ].filter(Boolean),
    ),
    h('p', { class: 'note' }, accuracySentence(run)),
    asTable(
      'Accuracies as a table',
      ['net', 'predicted', 'validation top-1', 'in the fit'],
      nets.map((n) => [
        n.index + 1,
        percent(n.predictedAccuracy),
        percent(n.validation),
        n.sampled ? 'yes' : 'no',
      ]),
    ),
  );
}
