// How nets want images of another size, by `resize` in result.json and in their files.

// By how much each of `size` pixels at `from` goes into each of `count`: its share of the area that
// they cover where they are fewer, else by its distance from their centres.
export function* shares(from, size, count) {
  const scale = size / count;
  for (let to = 0; to < count; ++to) {
    if (scale >= 1) {
      const begin = to * scale;
      const end = begin + scale;
      for (let i = Math.floor(begin); i < Math.min(end, size); ++i) {
        yield [to, from + i, (Math.min(end, i + 1) - Math.max(begin, i)) / scale];
      }
    } else {
      const centre = Math.max(0, (to + 0.5) * scale - 0.5);
      const i = Math.floor(centre);
      yield [to, from + i, 1 - (centre - i)];
      yield [to, from + Math.min(i + 1, size - 1), centre - i];
    }
  }
}
