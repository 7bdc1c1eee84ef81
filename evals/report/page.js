"use strict";
// Shows the content that the page carries.
(() => {
  const content = JSON.parse(document.getElementById("content").textContent);
  const { byId, element, percent, signed, options, placePlots, drawPlots, onTheme, switchTheme, block, completions } = Page;
  const ROW = 47; // pixels, as in the style
  const two = content.sides.length === 2;

  // --- numbers --------------------------------------------------------------------------

  function interval(estimate) {
    if (!estimate) return ["–"];
    const [mean, low, high] = estimate;
    return [percent(mean), element("span", { class: "low" }, ` [${percent(low, 0)}, ${percent(high, 0)}]`)];
  }
  const cell = (...children) => element("td", {}, ...children);

  function runTable() {
    const rows = Object.entries(content.sides[0].domains).map(([name, domain]) => {
      const ungraded = Object.values(domain.ungraded).reduce((sum, n) => sum + n, 0);
      return element("tr", { class: name === "all" ? "all" : "" }, cell(name), cell(String(domain.prompts)),
        cell(...interval(domain.accuracy)), cell(...interval(domain.format)), cell(...interval(domain.given_format)),
        cell(...interval(domain.reward)), cell(String(ungraded)));
    });
    return [["domain", "prompts", "accuracy", "format", "accuracy given format", "reward", "ungraded"], rows];
  }

  function comparisonTable() {
    const rows = Object.entries(content.comparison.accuracy).map(([name, row]) => {
      const p = row.p_adjusted ?? row.p_value;
      const reward = content.comparison.reward[name], format = content.comparison.format[name];
      return element("tr", { class: name === "all" ? "all" : "" }, cell(name), cell(String(row.prompts)),
        cell(`${percent(row.before)} → ${percent(row.after)}`),
        element("td", { class: row.verdict }, `${signed(row.difference)} [${signed(row.interval[0])}, ${signed(row.interval[1])}]`),
        cell(String(row.better)), cell(String(row.worse)), cell(p < 0.001 ? p.toExponential(0) : p.toPrecision(2)),
        cell(row.detectable === null ? "–" : percent(row.detectable)),
        cell(signed(format.difference)), cell(signed(reward.difference)));
    });
    return [["domain", "prompts", "accuracy", "change [95 %]", "better", "worse", "p (Holm)", "detectable", "Δ format", "Δ reward"], rows];
  }

  function showNumbers() {
    byId("title").textContent = content.title;
    byId("headline").textContent = content.headline;
    const [headings, rows] = two ? comparisonTable() : runTable();
    byId("numbers").append(
      element("thead", {}, element("tr", {}, ...headings.map((text) => element("th", { scope: "col" }, text)))),
      element("tbody", {}, ...rows));
    const tests = two ? [`p is two-sided and paired (${content.comparison.accuracy.all.test}), of domains adjusted for their number; ` +
      "in colour where it is below 0.05; detectable: the smallest true change found four times of five; all in percent"] : ["in percent, with 95 % intervals"];
    byId("notes").append(...[...tests, ...content.notes].map((note) => element("li", {}, note)));
  }

  // --- samples --------------------------------------------------------------------------

  const FILTERS = ["domain", "verdict", "change"];
  const state = { domain: "", verdict: "", change: "", q: "", item: "" };
  const haystacks = new Array(content.items.length);
  const verdictsOf = content.items.map((item) => new Set(item.sides.flat().map((c) => c.verdict)));
  let shown = []; // indices into content.items

  // What is searched, made once: at leisure after loading, or when a search comes first.
  function haystack(index) {
    const item = content.items[index];
    return haystacks[index] ??= [item.id, ...item.prompts,
      ...item.sides.flat().flatMap((c) => [c.text, c.explanation, c.kind ?? ""])].join("\n").toLowerCase();
  }
  function prepareSearch(deadline, from = 0) {
    let index = from;
    while (index < content.items.length && deadline.timeRemaining() > 2) haystack(index++);
    if (index < content.items.length) requestIdleCallback((next) => prepareSearch(next, index));
  }

  function readAddress() {
    const parameters = new URLSearchParams(location.hash.slice(1));
    for (const key of Object.keys(state)) state[key] = parameters.get(key) ?? "";
  }
  function writeAddress() {
    const parameters = new URLSearchParams(Object.entries(state).filter(([, value]) => value));
    try { history.replaceState(null, "", `#${parameters}`); } catch { /* Safari takes 100 in 30 s; the next one catches up */ }
  }

  function fillFilters() {
    options(byId("domain"), [...new Set(content.items.map((item) => item.domain))].sort(), "all");
    options(byId("verdict"), [...new Set(verdictsOf.flatMap((set) => [...set]))].sort(), "any");
    options(byId("change"), ["worse", "better", "same", "unpaired"].filter((name) => content.items.some((item) => item.change === name)), "any");
    byId("change-label").hidden = !two;
  }

  function matches(index, query) {
    const item = content.items[index];
    return (!state.domain || item.domain === state.domain) && (!state.change || item.change === state.change) &&
      (!state.verdict || verdictsOf[index].has(state.verdict)) && (!query || haystack(index).includes(query));
  }

  function refresh() {
    for (const name of FILTERS) {
      byId(name).value = state[name];
      if (byId(name).selectedIndex < 0) byId(name).value = state[name] = ""; // an address may name what is not here
    }
    const query = state.q.toLowerCase();
    shown = content.items.map((_, index) => index).filter((index) => matches(index, query));
    byId("count").textContent = `${shown.length.toLocaleString("en")} of ${content.items.length.toLocaleString("en")}`;
    byId("rows").style.height = `${shown.length * ROW}px`;
    if (!shown.some((index) => content.items[index].id === state.item)) state.item = shown.length ? content.items[shown[0]].id : "";
    if (byId("query").value !== state.q) byId("query").value = state.q;
    writeAddress();
    scrollToItem();
    drawRows();
    drawDetail();
  }

  const position = () => shown.findIndex((index) => content.items[index].id === state.item);

  function scrollToItem() {
    const top = position() * ROW, list = byId("list");
    if (top < list.scrollTop) list.scrollTop = Math.max(0, top);
    if (top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
  }

  function drawRows() {
    const list = byId("list");
    const first = Math.max(0, Math.floor(list.scrollTop / ROW) - 5);
    const last = Math.min(shown.length, first + Math.ceil(list.clientHeight / ROW) + 10);
    const rows = [];
    for (let at = first; at < last; at++) rows.push(row(content.items[shown[at]], at));
    byId("rows").replaceChildren(...rows);
    list.setAttribute("aria-activedescendant", `row-${position()}`);
  }
  function row(item, at) {
    const means = item.means.map((mean) => (mean === null ? "ungraded" : percent(mean, 0))).join(" → ");
    const made = element("div", { id: `row-${at}`, class: "row", role: "option", "aria-posinset": String(at + 1), "aria-setsize": String(shown.length), "aria-selected": String(item.id === state.item), style: `top:${at * ROW}px` },
      element("div", { dir: "auto" }, item.prompts[0].slice(0, 400).trim().replaceAll(/\s+/g, " ").slice(0, 160)),
      element("div", { class: "what" }, element("span", { class: item.change ?? "" }, means), ` · ${item.domain} · ${item.id}`));
    made.addEventListener("click", () => select(item.id));
    return made;
  }
  function select(id) {
    state.item = id;
    writeAddress();
    scrollToItem();
    drawRows();
    drawDetail();
  }
  function step(by) {
    const next = Math.min(shown.length - 1, Math.max(0, position() + by));
    if (shown.length) select(content.items[shown[next]].id);
  }

  // --- one sample -----------------------------------------------------------------------

  function drawDetail() {
    const item = content.items.find((candidate) => candidate.id === state.item);
    if (!item) return byId("detail").replaceChildren(element("p", {}, "Nothing matches."));
    const sides = item.sides.map((listed, index) =>
      element("div", {}, ...(two ? [element("h3", {}, content.sides[index].label)] : []),
        ...(listed.length ? completions(listed, state.q) : [element("p", { class: "low" }, "not asked")])));
    const holder = element("div", { class: "sides" }, ...sides);
    holder.style.setProperty("--sides", String(sides.length));
    byId("detail").replaceChildren(element("h3", {}, item.id), ...item.prompts.flatMap((prompt) => block(prompt, state.q)), holder);
    byId("detail").scrollTop = 0;
  }

  // --- events ---------------------------------------------------------------------------

  const redraw = () => drawPlots(content.figures);
  for (const name of FILTERS) byId(name).addEventListener("change", (event) => { state[name] = event.target.value; refresh(); });
  byId("query").addEventListener("input", (event) => { state.q = event.target.value; refresh(); });
  byId("list").addEventListener("scroll", drawRows);
  onTheme(redraw);
  window.addEventListener("hashchange", () => { readAddress(); refresh(); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      Object.assign(state, { domain: "", verdict: "", change: "", q: "" });
      document.activeElement.blur();
      return refresh();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|SELECT/.test(document.activeElement.tagName)) return;
    const keys = { j: () => step(1), ArrowDown: () => step(1), k: () => step(-1), ArrowUp: () => step(-1), t: () => { switchTheme(); redraw(); },
      "/": () => byId("query").focus() };
    const inList = document.activeElement === byId("list") || !event.key.startsWith("Arrow");
    if (keys[event.key] && inList) { event.preventDefault(); keys[event.key](); }
  });

  showNumbers();
  placePlots(content.figures);
  redraw();
  fillFilters();
  readAddress();
  refresh();
  if (window.requestIdleCallback) requestIdleCallback(prepareSearch);
})();
