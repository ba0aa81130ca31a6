// Buttons that copy the lines before them. Every block of lines gets one.
const status = document.createElement("p");
status.className = "zoo-unseen";
status.setAttribute("role", "status");
document.body.append(status);

const WORDS = { Copied: "Copied", Selected: "Selected. Press Ctrl+C to copy" };

export function ready(root) {
  for (const pre of root.querySelectorAll("pre")) {
    let place = pre.closest(".zoo-command");
    if (place?.querySelector(".zoo-copy")) continue;
    if (!place) {
      place = document.createElement("div");
      place.className = "zoo-command";
      pre.replaceWith(place);
      place.append(pre);
    }
    const button = document.createElement("button");
    button.className = "zoo-copy";
    button.type = "button";
    button.textContent = "Copy";
    place.append(button);
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest(".zoo-copy");
  if (!button) return;
  const code = button.parentElement.querySelector("code") ?? button.parentElement.querySelector("pre");
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    // Without the right to write to the clipboard, the text is selected: one key copies it.
    getSelection().selectAllChildren(code);
    button.textContent = "Selected";
  }
  status.textContent = WORDS[button.textContent];
  setTimeout(() => {
    button.textContent = "Copy";
    status.textContent = "";
  }, 2000);
});

ready(document.querySelector("main"));
