// Compares any two files in the browser. The address has both, so it can be sent and bookmarked.
// The rules are those of zoo/site/pages/compare/verdict.py; a test compares the two.
const form = document.querySelector(".zoo-pair");
const said = document.querySelector(".zoo-said");
const shown = document.querySelector(".zoo-compared");
const { root } = form.dataset;
const CHANCE = 0.05;
const EQUAL = "No clear difference";
const OTHER_SCOPE = "Not comparable: each is measured against its own original";

function h(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

async function json(url) {
  const answer = await fetch(root + url);
  if (!answer.ok) throw new Error(answer.status === 404 ? "no such model" : `HTTP status ${answer.status}`);
  return answer.json();
}

function byChance(one, other) {
  const number = one + other;
  let term = 2 ** -number;
  let tail = 0;
  for (let k = 0; k <= Math.min(one, other); k += 1) {
    tail += term;
    term *= (number - k) / (k + 1);
  }
  return Math.min(1, 2 * tail);
}

function paired(aRight, bRight, first) {
  let [onlyA, onlyB] = [0, 0];
  for (let place = 0; place < aRight.length; place += 1) {
    if (aRight[place] === "1" && bRight[place] === "0") onlyA += 1;
    if (aRight[place] === "0" && bRight[place] === "1") onlyB += 1;
  }
  if (!(onlyA + onlyB)) return ["", "The same questions right"];
  const words = `nly the first right: ${onlyA}, only the second: ${onlyB}`;
  return byChance(onlyA, onlyB) > CHANCE ? ["", `${EQUAL} (o${words})`] : [first, `O${words}`];
}

function difference(a, b, first) {
  const [better, worse] = first === "a" ? [a, b] : [b, a];
  const which = first === "a" ? "First" : "Second";
  if (a.kind === "size") return `${which}: ${Math.floor(100 * (1 - better.value / worse.value) + 0.5)} % less`;
  if (a.kind === "speed") return `${which}: ${Math.floor(100 * (better.value / worse.value - 1) + 0.5)} % faster`;
  const gap = Math.abs(a.value - b.value);
  const error = Math.hypot((a.high - a.low) / 4, (b.high - b.low) / 4);
  if (a.kind === "kld") return `${which}: ${gap.toFixed(4)} ± ${error.toFixed(4)} lower`;
  return `${which}: ${(100 * gap).toFixed(1)} ± ${(100 * error).toFixed(1)} points higher`;
}

function judged(a, b, aRight, bRight) {
  if (a.scope !== b.scope) return ["", OTHER_SCOPE];
  const first = (a.value - b.value) * a.better > 0 ? "a" : "b";
  if (a.kind === "score" && aRight && aRight.length === bRight.length) return paired(aRight, bRight, first);
  if (a.low <= b.high && b.low <= a.high) return ["", a.value === b.value ? "Equal" : EQUAL];
  return [first, difference(a, b, first)];
}

function* rows(a, b) {
  const theirs = new Map(b.side.figures.map((one) => [one.key, one]));
  for (const one of a.side.figures) {
    const other = theirs.get(one.key);
    theirs.delete(one.key);
    if (!other) {
      yield [one.label, one.text, "–", "", ""];
      continue;
    }
    const key = one.key.replace(/^probe:/, "");
    const same = key in a.model.items && a.model.items[key] === b.model.items[key];
    const [better, words] = judged(one, other, same ? (a.side.right[key] ?? "") : "", same ? (b.side.right[key] ?? "") : "");
    yield [one.label, one.text, other.text, words, better];
  }
  for (const other of theirs.values()) yield [other.label, "–", other.text, "", ""];
}

function table(name, heads, lines) {
  const top = h("tr", {}, ...heads.map((words) => h("th", { scope: "col" }, words)));
  const made = h("table", { class: "zoo-table zoo-compare" }, h("thead", {}, top), h("tbody", {}, ...lines));
  return h("div", { class: "zoo-scroll", role: "region", "aria-label": name, tabindex: "0" }, made);
}

function draw(a, b) {
  const same = a.model.name === b.model.name;
  const titles = [a, b].map(({ side }) => (same ? side.type : `${side.name} ${side.type}`));
  const lines = [...rows(a, b)].map(([label, first, second, words, better]) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, label),
      h("td", better === "a" ? { class: "zoo-better" } : {}, first),
      h("td", better === "b" ? { class: "zoo-better" } : {}, second),
      h("td", {}, words),
    ),
  );
  const theirs = new Map(b.model.samples.map((one) => [one.id, one.answers]));
  const answers = a.model.samples
    .filter(({ id, answers: ours }) => a.side.type in ours && b.side.type in (theirs.get(id) ?? {}))
    .map(({ id, question, answers: ours }) =>
      h(
        "tr",
        {},
        h("th", { scope: "row", dir: "auto" }, question),
        ...[ours[a.side.type], theirs.get(id)[b.side.type]].map(([words, right]) =>
          h("td", { dir: "auto" }, words || "(no text)", h("br", {}), h("span", { class: "zoo-note" }, right ? "Right" : "Wrong")),
        ),
      ),
    );
  const pages = [a, b].map(({ side }) =>
    h("li", {}, h("a", { href: `${root}models/${encodeURIComponent(side.name)}/` }, `${side.name}, file ${side.path}`)),
  );
  shown.replaceChildren(
    h("h2", {}, titles.join(" and ")),
    table(titles.join(" and "), ["Figure", ...titles, "Difference"], lines),
    ...(answers.length ? [table(`Answers of ${titles.join(" and ")}`, ["Question", ...titles], answers)] : []),
    h("ul", {}, ...pages),
  );
  said.textContent = `${titles.join(" and ")} are compared below.`;
}

async function load(words, which) {
  const [, name, version, type] = words.trim().match(/^([^@\s]+)@([^:\s]+):(.+)$/) ?? [];
  if (!name) throw new Error(`${which}: write a file as model@version:type, for example as the list shows it.`);
  let model;
  try {
    model = await json(`models/${encodeURIComponent(name)}/compare.json`);
  } catch (error) {
    throw new Error(`${which}: ${name} could not be loaded (${error.message}). Choose one of the list.`);
  }
  if (model.version !== version)
    throw new Error(`${which}: only the current version can be compared. Write ${name}@${model.version}:${type}.`);
  const side = model.files.find((one) => one.type === type);
  if (!side) throw new Error(`${which}: ${name} has ${model.files.map((one) => one.type).join(", ")}.`);
  return { model, side };
}

async function compare() {
  const { search } = location;
  const asked = new URLSearchParams(search);
  const [first, second] = ["a", "b"].map((name) => asked.get(name) ?? "");
  [form.elements.a.value, form.elements.b.value] = [first, second];
  let words = "";
  try {
    if (first && second) {
      const both = [await load(first, "First file"), await load(second, "Second file")];
      if (search === location.search) draw(...both);
      return;
    }
    if (first) {
      await load(first, "First file");
      words = "Choose the second file.";
      if (search === location.search) form.elements.b.focus();
    }
  } catch (error) {
    words = error.message;
  }
  // Meanwhile somebody may have asked for another pair, or gone back to the one before.
  if (search !== location.search) return;
  shown.replaceChildren();
  said.textContent = words;
}

let names = null;
async function suggest({ target }) {
  names ??= json(form.dataset.names).then((found) =>
    Object.entries(found).flatMap(([name, [version, types]]) => types.map((type) => `${name}@${version}:${type}`)),
  );
  const words = target.value.toLowerCase();
  const fitting = (await names).filter((one) => one.toLowerCase().includes(words)).slice(0, 60);
  target.list.replaceChildren(...fitting.map((value) => h("option", { value })));
}

for (const field of [form.elements.a, form.elements.b]) {
  field.addEventListener("focus", suggest);
  field.addEventListener("input", suggest);
}
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const asked = new URLSearchParams({ a: form.elements.a.value.trim(), b: form.elements.b.value.trim() });
  history.pushState(null, "", `?${asked}`);
  compare();
});
addEventListener("popstate", compare);
form.hidden = false;
compare();
