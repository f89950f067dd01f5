// Training: loss, accuracy and learning rate over the epochs, and what happened when.
import { scaleLinear } from 'd3-scale';
import { line } from 'd3-shape';
import { asTable, chart, domain, interactive, legend, shape } from './chart.js';
import { h, s } from './dom.js';
import { duration, object, list, num, percent, plain, text, whole } from './format.js';

const HEIGHT = 230;
// Coarse ones, and what to take where fewer than three of those are to be seen.
const TICKS = [0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999];
const FINE_TICKS = Array.from({ length: 100 }, (_, i) => i / 100);
const MOST_TICKS = 6;

/// A scale on which halving the error is always the same distance.
function errorScale(values) {
  const errors = values.map((v) => Math.max(1 - v, 5e-4));
  const toLog = (accuracy) => -Math.log(Math.max(1 - accuracy, 5e-4));
  const logs = domain(
    errors.map((e) => -Math.log(e)),
    { margin: 0.06, least: 0.1 },
  );
  const low = Math.max(0, logs[0]);
  return () => {
    const inner = scaleLinear().domain([low, logs[1]]);
    const scale = (v) => inner(toLog(v));
    scale.range = (r) => (r ? (inner.range(r), scale) : inner.range());
    scale.domain = () => [1 - Math.exp(-low), 1 - Math.exp(-logs[1])];
    scale.copy = () => scale;
    const seen = (ticks) => ticks.filter((t) => toLog(t) >= low && toLog(t) <= logs[1]);
    scale.ticks = () => {
      if (seen(TICKS).length >= 3) return seen(TICKS);
      const fine = seen(FINE_TICKS);
      const stride = Math.ceil(fine.length / MOST_TICKS);
      return fine.filter((_, i) => i % stride === 0);
    };
    scale.tickFormat = () => (v) => `${plain(100 * v, v > 0.99 ? 1 : 0)}`;
    return scale;
  };
}

function drawMarks({ plot, x, height, width }, training, named) {
  const perEpoch = training.stepsPerEpoch;
  if (!perEpoch) return;
  training.marks.forEach((mark, i) => {
    const from = x(mark.step / perEpoch);
    const to = mark.toStep === null ? from : x(mark.toStep / perEpoch);
    if (from < -1 || from > width + 1) return;
    plot.append(
      s('rect', {
        class: 'mark',
        x: from - (to > from ? 0 : 0.75),
        width: Math.max(1.5, to - from),
        y: 0,
        height,
      }),
    );
    if (named) {
      plot.append(
        s(
          'text',
          {
            class: 'mark-label',
            x: from + (from > width - 24 ? -4 : 4),
            y: 11,
            'text-anchor': from > width - 24 ? 'end' : 'start',
          },
          String.fromCharCode(65 + (i % 26)),
        ),
      );
    }
  });
}

function curve(training, { title, label, values, yDomain, yScale, format }) {
  const records = training.records;
  const series = values(records).filter(([, points]) => points.length > 0);
  if (series.length === 0) return null;
  const all = series.flatMap(([, points]) => points.map(([, v]) => v));
  const last = Math.max(...records.map((r) => r.epoch));
  return h(
    'div',
    { class: 'panel' },
    h('h3', {}, title),
    chart(
      {
        title: `${title} of the training`,
        height: HEIGHT,
        margin: { left: 50 },
        x: { label: 'epoch', domain: [0, last] },
        y: { label, ...(yScale ? { scale: yScale(all) } : { domain: yDomain(all) }), format },
      },
      (frame) => {
        drawMarks(frame, training, true);
        series.forEach(([name, points], i) => {
          frame.plot.append(
            s('path', {
              class: `curve s${i}`,
              d: line(
                ([e]) => frame.x(e),
                ([, v]) => frame.y(v),
              )(points),
            }),
          );
          for (const [epoch, value, shown] of points) {
            frame.plot.append(
              interactive(
                s('path', {
                  class: `curve-dot s${i}`,
                  d: shape('circle', points.length > 60 ? 8 : 22),
                  transform: `translate(${frame.x(epoch)},${frame.y(value)})`,
                }),
                {
                  label: `${name}, epoch ${plain(epoch, 1)}: ${shown}`,
                  focusable: false,
                  lines: [[`epoch ${plain(epoch, 1)}`], [name, shown]],
                },
              ),
            );
          }
        });
      },
    ),
    series.length > 1
      ? legend(series.map(([name], i) => ({ line: true, class: `curve s${i}`, text: name })))
      : null,
  );
}

const names = (records) => [...new Set(records.flatMap((r) => Object.keys(r.top1)))].slice(0, 4);

const netName = (name) =>
  name === 'validation' ? 'the net' : `${name.replaceAll('_', ' ').replace(/ net$/, '')} net`;

const lossPoints = (records, key) =>
  records.filter((r) => r[key] !== null).map((r) => [r.epoch, r[key], plain(r[key], 4)]);

function curves(training) {
  return [
    curve(training, {
      title: 'Validation top-1',
      label: '%, log scale of the error',
      yScale: errorScale,
      values: (records) =>
        names(records).map((name) => [
          netName(name),
          records
            .filter((r) => num(r.top1[name]) !== null)
            .map((r) => [r.epoch, r.top1[name], percent(r.top1[name])]),
        ]),
    }),
    curve(training, {
      title: 'Loss',
      label: 'training loss',
      yDomain: (v) => domain(v),
      values: (records) => [
        ['loss', lossPoints(records, 'loss')],
        ['loss of the operations’ weights', lossPoints(records, 'logitsLoss')],
      ],
    }),
    curve(training, {
      title: 'Learning rate',
      label: 'learning rate',
      yDomain: (v) => domain(v, { from: 0 }),
      values: (records) => [
        [
          'learning rate',
          records.filter((r) => r.rate !== null).map((r) => [r.epoch, r.rate, plain(r.rate, 5)]),
        ],
      ],
    }),
  ].filter(Boolean);
}

function markList(training) {
  if (training.marks.length === 0) return null;
  const at = (mark) =>
    training.stepsPerEpoch ? `epoch ${plain(mark.step / training.stepsPerEpoch, 1)}, ` : '';
  return h(
    'ul',
    { class: 'marks' },
    training.marks.map((mark, i) =>
      h(
        'li',
        {},
        h('b', {}, String.fromCharCode(65 + (i % 26))),
        ` ${at(mark)}step ${whole(mark.step)}` +
          `${mark.toStep === null ? '' : ` to ${whole(mark.toStep)}`}: ${mark.text}`,
      ),
    ),
  );
}

function planList(run) {
  const parts = list(run.plan.parts)
    .map(object)
    .filter((p) => text(p.what) && num(p.seconds) !== null);
  if (parts.length === 0) return null;
  return h(
    'p',
    { class: 'note' },
    `Planned for ${duration(run.plan.budget_s)}: `,
    parts.map((p) => `${p.what} ${duration(p.seconds)}`).join('; '),
    '.',
  );
}

export function training(run) {
  const t = run.training;
  const drawn = curves(t);
  if (drawn.length === 0) return null;
  return h(
    'div',
    {},
    h('div', { class: 'three' }, drawn),
    markList(t),
    planList(run),
    asTable(
      'Records as a table',
      ['epoch', 'step', 'loss', 'learning rate', ...names(t.records)],
      t.records.map((r) => [
        plain(r.epoch, 2),
        whole(r.step),
        plain(r.loss, 4),
        plain(r.rate, 5),
        ...names(t.records).map((n) => percent(num(r.top1[n]))),
      ]),
    ),
  );
}
