// Sorts and filters the table of all files. The page's own rows stay until the visitor sorts or filters; then the data is
// fetched and the rows are made from it.
const form = document.querySelector(".zoo-filter");
const body = document.querySelector(".zoo-files tbody");
const heads = [...document.querySelectorAll(".zoo-files th[data-sort]")];
const found = document.querySelector(".zoo-found");
const more = document.querySelector(".zoo-more");
const pages = document.querySelector(".zoo-table-pages");
const problem = document.querySelector(".zoo-problem");
const { root } = form.dataset;
const LISTED = Number(form.dataset.listed);
const NAMES = ["board", "memory", "task", "language", "licence", "type", "words", "measured", "beaten", "yanked"];
let sorted = { by: "name", up: true };
let rows = [];
let visible = 0;
let loading = null;

const load = () =>
  (loading ??= Promise.all([
    import(new URL(form.dataset.core, document.baseURI)),
    fetch(new URL(form.dataset.data, document.baseURI)).then((answer) => {
      if (!answer.ok) throw new Error(`the catalog's data could not be loaded: HTTP status ${answer.status}`);
      return answer.json();
    }),
  ])
    .then(([core, data]) => ready(core, core.unpack(data)))
    .catch((error) => {
      loading = null;
      throw error;
    }));

// The values that are sorted and filtered by, computed once.
function ready(core, catalog) {
  const { rules } = catalog;
  for (const release of catalog.releases) {
    const beaten = core.beaten(release.files, null, catalog);
    const context = Math.min(rules.context_tokens, release.context);
    for (const file of release.files) {
      file.beaten = beaten.get(file) ?? null;
      file.memory = core.needBytes(file, context, rules);
      file.valid = file.speeds.filter((one) => one.valid).sort((a, b) => b.speed - a.speed);
      file.search = `${release.name} ${file.path} ${file.type}`.toLowerCase();
    }
  }
  return { core, catalog };
}

const KEYS = {
  name: ({ file, place }) => [file.release.name, place],
  task: ({ file, place }) => [file.release.task, file.release.languages.join(), place],
  licence: ({ file, place }) => [file.release.licence, place],
  size: ({ file, place }) => [file.size, place],
  bits: ({ file, place }) => [file.bits, place],
  kld: ({ file, place }) => [file.kld ?? 0, place],
  top: ({ file, place }) => [file.top, place],
  speed: ({ speed, place }) => [speed, place],
  memory: ({ file, place }) => [file.memory, place],
};

// Where more is better, so that the first click puts the best on top.
const HIGH = new Set(["speed", "top"]);

const value = (name) => {
  const field = form.elements[name];
  return field.type === "checkbox" ? field.checked : field.value.trim();
};

// The files that the form selects, ordered by the chosen column; files without a figure come last in both directions.
function select({ core, catalog }) {
  const asked = Object.fromEntries(NAMES.map((name) => [name, value(name)]));
  const device = catalog.deviceOf.get(asked.board);
  const most = Math.min(asked.memory === "" ? Infinity : Number(asked.memory) * 1e6, device ? device.free : Infinity);
  const words = asked.words.toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = [];
  catalog.files.forEach((file, place) => {
    const { release } = file;
    const speed = device
      ? core.speedOf(file, device, Math.min(catalog.rules.context_tokens, release.context), catalog)
      : null;
    const keep =
      (asked.yanked || !release.yanked) &&
      (!asked.beaten || !file.beaten) &&
      (!asked.task || release.task === asked.task) &&
      (!asked.language || release.languages.includes(asked.language)) &&
      (!asked.licence || release.licence === asked.licence) &&
      (!asked.type || file.type === asked.type) &&
      (!asked.measured || (speed ? speed.measured : file.valid.length > 0)) &&
      (most === Infinity || (file.memory !== null && file.memory <= most)) &&
      words.every((word) => file.search.includes(word));
    if (keep) chosen.push({ file, place, here: speed, speed: speed ? speed.typical : (file.valid[0]?.speed ?? null) });
  });
  const key = KEYS[sorted.by];
  const keyed = chosen.map((one) => [key(one), one]);
  const sign = sorted.up ? 1 : -1;
  keyed.sort(([a], [b]) => {
    if ((a[0] === null) !== (b[0] === null)) return a[0] === null ? 1 : -1;
    for (let i = 0; i < a.length; i++) {
      // The last key is the place in the catalog, which never changes.
      if (a[i] !== b[i]) return (a[i] < b[i] ? -1 : 1) * (i === a.length - 1 ? 1 : sign);
    }
    return 0;
  });
  return keyed.map(([, one]) => one);
}

function h(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, given] of Object.entries(attributes)) made.setAttribute(name, given);
  made.append(...children);
  return made;
}

const shortened = (text, length) => (text.length <= length ? text : `${text.slice(0, length - 1).trimEnd()}…`);

function speedWords({ file, here }, core, catalog) {
  if (here) return [here.measured ? "✓ " : "", here.words()];
  const [best] = file.valid;
  if (!best) return ["not measured"];
  const words = [shortened(`${core.rate(best.speed)} tokens/s on ${core.placeName(best.place, catalog)}, ${core.counted(best.threads, "thread")}${best.by && `, by ${best.by}`}`, 100)];
  if (best.evidence) words.push(" (", h("a", { href: root + best.evidence }, "evidence"), ")");
  if (file.valid.length > 1) words.push(` and ${file.valid.length - 1} more`);
  return words;
}

function row(one, { core, catalog }) {
  const { file } = one;
  const { release } = file;
  const right = (words) => h("td", {}, words);
  const name = h("a", { class: "zoo-tap", href: `${root}models/${encodeURIComponent(release.name)}/#files` }, release.name);
  const head = h("th", { scope: "row", class: "zoo-wide" }, name, ` ${release.version}`, h("br", {}), h("bdi", {}, shortened(file.type, 40)));
  if (release.experimental) head.append(h("br", {}), h("strong", { class: "zoo-experimental" }, "experimental"));
  if (release.yanked) head.append(h("br", {}), h("strong", { class: "zoo-yanked" }, "yanked"), " ", h("span", { class: "zoo-note" }, shortened(release.yanked, 300)));
  if (file.beaten) head.append(h("br", {}), h("span", { class: "zoo-note" }, file.beaten.why()));
  const base = release.source ? `made from ${release.source}` : "reference";
  const loss = file.kld === null ? base : core.lossWords(file).replace("mean KLD ", "").replace(" nats", "");
  return h(
    "tr",
    file.beaten || release.yanked ? { class: "zoo-beaten" } : {},
    head,
    h("td", { class: "t" }, h("bdi", {}, shortened(release.task, 60)), h("br", {}), h("bdi", { class: "zoo-note" }, shortened(release.languages.join(", ") || "–", 120))),
    h("td", { class: "t" }, h("bdi", {}, shortened(release.licence, 80))),
    right(core.dataSize(file.size)),
    right(core.figure(file.bits, 2)),
    right(file.kld === null ? base : `${core.general(file.top * 100, 4)} %`),
    right(loss),
    h("td", { class: "t zoo-wide" }, ...speedWords(one, core, catalog)),
    right(file.memory === null ? "not known" : core.dataSize(file.memory)),
  );
}

function append(all) {
  const { core } = all;
  const next = rows.slice(visible, visible + LISTED).map((one) => row(one, all));
  body.append(...next);
  visible += next.length;
  more.hidden = visible >= rows.length;
  const files = core.counted(rows.length, "file");
  found.textContent = visible < rows.length ? `${files}; the first ${core.count(visible)} are shown.` : `${files}.`;
  return next[0];
}

const speedHead = document.querySelector(".zoo-files th[data-sort=speed]");
const SPEED_WORDS = speedHead.textContent.trim();

// The column of speeds has predictions once a device is chosen.
function nameSpeeds({ catalog }) {
  const device = catalog.deviceOf.get(value("board"));
  speedHead.querySelector("button").firstChild.textContent = device ? `Decode speed on ${device.name}` : SPEED_WORDS;
}

async function show() {
  const memory = form.elements.memory;
  if (memory.value !== "" && !(Number(memory.value) > 0)) {
    found.textContent = "Maximum memory must be a positive number of MB. The rows below are unchanged.";
    return;
  }
  writeAddress();
  try {
    const all = await load();
    nameSpeeds(all);
    const start = performance.now();
    rows = select(all);
    visible = 0;
    body.replaceChildren();
    append(all);
    if (pages) pages.hidden = true;
    for (const head of heads) {
      const mine = head.dataset.sort === sorted.by;
      if (mine) head.setAttribute("aria-sort", sorted.up ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
    body.dataset.milliseconds = (performance.now() - start).toFixed(1);
  } catch (error) {
    found.textContent = `The table could not be filtered (${error.message}); the rows below are unchanged.`;
  }
}

function writeAddress() {
  const told = new URLSearchParams();
  for (const name of NAMES) {
    const given = value(name);
    if (given) told.set(name, given === true ? "1" : given);
  }
  if (sorted.by !== "name" || !sorted.up) told.set("sort", (sorted.up ? "" : "-") + sorted.by);
  const query = told.toString();
  history.replaceState(null, "", location.pathname + (query ? `?${query}` : ""));
}

function readAddress() {
  const told = new URLSearchParams(location.search);
  const unknown = [];
  let asks = false;
  for (const name of NAMES) {
    const given = told.get(name);
    const field = form.elements[name];
    if (given === null) continue;
    if (field.type === "checkbox") field.checked = given === "1";
    else if (field.tagName !== "SELECT" || [...field.options].some((one) => one.value === given)) field.value = given;
    else {
      unknown.push(`“${shortened(given, 40)}”`);
      continue;
    }
    asks = true;
  }
  const by = (told.get("sort") ?? "").replace("-", "");
  if (by in KEYS) {
    sorted = { by, up: !told.get("sort").startsWith("-") };
    asks = true;
  }
  problem.hidden = !unknown.length;
  problem.textContent = unknown.length ? `This link filters by ${unknown.join(" and ")}, which this catalog does not have. It was left out.` : "";
  return asks;
}

for (const head of heads) {
  const button = h("button", { type: "button", class: "zoo-sort" }, ...head.childNodes);
  button.addEventListener("click", () => {
    const by = head.dataset.sort;
    sorted = { by, up: sorted.by === by && head.hasAttribute("aria-sort") ? !sorted.up : !HIGH.has(by) };
    show();
  });
  head.append(button);
}

let pause = 0;
form.addEventListener("input", (event) => {
  clearTimeout(pause);
  pause = setTimeout(show, ["number", "search"].includes(event.target.type) ? 250 : 0);
});
form.addEventListener("submit", (event) => event.preventDefault());
more.addEventListener("click", async () => {
  const first = append(await load());
  first?.querySelector("a")?.focus();
});
document.querySelector(".zoo-reset").addEventListener("click", () => {
  form.reset();
  sorted = { by: "name", up: true };
  problem.hidden = true;
  show();
});
form.hidden = false;
if (readAddress()) show();
