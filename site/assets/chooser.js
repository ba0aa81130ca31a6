// The form on the front page: asks core.js and shows the answer. The data is fetched at the first question. The question
// is part of the page's address, so that a visitor can send an answer to someone else.
const form = document.querySelector(".zoo-ask");
const place = document.querySelector(".zoo-answer");
const heading = document.querySelector(".zoo-asked");
const { root } = form.dataset;
const SHOWN = 8;
const DEFAULTS = { board: form.elements.board.value, context: form.elements.context.value };
let loading = null;

const load = () =>
  (loading ??= Promise.all([
    import(new URL(form.dataset.core, document.baseURI)),
    import(new URL(form.dataset.run, document.baseURI)),
    fetch(new URL(form.dataset.data, document.baseURI)).then((answer) => {
      if (!answer.ok) throw new Error(`the catalog's data could not be loaded: HTTP status ${answer.status}`);
      return answer.json();
    }),
  ])
    .then(([core, runit, data]) => ({ core, runit, catalog: core.unpack(data) }))
    .catch((error) => {
      loading = null;
      throw error;
    }));

// An element; strings among the children become text, never markup.
export function h(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.flat().filter((child) => child !== null));
  return made;
}

const shortened = (text, length) => (text.length <= length ? text : `${text.slice(0, length - 1).trimEnd()}…`);
const modelUrl = (name) => `${root}models/${encodeURIComponent(name)}/`;

// The same words as in zoo/choose/commands.py.
const COMPLETES = "This is a completion model: it has no chat template, and it continues the text of its prompt.";

function others(title, rows, more = 0, open = false) {
  if (!rows.length) return null;
  const items = rows.map(([name, words, isModel]) =>
    h("li", {}, isModel ? h("a", { href: modelUrl(name) }, name) : h("code", {}, shortened(name, 200)), `: ${words}`),
  );
  if (more) items.push(h("li", {}, `And ${more.toLocaleString("en-GB")} more models.`));
  const details = h("details", { class: "zoo-others" }, h("summary", {}, `${title} (${rows.length + more})`), h("ul", {}, items));
  details.open = open;
  return details;
}

function figures(core, { pick, release }, context) {
  const { file, speed, need } = pick;
  const tick = speed.measured ? [h("span", { class: "zoo-tick", "aria-hidden": "true" }, "✓"), " "] : [];
  const proof = speed.evidence ? [" (", h("a", { href: root + speed.evidence }, "evidence"), ")"] : [];
  const rows = [
    ["Size", core.dataSize(file.size)],
    ["Memory", `${core.dataSize(need)} predicted at ${core.count(context)} tokens`],
    ["Speed", ...tick, speed.words(), ...proof],
    ["Loss (0 is identical)", core.lossWords(file)],
    ["Licence", h("bdi", {}, shortened(release.licence, 100))],
  ];
  return h("dl", { class: "zoo-figures" }, rows.map(([name, ...words]) => h("div", {}, h("dt", {}, name), h("dd", {}, words))));
}

function shown({ core, runit, catalog }, choice, asked) {
  const passed = choice.passed.slice(0, SHOWN).map((one) => [one.release.name, one.why(), true]);
  const more = choice.passed.length - passed.length;
  if (!choice.answer)
    return [
      h("p", { class: "zoo-take" }, "No file recommended"),
      h("p", {}, choice.reason),
      others("Models that were considered", passed, more, true),
    ];
  const { release, pick } = choice.answer;
  const checked = (name) => place.querySelector(`[name=${name}]:checked`)?.value;
  const page = { h, core, run: catalog.run, root };
  const choices = { open: checked("run-with"), system: checked("run-system") };
  const run =
    runit.fragment(pick.file, asked.context, asked.device, page, choices) ??
    h("p", {}, "How to get it: see ", h("a", { href: `${modelUrl(release.name)}#commands` }, "the page of the model"), ".");
  const runners = choice.runnersUp.map((one) => {
    const { file, speed } = one.pick;
    const said = [file.path, core.dataSize(file.size), core.lossWords(file), speed.words()].join(", ");
    return [one.release.name, `${core.standingWords(one)}; ${said}.`, true];
  });
  const judged = (list) => list.map(({ file, why }) => [file.path, why(), false]);
  return [
    h(
      "p",
      { class: "zoo-take" },
      "Recommended: ",
      h("strong", {}, h("bdi", {}, shortened(pick.file.path, 200))),
      " from ",
      h("a", { href: modelUrl(release.name) }, release.name),
      ` ${release.version}`,
    ),
    release.completes ? h("p", {}, COMPLETES) : null,
    run,
    h("p", {}, choice.reason),
    figures(core, choice.answer, asked.context),
    h("div", { class: "zoo-about" }),
    h("p", { class: "zoo-note" }, pick.reason()),
    others("Next best models", runners, 0, true),
    others("Higher-ranked models that were skipped", passed, more),
    others("Other files of this model", judged(pick.runnersUp)),
    others("Rejected files of this model", judged(pick.rejected)),
  ];
}

// What owners and probes say about the answer, as in site/templates/about.html. It is fetched for the one model shown.
const abouts = new Map();

function aboutOf(name) {
  if (!abouts.has(name)) {
    const found = fetch(new URL(`${modelUrl(name)}about.json`, document.baseURI)).then((answer) => (answer.ok ? answer.json() : null));
    abouts.set(name, found.catch(() => (abouts.delete(name), null)));
  }
  return abouts.get(name);
}

const sample = (one) =>
  h(
    "li",
    { class: "zoo-sample" },
    h("span", { class: "zoo-question", dir: "auto" }, one.question),
    " ",
    h("span", { class: "zoo-said", dir: "auto" }, one.answer || "(no text)"),
    " ",
    h("span", { class: "zoo-note" }, `${one.right ? "Right" : "Wrong"}. Test: ${one.title}.`),
  );

function aboutParts(about, path) {
  const merits = [["Good at", about.good_at], ["Bad at", about.bad_at]].filter(([, words]) => words.length);
  const samples = about.examples[path] ?? [];
  return [
    ...about.notes.map((words) => h("p", { class: "zoo-note", dir: "auto" }, words)),
    about.source ? h("p", { class: "zoo-note" }, about.source) : null,
    merits.length
      ? h("dl", { class: "zoo-merits" }, merits.map(([name, words]) => h("div", {}, h("dt", {}, name), h("dd", { dir: "auto" }, words.join("; ")))))
      : null,
    samples.length
      ? h("details", { class: "zoo-others", open: "" }, h("summary", {}, `Sample answers of this file (${samples.length})`), h("ul", {}, samples.map(sample)))
      : null,
  ].filter(Boolean);
}

async function fillAbout({ release, pick }) {
  const spot = place.querySelector(".zoo-about");
  const about = await aboutOf(release.name);
  if (about) spot.replaceChildren(...aboutParts(about, pick.file.path));
  spot.dataset.ready = about ? "yes" : "no";
}

// --- The form and the address

const value = (name) => form.elements[name].value.trim();
const number = (name) => {
  const field = form.elements[name];
  return field.value === "" || !field.checkValidity() ? null : Number(field.value);
};

function question(core, catalog) {
  const own = value("board") === "custom";
  const device = own
    ? core.custom(catalog.rules, number("memory"), number("bandwidth"))
    : catalog.deviceOf.get(value("board"));
  const bad = [...form.elements].find((field) => field.willValidate && !field.closest("[hidden]") && !field.checkValidity());
  const context = number("context");
  if (bad || !device || context === null) return null;
  return { device, context, leastSpeed: number("speed"), task: value("task") || null, language: value("language") || null };
}

function writeAddress() {
  const told = new URLSearchParams();
  if (value("board") === "custom") {
    told.set("memory", value("memory"));
    told.set("bandwidth", value("bandwidth"));
  } else if (value("board") !== DEFAULTS.board) told.set("board", value("board"));
  if (value("context") !== DEFAULTS.context) told.set("context", value("context"));
  for (const name of ["speed", "task", "language"]) if (value(name)) told.set(name, value(name));
  const query = told.toString();
  history.replaceState(null, "", location.pathname + (query ? `?${query}` : "") + location.hash);
}

// Puts what the address asks for into the form; true if it asks for anything.
function readAddress() {
  const told = new URLSearchParams(location.search);
  let asks = false;
  for (const name of ["board", "memory", "bandwidth", "context", "speed", "task", "language"]) {
    const given = told.get(name);
    const field = form.elements[name];
    const fits = field.tagName === "SELECT" ? [...field.options].some((one) => one.value === given) : true;
    if (given === null || !fits) continue;
    field.value = given;
    asks = true;
  }
  if (told.has("memory") || told.has("bandwidth")) form.elements.board.value = "custom";
  return asks;
}

function showOwn() {
  const own = value("board") === "custom";
  for (const label of form.querySelectorAll("[data-own]")) label.hidden = !own;
}

async function ask() {
  showOwn();
  writeAddress();
  try {
    const loaded = await load();
    const { core, catalog } = loaded;
    const asked = question(core, catalog);
    if (!asked) {
      place.replaceChildren(h("p", { class: "zoo-take" }, "A number in the form is not valid."));
      form.reportValidity();
      return;
    }
    const start = performance.now();
    const choice = core.choose(asked, catalog);
    const made = shown(loaded, choice, asked).filter(Boolean);
    place.replaceChildren(...made);
    if (choice.answer) fillAbout(choice.answer);
    place.dataset.milliseconds = (performance.now() - start).toFixed(1);
    heading.replaceChildren("For ", h("strong", {}, asked.device.name), `, ${core.count(asked.context)} tokens of context:`);
  } catch (error) {
    place.replaceChildren(
      h("p", { class: "zoo-take" }, "No answer"),
      h("p", {}, `The chooser failed to load (${error.message}). The pages for each board, linked below, work without it.`),
    );
  }
}

// A typed value is asked after a pause; a choice from a list immediately.
let pause = 0;
form.addEventListener("input", (event) => {
  clearTimeout(pause);
  pause = setTimeout(ask, event.target.tagName === "SELECT" ? 0 : 300);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
form.addEventListener("focusin", () => load().catch(() => {}), { once: true });
form.hidden = false;
if (readAddress()) ask();
