// Who opens a dialog comes back to what opened it, also with the keyboard: a link, or the menu of a row.
(() => {
  'use strict';
  const OPENER = 'opener';
  document.addEventListener('click', (e) => {
    const link = e.target.closest?.('a[href]');
    if (link?.closest('dialog')) return; // the way back
    const menu = link?.closest('[popover]');
    const button = menu && document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"]`);
    const column = link?.closest('th')?.cellIndex;
    const how = column >= 0 && link.closest('thead') ? `thead th:nth-child(${column + 1}) a` : button ? `[popovertarget][aria-label="${CSS.escape(button.ariaLabel)}"]` : link && `main a[href="${CSS.escape(link.getAttribute('href'))}"]`;
    if (how) sessionStorage.setItem(OPENER, JSON.stringify([location.pathname, how]));
  });
  if (document.querySelector('dialog[open]')) return;
  const [path, how] = JSON.parse(sessionStorage.getItem(OPENER) ?? '[]');
  sessionStorage.removeItem(OPENER);
  if (path === location.pathname && how) document.querySelector(how)?.focus();
})();
