// Latents of a dictionary: a list to search and sort, one latent with its texts, tooltips, and the
// latent in the address (#latent=12), so that it can be shared. Text is only ever set as text.
sonde.latents = [...document.querySelectorAll("[data-latents]")].map((root, place) => {
  const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
  const find = (name) => root.querySelector(`[data-${name}]`);
  const seek = find("seek"), by = find("by"), turn = find("turn"), list = find("list");
  const key = place ? `latent${place + 1}` : "latent";
  const state = { chosen: null, shown: [], down: true };

  function made(tag, style, ...inside) {
    const one = document.createElement(tag);
    if (style) one.className = style;
    one.append(...inside);
    return one;
  }
  const plain = (token) =>
    typeof token === "string" ? token : token.map((part) => (typeof part === "string" ? part : part[0])).join("");
  function seen(token, style) {
    if (typeof token === "string") return made("span", style, token);
    return made("span", style, ...token.map((part) => (typeof part === "string" ? part : made("i", "", part[0]))));
  }
  const texts = new Map();
  function wordsOf(latent) {
    if (!texts.has(latent)) {
      const words = [...latent.fires, ...latent.raised, ...latent.lowered].map(([token]) => plain(token));
      const passages = latent.texts.map((text) => text.tokens.map(plain).join(""));
      texts.set(latent, [...words, ...passages].join("\n").toLowerCase());
    }
    return texts.get(latent);
  }

  const items = new Map(data.latents.map((latent) => {
    const words = latent.fires.slice(0, 3).map(([token]) => seen(token, "piece"));
    const item = made("li", "", made("span", "number", String(latent.number)),
      made("span", "words", ...(words.length ? words : ["–"])), made("span", "value"));
    item.id = `latent-${place}-${latent.number}`;
    item.setAttribute("role", "option");
    item.addEventListener("click", () => { choose(latent); remember(); });
    return [latent, item];
  }));

  function order() {
    const sorted = (one) => one.sort[by.value];
    const sign = state.down ? -1 : 1;
    return [...data.latents].sort((one, other) => {
      const [a, b] = [sorted(one), sorted(other)];
      if (a === null || b === null) return (a === null) - (b === null) || one.number - other.number;
      return sign * (a - b) || one.number - other.number;
    });
  }
  function fits(latent, asked) {
    if (!asked) return true;
    if (/^\d+$/.test(asked) && String(latent.number).startsWith(asked)) return true;
    return wordsOf(latent).includes(asked);
  }
  function fill() {
    const asked = seek.value.trimEnd().toLowerCase();
    state.shown = order().filter((latent) => fits(latent, asked));
    for (const latent of state.shown) items.get(latent).querySelector(".value").textContent = latent.said[by.value];
    list.replaceChildren(...state.shown.map((latent) => items.get(latent)));
    find("found").textContent = `${state.shown.length} of ${data.latents.length}`;
    if (!state.shown.length) list.removeAttribute("aria-activedescendant");
    else if (!state.shown.includes(state.chosen)) choose(state.shown[0]);
    else mark();
  }
  function mark() {
    for (const [latent, item] of items) item.setAttribute("aria-selected", String(latent === state.chosen));
    const item = items.get(state.chosen);
    list.setAttribute("aria-activedescendant", item.id);
    // Only the list scrolls: scrollIntoView would move the page too.
    const top = item.offsetTop - list.offsetTop;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + item.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = top + item.offsetHeight - list.clientHeight;
  }
  function choose(latent) {
    state.chosen = latent;
    sonde.tip.hide();
    find("one").replaceChildren(...sonde.latentParts(latent, data.whole, { made, seen, plain }));
    mark();
  }

  function remember() {
    const given = new URLSearchParams(location.hash.slice(1));
    given.set(key, state.chosen.number);
    try { history.replaceState(null, "", `#${given}`); }
    catch { /* a sandboxed frame may not change its address */ }
  }
  function recall() {
    const asked = new URLSearchParams(location.hash.slice(1)).get(key);
    const latent = data.latents.find((one) => String(one.number) === asked);
    if (!latent) return;
    if (!state.shown.includes(latent)) { seek.value = ""; fill(); }
    choose(latent);
  }

  function turnTo(down) {
    state.down = down;
    turn.setAttribute("aria-pressed", String(!down));
    turn.firstElementChild.textContent = down ? "↓" : "↑";
  }
  list.addEventListener("keydown", (event) => {
    const by_ = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -1e6, End: 1e6 }[event.key];
    if (by_ === undefined || !state.shown.length) return;
    event.preventDefault();
    const at = state.shown.indexOf(state.chosen) + by_;
    choose(state.shown[Math.max(0, Math.min(at, state.shown.length - 1))]);
    remember();
  });
  seek.addEventListener("input", fill);
  by.addEventListener("change", () => { turnTo(by.value !== "number"); fill(); });
  turn.addEventListener("click", () => { turnTo(!state.down); fill(); });
  addEventListener("hashchange", recall);
  fill();
  recall();
  return { state, data };
});
