/**
 * A list on the page of which only what is near the viewport is in the document; the page itself scrolls.
 *
 * Items are {key, seq, revision, …} in ascending order of seq; one is rendered again when its revision differs. What the reader looks at
 * stays where it is, whatever comes before it or changes its height; only who is at the end stays at the end.
 */

const MARGIN_PX = 900;
const KEPT = 100;
const AT_END_PX = 48;
const ESTIMATE_PX = 64;

export class VirtualList extends EventTarget {
  items = [];
  /** Whether who is at the end stays there when something comes after it. */
  follows = true;
  #parent;
  #render;
  #places = new Map();
  #shown = new Map();
  #heights = new Map();
  #atEnd = true;
  #scheduled = false;
  #width = 0;
  #aim = null;
  #observer = new ResizeObserver(() => this.#resized());

  /** `render(item, before)` → Element; `before` is what the item was shown as, or undefined. Tells of each drawing by "drawn". */
  constructor(parent, render) {
    super();
    this.#parent = parent;
    this.#render = render;
    addEventListener("scroll", () => this.#scrolled(), { passive: true });
    addEventListener("resize", () => this.draw(), { passive: true });
  }

  /** Whether the reader is at the end, and so follows what comes. */
  get atEnd() {
    return this.#atEnd;
  }

  /** What is in the document, first and last. */
  get range() {
    const places = this.#shownPlaces();
    return [this.items[places[0]], this.items[places.at(-1)]];
  }

  set(items) {
    const anchor = this.#isStuck ? null : this.#anchor();
    const known = this.items.length;
    const isLonger = known > 0 && items[0]?.key === this.items[0].key && items[known - 1]?.key === this.items[known - 1].key;
    this.items = items;
    if (!isLonger) this.#places.clear();
    for (let place = isLonger ? known : 0; place < items.length; place += 1) this.#places.set(items[place].key, place);
    this.#draw(anchor && { ...anchor, place: this.#placeOf(anchor) });
  }

  /** At the next frame; as often as one likes. */
  draw() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#draw(this.#isStuck ? null : this.#anchor());
    });
  }

  /** The end, and what will come. */
  toEnd() {
    this.#atEnd = true;
    this.#draw(null);
  }

  /** Puts the item into the upper part of the viewport. Returns its element. */
  to(item) {
    this.#atEnd = false;
    this.#draw({ place: this.#places.get(item.key), top: innerHeight / 4 });
    return this.#shown.get(item.key)?.element;
  }

  element(key) {
    return this.#shown.get(key)?.element;
  }

  get #isStuck() {
    return this.#atEnd && this.follows;
  }

  // --- where the reader is -------------------------------------------------------------------------------------------

  #scrolled() {
    if (this.#aim !== null && Math.abs(scrollY - this.#aim) < 2) this.#aim = null;
    else {
      this.#aim = null;
      this.#atEnd = left() < AT_END_PX;
    }
    this.draw();
  }

  /** The topmost item in the viewport, and where it is; while none is in the document, by estimate. */
  #anchor() {
    for (const place of this.#shownPlaces()) {
      const { key, seq } = this.items[place];
      const { top, bottom } = this.#shown.get(key).element.getBoundingClientRect();
      if (bottom > 0 && top < innerHeight) return { key, seq, place, top };
    }
    let top = this.#parent.getBoundingClientRect().top;
    const place = this.items.findIndex((item) => (top += this.#height(item)) > 0);
    const found = place === -1 ? this.items.length - 1 : place;
    return { key: this.items[found]?.key, seq: this.items[found]?.seq ?? 0, place: found, top: top - this.#height(this.items[found]) };
  }

  /** Of what is in the document, ascending. */
  #shownPlaces() {
    const places = [...this.#shown.keys()].map((key) => this.#places.get(key));
    return places.filter((place) => place !== undefined).sort((one, other) => one - other);
  }

  #placeOf({ key, seq }) {
    const place = this.#places.get(key);
    return place ?? Math.max(this.items.findLastIndex((item) => item.seq <= seq), 0);
  }

  // --- drawing -------------------------------------------------------------------------------------------------------

  #draw(anchor) {
    if (!this.items.length) anchor = null;
    for (let attempt = 0; attempt < 4; attempt += 1) {
      const [from, to] = this.#withShown(anchor ? this.#around(anchor) : this.#atTheEnd());
      const isMeasured = this.#show(from, to);
      this.#restore(anchor);
      if (isMeasured) break;
    }
    if (left() < 2) this.#atEnd = true;
    this.dispatchEvent(new Event("drawn"));
  }

  #around({ place, top }) {
    let [from, to, above, below] = [place, place, top, top];
    while (from > 0 && above > -MARGIN_PX) above -= this.#height(this.items[(from -= 1)]);
    while (to < this.items.length && below < innerHeight + MARGIN_PX) below += this.#height(this.items[to++]);
    return [from, to];
  }

  #atTheEnd() {
    let [from, room] = [this.items.length, innerHeight + MARGIN_PX];
    while (from > 0 && room > 0) room -= this.#height(this.items[(from -= 1)]);
    return [from, this.items.length];
  }

  /** What is in the document stays there while it is little, and with it the focus and what was selected. */
  #withShown([from, to]) {
    const places = this.#shownPlaces();
    const [first, last] = [Math.min(from, ...places), Math.max(to, ...places.map((place) => place + 1))];
    return last - first <= KEPT ? [first, last] : [from, to];
  }

  /** Whether every height was known before. */
  #show(from, to) {
    const wanted = this.items.slice(from, to);
    const keys = new Set(wanted.map(({ key }) => key));
    for (const key of [...this.#shown.keys()]) if (!keys.has(key)) this.#remove(key);
    let next = this.#parent.firstElementChild;
    for (const item of wanted) {
      const element = this.#element(item);
      if (element === next) next = next.nextElementSibling;
      else this.#parent.insertBefore(element, next);
      element.setAttribute("aria-posinset", this.#places.get(item.key) + 1);
      element.setAttribute("aria-setsize", this.items.length);
    }
    this.#parent.style.paddingTop = `${this.#sum(0, from)}px`;
    this.#parent.style.paddingBottom = `${this.#sum(to, this.items.length)}px`;
    return this.#measure(wanted);
  }

  #element(item) {
    const known = this.#shown.get(item.key);
    if (known?.revision === item.revision) return known.element;
    const element = this.#render(item, known?.element);
    if (known && known.element !== element) {
      this.#observer.unobserve(known.element);
      known.element.replaceWith(element);
    }
    if (known?.element !== element) this.#observer.observe(element);
    this.#shown.set(item.key, { element, revision: item.revision });
    return element;
  }

  #remove(key) {
    const { element } = this.#shown.get(key);
    this.#observer.unobserve(element);
    element.remove();
    this.#shown.delete(key);
  }

  #measure(items) {
    let isMeasured = true;
    for (const { key } of items) {
      const height = this.#shown.get(key).element.getBoundingClientRect().height;
      if (Math.abs((this.#heights.get(key) ?? -1) - height) > 0.5) isMeasured = false;
      this.#heights.set(key, height);
    }
    return isMeasured;
  }

  #restore(anchor) {
    const distance = anchor ? this.#moved(anchor) : left();
    if (Math.abs(distance) < 0.5) return;
    scrollBy({ top: distance, behavior: "instant" });
    this.#aim = scrollY;
  }

  #moved({ place, top }) {
    return this.#shown.get(this.items[place].key).element.getBoundingClientRect().top - top;
  }

  #height(item) {
    return this.#heights.get(item?.key) ?? ESTIMATE_PX;
  }

  #sum(from, to) {
    let sum = 0;
    for (let place = from; place < to; place += 1) sum += this.#height(this.items[place]);
    return sum;
  }

  /** In another width every height is another one. */
  #resized() {
    if (this.#parent.clientWidth !== this.#width) {
      this.#width = this.#parent.clientWidth;
      this.#heights.clear();
    }
    this.draw();
  }
}

/** How far the page can still be scrolled down. */
function left() {
  const page = document.documentElement;
  return page.scrollHeight - page.clientHeight - scrollY;
}
