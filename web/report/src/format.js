// Numbers with their units, as people read them.

/// The number, or null for anything that is none or is too large to be drawn.
export const num = (value) =>
  typeof value === 'number' && Number.isFinite(value) && Math.abs(value) < 1e15 ? value : null;

export const text = (value) => (typeof value === 'string' ? value : null);
export const list = (value) => (Array.isArray(value) ? value : []);
export const object = (value) =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? value : {};

const NONE = '–';
const of = (value, format) => (num(value) === null ? NONE : format(value));
const grouped = (value, decimals) =>
  value.toLocaleString('en-US', {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });

/// Four significant digits, or three decimals for what lies between 0.1 and 10.
export function msDigits(value) {
  return of(value, (v) => {
    const size = Math.abs(v);
    if (size !== 0 && (size < 0.001 || size >= 1e7)) return v.toExponential(2);
    return grouped(v, size < 0.1 ? 4 : size < 10 ? 3 : size < 100 ? 2 : size < 1000 ? 1 : 0);
  });
}
export const ms = (value) => of(value, (v) => `${msDigits(v)} ms`);
/// A fraction as per cent.
export const percent = (value, decimals = 2) => of(value, (v) => `${grouped(100 * v, decimals)}%`);
/// A difference of two fractions in points, with its sign.
export const points = (value, decimals = 2) =>
  of(value, (v) => `${v < 0 ? '−' : '+'}${grouped(Math.abs(100 * v), decimals)}`);
export const signedPercent = (value, decimals = 1) =>
  of(value, (v) => `${v < 0 ? '−' : '+'}${grouped(Math.abs(100 * v), decimals)}%`);
export const whole = (value) => of(value, (v) => grouped(v, 0));
export const plain = (value, decimals) => of(value, (v) => grouped(v, decimals));

/// 5,476,192 as `5.48 M`.
export function count(value) {
  return of(value, (v) => {
    const size = Math.abs(v);
    if (size >= 1e9) return `${(v / 1e9).toPrecision(3)} G`;
    if (size >= 1e6) return `${(v / 1e6).toPrecision(3)} M`;
    return size >= 1e4 ? `${(v / 1e3).toPrecision(3)} k` : grouped(v, 0);
  });
}

export function bytes(value) {
  return of(value, (v) =>
    v >= 1e6 ? `${(v / 1e6).toPrecision(3)} MB` : v >= 1e3 ? `${Math.round(v / 1e3)} kB` : `${v} B`,
  );
}

export function duration(value) {
  return of(value, (v) => {
    if (v < 120) return `${v < 10 ? v.toPrecision(2) : Math.round(v)} s`;
    if (v < 7200) return `${plain(v / 60, v % 60 < 0.5 ? 0 : 1)} min`;
    return `${plain(v / 3600, 1)} h`;
  });
}

/// `1 net`, `3 nets`.
export const several = (n, noun) => `${whole(n)} ${noun}${n === 1 ? '' : 's'}`;

/// `a, b and c`.
export const joined = (words) =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
