// The page: one run, or several compared and then one by one.
import { accuracyAgreement, latencyAgreement } from './agreement.js';
import { comparison } from './compare.js';
import { device, deviceText } from './device.js';
import { h } from './dom.js';
import { duration, joined, list, ms, object, percent, several } from './format.js';
import { netPanel } from './net.js';
import { readRun, Selection } from './run.js';
import { targetTable, trainedTable } from './targets.js';
import { themeSwitch } from './theme.js';
import { tradeoff } from './tradeoff.js';
import { training } from './training.js';
import { use } from './use.js';

function asked(run) {
  const what = run.space ? `nets of ${run.space}` : 'nets';
  const on = run.dataset ? ` on ${run.dataset}` : '';
  if (run.kind === 'train') {
    const nets = run.trained.length === 1 ? 'one net' : 'the nets';
    const method = run.method ? `, method ${run.method}` : '';
    return `Trained ${nets}${run.space ? ` of ${run.space}` : ''}${on}${method}`;
  }
  const n = run.targets.length;
  const range =
    n > 1
      ? ` from ${ms(run.targets[0].ms)} to ${ms(run.targets.at(-1).ms)}`
      : n === 1
        ? ` of ${ms(run.targets[0].ms)}`
        : '';
  const how = run.from
    ? `, of what ${run.from} has trained`
    : run.budgetS
      ? ` in ${duration(run.budgetS)}`
      : '';
  const targets = n > 0 ? ` for ${several(n, 'latency target')}${range}` : '';
  return `Asked for the best ${what}${on}${targets}${how}`;
}

const rangeText = (sorted) =>
  sorted[0] === sorted.at(-1) ? sorted[0] : `${sorted[0]} to ${sorted.at(-1)}`;

function answered(run) {
  if (!run.finished) return 'It has not ended.';
  if (run.kind === 'train') {
    const best = run.trained.find((t) => t.test !== null) ?? run.trained[0];
    if (!best) return '';
    return best.test !== null
      ? `Test top-1 ${percent(best.test)}.`
      : `Validation top-1: ${joined(run.trained.map((t) => `${percent(t.validation)} (${t.name})`))}.`;
  }
  const feasible = run.targets.filter((t) => t.feasible);
  const held = feasible.filter((t) => t.within).length;
  const missed = feasible.length - held;
  const tests = run.answers.map((a) => a.test).filter((v) => v !== null);
  const nets = new Set(run.answers.map((a) => a.net?.index ?? a.ms)).size;
  return [
    held === run.targets.length
      ? `${held === 1 ? 'It is' : `All ${held} are`} met, by ${several(nets, 'net')}`
      : `${held} of ${run.targets.length} are met, by ${several(nets, 'net')}`,
    missed ? `, ${missed} measured above ${missed === 1 ? 'its' : 'their'} target` : '',
    run.targets.length > feasible.length
      ? `, ${run.targets.length - feasible.length} beyond reach`
      : '',
    tests.length
      ? `: test top-1 ${rangeText(tests.sort((a, b) => a - b).map((v) => percent(v)))}.`
      : '.',
  ].join('');
}

function lead(run) {
  const on = deviceText(run.device);
  return h(
    'div',
    { class: 'lead' },
    h('p', {}, `${asked(run)}. `, h('b', {}, answered(run))),
    on
      ? h(
          'p',
          { class: 'note' },
          `Measured on ${on}.`,
          run.seconds !== null ? ` The run took ${duration(run.seconds)}.` : '',
        )
      : null,
  );
}

function section(title, ...content) {
  const there = content.flat().filter(Boolean);
  return there.length ? h('section', {}, h('h2', {}, title), there) : null;
}

function runContent(run) {
  const selection = new Selection();
  const answerOf = (t) => run.answers.find((a) => a.targets.includes(t)) ?? t;
  const panel = netPanel(selection, 'Evaluated net');
  const choose = (t) => {
    const answer = t.targets || run.kind === 'train' ? t : answerOf(t);
    selection.choose(answer.net, answer);
    panel.scrollIntoView({ block: 'nearest', behavior: 'smooth' });
  };
  const chart = tradeoff(run, selection);
  const first = run.answers[0] ?? run.trained.find((t) => t.net);
  const agreements = [latencyAgreement(run), accuracyAgreement(run)].filter(Boolean);
  const content = [
    section('Targets', targetTable(run, choose)),
    section('Nets', trainedTable(run, choose)),
    chart
      ? section('Accuracy against latency', h('div', { class: 'split' }, chart, panel))
      : first
        ? section('The net', panel)
        : null,
    section('Using a net', use(run, selection)),
    section(
      'Predicted against measured',
      agreements.length ? h('div', { class: 'two' }, agreements) : null,
    ),
    section('Training', training(run)),
    section('Device', device(run)),
    section(
      'What is missing',
      run.notes.length
        ? h(
            'ul',
            { class: 'missing' },
            run.notes.map((n) => h('li', {}, n)),
          )
        : null,
    ),
  ];
  if (first) selection.choose(first.net, first);
  return content;
}

function header(title) {
  return h(
    'header',
    {},
    h('div', {}, h('p', { class: 'brand' }, 'Lathe report'), h('h1', {}, title)),
    themeSwitch(),
  );
}

function page(runs) {
  const title = runs.map((r) => r.name).join(' · ');
  document.title = `${title} · Lathe report`;
  if (runs.length === 1) return [header(title), h('main', {}, lead(runs[0]), runContent(runs[0]))];
  return [
    header(title),
    h(
      'main',
      {},
      h(
        'ul',
        { class: 'leads' },
        runs.map((r) => h('li', {}, h('h2', {}, r.name), lead(r))),
      ),
      comparison(runs),
      runs.map((r) =>
        h('details', { class: 'run' }, h('summary', {}, `All of ${r.name}`), runContent(r)),
      ),
    ),
  ];
}

const data = object(JSON.parse(document.getElementById('report-data').textContent));
const runs = list(data.runs).map(readRun);
document.getElementById('noscript')?.remove();
document.body.append(
  ...page(runs),
  h(
    'footer',
    {},
    'Made by lathe report. Measured figures are solid and blue, predicted ones hollow and orange.',
  ),
);
