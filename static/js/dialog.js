// The server sends <dialog open data-modal data-back="/list">: make it modal, and let closing it be a navigation.
(() => {
  'use strict';
  for (const dialog of document.querySelectorAll('dialog[data-modal][open]:not([data-secret])')) {
    // What was typed is not lost by a click beside it, and by Esc only if that is meant.
    let typed = false;
    dialog.addEventListener('input', () => { typed = true; });
    const leave = () => { if (dialog.dataset.back) location.assign(dialog.dataset.back); };
    const back = () => { if (!typed || confirm('Discard what you typed?')) leave(); };
    const outside = (e) => {
      const box = dialog.getBoundingClientRect();
      return e.target === dialog && (e.clientX < box.left || e.clientX > box.right || e.clientY < box.top || e.clientY > box.bottom);
    };
    dialog.close();
    dialog.showModal(); // focuses [autofocus], which may be at the very end: its footer stays in sight, the title would not
    if (document.activeElement?.closest('.foot')) for (const it of [dialog, ...dialog.children]) it.scrollTop = 0;
    dialog.addEventListener('cancel', (e) => {
      if (e.target !== dialog) return; // a file picker's cancel bubbles
      e.preventDefault(); // stays in sight until the list has loaded
      back();
    });
    // browsers close it on a repeated Esc, whatever the page says
    dialog.addEventListener('close', () => {
      if (dialog.open) return;
      if (!typed || confirm('Discard what you typed?')) leave();
      else dialog.showModal();
    });
    // Press and release outside: a text selection may end there.
    let pressed = false;
    dialog.addEventListener('pointerdown', (e) => { pressed = outside(e); });
    dialog.addEventListener('click', (e) => { if (pressed && outside(e) && !typed) leave(); });
  }
})();
