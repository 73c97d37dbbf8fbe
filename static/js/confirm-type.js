// <input data-must-equal="k-23"> keeps [data-danger] buttons off until the text is the same. The server checks too.
(() => {
  'use strict';
  for (const input of document.querySelectorAll('input[data-must-equal]')) {
    const check = () => {
      for (const button of input.form.elements) {
        if ('danger' in button.dataset) button.disabled = input.value.trim() !== input.dataset.mustEqual;
      }
    };
    input.addEventListener('input', check);
    addEventListener('pageshow', check); // the browser may have put an old value back
    check();
  }
})();
