// Several runs side by side.
import { curveStepAfter, line } from 'd3-shape';
import { chart, domain, interactive, legend, shape } from './chart.js';
import { deviceRows, deviceText } from './device.js';
import { h, s } from './dom.js';
import { joined, ms, msDigits, percent, plain, points, signedPercent } from './format.js';
import { standardError, targetNames } from './tradeoff.js';

const SHAPES = ['circle', 'square', 'triangle', 'diamond'];

/// Answers no slower than a latency, the best on the validation images first.
function within(run, latencyMs) {
  return (
    run.answers
      .filter((a) => a.measuredMs <= latencyMs)
      .sort((a, b) => (b.validation ?? 0) - (a.validation ?? 0))[0] ?? null
  );
}

function frontOf(run) {
  let best = -Infinity;
  return run.answers
    .filter((a) => a.validation !== null)
    .sort((a, b) => a.measuredMs - b.measuredMs)
    .filter((a) => a.validation > best && ((best = a.validation), true));
}

function comparedChart(runs) {
  const answers = runs.flatMap((r) => r.answers.filter((a) => a.validation !== null));
  if (answers.length === 0) return null;
  const error = Math.max(
    0,
    ...runs.map((r) => standardError(r.answers[0]?.validation ?? null, r.validationImages) ?? 0),
  );
  const y = domain(
    answers.map((a) => a.validation),
    { margin: 0.1, least: 2 * error },
  );
  return [
    chart(
      {
        title: 'answers of all runs, measured',
        height: 380,
        x: { label: 'latency, measured (ms)', domain: domain(answers.map((a) => a.measuredMs)) },
        y: { label: 'validation top-1 (%)', domain: y.map((v) => 100 * v) },
      },
      ({ plot, x, y: at }) => {
        runs.forEach((run, i) => {
          const front = frontOf(run);
          plot.append(
            s('path', {
              class: `curve s${i % 8}`,
              d:
                line(
                  (a) => x(a.measuredMs),
                  (a) => at(100 * a.validation),
                ).curve(curveStepAfter)(front) ?? '',
            }),
          );
          for (const a of run.answers.filter((b) => b.validation !== null)) {
            plot.append(
              interactive(
                s('path', {
                  class: `run-mark s${i % 8}`,
                  d: shape(SHAPES[i % 4], 90),
                  transform: `translate(${x(a.measuredMs)},${at(100 * a.validation)})`,
                }),
                {
                  label: `${run.name}, target ${targetNames(a)}: measured ${ms(a.measuredMs)}, validation ${percent(a.validation)}`,
                  lines: [
                    [`${run.name}, target ${targetNames(a)}`],
                    ['latency, median', ms(a.measuredMs)],
                    ['validation top-1', percent(a.validation)],
                    ['test top-1', percent(a.test)],
                  ],
                },
              ),
            );
          }
        });
      },
    ),
    legend(
      runs.map((run, i) => ({
        shape: SHAPES[i % 4],
        class: `run-mark s${i % 8}`,
        text: `${run.name}: answers, and their front`,
      })),
    ),
    error > 0
      ? h(
          'p',
          { class: 'note' },
          `One standard error of a validation accuracy is ±${plain(100 * error, 2)} points.`,
        )
      : null,
  ];
}

function compareCell(answer, exact, first) {
  if (!answer) return h('td', {}, 'none is as fast');
  const accuracy = answer.test ?? answer.validation;
  const reference = first && (first.test ?? first.validation);
  return h(
    'td',
    {},
    h('b', {}, percent(accuracy)),
    h('small', {}, `${ms(answer.measuredMs)}${exact ? '' : `, asked for ${targetNames(answer)}`}`),
    first && first !== answer
      ? h(
          'small',
          { class: 'difference' },
          `${points(accuracy - reference)} points, ${signedPercent(answer.measuredMs / first.measuredMs - 1)} time`,
        )
      : null,
  );
}

function comparedTable(runs) {
  const latencies = [...new Set(runs.flatMap((r) => r.targets.map((t) => t.ms)))].sort(
    (a, b) => a - b,
  );
  if (latencies.length === 0) return null;
  return h(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Targets side by side' },
    h(
      'table',
      {},
      h(
        'caption',
        {},
        'For each latency the answer that a run gave to that very target, or else the best, on ' +
          `validation images, of its answers that measured no more. Test top-1; differences are to ${runs[0].name}.`,
      ),
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          h('th', { scope: 'col' }, 'Latency'),
          runs.map((r) => h('th', { scope: 'col' }, r.name)),
        ),
      ),
      h(
        'tbody',
        {},
        latencies.map((latencyMs) => {
          const found = runs.map((run) => {
            const own = run.answers.find((a) => a.targets.some((t) => t.ms === latencyMs));
            return { answer: own ?? within(run, latencyMs), exact: own !== undefined };
          });
          return h(
            'tr',
            {},
            h('th', { scope: 'row' }, `${msDigits(latencyMs)} ms`),
            found.map(({ answer, exact }, i) =>
              compareCell(answer, exact, i > 0 ? found[0].answer : null),
            ),
          );
        }),
      ),
    ),
  );
}

function deviceNote(runs) {
  const rows = runs.map((r) => new Map(deviceRows(r.device)));
  const names = [...new Set(rows.flatMap((r) => [...r.keys()]))];
  const different = names.filter((name) => new Set(rows.map((r) => r.get(name) ?? '–')).size > 1);
  if (different.length === 0) {
    return h(
      'p',
      { class: 'note' },
      `All were measured under the same conditions: ${deviceText(runs[0].device)}.`,
    );
  }
  return h(
    'div',
    { class: 'warning' },
    h(
      'p',
      {},
      `${joined(different)} ${different.length === 1 ? 'differs' : 'differ'}: a millisecond of one run is not one of another.`,
    ),
    h(
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
            h('th', {}, ''),
            runs.map((r) => h('th', { scope: 'col' }, r.name)),
          ),
        ),
        h(
          'tbody',
          {},
          different.map((name) =>
            h(
              'tr',
              {},
              h('th', { scope: 'row' }, name),
              rows.map((r) => h('td', {}, r.get(name) ?? '–')),
            ),
          ),
        ),
      ),
    ),
  );
}

export function comparison(runs) {
  return h(
    'section',
    { class: 'compared' },
    deviceNote(runs),
    h('h2', {}, 'Accuracy against latency'),
    comparedChart(runs),
    h('h2', {}, 'Targets side by side'),
    comparedTable(runs),
  );
}
