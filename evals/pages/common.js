"use strict";
// What every page shares. Texts of candidates are hostile: they only ever become text nodes,
// never markup.
const Page = (() => {
  const byId = (id) => document.getElementById(id);

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  const percent = (x, digits = 1) => `${(100 * x).toFixed(digits)}`;
  const signed = (x) => `${x >= 0 ? "+" : "−"}${percent(Math.abs(x))}`;

  function options(select, values, all) {
    const chosen = select.value;
    select.replaceChildren(element("option", { value: "" }, all), ...values.map((v) => element("option", { value: v }, v)));
    select.value = values.includes(chosen) ? chosen : "";
  }

  // --- plots ----------------------------------------------------------------------------

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function themed(layout) {
    const axis = { gridcolor: colour("--line"), zerolinecolor: colour("--soft"), linecolor: colour("--line"), automargin: true };
    return { ...layout, template: null, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true,
      font: { color: colour("--ink"), family: "system-ui, sans-serif", size: 13 },
      margin: { l: 10, r: 14, t: 8, b: 40 }, legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, ...layout.legend },
      hoverlabel: { bgcolor: colour("--raised"), font: { color: colour("--ink") }, bordercolor: colour("--line") },
      xaxis: { ...axis, ...layout.xaxis }, yaxis: { ...axis, ...layout.yaxis } };
  }

  // All places first: a plot takes the width that its place has when it is drawn.
  function placePlots(figures) {
    byId("plots").append(...figures.map(({ id, title, caption }) =>
      element("figure", {}, element("h3", {}, title), element("figcaption", {}, caption), element("div", { id: `plot-${id}`, role: "img", "aria-label": `${title}: ${caption}` }))));
  }
  function drawPlots(figures) {
    for (const { id, figure } of figures) {
      Plotly.react(byId(`plot-${id}`), figure.data, themed(figure.layout), { responsive: true, displayModeBar: false });
    }
  }

  function onTheme(redraw) {
    byId("theme").addEventListener("click", () => { switchTheme(); redraw(); });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  }
  function switchTheme() {
    const dark = getComputedStyle(document.documentElement).colorScheme.includes("dark");
    document.documentElement.dataset.theme = dark ? "light" : "dark";
  }

  // --- completions ----------------------------------------------------------------------

  // Long texts and many completions are drawn as far as one reads, and the rest when it is asked for.
  const LONGEST = 8000, MARKS = 500, MOST = 16;

  // Marks what was searched for, in text nodes and <mark> elements.
  function searched(text, query) {
    const wanted = query.toLowerCase(), lower = text.toLowerCase(), parts = [];
    let from = 0;
    if (wanted && lower.length === text.length) {
      for (let at = lower.indexOf(wanted); at >= 0 && parts.length < 2 * MARKS; at = lower.indexOf(wanted, from)) {
        parts.push(text.slice(from, at), element("mark", {}, text.slice(at, at + wanted.length)));
        from = at + wanted.length;
      }
    }
    return [...parts, text.slice(from)];
  }
  function tagged(text, query) {
    const made = [];
    let inside = "";
    for (const part of text.split(/(<\/?(?:reasoning|answer)>)/)) {
      const tag = /^<(\/?)(reasoning|answer)>$/.exec(part);
      if (tag) {
        made.push(element("span", { class: "tag" }, part));
        inside = tag[1] ? "" : tag[2];
      } else if (part) {
        made.push(element("span", inside ? { class: inside } : {}, ...searched(part, query)));
      }
    }
    return made;
  }
  // A button that puts what `make` returns in its own place.
  function onDemand(label, make) {
    const button = element("button", { type: "button", class: "more" }, label);
    button.addEventListener("click", () => button.replaceWith(...make()));
    return button;
  }
  function block(text, query, draw = searched) {
    const pre = element("pre", { dir: "auto" });
    if (text.length <= LONGEST) {
      pre.append(...draw(text, query));
      return [pre];
    }
    pre.append(...draw(text.slice(0, LONGEST), query), "…");
    const further = query && text.toLowerCase().indexOf(query.toLowerCase()) >= LONGEST ? ", what you search for is further on" : "";
    const all = onDemand(`show all ${text.length.toLocaleString("en")} characters${further}`, () => { pre.replaceChildren(...draw(text, query)); return []; });
    return [pre, all];
  }
  const GOOD = new Set(["CORRECT", "QUALITY"]);
  // found: text, verdict, explanation, and where there is one: value, kind, components, about.
  function completion(found, query) {
    const kind = found.verdict === "UNGRADED" ? "none" : GOOD.has(found.verdict) ? "good" : "bad";
    const value = found.value === undefined ? found.kind : found.value.toFixed(2);
    const components = Object.entries(found.components ?? {}).map(([name, x]) => `${name} ${x.toFixed(2)}`);
    const explanation = found.explanation.includes("\n") ? "explanation output" : "explanation";
    return element("section", { class: "completion" }, element("div", { class: `verdict ${kind}` }, `${found.verdict} ${value}`),
      element("div", { class: explanation, dir: "auto" }, ...searched(found.explanation, query)), ...block(found.text, query, tagged),
      element("div", { class: "components" }, [...components, ...(found.about ?? [])].join(" · ")));
  }
  function completions(listed, query) {
    const drawn = listed.slice(0, MOST).map((found) => completion(found, query));
    const rest = listed.slice(MOST);
    return rest.length ? [...drawn, onDemand(`show ${rest.length} more`, () => rest.map((found) => completion(found, query)))] : drawn;
  }

  return { byId, element, percent, signed, options, colour, placePlots, drawPlots, onTheme, switchTheme, block, completions };
})();
