// The ink: every line, dot and word of the picture. It never sets markup, only text and
// attributes, so that a name from a file can be nothing but a name.

const picture = document.getElementById("picture");

function ink(parent, name, attributes = {}, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) {
    element.setAttribute(key, value);
  }
  if (text) element.textContent = text;
  parent.append(element);
  return element;
}

function coloured(parent, id, attributes = {}) {
  const group = ink(parent, "g", attributes);
  const module = modules.get(id);
  if (module) group.style.setProperty("--hue", module.colour);
  return group;
}

// Straight, or bulging to the right where an edge jumps a layer.
function edgePath(source, target) {
  const [x0, y0] = unitPlace(source);
  const [x1, y1] = unitPlace(target);
  if (network.layer[target] === network.layer[source] + 1) {
    return `M${x0} ${y0}L${x1} ${y1}`;
  }
  return `M${x0} ${y0}Q${(x0 + x1) / 2 + 58} ${(y0 + y1) / 2} ${x1} ${y1}`;
}

// One path element for each module's own edges and one for all between modules: a
// browser draws a hundred long paths far sooner than ten thousand short ones.
function drawEdges(parent, edges) {
  const paths = new Map();
  let count = 0;
  for (const [source, target] of edges) {
    count += 1;
    const own = network.module[source];
    const key = own === network.module[target] ? own : -1;
    if (!paths.has(key)) paths.set(key, []);
    paths.get(key).push(edgePath(source, target));
  }
  // The more lines, the thinner and paler, or they would be one patch of colour.
  const crowd = 1 / Math.sqrt(Math.max(count, 1));
  parent.style.setProperty("--thick", Math.min(1.4, Math.max(0.5, 13 * crowd)));
  parent.style.setProperty("--faint", Math.min(0.85, Math.max(0.1, 12 * crowd)));
  for (const [key, parts] of [...paths].sort(([one], [other]) => one - other)) {
    const place = coloured(parent, key, { class: key < 0 ? "between" : "inside" });
    ink(place, "path", { d: parts.join("") });
  }
}

function* allEdges() {
  for (let unit = 0; unit < unitCount; unit += 1) {
    for (const target of network.targets[unit]) yield [unit, target];
  }
}

function drawNetwork(parent) {
  const layers = {};
  for (const name of ["outlines", "edges", "alone", "units", "names", "traced"]) {
    layers[name] = ink(parent, "g", { class: name });
  }
  for (const { module, path, name } of network.outlines) {
    const group = coloured(layers.outlines, module, { "data-module": module });
    ink(group, "path", { d: path, class: "box" });
    if (!name) continue;
    const [x, y, upright] = name;
    const turn = upright ? `rotate(-90 ${x} ${y})` : "";
    const words = { x, y, transform: turn, class: "module-name" };
    ink(group, "text", words, `M${module}`);
  }
  drawEdges(layers.edges, allEdges());
  const groups = new Map();
  const dots = network.module.map((module, unit) => {
    if (!groups.has(module)) groups.set(module, coloured(layers.units, module));
    const [cx, cy] = unitPlace(unit);
    return ink(groups.get(module), "circle", {
      cx,
      cy,
      r: layerOf(unit).radius,
      "stroke-width": 0.2 * layerOf(unit).radius,
      "data-unit": unit,
      tabindex: -1,
      role: "button",
      "aria-label": `${unitName(unit)} in M${module}`,
    });
  });
  return { ...layers, dots, nameplates: layers.names, names: drawEndNames(layers.names) };
}

// The names of inputs and outputs, each with the size at which it fits.
function drawEndNames(parent) {
  const named = [];
  for (let unit = 0; unit < unitCount; unit += 1) {
    if (!isEnd(unit)) continue;
    const number = network.layer[unit];
    const { spacing, radius, y } = layerOf(unit);
    const text = unitName(unit);
    const level = Math.min(12, (1.7 * spacing) / text.length);
    const upright = level < 9 && spacing > level;
    const size = upright ? Math.min(11, 0.95 * spacing) : level;
    const away = number === 0 ? 1 : -1;
    const at = [network.x[unit], y + away * (Math.max(15, radius) + (upright ? 1 : 9))];
    const words = { x: at[0], y: at[1] };
    if (upright) {
      words.transform = `rotate(-90 ${at[0]} ${at[1]})`;
      words["text-anchor"] = number === 0 ? "end" : "start";
    }
    const element = ink(parent, "text", words, text);
    element.style.fontSize = `min(${size}px, calc(12px / var(--scale, 1)))`;
    named.push({ element, size, unit });
  }
  return named;
}

function drawArrow(parent, { from, to, count, route }, most, thicket) {
  const [[x0, y0], [cx, cy], [x1, y1]] = route;
  const group = coloured(parent, from, { class: "arrow" });
  const slim = Math.min(1, Math.sqrt(16 / hierarchy.arrows.length));
  const width = slim * (1.4 + 2.6 * Math.sqrt(count / most));
  const [dx, dy] = [x1 - cx, y1 - cy];
  const far = Math.max(Math.hypot(dx, dy), 1e-6);
  const [ux, uy] = [dx / far, dy / far];
  const size = 6 + width;
  // The line ends inside its head, which would otherwise look blunt.
  const [bx, by] = [x1 - 0.8 * size * ux, y1 - 0.8 * size * uy];
  const line = `M${x0} ${y0}Q${cx} ${cy} ${bx} ${by}`;
  ink(group, "path", { d: line, "stroke-width": width, class: "shaft" });
  const [sx, sy] = [x1 - size * ux, y1 - size * uy];
  const half = 0.45 * size;
  const [lx, ly] = [sx - half * uy, sy + half * ux];
  const [rx, ry] = [sx + half * uy, sy - half * ux];
  const head = `M${x1} ${y1}L${lx} ${ly}L${rx} ${ry}Z`;
  ink(group, "path", { d: head, class: "head" });
  if (!thicket) {
    const share = 0.35;
    const along = (a, b, c) =>
      (1 - share) ** 2 * a + 2 * share * (1 - share) * b + share ** 2 * c;
    const place = { x: along(x0, cx, x1), y: along(y0, cy, y1), class: "count" };
    ink(group, "text", place, count);
  }
  ink(group, "title", {}, `${count} ${count === 1 ? "edge" : "edges"} M${from} to M${to}`);
  return { from, to, element: group };
}

function drawNode(parent, module, x, y) {
  const [wide, high] = hierarchy.node;
  const [left, top] = [x - wide / 2, y - high / 2];
  const said = [
    `M${module.id}, level ${module.level}, ${counted(module.units, "unit")}`,
    module.inputs[0] && `reads ${module.inputs[0]}`,
    module.outputs[0] && `reaches ${module.outputs[0]}`,
  ];
  const group = coloured(parent, module.id, {
    class: "node",
    "data-module": module.id,
    tabindex: -1,
    role: "button",
    "aria-label": said.filter(Boolean).join(", "),
  });
  const place = { x: left, y: top, width: wide, height: high, rx: 9, class: "box" };
  ink(group, "rect", place);
  const name = { x: left + 10, y: top + 19, class: "node-name" };
  ink(group, "text", name, `M${module.id}`);
  const units = { x: left + wide - 10, y: top + 19, class: "node-units" };
  ink(group, "text", units, counted(module.units, "unit"));
  const lines = [module.inputs[0] && `in ${module.inputs[0]}`];
  lines.push(module.outputs[0] && `out ${module.outputs[0]}`);
  lines.filter(Boolean).forEach((text, row) => {
    const at = { x: left + 10, y: top + 35 + 13 * row, class: "node-line" };
    ink(group, "text", at, text);
  });
  return group;
}

function drawHierarchy(parent) {
  const arrows = ink(parent, "g", { class: "arrows" });
  const nodes = ink(parent, "g", { class: "nodes" });
  const most = Math.max(8, ...hierarchy.arrows.map((arrow) => arrow.count));
  const thicket = hierarchy.arrows.length > 60;
  if (thicket) arrows.classList.add("thicket");
  return {
    arrows: hierarchy.arrows.map((arrow) => drawArrow(arrows, arrow, most, thicket)),
    nodes: data.modules.map((module, number) =>
      drawNode(nodes, module, hierarchy.x[number], hierarchy.y[number]),
    ),
  };
}

function counted(number, what) {
  return `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;
}
