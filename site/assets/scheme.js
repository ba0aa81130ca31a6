// The visitor's choice of colours, for pages of the catalog and documents alike, kept where the documents' theme keeps it.
"use strict";
{
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const choices = [
    { media: "(prefers-color-scheme: light)", scheme: "default", primary: "teal", accent: "deep-orange" },
    { media: "(prefers-color-scheme: dark)", scheme: "slate", primary: "teal", accent: "deep-orange" },
  ];
  // The theme's name for its key: the path of the site's root. The address of this file ends below it.
  const key = new URL("..", document.currentScript.src).pathname + ".__palette";

  const chosen = () => {
    try {
      return JSON.parse(localStorage.getItem(key)).color.scheme;
    } catch {
      return null;
    }
  };
  const current = () => chosen() ?? (dark.matches ? "slate" : "default");
  const show = () => {
    root.dataset.mdColorScheme = current();
    // The theme of the documents has its colours at the body.
    if (document.body?.dataset.mdColorScheme) document.body.dataset.mdColorScheme = current();
    const button = document.querySelector(".zoo-scheme");
    if (button) {
      button.hidden = false;
      button.title = current() === "slate" ? "Light mode" : "Dark mode";
      button.setAttribute("aria-label", button.title);
    }
  };
  const change = () => {
    const index = current() === "slate" ? 0 : 1;
    try {
      localStorage.setItem(key, JSON.stringify({ index, color: choices[index] }));
    } catch {
      // Without storage the choice holds for nothing; the system's colours stay.
    }
    show();
  };

  show();
  dark.addEventListener("change", show);
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector(".zoo-scheme");
    button.innerHTML = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18zm0 2v14a7 7 0 0 1 0-14z" fill-rule="evenodd"/></svg>';
    button.addEventListener("click", change);
    show();
  });

  // On paper a page says where it is from, with the question that was asked.
  addEventListener("beforeprint", () => {
    let line = document.querySelector(".zoo-address");
    if (!line) {
      line = document.createElement("p");
      line.className = "zoo-address";
      document.body.append(line);
    }
    line.textContent = location.href;
  });
}
