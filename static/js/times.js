// The server prints the profile's zone; the browser adds its own local time to the exact text.
(() => {
  'use strict';
  const format = new Intl.DateTimeFormat(document.documentElement.lang || [], { dateStyle: 'full', timeStyle: 'long' });
  for (const time of document.querySelectorAll('time[datetime]')) {
    const at = new Date(time.dateTime);
    if (isNaN(at)) continue;
    const text = `${time.dataset.exact || time.title || at.toISOString()}\n${format.format(at)}`;
    time.title = text;
    if (!time.matches('.tip[data-exact]')) continue;
    time.dataset.exact = text;
    // The bubble shows the same text: one of the two is enough under the mouse.
    time.addEventListener('mouseenter', () => { time.title = ''; });
    time.addEventListener('mouseleave', () => { time.title = text; });
  }
  // WCAG 1.4.13: Esc takes the bubble away.
  const { classList } = document.documentElement;
  document.addEventListener('keydown', (e) => { if (e.key === 'Escape') classList.add('no-tips'); });
  for (const type of ['mouseover', 'focusin']) document.addEventListener(type, () => classList.remove('no-tips'));
})();
