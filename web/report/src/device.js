// What was measured on, and how steady it was.
import { quantile } from 'd3-array';
import { line } from 'd3-shape';
import { asTable, chart, domain } from './chart.js';
import { h, s } from './dom.js';
import { ms, msDigits, num, plain, signedPercent, text, whole } from './format.js';

export function deviceRows(device) {
  const size = num(device.input_size);
  return [
    ['Device', text(device.device)],
    ['Runtime', text(device.runtime)],
    ['Precision', text(device.precision)],
    ['Threads', num(device.threads) === null ? null : whole(device.threads)],
    ['Batch', num(device.batch) === null ? null : whole(device.batch)],
    ['Search space', text(device.space)],
    ['Input', size === null ? null : `${num(device.in_channels) ?? '?'} × ${size} × ${size}`],
    ['Classes', num(device.num_classes) === null ? null : whole(device.num_classes)],
  ].filter(([, value]) => value !== null);
}

/// Device and conditions in a few words.
export function deviceText(device) {
  const threads = num(device.threads);
  return [
    text(device.device),
    text(device.runtime),
    threads && `${threads} thread${threads === 1 ? '' : 's'}`,
    num(device.batch) && `batch ${device.batch}`,
    text(device.precision),
  ]
    .filter(Boolean)
    .join(', ');
}

function drift(run) {
  const anchors = run.anchorMs;
  if (anchors.length < 2) return null;
  const typical = quantile(anchors, 0.5);
  const off = anchors.map((v) => 100 * (v / typical - 1));
  const [low, high] = [quantile(anchors, 0.05), quantile(anchors, 0.95)];
  const drawing = chart(
    {
      title: 'the device’s drift while nets were measured',
      height: 230,
      x: { label: 'net, in the order of measurement', domain: [1, anchors.length] },
      y: { label: 'anchor’s time, % off its median', domain: domain(off, { least: 4 }) },
    },
    ({ plot, x, y, width }) => {
      plot.append(
        s('line', { class: 'diagonal', x1: 0, x2: width, y1: y(0), y2: y(0) }),
        s('path', {
          class: 'curve s0',
          d: line(
            (v, i) => x(i + 1),
            (v) => y(v),
          )(off),
        }),
      );
    },
  );
  return h(
    'div',
    {},
    h('h3', {}, 'Drift'),
    drawing,
    h(
      'p',
      { class: 'note' },
      `The same anchor net, timed in turns with every net, took ${ms(typical)} (median); ` +
        `nine tenths of its times lie between ${signedPercent(low / typical - 1)} and ${signedPercent(high / typical - 1)}. ` +
        'What of that is not noise is taken out of the nets’ latencies.',
    ),
    asTable(
      'Drift as a table',
      ['net', 'anchor ms'],
      anchors.map((v, i) => [i + 1, msDigits(v)]),
    ),
  );
}

export function device(run) {
  const rows = deviceRows(run.device);
  const steady = drift(run);
  if (rows.length === 0 && !steady) return null;
  const evaluations = num(run.search.evaluations);
  return h(
    'div',
    { class: 'two' },
    h(
      'div',
      {},
      h('h3', {}, 'Conditions'),
      h(
        'table',
        { class: 'facts' },
        h(
          'tbody',
          {},
          rows.map(([name, value]) =>
            h('tr', {}, h('th', { scope: 'row' }, name), h('td', {}, value)),
          ),
        ),
      ),
      h(
        'p',
        { class: 'note' },
        'Latencies of other conditions are other latencies.',
        evaluations
          ? ` The search predicted ${whole(evaluations)} nets in ${plain(run.search.seconds, 1)} s.`
          : '',
      ),
    ),
    steady,
  );
}
