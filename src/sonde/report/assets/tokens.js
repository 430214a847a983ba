// Texts coloured by a probe: the sliders, the list of texts, tooltips, and a view in the address
// (#layer=12&text=3&threshold=0.4&colours=confusion), so that a view can be shared.
sonde.viewers = [...document.querySelectorAll("[data-viewer]")].map((root) => {
  const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
  const range = root.querySelector("[data-layers]");
  const cutter = root.querySelector("[data-threshold]");
  const modes = [...root.querySelectorAll(".modes input")];
  const bars = [...root.querySelectorAll(".quality .bar")];
  const buttons = [...root.querySelectorAll("[data-choose]")];
  const play = root.querySelector(".play");
  const items = [...root.querySelectorAll("[data-text]")].map((item, number) => ({
    item, number, tokens: [...item.querySelectorAll(".t")], text: data.texts[number],
  }));
  const state = {
    at: data.at, text: "all", timer: null, threshold: data.threshold, mode: "score",
  };

  const value = (whole) => (whole === null ? null : whole / data.unit);
  const written = (score) =>
    score === null ? "–" : score.toFixed(data.digits).replace(/^(-?)0\./, "$1.").replace("-", "−");
  const shades = { low: -1, middle: 0, high: 1 };
  function step(shown, { low, middle, high }) {
    const reach = shown >= middle ? high - middle : middle - low;
    if (reach <= 0) return 0;
    const size = Math.floor(Math.min(1, Math.abs(shown - middle) / reach) * data.steps + 0.5);
    return shown >= middle ? size : -size;
  }

  const kind = (text, index) =>
    sonde.confusion.kind(value(text.scores[state.at][index]), text.truth[index], state.threshold);
  function style(text, index) {
    if (state.mode === "confusion") {
      const found = kind(text, index);
      return found === null ? ["untold"] : found.endsWith("p") ? [found, "up"] : [found];
    }
    const shaded = text.shades.length > 0;
    const whole = (shaded ? text.shades : text.scores)[state.at][index];
    if (whole === null) return ["bx"];
    const shown = whole / (shaded ? 100 : data.unit);
    const middle = data.sided === 1 ? data.low : state.threshold;
    const scale = shaded ? shades : { low: data.low, middle, high: data.high };
    const above = shown >= (shaded ? shades.middle : state.threshold);
    return ["b" + step(shown, scale), ...(above ? ["up"] : [])];
  }

  function paint() {
    for (const { item, tokens, text, number } of items) {
      tokens.forEach((token, index) => {
        const kept = ["tpl", "read", "at"].filter((name) => token.classList.contains(name));
        token.className = ["t", ...style(text, index), ...kept].join(" ");
      });
      read(item, text, number);
    }
    root.querySelectorAll("[data-layer]").forEach((each) => { each.textContent = data.layers[state.at]; });
    bars.forEach((bar, index) => bar.classList.toggle("now", index === state.at));
    range.value = state.at;
    range.setAttribute("aria-valuetext", `block ${data.layers[state.at]}`);
    root.querySelectorAll("[data-threshold-out]")
      .forEach((each) => { each.textContent = written(state.threshold); });
    count();
    sonde.charts.mark(data.layers[state.at]);
  }
  function count() {
    root.querySelectorAll("[data-legend]")
      .forEach((each) => { each.hidden = each.dataset.legend !== state.mode; });
    if (!modes.length) return;
    const there = items.filter(({ item }) => state.text === "all" || item.dataset.text === state.text);
    const counts = sonde.confusion.tally(there.flatMap(({ text }) => text.truth.map((_, at) => kind(text, at))));
    root.querySelectorAll("[data-count]").forEach((each) => { each.textContent = counts[each.dataset.count]; });
    root.querySelector("[data-rates]").textContent = sonde.confusion.rates(counts);
  }
  function read(item, text, number) {
    const score = value(text.outcome[state.at]);
    const above = score !== null && score >= state.threshold;
    const verdict = score === null || text.positive === null ? ""
      : above === text.positive ? "right" : "wrong";
    const mark = { right: "✓", wrong: "✗", "": "" }[verdict];
    const reading = item.querySelector(".reading");
    reading.className = `reading ${verdict}`;
    reading.querySelector(".mark").textContent = mark;
    const known = text.truth.some((one) => one !== null);
    reading.querySelector(".said").textContent =
      score === null && known ? sonde.confusion.found(sonde.confusion.tally(text.truth.map((_, at) => kind(text, at))))
        : score === null ? "" : `read as ${data.classes[above ? 1 : 0]}, ${written(score)}`;
    const listed = buttons[number + 1].querySelector(".mark");
    listed.className = `mark ${verdict}`;
    listed.textContent = mark;
  }
  function choose(text) {
    state.text = text;
    items.forEach(({ item }) => item.classList.toggle("away", text !== "all" && item.dataset.text !== text));
    buttons.forEach((each) => each.setAttribute("aria-pressed", String(each.dataset.choose === text)));
    count();
  }
  function toThreshold(threshold) {
    state.threshold = Math.max(data.low, Math.min(data.high, threshold));
    cutter.value = state.threshold;
    paint();
  }
  function toMode(mode) {
    if (!modes.some((each) => each.value === mode)) return;
    modes.forEach((each) => { each.checked = each.value === mode; });
    state.mode = mode;
    paint();
  }
  function goTo(at) {
    state.at = Math.max(0, Math.min(at, data.layers.length - 1));
    paint();
  }
  function toLayer(layer) {
    let best = 0;
    data.layers.forEach((each, index) => {
      if (Math.abs(each - layer) < Math.abs(data.layers[best] - layer)) best = index;
    });
    goTo(best);
  }
  function remember() {
    // A file opened in a sandboxed frame may not change its address; the view itself still works.
    const cut = state.threshold === data.threshold ? "" : `&threshold=${state.threshold}`;
    const colours = state.mode === "score" ? "" : `&colours=${state.mode}`;
    const view = `#layer=${data.layers[state.at]}&text=${state.text}${cut}${colours}`;
    try { history.replaceState(null, "", view); }
    catch { /* nothing to remember it in */ }
  }
  function recall() {
    const given = new URLSearchParams(location.hash.slice(1));
    const layer = given.get("layer"), text = given.get("text");
    if (layer !== null && layer !== "" && Number.isFinite(Number(layer))) toLayer(Number(layer));
    if (buttons.some((each) => each.dataset.choose === text)) choose(text);
    const cut = given.get("threshold");
    if (cut !== null && cut !== "" && Number.isFinite(Number(cut))) toThreshold(Number(cut));
    toMode(given.get("colours"));
  }

  function spark(scores) {
    const SVG = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(SVG, "svg");
    const make = (tag, attributes) => {
      const made = document.createElementNS(SVG, tag);
      for (const [name, said] of Object.entries(attributes)) made.setAttribute(name, said);
      svg.append(made);
    };
    svg.setAttribute("class", "spark");
    svg.setAttribute("viewBox", "0 0 200 44");
    svg.setAttribute("preserveAspectRatio", "none");
    const x = (index) => 4 + (192 * index) / Math.max(1, scores.length - 1);
    const y = (score) => 40 - 36 * Math.max(0, Math.min(1, (score - data.low) / (data.high - data.low)));
    make("line", { x1: 0, x2: 200, y1: y(state.threshold), y2: y(state.threshold) });
    let path = "", pen = "M";
    scores.forEach((score, index) => {
      if (score === null) { pen = "M"; return; }
      path += `${pen}${x(index)} ${y(score)}`;
      pen = "L";
    });
    make("path", { d: path });
    if (scores[state.at] !== null) make("circle", { cx: x(state.at), cy: y(scores[state.at]), r: 3 });
    return svg;
  }
  function tell(entry, index) {
    const token = entry.tokens[index], box = token.getClientRects()[0];
    if (!box) return;
    const byLayer = entry.text.scores.map((row) => value(row[index]));
    const found = kind(entry.text, index);
    const rows = [
      [data.score, written(byLayer[state.at]), "s0"],
      ...(found === null ? [] : [[data.says || "truth", entry.text.truth[index] ? "yes" : "no", ""],
        ["read as", sonde.confusion.NAMES[found], ""]]),
      ["token id", String(entry.text.ids[index]), ""],
      ["token", `${index + 1} of ${entry.tokens.length}`, ""],
      ["layer", `block ${data.layers[state.at]}`, ""],
    ];
    sonde.tip.show(JSON.stringify(entry.text.tokens[index]), rows,
      { x: box.left + box.width / 2 - 8, y: box.top }, spark(byLayer));
  }
  for (const entry of items) {
    const passage = entry.item.querySelector(".tokens");
    let at = -1;
    const clear = () => {
      if (entry.tokens[at]) entry.tokens[at].classList.remove("at");
      sonde.tip.hide();
    };
    const move = (index) => {
      clear();
      at = Math.max(0, Math.min(index, entry.tokens.length - 1));
      entry.tokens[at].classList.add("at");
      tell(entry, at);
    };
    const over = (event) => {
      const index = entry.tokens.indexOf(event.target.closest(".t"));
      if (index >= 0) move(index);
    };
    passage.addEventListener("pointerover", over);
    passage.addEventListener("click", over);
    passage.addEventListener("pointerleave", clear);
    passage.addEventListener("blur", clear);
    passage.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1, Home: -1e6, End: 1e6 }[event.key];
      if (by !== undefined) { event.preventDefault(); move(at + by); }
    });
  }

  function stop() {
    clearInterval(state.timer);
    state.timer = null;
    play.firstElementChild.textContent = "▶";
    play.setAttribute("aria-label", "Play through the layers");
  }
  play.addEventListener("click", () => {
    if (state.timer) { stop(); remember(); return; }
    if (state.at === data.layers.length - 1) goTo(0);
    play.firstElementChild.textContent = "❚❚";
    play.setAttribute("aria-label", "Stop");
    state.timer = setInterval(() => {
      goTo(state.at + 1);
      if (state.at === data.layers.length - 1) { stop(); remember(); }
    }, 350);
  });
  range.addEventListener("input", () => { stop(); goTo(Number(range.value)); });
  range.addEventListener("change", remember);
  cutter.addEventListener("input", () => toThreshold(Number(cutter.value)));
  cutter.addEventListener("change", remember);
  modes.forEach((each) => each.addEventListener("change", () => { toMode(each.value); remember(); }));
  buttons.forEach((each) => each.addEventListener("click", () => { choose(each.dataset.choose); remember(); }));
  document.addEventListener("sonde:layer", (event) => { stop(); toLayer(event.detail); remember(); });
  addEventListener("hashchange", recall);
  paint();
  choose(data.first);
  recall();
  return { state, data };
});
