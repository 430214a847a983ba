// Texts coloured by a probe: the slider, the list of texts, tooltips, and a view in the address
// (#layer=12&text=3), so that a view can be shared.
sonde.viewers = [...document.querySelectorAll("[data-viewer]")].map((root) => {
  const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
  const range = root.querySelector("input[type=range]");
  const bars = [...root.querySelectorAll(".quality .bar")];
  const buttons = [...root.querySelectorAll("[data-choose]")];
  const play = root.querySelector(".play");
  const items = [...root.querySelectorAll("[data-text]")].map((item, number) => ({
    item, number, tokens: [...item.querySelectorAll(".t")], text: data.texts[number],
  }));
  const state = { at: data.at, text: "all", timer: null };

  const value = (whole) => (whole === null ? null : whole / data.unit);
  const written = (score) =>
    score === null ? "–" : score.toFixed(data.digits).replace(/^(-?)0\./, "$1.").replace("-", "−");
  const scores = { low: data.low, middle: data.threshold, high: data.high };
  const shades = { low: -1, middle: 0, high: 1 };
  function step(shown, { low, middle, high }) {
    const reach = shown >= middle ? high - middle : middle - low;
    const size = Math.floor(Math.min(1, Math.abs(shown - middle) / reach) * data.steps + 0.5);
    return shown >= middle ? size : -size;
  }

  function paint() {
    for (const { item, tokens, text, number } of items) {
      const shaded = text.shades.length > 0;
      const row = (shaded ? text.shades : text.scores)[state.at];
      const scale = shaded ? shades : scores;
      tokens.forEach((token, index) => {
        const whole = row[index];
        const shown = whole === null ? null : whole / (shaded ? 100 : data.unit);
        const kept = ["tpl", "read", "at"].filter((name) => token.classList.contains(name));
        const colour = shown === null ? "bx" : "b" + step(shown, scale);
        const above = shown !== null && shown >= scale.middle ? ["up"] : [];
        token.className = ["t", colour, ...above, ...kept].join(" ");
      });
      read(item, text, number);
    }
    root.querySelectorAll("[data-layer]").forEach((each) => { each.textContent = data.layers[state.at]; });
    bars.forEach((bar, index) => bar.classList.toggle("now", index === state.at));
    range.value = state.at;
    range.setAttribute("aria-valuetext", `block ${data.layers[state.at]}`);
    sonde.charts.mark(data.layers[state.at]);
  }
  function read(item, text, number) {
    const score = value(text.outcome[state.at]);
    const above = score !== null && score >= data.threshold;
    const verdict = score === null || text.positive === null ? ""
      : above === text.positive ? "right" : "wrong";
    const mark = { right: "✓", wrong: "✗", "": "" }[verdict];
    const reading = item.querySelector(".reading");
    reading.className = `reading ${verdict}`;
    reading.querySelector(".mark").textContent = mark;
    reading.querySelector(".said").textContent =
      score === null ? "" : `read as ${data.classes[above ? 1 : 0]}, ${written(score)}`;
    const listed = buttons[number + 1].querySelector(".mark");
    listed.className = `mark ${verdict}`;
    listed.textContent = mark;
  }
  function choose(text) {
    state.text = text;
    items.forEach(({ item }) => item.classList.toggle("away", text !== "all" && item.dataset.text !== text));
    buttons.forEach((each) => each.setAttribute("aria-pressed", String(each.dataset.choose === text)));
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
    try { history.replaceState(null, "", `#layer=${data.layers[state.at]}&text=${state.text}`); }
    catch { /* nothing to remember it in */ }
  }
  function recall() {
    const given = new URLSearchParams(location.hash.slice(1));
    const layer = given.get("layer"), text = given.get("text");
    if (layer !== null && layer !== "" && Number.isFinite(Number(layer))) toLayer(Number(layer));
    if (buttons.some((each) => each.dataset.choose === text)) choose(text);
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
    make("line", { x1: 0, x2: 200, y1: y(data.threshold), y2: y(data.threshold) });
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
    const rows = [
      [data.score, written(byLayer[state.at]), "s0"],
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
  buttons.forEach((each) => each.addEventListener("click", () => { choose(each.dataset.choose); remember(); }));
  document.addEventListener("sonde:layer", (event) => { stop(); toLayer(event.detail); remember(); });
  addEventListener("hashchange", recall);
  paint();
  choose(data.first);
  recall();
  return { state, data };
});
