// Buttons that copy the command before them.
const show = (root) => {
  for (const button of root.querySelectorAll(".zoo-copy[hidden]")) button.hidden = false;
};

document.addEventListener("click", async (event) => {
  const button = event.target.closest(".zoo-copy");
  if (!button) return;
  const code = button.parentElement.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    // Without the right to write to the clipboard, the text is marked: one key copies it.
    getSelection().selectAllChildren(code);
    button.textContent = "Marked";
  }
  setTimeout(() => (button.textContent = "Copy"), 2000);
});

show(document);
