// One submit, presets, own-key block, live preview.
(() => {
  'use strict';
  document.querySelector('.error-summary')?.focus();
  // --- a double click sends once
  let sent = [];
  document.addEventListener('submit', (e) => {
    if (e.defaultPrevented || e.target.method !== 'post') return;
    // Later: the clicked button's name is still to be sent.
    setTimeout(() => {
      const buttons = [...e.target.elements].filter((b) => b.type === 'submit' && !b.disabled);
      for (const button of buttons) button.disabled = true;
      sent.push(...buttons);
    });
  });
  addEventListener('pageshow', (e) => {
    if (!e.persisted) return;
    for (const button of sent) button.disabled = false;
    sent = [];
  });

  // --- radios named preset: data-days="7", data-days="" (choose dates), data-never
  // datetime-local carries no zone. Read and written as UTC it keeps the time of day over a clock change.
  const local = (time) => new Date(time).toISOString().slice(0, 16);
  const applyPreset = (form, fill) => {
    const preset = form.querySelector('[name=preset]:checked')?.dataset;
    const { from, until, offered } = form.elements;
    if (!preset || !until) return;
    until.disabled = 'never' in preset;
    if (until.disabled) until.value = '';
    else if (fill && Number(preset.days)) {
      // An empty start is now, in a zone that only the server knows.
      const start = until.dataset.base ?? from?.value ?? until.dataset.from;
      const end = Date.parse(`${start}Z`) + preset.days * 864e5;
      if (end < Date.parse('9999-12-31')) offered.value = until.value = local(end);
    }
  };
  // --- [name=make] own or generate shows its [data-when] block; a field out of sight must not block the form
  const applyMake = (form) => {
    const make = form.querySelector('[name=make]:checked')?.value ?? 'generate';
    for (const block of form.querySelectorAll('[data-when]')) {
      block.hidden = block.dataset.when !== make;
      for (const field of block.querySelectorAll('input, textarea')) field.disabled = block.hidden;
    }
  };
  for (const form of document.forms) {
    applyPreset(form, false);
    if (form.querySelector('[name=make]')) applyMake(form);
  }

  // --- form[data-preview]: a change of [data-preview-input] fetches a new #preview and #effective
  let timer, request;
  const refresh = (form) => {
    const body = new URLSearchParams(new FormData(form));
    body.set('act', 'check');
    request?.abort();
    // Not fetch: this parses HTML itself, so no Trusted Types policy is needed.
    request = new XMLHttpRequest();
    request.open('POST', form.action);
    request.responseType = 'document';
    request.setRequestHeader('X-Requested-With', 'fetch');
    request.onload = (e) => {
      for (const old of document.querySelectorAll('#preview, #effective')) {
        const fresh = e.target.response?.getElementById(old.id);
        if (fresh) old.replaceWith(document.importNode(fresh, true));
      }
    };
    request.send(body);
  };
  const changed = (e) => {
    const { form, name } = e.target;
    if (!form) return;
    if (name === 'preset' || name === 'from') applyPreset(form, true);
    if (name === 'make') applyMake(form);
    const dates = name === 'until' && form.querySelector('[name=preset][value=dates]');
    if (dates) dates.checked = true;
    if ('preview' in form.dataset && e.target.matches('[data-preview-input]')) {
      clearTimeout(timer);
      timer = setTimeout(refresh, 250, form);
    }
  };
  for (const type of ['input', 'change']) document.addEventListener(type, changed);
})();
