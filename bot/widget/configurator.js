/* A site owner picks options, sees them live and copies the line. */
"use strict";
const form = document.getElementById("options");
const snippet = document.getElementById("snippet");
const preview = document.getElementById("preview");
const colourHint = document.getElementById("colour-hint");
const copied = document.getElementById("copied");
const DEFAULTS = { lang: "auto", theme: "auto", mode: "launcher", color: "#9c3722", position: "bottom-right", "offset-x": "20", "offset-y": "20", open: "never", persist: "none" };
const FLOATING = ["position", "offset-x", "offset-y", "open"];

function legible(hex) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  const light = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  return light <= 0.1833 || light >= 0.2305;
}

function chosen() {
  const inline = form.elements.mode.value === "inline";
  const picked = {};
  for (const [name, typed] of new FormData(form)) {
    const value = name === "questions" ? typed.split(/\n|\|/).map((one) => one.trim()).filter(Boolean).join("|") : typed.trim();
    if (!value || value === DEFAULTS[name]) continue;
    if (inline ? FLOATING.includes(name) : name === "target") continue;
    if (name === "color" && !legible(value)) continue;
    picked[name] = value;
  }
  return picked;
}

const quoted = (text) => text.replace(/&/g, "&amp;").replace(/"/g, "&quot;").replace(/</g, "&lt;");

let timer = 0;
function update() {
  const inline = form.elements.mode.value === "inline";
  document.getElementById("floating").hidden = inline;
  document.getElementById("inside").hidden = !inline;
  const bad = !legible(form.elements.color.value);
  colourHint.textContent = bad ? form.dataset.low : "";
  colourHint.classList.toggle("bad", bad);
  const picked = chosen();
  const attributes = Object.entries(picked).map(([name, value]) => ` data-${name}="${quoted(value)}"`).join("");
  snippet.textContent = `<script defer src="${form.dataset.origin}/widget/v1/widget.js"${attributes}></script>`;
  copied.textContent = "";
  clearTimeout(timer);
  timer = setTimeout(() => {
    const query = new URLSearchParams(picked);
    if (!picked.lang) query.set("lang", form.dataset.tongue);
    const source = `widget/preview?${query}`;
    if (preview.getAttribute("src") !== source) preview.setAttribute("src", source);
  }, 300);
}

form.addEventListener("input", update);
form.addEventListener("submit", (event) => event.preventDefault());
document.getElementById("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(snippet.textContent);
    copied.textContent = form.dataset.copied;
  } catch {
    getSelection().selectAllChildren(snippet);
    copied.textContent = form.dataset.failed;
  }
});
update();
