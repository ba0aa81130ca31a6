// Which file to recommend: the rules of zoo/choose/pick.py, zoo/choose/roofline.py and zoo/choose/chooser.py again, for the browser.
// The figures of the rules come with the data, and a test compares every answer and sentence with those of Python.
// Nothing here touches the page.

// --- Numbers as Python writes them

// value with that many decimals; halves are rounded to the even digit, as Python's format does.
export function fixed(value, decimals) {
  if (Math.abs(value) >= 1e21) return grouped(BigInt(value).toString(), decimals ? "0".repeat(decimals) : undefined);
  const short = Math.abs(value).toFixed(decimals);
  const [whole, part] = Math.abs(value).toFixed(Math.min(decimals + 60, 100)).split(".");
  let text = short;
  if (part && /^50*$/.test(part.slice(decimals))) {
    const cut = decimals ? `${whole}.${part.slice(0, decimals)}` : whole;
    if ("02468".includes(cut.at(-1))) text = cut;
  }
  const said = grouped(...text.split("."));
  return value < 0 ? `-${said}` : said;
}

const grouped = (left, right) =>
  left.replace(/\B(?=(\d{3})+$)/g, ",") + (right === undefined ? "" : `.${right}`);

// Python's format "g" with that many digits.
export function general(value, digits = 6) {
  if (value === 0) return "0";
  const [mantissa, power] = value.toExponential(digits - 1).split("e");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= digits) {
    const bare = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
    return `${bare}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  const plain = value.toFixed(Math.max(digits - 1 - exponent, 0));
  return plain.includes(".") ? plain.replace(/\.?0+$/, "") : plain;
}

// --- Numbers for people: catalog/words.py once more

// From a quadrillion on no figure is a real one: powers keep a cell narrow.
export const figure = (value, decimals) => (Math.abs(value) < 1e15 ? fixed(value, decimals) : general(value, 3));

export const count = (number) => fixed(number, 0);
export const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

export function shortCount(number) {
  if (Math.abs(number) < 100000) return count(number);
  return Math.abs(number) < 999950000 ? `${figure(number / 1e6, 1)} million` : `${figure(number / 1e9, 2)} billion`;
}

export function rate(speed) {
  if (speed && !(Math.abs(speed) >= 0.01 && Math.abs(speed) < 1e6)) return general(speed, 2);
  return fixed(speed, speed < 9.995 ? 2 : 1);
}

// [below so many bytes, unit, its name, decimals]
const SIZES = [
  [999950, 1e3, "kB", 1],
  [999950000, 1e6, "MB", 1],
  [99995000000, 1e9, "GB", 2],
  [999950000000, 1e9, "GB", 1],
  [Infinity, 1e12, "TB", 2],
];

export function dataSize(bytes) {
  const size = Math.abs(bytes);
  if (size < 999.5) return counted(Number(fixed(bytes, 0)), "byte");
  const [, unit, name, decimals] = SIZES.find(([limit]) => size < limit || limit === Infinity);
  return `${figure(bytes / unit, decimals)} ${name}`;
}

export function nats(value) {
  const size = Math.abs(value);
  if (value === 0 || (size >= 0.001 && size < 1e4)) return fixed(value, 4).replaceAll(",", "");
  return size >= 1e-8 && size < 0.001 ? fixed(value, 1 - Number(size.toExponential(1).split("e")[1])) : general(value, 2);
}

export const lossWords = (file) =>
  file.kld === null ? "mean KLD 0 nats (the others are compared with it)" : `mean KLD ${nats(file.kld)} ± ${nats(file.se)} nats`;

const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

// The first difference of two lists of values.
function compare(some, others) {
  for (let i = 0; i < some.length; i++) {
    const found = order(some[i], others[i]);
    if (found) return found;
  }
  return 0;
}

const least = (list, key) =>
  list.reduce((best, one) => (best === undefined || compare(key(one), key(best)) < 0 ? one : best), undefined);

// --- The data, unpacked

// Signs that zoo/site/pages/packing.py puts into texts, and what they stand for.
const expanded = (text, parts) =>
  parts.reduce((made, part, place) => made.replaceAll(String.fromCharCode(place + 1), () => part), text);

// What is kept in memory in addition to the weights; null if that is not known.
function unpackedCache(value) {
  if (value === null) return null;
  const [full, windowed, windowTokens, state] = Array.isArray(value) ? value : [value, 0, 0, 0];
  return { full, windowed, windowTokens, state };
}

// The columns of chooser.json as objects. A release that was yanked has the reason in `yanked`.
export function unpack(data) {
  const { words, models, releases, files, speeds } = data;
  const { rules, devices, order, shares, run } = data;
  const catalog = { rules, devices, order, shares, run, ranked: new Map(), releases: [], files: [] };
  catalog.deviceOf = new Map(devices.map((device) => [device.id, device]));
  let next = 0;
  let measured = 0;
  releases.model.forEach((model, index) => {
    const name = models.name[model];
    const version = words[releases.version[index]];
    const repository = words[releases.repository[index]];
    const base = words[releases.base[index]];
    const release = {
      index,
      name,
      task: words[models.task[model]],
      languages: models.languages[model].map((one) => words[one]),
      version,
      yanked: words[releases.yanked[index]],
      licence: words[releases.licence[index]],
      parameters: releases.parameters[index],
      context: releases.context[index],
      vocabulary: releases.vocabulary[index],
      completes: releases.completes[index] === 1,
      source: words[releases.source[index]],
      experimental: models.experimental[model] === 1,
      hub: repository ? [expanded(repository, [name, version]), releases.commit[index]] : null,
      base: base === "folder" ? "" : base,
      folder: base === "folder",
      files: [],
    };
    for (let end = next + releases.files[index]; next < end; next++) {
      const type = words[files.type[next]];
      const file = {
        release,
        path: expanded(words[files.path[next]], [name, version, type]),
        type,
        ggml: words[files.ggml[next]] || null,
        size: files.size[next],
        bits: files.bits[next],
        read: files.read[next] ?? files.size[next],
        judged: files.judged[next] === 1,
        cache: unpackedCache(files.cache[next]),
        listed: files.listed[next],
        kld: files.kld[next],
        se: files.se[next],
        top: files.top[next],
        smoke: files.smoke[next] === 1,
        here: files.here[next],
        speeds: [],
      };
      for (let last = measured + files.speeds[next]; measured < last; measured++) {
        const place = words[speeds.place[measured]];
        const evidence = words[speeds.evidence[measured]];
        file.speeds.push({
          place,
          threads: speeds.threads[measured],
          speed: speeds.speed[measured],
          valid: speeds.valid[measured] === 1,
          evidence: evidence && expanded(evidence, [name, version, type, place]),
        });
      }
      release.files.push(file);
      catalog.files.push(file);
    }
    catalog.releases.push(release);
  });
  return catalog;
}

// A machine that the visitor describes; null if a figure is not valid.
export function custom(rules, memoryGb, bandwidthGbs) {
  const memory = Math.round(memoryGb * 2 ** 30);
  const speed = bandwidthGbs * 1e9;
  if (!(Number.isFinite(memory) && memory > 0 && speed > 0 && speed <= rules.most_bandwidth)) return null;
  const kept = Math.min(Math.max(Math.floor(memory / rules.reserve_share), rules.least_reserve_bytes), memory);
  return {
    id: "custom",
    name: `a machine with ${general(memory / 2 ** 30)} GB of memory, ${general(speed / 1e9)} GB/s`,
    free: memory - kept,
    bandwidth: [speed, speed, speed],
    single: true,
    cores: null,
    kernels: {},
  };
}

// --- Memory and speed

export function needBytes(file, context, rules) {
  const listed = file.listed && file.listed[context];
  if (listed) return listed;
  if (file.cache === null) return null;
  const logits = 4 * file.release.vocabulary * Math.min(rules.ubatch_tokens, context);
  return file.size + cacheBytes(file.cache, context, rules) + logits;
}

// What llama.cpp allocates: catalog.memory.cache_bytes.
function cacheBytes(cache, context, rules) {
  const cells = (tokens) => Math.ceil(tokens / rules.cell_tokens) * rules.cell_tokens;
  const full = cells(context);
  const windowed = cells(Math.min(full, cache.windowTokens + rules.ubatch_tokens));
  return cache.state + cache.full * full + cache.windowed * windowed;
}

const cacheRead = (cache, tokens) =>
  cache.state + cache.full * tokens + cache.windowed * Math.min(tokens, cache.windowTokens);

function bandwidths(device, file, rules) {
  const [low, typical, high] = device.bandwidth;
  const careful = device.single || device.kernels[file.ggml] === undefined;
  return [
    careful ? Math.min(low, typical / rules.caution) : low,
    typical,
    device.single ? Math.max(high, typical * rules.caution) : high,
  ];
}

// Infinite if the number of bytes that are read for a token is not known.
export const roof = (file, device, rules) =>
  file.judged ? bandwidths(device, file, rules)[2] / Math.max(file.read, 1) : Infinity;

export function predict(file, device, context, rules) {
  const weights = Math.max(file.read, 1);
  const read = weights + (file.cache ? cacheRead(file.cache, context / 2) : 0);
  const kernel = device.kernels[file.ggml];
  const cap = kernel !== undefined && device.cores ? kernel * device.cores : Infinity;
  const [low, typical, high] = bandwidths(device, file, rules).map((one) => Math.min(one / read, cap / weights));
  return { low, typical, high, roof: roof(file, device, rules) };
}

export const predictedWords = (one) =>
  `predicted ${rate(one.typical)} tokens/s (${rate(one.low)} to ${rate(one.high)})`;

const plausible = (speed, bound) => Number.isFinite(speed) && speed >= 0 && speed <= bound;

function implausibleWords(speed, bound) {
  if (!(Number.isFinite(speed) && speed >= 0)) return `${general(speed)} tokens/s is not a valid speed`;
  return (
    `The measured ${rate(speed)} tokens/s is implausible: the memory of this device can read the weights at most ` +
    `${rate(bound)} times per second, as its profile describes it`
  );
}

// Measured on exactly that device, else predicted; `words` says which.
export function speedOf(file, device, context, rules) {
  const prediction = predict(file, device, context, rules);
  const here = file.speeds.filter((one) => one.valid && one.place === device.id);
  here.sort((a, b) => b.speed - a.speed);
  const kept = here.find((one) => plausible(one.speed, prediction.roof));
  const refused = () => {
    const one = here.find((some) => !plausible(some.speed, prediction.roof));
    const before = one && (!kept || here.indexOf(one) < here.indexOf(kept));
    return before ? ` (a measurement is ignored: ${implausibleWords(one.speed, prediction.roof)})` : "";
  };
  if (kept) {
    const said = () =>
      `measured ${rate(kept.speed)} tokens/s on ${device.id} with ${counted(kept.threads, "thread")}${refused()}`;
    const { speed, evidence } = kept;
    return { measured: true, low: speed, typical: speed, high: speed, evidence, words: said };
  }
  const { low, typical, high } = prediction;
  return { measured: false, low, typical, high, evidence: 0, words: () => predictedWords(prediction) + refused() };
}

// --- Loss and domination

const loss = (file) => file.kld ?? 0;
const worse = (file, other) => file.kld !== null && file.kld - loss(other) > file.se + other.se;
const lossKey = (file) => [loss(file), file.size, file.path];

// "place, threads" -> the best valid speed that the memory allows.
function measuredOf(file, catalog) {
  file.measured ??= (() => {
    const found = new Map();
    for (const one of file.speeds) {
      const known = catalog.deviceOf.get(one.place);
      if (!one.valid || (known && one.speed > roof(file, known, catalog.rules))) continue;
      const key = JSON.stringify([one.place, one.threads]);
      found.set(key, { ...one, speed: Math.max(one.speed, found.get(key)?.speed ?? 0) });
    }
    return found;
  })();
  return file.measured;
}

function bothMeasured(file, other, only, catalog) {
  const [some, others] = [measuredOf(file, catalog), measuredOf(other, catalog)];
  const both = [...some.keys()].filter((key) => others.has(key) && (!only || some.get(key).place === only.id));
  const pairs = both.map((key) => [some.get(key), others.get(key)]);
  return pairs.sort(([a], [b]) => compare([a.place, a.threads], [b.place, b.threads]));
}

// Explains why a worse file is beaten; null if it is smaller and nowhere clearly slower.
function whyBeaten(file, other, only, catalog) {
  const against = () => `${lossWords(file)} against ${lossWords(other)}`;
  if (file.size > other.size)
    return () => `It is ${dataSize(file.size - other.size)} larger than ${other.path} and has a higher loss: ${against()}.`;
  if (file.size === other.size)
    return () => `It has the same size as ${other.path} (${dataSize(file.size)}) and a higher loss: ${against()}.`;
  const slower = bothMeasured(file, other, only, catalog).find(([one, faster]) => one.speed < catalog.rules.slower_share * faster.speed);
  if (!slower) return null;
  const [one, faster] = slower;
  return () =>
    `It has a higher loss than ${other.path}: ${against()}. It is also slower: measured ${rate(one.speed)} against ` +
    `${rate(faster.speed)} tokens/s on ${one.place} with ${counted(one.threads, "thread")}.`;
}

// File -> {by, why} for files that another one beats; with `only`, only speeds of that device count.
export function beaten(files, only, catalog) {
  const found = new Map();
  const ordered = [...files].sort((a, b) => compare(lossKey(a), lossKey(b)));
  for (const file of files) {
    for (const by of ordered) {
      const why = worse(file, by) ? whyBeaten(file, by, only, catalog) : null;
      if (why) {
        found.set(file, { by, why });
        break;
      }
    }
  }
  return found;
}

// --- One file of a release: zoo.choose.pick.pick

const free = (device) => `the ${dataSize(device.free)} that ${device.name} has free for a model`;

const tolerable = (file, rules) =>
  file.kld === null || (file.kld <= rules.tolerance_nats && file.top >= rules.tolerance_top);

function toleranceWords(rules) {
  const top = rules.tolerance_top > 0 ? ` and at least ${general(100 * rules.tolerance_top)} % same top token` : "";
  return `mean KLD of at most ${nats(rules.tolerance_nats)} nats${top}`;
}

// {file, need, speed, reason, rejected, runnersUp}: file is null if no file is usable. Sentences are functions, called when
// they are shown. rejected and runnersUp are lists of {file, why}.
export function pick(release, device, context, leastSpeed, catalog) {
  const { rules } = catalog;
  // A speed is computed only when it is needed: of a thousand models, most files do not fit a small board.
  const all = release.files.map((file) => ({
    file,
    need: needBytes(file, context, rules),
    get speed() {
      return (this.known ??= speedOf(file, device, context, rules));
    },
  }));
  const rejected = [];
  const fits = (one) => one.need !== null && one.need <= device.free;
  let usable = [];
  for (const one of all) {
    if (!fits(one)) rejected.push({ file: one.file, why: () => tooBig(one, device, context) });
    else if (leastSpeed !== null && one.speed.typical < leastSpeed)
      rejected.push({ file: one.file, why: () => tooSlow(one, leastSpeed) });
    else usable.push(one);
  }
  if (!usable.length) {
    const reason = () => nothing(all, fits, device, context, leastSpeed);
    return { file: null, need: null, speed: null, reason, rejected, runnersUp: [] };
  }
  const sound = usable.filter((one) => one.file.smoke);
  if (sound.length && sound.length < usable.length) {
    const why =
      `It failed the smoke test; ${sound.length} of the ${usable.length} usable files passed it.`;
    for (const one of usable) if (!one.file.smoke) rejected.push({ file: one.file, why: () => why });
    usable = sound;
  }
  const files = usable.map((one) => one.file);
  const here = beaten(files, device, catalog);
  const left = usable.filter((one) => !here.has(one.file));
  for (const file of files) if (here.has(file)) rejected.push({ file, why: here.get(file).why });
  const best = least(left, (one) => lossKey(one.file));
  const everywhere = beaten(files, null, catalog);
  const standing = left.filter((one) => !everywhere.has(one.file));
  let alike = standing.filter((one) => tolerable(one.file, rules));
  if (!alike.length) alike = standing.filter((one) => !worse(one.file, best.file));
  const chosen = least(alike, (one) => [one.file.size, ...lossKey(one.file)]) ?? best;
  const others = left.filter((one) => one !== chosen).sort((a, b) => compare(lossKey(a.file), lossKey(b.file)));
  return {
    file: chosen.file,
    need: chosen.need,
    speed: chosen.speed,
    reason: () => reason(chosen, best, usable.length, device, context, leastSpeed, rules),
    rejected,
    runnersUp: others.map((one) => ({ file: one.file, why: () => runnerUpWords(one, chosen.file) })),
  };
}

function tooBig(one, device, context) {
  if (one.need === null)
    return "Its memory need is not known: the catalog does not record the size of its KV cache.";
  return (
    `It does not fit: it needs a predicted ${dataSize(one.need)} at ${count(context)} tokens of context, ` +
    `${dataSize(one.need - device.free)} more than ${free(device)}.`
  );
}

const tooSlow = (one, leastSpeed) =>
  `It is too slow: ${one.speed.words()}, ${rate(leastSpeed - one.speed.typical)} below the minimum of ` +
  `${rate(leastSpeed)}.`;

function nothing(all, fits, device, context, leastSpeed) {
  const known = all.filter((one) => one.need !== null);
  const fitting = known.filter(fits);
  if (fitting.length && leastSpeed !== null) {
    const fastest = fitting.reduce((best, one) => (one.speed.typical > best.speed.typical ? one : best));
    return (
      `${counted(fitting.length, "file")} ${fitting.length === 1 ? "fits" : "fit"} on ${device.name}, but none is ` +
      `fast enough. The fastest is ${fastest.file.path}: ${fastest.speed.words()}, ` +
      `${rate(leastSpeed - fastest.speed.typical)} below the minimum of ${rate(leastSpeed)}.`
    );
  }
  if (!known.length)
    return `It is not known whether a file fits on ${device.name}: the catalog records no memory need.`;
  const nearest = least(known, (one) => [one.need, one.file.path]);
  return (
    `No file fits on ${device.name}. ${nearest.file.path} needs the least memory: a predicted ` +
    `${dataSize(nearest.need)} at ${count(context)} tokens of context, ` +
    `${dataSize(nearest.need - device.free)} more than ${free(device)}.`
  );
}

function reason(chosen, best, usable, device, context, leastSpeed, rules) {
  const { file } = chosen;
  const reach = leastSpeed === null ? "" : `${rate(leastSpeed)} tokens/s`;
  const fits = reach ? `fits, reaches ${reach}` : "fits";
  let choice =
    `${file.path} has the lowest loss of the ${usable} files that ${reach ? `fit and reach ${reach}` : "fit"}: ` +
    lossWords(file);
  if (usable === 1)
    choice = `${file.path} is the only file that ${reach ? `fits and reaches ${reach}` : "fits"}: ${lossWords(file)}`;
  else if (chosen !== best && tolerable(file, rules))
    choice =
      `${file.path} is the smallest file that ${fits}, is not beaten by another file, and is so close to the ` +
      `original that you are unlikely to notice a difference: ${lossWords(file)}, and its most probable next token ` +
      `is the same in ${fixed(100 * file.top, 1)} % of cases (limits: ${toleranceWords(rules)})`;
  else if (chosen !== best)
    choice =
      `${file.path} is the smallest file that ${fits}, is not beaten by another file, and has the lowest loss ` +
      `within the errors: ${lossWords(file)} against ${lossWords(best.file)} of ${best.file.path}`;
  const parts = [
    choice,
    `It needs a predicted ${dataSize(chosen.need)} at ${count(context)} tokens of context, less than ${free(device)}`,
    `Decode speed: ${chosen.speed.words()}`,
  ];
  if (!file.smoke) parts.push("It failed the smoke test");
  return `${parts.join(". ")}.`;
}

function runnerUpWords(one, taken) {
  const { file } = one;
  const difference = file.size - taken.size;
  const size = difference
    ? `${dataSize(Math.abs(difference))} ${difference > 0 ? "larger" : "smaller"} than the recommended file`
    : "the same size as the recommended file";
  let lost = "the same within the errors";
  if (worse(file, taken)) lost = "higher";
  else if (worse(taken, file)) lost = "lower";
  const smoke = file.smoke ? "" : " It failed the smoke test.";
  return `Its loss is ${lost}: ${lossWords(file)} against ${lossWords(taken)}. It is ${size}. Decode speed: ${one.speed.words()}.${smoke}`;
}

// --- One file of the catalog: zoo.choose.chooser.choose

// The releases in the catalog's order, for a language or any: {release, share}. share is [right, all] or null. Only the
// shares differ between languages; what they share is in the order that is the same for all.
export function rank(catalog, language) {
  if (!catalog.ranked.has(language)) {
    const found = catalog.shares[language === null ? "any" : `in ${language}`];
    const list = catalog.order.map((index, place) => ({
      release: catalog.releases[index],
      share: found?.total[place] ? [found.correct[place], found.total[place]] : null,
      // What guessing gives, of a model that is no better; else null.
      guessing: found?.guessing[place] ?? null,
    }));
    const worth = ({ release, share }) => (release.experimental ? 2 : share ? -share[0] / share[1] : 1);
    catalog.ranked.set(language, list.sort((a, b) => worth(a) - worth(b)));
  }
  return catalog.ranked.get(language);
}

// question: {device, context, leastSpeed, task, language}, null for anything.
export function choose(question, catalog) {
  const { task, language, context, device, leastSpeed } = question;
  const every = rank(catalog, language).filter(
    ({ release }) => (task === null || release.task === task) && (language === null || release.languages.includes(language)),
  );
  const asked = every.filter(({ release }) => !release.experimental);
  const good = [];
  const lossy = [];
  const guessing = [];
  let passed = [];
  for (const one of asked) {
    const { release } = one;
    if (context > release.context) {
      const why = () =>
        `Its context is at most ${count(release.context)} tokens; you asked for ${count(context)}.`;
      if (!good.length) passed.push({ ...one, why, pick: null });
      continue;
    }
    const found = pick(release, device, context, leastSpeed, catalog);
    if (!found.file) {
      if (!good.length) passed.push({ ...one, why: found.reason, pick: found });
      continue;
    }
    const offer = { ...one, pick: found };
    const why = one.guessing === null ? poor(found.file, catalog.rules) : () => chanceWords(one);
    if (why) {
      (one.guessing === null ? lossy : guessing).push(offer);
      if (!good.length) passed.push({ ...one, why, pick: found });
    } else {
      good.push(offer);
      if (good.length > catalog.rules.runners_up) break;
    }
  }
  const offers = good.length ? good : lossy.slice(0, catalog.rules.runners_up + 1);
  if (!offers.length) {
    const experiments = every.filter(({ release }) => release.experimental);
    for (const one of experiments) {
      const fits = context <= one.release.context;
      passed.push({ ...one, why: () => EXPERIMENTAL, pick: fits ? pick(one.release, device, context, leastSpeed, catalog) : null });
    }
    const reason = noGoodOne(question, guessing, experiments) ?? noModel(question, asked.length);
    return { answer: null, reason, runnersUp: [], passed, asked: asked.length };
  }
  const [answer, ...runnersUp] = offers;
  if (!good.length) passed = passed.slice(0, passed.findIndex((one) => one.release === answer.release));
  const said = chosenWords(answer, question, asked.length, good.length > 0, catalog.rules);
  return { answer, reason: said, runnersUp, passed, asked: asked.length };
}

const EXPERIMENTAL = "Its owners call it experimental.";

const chanceWords = ({ share, guessing }) =>
  `It answered ${count(share[0])} of ${count(share[1])} test questions correctly, and guessing gives about ${count(guessing)}.`;

function noGoodOne(question, guessing, experiments) {
  const start = `There is no good model${askedWords(question, 0).slice("the 0 models".length)} yet.`;
  if (guessing.length) return `${start} The nearest is ${guessing[0].release.name}. ${chanceWords(guessing[0])}`;
  return experiments.length ? `${start} The nearest is ${experiments[0].release.name}. ${EXPERIMENTAL}` : null;
}

function poor(file, rules) {
  const start = `Its best usable file, ${file.path}, `;
  if (!file.smoke) return () => `${start}failed the smoke test.`;
  if (file.kld === null || file.kld <= rules.loss_limit) return null;
  const lost = fixed(file.kld, 4).replaceAll(",", "");
  return () => `${start}has a mean KLD of ${lost} nats, more than the limit of ${general(rules.loss_limit)}.`;
}

function askedWords({ task, language }, number) {
  const start = number === 1 ? "the only model" : `the ${count(number)} models`;
  return start + (task ? ` for ${task}` : "") + (language ? ` in ${language}` : "");
}

export function standingWords({ release, share }) {
  const size = `${shortCount(release.parameters)} parameters`;
  if (!share) return size;
  const [right, all] = share;
  return `${count(right)} of ${count(all)} probe answers right (${fixed((100 * right) / all, 1)} %), ${size}`;
}

function chosenWords(answer, question, asked, good, rules) {
  const { name } = answer.release;
  const standing = standingWords(answer);
  const limit = general(rules.loss_limit);
  const fits = ["fits"];
  if (question.leastSpeed !== null) fits.push(`reaches ${rate(question.leastSpeed)} tokens/s`);
  if (good) fits.push("stays close to the original");
  let file = `a file that ${[fits.slice(0, -1).join(", "), fits.at(-1)].filter(Boolean).join(" and ")}`;
  if (good) file += ` (KLD of at most ${limit} nats)`;
  const poor = good ? "" : ` No such file passes the smoke test and has a KLD of at most ${limit} nats.`;
  if (asked === 1) return `${name} is ${askedWords(question, 1)} in this catalog (${standing}). It has ${file}.${poor}`;
  return `Of ${askedWords(question, asked)}, ${name} is the highest-ranked one with ${file}: ${standing}.${poor}`;
}

function noModel(question, asked) {
  if (!asked) return `The catalog has no model${askedWords(question, 0).slice("the 0 models".length)}.`;
  const start = askedWords(question, asked);
  const subject = asked === 1 ? start[0].toUpperCase() + start.slice(1) : `None of ${start}`;
  let none = asked === 1 ? "has no file that fits" : "has a file that fits";
  if (question.leastSpeed !== null) none += ` and reaches ${rate(question.leastSpeed)} tokens/s`;
  return `${subject} ${none} on ${question.device.name} at ${count(question.context)} tokens of context.`;
}
