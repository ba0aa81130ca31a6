// The theme puts a navigation without a name at every block of code; screen readers need to tell them apart.
"use strict";
{
  const name = () => {
    for (const [index, one] of document.querySelectorAll(".md-code__nav").entries()) {
      if (!one.hasAttribute("aria-label")) one.setAttribute("aria-label", `Code ${index + 1}`);
    }
  };
  new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
  name();
}
