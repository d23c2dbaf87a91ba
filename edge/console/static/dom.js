// Elements from plain values; text is always text, never markup.

const SVG = "http://www.w3.org/2000/svg";
const SPRITE = new URL("icons.svg", import.meta.url).pathname;

/**
 * `el("a", {class: "button", href, onclick}, "text", child, …)` → Element.
 * `on…` are listeners, `true` an attribute without value, `false`, `null` and `undefined` none; such children are left out.
 */
export function el(tag, { attrs, ...options } = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries({ ...attrs, ...options })) set(element, name, value);
  element.append(...nodes(children));
  return element;
}

function set(element, name, value) {
  if (typeof value === "function") element.addEventListener(name.slice(2).toLowerCase(), value);
  else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value === true ? "" : value);
}

function nodes(children) {
  const present = children.flat(Infinity).filter((child) => child !== false && child !== null && child !== undefined);
  return present.map((child) => (child instanceof Node ? child : String(child)));
}

/** Puts `children` in the place of what `parent` had. */
export function replace(parent, ...children) {
  parent.replaceChildren(...nodes(children));
}

/** A symbol of icons.svg; it says nothing to screen readers, so a button that is only an icon needs an `aria-label`. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${SPRITE}#${name}`);
  svg.append(use);
  return svg;
}

const shown = new WeakMap();

/**
 * Makes `parent`'s children those of `items`, one each and in order, touching only what differs; focus stays where it was.
 * `key(item)` tells items apart; `render(item, before)` → Element, where `before` is what the item had, to change and
 * return. An item that is the very same object as before is not rendered again.
 */
export function keyed(parent, items, key, render) {
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  const before = new Map([...parent.children].map((element) => [shown.get(element)?.key, element]));
  const wanted = items.map((item) => rendered(item, key(item), before, render));
  const staying = new Set(wanted);
  for (const element of [...parent.children]) if (!staying.has(element)) element.remove();
  wanted.forEach((element, place) => {
    if (parent.children[place] !== element) parent.insertBefore(element, parent.children[place] ?? null);
  });
  if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
}

function rendered(item, name, before, render) {
  const present = before.get(name);
  if (present && shown.get(present).item === item) return present;
  const fresh = render(item, present);
  const element = present && present !== fresh ? exchanged(present, fresh) : fresh;
  shown.set(element, { key: name, item });
  return element;
}

/** The fresh element in the old one's place, with the focus on what stands where the focus was. */
function exchanged(present, fresh) {
  const path = present.contains(document.activeElement) ? pathOf(present, document.activeElement) : null;
  present.replaceWith(fresh);
  path?.reduce((element, place) => element?.children[place], fresh)?.focus({ preventScroll: true });
  return fresh;
}

function pathOf(root, element) {
  const path = [];
  for (let at = element; at !== root; at = at.parentElement) path.unshift([...at.parentElement.children].indexOf(at));
  return path;
}
