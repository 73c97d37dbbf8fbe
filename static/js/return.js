// Who opens a dialog from the menu of a row comes back to that row, also with the keyboard.
(() => {
  'use strict';
  const OPENER = 'opener';
  document.addEventListener('click', (e) => {
    const menu = e.target.closest?.('.menu a')?.closest('[popover]');
    const button = menu && document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"]`);
    if (button) sessionStorage.setItem(OPENER, JSON.stringify([location.pathname, button.ariaLabel]));
  });
  if (document.querySelector('dialog[open]')) return;
  const [path, label] = JSON.parse(sessionStorage.getItem(OPENER) ?? '[]');
  sessionStorage.removeItem(OPENER);
  if (path !== location.pathname || !label) return;
  document.querySelector(`[popovertarget][aria-label="${CSS.escape(label)}"]`)?.focus();
})();
