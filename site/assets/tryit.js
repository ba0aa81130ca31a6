// Loads a file of the catalog into llama.cpp (wllama) and chats with it. Only small JSON is fetched before the visitor
// asks for more, and a file runs only if its sha256 is the catalog's.
const form = document.querySelector(".zoo-try");
const find = (name) => document.querySelector(`.zoo-${name}`);
const { root } = form.dataset;
const MOST = Number(form.dataset.most);
const CONTEXT = 2048;
const ANSWER = 256;
// The engine looks for a request to stop between two batches; small ones make it look several times a second.
const BATCH = 16;
// As is_address in zoo/choose/commands.py.
const REACHED = /^(https:\/\/|http:\/\/(127\.0\.0\.1|localhost)[:/])/;
// As in zoo/choose/pick.py: a file that is practically the same as the original.
const TOLERANCE_NATS = 0.02;
const engineUrl = (path) => new URL(`engine/${path}`, document.baseURI).href;
const fields = form.elements;
let site = null;
let release = null;
let wllama = null;
let loading = null;
let answering = null;
let messages = [];
let full = false;
let sampling = {};
const defaults = find("sampling").innerHTML;

const state = (text) => (find("state").textContent = text);
const { counted, dataSize, samplingOf } = await import(new URL(form.dataset.core, document.baseURI));

// Invisible characters are written out, as in zoo/site/pages/text.py.
const visible = (text) =>
  text.replace(/(?![\n\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu, (one) => {
    const code = one.codePointAt(0).toString(16);
    return code.length > 4 ? `\\U${code.padStart(8, "0")}` : `\\u${code.padStart(4, "0")}`;
  });

async function json(path) {
  const answer = await fetch(new URL(path, document.baseURI));
  if (!answer.ok) throw new Error(`${path} could not be loaded: HTTP status ${answer.status}`);
  return answer.json();
}

// --- Which files can be tried

const yanked = (model, version) => model.yanks?.filter((one) => one.version === version).at(-1)?.action === "yank";

async function chooseModel(wanted) {
  const name = fields.model.value;
  fields.file.replaceChildren();
  find("load").disabled = true;
  try {
    site ??= await json(form.dataset.site);
    const version = fields.model.selectedOptions[0].dataset.version;
    const [model] = (await json(`${root}models/${encodeURIComponent(name)}/model.json?v=${version}`)).models;
    if (name !== fields.model.value) return;
    release = model.releases.find((one) => !yanked(model, one.version));
    for (const file of release.files) {
      const mark = hindrance(file) ? " (cannot be loaded here)" : "";
      fields.file.add(new Option(`${visible(file.type).slice(0, 40)}, ${dataSize(file.size_bytes)}${mark}`, file.path));
    }
    fields.file.value = release.files.some((file) => file.path === wanted) ? wanted : usual(release.files).path;
    chooseFile();
  } catch (error) {
    state(`The list of files could not be read: ${error.message}`);
  }
}

// Of the files that can be loaded, the smallest that is practically the same as the original, else the closest one.
function usual(files) {
  const loss = (file) => file.loss?.kld_mean_nats ?? 0;
  const loadable = files.filter((file) => !hindrance(file));
  const some = loadable.length ? loadable : files;
  const close = some.filter((file) => loss(file) <= TOLERANCE_NATS);
  const least = (list, value) => list.reduce((a, b) => (value(b) < value(a) ? b : a));
  return close.length ? least(close, (file) => file.size_bytes) : least(some, loss);
}

const chosen = () => release.files.find((file) => file.path === fields.file.value);

// Where to load the file from: this site, or its hub at the exact commit.
function address(file) {
  const name = fields.model.value;
  const here = `download/${name}/${release.version}/${file.path}`;
  if (site.files.includes(here)) return new URL(root + here.split("/").map(encodeURIComponent).join("/"), document.baseURI).href;
  const { hub, model } = release.location;
  if (!REACHED.test(hub) || release.location.access) return null;
  return `${hub.replace(/\/$/, "")}/${model.name}/resolve/${model.commit}/${file.path.split("/").map(encodeURIComponent).join("/")}`;
}

// Why a file cannot be tried, or null.
function hindrance(file) {
  if (typeof WebAssembly !== "object") return "This browser has no WebAssembly, so it cannot run a model. The page of the model shows commands to run it without a browser.";
  if (!site.engine) return `This site has no engine to run models. Its owner can add one: run ${site.how} and then zoo site build`;
  if (file.size_bytes > MOST) return `A file of ${dataSize(file.size_bytes)} is too large for WebAssembly.`;
  if (release.location.access)
    return `Not everybody can download this release (${release.location.access}). The page of the model says what to do.`;
  if (!address(file) && release.location.access)
    return "Not everybody may download this release, so the page cannot load it. The page of the model says what to do.";
  if (!address(file))
    return "This site does not have the file, and it is in a folder hub, which a browser cannot reach. The owner of the site can add it: run zoo site build --with-files 200";
  return null;
}

function needs(file) {
  const known = file.memory.filter((one) => one.context_tokens <= CONTEXT);
  return known.length ? Math.max(...known.map((one) => one.bytes)) : file.size_bytes;
}

function chooseFile() {
  const file = chosen();
  const why = hindrance(file);
  const query = new URLSearchParams({ model: fields.model.value, file: file.path });
  history.replaceState(null, "", `${location.pathname}?${query}`);
  find("load").disabled = Boolean(why);
  find("load").textContent = `Load ${dataSize(file.size_bytes)}`;
  const tight = navigator.deviceMemory && needs(file) > (navigator.deviceMemory * 2 ** 30) / 2;
  const memory = `It needs about ${dataSize(needs(file))} of memory${tight ? ", more than half of this machine's memory, so loading may fail" : ""}.`;
  state(why ?? memory);
}

// --- Loading

// The bytes of the file as a Blob, hashed while they arrive. Throws an Error that says what happened.
async function download(file, signal) {
  const { sha256 } = await import(engineUrl("noble-hashes/sha2.js"));
  const answer = await fetch(address(file), { signal });
  if (!answer.ok) throw new Error(`the hub returned HTTP status ${answer.status}`);
  const hash = sha256.create();
  const parts = [];
  let received = 0;
  const start = performance.now();
  for (const reader = answer.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    received += value.length;
    if (received > file.size_bytes) {
      await reader.cancel();
      throw new Error(`the file is larger than the ${dataSize(file.size_bytes)} in the catalog`);
    }
    hash.update(value);
    parts.push(value);
    find("progress").value = received / file.size_bytes;
    const speed = received / (Math.max(performance.now() - start, 1) / 1e3);
    state(`${dataSize(received)} of ${dataSize(file.size_bytes)}, ${dataSize(speed)}/s`);
  }
  if (received < file.size_bytes) throw new Error(`the connection ended after ${dataSize(received)} of ${dataSize(file.size_bytes)}`);
  const digest = [...hash.digest()].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return { blob: new Blob(parts), digest };
}

function showProof(digest, wanted) {
  const same = digest === wanted;
  find("proof").hidden = false;
  find("digest").textContent = digest;
  find("verdict").textContent = same ? "✓ the same" : `different from ${wanted}, so the file is refused`;
  if (!same) find("here").textContent = "nothing ran";
  return same;
}

async function start(blob) {
  const { Wllama } = await import(engineUrl("wllama/index.js"));
  // A worker that crashes writes to the log and then never answers, so an error in the log ends the loading.
  let fail;
  const failed = new Promise((_, reject) => (fail = reject));
  failed.catch(() => {});
  const error = (...words) => fail(new Error(`llama.cpp could not load the file (${words.map((one) => one?.message ?? one).join(" ")})`));
  const quiet = { debug() {}, log() {}, warn() {}, error };
  wllama = new Wllama({ default: engineUrl("wllama/wllama.wasm") }, { suppressNativeLog: true, logger: quiet });
  // For browsers without the newest WebAssembly; without this, the engine would fetch them from another host.
  wllama.setCompat({ worker: engineUrl("wllama-compat/wllama.js"), wasm: engineUrl("wllama-compat/wllama.wasm") });
  const threads = crossOriginIsolated ? Math.max(1, Math.floor(navigator.hardwareConcurrency / 2)) : 1;
  const ready = wllama.loadModel([blob], {
    n_ctx: Math.min(CONTEXT, release.architecture.context_tokens),
    n_threads: threads,
    n_gpu_layers: 0,
    n_parallel: 1,
    n_batch: BATCH,
    n_ubatch: BATCH,
  });
  await Promise.race([ready, failed]);
  // The engine does not always report this itself.
  if (!(wllama.getLoadedContextInfo().n_vocab > 0)) throw new Error("llama.cpp cannot read this file");
  useSampling(wllama.getModelMetadata().meta);
  return threads;
}

// The figures of the file or of the model's card, and words that say whose they are.
function useSampling(header) {
  const { card } = fields.model.selectedOptions[0].dataset;
  const { by, figures, source } = samplingOf(header, card ? JSON.parse(card) : null);
  sampling = figures;
  const said = Object.entries(figures).map(([name, figure]) => `${name.replace("_", "-")} ${Number(figure.toFixed(4))}`);
  if (!by) find("sampling").innerHTML = defaults;
  else if (by === "file") find("sampling").textContent = `${said.join(", ")}, as the file's header says`;
  else {
    const link = document.createElement("a");
    link.href = source;
    link.rel = "nofollow";
    link.textContent = "the model's card";
    find("sampling").replaceChildren(`${said.join(", ")}, as `, link, " says");
  }
}

async function load() {
  const file = chosen();
  const abort = new AbortController();
  loading = abort;
  // Before the engine ends, which may take a second: another model chosen meanwhile has another address.
  for (const name of ["model", "file"]) fields[name].disabled = true;
  find("load").disabled = true;
  await unload();
  find("cancel").hidden = false;
  find("progress").hidden = false;
  try {
    const { blob, digest } = await download(file, abort.signal);
    find("cancel").hidden = true;
    if (!showProof(digest, file.sha256)) {
      state("The downloaded file is not the one in the catalog, so it was not run. Please report this to the owner of this zoo.");
      return;
    }
    state("Starting llama.cpp …");
    const threads = await start(blob);
    state(`${file.path} is ready, with ${counted(threads, "thread")}.`);
    find("chat").hidden = false;
    document.querySelector("#zoo-words").focus();
  } catch (error) {
    await unload();
    state(
      abort.signal.aborted
        ? "Cancelled. Nothing was kept."
        : `This failed: ${error.message}. Nothing was kept. Try another file or browser, or use the commands on the page of the model.`,
    );
  } finally {
    loading = null;
    for (const name of ["model", "file"]) fields[name].disabled = false;
    find("load").disabled = false;
    find("cancel").hidden = true;
    find("progress").hidden = true;
  }
}

async function unload() {
  answering?.abort();
  const old = wllama;
  wllama = null;
  forget();
  find("chat").hidden = true;
  find("proof").hidden = true;
  find("here").textContent = "not measured yet";
  // If the engine hangs, the page must not.
  await Promise.race([old?.exit().catch(() => {}), new Promise((done) => setTimeout(done, 1000))]);
}

// --- Chatting

function bubble(who, text) {
  const made = document.createElement("p");
  const name = document.createElement("strong");
  const words = document.createElement("span");
  name.textContent = `${who}: `;
  words.textContent = text;
  words.dir = "auto";
  made.className = "zoo-message";
  made.append(name, words);
  find("log").append(made);
  made.scrollIntoView({ block: "nearest" });
  return words;
}

const note = (text) => (find("said").textContent = text);

function forget() {
  messages = [];
  full = false;
  note("");
  find("log").replaceChildren();
}

const contextSize = () => wllama.getLoadedContextInfo().n_ctx;

function fill() {
  full = true;
  note(`The conversation is full: this page keeps ${contextSize()} tokens. Press "Clear chat" to start again.`);
}

async function say(text) {
  const told = messages;
  const question = { role: "user", content: text };
  told.push(question);
  const asked = bubble("You", text);
  note("");
  const words = bubble("Model", "");
  const abort = new AbortController();
  answering = abort;
  find("stop").disabled = false;
  find("log").setAttribute("aria-busy", "true");
  let tokens = 0;
  let first = 0;
  let end = "";
  let used = 0;
  const begin = performance.now();
  find("here").textContent = "reading the messages …";
  const tell = () => {
    if (tokens < 2) return;
    const speed = (1000 * (tokens - 1)) / (performance.now() - first);
    find("here").textContent = `${speed.toFixed(1)} tokens/s, first token after ${((first - begin) / 1000).toFixed(1)} s`;
  };
  try {
    const chunks = await wllama.createChatCompletion({
      messages: told,
      stream: true,
      max_tokens: ANSWER,
      ...sampling,
      return_progress: true,
      timings_per_token: true,
      abortSignal: abort.signal,
    });
    for await (const chunk of chunks) {
      const { prompt_progress: reading, timings } = chunk;
      if (reading && !first) find("here").textContent = `reading the messages, ${reading.processed} of ${reading.total} tokens …`;
      if (timings) used = timings.cache_n + timings.prompt_n + timings.predicted_n;
      end = chunk.choices?.[0]?.finish_reason ?? end;
      const part = chunk.choices?.[0]?.delta?.content;
      if (!part) continue;
      first ||= performance.now();
      tokens += 1;
      words.textContent += part;
      tell();
    }
  } catch (error) {
    if (/exceeds the available context/.test(error.message)) {
      refuse(told, question, [asked, words]);
    } else if (!abort.signal.aborted) {
      words.textContent += ` [The answer failed: ${error.message}]`;
    }
  } finally {
    if (tokens < 2) find("here").textContent = "not measured";
    if (told.includes(question)) told.push({ role: "assistant", content: words.textContent });
    if (abort.signal.aborted) words.textContent += " [stopped]";
    else if (end === "length") cut(words, used);
    answering = null;
    find("stop").disabled = true;
    find("log").setAttribute("aria-busy", "false");
  }
}

// The answer ended at a limit: of its own length, or of the conversation.
function cut(words, used) {
  if (used >= contextSize() - 1) {
    words.textContent += " [cut off: the conversation is full]";
    fill();
  } else words.textContent += ` [cut off after ${ANSWER} tokens; ask it to continue]`;
}

// A message that does not fit goes back to the field, and the conversation stays as it was.
function refuse(told, question, spans) {
  told.splice(told.indexOf(question), 1);
  for (const span of spans) span.parentElement.remove();
  const field = document.querySelector("#zoo-words");
  if (!field.value) field.value = question.content;
  if (told.length) fill();
  else note(`The message is too long: this page keeps ${contextSize()} tokens. Shorten it.`);
}

// --- The page

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!loading && release && !find("load").disabled) load();
});
fields.model.addEventListener("change", () => chooseModel());
fields.file.addEventListener("change", chooseFile);
find("cancel").addEventListener("click", () => loading?.abort());
find("stop").addEventListener("click", () => answering?.abort());
find("forget").addEventListener("click", () => {
  answering?.abort();
  forget();
  document.querySelector("#zoo-words").focus();
});
find("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = document.querySelector("#zoo-words");
  const text = field.value.trim();
  if (!wllama) return note("The model is not loaded any more. Press Load.");
  if (answering) return note("The model is still answering. Press Stop, or wait, then send your message.");
  if (!text) return note("Write a message first.");
  if (full) return fill();
  field.value = "";
  say(text);
});
document.querySelector("#zoo-words").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  find("say").requestSubmit();
});

const asked = new URLSearchParams(location.search);
const options = [...fields.model.options];
if (options.some((one) => one.value === asked.get("model"))) fields.model.value = asked.get("model");
else fields.model.value = (options.find((one) => !one.dataset.away) ?? options[0]).value;
form.hidden = false;
chooseModel(asked.get("file"));
