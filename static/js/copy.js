// <button class="needs-js" data-copy-text="...">: copies its text and says so for two seconds.
(() => {
  'use strict';
  // plain http has no clipboard API
  const bySelection = (button, text) => {
    const area = document.createElement('textarea');
    area.className = 'sr';
    area.value = text;
    button.after(area); // here, because all outside an open dialog is inert
    area.select();
    const copied = document.execCommand('copy');
    area.remove();
    button.focus();
    return copied;
  };
  for (const button of document.querySelectorAll('[data-copy-text]')) {
    const status = document.createElement('span'); // before its text, or it is not read aloud
    status.className = 'copied';
    status.role = 'status';
    button.after(status);
    let timer;
    button.addEventListener('click', async () => {
      const text = button.dataset.copyText;
      let copied = true;
      try { await navigator.clipboard.writeText(text); } catch { copied = bySelection(button, text); }
      status.textContent = copied ? 'Copied' : 'Not copied';
      clearTimeout(timer);
      timer = setTimeout(() => { status.textContent = ''; }, 2000);
    });
  }
})();
