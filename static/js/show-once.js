// The only time a key is shown. dialog[data-secret] stays until the key is copied, downloaded or ticked as saved.
(() => {
  'use strict';
  const dialog = document.querySelector('dialog[data-secret]');
  if (!dialog) return;
  const find = (selector) => dialog.querySelector(selector);
  const field = find('[data-key]'), copy = find('[data-copy]'), done = find('[data-done]');
  const label = find('[data-box]'), box = find('[name=confirmed]'), how = find('[name=saved_by]'), status = find('.foot [role=status]');
  const COPIED = dialog.dataset.copied || 'Copied. Paste it into your secret store before you close.';
  let saved = false, left = false;
  const allow = (by, text) => {
    saved = true;
    how.value = by;
    box.required = false;
    done.disabled = false;
    status.textContent = text;
  };

  dialog.close();
  dialog.showModal();
  label.hidden = done.disabled = true;
  box.checked = box.required = false;
  status.textContent = status.dataset.until;
  copy.focus();

  copy.addEventListener('click', async () => {
    let by;
    try { await navigator.clipboard.writeText(field.value); by = 'clipboard'; } catch {
      field.focus(); // none on plain http, or refused
      field.select();
      try { if (document.execCommand('copy')) by = 'selection'; } catch { /* refused too */ }
    }
    if (by) {
      copy.querySelector('span').textContent = 'Copied';
      allow(by, COPIED);
      copy.focus();
    } else {
      label.hidden = done.disabled = false;
      box.required = true;
      status.textContent = 'This browser refused to copy. Press Ctrl+C or \u2318C, then tick the box.';
    }
  });
  field.addEventListener('focus', () => field.select());
  field.addEventListener('copy', () => { // a part of the key does not count
    if (field.selectionStart === 0 && field.selectionEnd === field.value.length) allow('manual', COPIED);
  });
  dialog.addEventListener('click', (e) => {
    // no download attribute: where the password is asked for first, its page must not become the file
    if (e.target.closest('a[data-download]')) allow('download', 'Downloaded. Move the file into your secret store before you close.');
  });
  box.addEventListener('change', () => {
    if (saved && how.value !== 'box') return;
    saved = box.checked;
    how.value = 'box';
  });

  // Safari does not know closedby, and browsers may force a close on a repeated Esc.
  document.addEventListener('keydown', (e) => { if (e.key === 'Escape') e.preventDefault(); }, true);
  dialog.addEventListener('cancel', (e) => e.preventDefault());
  dialog.addEventListener('close', () => { if (!dialog.open) dialog.showModal(); });

  // Ask while unsaved, then leave nothing for the back-forward cache.
  dialog.addEventListener('submit', () => { left = true; });
  addEventListener('beforeunload', (e) => { if (!saved && !left) e.preventDefault(); });
  addEventListener('pagehide', () => {
    field.textContent = field.value = '';
    for (const element of document.querySelectorAll('[data-key-text]')) element.textContent = '';
  });
  addEventListener('pageshow', (e) => { if (e.persisted) location.reload(); });
})();
