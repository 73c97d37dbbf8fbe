// "/" goes to the search field, "?" lists the keys. <html data-shortcuts="off"> turns both off: WCAG 2.1.4.
(() => {
  'use strict';
  if (location.hash === '#search') document.querySelector('input[type=search]')?.focus();
  document.addEventListener('keydown', (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing || document.documentElement.dataset.shortcuts === 'off') return;
    if (e.target.closest?.('input, textarea, select, [contenteditable]') || document.querySelector('dialog[open]')) return;
    const search = e.key === '/' && (document.querySelector('input[type=search]') ?? document.querySelector('.topbar [aria-label="Search keys"]'));
    const list = e.key === '?' && document.getElementById('shortcuts');
    if (search || list) e.preventDefault();
    if (search) search.href ? location.assign(`${search.href}#search`) : search.focus(); // a page without one leads to one that has it
    if (list) list.togglePopover?.(true);
  });
})();
