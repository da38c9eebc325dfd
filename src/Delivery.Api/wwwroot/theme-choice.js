import { remember } from './settings.js';

/** The radio buttons that choose between the system's scheme, light and dark. */
export function offerThemes(form) {
  const root = document.documentElement;
  form.elements.theme.value = root.dataset.theme;
  form.addEventListener('change', () => {
    root.dataset.theme = form.elements.theme.value;
    remember('theme', root.dataset.theme);
  });
  window.addEventListener('storage', ({ key, newValue }) => {
    if (key === 'theme') {
      root.dataset.theme = form.elements.theme.value = newValue ?? 'auto';
    }
  });
}
