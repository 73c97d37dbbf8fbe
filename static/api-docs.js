// Begins the viewer of the API's document. It writes text as text: its own Markdown would write HTML,
// which our content security policy refuses.
"use strict";
(() => {
  const place = document.querySelector("#api-docs");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", follow);
  follow();

  const plainText = ({ React }) => {
    const make = React.createElement;
    const piece = (text, key) => {
      if (text.startsWith("`")) return make("code", { key }, text.slice(1, -1));
      if (text.startsWith("**")) return make("strong", { key }, text.slice(2, -2));
      return text;
    };
    const paragraph = (text, key) =>
      make("p", { key }, ...text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map(piece));
    const Markdown = ({ source }) =>
      make("div", { className: "markdown" }, ...String(source ?? "").split("\n\n").map(paragraph));
    return { components: { Markdown } };
  };

  // Where a pattern is long, its description says the rule in words.
  const forPeople = (text) => JSON.parse(text, (name, value) =>
    name === "pattern" && value.length > 100 ? undefined : value);

  // Each field of the dialog asks for the focus; the first one is the token's.
  place.addEventListener("click", ({ target }) => {
    if (!target.closest(".authorize, .authorization__btn")) return;
    requestAnimationFrame(() => place.querySelector(".dialog-ux input")?.focus());
  });

  const begin = (spec) => SwaggerUIBundle({
    domNode: place,
    spec,
    plugins: [plainText],
    validatorUrl: null,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 0,
    // A session beside a token would be one credential too many.
    requestInterceptor: (request) => Object.assign(request, { credentials: "omit" }),
  });
  fetch(place.dataset.document, { credentials: "omit" })
    .then((answer) => answer.text())
    .then((text) => begin(forPeople(text)))
    .catch(() => { place.textContent = "The document could not be read. Reload the page."; });
})();
