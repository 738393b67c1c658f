// The words beside the picture: what is pointed at, and how to read the rest.

const details = document.getElementById("details");

function said(parent, tag, text, kind = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  if (kind) element.className = kind;
  parent.append(element);
  return element;
}

function button(parent, text, press, kind = "") {
  const element = said(parent, "button", text, kind);
  element.type = "button";
  element.addEventListener("click", press);
  return element;
}

function swatch(id) {
  const element = document.createElement("span");
  element.className = "swatch";
  element.style.setProperty("--hue", modules.get(id)?.colour ?? "#808080");
  return element;
}

function moduleButton(parent, id, isolate) {
  const element = button(parent, `M${id}`, () => isolate(id), "module-link");
  element.prepend(swatch(id));
  return element;
}

const MOST_LINKS = 12;

function moduleLinks(parent, term, ids, isolate) {
  const place = fact(parent, term, ids.length ? "" : "none");
  for (const id of ids.slice(0, MOST_LINKS)) moduleButton(place, id, isolate);
  if (ids.length > MOST_LINKS) said(place, "span", ` and ${ids.length - MOST_LINKS} more`);
}

function fact(parent, term, text) {
  const pair = document.createElement("div");
  said(pair, "dt", term);
  const place = said(pair, "dd", text);
  parent.append(pair);
  return place;
}

function opened(title, id) {
  details.replaceChildren();
  const heading = said(details, "h3", title);
  heading.tabIndex = -1;
  if (id !== null) heading.prepend(swatch(id));
  const facts = document.createElement("dl");
  facts.className = "facts";
  details.append(facts);
  return facts;
}

function describeModule(id, { isolate, showUnits, showAll }) {
  const module = modules.get(id);
  const facts = opened(`Module M${id}`, id);
  fact(facts, "level", String(module.level));
  const parts = module.layers.map(([name, units]) => `${units} in ${name}`);
  const rest = parts.length > 8 ? `, and ${parts.length - 8} layers more` : "";
  const listed = `${parts.slice(0, 8).join(", ")}${rest}`;
  fact(facts, "units", `${module.units.toLocaleString("en")}: ${listed}`);
  fact(facts, "inputs", module.inputs[1] || "none");
  fact(facts, "outputs", module.outputs[1] || "none");
  moduleLinks(facts, "reads", module.reads, isolate);
  moduleLinks(facts, "used by", module.used_by, isolate);
  fact(facts, "input-separable", module.separable ? "yes" : "no");
  fact(facts, "density", module.density.toFixed(2));
  if (!showUnits && !showAll) return;
  const row = said(details, "p", "", "buttons");
  if (showUnits) button(row, "Show its units", showUnits);
  if (showAll) button(row, "Show all", showAll);
}

const MOST_NAMES = 14;

function named(units) {
  const names = units.slice(0, MOST_NAMES).map(unitName);
  const more = units.length - names.length;
  return names.join(", ") + (more > 0 ? `, and ${more} more` : "") || "none";
}

function describeUnit(unit, { above, below }, isolate) {
  const id = network.module[unit];
  const layer = layerOf(unit);
  const facts = opened(unitName(unit), id);
  fact(facts, "layer", `${layer.name} (${layer.kind})`);
  moduleButton(fact(facts, "module", ""), id, isolate);
  const ends = (marks, number) =>
    [...marks.keys()].filter((x) => marks[x] && x !== unit && network.layer[x] === number);
  if (network.layer[unit] > 0) {
    fact(facts, "reads", named(sources[unit]));
    fact(facts, "reached by", named(ends(below, 0)));
  }
  if (network.layer[unit] < lastLayer) {
    fact(facts, "feeds", named(network.targets[unit]));
    fact(facts, "reaches", named(ends(above, lastLayer)));
  }
}

function describeNothing(view) {
  details.replaceChildren();
  said(details, "h3", "How to read it").tabIndex = -1;
  const lines = document.createElement("ul");
  const texts =
    view === "units"
      ? [
          "A dot is a unit, a row is a layer: the inputs lowest, the outputs on top.",
          "A line is an edge: a weight that was kept. Those between modules are grey.",
          "A box is a module, units that belong together. Its number is in it.",
          "Point at a unit to see its paths; click a module to see it alone.",
        ]
      : [
          "A box is a module: how many units it has, which inputs reach it and which outputs it reaches.",
          "An arrow leads from a module to one that reads it, the wider the more edges.",
          "Click a module to see it alone, with all it reads and feeds.",
        ];
  texts.forEach((text, number) => {
    said(lines, "li", text, number === texts.length - 1 ? "screen-only" : "");
  });
  details.append(lines);
  if (view === "modules" && hierarchy.left_out) {
    const count = hierarchy.left_out.toLocaleString("en");
    said(details, "p", `${count} arrows of few edges are left out.`, "note");
  }
}
