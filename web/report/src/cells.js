// Cells as graphs: two inputs, four nodes that each add up two operations, one output.
import { h, s } from './dom.js';
import { list, num, text } from './format.js';

const WIDTH = 560;
const HEIGHT = 250; // from 20 units down
const BOX = { width: 74, height: 26 };
const NAMES = {
  sep_conv_3x3: 'sep 3×3',
  sep_conv_5x5: 'sep 5×5',
  dil_conv_3x3: 'dil 3×3',
  dil_conv_5x5: 'dil 5×5',
  max_pool_3x3: 'max 3×3',
  avg_pool_3x3: 'avg 3×3',
  skip_connect: 'skip',
};
const KINDS = { sep: 'k-sep', dil: 'k-dil', max: 'k-pool', avg: 'k-pool', skip: 'k-skip' };

// Where the states stand: both inputs at the left, the nodes in a staircase, the output at the right.
const STATES = [
  [40, 80],
  [40, 210],
  [176, 44],
  [268, 134],
  [352, 236],
  [432, 96],
];
const OUTPUT = [520, 150];

function readCell(raw) {
  return list(raw)
    .map((edge) => ({ op: text(list(edge)[0]), source: num(list(edge)[1]) }))
    .filter((e) => e.op !== null && e.source !== null && STATES[e.source] !== undefined);
}

const curve = ([x1, y1], [x2, y2]) => {
  const bend = Math.max(30, (x2 - x1) * 0.45);
  return {
    d: `M${x1},${y1}C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}`,
    at: (t) => {
      const u = 1 - t;
      const b = [u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t];
      return [
        b[0] * x1 + b[1] * (x1 + bend) + b[2] * (x2 - bend) + b[3] * x2,
        b[0] * y1 + b[1] * y1 + b[2] * y2 + b[3] * y2,
      ];
    },
  };
};

/// The first place along the edge where its label touches none of those that are there.
function free(path, taken) {
  const clear = ([x, y]) => taken.every(([u, v]) => Math.abs(x - u) > 52 || Math.abs(y - v) > 17);
  for (const t of [0.5, 0.42, 0.58, 0.34, 0.66, 0.27, 0.73, 0.2, 0.8]) {
    if (clear(path.at(t))) return path.at(t);
  }
  return path.at(0.5);
}

function state(name, [x, y], kind) {
  const width = kind === 'node' ? 30 : BOX.width;
  return s(
    'g',
    { class: `state ${kind}` },
    s('rect', {
      x: x - width / 2,
      y: y - BOX.height / 2,
      width,
      height: BOX.height,
      rx: kind === 'node' ? 13 : 4,
    }),
    s('text', { x, y: y + 4, 'text-anchor': 'middle' }, name),
  );
}

function graph(cell, name) {
  const edges = readCell(cell);
  const svg = s('svg', {
    class: 'cell',
    viewBox: `0 20 ${WIDTH} ${HEIGHT}`,
    role: 'img',
    'aria-label': `${name} cell: ${edges
      .map((e, i) => `node ${Math.floor(i / 2)} ${e.op} of state ${e.source}`)
      .join(', ')}`,
  });
  const taken = [...STATES, OUTPUT].map(([x, y]) => [x, y]);
  const labels = s('g', {});
  edges.forEach((edge, i) => {
    const to = STATES[2 + Math.floor(i / 2)];
    const from = STATES[edge.source];
    if (!to) return;
    const path = curve(
      [from[0] + (edge.source < 2 ? BOX.width / 2 : 15), from[1]],
      [to[0] - 15, to[1] + (i % 2 ? 5 : -5)],
    );
    const kind = KINDS[edge.op.split('_')[0]] ?? 'k-skip';
    const label = NAMES[edge.op] ?? edge.op.slice(0, 12);
    const at = free(path, taken);
    taken.push(at);
    svg.append(s('path', { class: `edge ${kind}`, d: path.d }));
    labels.append(
      s(
        'g',
        { class: `op ${kind}`, transform: `translate(${at})` },
        s('rect', { x: -26, y: -8, width: 52, height: 16, rx: 8 }),
        s('text', { y: 3.5, 'text-anchor': 'middle' }, label),
      ),
    );
  });
  for (const [x, y] of STATES.slice(2)) {
    svg.append(
      s('path', { class: 'edge plain', d: curve([x + 15, y], [OUTPUT[0] - 33, OUTPUT[1]]).d }),
    );
  }
  svg.append(
    labels,
    state('cell k−2', STATES[0], 'input'),
    state('cell k−1', STATES[1], 'input'),
    ...STATES.slice(2).map((at, i) => state(i, at, 'node')),
    state('concat', OUTPUT, 'input'),
  );
  return svg;
}

export function cells(arch) {
  return [
    ['normal', 'Normal cell'],
    ['reduce', 'Reduction cell'],
  ]
    .filter(([key]) => Array.isArray(arch[key]) && arch[key].length > 0)
    .map(([key, name]) =>
      h(
        'figure',
        {},
        graph(arch[key], name),
        h('figcaption', {}, `${name}: a node adds up its two inputs.`),
      ),
    );
}
