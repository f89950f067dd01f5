// Light or dark: as the system has it, until it is chosen.
import { h } from './dom.js';

const KEY = 'lathe-report-theme';
const NAMES = { auto: 'As the system', light: 'Light', dark: 'Dark' };

// A page that is opened from a file may have no storage.
const stored = (value) => {
  try {
    if (value !== undefined) localStorage.setItem(KEY, value);
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
};

function apply(theme) {
  if (theme === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

export function themeSwitch() {
  const now = Object.hasOwn(NAMES, stored() ?? '') ? stored() : 'auto';
  apply(now);
  const choice = h(
    'select',
    {
      'aria-label': 'Colours',
      onchange: () => {
        apply(choice.value);
        stored(choice.value);
      },
    },
    Object.entries(NAMES).map(([value, name]) =>
      h('option', { value, selected: value === now }, name),
    ),
  );
  return h('label', { class: 'theme' }, h('span', {}, 'Colours'), choice);
}
