// One net: what is known of it and what it looks like.
import { cells } from './cells.js';
import { h, replace, s } from './dom.js';
import { bytes, count, list, ms, num, object, percent, text } from './format.js';
import { targetNames } from './tradeoff.js';

const HEIGHT = 118;
const LARGE = 26;
const GAP = 3;
const STAGE_GAP = 11;
const LEFT = 52;

const POOLS_AND_SUMS = new Set(['global_pool', 'max_pool', 'avg_pool', 'shortcut_sum']);

function readBlock(raw) {
  const value = object(raw);
  const shape = (v) => list(v).map(num);
  return {
    op: text(value.op) ?? 'block',
    name: text(value.name) ?? '',
    input: shape(value.in),
    output: shape(value.out),
    kernel: num(value.kernel) ?? 1,
    stride: num(value.stride) ?? 1,
    mid: num(value.mid),
    se: value.se === true,
    act: text(value.act),
  };
}

/// Blocks in a row that have the same kind and output are a stage.
function stages(blocks) {
  const found = [];
  for (const block of blocks) {
    const last = found.at(-1)?.[0];
    if (last && last.op === block.op && String(last.output) === String(block.output))
      found.at(-1).push(block);
    else found.push([block]);
  }
  return found;
}

const channels = (block) => block.output[0] ?? 0;

function kernelClass(block) {
  if (block.op === 'classifier') return 'k-linear';
  return block.kernel >= 7 ? 'k7' : block.kernel >= 5 ? 'k5' : block.kernel >= 3 ? 'k3' : 'k1';
}

function bar(block, at, width, most) {
  const high = (n) => Math.max(2, HEIGHT * Math.sqrt(n / most));
  const inner = block.mid ?? channels(block);
  const label =
    `${block.op}, kernel ${block.kernel}, stride ${block.stride}, ` +
    `${block.input[0]} to ${channels(block)} channels` +
    (block.mid ? `, ${block.mid} inside` : '') +
    (block.se ? ', squeeze-and-excite' : '');
  const g = s(
    'g',
    { transform: `translate(${at},${HEIGHT + 12})` },
    s('title', {}, label),
    s('rect', {
      class: `inner ${kernelClass(block)}`,
      x: 0,
      width,
      y: -high(inner),
      height: high(inner),
      rx: 1.5,
    }),
  );
  if (block.mid) {
    const narrow = Math.max(2, width * 0.5);
    g.append(
      s('rect', {
        class: `out ${kernelClass(block)}`,
        x: (width - narrow) / 2,
        width: narrow,
        y: -high(channels(block)),
        height: high(channels(block)),
        rx: 1,
      }),
    );
  }
  if (block.se)
    g.append(
      s('circle', {
        class: 'se',
        cx: width / 2,
        cy: -high(inner) - 6,
        r: Math.min(2.6, width / 4),
      }),
    );
  if (width >= 7 && block.op !== 'classifier') {
    g.append(s('text', { x: width / 2, y: 14, 'text-anchor': 'middle' }, block.kernel));
  }
  return g;
}

/// Stages as groups of bars: a bar a block, its height the channels inside (light) and of its
/// output (dark), below it its kernel.
function stageBars(blocks) {
  const drawn = stages(blocks.filter((b) => !POOLS_AND_SUMS.has(b.op)));
  const most = Math.max(...blocks.map((b) => Math.max(b.mid ?? 0, channels(b))), 1);
  const bars = drawn.reduce((n, stage) => n + stage.length, 0);
  const width = 460;
  const room = width - LEFT - (drawn.length - 1) * STAGE_GAP - (bars - drawn.length) * GAP;
  const barWidth = Math.max(3, Math.min(LARGE, room / Math.max(1, bars)));
  const svg = s('svg', { class: 'stages', role: 'img', 'aria-label': stageText(drawn) });
  let at = LEFT;
  for (const stage of drawn) {
    const begin = at;
    for (const block of stage) {
      svg.append(bar(block, at, barWidth, most));
      at += barWidth + GAP;
    }
    const end = at - GAP;
    const [out, , side] = stage[0].output;
    svg.append(
      s('line', { class: 'brace', x1: begin, x2: end, y1: HEIGHT + 33, y2: HEIGHT + 33 }),
      s(
        'text',
        { class: 'strong', x: (begin + end) / 2, y: HEIGHT + 46, 'text-anchor': 'middle' },
        out,
      ),
      s('text', { x: (begin + end) / 2, y: HEIGHT + 60, 'text-anchor': 'middle' }, `${side}²`),
    );
    at = end + STAGE_GAP;
  }
  for (const [name, y] of [
    ['kernel', 26],
    ['channels', 46],
    ['map', 60],
  ]) {
    svg.append(s('text', { class: 'row-name', x: 0, y: HEIGHT + y }, name));
  }
  svg.setAttribute('viewBox', `0 -8 ${Math.max(at - STAGE_GAP + 4, LEFT + 60)} ${HEIGHT + 76}`);
  svg.style.maxWidth = `${Math.max(at, 320) * 1.15}px`;
  return svg;
}

const stageText = (drawn) =>
  `Stages: ${drawn
    .map((stage) => `${stage.length} ${stage[0].op} of ${channels(stage[0])} channels`)
    .join(', ')}`;

/// The width of each layer beside the uniform net's of the same cost.
function widthBars(widths) {
  const rows = list(widths)
    .map(object)
    .map((w) => ({ most: num(w.most), width: num(w.width), uniform: num(w.uniform) }))
    .filter((w) => w.most && w.width);
  if (rows.length === 0) return null;
  const most = Math.max(...rows.map((r) => r.most));
  const row = 15;
  const x = (v) => 30 + (360 * v) / most;
  const svg = s('svg', {
    class: 'widths',
    viewBox: `0 0 430 ${rows.length * row + 4}`,
    role: 'img',
    'aria-label': `Widths of ${rows.length} layers: ${rows.map((r) => r.width).join(', ')}`,
  });
  rows.forEach((r, i) => {
    const y = i * row + 2;
    svg.append(
      s(
        'g',
        {},
        s(
          'title',
          {},
          `layer ${i + 1}: ${r.width} of ${r.most} channels` +
            (r.uniform ? `; uniform net ${r.uniform}` : ''),
        ),
        s('text', { x: 22, y: y + 10, 'text-anchor': 'end' }, i + 1),
        s('rect', { class: 'most', x: 30, y, width: x(r.most) - 30, height: row - 4, rx: 1.5 }),
        s('rect', { class: 'width', x: 30, y, width: x(r.width) - 30, height: row - 4, rx: 1.5 }),
        r.uniform
          ? s('path', { class: 'uniform', d: `M${x(r.uniform)},${y - 1}v${row - 2}` })
          : null,
        s('text', { x: x(r.most) + 5, y: y + 10 }, r.width),
      ),
    );
  });
  return h(
    'figure',
    {},
    svg,
    h(
      'figcaption',
      {},
      'Channels of each layer (solid) of the most that it can ' + 'have (outline)',
      rows.some((r) => r.uniform)
        ? '; mark: the widest net of one multiplier for all layers ' + 'that costs no more'
        : '',
      '.',
    ),
  );
}

function layerTable(blocks) {
  const size = (shape) => `${shape[1]}×${shape[2]}×${shape[0]}`;
  return h(
    'details',
    { class: 'as-table' },
    h('summary', {}, 'Layers as a table'),
    h(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Layers' },
      h(
        'table',
        {},
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            ['block', 'in', 'out', 'kernel', 'stride', 'inside', ''].map((n) =>
              h('th', { scope: 'col' }, n),
            ),
          ),
        ),
        h(
          'tbody',
          {},
          blocks.map((b) =>
            h(
              'tr',
              {},
              h('td', {}, b.op),
              h('td', {}, size(b.input)),
              h('td', {}, size(b.output)),
              h('td', {}, b.kernel),
              h('td', {}, b.stride),
              h('td', {}, b.mid ?? ''),
              h('td', {}, [b.se && 'SE', b.act].filter(Boolean).join(', ')),
            ),
          ),
        ),
      ),
    ),
  );
}

function pictureOf(net) {
  const kind = text(net.picture.kind);
  if (kind === 'cells' || (kind === null && Array.isArray(net.arch.normal))) return cells(net.arch);
  if (kind !== 'blocks')
    return h(
      'p',
      { class: 'note' },
      'No picture: the search space could not be opened, ' +
        'or there are too many nets on this page.',
    );
  const blocks = list(net.picture.blocks).map(readBlock);
  if (blocks.length === 0) return null;
  const widths = widthBars(net.picture.widths);
  return [
    widths ??
      h(
        'figure',
        {},
        stageBars(blocks),
        h(
          'figcaption',
          {},
          'A bar is a block: dark its output’s channels, light the channels inside, on a root scale',
          blocks.some((b) => b.se) ? '; dot: squeeze-and-excite' : '',
          '.',
        ),
      ),
    layerTable(blocks),
  ];
}

function figures(net, answer) {
  const rows = [
    answer && ['Latency, measured', ms(answer.measuredMs), 'is-measured'],
    answer && ['90th percentile', ms(answer.p90Ms), 'is-measured'],
    ['Latency, predicted', ms(answer?.predictedMs ?? net?.predictedMs), 'is-predicted'],
    answer && ['Test top-1', percent(answer.test), 'is-measured'],
    answer &&
      answer.float32Test !== null && ['in float32', percent(answer.float32Test), 'is-measured'],
    ['Validation top-1', percent(answer?.validation ?? net?.validation), 'is-measured'],
    [
      'Top-1, predicted',
      percent(answer?.predictedAccuracy ?? net?.predictedAccuracy),
      'is-predicted',
    ],
    ['MACs', count(answer?.macs ?? net?.macs)],
    ['Parameters', count(answer?.params ?? net?.params)],
  ]
    .filter(Boolean)
    .filter(([, value]) => value !== '–');
  return h(
    'dl',
    { class: 'figures' },
    rows.map(([name, value, kind]) =>
      h('div', { class: kind }, h('dt', {}, name), h('dd', {}, value)),
    ),
  );
}

function copyButton(value) {
  const button = h(
    'button',
    {
      type: 'button',
      class: 'copy',
      onclick: async () => {
        try {
          await navigator.clipboard.writeText(value);
          button.textContent = 'Copied';
        } catch {
          button.textContent = 'Select and copy';
        }
        setTimeout(() => {
          button.textContent = 'Copy';
        }, 2000);
      },
    },
    'Copy',
  );
  return button;
}

export const code = (value) =>
  h('div', { class: 'code' }, copyButton(value), h('pre', { tabindex: 0 }, h('code', {}, value)));

export function netPanel(selection, fallbackTitle) {
  const panel = h('section', {
    class: 'net',
    'aria-live': 'polite',
    'aria-label': 'The chosen net',
  });
  const render = () => {
    const { net, answer } = selection;
    if (!net && !answer)
      return replace(panel, h('p', { class: 'note' }, 'Choose a point to see its net.'));
    const title = answer?.targets
      ? `Net for ${targetNames(answer)}`
      : (answer?.name ?? fallbackTitle);
    return replace(
      panel,
      h('h3', {}, title),
      figures(net, answer),
      net ? pictureOf(net) : null,
      answer?.files?.length
        ? h(
            'p',
            { class: 'note' },
            answer.dir ? `${answer.dir}/: ` : 'Files: ',
            answer.files.map((f) => `${f.name} (${bytes(f.bytes)})`).join(', '),
          )
        : null,
      net
        ? h(
            'details',
            { class: 'as-table' },
            h('summary', {}, 'The arch as JSON'),
            code(JSON.stringify(net.arch)),
          )
        : null,
    );
  };
  selection.onChange(render);
  render();
  return panel;
}
