"use strict";
// Follows a run: curves and signals from /api/overview, groups as they are asked for.
(() => {
  const { byId, element, percent, options, colour, placePlots, drawPlots, onTheme, switchTheme, block, completions } = Page;
  const REFRESH_MS = 3000, WINDOW = 10;
  const PALETTE = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#999999", "#8c6d31"];
  const VERDICTS = { CORRECT: "#009E73", QUALITY: "#56B4E9", PARTIAL: "#7fc7b0", INCORRECT: "#D55E00", FORMAT_INVALID: "#E69F00",
    NO_ANSWER: "#b8860b", TOO_LONG: "#8c6d31", TIME_LIMIT: "#CC79A7", MEMORY_LIMIT: "#9e5a85", OUTPUT_LIMIT: "#7a4468",
    RUNTIME_ERROR: "#a23b00", REJECTED: "#5a0f0f", UNGRADED: "#999999" };
  let overview = null, groups = [], total = 0, pageSize = 100, asked = 0;
  const FIELDS = ["step", "domain", "verdict", "variance", "q"];
  const state = { step: "", domain: "", verdict: "", variance: "", failed: "", q: "", group: "", at: "" };

  // Runs what asks the explorer, and says so when it does not answer.
  async function asking(work) {
    try {
      return await work();
    } catch (error) {
      byId("progress").textContent = `no answer from the explorer (${error.message})`;
    }
  }

  async function get(path, parameters = {}) {
    const response = await fetch(`api/${path}?${new URLSearchParams(parameters)}`);
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
    return response.json();
  }

  // --- curves ---------------------------------------------------------------------------

  // Mean of the last steps, as a single step is a handful of completions.
  function smooth(values) {
    return values.map((_, at) => {
      const near = values.slice(Math.max(0, at - WINDOW + 1), at + 1).filter((x) => x !== null);
      return near.length ? near.reduce((sum, x) => sum + x, 0) / near.length : null;
    });
  }
  const domains = () => [...new Set(overview.steps.map((row) => row.domain))].filter((name) => name !== null).sort();
  const colourOf = (domain) => PALETTE[domains().indexOf(domain) % PALETTE.length];
  const line = (rows, key, name, color, extra = {}) => ({ name, x: rows.map((row) => row.step), y: smooth(rows.map((row) => row[key])),
    mode: "lines", line: { color, width: 2 }, hovertemplate: `step %{x}: %{y:.3f} ${name}<extra></extra>`, ...extra });
  const ofDomain = (name) => overview.steps.filter((row) => row.domain === name);
  const share = { range: [-0.02, 1.02], tickformat: ".0%" };
  const layout = (yaxis, showlegend = true) => ({ height: 320, showlegend, yaxis, xaxis: { title: { text: "step" }, rangemode: "tozero" } });

  function rewardTraces() {
    const drawn = (name, label, color, width) => {
      const held = overview.held_out.filter((row) => row.domain === name);
      const ranges = held.map((row) => row.reward_interval);
      const intervals = { type: "data", symmetric: false, thickness: 2, width: 0, array: held.map((row) => row.reward_interval[1] - row.reward),
        arrayminus: held.map((row) => row.reward - row.reward_interval[0]) };
      return [line(ofDomain(name), "reward", label, color, { legendgroup: label, line: { color, width } }),
        ...(held.length ? [{ name: `${label}, held out`, legendgroup: label, showlegend: false, mode: "lines+markers", cliponaxis: false, x: held.map((row) => row.step),
          y: held.map((row) => row.reward), line: { color, width: 1, dash: "dot" }, customdata: ranges, ...(name === null ? { error_y: intervals } : {}),
          marker: { color, size: name === null ? 11 : 8, symbol: "diamond-open", line: { width: 2 } },
          hovertemplate: `step %{x}: %{y:.3f} [%{customdata[0]:.3f}, %{customdata[1]:.3f}] ${label}, held out<extra></extra>` }] : [])];
    };
    return [...domains().flatMap((name) => drawn(name, name, colourOf(name), 1.5)), ...drawn(null, "all", colour("--ink"), 3)];
  }
  function verdictTraces() {
    const steps = [...new Set(overview.verdicts.map((row) => row.step))];
    const totals = new Map();
    for (const row of overview.verdicts) totals.set(row.step, (totals.get(row.step) ?? 0) + row.n);
    return Object.entries(VERDICTS).filter(([name]) => overview.verdicts.some((row) => row.verdict === name)).map(([name, color]) => {
      const counts = new Map(overview.verdicts.filter((row) => row.verdict === name).map((row) => [row.step, row.n]));
      return { name, x: steps, y: smooth(steps.map((step) => (counts.get(step) ?? 0) / totals.get(step))), stackgroup: "all",
        mode: "lines", line: { width: 0, color }, hovertemplate: `step %{x}: %{y:.1%} ${name}<extra></extra>` };
    });
  }
  function figures() {
    const all = ofDomain(null);
    return [
      { id: "reward", figure: { data: rewardTraces(), layout: layout({ title: { text: "reward" }, range: [-0.02, 1.02] }) } },
      { id: "verdicts", figure: { data: verdictTraces(), layout: layout({ ...share, range: [0, 1] }) } },
      { id: "rates", figure: { data: [line(all, "format", "format", PALETTE[0]), line(all, "accuracy", "accuracy or quality", PALETTE[2]),
          line(overview.flat, "flat", "groups without variance", PALETTE[3]), line(all, "truncated", "truncated", PALETTE[6])],
        layout: layout(share) } },
      { id: "lengths", figure: { data: domains().map((name) => line(ofDomain(name), "tokens", name, colourOf(name))),
          layout: layout({ title: { text: "tokens" }, rangemode: "tozero" }) } },
    ];
  }

  function signalRow(signal) {
    const read = element("button", { type: "button" }, "read");
    read.addEventListener("click", () => choose({ ...Object.fromEntries(Object.keys(state).map((key) => [key, ""])), domain: signal.domain, ...signal.look }));
    return element("tr", {}, element("td", { class: signal.status === "suspect" ? "worse" : "low" }, signal.status),
      ...[signal.name, signal.domain, signal.found].map((text) => element("td", { class: "text" }, text)), element("td", {}, read));
  }
  function showSignals() {
    const suspect = overview.signals.filter((signal) => signal.status === "suspect");
    const others = overview.signals.filter((signal) => signal.status !== "suspect");
    const head = () => element("thead", {}, element("tr", {}, ...["", "pattern", "domain", "found", ""].map((text) => element("th", { scope: "col", class: "text" }, text))));
    byId("signals").replaceChildren(...(suspect.length ? [head()] : []), element("tbody", {}, ...suspect.map(signalRow)));
    byId("quiet").replaceChildren(head(), element("tbody", {}, ...others.map(signalRow)));
    byId("quiet-count").textContent = `${others.length} that are quiet or not known yet`;
    byId("others").hidden = others.length === 0;
    byId("signals-note").textContent = !overview.signals.length ? "Compared once the run has eight steps."
      : `${suspect.length || "No"} suspect pattern${suspect.length === 1 ? "" : "s"}, the first against the last quarter of the steps. A pattern is a reason to read, not a verdict.`;
  }

  async function follow() {
    await asking(async () => {
      const found = await get("overview");
      const changed = overview?.version !== found.version;
      overview = found;
      const cut = found.unreadable.length ? ` · cannot be read (yet): ${found.unreadable.join(", ")}` : "";
      byId("progress").textContent = `step ${found.last_step}, ${found.finished ? "finished" : "running"}${cut}`;
      byId("empty").hidden = found.steps.length > 0;
      if (changed && found.steps.length) {
        drawPlots(figures());
        showSignals();
        options(byId("domain"), domains(), "all");
        options(byId("verdict"), [...new Set(found.verdicts.map((row) => row.verdict))].sort(), "any");
        showFilters();
        await loadGroups({ keep: true });
        await showDifference();
      }
    });
    setTimeout(follow, REFRESH_MS);
  }

  // --- groups ---------------------------------------------------------------------------

  function readAddress() {
    const parameters = new URLSearchParams(location.hash.slice(1));
    for (const key of Object.keys(state)) state[key] = parameters.get(key) ?? "";
  }
  function writeAddress() {
    const parameters = new URLSearchParams(Object.entries(state).filter(([, value]) => value));
    try { history.replaceState(null, "", `#${parameters}`); } catch { /* Safari takes 100 in 30 s; the next one catches up */ }
  }
  function showFilters() {
    for (const name of FIELDS) if (byId(name) !== document.activeElement || byId(name).type === "select-one") byId(name).value = state[name];
    byId("failed").checked = state.failed === "1";
  }
  function choose(changes) {
    Object.assign(state, changes);
    if (!("group" in changes)) Object.assign(state, { group: "", at: "" });
    showFilters();
    writeAddress();
    return asking(loadGroups);
  }
  async function loadGroups({ keep = false } = {}) {
    const request = ++asked;
    const wanted = keep ? Math.max(groups.length, 1) : 1;
    const { group, at, ...filters } = state;
    let found = [];
    do {
      const page = await get("groups", { ...filters, offset: found.length });
      if (request !== asked) return;
      found = found.concat(page.groups);
      total = page.total;
      pageSize = page.page;
    } while (found.length < Math.min(wanted, total));
    groups = found;
    showGroups();
  }
  async function loadMore() {
    if (groups.length >= total) return;
    const { group, at, ...filters } = state;
    const request = ++asked;
    const page = await get("groups", { ...filters, offset: groups.length });
    if (request !== asked) return;
    groups = groups.concat(page.groups);
    showGroups();
  }
  const isChosen = (row) => row.group_id === state.group && String(row.step) === state.at;

  function showGroups() {
    byId("count").textContent = `${total.toLocaleString("en")} groups`;
    byId("rows").replaceChildren(...groups.map(groupRow));
    if (!groups.some(isChosen) && !state.group) {
      if (groups.length) Object.assign(state, { group: groups[0].group_id, at: String(groups[0].step) });
      writeAddress();
    }
    mark();
    asking(showDetail);
  }
  function groupRow(row) {
    const scores = row.all_scores.map((score) => (score === null ? "–" : score.toFixed(2))).join(" ");
    const made = element("div", { id: `row-${row.step}/${row.group_id}`, class: "row flow", role: "option", "data-key": `${row.step}/${row.group_id}` },
      element("div", { dir: "auto" }, row.prompt.slice(0, 400).trim().replaceAll(/\s+/g, " ").slice(0, 160)),
      element("div", { class: "what" }, `step ${row.step} · ${row.domain} · ${scores}`, row.flat ? " · all equal" : "",
        row.failures.length ? element("span", { class: "worse" }, ` · ${row.failures.join(", ")}`) : ""));
    made.addEventListener("click", () => select(row));
    return made;
  }
  function mark() {
    byId("list").setAttribute("aria-activedescendant", `row-${state.at}/${state.group}`);
    for (const made of byId("rows").children) {
      const chosen = made.dataset.key === `${state.at}/${state.group}`;
      made.setAttribute("aria-selected", String(chosen));
      if (chosen) made.scrollIntoView({ block: "nearest" });
    }
  }
  function select(row) {
    Object.assign(state, { group: row.group_id, at: String(row.step) });
    writeAddress();
    mark();
    return asking(showDetail);
  }
  async function showDetail() {
    if (!state.group) return byId("detail").replaceChildren(element("p", {}, "Nothing matches."));
    const key = `${state.at}/${state.group}`;
    const rows = await get("group", { step: state.at, group: state.group });
    if (key !== `${state.at}/${state.group}`) return;
    if (!rows.length) return byId("detail").replaceChildren(element("p", {}, "This group is not in the run (any more)."));
    byId("detail").replaceChildren(element("h3", {}, `step ${rows[0].step} · ${rows[0].example_id}`),
      ...block(rows[0].prompt, state.q), ...completions(rows.map(asCompletion), state.q));
  }
  function asCompletion(row) {
    return { text: row.completion, verdict: row.verdict ?? "UNGRADED", kind: row.failure,
      value: row.score ?? undefined, explanation: row.explanation ?? "", components: row.components,
      about: [`advantage ${row.advantage >= 0 ? "+" : "−"}${Math.abs(row.advantage).toFixed(2)}`, `${row.tokens} tokens`,
        ...(row.truncated ? ["truncated"] : []), ...(row.in_loss ? [] : ["not in the loss"]), row.reward_version] };
  }
  function step(by) {
    const at = groups.findIndex(isChosen);
    const next = Math.min(groups.length - 1, Math.max(0, at + by));
    if (groups.length) select(groups[next]);
    if (next > groups.length - pageSize / 4) asking(loadMore);
  }

  // --- two steps ------------------------------------------------------------------------

  async function showDifference() {
    if (!byId("a").value) byId("a").value = overview.steps[0].step;
    if (!byId("b").value || byId("b").dataset.follows) Object.assign(byId("b"), { value: overview.last_step }).dataset.follows = "yes";
    const found = await get("difference", { a: byId("a").value, b: byId("b").value });
    const names = [...new Set([...found.a, ...found.b].map((row) => row.domain))].sort((x, y) => (x === null) - (y === null) || (x < y ? -1 : 1));
    const cells = (key, show) => (name) => {
      const [a, b] = [found.a, found.b].map((side) => side.find((row) => row.domain === name)?.[key] ?? null);
      return element("td", {}, a === null && b === null ? "–" : `${a === null ? "–" : show(a)} → ${b === null ? "–" : show(b)}`);
    };
    const columns = [["reward", cells("reward", (x) => x.toFixed(2))], ["format", cells("format", (x) => percent(x, 0))],
      ["accuracy or quality", cells("accuracy", (x) => percent(x, 0))], ["tokens", cells("tokens", (x) => x.toFixed(0))],
      ["completions", cells("completions", String)], ["failures", cells("failures", String)]];
    byId("difference").replaceChildren(
      element("thead", {}, element("tr", {}, ...["domain", ...columns.map(([heading]) => heading)].map((text) => element("th", { scope: "col" }, text)))),
      element("tbody", {}, ...names.map((name) => element("tr", { class: name === null ? "all" : "" }, element("td", {}, name ?? "all"), ...columns.map(([, show]) => show(name))))));
    byId("shared-heading").textContent = found.shared.length ? `${found.shared.length} prompts asked in both` : "no prompt was asked in both";
    byId("shared").replaceChildren(...found.shared.map((row) => {
      const read = element("button", { type: "button" }, "read both");
      read.addEventListener("click", () => asking(() => showPair(row.example_id)));
      return element("tr", {}, element("td", {}, row.example_id),
        element("td", { class: row.reward_b > row.reward_a ? "better" : row.reward_b < row.reward_a ? "worse" : "" },
          row.reward_a === null || row.reward_b === null ? "ungraded" : `${row.reward_a.toFixed(2)} → ${row.reward_b.toFixed(2)}`),
        element("td", { class: "text", dir: "auto" }, row.prompt.slice(0, 120)), element("td", {}, read));
    }));
    byId("pair").replaceChildren();
  }
  async function showPair(example) {
    const steps = [byId("a").value, byId("b").value];
    const sides = await Promise.all(steps.map((step) => get("prompt", { step, example })));
    const holder = element("div", { class: "sides" }, ...sides.map((rows, index) =>
      element("div", {}, element("h3", {}, `step ${steps[index]}`), ...completions(rows.map(asCompletion), ""))));
    holder.style.setProperty("--sides", "2");
    byId("pair").replaceChildren(element("h3", {}, example), ...block(sides[0][0]?.prompt ?? "", ""), holder);
    byId("pair").scrollIntoView({ block: "nearest" });
  }

  // --- events ---------------------------------------------------------------------------

  const redraw = () => { if (overview?.steps.length) drawPlots(figures()); };
  for (const name of FIELDS) byId(name).addEventListener(name === "q" ? "input" : "change", (event) => choose({ [name]: event.target.value }));
  byId("failed").addEventListener("change", (event) => choose({ failed: event.target.checked ? "1" : "" }));
  byId("list").addEventListener("scroll", ({ target }) => { if (target.scrollTop + target.clientHeight > target.scrollHeight - 300) asking(loadMore); });
  byId("a").addEventListener("change", () => asking(showDifference));
  byId("b").addEventListener("change", (event) => { event.target.dataset.follows = ""; asking(showDifference); });
  onTheme(redraw);
  window.addEventListener("hashchange", () => { readAddress(); choose({ ...state }); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      document.activeElement.blur();
      return choose({ step: "", domain: "", verdict: "", variance: "", failed: "", q: "" });
    }
    if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|SELECT/.test(document.activeElement.tagName)) return;
    const keys = { j: () => step(1), ArrowDown: () => step(1), k: () => step(-1), ArrowUp: () => step(-1), t: () => { switchTheme(); redraw(); },
      "/": () => byId("q").focus() };
    const inList = document.activeElement === byId("list") || !event.key.startsWith("Arrow");
    if (keys[event.key] && inList) { event.preventDefault(); keys[event.key](); }
  });

  placePlots([["reward", "Reward by domain", `Mean of ${WINDOW} steps; diamonds: prompts that are not trained on, of all with 95 % intervals.`],
    ["verdicts", "Verdicts", "Share of completions; ungraded ones taught nothing."],
    ["rates", "Format, accuracy, groups without variance", "Groups whose scores are all equal teach nothing."],
    ["lengths", "Length by domain", "Tokens of a completion."]].map(([id, title, caption]) => ({ id, title, caption })));
  readAddress();
  follow();
})();
