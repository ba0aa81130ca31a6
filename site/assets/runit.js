// The tabs "Run it" of an answer that the browser computed: the same as zoo/site/pages/runit.py makes. The table of
// programs comes with the data, and a test compares both sides. `page` is {h, core, run, root}: what makes elements,
// core.js, the data about running, and the way to the site's root.

const HUB = "https://huggingface.co";
const PLAIN = /^[A-Za-z0-9][A-Za-z0-9._/+-]*$/;
const QUANT = /^(I?Q[0-9]\w*|B?F16|F32)$/;
const isPlain = (text) => PLAIN.test(text) && !text.includes("..");

const holds = (needs, facts) =>
  needs.split(" ").filter(Boolean).every((word) => (word.startsWith("!") ? !facts.has(word.slice(1)) : facts.has(word)));

const filled = (text, values) => text.replace(/\{(\w+)\}/g, (all, name) => (Object.hasOwn(values, name) ? values[name] : all));

const baseOf = (release) => (release.hub ? `${HUB}/${release.hub[0]}/resolve/${release.hub[1]}/` : release.base);

// Like tryUrl of zoo/site/pages/links.py.
const tryUrl = (name, path) => `try/?model=${encodeURIComponent(name)}&file=${encodeURIComponent(path)}`;

function factsOf(file, device, { run }) {
  const { release, here } = file;
  const base = baseOf(release);
  const addressed = Boolean(run.address);
  const reached = Boolean(base) || (here > 0 && addressed);
  const known = {
    chat: !release.completes,
    quant: QUANT.test(file.type),
    hf: Boolean(release.hub) && !here,
    url: reached && !file.path.includes("/"),
    link: Boolean(base) || here > 0,
    zoo: addressed && (here === 2 || (Boolean(base) && !here)),
    folder: release.folder && !here,
    browser: run.engine && (here > 0 || Boolean(base)) && file.size <= run.most_tried,
    program: Boolean(run.program),
    desktop: !device.small,
  };
  return new Set([...Object.keys(known).filter((word) => known[word]), ...device.systems ?? Object.keys(run.systems)]);
}

function valuesOf(file, context, systems, { core, run, kv }) {
  const { release, path, type, here } = file;
  const { name, version } = release;
  const base = baseOf(release);
  const link = here ? `download/${name}/${version}/${path}` : base && `${base}${path}`;
  return {
    name,
    version,
    type,
    path,
    size: core.dataSize(file.size),
    context: String(context),
    cache: kv && kv !== "f16" ? ` -fa on -ctk ${kv} -ctv ${kv}` : "",
    repository: release.hub ? release.hub[0] : "",
    tag: QUANT.test(type) ? type : path,
    link,
    url: here ? `${run.address}${link}` : link,
    sums: run.address ? `${run.address}models/${name}/${version}/SHA256SUMS` : `${base}SHA256SUMS`,
    from: run.address,
    try: tryUrl(name, path),
    program: run.program,
    extra: base && !here ? "[hub]" : "",
    ok: `OK${systems.includes("windows") ? ", on Windows with True" : ""}`,
  };
}

// What to do with a file: [{id, title, steps: [{words, url, blocks: [[system, text]], once, shared}]}].
export function tabs(file, context, device, page) {
  const { name, version } = file.release;
  if (![name, version, file.type, file.path].every(isPlain)) return [];
  const facts = factsOf(file, device, page);
  const systems = device.systems ?? Object.keys(page.run.systems);
  const values = valuesOf(file, context, systems, page);
  return page.run.table
    .filter((one) => holds(one.needs, facts))
    .map(({ id, title, steps }) => ({ id, title, steps: steps.flatMap((step) => said(step, facts, values, systems)) }));
}

function said(step, facts, values, systems) {
  if (!holds(step.needs, facts)) return [];
  const blocks = Object.entries(step.lines)
    .filter(([system]) => !system || systems.includes(system))
    .map(([system, lines]) => [system, filled(lines.join("\n"), values)]);
  if (!blocks.length && Object.keys(step.lines).length) return [];
  return [{ words: filled(step.words, values), url: filled(step.link, values), blocks, once: step.once, shared: step.shared }];
}

function block([system, text], { h }) {
  return h(
    "div",
    system ? { class: "zoo-command", "data-system": system } : { class: "zoo-command" },
    h("pre", {}, h("code", {}, text)),
    h("button", { type: "button", class: "zoo-copy" }, "Copy"),
  );
}

function step({ words, url, blocks, once }, page) {
  const { h, root } = page;
  const lines = blocks.map((one) => block(one, page));
  if (once) return [h("details", {}, h("summary", {}, `Once: ${words}`), lines)];
  const link = url.startsWith("http") ? { href: url, rel: "nofollow" } : { href: root + url };
  return [h("p", {}, url ? h("a", { class: "zoo-tap", ...link }, words) : words), ...lines];
}

function radio(h, name, value, checked, attributes = {}) {
  const made = h("input", { type: "radio", name, value, ...attributes });
  made.checked = checked;
  return made;
}

// The tabs as an element; null if nothing works. `open` and `system` are the choices of the tabs before.
export function fragment(file, context, device, page, { open, system } = {}) {
  const { h, run } = page;
  const found = tabs(file, context, device, page);
  if (!found.length) return null;
  const systems = device.systems ?? Object.keys(run.systems);
  const first = (list, wanted) => (list.includes(wanted) ? wanted : list[0]);
  const shown = first(found.map(({ id }) => id), open);
  const on = first(systems, system);
  const choice = systems.map((id) => h("label", {}, radio(h, "run-system", id, id === on), ` ${run.systems[id]}`));
  const isShared = (one) => one.shared;
  const names = found.flatMap(({ id, title, steps }) => [
    radio(h, "run-with", id, id === shown, { id: `run-${id}`, ...(steps.some(isShared) ? { "data-fetch": "" } : {}) }),
    h("label", { for: `run-${id}` }, title),
  ]);
  // What several tabs begin with, the download, is there once; the last tab has all of it.
  const shared = found.at(-1).steps.filter(isShared).flatMap((one) => step(one, page));
  const panels = found.map(({ steps }) =>
    h("div", { class: "zoo-tab" }, steps.filter((one) => !one.shared).flatMap((one) => step(one, page))),
  );
  return h(
    "fieldset",
    { class: "zoo-run" },
    h("legend", {}, "Run it"),
    systems.length > 1 ? h("div", { class: "zoo-systems" }, choice) : null,
    h("div", { class: "zoo-tabs" }, names, shared.length ? h("section", { class: "zoo-fetch" }, shared) : null, panels),
  );
}
