// Searches models, pages and documents with lunr (MIT licence). It loads its lists when the first search needs them.
"use strict";

let documents = [];
let index;
let loading;

const ENTITIES = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&amp;": "&" };
const plain = (html) =>
  html.replace(/<[^>]*>/g, " ").replace(/&(?:lt|gt|quot|#39|amp);/g, (one) => ENTITIES[one]).replace(/\s+/g, " ").trim();

// Readers' pages before those of maintainers.
const boost = ({ kind, location }) => (kind === "Model" ? 2 : location.startsWith("guide/") ? 1.5 : 1);

async function json(address, options) {
  const answer = await fetch(address, options);
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  return answer.json();
}

async function load({ lunr: script, folder }) {
  // The lists change with the catalog. Only their versions are asked for each time; a list comes from the browser's cache.
  const versions = await json(`${folder}versions.json`, { cache: "no-cache" });
  const names = ["catalog.json", "search_index.json"].filter((name) => name in versions);
  const found = await Promise.all(names.map(async (name) => (await json(`${folder}${name}?v=${versions[name]}`)).docs));
  importScripts(script);
  // Names are found by their parts: smollm2, 135m, instruct. Types such as Q4_K_M stay in one.
  lunr.tokenizer.separator = /[\s\-/.,:;()?!"“”]+/;
  const titles = new Map();
  documents = found.flat().map(({ location, title, text, kind = "" }) => {
    const [path] = location.split("#");
    if (path === location) titles.set(path, plain(title));
    return { location, title: plain(title), page: titles.get(path) ?? "", text: plain(text), kind };
  });
  index = lunr(function () {
    this.ref("number");
    this.field("title", { boost: 10 });
    this.field("page", { boost: 3 });
    this.field("text");
    documents.forEach(({ title, page, text, ...rest }, number) => this.add({ number, title, page, text }, { boost: boost(rest) }));
  });
}

function words(text) {
  const tokens = lunr.tokenizer(text.toLowerCase()).map(String);
  const meaning = tokens.filter((one) => lunr.stopWordFilter(new lunr.Token(one, {})));
  return meaning.length ? meaning : tokens;
}

function search(text) {
  const asked = words(text);
  const results = index.query((query) => {
    asked.forEach((one, place) => {
      query.term(one, { boost: 10 });
      // The last word may not be complete yet; a longer one may be misspelt.
      if (place === asked.length - 1) query.term(one, { usePipeline: false, wildcard: lunr.Query.wildcard.TRAILING });
      if (one.length > 4) query.term(one, { boost: 0.5, editDistance: 1 });
    });
  });
  return results.slice(0, 10).map(({ ref }) => shown(documents[ref], asked));
}

// The part of a text around the first word that was asked for.
function shown({ location, title, page, text, kind }, asked) {
  const places = asked.map((one) => text.toLowerCase().indexOf(one)).filter((place) => place >= 0);
  const start = Math.max(0, Math.min(...places, text.length) - 40);
  const from = places.length && start > 0 ? text.indexOf(" ", start) + 1 : 0;
  const part = text.slice(from, from + 130);
  const cut = from + 130 < text.length ? `${part.slice(0, part.lastIndexOf(" "))} …` : part;
  return { location, title, where: kind || (page === title ? "" : page), text: `${from ? "… " : ""}${cut}` };
}

onmessage = async ({ data }) => {
  const { number, text } = data;
  try {
    loading ??= load(data);
    await loading;
    postMessage({ number, found: search(text) });
  } catch (error) {
    loading = undefined;
    postMessage({ number, failed: error.message });
  }
};
