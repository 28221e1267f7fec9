"use strict";
(async () => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const figures = JSON.parse($("figures").textContent);
  const MASKED = 65535;

  // Figures: the whole of them is one document of bokeh, whose roots go where their names are.
  const roots = Object.fromEntries(Object.entries(data.roots).map(([name, id]) => [id, name]));
  await Bokeh.embed.embed_items(
    { page: figures }, [{ docid: "page", roots, root_ids: Object.keys(roots) }]);
  const drawing = Bokeh.documents[Bokeh.documents.length - 1];
  const model = (name) => drawing.get_model_by_name(name);
  const models = [...drawing._all_models.values()];

  // Colours follow the reader's mode, as those of the rest of the page do.
  const colour = (role) =>
    getComputedStyle(document.documentElement).getPropertyValue(`--${role}`).trim();
  function paint() {
    for (const m of models) {
      for (const tag of m.tags ?? []) {
        if (tag.startsWith("colour:")) dye(m, colour(tag.slice(7)));
      }
      if (m.type.endsWith("Axis")) {
        m.axis_label_text_color = m.major_label_text_color = colour("muted");
        m.axis_line_color = m.major_tick_line_color = colour("rule");
      }
      if (m.type === "Grid") m.grid_line_color = colour("rule");
      if (m.type === "Figure") m.background_fill_color = colour("paper");
    }
  }
  function dye(m, value) {
    if (m.type === "Span") m.line_color = value;
    for (const glyph of [m.glyph, m.selection_glyph, m.nonselection_glyph]) {
      if (!glyph?.properties) continue;
      if (glyph.line_color !== undefined) glyph.line_color = glyph.type === "Line" ? value : { value };
      if (glyph.fill_color?.value) glyph.fill_color = { value };
    }
  }
  paint();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  // A finger scrolls the page; what it drags is chosen in the toolbar.
  if (matchMedia("(pointer: coarse)").matches) {
    for (const m of models) {
      if (["LassoSelectTool", "BoxZoomTool"].includes(m.type)) m.active = false;
    }
  }
  if (innerWidth < 760) {
    for (const m of models) if (m.name?.startsWith("map-")) m.height = 280;
  }
  if (!data.stars.length) { document.body.dataset.ready = "true"; return; }

  const stars = data.stars;
  const kinds = { synthetic: model("synthetic"), translated: model("translated"), observed: model("observed") };
  const spaces = Object.keys(kinds.synthetic.data).filter((k) => k.endsWith("_x")).map((k) => k.slice(0, -2));

  // Spectra.
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  const x = new Float64Array(bytes(data.x));
  const codes = Object.fromEntries(
    Object.entries(data.flux).map(([name, f]) => [name, new Uint16Array(bytes(f.codes))]));
  function flux(name, row) {
    const { low, step } = data.flux[name];
    return Float64Array.from(codes[name].subarray(row * x.length, (row + 1) * x.length),
      (code) => (code === MASKED ? NaN : low[row] + code * step[row]));
  }
  const number = (value, digits = 3) => value === null ? "–" : Number(value.toPrecision(digits)).toString();
  const share = (value) => `${(100 * value).toFixed(value > 0 && value < 0.1 ? 1 : 0)} %`;
  const text = (tag, words, className = "") => {
    const element = document.createElement(tag);
    element.textContent = words;
    element.className = className;
    return element;
  };

  // One star: its spectrum, its translation, its nearest partner.
  let chosen = 0;
  function show(star) {
    chosen = star;
    const s = stars[star], isObserved = s.domain === "observed";
    const model_row = isObserved ? s.partner : star;
    const observed_row = (isObserved ? star : s.partner) - data.n_synthetic;
    const parts = {
      synthetic: flux("synthetic", model_row), translated: flux("translated", model_row),
      observed: flux("observed", observed_row),
    };
    const less = (values) => values.map((value, i) => value - parts.observed[i]);
    model("star").data = {
      x, ...parts, back: isObserved ? flux("back", observed_row) : new Float64Array(x.length).fill(NaN),
      left_before: less(parts.synthetic), left_after: less(parts.translated),
    };
    mark(star);
    describe(star);
    current();
    const box = document.querySelector(".table"), row = rows[star];
    const hidden = row.offsetTop < box.scrollTop + row.offsetHeight || row.offsetTop + row.offsetHeight > box.scrollTop + box.clientHeight;
    if (row.isConnected && hidden) box.scrollTop = row.offsetTop - box.clientHeight / 2;
  }
  function current() {
    rows.forEach((row, i) => row.setAttribute("aria-current", i === chosen));
    // One row is reached by the tab key, the others from it by arrows.
    const shown = [...$("rows").children];
    const first = rows[chosen].isConnected ? rows[chosen] : shown[0];
    for (const row of shown) row.tabIndex = row === first ? 0 : -1;
  }
  const reveal = (block) => $("star-name").closest("section").scrollIntoView({ block });
  function point(star, kind) {
    const row = kind === "observed" ? star - data.n_synthetic : star;
    return Object.fromEntries(spaces.flatMap((space) => ["x", "y"].map((axis) =>
      [`${space}_${axis}`, kinds[kind].data[`${space}_${axis}`][row]])));
  }
  function columns(points) {
    const keys = spaces.flatMap((space) => [`${space}_x`, `${space}_y`]);
    return Object.fromEntries(keys.map((key) => [key, points.map((p) => p[key])]));
  }
  function mark(star) {
    const s = stars[star];
    const [made, real] = s.domain === "observed" ? [s.partner, star] : [star, s.partner];
    const points = [point(made, "synthetic"), point(made, "translated"), point(real, "observed")];
    model("chosen").data = columns(points);
  }
  function describe(star) {
    const s = stars[star], partner = stars[s.partner], isObserved = s.domain === "observed";
    $("star-name").replaceChildren(s.name, " ", text("small", isObserved ? "observed" : "synthetic"));
    const words = [
      isObserved ? `nearest translated: ${partner.name}` : `nearest observed: ${partner.name}`,
      `rms difference to it ${number(s.before)} before, ${number(s.after)} after translation`,
    ];
    if (s.p !== null) words.push(`p-value among observed spectra ${number(s.p, 2)}${s.strange ? ": like no observed spectrum" : ""}`);
    words.push(s.masked > 0 ? `${share(s.masked)} of the pixels masked` : "no pixel masked");
    for (const [name, value] of Object.entries(s.meta)) if (value) words.push(`${name} ${value}`);
    $("star-words").textContent = `${words.join(" · ")}.`;
    const legend = isObserved
      ? [["observed", "this star"], ["translated", "nearest translated"], ["synthetic", "its synthetic original"], ["back dashed", "this star as a synthetic one"]]
      : [["synthetic", "this spectrum"], ["translated", "its translation"], ["observed", "nearest observed"]];
    $("star-legend").replaceChildren(...legend.map(([kind, label]) => text("span", label, `key ${kind}`)));
  }

  // The table: one row a star, sorted by what is clicked, filtered by words or by a selection.
  const table = [
    { title: "star", value: (s) => s.name },
    { title: "domain", value: (s) => s.domain, wide: true },
    { title: "p-value", value: (s) => s.p, number: 2 },
    { title: "strange", value: (s) => s.strange === null ? "" : s.strange ? "yes" : "no", wide: true },
    { title: "rms before", value: (s) => s.before, number: 3 },
    { title: "rms after", value: (s) => s.after, number: 3 },
    { title: "masked", value: (s) => s.masked, share: true, wide: true },
    { title: "nearest partner", value: (s) => stars[s.partner].name, wide: true },
    ...data.columns.map((name) => ({ title: name, value: (s) => s.meta[name] ?? "", wide: true })),
  ];
  let order = { column: -1, down: false }, picked = null;
  const rows = stars.map((s, i) => {
    const row = document.createElement("tr");
    row.dataset.star = i;
    row.append(...table.map((column) => {
      const value = column.value(s);
      const words = column.share ? share(value) : column.number ? number(value, column.number) : value;
      const cell = text("td", words, `${column.number || column.share ? "number" : ""} ${column.wide ? "wide" : ""}`);
      if (column.title === "star") cell.replaceChildren(text("span", words, `key ${s.domain} ${s.domain === "observed" ? "square" : "dot"}`));
      if (column.title === "strange" && s.strange) {
        cell.replaceChildren(text("span", words, "level"));
        cell.firstChild.dataset.level = "doubtful";
      }
      return cell;
    }));
    return row;
  });
  const sayings = stars.map((s) => [s.name, s.domain, ...Object.values(s.meta)].join("\n").toLowerCase());
  function compare(a, b) {
    if (order.column < 0) return a - b;
    const [u, v] = [a, b].map((i) => table[order.column].value(stars[i]));
    const empty = (value) => value === null || value === "";
    if (empty(u) || empty(v)) return empty(u) - empty(v) || a - b; // at the end, either way
    const numeric = typeof u === "number" || (!isNaN(u) && !isNaN(v));
    const sign = numeric ? u - v : String(u).localeCompare(String(v), undefined, { numeric: true });
    return (order.down ? -sign : sign) || a - b;
  }
  function listed() {
    const wanted = $("find").value.trim().toLowerCase();
    return stars.map((_, i) => i)
      .filter((i) => (!picked || picked.has(i)) && sayings[i].includes(wanted)).sort(compare);
  }
  function list() {
    const shown = listed();
    $("rows").replaceChildren(...shown.map((i) => rows[i]));
    $("shown").textContent = shown.length === stars.length ? `${stars.length}` : `${shown.length} of ${stars.length}`;
    $("all").hidden = !picked;
    current();
    [...$("columns").children].forEach((head, i) => {
      head.setAttribute("aria-sort", i !== order.column ? "none" : order.down ? "descending" : "ascending");
    });
    return shown;
  }
  $("columns").append(...table.map((column, i) => {
    const head = document.createElement("th");
    head.scope = "col";
    head.className = `${column.number || column.share ? "number" : ""} ${column.wide ? "wide" : ""}`;
    const button = text("button", column.title);
    button.addEventListener("click", () => {
      order = { column: i, down: order.column === i && !order.down };
      list();
    });
    head.append(button);
    return head;
  }));
  $("find").addEventListener("input", list);
  $("all").addEventListener("click", () => { pick(null); });
  $("rows").addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    choose(row);
    row.focus({ preventScroll: true });
    if ($("star-name").getBoundingClientRect().top < 0) reveal("start");
  });
  $("rows").addEventListener("keydown", (event) => {
    const row = event.target.closest("tr");
    const next = { Enter: row, ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling }[event.key];
    if (!next) return;
    event.preventDefault();
    choose(next);
    next.focus();
  });
  function choose(row) { show(Number(row.dataset.star)); }
  function step(by) {
    const shown = listed();
    if (shown.length) show(shown[(shown.indexOf(chosen) + by + shown.length) % shown.length]);
  }
  $("previous").addEventListener("click", () => step(-1));
  $("next").addEventListener("click", () => step(1));

  // Selections in the maps: a click shows a star, what is drawn around is listed.
  let waiting = false, ours = false;
  function pick(selection) {
    picked = selection;
    ours = true;
    for (const source of Object.values(kinds)) {
      const numbers = source.data.star;
      source.selected.indices = selection ? [...numbers.keys()].filter((i) => selection.has(numbers[i])) : [];
    }
    ours = false;
    list();
  }
  function selected() {
    waiting = false;
    const found = Object.values(kinds).flatMap((source) => source.selected.indices.map((i) => source.data.star[i]));
    if (!found.length) { pick(null); return; }
    const distinct = new Set(found);
    pick(distinct.size > 1 ? distinct : null);
    show(found[0]);
    if ($("star-name").getBoundingClientRect().top > innerHeight) $("star-name").scrollIntoView({ block: "nearest" });
  }
  for (const source of Object.values(kinds)) {
    source.selected.properties.indices.change.connect(() => {
      if (ours || waiting) return;
      waiting = true;
      setTimeout(selected); // after the other sets have theirs
    });
  }

  // Hover.
  const tip = $("tip");
  let under = {};
  for (const [kind, source] of Object.entries(kinds)) {
    source.inspect.connect(() => { under[kind] = source.inspected.indices[0]; });
  }
  for (const space of spaces) {
    $(`map-${space}`).addEventListener("mousemove", (event) => setTimeout(() => place(event)));
    $(`map-${space}`).addEventListener("mouseleave", () => { under = {}; tip.hidden = true; });
  }
  function place(event) {
    const kind = Object.keys(kinds).reverse().find((name) => under[name] !== undefined);
    tip.hidden = kind === undefined;
    if (tip.hidden) return;
    const s = stars[kinds[kind].data.star[under[kind]]];
    const words = [kind === "synthetic" ? "synthetic spectrum" : kind === "translated" ? "translated spectrum" : "observed spectrum"];
    if (kind === "translated" && s.p !== null) words.push(`p-value ${number(s.p, 2)}${s.strange ? ", like no observed one" : ""}`);
    tip.replaceChildren(text("strong", s.name), ...words.map((line) => text("div", line)));
    const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    tip.style.left = `${Math.max(left, 8)}px`;
    tip.style.top = `${event.clientY + 16 + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 10 : event.clientY + 16}px`;
  }

  // Sets can be taken out of the maps.
  for (const button of document.querySelectorAll("button[data-series]")) {
    button.addEventListener("click", () => {
      const visible = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", visible);
      for (const m of models) {
        if (m.tags?.includes(`series:${button.dataset.series}`)) m.visible = visible;
      }
    });
  }

  const strange = stars.map((s, i) => (s.strange ? i : -1)).filter((i) => i >= 0);
  model("strange").data = columns(strange.map((i) => point(i, "translated")));
  list();
  show(strange[0] ?? 0);
  document.body.dataset.ready = "true";
})();
