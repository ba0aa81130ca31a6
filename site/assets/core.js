// Which file to recommend: the rules of zoo/choose again, for the browser.
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

// One digit of the error, two if it begins with 1; the value to the same decimal.
export function plusMinus(value, error) {
  if (!error || !Number.isFinite(error)) return `${general(value, 4)} ± ${general(error)}`;
  const two = error.toExponential(1).startsWith("1");
  const power = Number(error.toExponential(two ? 1 : 0).split("e")[1]);
  const decimals = Math.min(Math.max(Number(two) - power, 0), 8);
  return `${fixed(value, decimals)} ± ${fixed(error, decimals)}`;
}

export const lossWords = (file) =>
  file.kld === null ? "mean KLD 0 nats (the others are compared with it)" : `mean KLD ${plusMinus(file.kld, file.se)} nats`;

// What a reader grasps comes first.
export const qualityWords = (file) => `${fixed(100 * file.top, 1)} % same next word, ${lossWords(file)}`;

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

// What is kept in memory in addition to the weights; null if that is not known. Files of one shape share it.
function unpackedCache(value, known) {
  if (value === null) return null;
  if (Array.isArray(value)) {
    const [full, windowed, windowTokens, state] = value;
    return { full, windowed, windowTokens, state };
  }
  let found = known.get(value);
  if (!found) known.set(value, (found = { full: value, windowed: 0, windowTokens: 0, state: 0 }));
  return found;
}

// The bytes of a commit as hexadecimal digits, as most are; others begin with a sign of their own.
const commitOf = (text) =>
  text[0] === "=" ? text.slice(1) : Array.from(atob(text), (one) => one.charCodeAt(0).toString(16).padStart(2, "0")).join("");

// Parameters times bits per weight, in bytes: packing.about.
function about(parameters, hundredths) {
  const product = parameters * hundredths;
  return product < 2 ** 53 ? (product - (product % 800)) / 800 : 0;
}

// A file at its place in the columns. All but what every question needs of every file is read there when it is asked for:
// of a thousand models, few are looked at closely. `measured` is the place of its first speed in the columns of all.
class File {
  constructor(release, data, at, caches, measured) {
    const { files } = data;
    this.release = release;
    this.data = data;
    this.at = at;
    this.measuredAt = measured;
    this.measuredEnd = measured + files.speeds[at];
    this.size = about(release.parameters, files.bits[at]) + files.size[at];
    this.read = files.read[at] ?? this.size;
    this.cache = unpackedCache(files.cache[at], caches);
  }

  get type() {
    return this.data.words[this.data.files.type[this.at]];
  }

  get path() {
    const { words, files } = this.data;
    return (this.named ??= expanded(words[files.path[this.at]], [this.release.name, this.release.version, this.type]));
  }

  get ggml() {
    return this.data.words[this.data.files.ggml[this.at]] || null;
  }

  get bits() {
    return this.data.files.bits[this.at] / 100;
  }

  get judged() {
    return this.data.files.judged[this.at] === 1;
  }

  get listed() {
    return this.data.files.listed[this.at];
  }

  get kld() {
    return this.data.files.kld[this.at];
  }

  get se() {
    return this.data.files.se[this.at];
  }

  get top() {
    return this.data.files.top[this.at];
  }

  get smoke() {
    return this.data.files.smoke[this.at] === 1;
  }

  get here() {
    return this.data.files.here[this.at];
  }

  get speeds() {
    if (!this.unpacked) {
      const { speeds, words } = this.data;
      this.unpacked = [];
      for (let at = this.measuredAt; at < this.measuredEnd; at++) this.unpacked.push(new Speed(this, speeds, words, at));
    }
    return this.unpacked;
  }
}

class Speed {
  constructor(file, columns, words, at) {
    this.file = file;
    this.place = words[columns.place[at]];
    this.threads = columns.threads[at];
    this.speed = columns.speed[at];
    this.valid = columns.valid[at] === 1;
    this.packed = words[columns.evidence[at]];
    this.by = words[columns.by[at]];
  }

  get evidence() {
    const { name, version } = this.file.release;
    return this.packed && expanded(this.packed, [name, version, this.file.type, this.place]);
  }
}

// The columns of chooser.json as objects. A release that was yanked has the reason in `yanked`.
export function unpack(data) {
  const { words, models, releases, files } = data;
  const { rules, devices, order, shares, run } = data;
  const catalog = { rules, devices, order, shares, run, ranked: new Map(), releases: [], files: [] };
  catalog.deviceOf = new Map(devices.map((device) => [device.id, device]));
  const caches = new Map();
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
      get hub() {
        return repository ? [expanded(repository, [name, version]), commitOf(releases.commit[index])] : null;
      },
      base: base === "folder" ? "" : base,
      folder: base === "folder",
      files: [],
    };
    for (let end = next + releases.files[index]; next < end; next++) {
      const file = new File(release, data, next, caches, measured);
      measured = file.measuredEnd;
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
    reserve: kept,
    sisters: [],
    fixed: rules.token_seconds,
    bandwidth: [speed, speed, speed],
    single: true,
    cores: null,
    kernels: {},
  };
}

// --- Memory and speed

// Bytes that a KV cache of that type takes, of those that it takes in 16 bits: catalog.memory.KV_TYPES.
const kvShare = (kv, rules) => rules.kv_types[kv];

export function needBytes(file, context, rules, kv = rules.kv_type) {
  const listed = file.listed && file.listed[context];
  if (listed) {
    if (kv === rules.kv_type) return listed;
    if (file.cache === null) return null;
    return listed - cacheBytes(file.cache, context, rules, rules.kv_type) + cacheBytes(file.cache, context, rules, kv);
  }
  if (file.cache === null) return null;
  return file.size + cacheBytes(file.cache, context, rules, kv) + logitsBytes(file, context, rules);
}

const logitsBytes = (file, context, rules) => 4 * file.release.vocabulary * Math.min(rules.ubatch_tokens, context);

// What llama.cpp allocates: catalog.memory.cache_bytes.
function cacheBytes(cache, context, rules, kv) {
  const share = kvShare(kv, rules);
  const full = cells(context, rules);
  const windowed = cells(Math.min(full, cache.windowTokens + rules.ubatch_tokens), rules);
  return cache.state + Math.ceil(((cache.full * full + cache.windowed * windowed) * share[0]) / share[1]);
}

const cells = (tokens, rules) => Math.ceil(tokens / rules.cell_tokens) * rules.cell_tokens;

function cacheRead(cache, tokens, rules, kv) {
  const share = kvShare(kv, rules);
  return cache.state + ((cache.full * tokens + cache.windowed * Math.min(tokens, cache.windowTokens)) * share[0]) / share[1];
}

// What a file takes of a device's memory: {system, weights, cache, buffer, free} in bytes; free may be negative.
export function memoryParts(file, need, device, context, rules) {
  const buffer = Math.min(logitsBytes(file, context, rules), need - file.size);
  return { system: device.reserve, weights: file.size, cache: need - file.size - buffer, buffer, free: device.free - need };
}

export const isRoomy = (need, device, rules) => need <= rules.roomy_share * device.free;

function bandwidths(device, file, rules) {
  const [low, typical] = device.bandwidth;
  const careful = device.single || device.kernels[file.ggml] === undefined;
  return [
    careful ? Math.min(low, typical / rules.caution) : low,
    typical,
    highest(device, rules),
  ];
}

const highest = ({ single, bandwidth }, rules) =>
  single ? Math.max(bandwidth[2], bandwidth[1] * rules.caution) : bandwidth[2];

// Infinite if the number of bytes that are read for a token is not known.
export const roof = (file, device, rules) =>
  file.judged ? highest(device, rules) / Math.max(file.read, 1) : Infinity;

// Tokens per second with that bandwidth and fixed time per token.
function predictedWith(bandwidth, fixed, file, device, context, rules, kv) {
  const weights = Math.max(file.read, 1);
  const read = weights + (file.cache ? cacheRead(file.cache, context / 2, rules, kv) : 0);
  const kernel = device.kernels[file.ggml];
  const cap = kernel !== undefined && device.cores ? kernel * device.cores : Infinity;
  return 1 / (Math.max(read / bandwidth, weights / cap) + fixed);
}

export function predict(file, device, context, rules, kv = rules.kv_type) {
  const speed = (bandwidth, fixed) => predictedWith(bandwidth, fixed, file, device, context, rules, kv);
  const { fixed } = device;
  const [slow, usual, fast] = bandwidths(device, file, rules);
  const [low, typical, high] = [speed(slow, fixed * rules.cost_spread), speed(usual, fixed), speed(fast, fixed / rules.cost_spread)];
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

// The name of a known device, else its id.
export const placeName = (id, catalog) => catalog.deviceOf.get(id)?.name ?? id;

// Valid speeds of the device, then of those with the same processor and bandwidth; of each the fastest first.
function measuredHere(file, device) {
  const valid = file.speeds.filter((one) => one.valid).sort((a, b) => b.speed - a.speed);
  return [
    ...valid.filter((one) => one.place === device.id),
    ...valid.filter((one) => device.sisters.includes(one.place)),
  ];
}

// Measured on that device or one of its kind, else predicted; `words` says which.
export function speedOf(file, device, context, catalog, kv = catalog.rules.kv_type) {
  const prediction = predict(file, device, context, catalog.rules, kv);
  const here = file.measuredAt < file.measuredEnd ? measuredHere(file, device) : [];
  const kept = here.find((one) => plausible(one.speed, prediction.roof));
  const refused = () => {
    const one = here.find((some) => !plausible(some.speed, prediction.roof));
    const before = one && (!kept || here.indexOf(one) < here.indexOf(kept));
    return before ? ` (a measurement is ignored: ${implausibleWords(one.speed, prediction.roof)})` : "";
  };
  if (kept) {
    const kin = kept.place === device.id ? "" : " (same processor)";
    const said = () =>
      `measured ${rate(kept.speed)} tokens/s on ${placeName(kept.place, catalog)}${kin}, ` +
      `${counted(kept.threads, "thread")}${kept.by && `, by ${kept.by}`}${refused()}`;
    const { speed, evidence } = kept;
    return { measured: true, low: speed, typical: speed, high: speed, evidence, words: said };
  }
  const { low, typical, high } = prediction;
  return { measured: false, low, typical, high, evidence: 0, words: () => predictedWords(prediction) + refused() };
}

// What speedOf calls typical, without the rest: a question asks it of every file that fits.
function typicalOf(file, device, context, rules, kv) {
  let own = -1;
  let kin = -1;
  if (file.measuredAt < file.measuredEnd) {
    const bound = roof(file, device, rules);
    const { words, speeds } = file.data;
    for (let at = file.measuredAt; at < file.measuredEnd; at++) {
      const speed = speeds.speed[at];
      const place = words[speeds.place[at]];
      if (speeds.valid[at] !== 1 || !plausible(speed, bound)) continue;
      if (place === device.id) own = Math.max(own, speed);
      else if (device.sisters.includes(place)) kin = Math.max(kin, speed);
    }
  }
  if (own >= 0) return own;
  return kin >= 0 ? kin : predictedWith(device.bandwidth[1], device.fixed, file, device, context, rules, kv);
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
    `${rate(faster.speed)} tokens/s on ${placeName(one.place, catalog)}, ${counted(one.threads, "thread")}.`;
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

// --- The files of a release for a question: zoo.choose.candidates

// A minimum speed that every file reaches.
const ANY_SPEED = Number.MIN_VALUE;

// What somebody asks of one model: {device, context, leastSpeed, kv}; a leastSpeed of null prefers reading speed.
const quickOf = (wish, rules) => wish.leastSpeed ?? rules.reading_speed;

// Speeds are computed only when they are needed: of a thousand models, most files do not fit a small board.
function candidates(release, wish, catalog) {
  const { rules } = catalog;
  return release.files.map((file) => {
    const need = needBytes(file, wish.context, rules, wish.kv);
    return {
      file,
      need,
      good: isGood(file, rules),
      fits: need !== null && need <= wish.device.free,
      sound: file.smoke,
      roomy: need !== null && isRoomy(need, wish.device, rules),
      get speed() {
        return (this.known ??= speedOf(file, wish.device, wish.context, catalog, wish.kv));
      },
      get quick() {
        return this.speed.typical >= quickOf(wish, rules);
      },
    };
  });
}

// From the best to the last resort; only the quick ones count for somebody who asks for a speed.
const LEVELS = [
  { roomy: true, quick: true },
  { roomy: true, quick: false },
  { roomy: false, quick: true },
  { roomy: false, quick: false },
];
const levelsOf = (wish) => (wish.leastSpeed === null ? LEVELS : LEVELS.filter((level) => level.quick));

const atLevel = (level, all) => all.filter((one) => one.sound && (level.roomy ? one.roomy : one.fits) && (!level.quick || one.quick));

function usableOf(all, wish) {
  let first = null;
  for (const level of levelsOf(wish)) {
    const some = atLevel(level, all);
    if (some.some((one) => one.good)) return { level, some };
    if (some.length) first ??= { level, some };
  }
  return first;
}

// --- One file of a release: zoo.choose.pick

const free = (device) => `the ${dataSize(device.free)} that ${device.name} has free for a model`;

const tolerable = (file, rules) =>
  file.kld === null || (file.kld <= rules.tolerance_nats && file.top >= rules.tolerance_top);

function toleranceWords(rules) {
  const top = rules.tolerance_top > 0 ? `at least ${general(100 * rules.tolerance_top)} % same next word and a ` : "";
  return `${top}mean KLD of at most ${nats(rules.tolerance_nats)} nats`;
}

// {file, need, speed, level, reason, rejected, runnersUp}: file is null if no file is usable. Sentences are functions, called
// when they are shown. rejected and runnersUp are lists of {file, why}.
export function pick(release, wish, catalog) {
  const all = candidates(release, wish, catalog);
  const found = usableOf(all, wish);
  if (found) return explained(found.level, found.some, all, wish, catalog);
  const rejected = all.map((one) => ({ file: one.file, why: () => rejectedWords(one, wish, LEVELS[0], catalog.rules) }));
  const reason = () => nothing(all, wish, catalog.rules);
  return { file: null, need: null, speed: null, level: null, reason, rejected, runnersUp: [] };
}

function chooseAt(level, some, wish, catalog) {
  const { rules } = catalog;
  const files = some.map((one) => one.file);
  const here = beaten(files, wish.device, catalog);
  const left = some.filter((one) => !here.has(one.file));
  const best = least(left, (one) => lossKey(one.file));
  const everywhere = beaten(files, null, catalog);
  const standing = left.filter((one) => !everywhere.has(one.file));
  let alike = standing.filter((one) => tolerable(one.file, rules));
  if (!alike.length) alike = standing.filter((one) => !worse(one.file, best.file) && (one.good || !best.good));
  let chosen = least(alike, (one) => [one.file.size, ...lossKey(one.file)]) ?? best;
  const good = left.filter((one) => one.good);
  if (!level.quick && good.length) chosen = least(good, (one) => [-one.speed.typical, ...lossKey(one.file)]);
  return { chosen, best, here, left };
}

function explained(level, some, all, wish, catalog) {
  const { rules } = catalog;
  const { chosen, best, here, left } = chooseAt(level, some, wish, catalog);
  const rejected = all
    .filter((one) => !some.includes(one))
    .map((one) => ({ file: one.file, why: () => rejectedWords(one, wish, level, rules) }));
  for (const { file } of some) if (here.has(file)) rejected.push({ file, why: here.get(file).why });
  const others = left.filter((one) => one !== chosen).sort((a, b) => compare(lossKey(a.file), lossKey(b.file)));
  return {
    file: chosen.file,
    need: chosen.need,
    speed: chosen.speed,
    level,
    reason: () => reason({ chosen, best, usable: some, all, level }, wish, rules),
    rejected,
    runnersUp: others.map((one) => ({ file: one.file, why: () => runnerUpWords(one, chosen.file) })),
  };
}

// The good files between the best and the fastest: Shelf.points.
function points(release, wish, catalog) {
  const found = [];
  let leastSpeed = ANY_SPEED;
  for (;;) {
    const one = pick(release, { ...wish, leastSpeed }, catalog);
    if (!one.file || !isGood(one.file, catalog.rules)) break;
    found.push(one);
    leastSpeed = above(one.speed.typical);
  }
  const asked = { ...wish, leastSpeed: ANY_SPEED };
  const all = candidates(release, asked, catalog);
  const some = atLevel(LEVELS[2], all).filter((one) => one.good);
  if (some.length && !chooseAt(LEVELS[2], some, asked, catalog).chosen.roomy) {
    const tight = explained(LEVELS[2], some, all, asked, catalog);
    const [first] = found;
    if (!first || (worse(first.file, tight.file) && !tolerable(first.file, catalog.rules))) found.unshift(tight);
  }
  return found;
}

const isGood = (file, rules) => file.smoke && (file.kld === null || file.kld <= rules.loss_limit);

// The next larger number: math.nextafter.
function above(value) {
  const bits = new BigInt64Array(new Float64Array([value]).buffer);
  bits[0] += 1n;
  return new Float64Array(bits.buffer)[0];
}

// --- The sentences of zoo.choose.reasons

const target = (leastSpeed, rules) =>
  leastSpeed === null ? `reading speed (${general(rules.reading_speed)} tokens/s)` : `${rate(leastSpeed)} tokens/s`;

function rejectedWords(one, wish, level, rules) {
  const { device, context, leastSpeed } = wish;
  if (one.need === null)
    return "Its memory need is not known: the catalog does not record the size of its KV cache.";
  if (!one.fits)
    return (
      `It does not fit: it needs a predicted ${dataSize(one.need)} at ${count(context)} tokens of context, ` +
      `${dataSize(one.need - device.free)} more than ${free(device)}.`
    );
  if (!one.sound) return "It failed the smoke test.";
  if (level.quick && !one.quick)
    return (
      `It is too slow: ${one.speed.words()}, ${rate(quickOf(wish, rules) - one.speed.typical)} below ` +
      `${target(leastSpeed, rules)}.`
    );
  return `It fits, but it is tight: it leaves ${dataSize(device.free - one.need)} of ${free(device)}.`;
}

function nothing(all, wish, rules) {
  const { device, context, leastSpeed } = wish;
  const sound = all.filter((one) => one.sound);
  if (!sound.length)
    return all.length === 1
      ? `The only file of this model, ${all[0].file.path}, failed the smoke test.`
      : `All ${count(all.length)} files of this model failed the smoke test.`;
  const passed = sound.length === all.length ? "" : " that passed the smoke test";
  const known = sound.filter((one) => one.need !== null);
  const fitting = known.filter((one) => one.fits);
  if (fitting.length) {
    const fastest = fitting.reduce((best, one) => (one.speed.typical > best.speed.typical ? one : best));
    return (
      `${counted(fitting.length, "file")}${passed} ${fitting.length === 1 ? "fits" : "fit"} on ${device.name}, but none is ` +
      `fast enough. The fastest is ${fastest.file.path}: ${fastest.speed.words()}, ` +
      `${rate(quickOf(wish, rules) - fastest.speed.typical)} below ${target(leastSpeed, rules)}.`
    );
  }
  if (!known.length)
    return `It is not known whether a file${passed} fits on ${device.name}: the catalog records no memory need.`;
  const nearest = least(known, (one) => [one.need, one.file.path]);
  return (
    `No file${passed} fits on ${device.name}. ${nearest.file.path} needs the least memory: a predicted ` +
    `${dataSize(nearest.need)} at ${count(context)} tokens of context, ` +
    `${dataSize(nearest.need - device.free)} more than ${free(device)}.`
  );
}

const joined = (words) => [words.slice(0, -1).join(", "), words.at(-1)].filter(Boolean).join(" and ");

function choiceWords(found, wish, rules) {
  const { chosen, best, usable } = found;
  const { file } = chosen;
  const start = slowWords(found, wish, rules);
  if (start && chosen.good) return `${start}${file.path} is the fastest that stays close to its source: ${qualityWords(file)}`;
  const such = suchWords(found, wish, rules);
  const listed = such.map(([single]) => single).join(", ");
  if (usable.length === 1)
    return `${start}${file.path} is the only file that ${joined(such.map(([single]) => single))}: ${qualityWords(file)}`;
  if (chosen !== best && tolerable(file, rules))
    return (
      `${start}${file.path} is the smallest file that ${listed}, is not beaten by another file, and is so close to ` +
      `its source that you are unlikely to notice a difference: ${qualityWords(file)} ` +
      `(limits: ${toleranceWords(rules)})`
    );
  if (chosen !== best)
    return (
      `${start}${file.path} is the smallest file that ${listed}, is not beaten by another file, and has the lowest ` +
      `loss within the errors: ${lossWords(file)} against ${lossWords(best.file)} of ${best.file.path}`
    );
  return (
    `${start}${file.path} has the lowest loss of the ${usable.length} files that ` +
    `${joined(such.map(([, plural]) => plural))}: ${qualityWords(file)}`
  );
}

// That no file is fast enough, if that is so.
function slowWords(found, wish, rules) {
  if (found.level.quick) return "";
  const such = suchWords(found, wish, rules).map(([single]) => single);
  if (found.usable.some((one) => one.quick)) such.push("stays close to its source");
  return `No file of this model that ${joined(such)} reaches ${target(wish.leastSpeed, rules)}. `;
}

// What the files to choose from have in common, each said of one and of several. Nothing is left out for which another file
// was ruled out.
function suchWords({ chosen, usable, all, level }, wish, rules) {
  let others = all.filter((one) => !usable.includes(one) && (one.fits || one.need === null));
  if (level.quick) others = others.filter((one) => one.quick);
  else if (chosen.good) others = others.filter((one) => one.speed.typical > chosen.speed.typical);
  const such = [];
  const known = others.filter((one) => one.need !== null);
  if (known.some((one) => !one.sound)) such.push(["passed the smoke test", "passed the smoke test"]);
  const room = known.some((one) => one.sound) ? " with room to spare" : "";
  const verbs = known.length < others.length ? ["is known to fit", "are known to fit"] : ["fits", "fit"];
  such.push(verbs.map((verb) => verb + room));
  const reach = target(wish.leastSpeed, rules);
  if (level.quick && wish.leastSpeed !== ANY_SPEED) such.push([`reaches ${reach}`, `reach ${reach}`]);
  return such;
}

function reason(found, wish, rules) {
  const { device, context } = wish;
  const { chosen, level } = found;
  const need = `It needs a predicted ${dataSize(chosen.need)} at ${count(context)} tokens of context`;
  const room = level.roomy
    ? `less than ${free(device)}`
    : `which is tight: it leaves ${dataSize(device.free - chosen.need)} of ${free(device)}`;
  const parts = [
    choiceWords(found, wish, rules),
    `${need}, ${room}`,
    `Decode speed: ${chosen.speed.words()}`,
  ];
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
  return `Its loss is ${lost}: ${lossWords(file)} against ${lossWords(taken)}. It is ${size}. Decode speed: ${one.speed.words()}.`;
}

// --- One file of the catalog: zoo.choose.ranking and zoo.choose.chooser

// The releases in the catalog's order, for a language or any: {release, share, guessing, tier}. share is [right, all] or
// null. Only shares and tiers differ between languages; the rest of the order is the same for all.
export function rank(catalog, language) {
  if (!catalog.ranked.has(language)) {
    const found = catalog.shares[language === null ? "any" : `in ${language}`] ?? catalog.shares.none;
    const list = catalog.order.map((index, place) => ({
      release: catalog.releases[index],
      share: found.total[place] ? [found.correct[place], found.total[place]] : null,
      // What guessing gives, of a model that is no better; else null.
      guessing: found.guessing[place] ?? null,
      begins: found.begins[place],
    }));
    const worth = ({ release, share }) => (release.experimental ? 2 : share ? -share[0] / share[1] : 1);
    let tier = -1;
    for (const one of list.sort((a, b) => worth(a) - worth(b))) one.tier = tier += one.begins;
    catalog.ranked.set(language, list);
  }
  return catalog.ranked.get(language);
}

const matching = ({ task, language }, catalog) =>
  rank(catalog, language).filter(
    ({ release }) => (task === null || release.task === task) && (language === null || release.languages.includes(language)),
  );

// Shelf.standing; null if the context is too long for the model. The answers to one question are kept, because the line
// needs those of the choice again.
function standing(release, wish, catalog) {
  const found = (wish.standings ??= standingsOf(wish, catalog));
  let known = found.get(release);
  if (known === undefined) found.set(release, (known = worked(release, wish, catalog)));
  return known;
}

function standingsOf(wish, catalog) {
  const key = `${wish.device.id} ${wish.device.name} ${wish.context} ${wish.kv}`;
  if (catalog.standings?.key !== key) catalog.standings = { key, found: new Map() };
  return catalog.standings.found;
}

function worked(release, wish, catalog) {
  if (wish.context > release.context) return null;
  const { rules } = catalog;
  const { device, context, kv } = wish;
  // Tokens per second of the fastest file; of those that are not good, -1 if there is none.
  const found = { roomy: 0, fitting: 0, poor: -1, broken: false };
  for (const file of release.files) {
    const need = needBytes(file, context, rules, kv);
    if (need === null || need > device.free) continue;
    if (!file.smoke) {
      found.broken = true;
      continue;
    }
    const speed = typicalOf(file, device, context, rules, kv);
    if (isGood(file, rules)) {
      found.fitting = Math.max(found.fitting, speed);
      if (isRoomy(need, device, rules)) found.roomy = Math.max(found.roomy, speed);
    } else found.poor = Math.max(found.poor, speed);
  }
  return found;
}

// {level, ordered}; level is null for files that are not good. null if nothing answers.
function find(asked, wish, catalog) {
  const quick = quickOf(wish, catalog.rules);
  const some = [];
  for (const one of asked) {
    const found = one.guessing === null ? standing(one.release, wish, catalog) : null;
    if (found) some.push({ one, found });
  }
  for (const level of levelsOf(wish)) {
    const speed = ({ found }) => (level.roomy ? found.roomy : found.fitting);
    const fit = some.filter((each) => speed(each) > 0 && (!level.quick || speed(each) >= quick));
    fit.sort((a, b) => (level.quick ? a.one.tier - b.one.tier : 0) || speed(b) - speed(a));
    if (fit.length) return { level, ordered: fit.map(({ one }) => one) };
  }
  const poor = some.filter(({ found }) => found.poor >= (wish.leastSpeed ?? 0));
  return poor.length ? { level: null, ordered: poor.map(({ one }) => one) } : null;
}

// question: {device, context, leastSpeed, task, language, kv}, null for anything; kv is 16 bits unless it is given.
export function choose(question, catalog) {
  const { rules } = catalog;
  const wish = { kv: rules.kv_type, ...question };
  const every = matching(question, catalog);
  const asked = every.filter(({ release }) => !release.experimental);
  const found = find(asked, wish, catalog);
  if (!found) {
    const reason = noneWords(question, every, asked, wish, catalog);
    return { answer: null, reason, runnersUp: [], passed: passedOf(every, wish, catalog), asked: asked.length };
  }
  const [first] = found.ordered;
  const offers = found.ordered.slice(0, rules.runners_up + 1).map((one) => ({ ...one, pick: pick(one.release, wish, catalog) }));
  const equal = found.ordered.filter((one) => one.tier === first.tier).length - 1;
  const taken = new Set(found.ordered);
  const skipped = asked.filter((one) => one.tier < first.tier && !taken.has(one));
  const [answer, ...runnersUp] = offers;
  const reason = answerWords(first, found.level, asked.length, first.share ? equal : 0, wish, rules);
  return { answer, reason, runnersUp, passed: passedOf(skipped, wish, catalog), asked: asked.length };
}

// The files between the fastest and the best, of all models. `choice` is the answer without a minimum speed, if it is known.
export function line(question, catalog, choice = choose({ ...question, leastSpeed: null }, catalog)) {
  const wish = { kv: catalog.rules.kv_type, ...question, leastSpeed: null };
  const tiers = new Map();
  for (const one of matching(question, catalog)) {
    if (one.release.experimental || one.guessing !== null) continue;
    const found = standing(one.release, wish, catalog);
    if (!found?.fitting) continue;
    const best = tiers.get(one.tier);
    if (!best || compare([-found.roomy, -found.fitting], [-best.found.roomy, -best.found.fitting]) < 0) tiers.set(one.tier, { one, found });
  }
  let made = [];
  let fastest = 0;
  for (const { one, found } of [...tiers.values()].sort((a, b) => a.one.tier - b.one.tier)) {
    if (found.fitting < fastest * catalog.rules.faster) continue;
    const enough = fastest * catalog.rules.faster;
    for (const each of points(one.release, wish, catalog)) if (each.speed.typical >= enough) made.push({ ...one, pick: each });
    fastest = Math.max(fastest, ...made.map((each) => each.pick.speed.typical));
  }
  const { answer } = choice;
  if (answer && isGood(answer.pick.file, catalog.rules)) {
    const at = made.findIndex((each) => each.pick.file === answer.pick.file);
    if (at >= 0) made[at] = answer;
    else {
      made.push(answer);
      made.sort((a, b) => a.tier - b.tier || a.pick.speed.typical - b.pick.speed.typical);
    }
  }
  return made.reverse();
}

// The marks of the line: [name, step]. Beyond "practically the same" no file of that model is noticeably better.
export function marks(line, catalog) {
  const { rules } = catalog;
  const found = [];
  const slow = line.findIndex((one) => one.pick.speed.typical < rules.reading_speed);
  const reading = slow < 0 ? line.length - 1 : slow - 1;
  if (reading >= 0) found.push(["reading speed", reading]);
  const best = line.at(-1)?.release;
  const same = line.findIndex((one) => one.release === best && tolerable(one.pick.file, rules));
  if (same >= 0) found.push(["practically the same", same]);
  return found;
}

// --- The sentences of zoo.choose.saying

const EXPERIMENTAL = "Its owners call it experimental.";
const BROKEN = "Each of its files that fit failed the smoke test.";

const aimWords = ({ task, language }) => (task ? ` for ${task}` : "") + (language ? ` in ${language}` : "");

const chanceWords = ({ share, guessing }) =>
  `It answered ${count(share[0])} of ${count(share[1])} test questions correctly, and guessing gives about ${count(guessing)}.`;

export function standingWords({ release, share }) {
  const size = `${shortCount(release.parameters)} parameters`;
  if (!share) return size;
  const [right, all] = share;
  return `${count(right)} of ${count(all)} test questions right (${fixed((100 * right) / all, 1)} %), ${size}`;
}

function answerWords(first, level, asked, equal, wish, rules) {
  const { name } = first.release;
  const stands = standingWords(first);
  const limit = general(rules.loss_limit);
  const reach = target(wish.leastSpeed, rules);
  let fits = ["fits"];
  let end = "";
  let start = "";
  let file = "";
  if (level === null) {
    if (wish.leastSpeed !== null) fits.push(`reaches ${reach}`);
    file = `a file that ${joined(fits)}`;
    end = ` No such file has a KLD of at most ${limit} nats.`;
  } else {
    if (level.quick) fits.push(`reaches ${reach}`);
    else start = `No good file reaches ${reach} on ${wish.device.name}. `;
    fits.push("stays close to its source");
    file = `a file that ${joined(fits)} (KLD of at most ${limit} nats)`;
    if (!level.roomy) end = " No such file leaves room to spare.";
  }
  if (asked === 1) return `${start}${name} is the only model${aimWords(wish)} that this catalog recommends (${stands}). It has ${file}.${end}`;
  const what = level === null || level.quick ? "the best one with" : "the fastest one with";
  let others = "";
  if (equal && level?.quick)
    others =
      ` The tests cannot tell it apart from ${equal === 1 ? "one other model" : `${count(equal)} other models`} with such ` +
      `a file; it is the fastest of them.`;
  return `${start}Of the ${count(asked)} models${aimWords(wish)}, ${name} is ${what} ${file}: ${stands}.${others}${end}`;
}

function noneWords(question, every, asked, wish, catalog) {
  const start = `There is no good model${aimWords(question)} yet. The nearest is`;
  for (const one of asked) {
    const found = one.guessing === null ? null : standing(one.release, wish, catalog);
    if (found && (found.fitting || found.poor >= 0)) return `${start} ${one.release.name}. ${chanceWords(one)}`;
  }
  for (const one of asked) {
    const found = standing(one.release, wish, catalog);
    if (found?.broken && !found.fitting && found.poor < 0) return `${start} ${one.release.name}. ${BROKEN}`;
  }
  if (every.length > asked.length) return `${start} ${every[asked.length].release.name}. ${EXPERIMENTAL}`;
  if (!asked.length) return `The catalog has no model${aimWords(question)}.`;
  const subject = asked.length === 1 ? "The only model" : `None of the ${count(asked.length)} models`;
  let file = asked.length === 1 ? "has no file that fits" : "has a file that fits";
  if (wish.leastSpeed !== null) file += ` and reaches ${target(wish.leastSpeed, catalog.rules)}`;
  return `${subject}${aimWords(question)} ${file} on ${wish.device.name} at ${count(wish.context)} tokens of context.`;
}

// Why models were skipped, the nearest miss first: a list of {release, why, pick}.
function passedOf(some, wish, catalog) {
  const keyed = some.map((one) => [missOf(one, wish, catalog), one]);
  keyed.sort(([a], [b]) => compare(a, b));
  return keyed.map(([, one]) => ({
    ...one,
    get pick() {
      return (this.picked ??= wish.context <= one.release.context ? [pick(one.release, wish, catalog)] : [null])[0];
    },
    why() {
      return skippedWords(one, this.pick, wish, catalog.rules);
    },
  }));
}

function skippedWords(one, found, wish, rules) {
  if (one.release.experimental) return EXPERIMENTAL;
  if (!found) return `Its context is at most ${count(one.release.context)} tokens; you asked for ${count(wish.context)}.`;
  const { file } = found;
  if (!file) return found.reason();
  if (one.guessing !== null) return chanceWords(one);
  const start = `Its best usable file, ${file.path},`;
  if (file.kld !== null && file.kld > rules.loss_limit) {
    const lost = fixed(file.kld, 4).replaceAll(",", "");
    return `${start} has a mean KLD of ${lost} nats, more than the limit of ${general(rules.loss_limit)}.`;
  }
  return found.reason();
}

// By which factor a model misses the nearest thing that is asked for: saying.miss.
function missOf(one, wish, catalog) {
  const { release } = one;
  if (release.experimental) return [1, 0];
  if (wish.context > release.context) return [0, wish.context / Math.max(release.context, 1)];
  const { rules } = catalog;
  const { device, context, kv } = wish;
  let nearest = Infinity;
  for (const file of release.files) {
    const need = needBytes(file, context, rules, kv);
    if (need === null) continue;
    const room = need / Math.max(rules.roomy_share * device.free, 1);
    const speed = room <= 1 ? typicalOf(file, device, context, rules, kv) : 0;
    nearest = Math.min(nearest, Math.max(room, speed > 0 ? quickOf(wish, rules) / speed : 1, 1));
  }
  return [0, nearest];
}

// --- Sampling

const SAMPLED = {
  "general.sampling.temp": "temperature",
  "general.sampling.top_k": "top_k",
  "general.sampling.top_p": "top_p",
  "general.sampling.min_p": "min_p",
  "general.sampling.penalty_repeat": "repeat_penalty",
};

// How a model is sampled: as its file's header says, where llama.cpp's converter puts the source's generation config,
// else as its card says, else with the defaults of llama.cpp. `by` is file, card or empty.
export function samplingOf(header, card) {
  const figures = {};
  for (const [key, name] of Object.entries(SAMPLED)) {
    const given = Number.parseFloat(header[key]);
    if (Number.isFinite(given) && given >= 0) figures[name] = given;
  }
  if (Object.keys(figures).length) return { by: "file", figures };
  return card ? { by: "card", figures: card.figures, source: card.source } : { by: "", figures: {} };
}
