// The search box in the header of every page. Nothing is loaded before somebody uses it.
const box = document.querySelector(".zoo-search");
box.innerHTML = `<input type="search" aria-label="Search models and pages" placeholder="Search" autocomplete="off" spellcheck="false" maxlength="100">
<div class="zoo-results" hidden><p role="status"></p><ol></ol></div>`;
const input = box.querySelector("input");
const panel = box.querySelector(".zoo-results");
const status = panel.querySelector("[role=status]");
const list = panel.querySelector("ol");
const root = new URL("../", import.meta.url);
const address = (path) => new URL(path, root).href;
// What this file loads has its version, which changes with each of them.
const beside = (name) => new URL(name + new URL(import.meta.url).search, import.meta.url).href;

let worker;
let asked = 0;
let waiting;
// What was asked last, and whether Enter was pressed before its results were here.
let question = "";
let entered = false;

function ask() {
  clearTimeout(waiting);
  question = input.value.trim();
  if (!question) return close();
  asked += 1;
  worker ??= started();
  if (panel.hidden) status.textContent = "Searching";
  panel.hidden = false;
  worker.postMessage({ number: asked, text: question, lunr: beside("lunr.js"), folder: address("search/") });
}

function started() {
  const made = new Worker(beside("search-worker.js"));
  made.onmessage = ({ data }) => {
    if (data.number === asked) show(data);
  };
  made.onerror = () => show({ failed: "the program of the search could not be loaded" });
  return made;
}

function show({ found = [], failed }) {
  list.replaceChildren(...found.map(item));
  status.textContent = failed
    ? `The search does not work now: ${failed}. Check the connection and type again.`
    : found.length
      ? `${found.length === 10 ? "The first 10" : found.length} ${found.length === 1 ? "result" : "results"}`
      : "Nothing found. Try other words.";
  box.dataset.answered = question;
  if (entered) enter();
}

// Opens the first result of what is in the field, now or as soon as there is one.
function enter() {
  entered = box.dataset.answered !== input.value.trim();
  if (entered) ask();
  else list.querySelector("a")?.click();
}

function item({ location: path, title, where, text }) {
  const made = document.createElement("li");
  const link = document.createElement("a");
  link.href = address(path);
  const name = document.createElement("strong");
  name.textContent = title;
  link.append(name);
  if (where) {
    const at = document.createElement("span");
    at.className = "zoo-where";
    at.textContent = where;
    link.append(" ", at);
  }
  const words = document.createElement("span");
  words.className = "zoo-found-text";
  words.textContent = text;
  link.append(words);
  made.append(link);
  return made;
}

// A result that comes later is not shown.
function close() {
  clearTimeout(waiting);
  asked += 1;
  entered = false;
  delete box.dataset.answered;
  panel.hidden = true;
  list.replaceChildren();
  status.textContent = "";
}

input.addEventListener("input", () => {
  entered = false;
  clearTimeout(waiting);
  waiting = setTimeout(ask, 120);
});
input.addEventListener("focus", () => {
  if (input.value.trim() && panel.hidden) ask();
});
box.addEventListener("keydown", (event) => {
  const links = [...list.querySelectorAll("a")];
  const at = links.indexOf(document.activeElement);
  if (event.key === "Escape") {
    close();
    input.value = "";
    input.focus();
  } else if (event.key === "Enter" && document.activeElement === input && input.value.trim()) {
    enter();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const next = event.key === "ArrowDown" ? at + 1 : at - 1;
    (next < 0 ? input : links[Math.min(next, links.length - 1)])?.focus();
  } else return;
  event.preventDefault();
});
box.addEventListener("focusout", ({ relatedTarget }) => {
  if (relatedTarget && !box.contains(relatedTarget)) close();
});
document.addEventListener("click", ({ target }) => {
  if (!box.contains(target)) close();
});
box.hidden = false;
