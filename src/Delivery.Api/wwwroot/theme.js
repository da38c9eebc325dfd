// No module: runs before the first paint, so that the page never appears in the other scheme.
try {
  document.documentElement.dataset.theme = localStorage.getItem('theme') ?? 'auto';
} catch {
  document.documentElement.dataset.theme = 'auto';
}
