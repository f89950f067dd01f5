// Accuracy against latency: what is predicted, what was measured, what was asked.
import { curveStepAfter, line } from 'd3-shape';
import { asTable, chart, domain, interactive, legend, shape } from './chart.js';
import { h, newId, replace, s } from './dom.js';
import { joined, ms, msDigits, percent, plain, whole } from './format.js';

const HEIGHT = 420;
// An accuracy axis is at least so many standard errors of one accuracy high, so that noise looks
// like noise.
const LEAST_ERRORS = 2.6;

export const targetNames = (answer) => `${joined(answer.targets.map((t) => msDigits(t.ms)))} ms`;

/// Of one accuracy on so many images, as a fraction.
export function standardError(accuracy, images) {
  return accuracy === null || !images ? null : Math.sqrt((accuracy * (1 - accuracy)) / images);
}

const accuracyOf = (answer, split) => (split === 'test' ? answer.test : answer.validation);
const splitName = (split) => (split === 'test' ? 'test top-1' : 'validation top-1');

function marksOf(run, split) {
  return {
    evaluated: run.nets.filter((n) => n.predictedMs !== null && n.validation !== null),
    front: run.nets.filter((n) => n.front).sort((a, b) => a.predictedMs - b.predictedMs),
    measured: run.answers.filter((a) => accuracyOf(a, split) !== null),
    predicted: run.answers.filter((a) => a.predictedMs !== null && a.predictedAccuracy !== null),
  };
}

/// Where the answer's measured latency was seen: its sessions' medians, and the 90th percentile.
function spread(answer) {
  const sessions = answer.sessionsMs.length > 1 ? answer.sessionsMs : [];
  return {
    low: Math.min(answer.measuredMs, ...sessions),
    high: Math.max(answer.measuredMs, ...sessions),
    p90: answer.p90Ms,
  };
}

export function spreadText(answer) {
  if (answer.measuredMs === null) return null;
  const { low, high } = spread(answer);
  return high > low ? `${msDigits(low)} to ${msDigits(high)}` : null;
}

function domains(run, marks, split) {
  const error =
    standardError(
      run.answers[0]?.validation ?? marks.evaluated[0]?.validation ?? null,
      run.validationImages,
    ) ?? 0;
  const latencies = [...marks.evaluated, ...marks.predicted]
    .map((m) => m.predictedMs)
    .concat(
      marks.measured.flatMap((a) => [a.measuredMs, a.p90Ms]),
      run.targets.map((t) => t.ms),
    );
  const accuracies = marks.evaluated
    .map((n) => n.validation)
    .concat(
      marks.measured.map((a) => accuracyOf(a, split)),
      marks.predicted.map((a) => a.predictedAccuracy),
    );
  return {
    error,
    x: domain(latencies),
    y: domain(accuracies, { margin: 0.1, least: LEAST_ERRORS * error }),
  };
}

function drawTargets({ plot, x, height }, targets) {
  const [low, high] = x.domain();
  let labelled = -Infinity;
  for (const target of targets) {
    if (target.ms < low || target.ms > high) continue;
    const at = x(target.ms);
    plot.append(
      s('line', {
        class: target.feasible ? 'target' : 'target missed',
        x1: at,
        x2: at,
        y1: 0,
        y2: height,
      }),
    );
    if (at - labelled < 34) continue;
    labelled = at;
    plot.append(
      s(
        'text',
        { class: 'target-label', x: at, y: -5, 'text-anchor': 'middle' },
        msDigits(target.ms),
      ),
    );
  }
}

/// The standard error as a bar at the left, so that distances can be held against it.
function drawError({ plot, y, height }, error) {
  const [low, high] = y.domain();
  const length = (100 * error * height) / (high - low);
  if (error <= 0 || 2 * length > height) return;
  const [top, bottom] = [height / 2 - length, height / 2 + length];
  const at = 10;
  plot.append(
    s(
      'g',
      { class: 'error-bar' },
      s('title', {}, 'one standard error of a validation accuracy, up and down'),
      s('path', { d: `M${at - 4},${top}h8M${at - 4},${bottom}h8M${at},${top}V${bottom}` }),
      s('text', { x: at + 7, y: bottom - 4 }, '±1 s.e. of one accuracy'),
    ),
  );
}

function drawEvaluated({ plot, x, y }, marks, run, selection) {
  for (const net of marks.evaluated) {
    const at = `translate(${x(net.predictedMs)},${y(net.validation)})`;
    const mark = s('path', {
      class: 'evaluated',
      d: shape('diamond', 34),
      transform: at,
      'data-net': net.index,
    });
    plot.append(
      interactive(mark, {
        label: `evaluated net: predicted ${ms(net.predictedMs)}, validation top-1 ${percent(net.validation)}`,
        lines: [
          [net.front ? 'evaluated net on the front' : 'evaluated net'],
          ['latency, predicted', ms(net.predictedMs)],
          ['validation top-1', percent(net.validation)],
        ],
        press: () => selection.choose(net),
        focusable: false,
      }),
    );
  }
}

function drawAnswers({ plot, x, y }, marks, split, selection) {
  for (const answer of marks.predicted) {
    const accuracy = accuracyOf(answer, split);
    const from = [x(answer.predictedMs), y(answer.predictedAccuracy)];
    if (accuracy !== null) {
      plot.append(
        s('line', {
          class: 'moved',
          x1: from[0],
          y1: from[1],
          x2: x(answer.measuredMs),
          y2: y(accuracy),
        }),
      );
    }
    plot.append(
      interactive(
        s('path', {
          class: 'predicted',
          d: shape('diamond', 110),
          transform: `translate(${from})`,
        }),
        {
          label: `target ${targetNames(answer)}, predicted: ${ms(answer.predictedMs)}, top-1 ${percent(answer.predictedAccuracy)}`,
          lines: [
            [`target ${targetNames(answer)}: predicted`],
            ['latency, predicted', ms(answer.predictedMs)],
            ['top-1, predicted', percent(answer.predictedAccuracy)],
          ],
          press: () => selection.choose(answer.net, answer),
          focusable: false,
        },
      ),
    );
  }
  for (const answer of marks.measured)
    plot.append(measuredMark({ x, y }, answer, split, selection));
}

function measuredMark({ x, y }, answer, split, selection) {
  const { low, high, p90 } = spread(answer);
  const at = [x(answer.measuredMs), y(accuracyOf(answer, split))];
  const group = s('g', { class: 'answer', 'data-target': answer.ms });
  if (p90 !== null) {
    group.append(s('path', { class: 'whisker', d: `M${x(low)},${at[1]}H${x(p90)}m0,-5v10` }));
  }
  if (high > low) {
    group.append(s('path', { class: 'sessions', d: `M${x(low)},${at[1]}H${x(high)}` }));
  }
  group.append(
    s('path', { class: 'ring', d: shape('circle', 340), transform: `translate(${at})` }),
    s('path', { class: 'measured', d: shape('circle', 110), transform: `translate(${at})` }),
  );
  const range = spreadText(answer);
  return interactive(group, {
    label:
      `target ${targetNames(answer)}: measured ${ms(answer.measuredMs)}, ${splitName(split)} ` +
      `${percent(accuracyOf(answer, split))}; show the net`,
    lines: [
      [`target ${targetNames(answer)}: measured`],
      ['latency, median', ms(answer.measuredMs)],
      ...(range ? [['medians of sessions', `${range} ms`]] : []),
      ...(p90 !== null ? [['90th percentile', ms(p90)]] : []),
      [splitName(split), percent(accuracyOf(answer, split))],
    ],
    press: () => selection.choose(answer.net, answer),
  });
}

function errorSentence(run, error, marks) {
  if (error <= 0) return null;
  const values = marks.evaluated.map((n) => n.validation);
  const span = values.length > 1 ? Math.max(...values) - Math.min(...values) : null;
  const points = `±${plain(100 * error, 2)} points`;
  return h(
    'p',
    { class: 'note' },
    `One standard error of a validation accuracy (${whole(run.validationImages)} images) is ${points}.`,
    span !== null && span < 2 * error
      ? ` All nets evaluated here lie within ${plain(100 * span, 2)} points: their order is hardly more than chance.`
      : ' Smaller differences between nets say little.',
  );
}

export function tradeoff(run, selection) {
  let split = 'validation';
  const marksNow = () => marksOf(run, split);
  if (marksNow().evaluated.length + marksNow().measured.length === 0) return null;
  const { error } = domains(run, marksNow(), split);
  const drawn = h('div', {});
  const redraw = () => {
    const marks = marksNow();
    const { x, y } = domains(run, marks, split);
    replace(
      drawn,
      chart(
        {
          title: `accuracy against latency of ${run.name}`,
          height: HEIGHT,
          margin: { top: 46 },
          x: { label: 'latency (ms)', domain: x },
          y: { label: `top-1 accuracy (%)`, domain: y.map((v) => 100 * v) },
        },
        (frame) => {
          const scaled = { ...frame, y: (v) => frame.y(100 * v) };
          drawTargets(frame, run.targets);
          drawError(frame, error);
          if (marks.front.length > 1) {
            frame.plot.append(
              s('path', {
                class: 'front',
                d: line(
                  (n) => frame.x(n.predictedMs),
                  (n) => scaled.y(n.validation),
                ).curve(curveStepAfter)(marks.front),
              }),
            );
          }
          drawEvaluated(scaled, marks, run, selection);
          drawAnswers(scaled, marks, split, selection);
          highlight(drawn, selection);
        },
      ),
    );
  };
  selection.onChange(() => highlight(drawn, selection));
  redraw();
  return h(
    'div',
    { class: 'tradeoff' },
    run.answers.some((a) => a.test !== null)
      ? splitChoice((chosen) => {
          split = chosen;
          redraw();
        })
      : null,
    drawn,
    legend(entries(run, marksNow())),
    errorSentence(run, error, marksNow()),
    pointTable(run),
  );
}

function highlight(drawn, selection) {
  for (const mark of drawn.querySelectorAll('.answer')) {
    mark.classList.toggle(
      'chosen',
      selection.answer !== null && mark.dataset.target === String(selection.answer.ms),
    );
  }
  for (const mark of drawn.querySelectorAll('.evaluated')) {
    mark.classList.toggle(
      'chosen',
      selection.answer === null &&
        selection.net !== null &&
        mark.dataset.net === String(selection.net.index),
    );
  }
}

function splitChoice(choose) {
  const name = newId('split');
  const option = (value, label, checked) =>
    h(
      'label',
      {},
      h('input', { type: 'radio', name, value, checked, onchange: () => choose(value) }),
      h('span', {}, label),
    );
  return h(
    'fieldset',
    { class: 'choice' },
    h('legend', {}, 'Measured answers by their accuracy on'),
    option('validation', 'validation images', true),
    option('test', 'test images', false),
  );
}

function entries(run, marks) {
  const sessions = run.answers.some((a) => spreadText(a) !== null);
  return [
    marks.measured.length && {
      shape: 'circle',
      class: 'measured',
      text: `answer, measured; line: ${sessions ? 'its sessions’ medians, thin ' : 'median '}to the 90th percentile of runs`,
    },
    marks.predicted.length && {
      shape: 'diamond',
      class: 'predicted',
      text: 'answer, as predicted before',
    },
    marks.evaluated.length && {
      shape: 'diamond',
      area: 34,
      class: 'evaluated',
      text: 'evaluated net: latency predicted, validation accuracy measured',
    },
    marks.front.length > 1 && { line: true, class: 'front', text: 'front of the evaluated nets' },
    run.targets.length && { line: true, class: 'target', text: 'target' },
  ].filter(Boolean);
}

function pointTable(run) {
  const rows = [
    ...run.answers.map((a) => [
      `answer to ${targetNames(a)}`,
      msDigits(a.predictedMs),
      msDigits(a.measuredMs),
      percent(a.predictedAccuracy),
      percent(a.validation),
      percent(a.test),
    ]),
    ...run.nets
      .filter((n) => n.predictedMs !== null && n.validation !== null)
      .sort((a, b) => a.predictedMs - b.predictedMs)
      .map((n) => [
        n.front ? 'evaluated net, on the front' : 'evaluated net',
        msDigits(n.predictedMs),
        '–',
        percent(n.predictedAccuracy),
        percent(n.validation),
        '–',
      ]),
  ];
  return asTable(
    'All points as a table',
    ['net', 'predicted ms', 'measured ms', 'top-1, predicted', 'validation top-1', 'test top-1'],
    rows,
  );
}
