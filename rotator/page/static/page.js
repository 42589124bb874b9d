// Keeps the page as it is now: the daemon says that something changed, the same page is fetched again, and what is
// different is put in place. What is looked at, focused or unfolded stays as it is. Without this script the page works.
"use strict";

const PAUSE = 400; // milliseconds that changes are gathered for
const AGE = 20000; // milliseconds after which ages are fetched anew
const said = document.getElementById("live");
let fetching = false;
let again = false;
let timer = 0;

function say(text, cut) {
  said.className = cut ? "is-cut" : "is-live";
  if (said.textContent !== text) said.textContent = text;
}

function cut() {
  const made = document.querySelector("footer time");
  say("Not live: what is shown is as of " + made.textContent + ".", true);
}

// Makes `old` equal to `fresh`, touching only what differs.
function settle(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
    old.replaceWith(document.importNode(fresh, true));
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  if (old.hasAttribute("data-keep") || old.nodeName === "INPUT") return;
  for (const one of [...old.attributes]) if (!fresh.hasAttribute(one.name)) old.removeAttribute(one.name);
  for (const one of fresh.attributes) if (old.getAttribute(one.name) !== one.value) old.setAttribute(one.name, one.value);
  settleChildren(old, fresh);
}

// Rows and items are told apart by their key, so that one that comes or goes moves no other, and none loses its focus.
function settleChildren(old, fresh) {
  const keys = new Set([...fresh.children].map(keyOf));
  const kept = new Map();
  for (const one of [...old.children]) {
    if (!keyOf(one)) continue;
    if (keys.has(keyOf(one))) kept.set(keyOf(one), one);
    else one.remove();
  }
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const same = keyOf(child) ? kept.get(keyOf(child)) : keyOf(at) ? null : at;
    if (!same) {
      old.insertBefore(document.importNode(child, true), at);
      continue;
    }
    while (at && at !== same && !keyOf(at)) at = dropped(at);
    if (at === same) at = at.nextSibling;
    else old.insertBefore(same, at);
    settle(same, child);
  }
  while (at) at = dropped(at);
}

function keyOf(node) {
  return node?.dataset?.key ?? "";
}

function dropped(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

async function renew() {
  if (document.hidden) return;
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
  again = false;
  try {
    const answer = await fetch(location.href, { credentials: "same-origin" });
    if (answer.redirected) return location.reload(); // the session has ended
    if (!answer.ok) return cut();
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.title = fresh.title;
    settle(document.querySelector("main"), fresh.querySelector("main"));
    settle(document.querySelector("footer"), fresh.querySelector("footer"));
    if (events.readyState === EventSource.OPEN) say("Live", false);
  } catch {
    cut();
  } finally {
    fetching = false;
    if (again) soon();
  }
}

function soon() {
  if (timer) return;
  timer = setTimeout(() => {
    timer = 0;
    renew();
  }, PAUSE);
}

const events = new EventSource("/events");
events.addEventListener("ready", soon);
events.addEventListener("change", soon);
events.addEventListener("error", cut);
document.addEventListener("visibilitychange", soon);
setInterval(soon, AGE);
