// One latent: its numbers, a histogram, the tokens that it has to do with, and its texts.
sonde.latentParts = (latent, whole, { made, seen, plain }) => {
  // Hovering, tapping and the arrow keys move through tokens or bars, and tell of each.
  function walk(box, parts, tell) {
    let at = -1;
    const clear = () => { parts[at]?.classList.remove("at"); sonde.tip.hide(); };
    const move = (index) => {
      clear();
      at = Math.max(0, Math.min(index, parts.length - 1));
      parts[at].classList.add("at");
      const where = parts[at].getClientRects()[0];
      if (where) tell(at, { x: where.left + where.width / 2 - 8, y: where.top });
    };
    const over = (event) => {
      const index = parts.findIndex((part) => part.contains(event.target));
      if (index >= 0) move(index);
    };
    box.addEventListener("pointerover", over);
    box.addEventListener("click", over);
    box.addEventListener("pointerleave", clear);
    box.addEventListener("blur", clear);
    box.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1, Home: -1e6, End: 1e6 }[event.key];
      if (by !== undefined) { event.preventDefault(); move(at + by); }
    });
    box.tabIndex = 0;
    box.setAttribute("role", "group");
  }
  function named(name, value) { return made("div", "", made("dt", "", name), made("dd", "", value)); }

  function head() {
    const block = latent.block === null ? [] : [made("span", "block", `block ${latent.block}`)];
    const facts = [["fires on", `${latent.said.rate} of tokens`], ["largest", latent.said.largest],
      ["mean where it fires", latent.said.mean], ["context diversity", latent.said.diversity],
      ["specialisation", latent.said.specialisation]];
    return [made("h3", "", `Latent ${latent.number} `, ...block),
      made("dl", "facts small", ...facts.map(([name, value]) => named(name, value)))];
  }

  function histogram() {
    if (!latent.counts.length) return [];
    const most = Math.max(...latent.counts);
    const bars = latent.counts.map((count) => {
      const bar = made("span", "bar", made("span", "full"));
      bar.firstElementChild.style.height = `${count ? Math.max(2, (100 * count) / most) : 0}%`;
      return bar;
    });
    const span = (at) => {
      const [low, high] = [latent.bounds[at], latent.bounds[at + 1]];
      return high ? `${low} to ${high}` : `${low} and above`;
    };
    const box = made("div", "histogram", ...bars);
    const last = latent.counts.length - 1;
    box.setAttribute("aria-label", `How active it is where it is, in ${bars.length} sizes from ${latent.bounds[0]} `
      + `to ${latent.bounds[last + 1] || "above"}. Arrow keys move through them.`);
    walk(box, bars, (at, where) => sonde.tip.show(span(at), [["tokens", latent.counts[at].toLocaleString("en")]], where));
    const ends = made("p", "ends", made("span", "", latent.bounds[0]), made("span", "", "by half octaves"),
      made("span", "", latent.bounds[last + 1] || "∞"));
    return [made("div", "spread", made("h4", "", "How active it is"), box, ends)];
  }

  function words(title, pairs) {
    if (!pairs.length) return [];
    const lines = pairs.map(([token, number]) => made("li", "", seen(token, "piece"), made("span", "", number)));
    return [made("div", "", made("h4", "", title), made("ul", "words", ...lines))];
  }

  function text(one, number) {
    const tokens = one.tokens.map((token, at) => {
      const value = at === one.place ? one.part : one.values[at];
      const known = one.values.some((each) => each !== null);
      const shade = value === null ? (known ? "bx" : "b0") : `b${Math.floor((10 * value) / whole + 0.5)}`;
      // A line breaks after the space before a word, which would tear the ring of a token in two.
      const apart = at === one.place && /^ ./.test(typeof token === "string" ? token : "");
      return seen(apart ? token.slice(1) : token, `t ${shade}${at === one.place ? " read" : ""}${apart ? " apart" : ""}`);
    });
    const inside = tokens.flatMap((token) => (token.classList.contains("apart") ? [" ", token] : [token]));
    const passage = made("p", "tokens", ...inside);
    passage.dir = "auto";
    passage.setAttribute("aria-label", `Text ${number + 1}, ${one.value}. Arrow keys move through the tokens.`);
    walk(passage, tokens, (at, where) => {
      const value = at === one.place ? one.part : one.values[at];
      const said = value === null ? "not known" : ((value / whole) * latent.largest).toPrecision(3);
      sonde.tip.show(JSON.stringify(plain(one.tokens[at])), [["activation", said]], where);
    });
    const times = one.times ? [made("span", "times", one.times)] : [];
    return made("li", "", made("p", "about", made("b", "", one.value), made("span", "", one.drawn), ...times), passage);
  }

  const said = [...words("Fires on", latent.fires), ...words("Raises the logits of", latent.raised),
    ...words("Lowers the logits of", latent.lowered)];
  return [...head(), made("div", "about-it", ...histogram(), ...said),
    made("h4", "", latent.texts.length ? "Texts, from the largest activation down" : "No texts were kept."),
    made("ol", "texts", ...latent.texts.map(text))];
};
