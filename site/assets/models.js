// Filters and sorts the list of all models. The rows are those of the pages of the list; the other pages are fetched when
// somebody asks for something, and the data to choose from when somebody asks for a device. The question is part of the
// address.
const form = document.querySelector(".zoo-filter");
const body = document.querySelector(".zoo-models tbody");
const found = document.querySelector(".zoo-found");
const pages = document.querySelector(".zoo-table-pages");
const others = pages ? [...pages.querySelectorAll("a:not([aria-current])")] : [];
const first = body.innerHTML;

const NAMES = ["words", "board", "speed", "task", "language", "order"];
let rows;
let data;

async function every() {
  const own = [...body.rows];
  const read = async (link) => {
    const answer = await fetch(link.href);
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    // Its addresses are relative to it.
    for (const one of page.querySelectorAll(".zoo-models a")) one.href = new URL(one.getAttribute("href"), answer.url);
    return [...page.querySelectorAll(".zoo-models tbody tr")];
  };
  const more = (await Promise.all(others.map(read))).flat();
  return [...own, ...more];
}

async function chooserData() {
  const at = (path) => new URL(path, document.baseURI);
  const [core, answer] = await Promise.all([import(at(form.dataset.core)), fetch(at(form.dataset.data))]);
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  return { core, catalog: core.unpack(await answer.json()) };
}

// The models with a file that fits on a device, and that is fast enough there or, without a device, was measured to be.
async function running(board, least) {
  const { core, catalog } = await (data ??= chooserData().catch((error) => {
    data = undefined;
    throw error;
  }));
  const device = catalog.deviceOf.get(board);
  const suits = (file, release) => {
    if (!file.smoke) return false;
    if (!device) return file.speeds.some((one) => one.valid && one.speed >= least);
    const context = Math.min(catalog.rules.context_tokens, release.context);
    const need = core.needBytes(file, context, catalog.rules);
    return need !== null && need <= device.free && core.speedOf(file, device, context, catalog).typical >= least;
  };
  const some = catalog.releases.filter((one) => !one.yanked && one.files.some((file) => suits(file, one)));
  return new Set(some.map((one) => one.name));
}

const ORDERS = {
  name: (a, b) => (a.dataset.name < b.dataset.name ? -1 : 1),
  newest: (a, b) => (a.dataset.date < b.dataset.date ? 1 : a.dataset.date > b.dataset.date ? -1 : 0),
  smallest: (a, b) => a.dataset.bytes - b.dataset.bytes,
  parameters: (a, b) => a.dataset.parameters - b.dataset.parameters,
};

function asked() {
  const question = new URLSearchParams();
  for (const name of NAMES) {
    const { value } = form.elements[name];
    if (value && value !== "name") question.set(name, value);
  }
  return question;
}

async function show() {
  const question = asked();
  history.replaceState(null, "", question.size ? `?${question}` : location.pathname);
  if (!question.size && !rows) return;
  if (!question.size) {
    body.innerHTML = first;
    rows = undefined;
    if (pages) pages.hidden = false;
    found.textContent = found.dataset.words;
    return;
  }
  // Meanwhile somebody may have asked for something else.
  const isOld = () => asked().toString() !== question.toString();
  const board = question.get("board");
  const least = Number(question.get("speed") ?? 0);
  let [all, runs] = [];
  try {
    // Once for all questions that are asked meanwhile, of which the first may already have changed the table.
    rows ??= every().catch((error) => {
      rows = undefined;
      throw error;
    });
    all = await rows;
    runs = board || least > 0 ? await running(board, least) : undefined;
  } catch (error) {
    if (isOld()) return;
    found.textContent = `The other pages of the list could not be loaded: ${error.message}. Check the connection and try again.`;
    return;
  }
  if (isOld()) return;
  const words = (question.get("words") ?? "").toLowerCase().split(/\s+/);
  const matches = all.filter(
    ({ dataset, textContent }) =>
      (!runs || runs.has(dataset.name)) &&
      words.every((word) => textContent.toLowerCase().includes(word)) &&
      (!question.get("task") || dataset.task === question.get("task")) &&
      (!question.get("language") || dataset.languages.split(" ").includes(question.get("language"))),
  );
  body.replaceChildren(...matches.sort(ORDERS[question.get("order") ?? "name"] ?? ORDERS.name));
  if (pages) pages.hidden = true;
  found.textContent = matches.length === 1 ? "1 model" : matches.length ? `${matches.length} models` : "No model matches. Remove a condition.";
}

for (const [name, value] of new URLSearchParams(location.search)) {
  const field = form.elements[name];
  if (!field) continue;
  field.value = value;
  if (field.value !== value) field.value = "";
}
form.addEventListener("input", show);
form.addEventListener("submit", (event) => event.preventDefault());
form.hidden = false;
if (location.search) show();
