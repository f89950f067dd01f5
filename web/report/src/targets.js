// The table of targets: each figure named as what it is.
import { h } from './dom.js';
import { bytes, count, ms, msDigits, percent, signedPercent, whole } from './format.js';
import { spreadText } from './tradeoff.js';

const COLUMNS = [
  ['Target', 'latency'],
  ['Measured', 'latency, median'],
  ['Within?', ''],
  ['Predicted', 'latency'],
  ['Test', 'top-1'],
  ['Validation', 'top-1'],
  ['Predicted', 'top-1'],
  ['MACs', ''],
  ['Parameters', ''],
  ['ONNX', 'file'],
  ['', ''],
];

const cell = (index, content, more = {}) =>
  h(
    'td',
    {
      role: 'cell',
      'data-label': COLUMNS[index].filter(Boolean).join(' '),
      ...more,
    },
    content,
  );

const over = (first, ...below) => [
  first,
  below.filter(Boolean).map((line) => h('small', {}, line)),
];

const float32Text = (t) => (t.float32Test === null ? null : `float32 ${percent(t.float32Test)}`);

function feasibleCells(t, choose) {
  const range = spreadText(t);
  const off = t.measuredMs !== null && t.predictedMs ? t.predictedMs / t.measuredMs - 1 : null;
  const onnx = t.files.find((f) => f.name === t.model);
  return [
    cell(
      1,
      over(h('b', {}, ms(t.measuredMs)), range, t.p90Ms !== null && `p90 ${msDigits(t.p90Ms)}`),
    ),
    cell(
      2,
      h(
        'span',
        { class: t.within ? 'yes' : 'no' },
        t.within ? 'yes' : t.undecided ? 'undecided' : 'no',
      ),
    ),
    cell(3, over(ms(t.predictedMs), off === null ? null : `${signedPercent(off)} off`)),
    cell(4, over(h('b', {}, percent(t.test)), float32Text(t))),
    cell(5, percent(t.validation)),
    cell(6, percent(t.predictedAccuracy)),
    cell(7, count(t.macs)),
    cell(8, count(t.params)),
    cell(9, onnx ? bytes(onnx.bytes) : '–'),
    cell(
      10,
      t.net || t.dir
        ? h(
            'button',
            {
              type: 'button',
              onclick: () => choose(t),
              'aria-label': `Show the net of target ${ms(t.ms)}`,
            },
            'Show net',
          )
        : '',
      { class: 'action' },
    ),
  ];
}

function row(t, choose) {
  const target = h(
    'th',
    { scope: 'row', role: 'rowheader' },
    over(ms(t.ms), t.sameAsMs !== null ? `the net of ${ms(t.sameAsMs)}` : null),
  );
  if (!t.feasible) {
    return h(
      'tr',
      { role: 'row', class: 'infeasible' },
      target,
      h(
        'td',
        { role: 'cell', colspan: COLUMNS.length - 1 },
        t.minimumMs === null
          ? 'infeasible: no net is within the limits'
          : `infeasible: the minimum reachable is ${ms(t.minimumMs)} (predicted)`,
      ),
    );
  }
  return h('tr', { role: 'row' }, target, feasibleCells(t, choose));
}

function notes(run) {
  const lines = [];
  for (const t of run.targets) {
    if (t.feasible && t.sameAsMs === null && t.trained)
      lines.push(`${ms(t.ms)}: trained ${t.trained}`);
    if (t.sameAsMs === null) {
      for (const replaced of t.replacedMs) {
        lines.push(`${ms(t.ms)}: a better candidate measured at ${ms(replaced)} was replaced`);
      }
    }
  }
  return lines.length
    ? h(
        'details',
        { class: 'as-table' },
        h('summary', {}, 'How each answer came about'),
        h(
          'ul',
          {},
          lines.map((l) => h('li', {}, l)),
        ),
      )
    : null;
}

export function targetTable(run, choose) {
  if (run.targets.length === 0) return null;
  return h(
    'div',
    { class: 'targets' },
    h(
      'table',
      { role: 'table', class: 'cards' },
      h(
        'caption',
        {},
        'Measured latencies and test accuracies are of sessions and images that had no ' +
          'part in choosing the net; validation images had one.',
        run.answers.some(spreadText)
          ? ' Below a median: the least and the greatest of its sessions’, and the 90th ' +
              'percentile of all runs.'
          : null,
        run.answers.some(float32Text)
          ? ' Latencies and accuracies are those of the nets in int8; below the test accuracy: the ' +
              'same net’s in float32.'
          : null,
      ),
      h(
        'thead',
        { role: 'rowgroup' },
        h(
          'tr',
          { role: 'row' },
          COLUMNS.map(([name, what]) =>
            h(
              'th',
              { scope: 'col', role: 'columnheader' },
              name,
              what ? h('small', {}, what) : null,
              name ? null : h('span', { class: 'hidden' }, 'the net'),
            ),
          ),
        ),
      ),
      h(
        'tbody',
        { role: 'rowgroup' },
        run.targets.map((t) => row(t, choose)),
      ),
    ),
    notes(run),
  );
}

/// Of a training alone: the nets that it reports.
export function trainedTable(run, choose) {
  if (run.trained.length === 0) return null;
  return h(
    'div',
    { class: 'scroll' },
    h(
      'table',
      {},
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          ['Net', 'Validation top-1', 'Test top-1', 'MACs', 'Parameters', ''].map((name) =>
            h('th', { scope: 'col' }, name),
          ),
        ),
      ),
      h(
        'tbody',
        {},
        run.trained.map((t) =>
          h(
            'tr',
            {},
            h('th', { scope: 'row' }, t.name),
            h('td', {}, percent(t.validation)),
            h('td', {}, percent(t.test)),
            h('td', {}, count(t.macs)),
            h('td', {}, whole(t.params)),
            h(
              'td',
              {},
              t.net ? h('button', { type: 'button', onclick: () => choose(t) }, 'Show net') : '',
            ),
          ),
        ),
      ),
    ),
  );
}
