// What all charts share: a frame with axes that is drawn anew when its width changes, marks that
// can be pointed at, a tooltip and a legend.
import { extent } from 'd3-array';
import { axisBottom, axisLeft } from 'd3-axis';
import { scaleLinear } from 'd3-scale';
import { select } from 'd3-selection';
import { symbol, symbolCircle, symbolDiamond, symbolSquare, symbolTriangle } from 'd3-shape';
import { h, newId, s } from './dom.js';

const PRINT_WIDTH = 640;
const MARGIN = { top: 30, right: 14, bottom: 42, left: 58 };

export const shapes = {
  circle: symbolCircle,
  diamond: symbolDiamond,
  square: symbolSquare,
  triangle: symbolTriangle,
};
export const shape = (kind, area) => symbol(shapes[kind], area)();

/// The range of the values with a margin; at least `least` wide, and never of no width.
export function domain(values, { margin = 0.06, least = 0, from = null } = {}) {
  let [low, high] = extent(values.filter((v) => v !== null && Number.isFinite(v)));
  if (low === undefined) return [0, 1];
  const smallest = Math.max(least, Math.abs(high) * 1e-6, 1e-9);
  const pad = Math.max((high - low) * margin, (smallest - (high - low)) / 2);
  low -= pad;
  high += pad;
  return [from === null ? low : Math.min(from, low), high];
}

/// A figure whose picture is drawn by `draw(frame)` for the width that there is.
/// options: title, height, x and y ({label, domain | scale, format, ticks}), describe.
export function chart(options, draw) {
  const drawing = h('div', { class: 'drawing', style: `min-height:${options.height}px` });
  let drawn = 0;
  const render = (width) => {
    if (width < 40 || Math.abs(width - drawn) < 1) return;
    drawn = width;
    drawing.replaceChildren(picture(options, width, draw));
  };
  const observer = new ResizeObserver((entries) => render(entries[0].contentRect.width));
  observer.observe(drawing);
  let before = 0;
  window.addEventListener('beforeprint', () => {
    before = drawn;
    render(Math.min(PRINT_WIDTH, options.printWidth ?? PRINT_WIDTH));
  });
  window.addEventListener('afterprint', () => render(before));
  drawing.redraw = () => {
    const width = drawn;
    drawn = 0;
    render(width);
  };
  return drawing;
}

function picture(options, width, draw) {
  const { height } = options;
  const margin = { ...MARGIN, ...options.margin };
  const inner = {
    width: width - margin.left - margin.right,
    height: height - margin.top - margin.bottom,
  };
  const x = (options.x.scale?.() ?? scaleLinear().domain(options.x.domain)).range([0, inner.width]);
  const y = (options.y.scale?.() ?? scaleLinear().domain(options.y.domain)).range([
    inner.height,
    0,
  ]);
  const id = newId('chart');
  const svg = s(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, role: 'group', class: 'chart', 'aria-labelledby': id },
    s('title', { id }, options.title),
  );
  const plot = s('g', { transform: `translate(${margin.left},${margin.top})` });
  svg.append(plot);
  axes(plot, options, x, y, inner, margin);
  draw({ svg, plot, x, y, width: inner.width, height: inner.height });
  return svg;
}

function axes(plot, options, x, y, inner, margin) {
  const bottom = axisBottom(x)
    .ticks(Math.max(2, Math.round(inner.width / 90)))
    .tickSizeOuter(0)
    .tickPadding(8)
    .tickSizeInner(-inner.height);
  const left = axisLeft(y)
    .ticks(Math.max(2, Math.round(inner.height / 55)))
    .tickSizeOuter(0)
    .tickPadding(8)
    .tickSizeInner(-inner.width);
  for (const [axis, spec] of [
    [bottom, options.x],
    [left, options.y],
  ]) {
    if (spec.ticks) axis.tickValues(spec.ticks);
    if (spec.format) axis.tickFormat(spec.format);
  }
  select(plot)
    .append('g')
    .attr('class', 'axis')
    .attr('aria-hidden', true)
    .attr('transform', `translate(0,${inner.height})`)
    .call(bottom);
  select(plot).append('g').attr('class', 'axis').attr('aria-hidden', true).call(left);
  plot.append(
    s('line', { class: 'base', x1: 0, x2: inner.width, y1: inner.height, y2: inner.height }),
    s(
      'text',
      { class: 'axis-label', x: inner.width, y: inner.height + 36, 'text-anchor': 'end' },
      options.x.label,
    ),
    s(
      'text',
      { class: 'axis-label', x: 8 - margin.left, y: 14 - margin.top, 'text-anchor': 'start' },
      options.y.label,
    ),
  );
}

/// Makes `element` show `lines` when it is pointed at or has the focus; `press` when it is pressed.
export function interactive(element, { label, lines, press, focusable = true }) {
  element.setAttribute('aria-label', label);
  element.setAttribute('role', press ? 'button' : 'img');
  if (focusable) element.setAttribute('tabindex', '0');
  element.classList.add('point');
  const show = () => tooltip.show(element, lines);
  element.addEventListener('pointerenter', show);
  element.addEventListener('pointerleave', tooltip.hide);
  element.addEventListener('focus', show);
  element.addEventListener('blur', tooltip.hide);
  if (!press) return element;
  element.addEventListener('click', press);
  element.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    press();
  });
  return element;
}

const tooltip = (() => {
  let box = null;
  return {
    show(element, lines) {
      if (!box) document.body.append((box = h('div', { class: 'tooltip', role: 'tooltip' })));
      box.replaceChildren(
        ...lines.map(([name, value]) =>
          h('div', {}, h('span', {}, name), value === undefined ? null : h('b', {}, value)),
        ),
      );
      box.hidden = false;
      const at = element.getBoundingClientRect();
      const size = box.getBoundingClientRect();
      const left = Math.min(
        Math.max(8, at.left + at.width / 2 - size.width / 2),
        document.documentElement.clientWidth - size.width - 8,
      );
      const above = at.top - size.height - 10;
      box.style.left = `${left}px`;
      box.style.top = `${above > 4 ? above : at.bottom + 10}px`;
    },
    hide() {
      if (box) box.hidden = true;
    },
  };
})();

/// entries: [{shape | line, class, text}].
export function legend(entries) {
  return h(
    'ul',
    { class: 'legend' },
    entries.map((entry) =>
      h(
        'li',
        {},
        s(
          'svg',
          { width: 26, height: 14, viewBox: '0 0 26 14', 'aria-hidden': true },
          entry.line
            ? s('line', { x1: 1, x2: 25, y1: 7, y2: 7, class: entry.class })
            : s('path', {
                d: shape(entry.shape, entry.area ?? 60),
                transform: 'translate(13,7)',
                class: entry.class,
              }),
        ),
        entry.text,
      ),
    ),
  );
}

/// The figures of a chart for those who can't use it: closed until it is asked for.
export function asTable(summary, head, rows) {
  if (rows.length === 0) return null;
  return h(
    'details',
    { class: 'as-table' },
    h('summary', {}, summary),
    h(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': summary },
      h(
        'table',
        {},
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            head.map((name) => h('th', { scope: 'col' }, name)),
          ),
        ),
        h(
          'tbody',
          {},
          rows.map((row) =>
            h(
              'tr',
              {},
              row.map((cell) => h('td', {}, cell)),
            ),
          ),
        ),
      ),
    ),
  );
}
