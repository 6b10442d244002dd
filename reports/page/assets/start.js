"use strict";
// Everything shown is made of elements and texts: names, prompts and errors are never markup.
const element = (tag, properties = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
};

// What is kept only lasts as long as the browser allows; some forbid it to files.
const kept = {
  get(name) {
    try { return JSON.parse(sessionStorage.getItem(name)); } catch { return null; }
  },
  set(name, value) {
    try { sessionStorage.setItem(name, JSON.stringify(value)); } catch { /* forbidden */ }
  },
};

const shorten = (text, length = 60) =>
  text.length > length ? `${text.slice(0, length - 1)}…` : text;

const field = (title, control) => element("div", { className: "field" },
  element("label", { htmlFor: control.id, textContent: title }), control);
