/* Asks how far the index is, and shows the chat page as soon as it is there. */
"use strict";
const bar = document.querySelector("progress");
async function look() {
  try {
    const ready = await fetch("readyz");
    if (ready.ok) return location.reload();
    const page = await (await fetch(location.href)).text();
    const [, done, total] = page.match(/<progress value="(\d+)" max="(\d+)"/);
    bar.max = Number(total);
    bar.value = Number(done);
  } catch { /* not yet */ }
  return setTimeout(look, 1000);
}
look();
