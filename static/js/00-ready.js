// Progressive enhancement only: every page works without these files, served as one in name order.
(() => {
  'use strict';
  document.documentElement.classList.add('js'); // CSS shows .needs-js
})();
