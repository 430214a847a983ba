"use strict";
document.documentElement.classList.add("js");
const sonde = {};

// The tooltip. Text is only ever set as text, never as markup.
sonde.tip = (() => {
  const box = document.getElementById("tip");
  function element(tag, text, style) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (style) made.className = style;
    return made;
  }
  function show(title, rows, at, extra) {
    const list = element("dl");
    for (const row of rows) list.append(element("dt", row[0], row[2]), element("dd", row[1]));
    box.replaceChildren(element("h4", title), list);
    if (extra) box.append(extra);
    box.hidden = false;
    const width = box.offsetWidth, height = box.offsetHeight, page = document.documentElement;
    const left = at.x + 16 + width > page.clientWidth - 8 ? at.x - 16 - width : at.x + 16;
    const top = at.y - height - 14 < 8 ? at.y + 22 : at.y - height - 14;
    box.style.left = scrollX + Math.max(8, Math.min(left, page.clientWidth - width - 8)) + "px";
    box.style.top = scrollY + top + "px";
  }
  function hide() { box.hidden = true; }
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  return { show, hide };
})();

// Charts: a line that follows the pointer or the arrow keys, and the numbers of that column.
sonde.charts = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const all = [];
  function lineIn(svg, style) {
    const made = document.createElementNS(SVG, "line");
    made.setAttribute("class", style);
    made.setAttribute("y1", svg.dataset.top);
    made.setAttribute("y2", svg.dataset.floor);
    made.setAttribute("visibility", "hidden");
    if (svg.querySelector(".cells")) svg.append(made); // over a map's cells
    else svg.firstElementChild.after(made); // behind the curves and their names
    return made;
  }
  function place(line, x) {
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
    line.setAttribute("visibility", "visible");
  }
  function set(plot) {
    const data = JSON.parse(plot.querySelector("script").textContent);
    const drawings = [...plot.querySelectorAll("svg")].map((svg) => ({
      svg,
      xs: svg.dataset.x.split(" ").map(Number),
      cursor: lineIn(svg, "cursor"),
      chosen: lineIn(svg, "chosen"),
    }));
    let now = -1;
    function shown() { return drawings.find((each) => each.svg.getClientRects().length); }
    function visible(row) {
      const toggle = row.series === null ? null
        : plot.closest("figure")?.querySelector(`[data-toggle="s${row.series}"]`);
      return !toggle || toggle.checked;
    }
    function go(index, at) {
      now = Math.max(0, Math.min(index, data.heads.length - 1));
      for (const each of drawings) place(each.cursor, each.xs[now]);
      const drawing = shown();
      const box = drawing.svg.getBoundingClientRect();
      const x = box.left + (drawing.xs[now] / drawing.svg.viewBox.baseVal.width) * box.width;
      const rows = data.rows.filter(visible).map((row) => [row.name, row.texts[now], row.style]);
      sonde.tip.show(data.heads[now], rows, { x, y: at ?? box.top + box.height / 3 });
    }
    function nearest(event) {
      const drawing = shown();
      const box = drawing.svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * drawing.svg.viewBox.baseVal.width;
      let best = 0;
      drawing.xs.forEach((each, index) => {
        if (Math.abs(each - x) < Math.abs(drawing.xs[best] - x)) best = index;
      });
      return best;
    }
    function leave() {
      for (const each of drawings) each.cursor.setAttribute("visibility", "hidden");
      sonde.tip.hide();
    }
    plot.addEventListener("pointermove", (event) => go(nearest(event), event.clientY));
    plot.addEventListener("pointerleave", leave);
    plot.addEventListener("blur", leave);
    plot.addEventListener("click", (event) => choose(data.layers[nearest(event)]));
    plot.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, Home: -1e6, End: 1e6 }[event.key];
      if (step !== undefined) { event.preventDefault(); go(now < 0 && step > 0 && step < 2 ? 0 : now + step); }
      if (event.key === "Enter" && now >= 0) choose(data.layers[now]);
    });
    all.push({ data, drawings });
  }
  function choose(layer) {
    if (layer === undefined) return; // columns that are not layers
    document.dispatchEvent(new CustomEvent("sonde:layer", { detail: layer }));
  }
  function mark(layer) {
    for (const { data, drawings } of all) {
      const index = data.layers.indexOf(layer);
      if (index < 0) continue;
      for (const each of drawings) place(each.chosen, each.xs[index]);
    }
  }
  document.querySelectorAll("[data-chart]").forEach(set);
  return { mark };
})();
