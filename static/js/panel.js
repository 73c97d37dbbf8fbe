// details.panel closes like a menu: Esc or a click elsewhere.
(() => {
  'use strict';
  document.addEventListener('click', (e) => {
    for (const panel of document.querySelectorAll('details.panel[open]')) if (!panel.contains(e.target)) panel.open = false;
  });
  document.addEventListener('keydown', (e) => {
    const panel = e.key === 'Escape' && e.target.closest?.('details.panel[open]');
    if (!panel) return;
    panel.open = false;
    panel.querySelector('summary').focus();
  });
})();
