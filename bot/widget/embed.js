/* The panel: asks POST api/ask and shows the article's own sentences. No HTML is ever made from strings. */
"use strict";
const DATA = JSON.parse(document.getElementById("data").textContent);
const OPTIONS = new URLSearchParams(location.hash.slice(1));
const WAIT = 15000;
const STORE = "yuanwen:conversation";
const TONGUES = { zh: "zh-CN", "zh-Hant": "zh-Hant", en: "en" };
const NAMES = { zh: "简", "zh-Hant": "繁", en: "EN" };
const NUMBERS = /(?<!\d)(12356|120|110|988|911)(?!\d)/;
const PATHS = {
  clear: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
  send: "M12 19V5M6 11l6-6 6 6",
  copy: "M8 8h11v12H8zM5 16V4h11",
  up: "M7 11v9H4v-9zM7 12l4-8c2 0 2.6 1.4 2 3.5L12.5 10H19c1.2 0 2 1 1.7 2.2l-1.6 6.3c-.2.9-1 1.5-2 1.5H7",
  down: "M17 13V4h3v9zM17 12l-4 8c-2 0-2.6-1.4-2-3.5l.5-2.5H5c-1.2 0-2-1-1.7-2.2L4.9 5.5c.2-.9 1-1.5 2-1.5H17",
  back: "M10 6l-6 6 6 6M4 12h16",
};

const root = document.documentElement;
let lang = TONGUES[OPTIONS.get("lang")] ? OPTIONS.get("lang") : root.dataset.tongue;
let turns = [];
let pending = null;
let article = null;
let hostOrigin = null;

const t = (key, values = {}) => DATA.strings[lang][key].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
const card = () => DATA.articles.find((one) => one.id === OPTIONS.get("article")) || DATA.articles[0];

/* Making things */

function make(name, attributes = {}, ...inside) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...inside.flat().filter((part) => part !== null && part !== undefined && part !== ""));
  return element;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS(svg.namespaceURI, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/* The highlights count code points; a string here counts UTF-16. */
function marked(quote, highlights) {
  const points = Array.from(quote);
  const parts = [];
  let at = 0;
  for (const [start, end] of highlights) {
    parts.push(points.slice(at, start).join(""), make("mark", {}, points.slice(start, end).join("")));
    at = end;
  }
  return [...parts, points.slice(at).join("")];
}

function dialable(text) {
  return text.split(NUMBERS).map((part) => (NUMBERS.test(part) ? make("a", { href: `tel:${part}` }, part) : part));
}

/* Colours: the site's own accent, kept legible on both papers */

const luminance = (rgb) => {
  const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a, b) => {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
};
const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
const css = (colour) => `rgb(${colour.map(Math.round).join(" ")})`;

function dress() {
  const wanted = OPTIONS.get("theme");
  const dark = wanted === "dark" || (wanted !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.theme = dark ? "dark" : "light";
  const colour = OPTIONS.get("color");
  if (!/^#[0-9a-f]{6}$/i.test(colour || "") || colour === "#9c3722") return;
  const fill = rgb(colour);
  const ink = [rgb("#ffffff"), rgb("#261a14")].find((one) => contrast(fill, one) >= 4.5);
  if (!ink) return;
  const paper = dark ? rgb("#33302d") : rgb("#f0ede4");
  const toward = dark ? 255 : 0;
  let text = fill;
  while (contrast(text, paper) < 4.5) text = text.map((c) => c + (toward - c) * 0.08);
  const set = (name, value) => root.style.setProperty(name, value);
  set("--accent", css(fill));
  set("--on-accent", css(ink));
  set("--accent-text", css(text));
  set("--mark-line", css(text));
  set("--wash", `color-mix(in srgb, ${css(fill)} 10%, var(--paper))`);
  set("--mark", `color-mix(in srgb, ${css(fill)} 20%, var(--paper))`);
}

/* The frame of the panel */

const head = make("header", { class: "head" });
const log = make("div", { role: "log", "aria-live": "polite", "aria-relevant": "additions" });
const busy = make("p", { class: "busy", hidden: true });
const starters = make("div", {});
const talk = make("main", { class: "talk", tabindex: "-1" }, starters, log, busy);
const small = make("div", { class: "small" });
const line = make("p", { class: "line", role: "status" });
const box = make("textarea", { rows: "1", maxlength: String(DATA.longest), enterkeyhint: "send", autocomplete: "off", "aria-describedby": "line" });
const send = make("button", { class: "send", type: "submit" }, icon("send"));
const form = make("form", { class: "write" }, box, send);
const foot = make("footer", { class: "foot" }, small, line, form);
const sheet = make("section", { class: "sheet", role: "dialog", "aria-modal": "true", hidden: true });
const shell = [head, talk, foot];
line.id = "line";

function drawHead() {
  const title = OPTIONS.get("title") || t("name");
  const choose = make("select", { class: "tool", "aria-label": t("language"), onchange: () => setLang(choose.value, true) },
    Object.keys(TONGUES).map((one) => make("option", { value: one, lang: TONGUES[one], selected: one === lang }, NAMES[one])));
  const clear = make("button", { class: "tool", type: "button", title: t("clear_conversation"), "aria-label": t("clear_conversation"), onclick: clearAll }, icon("clear"));
  head.replaceChildren(make("h1", {}, title), choose, clear);
  document.title = title;
}

function drawFoot() {
  const held = card();
  small.replaceChildren();
  if (held) {
    const english = lang === "en" && held.disclaimer_en;
    const text = english ? held.disclaimer_en : held.disclaimer;
    const own = english ? {} : { lang: "zh-CN" };
    small.append(make("details", {},
      make("summary", own, text),
      make("div", { class: "whole" },
        english ? make("p", { lang: "zh-CN" }, held.disclaimer) : null,
        make("button", { class: "cite", type: "button", onclick: (event) => openSheet(held.id, held.disclaimer_id, event.currentTarget) }, t("disclaimer_place")))));
  }
  box.setAttribute("aria-label", t("box"));
  box.placeholder = t("placeholder");
  send.setAttribute("aria-label", t("send"));
  send.title = t("send");
}

function drawStarters() {
  starters.replaceChildren();
  if (turns.length || pending) return;
  const own = (OPTIONS.get("questions") || "").split("|").map((one) => one.trim()).filter(Boolean).slice(0, 6);
  const asks = own.length ? own : (card() || { starters: {} }).starters[lang] || [];
  starters.append(make("p", { class: "hello" }, OPTIONS.get("greeting") || t("greeting")));
  if (asks.length) starters.append(make("p", { class: "label" }, t("starters")), questionList(asks));
}

const questionList = (texts) => make("ul", { class: "asks" },
  texts.map((text) => make("li", {}, make("button", { class: "ask", type: "button", onclick: () => ask(text) }, text))));

/* Turns */

function drawAll() {
  root.lang = TONGUES[lang];
  drawHead();
  drawFoot();
  drawStarters();
  /* Drawn again, not said again. */
  log.setAttribute("aria-live", "off");
  log.setAttribute("aria-label", t("conversation"));
  log.replaceChildren(...turns.map((turn, number) => drawTurn(turn, number)));
  setTimeout(() => log.setAttribute("aria-live", "polite"));
}

function drawTurn(turn, number) {
  const last = number === turns.length - 1;
  const answer = turn.answer ? drawAnswer(turn, last) : drawTrouble(turn);
  return make("article", { class: "turn" },
    make("h2", {}, make("span", { class: "sr" }, `${t("you_asked")} `), turn.question),
    make("div", { class: "answer" }, answer));
}

function drawTrouble(turn) {
  return make("div", { class: "trouble" }, make("span", {}, turn.message || t(turn.error)),
    make("button", { type: "button", onclick: (event) => { turns = turns.filter((one) => one !== turn); event.currentTarget.closest(".turn").remove(); ask(turn.question); } }, t("retry")));
}

function drawAnswer(turn, last) {
  const { answer } = turn;
  const parts = [];
  if (answer.message) {
    const before = answer.status === "answered";
    if (answer.crisis) parts.push(make("div", { class: "said card" }, answer.message.split("\n").map((one) => make("p", {}, dialable(one)))));
    else parts.push(make("p", { class: before ? "said first" : "said" }, answer.message));
  }
  const cited = new Map(answer.citations.map((one) => [one.sentence_id, one]));
  for (const sentence of answer.answer.sentences) parts.push(drawSentence(answer, sentence, cited.get(sentence.id)));
  if (answer.related.length) {
    parts.push(make("div", { class: "near" }, make("p", { class: "label" }, t("related")),
      make("ul", {}, answer.related.map((one) => make("li", {},
        one.translation ? make("p", { lang: "en" }, one.translation) : make("p", { lang: "zh-CN" }, one.quote),
        source(answer.article.id, one.sentence_id, one.section))))));
  }
  if (answer.hotline) parts.push(make("p", { class: "hotline" }, dialable(answer.hotline)));
  if (!answer.crisis) parts.push(actions(turn));
  if (last && answer.suggestions.length) parts.push(make("p", { class: "label" }, t("next")), questionList(answer.suggestions));
  return parts;
}

function drawSentence(answer, sentence, citation) {
  const original = make("blockquote", { lang: "zh-CN" }, marked(sentence.quote, sentence.highlights));
  return make("div", { class: "quote" },
    make("span", { class: "kind" }, DATA.evidence[lang][sentence.evidence] || sentence.evidence),
    sentence.translation ? [
      make("span", { class: "tag" }, t("translation")),
      make("p", { class: "english", lang: "en" }, sentence.translation),
      make("span", { class: "tag" }, t("original")),
    ] : null,
    original,
    sentence.doubt ? make("p", { class: "doubt" }, `${t("doubt")}${lang === "en" ? ": " : "："}${sentence.doubt}`) : null,
    citation ? source(answer.article.id, sentence.id, citation.section, citation.n) : null);
}

function source(articleId, id, section, n) {
  const place = `${capital(t("sentence", { n: id }))} · ${sectionName(articleId, section)}`;
  return make("button", { class: "cite", type: "button", title: t("show_source", { n: id }), onclick: (event) => openSheet(articleId, id, event.currentTarget) },
    make("b", {}, n ? `[${n}]` : "↗"), make("span", {}, place));
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);

function sectionName(articleId, title) {
  const held = DATA.articles.find((one) => one.id === articleId);
  return (lang === "en" && held && held.sections[title]) || title || t("opening");
}

function actions(turn) {
  const note = make("span", { class: "act", role: "status", hidden: true });
  const copy = make("button", { class: "act", type: "button", title: t("copy_label"), onclick: async () => {
    note.textContent = (await copyText(asText(turn))) ? t("copied") : t("not_copied");
    note.hidden = false;
  } }, icon("copy"), t("copy"));
  const row = make("div", { class: "acts" }, copy);
  const extra = make("div", {});
  if (DATA.days) {
    const give = (verdict, label) => make("button", { class: "act", type: "button", "aria-label": t(label), title: t(label), "aria-pressed": String(turn.verdict === verdict), onclick: (event) => {
      turn.verdict = verdict;
      row.querySelectorAll("[aria-pressed]").forEach((one) => one.setAttribute("aria-pressed", String(one === event.currentTarget)));
      if (verdict === "up") judge(turn, null, extra);
      else extra.replaceChildren(whyNot(turn, extra));
    } }, icon(verdict));
    row.append(give("up", "good"), give("down", "bad"));
  }
  row.append(note);
  return make("div", {}, row, extra);
}

function whyNot(turn, extra) {
  const reasons = { right_but_no_answer: "right_but_no_answer", wrong_quote: "wrong_quote", wrongly_refused: "wrongly_refused", translation: "translation_wrong", other: "other" };
  return make("fieldset", { class: "why" }, make("legend", {}, t("why")),
    Object.entries(reasons).map(([reason, key]) => make("button", { type: "button", onclick: () => judge(turn, reason, extra) }, t(key))),
    make("small", {}, t("feedback_note", { days: DATA.days })));
}

async function judge(turn, reason, extra) {
  const { answer, verdict } = turn;
  const opinion = { article: answer.article.id, question: turn.question, sentences: answer.answer.sentences.map((one) => one.id), verdict };
  if (reason) opinion.reason = reason;
  const note = make("p", { class: "doubt", role: "status" });
  extra.replaceChildren(note);
  try {
    const response = await fetch("api/feedback", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(opinion) });
    note.textContent = response.ok ? t("thanks") : t("unreachable");
  } catch { note.textContent = t("unreachable"); }
}

function asText(turn) {
  const { answer } = turn;
  const lines = [t("copy_question", { text: turn.question })];
  if (answer.message) lines.push(answer.message);
  const cited = new Map(answer.citations.map((one) => [one.sentence_id, one]));
  for (const one of answer.answer.sentences) {
    if (one.translation) lines.push(`${one.translation} (${t("translation")})`);
    const place = cited.get(one.id);
    lines.push(`“${one.quote}”`, t("copy_source", { text: `${answer.article.title} · ${place ? sectionName(answer.article.id, place.section) : ""} · ${t("sentence", { n: one.id })}` }));
  }
  lines.push(answer.disclaimer.translation || answer.disclaimer.text);
  return lines.join("\n");
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = make("textarea", { class: "sr", "aria-hidden": "true", tabindex: "-1" });
    area.value = text;
    document.body.append(area);
    const before = document.activeElement;
    area.select();
    let done = false;
    try { done = document.execCommand("copy"); } catch { /* not allowed here */ }
    area.remove();
    before.focus();
    return done;
  }
}

/* Asking */

async function ask(question) {
  const text = question.trim();
  if (!text || pending) return;
  pending = new AbortController();
  log.setAttribute("aria-busy", "true");
  busy.textContent = t("searching");
  busy.hidden = false;
  if (box.value.trim() === text) { box.value = ""; grow(); }
  starters.replaceChildren();
  const asked = make("article", { class: "turn", "aria-hidden": "true" }, make("h2", {}, text));
  busy.before(asked);
  bottom();
  // A message too long to be answered may still tell of a crisis; the conversation would not fit in beside it.
  const long = Array.from(text).length > DATA.limit;
  const history = long ? [] : turns.filter((one) => one.answer && !one.answer.crisis).map((one) => one.question).slice(-6);
  const turn = await fetchAnswer(text, history, pending.signal);
  const stopped = pending === null || pending.signal.reason === "cleared";
  pending = null;
  busy.hidden = true;
  asked.remove();
  log.removeAttribute("aria-busy");
  if (stopped) return;
  if (turn.error === "too_long") {
    if (!box.value) { box.value = text; grow(); }
    return count();
  }
  turns.push(turn);
  keep();
  const before = log.lastElementChild;
  if (before) before.querySelectorAll(".answer > .label, .answer > .asks").forEach((one) => one.remove());
  const drawn = drawTurn(turn, turns.length - 1);
  log.append(drawn);
  const top = drawn.offsetTop - talk.offsetTop - 14;
  talk.scrollTo({ top });
  if (sheet.hidden) box.focus({ preventScroll: true });
  if (turn.answer) post("answer", "status", turn.answer.status);
  else post("error", "error", turn.error);
}

async function fetchAnswer(question, history, signal) {
  const timer = setTimeout(() => pending && pending.abort("timeout"), WAIT);
  const body = { question, lang };
  if (history.length) body.history = history;
  if (OPTIONS.get("article")) body.article = OPTIONS.get("article");
  try {
    const response = await fetch("api/ask", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });
    const answer = await response.json();
    if (response.ok) return { question, answer: await translated(answer) };
    return { question, error: String(answer.error), message: String(answer.message) };
  } catch {
    return { question, error: signal.reason === "timeout" ? "timeout" : navigator.onLine ? "unreachable" : "offline" };
  } finally {
    clearTimeout(timer);
  }
}

/* A question in Chinese on a page in English: the translation stands in the article. */
async function translated(answer) {
  const lacking = [...answer.answer.sentences, ...answer.related].filter((one) => !one.translation);
  if (lang !== "en" || !lacking.length) return answer;
  try {
    const held = await loadArticle(answer.article.id);
    for (const one of lacking) one.translation = held.sentences[(one.id || one.sentence_id) - 1].translation;
  } catch { /* the original is there */ }
  return answer;
}

async function loadArticle(id) {
  if (!article || article.id !== id) {
    const response = await fetch(`api/article?id=${encodeURIComponent(id)}`);
    if (!response.ok) throw new Error(String(response.status));
    article = await response.json();
  }
  return article;
}

function clearAll() {
  if (pending) { pending.abort("cleared"); document.querySelectorAll(".talk > .turn").forEach((one) => one.remove()); }
  turns = [];
  keep();
  drawAll();
  line.textContent = t("cleared");
  box.focus();
}

function bottom() {
  talk.scrollTo({ top: talk.scrollHeight });
}

function grow() {
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight, 120)}px`;
}

function count() {
  const left = DATA.limit - Array.from(box.value).length;
  line.textContent = left < 0 ? t("over", { n: -left }) : left <= 60 ? t("left", { n: left }) : navigator.onLine ? "" : t("offline");
}

/* The article, over the conversation */

async function openSheet(articleId, id, from) {
  const back = make("button", { class: "back", type: "button", onclick: () => closeSheet(from) }, icon("back"), t("back"));
  const body = make("div", { class: "body", tabindex: "0", role: "region", "aria-label": t("source") });
  sheet.replaceChildren(make("header", { class: "head" }, back), body);
  sheet.setAttribute("aria-label", t("source"));
  sheet.hidden = false;
  shell.forEach((part) => { part.inert = true; });
  sheet.onkeydown = (event) => { if (event.key === "Escape") { event.stopPropagation(); closeSheet(from); } };
  back.focus();
  try {
    await loadArticle(articleId);
    drawArticle(body, id);
  } catch {
    body.replaceChildren(make("p", {}, t(navigator.onLine ? "unreachable" : "offline")));
  }
}

function closeSheet(from) {
  sheet.hidden = true;
  shell.forEach((part) => { part.inert = false; });
  (from && from.isConnected ? from : box).focus();
}

function drawArticle(body, id) {
  const beside = make("input", { type: "checkbox" });
  const english = article.sentences.some((one) => one.translation);
  beside.checked = english && lang === "en";
  const text = make("div", {});
  const draw = () => {
    text.className = beside.checked ? "english-first" : "";
    text.replaceChildren(...paragraphs(beside.checked));
    const on = text.querySelector(`#s${id}`);
    if (!on) return;
    on.classList.add("on");
    on.tabIndex = -1;
    const twin = text.querySelector(`#e${id}`);
    if (twin) twin.classList.add("on");
    (twin || on).scrollIntoView({ block: "center", behavior: "instant" });
    on.focus({ preventScroll: true });
  };
  beside.addEventListener("change", () => { draw(); beside.focus({ preventScroll: true }); });
  body.replaceChildren(english ? make("label", { class: "choice" }, beside, t("english_beside")) : "", text);
  draw();
}

function paragraphs(english) {
  const groups = [];
  for (const one of article.sentences) {
    const last = groups[groups.length - 1];
    if (last && last[0].paragraph === one.paragraph) last.push(one);
    else groups.push([one]);
  }
  return groups.flatMap((group) => {
    const heading = group[0].evidence === "heading";
    const level = Math.min(4, (article.sections[group[0].section] || { level: 2 }).level + 1);
    const own = make(heading ? `h${Math.max(2, level)}` : "p", { lang: "zh-CN" }, group.map((one) => make("span", { id: `s${one.id}` }, one.text)));
    if (!english || !group[0].translation) return [own];
    const under = make("p", { class: heading ? "under title" : "under", lang: "en" }, group.flatMap((one) => [make("span", { id: `e${one.id}` }, one.translation), " "]));
    return [under, own];
  });
}

/* Memory: only where the site asks for it, only for this tab */

function keep() {
  if (OPTIONS.get("persist") !== "session") return;
  try {
    if (turns.length) sessionStorage.setItem(STORE, JSON.stringify(turns.filter((one) => one.answer && !one.answer.crisis).slice(-20)));
    else sessionStorage.removeItem(STORE);
  } catch { /* storage is blocked: the conversation lives as long as the panel */ }
}

function recall() {
  if (OPTIONS.get("persist") !== "session") return;
  try { turns = JSON.parse(sessionStorage.getItem(STORE) || "[]"); } catch { turns = []; }
}

/* The page around */

function post(type, key, value) {
  if (hostOrigin) parent.postMessage({ yuanwen: 1, type, key, value }, hostOrigin);
}

function setLang(chosen, told) {
  if (!TONGUES[chosen]) return;
  lang = chosen;
  drawAll();
  line.textContent = "";
  if (told && hostOrigin) parent.postMessage({ yuanwen: 1, type: "lang", lang }, hostOrigin);
  if (told) head.querySelector("select").focus();
}

addEventListener("message", (event) => {
  if (event.source !== parent || parent === window || !event.data || event.data.yuanwen !== 1) return;
  if (event.origin === "null" || (hostOrigin && event.origin !== hostOrigin)) return;
  const { type, question, lang: chosen } = event.data;
  if (type === "hello" && !hostOrigin) {
    hostOrigin = event.origin;
    post("ready");
  } else if (!hostOrigin) return;
  else if (type === "focus") (matchMedia("(pointer: coarse)").matches ? talk : box).focus();
  else if (type === "ask" && typeof question === "string") ask(question);
  else if (type === "lang") setLang(chosen, false);
});

form.addEventListener("submit", (event) => { event.preventDefault(); ask(box.value); });
box.addEventListener("keydown", (event) => {
  /* Enter that ends an input method's composition is part of the writing. */
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) { event.preventDefault(); ask(box.value); }
});
box.addEventListener("input", () => { grow(); count(); });
addEventListener("keydown", (event) => { if (event.key === "Escape" && sheet.hidden && !event.isComposing) post("close"); });
addEventListener("online", count);
addEventListener("offline", count);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dress);

/* While the article is being made ready nothing can be shown of it; it is asked for again. */
async function settle() {
  for (let tries = 0; !DATA.articles.length && tries < 200; tries += 1) {
    busy.textContent = t("getting_ready");
    busy.hidden = false;
    await new Promise((done) => { setTimeout(done, 2000); });
    try {
      const page = await (await fetch(`embed?lang=${lang}`)).text();
      const found = page.match(/<script id="data" type="application\/json">(.*?)<\/script>/s);
      if (found) DATA.articles = JSON.parse(found[1]).articles;
    } catch { /* not yet */ }
    if (DATA.articles.length) { busy.hidden = true; drawAll(); }
  }
}

dress();
recall();
root.classList.toggle("float", OPTIONS.get("mode") === "float");
document.body.append(...shell, sheet);
drawAll();
count();
settle();
if (turns.length) bottom();
