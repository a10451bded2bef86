// Runs once, when the bar at the top is there. Gradio calls it with `element` (the bar's holder) and
// `trigger(event, data)`, which reaches the server. Everything listens on the document, in the capture
// phase, so that pieces which are rendered again need no new listeners.
const find = (selector, within = document) => within.querySelector(selector);
const bar = () => find(".bar", element);
const said = (name) => bar().dataset[name] || "";
const narrow = matchMedia("(max-width: 900px)");
const wide = matchMedia("(min-width: 1240px)");
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const root = document.documentElement;
const box = () => find("#box textarea");
const smooth = () => (calm.matches ? "auto" : "smooth");

// --- the language of the document ---
const named = () => {
  const { page, htmlLanguage, title, ready } = bar().dataset;
  if (ready !== "1") return;
  root.lang = htmlLanguage;
  root.dataset.page = page;
  document.title = title;
  box().id = "question";
  box().setAttribute("aria-label", said("box"));
  const reader = find("#reader");
  reader.setAttribute("aria-label", said("articleName"));
  roles();
  outline();
  if (!root.classList.contains("ready")) {
    root.classList.add("ready");
    restore();
    deepLink();
  }
};

const roles = () => {
  const reader = find("#reader");
  reader.setAttribute("role", narrow.matches ? "dialog" : "region");
  if (narrow.matches) reader.setAttribute("aria-modal", "true");
  else {
    reader.removeAttribute("aria-modal");
    shut(false);
  }
};

const outline = () => {
  const contents = find("#reader .outline");
  if (contents) contents.open = wide.matches;
};

const remember = (change) => {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(change)) {
    if (value === null) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  history.replaceState(null, "", url);
};

// A question that came with the address is asked once and leaves the address again.
const deepLink = () => {
  const question = new URL(location.href).searchParams.get("q");
  if (question === null) return;
  remember({ q: null });
  if (question.trim()) ask(question.slice(0, 4000));
};

// --- asking ---
let pending = 0;
let asked = null;
const notice = (text) => {
  const line = find("#notice-line");
  if (line.textContent !== text) line.textContent = text;
};

const wait = () => {
  clearTimeout(pending);
  find("#composer").classList.add("pending");
  find("#turns").setAttribute("aria-busy", "true");
  pending = setTimeout(() => done(said("offline")), 15000);
};

const done = (problem) => {
  if (!pending) return;
  clearTimeout(pending);
  pending = 0;
  find("#composer").classList.remove("pending");
  find("#turns").removeAttribute("aria-busy");
  if (problem) {
    write(asked);
    notice(problem);
  } else if (history.state) history.replaceState(null, "");
  asked = null;
};

const write = (draft) => {
  if (!draft || box().value) return;
  box().value = draft;
  box().dispatchEvent(new Event("input", { bubbles: true }));
};

// When the connection is lost, Gradio loads the page anew as soon as it is back: what was asked and what was being
// asked wait in the history entry, which outlives that and nothing else.
const keep = () => {
  const questions = [...document.querySelectorAll(".question")].map((line) => line.lastChild.textContent);
  history.replaceState({ questions, draft: asked || box().value }, "");
};

const restore = () => {
  const { questions = [], draft = "" } = history.state || {};
  history.replaceState(null, "");
  write(draft);
  if (questions.length) trigger("restore", { questions });
};

const ask = (question) => {
  asked = question;
  wait();
  trigger("ask", { question });
};

const sendButton = () => find("#box .submit-button");

const arrived = (turn) => {
  const log = find("#log");
  const top = turn.getBoundingClientRect().top - log.getBoundingClientRect().top + log.scrollTop;
  log.scrollTo({ top: top - 16, behavior: smooth() });
  const active = document.activeElement;
  if (active && active !== document.body && active.isConnected && active !== sendButton()) return;
  focusBox();
};

const focusBox = () => {
  if (!box()) return;
  box().focus({ preventScroll: true });
};

const count = () => {
  let counter = find("#count");
  if (!counter) {
    counter = document.createElement("span");
    counter.id = "count";
    counter.setAttribute("aria-hidden", "true");
    find("#composer").append(counter);
  }
  const length = [...box().value].length;
  counter.textContent = length > 400 ? said("count").replace("{n}", length).replace("{limit}", 500) : "";
};

// --- the article ---
let cameFrom = null;
let wanted = null;

const open = () => {
  if (!narrow.matches) return;
  root.classList.add("reading");
  find("#chat").inert = true;
  element.inert = true;
  find("#open-article")?.setAttribute("aria-expanded", "true");
};

const shut = (backToOpener = true) => {
  if (!root.classList.contains("reading")) return;
  root.classList.remove("reading");
  find("#chat").inert = false;
  element.inert = false;
  const opener = find("#open-article");
  opener?.setAttribute("aria-expanded", "false");
  if (backToOpener) (cameFrom?.isConnected ? cameFrom : opener)?.focus();
  cameFrom = null;
};

const unmark = () => {
  for (const node of document.querySelectorAll("#reader .on")) node.classList.remove("on");
  find("#back")?.remove();
};

const mark = (number, from) => {
  const sentence = find(`#reader #s${number}`);
  if (!sentence) return;
  unmark();
  open();
  sentence.classList.add("on");
  const english = find(`#reader .e[data-sentence="${number}"]`);
  english?.classList.add("on");
  if (from) {
    cameFrom = from;
    const back = document.createElement("button");
    back.type = "button";
    back.id = "back";
    back.lang = root.lang;
    back.textContent = `↩ ${said("back")}`;
    sentence.after(back);
  }
  sentence.tabIndex = -1;
  const target = english?.offsetParent && find(".pane").dataset.first === "en" ? english : sentence;
  const far = Math.abs(target.getBoundingClientRect().top) > 3 * innerHeight;
  target.scrollIntoView({ block: "center", behavior: far || narrow.matches ? "auto" : smooth() });
  sentence.focus({ preventScroll: true });
};

const goBack = () => {
  const from = cameFrom;
  const drawer = root.classList.contains("reading");
  unmark();
  if (drawer) shut();
  else if (from?.isConnected) from.focus();
  else focusBox();
  cameFrom = null;
};

const follow = (link) => {
  const number = link.getAttribute("href").slice(2);
  const from = link.closest("#reader") ? null : link;
  const article = link.dataset.article;
  if (article && find("#reader .pane").dataset.article !== article) {
    wanted = { number, from, article };
    trigger("choose", { article });
    return;
  }
  if (link.closest(".outline") && !wide.matches) find("#reader .outline").open = false;
  mark(number, from);
};

let spying = 0;
const spy = () => {
  spying = 0;
  const body = find("#pane-body");
  if (!body) return;
  const line = body.getBoundingClientRect().top + 140;
  let current = null;
  for (const section of body.querySelectorAll(".section")) {
    if (section.getBoundingClientRect().top <= line) current = section.dataset.section;
  }
  // A sentence that was opened tells better where the reader is than the top of the pane.
  const opened = find(".s.on", body);
  const at = opened?.getBoundingClientRect().top;
  if (at > line - 140 && at < innerHeight) current = opened.closest(".section").dataset.section;
  const contents = find(".outline", body);
  for (const link of contents.querySelectorAll("a")) {
    if (link.dataset.section !== current) link.removeAttribute("aria-current");
    else if (!link.hasAttribute("aria-current")) {
      link.setAttribute("aria-current", "location");
      if (wide.matches) contents.scrollTop = link.offsetTop - contents.offsetTop - contents.clientHeight / 2;
    }
  }
};

// --- explanations ---
const tip = document.createElement("div");
tip.id = "tip";
tip.setAttribute("role", "tooltip");
tip.hidden = true;
document.body.append(tip);
let tipped = null;
let leaving = 0;

const showTip = (target) => {
  clearTimeout(leaving);
  if (tipped && tipped !== target) hideTip();
  tipped = target;
  tip.textContent = target.dataset.tip;
  tip.lang = root.lang;
  tip.hidden = false;
  target.setAttribute("aria-describedby", "tip");
  const place = target.getBoundingClientRect();
  const { width, height } = tip.getBoundingClientRect();
  const left = Math.min(Math.max(8, place.left + place.width / 2 - width / 2), innerWidth - width - 8);
  const above = place.top - height - 8;
  tip.style.left = `${left}px`;
  tip.style.top = `${above > 8 ? above : place.bottom + 8}px`;
};

const hideTip = () => {
  clearTimeout(leaving);
  tipped?.removeAttribute("aria-describedby");
  tipped = null;
  tip.hidden = true;
};

// --- copy and verdicts ---
const copy = async (button) => {
  const text = button.dataset.copy;
  let ok = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.style.position = "fixed";
    area.style.opacity = "0";
    document.body.append(area);
    area.select();
    ok = document.execCommand("copy");
    area.remove();
    button.focus();
  }
  notice(said(ok ? "copied" : "notCopied"));
};

const verdict = (button) => {
  const tools = button.closest(".answer");
  const why = find(".why", tools);
  const pressed = button.getAttribute("aria-pressed") === "true";
  for (const thumb of tools.querySelectorAll(".thumb")) thumb.setAttribute("aria-pressed", "false");
  why.hidden = true;
  if (pressed) return;
  button.setAttribute("aria-pressed", "true");
  if (button.dataset.verdict === "up") {
    trigger("verdict", { turn: button.dataset.turn, verdict: "up" });
    notice(said("thanks"));
  } else {
    why.hidden = false;
    why.scrollIntoView({ block: "nearest", behavior: smooth() });
  }
};

const reason = (button) => {
  trigger("verdict", { turn: button.dataset.turn, verdict: "down", reason: button.dataset.reason });
  const why = button.closest(".why");
  find('.thumb[data-verdict="down"]', button.closest(".answer")).focus();
  why.hidden = true;
  notice(said("thanks"));
};

// --- listening ---
document.addEventListener(
  "click",
  (event) => {
    const target = event.target instanceof Element ? event.target : event.target.parentElement;
    const at = (selector) => target?.closest(selector);
    const link = at('a[href^="#s"]');
    if (link && /^#s\d+$/.test(link.getAttribute("href"))) {
      event.preventDefault();
      event.stopPropagation();
      follow(link);
    } else if (at(".skip")) {
      event.preventDefault();
      focusBox();
    } else if (at("[data-ask]")) {
      const button = at("[data-ask]");
      ask(button.dataset.ask);
      if (!matchMedia("(pointer: coarse)").matches) focusBox();
    } else if (at(".language")) {
      const to = at(".language").dataset.language;
      remember({ lang: to });
      trigger("language", { to });
    } else if (at("#clear")) {
      trigger("clear", {});
      focusBox();
    } else if (at("#print")) window.print();
    else if (at("#open-article")) {
      cameFrom = at("#open-article");
      open();
      find("#close-article").focus();
    } else if (at("#close-article")) shut();
    else if (at("#back")) goBack();
    else if (at("#parallel")) {
      const shown = find("#reader .pane").classList.toggle("with-english");
      at("#parallel").setAttribute("aria-pressed", String(shown));
    } else if (at(".copy")) copy(at(".copy"));
    else if (at(".thumb")) verdict(at(".thumb"));
    else if (at(".reason")) reason(at(".reason"));
    else if (at(".submit-button")) {
      if (box().value.trim()) wait();
      setTimeout(focusBox);
    } else if (root.classList.contains("reading") && !at("#reader") && !at("#tip")) shut();
    const explained = at("[data-tip]");
    if (explained) showTip(explained);
    else if (!at("#tip")) hideTip();
  },
  true,
);

document.addEventListener(
  "keypress",
  (event) => {
    if (event.key !== "Enter" || event.target !== box()) return;
    if (event.isComposing || event.keyCode === 229) event.stopImmediatePropagation();
    else if (!event.shiftKey && box().value.trim()) wait();
  },
  true,
);

document.addEventListener(
  "keydown",
  (event) => {
    if (event.isComposing && event.key === "Enter" && event.target === box()) event.stopImmediatePropagation();
    if (event.key !== "Escape" || event.isComposing) return;
    if (tipped) hideTip();
    else if (find("#back")) goBack();
    else shut();
  },
  true,
);

document.addEventListener("change", (event) => {
  if (event.target.id === "choose-article") trigger("choose", { article: event.target.value });
});
document.addEventListener("input", (event) => {
  if (event.target !== box()) return;
  count();
  notice("");
});
document.addEventListener("mouseover", (event) => {
  const target = event.target.closest?.("[data-tip]");
  if (target) showTip(target);
  else if (tipped && !event.target.closest?.("#tip")) {
    clearTimeout(leaving);
    if (document.activeElement !== tipped) leaving = setTimeout(hideTip, 150);
  } else clearTimeout(leaving);
});
document.addEventListener("focusin", (event) => {
  const target = event.target.closest?.("[data-tip]");
  if (target) showTip(target);
  else if (tipped) hideTip();
});
document.addEventListener(
  "scroll",
  (event) => {
    if (tipped && document.activeElement !== tipped) hideTip();
    if (event.target.id === "pane-body" && !spying) spying = requestAnimationFrame(spy);
  },
  true,
);
narrow.addEventListener("change", roles);
wide.addEventListener("change", outline);
addEventListener("offline", () => done(said("offline")));

// --- what the server changes ---
const watching = { childList: true, subtree: true, characterData: true };
const begin = () => {
  new MutationObserver(named).observe(element, { ...watching, attributes: true, attributeFilter: ["data-ready", "data-page"] });
  const turns = find("#turns");
  new MutationObserver((changes) => {
    done();
    count();
    if (!turns.lastElementChild) find("#log").scrollTo({ top: 0 });
    else if (changes.some((change) => change.addedNodes.length)) arrived(turns.lastElementChild);
  }).observe(turns, { childList: true });
  new MutationObserver(() => done()).observe(find("#notice"), { subtree: true, attributeFilter: ["data-version"] });
  new MutationObserver(() => {
    outline();
    spy();
    if (wanted && find("#reader .pane").dataset.article === wanted.article) {
      const { number, from } = wanted;
      wanted = null;
      mark(number, from);
    }
  }).observe(find("#reader"), { attributes: true, subtree: true, attributeFilter: ["data-article", "data-first"] });
  new MutationObserver(() => {
    if (!find(".toast-wrap > *") || history.state) return;
    keep();
    done(said("offline"));
  }).observe(document.body, { childList: true, subtree: true });
  named();
};

// The parts come one after the other: begin when the last of them is there.
const complete = () => ["#box textarea", "#turns", "#notice-line", "#reader .pane"].every((part) => find(part));
const building = new MutationObserver(() => {
  if (!complete()) return;
  building.disconnect();
  begin();
});
building.observe(document.body, { childList: true, subtree: true });
if (complete()) {
  building.disconnect();
  begin();
}
