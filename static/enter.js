// An Enter that went down on the page before, or is held, sends nothing. Not deferred with the others: by then
// a field may have the focus, and what is left of that Enter would send its form.
(() => {
  'use strict';
  let down = false;
  document.addEventListener('keydown', (e) => {
    if (e.key !== 'Enter') return;
    if (e.repeat && !e.target.matches?.('textarea')) e.preventDefault();
    down ||= !e.repeat;
  }, true);
  document.addEventListener('keypress', (e) => { if (e.key === 'Enter' && !down) e.preventDefault(); }, true);
})();
