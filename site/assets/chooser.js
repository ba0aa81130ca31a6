// The form on the front page: asks core.js and shows the answer. The data is fetched at the first question. The question
// is part of the page's address, so that a visitor can send an answer to someone else.
const form = document.querySelector(".zoo-ask");
const place = document.querySelector(".zoo-answer");
const heading = document.querySelector(".zoo-asked");
const problem = document.querySelector(".zoo-problem");
const status = document.querySelector(".zoo-told");
const way = form.elements.way;
const marks = document.querySelector(".zoo-way-marks");
const { root } = form.dataset;
const SHOWN = 8;
// Characters that a screen reader hears after a change.
const SAID = 120;
const DEFAULTS = { board: form.elements.board.value, context: form.elements.context.value, kv: form.elements.kv.value };
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
    ["Quality kept", core.qualityWords(file)],
    ["Licence", h("bdi", {}, shortened(release.licence, 100))],
  ];
  return h("dl", { class: "zoo-figures" }, rows.map(([name, ...words]) => h("div", {}, h("dt", {}, name), h("dd", {}, words))));
}

// What the file takes of the device's memory, as in site/templates/answer-memory.html and zoo/site/pages/memorybar.py.
const PARTS = [["system", "System"], ["weights", "Weights"], ["cache", "KV cache"], ["buffer", "Buffers"], ["free", "Free"]];
const BAR = 1000;

// Python's round: halves go to the even number.
const rounded = (value) => (value % 1 === 0.5 ? 2 * Math.round(value / 2) : Math.round(value));

function memoryBar({ core, catalog }, { pick }, asked) {
  const { rules } = catalog;
  const sizes = core.memoryParts(pick.file, pick.need, asked.device, asked.context, rules);
  const total = PARTS.reduce((sum, [kind]) => sum + sizes[kind], 0);
  const roomy = core.isRoomy(pick.need, asked.device, rules);
  const words = PARTS.flatMap(([kind, name], at) => [
    ...(at ? [" · "] : []),
    h("span", { class: "zoo-key" }, h("span", { class: `zoo-part-${kind}` }), `${name} ${core.dataSize(sizes[kind])}`),
  ]);
  const svg = (tag, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const drawn = svg("svg", { viewBox: `0 0 ${BAR} 40`, preserveAspectRatio: "none", "aria-hidden": "true" });
  let x = 0;
  for (const [kind] of PARTS) {
    const width = rounded((BAR * sizes[kind]) / total);
    drawn.append(svg("rect", { class: `zoo-part-${kind}`, x, y: 0, width, height: 40 }));
    x += width;
  }
  const verdict = roomy ? "Fits with room to spare" : "Fits, but it is tight";
  return h(
    "div",
    { class: "zoo-memory", "data-state": roomy ? "roomy" : "tight" },
    h("p", {}, h("strong", {}, `${verdict}.`), " ", h("span", { class: "zoo-note" }, words)),
    drawn,
  );
}

const offerWords = (core, one) => {
  const { file, speed } = one.pick;
  const said = [file.path, core.dataSize(file.size), core.qualityWords(file), speed.words()].join(", ");
  return [one.release.name, `${core.standingWords(one)}; ${said}.`, true];
};

function shown(loaded, choice, asked, line) {
  const { core, runit, catalog } = loaded;
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
  const page = { h, core, run: catalog.run, root, kv: asked.kv };
  const choices = { open: checked("run-with"), system: checked("run-system") };
  const run =
    runit.fragment(pick.file, asked.context, asked.device, page, choices) ??
    h("p", {}, "How to get it: see ", h("a", { href: `${modelUrl(release.name)}#commands` }, "the page of the model"), ".");
  const offers = (list) => list.map((one) => offerWords(core, one));
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
    memoryBar(loaded, choice.answer, asked),
    h("div", { class: "zoo-about" }),
    h("details", { class: "zoo-others" }, h("summary", {}, "Why this file"), h("p", {}, pick.reason())),
    others("From the fastest to the best", line.length > 1 ? offers(line) : []),
    others("Next best models", offers(choice.runnersUp)),
    others("Better models that were skipped", passed, more),
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

// --- Faster or better

// The step that the visitor chose, in hundredths of the way from the fastest to the best; null is the answer's own.
let chosen = null;
// Tokens per second that an older link asks for.
let wanted = null;

const stepOf = (line, answer) => {
  if (chosen !== null) return Math.round((chosen / 100) * (line.length - 1));
  return Math.max(0, line.findIndex((one) => answer && one.pick.file === answer.pick.file));
};

// Puts the line into the slider and returns the step that it shows.
function showWay({ core, catalog }, line, answer) {
  if (wanted !== null && line.length) {
    const fast = line.filter((one) => one.pick.speed.typical >= wanted).length;
    chosen = line.length > 1 ? Math.round((100 * Math.max(0, fast - 1)) / (line.length - 1)) : null;
    wanted = null;
  }
  const step = stepOf(line, answer);
  const last = line.length - 1;
  way.disabled = last < 1;
  way.max = String(Math.max(last, 0));
  way.value = String(step);
  const words = line[step] ? `${line[step].pick.file.path}, ${line[step].pick.speed.words()}` : "";
  way.setAttribute("aria-valuetext", words);
  showMarks(core.marks(line, catalog), last);
  return step;
}

function showMarks(found, last) {
  const spots = new Map();
  for (const [name, step] of found) spots.set(step, [...(spots.get(step) ?? []), name]);
  way.list.replaceChildren(...[...spots.keys()].map((step) => h("option", { value: step })));
  const labels = [...spots].map(([step, names]) => {
    const label = h("span", {}, names.join(", "));
    label.style.left = `${last > 0 ? (100 * step) / last : 0}%`;
    label.dataset.side = last > 0 && step > last / 2 ? "left" : "right";
    return label;
  });
  marks.replaceChildren(...(last > 0 ? labels : []));
}

// The marks that came with the page: no style may be in its text.
for (const one of marks.children) one.style.left = `${one.dataset.left}%`;

// --- The form and the address

const value = (name) => form.elements[name].value.trim();
const number = (name) => {
  const field = form.elements[name];
  return field.value === "" || !field.checkValidity() ? null : Number(field.value);
};

// What is wrong with a number, by the name of its field.
const NUMBERS = {
  context: "Context length must be a whole number from 1 to 10,000,000.",
  memory: "Memory must be a number of GB from 0.1 to 100,000.",
  bandwidth: "Bandwidth must be a number of GB/s from 0.01 to 100,000.",
};

const invalid = () =>
  Object.keys(NUMBERS).find((name) => !form.elements[name].closest("[hidden]") && number(name) === null);

function question(core, catalog) {
  const own = value("board") === "custom";
  const device = own
    ? core.custom(catalog.rules, number("memory"), number("bandwidth"))
    : catalog.deviceOf.get(value("board"));
  const kv = value("kv");
  return { device, context: number("context"), leastSpeed: null, task: value("task") || null, language: value("language") || null, kv };
}

function writeAddress() {
  const told = new URLSearchParams();
  if (value("board") === "custom") {
    told.set("memory", value("memory"));
    told.set("bandwidth", value("bandwidth"));
  } else if (value("board") !== DEFAULTS.board) told.set("board", value("board"));
  if (value("context") !== DEFAULTS.context) told.set("context", value("context"));
  if (value("kv") !== DEFAULTS.kv) told.set("kv", value("kv"));
  for (const name of ["task", "language"]) if (value(name)) told.set(name, value(name));
  if (chosen !== null) told.set("prefer", String(chosen));
  const query = told.toString();
  history.replaceState(null, "", location.pathname + (query ? `?${query}` : "") + location.hash);
}

const KINDS = { board: "device", kv: "KV cache", task: "task", language: "language" };

// Puts what the address asks for into the form; true if it asks for anything. What it cannot ask for is said.
function readAddress() {
  const told = new URLSearchParams(location.search);
  const unknown = [];
  let asks = false;
  for (const name of ["board", "memory", "bandwidth", "context", "kv", "task", "language"]) {
    const given = told.get(name);
    if (given === null) continue;
    const field = form.elements[name];
    if (field.tagName === "SELECT" && ![...field.options].some((one) => one.value === given)) {
      unknown.push(`the ${KINDS[name]} “${shortened(given, 40)}”`);
      continue;
    }
    field.value = given;
    asks = true;
  }
  if (told.has("memory") || told.has("bandwidth")) form.elements.board.value = "custom";
  const prefer = Number(told.get("prefer") ?? NaN);
  if (prefer >= 0 && prefer <= 100) chosen = Math.round(prefer);
  const speed = Number(told.get("speed") ?? NaN);
  if (speed > 0) wanted = speed;
  if (unknown.length) tell(`This link asks for ${unknown.join(" and ")}, which this catalog does not have. It was left out.`);
  return asks || chosen !== null || wanted !== null;
}

function tell(words) {
  problem.hidden = !words;
  problem.textContent = words;
}

function showOwn() {
  const own = value("board") === "custom";
  for (const label of form.querySelectorAll("[data-own]")) label.hidden = !own;
}

// The answer with what the slider chose in its place.
function preferred(choice, line, step) {
  const one = line[step];
  if (!one || one === choice.answer || one.pick.file === choice.answer?.pick.file) return choice;
  const reason = `Your choice: step ${step + 1} of ${line.length} from the fastest to the best file.`;
  return { ...choice, answer: one, reason };
}

function announce(core, choice) {
  const { answer } = choice;
  const words = answer ? `Recommended: ${shortened(answer.pick.file.path, 60)}, ${answer.pick.speed.words()}` : choice.reason;
  status.textContent = shortened(words, SAID);
}

async function ask() {
  showOwn();
  const bad = invalid();
  if (bad) {
    tell(NUMBERS[bad]);
    heading.replaceChildren();
    place.replaceChildren(h("p", { class: "zoo-take" }, "No answer"), h("p", {}, NUMBERS[bad]));
    status.textContent = "";
    return;
  }
  try {
    const loaded = await load();
    // Meanwhile a number may have been cleared, to write another one.
    if (invalid()) return;
    const { core, catalog } = loaded;
    const asked = question(core, catalog);
    const start = performance.now();
    const found = core.choose(asked, catalog);
    const line = core.line(asked, catalog, found);
    const choice = preferred(found, line, showWay(loaded, line, found.answer));
    writeAddress();
    const made = shown(loaded, choice, asked, line).filter(Boolean);
    place.replaceChildren(...made);
    if (choice.answer) fillAbout(choice.answer);
    place.dataset.milliseconds = (performance.now() - start).toFixed(1);
    const begin = choice.answer ? "Best file for " : "For ";
    heading.replaceChildren(begin, h("strong", {}, asked.device.name), ` with ${core.count(asked.context)} tokens of context:`);
    announce(core, choice);
  } catch (error) {
    // The answer that the page came with stays: it is right for what its heading says.
    tell(
      `This question could not be answered (${shortened(error.message, 200)}). The answer below is the one for ` +
        `${heading.querySelector("strong")?.textContent ?? "the first device"}. Each device has a page, linked below.`,
    );
  }
}

// A typed value is asked after a pause, an empty field when it is left; a choice from a list immediately.
let pause = 0;
form.addEventListener("input", (event) => {
  const { target } = event;
  clearTimeout(pause);
  tell("");
  if (target === way) chosen = Number(way.max) ? Math.round((100 * Number(way.value)) / Number(way.max)) : null;
  else if (target.value === "" && target.tagName === "INPUT") return;
  pause = setTimeout(ask, target.tagName === "SELECT" || target === way ? 0 : 300);
});
form.addEventListener("focusout", (event) => {
  if (event.target.tagName === "INPUT" && event.target.value === "") ask();
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
// A pointer or the focus comes to the form before a question does.
for (const sign of ["focusin", "pointerover"]) form.addEventListener(sign, () => load().catch(() => {}), { once: true });
form.noValidate = true;
form.hidden = false;
if (readAddress()) ask();
