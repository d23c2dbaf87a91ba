/* What Tab should reach on a page, and whether the focus can be seen there; pages may draw anew meanwhile. */
window.walk = (() => {
  const USABLE = "a[href], button, input, select, textarea, summary, [tabindex], [contenteditable=true]";
  let unfocused;

  const usable = (one) =>
    one.tabIndex >= 0 && !one.disabled && !one.closest("[inert]") && one.checkVisibility({ visibilityProperty: true });

  const label = (one) =>
    [one.localName, one.id, one.getAttribute("href"), one.ariaLabel, one.textContent.trim().slice(0, 60)]
      .filter(Boolean)
      .join(" ");

  const look = (one) =>
    [one, one.parentElement, one.parentElement?.parentElement]
      .filter(Boolean)
      .map((each) => getComputedStyle(each))
      .map((style) => [style.outline, style.boxShadow, style.borderColor].join(" "))
      .join(" | ");

  /* By name: a label, and which of its like it is. The radio buttons of one name are one stop. */
  function stops() {
    const found = new Map();
    for (const one of [...document.querySelectorAll(USABLE)].filter(usable)) {
      const name = one.type === "radio" ? `radio ${one.name}` : label(one);
      let like = 1;
      while (one.type !== "radio" && found.has(`${name} (${like})`)) like += 1;
      found.set(`${name} (${like})`, one);
    }
    return found;
  }

  return {
    begin() {
      document.activeElement?.blur();
      unfocused = new Map([...stops()].map(([name, one]) => [name, look(one)]));
      return [...unfocused.keys()];
    },
    focused() {
      const one = document.activeElement;
      if (one === document.body) return ["", true];
      const radio = one.type === "radio" && `radio ${one.name} (1)`;
      const name = radio || [...stops()].find(([, stop]) => stop === one)?.[0] || label(one);
      return [name, look(one) !== unfocused.get(name)];
    },
  };
})();
