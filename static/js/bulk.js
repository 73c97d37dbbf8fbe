// Ticked rows of a list: the bar shows how many, and is there only if there are any. Its form sends them.
(() => {
  'use strict';
  const bar = document.querySelector('form[data-bulk]');
  if (!bar) return;
  const boxes = [...document.querySelectorAll('input[name=pick][form=bulk]')];
  const all = document.querySelector('[data-pick-all]');
  const count = bar.querySelector('[data-count]');
  const told = document.querySelector('[data-picked]'); // outside of the bar: what is hidden is not read out
  const show = () => {
    const n = boxes.filter((box) => box.checked).length;
    bar.hidden = n === 0;
    count.textContent = told.textContent = n ? `${n} selected` : '';
    for (const verb of bar.querySelectorAll('[data-verb]')) verb.textContent = `${verb.dataset.verb} ${n}`;
    if (all) {
      all.checked = n === boxes.length;
      all.indeterminate = n > 0 && n < boxes.length;
    }
  };
  const tick = (checked) => {
    for (const box of boxes) box.checked = checked;
    show();
  };
  all?.addEventListener('change', () => tick(all.checked));
  bar.querySelector('[data-pick-every]').addEventListener('click', () => tick(true));
  bar.querySelector('[data-pick-none]').addEventListener('click', () => {
    tick(false);
    boxes[0].focus(); // the button is gone
  });
  for (const box of boxes) box.addEventListener('change', show);
  addEventListener('pageshow', show); // the browser may have put old ticks back
  show();
})();
