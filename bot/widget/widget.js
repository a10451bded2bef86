/* Yuanwen: options at /widget */
(() => {
  "use strict";
  if (window.Yuanwen) return;
  const script = document.currentScript || document.querySelector('script[src*="/widget/v1/widget.js"]');
  if (!script) return;
  const base = new URL("../../", script.src);
  const given = script.dataset;
  const TEXT = {
    zh: ["问问这篇文章", "关闭", "没能打开：网络不通，或本站未获准嵌入。", "在新窗口打开"],
    "zh-Hant": ["問問這篇文章", "關閉", "未能開啟：網路不通，或本站未獲准嵌入。", "在新視窗開啟"],
    en: ["Ask the article", "Close", "No connection, or this site may not show it.", "Open in a new tab"],
  };
  const pick = (value, allowed) => (allowed.includes(value) ? value : allowed[0]);
  const pixels = (value) => (/^\d{1,4}$/.test(value || "") ? +value : 20);
  const tongue = (tag) => {
    const name = String(tag || "").toLowerCase();
    if (name.startsWith("zh")) return /hant|tw|hk|mo/.test(name) ? "zh-Hant" : "zh";
    return name.startsWith("en") ? "en" : "";
  };
  const language = () => tongue(given.lang) || tongue(document.documentElement.lang) || tongue(navigator.language) || "en";
  /* White or ink, if one has 4.5:1. */
  const inkOn = (hex) => {
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    const light = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    return light <= 0.1833 ? "#ffffff" : light >= 0.2305 ? "#261a14" : null;
  };

  let colour = "#9c3722";
  if (given.color) {
    const asked = given.color.trim();
    if (/^#[0-9a-f]{6}$/i.test(asked) && inkOn(asked)) colour = asked;
    else console.warn("Yuanwen: data-color must be #rrggbb with 4.5:1 for its text");
  }
  const ink = inkOn(colour);
  const place = pick(given.position, ["bottom-right", "bottom-left", "top-right", "top-left"]);
  const [y, x] = place.split("-");
  const theme = pick(given.theme, ["auto", "light", "dark"]);
  const inline = given.mode === "inline";
  const layer = /^\d{1,10}$/.test(given.zIndex || "") ? given.zIndex : "9990";
  const [dx, dy] = [pixels(given.offsetX), pixels(given.offsetY)];

  const small = "(max-width:520px),(max-height:480px)";
  const dark = "--back:#1e1b19;--ink:#ebe5db;--edge:#393430";
  const css = `:host{all:initial!important;display:block!important;${inline ? "width:100%!important" : `position:fixed!important;z-index:${layer}!important;${x}:0!important;${y}:0!important`}}
*{box-sizing:border-box}
.box{--back:#fffdf8;--ink:#262320;--edge:#e3dccf;color:var(--ink);font:500 15px/1.6 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif}
.dark{${dark}}
@media(prefers-color-scheme:dark){.auto{${dark}}}
button{font:inherit;cursor:pointer}
.launch{position:fixed;${x}:${dx}px;${y}:calc(${dy}px + env(safe-area-inset-${y}));display:flex;align-items:center;gap:10px;min-height:52px;padding:0 20px 0 16px;border:0;border-radius:26px;background:${colour};color:${ink};box-shadow:0 4px 20px #0004;white-space:nowrap}
.launch:hover{filter:brightness(1.08)}
b{font:600 24px/1 "Songti SC","Noto Serif CJK SC",serif}
svg{width:22px;height:22px;flex:none}
:focus-visible{outline:3px solid ${colour};outline-offset:3px;box-shadow:0 0 0 3px #fff}
.panel{position:relative;width:100%;height:min(680px,85vh);min-height:420px;background:var(--back);overflow:hidden;border:1px solid var(--edge);border-radius:16px}
.float{position:fixed;${x}:${dx}px;${y}:${dy}px;width:min(420px,calc(100vw - ${dx + 12}px));height:min(680px,calc(100dvh - ${dy + 12}px));min-height:0;box-shadow:0 12px 56px #0005}
iframe{display:block;width:100%;height:100%;border:0;color-scheme:normal}
.close{position:absolute;top:10px;right:10px;z-index:2;width:40px;height:40px;display:grid;place-items:center;border:0;border-radius:50%;background:none;color:inherit}
.note{position:absolute;inset:60px 28px auto}
.note a{display:block;margin-top:16px;color:inherit}
[hidden]{display:none!important}
@media ${small}{.float{inset:0;width:100vw;height:100dvh;border:0;border-radius:0;padding:env(safe-area-inset-top) 0 env(safe-area-inset-bottom)}.close{margin-top:env(safe-area-inset-top)}}
@media(forced-colors:active){button{border:2px solid ButtonText}}
@media print{.box{display:none}}`;

  const set = (element, attributes) => {
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    return element;
  };
  const make = (name, attributes, ...inside) => {
    const made = set(document.createElement(name), attributes);
    made.append(...inside);
    return made;
  };
  const draw = (d) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const path = document.createElementNS(svg.namespaceURI, "path");
    set(svg, { viewBox: "0 0 24 24", "aria-hidden": "true" });
    set(path, { d, fill: "none", stroke: "currentColor", "stroke-width": 2, "stroke-linecap": "round" });
    svg.append(path);
    return svg;
  };

  let lang = language();
  let frame = null;
  let ready = false;
  let timer = 0;
  let opened = false;
  let waiting = [];
  const host = make("yuanwen-widget", {});
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  root.adoptedStyleSheets = [sheet];
  const label = make("span", {});
  const launch = make("button", { type: "button", class: "launch", "aria-haspopup": "dialog", "aria-expanded": "false" },
    make("b", { "aria-hidden": "true" }, "文"), label);
  const close = make("button", { type: "button", class: "close" }, draw("M6 6l12 12M18 6L6 18"));
  const told = make("span", {});
  const link = make("a", { href: base, target: "_blank", rel: "noopener" });
  const note = make("div", { class: "note", role: "status", hidden: "" }, told, link);
  const panel = make("div", { class: `panel ${inline ? "inline" : "float"}`, role: inline ? "group" : "dialog", hidden: "" }, note);
  const box = make("div", { class: `box ${theme}` }, panel);
  if (!inline) { panel.prepend(close); box.prepend(launch); }
  root.append(box);

  const tell = (name, detail) => host.dispatchEvent(new CustomEvent(`yuanwen:${name}`, { bubbles: true, composed: true, detail: detail || null }));
  const say = () => {
    const words = TEXT[lang];
    box.lang = lang === "zh" ? "zh-CN" : lang;
    label.textContent = words[0];
    close.setAttribute("aria-label", words[1]);
    told.textContent = words[2];
    link.textContent = words[3];
    panel.setAttribute("aria-label", given.title || words[0]);
    if (frame) frame.title = given.title || words[0];
  };
  const post = (type, more) => {
    if (!ready) waiting.push([type, more]);
    else frame.contentWindow.postMessage({ yuanwen: 1, type, ...more }, base.origin);
  };
  const fail = () => {
    if (ready) return;
    note.hidden = false;
    frame.hidden = true;
    tell("error", { error: "unavailable" });
  };
  const build = () => {
    if (frame) return;
    const options = new URLSearchParams({ lang, theme, color: colour, persist: pick(given.persist, ["none", "session"]), mode: inline ? "inline" : "float" });
    for (const key of ["title", "greeting", "questions", "article"]) if (given[key]) options.set(key, given[key]);
    frame = make("iframe", { src: `${new URL("embed", base)}?lang=${lang}#${options}`, allow: "clipboard-write" });
    frame.addEventListener("load", () => {
      clearTimeout(timer);
      timer = setTimeout(fail, 4000);
      try { frame.contentWindow.postMessage({ yuanwen: 1, type: "hello" }, base.origin); } catch { fail(); }
    });
    timer = setTimeout(fail, 15000);
    panel.append(frame);
    say();
  };
  const seen = window.visualViewport || new EventTarget();
  /* A phone's keyboard covers part of the page. */
  const fit = () => {
    const cut = opened && matchMedia(small).matches && seen.scale === 1 && innerHeight - seen.height > 80;
    panel.style.height = cut ? `${seen.height}px` : "";
    panel.style.top = cut ? `${seen.offsetTop}px` : "";
  };

  const api = {
    open(quietly) {
      if (opened) return;
      build();
      opened = true;
      panel.hidden = false;
      launch.hidden = !inline;
      launch.setAttribute("aria-expanded", "true");
      fit();
      if (quietly !== true && !inline) { frame.focus(); post("focus"); }
      tell("open");
    },
    close() {
      if (!opened || inline) return;
      opened = false;
      panel.hidden = true;
      launch.hidden = false;
      launch.setAttribute("aria-expanded", "false");
      launch.focus();
      tell("close");
    },
    ask(question) {
      api.open(true);
      post("ask", { question: String(question) });
    },
    setLang(tag) {
      lang = tongue(tag) || lang;
      say();
      if (frame) post("lang", { lang });
    },
    destroy() {
      clearTimeout(timer);
      removeEventListener("message", heard);
      seen.removeEventListener("resize", fit);
      host.remove();
      delete window.Yuanwen;
    },
  };
  /* Only the panel's own window, while the bot's page is in it. */
  const heard = (event) => {
    if (!frame || event.source !== frame.contentWindow || event.origin !== base.origin) return;
    const said = event.data;
    if (!said || said.yuanwen !== 1) return;
    if (said.type === "ready" && !ready) {
      clearTimeout(timer);
      ready = true;
      note.hidden = true;
      frame.hidden = false;
      const queue = waiting;
      waiting = [];
      queue.forEach(([type, more]) => post(type, more));
    } else if (said.type === "close") api.close();
    else if (said.type === "lang") { lang = tongue(said.lang) || lang; say(); }
    else if (said.type === "answer" || said.type === "error") tell(said.type, { [said.key]: String(said.value) });
  };

  launch.addEventListener("click", () => api.open());
  close.addEventListener("click", () => api.close());
  root.addEventListener("keydown", (event) => { if (event.key === "Escape") api.close(); });
  addEventListener("message", heard);
  seen.addEventListener("resize", fit);

  const start = () => {
    const target = inline && given.target && document.querySelector(given.target);
    if (inline && !target) script.after(host);
    else (target || document.body).append(host);
    say();
    window.Yuanwen = api;
    tell("ready");
    if (inline) api.open(true);
    if (given.open === "first-visit") {
      /* Where nothing is remembered, it would open on every page. */
      try {
        const key = "yuanwen:seen";
        if (!localStorage[key]) api.open((localStorage[key] = true));
      } catch {}
    }
  };
  if (document.body) start();
  else addEventListener("DOMContentLoaded", start, { once: true });
})();
