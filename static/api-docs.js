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

  SwaggerUIBundle({
    domNode: place,
    url: place.dataset.document,
    plugins: [plainText],
    validatorUrl: null,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 0,
    // A session beside a token would be one credential too many.
    requestInterceptor: (request) => Object.assign(request, { credentials: "omit" }),
  });
})();
