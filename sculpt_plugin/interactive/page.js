// The page at work: what is shown, what is alone, what is pointed at.

const byId = (id) => document.getElementById(id);
const state = { view: data.opens, module: null, unit: null, hint: null, current: {} };

const scene = ink(picture, "g", { class: "scene" });
const rows = ink(picture, "g", { class: "rows", "aria-hidden": "true" });
const netPlace = ink(scene, "g", { class: "network" });
const treePlace = ink(scene, "g", { class: "hierarchy" });
const ring = ink(scene, "rect", { class: "ring", visibility: "hidden" });
const tree = drawHierarchy(treePlace);
// Ten thousand dots take a while: they are drawn when they are first asked for.
let net = null;

const camera = makeCamera(scene, followCamera);
const pointers = followPointers(camera);
const announce = (text) => (byId("status").textContent = text);
let shown = null; // which units, as marks, while a module is alone
const openSearch = makeSearch(choose, announce);

// ---- rows: names of layers and levels, which stay at the left at their own size

function rowList() {
  if (state.view === "modules") {
    return hierarchy.levels.map(([level, y]) => ({ y, lines: [`level ${level}`] }));
  }
  return network.layers.map(({ y, short, live, units }) => {
    const count = live === units ? "" : `${live.toLocaleString("en")} of `;
    return { y, lines: [short, count + counted(units, "unit")] };
  });
}

const gutter = () => Math.min(150, 0.24 * picture.clientWidth);

function followCamera({ scale, y }) {
  rows.replaceChildren();
  let free = Infinity; // from the inputs, which are lowest, upwards
  for (const row of rowList().sort((one, other) => other.y - one.y)) {
    const at = row.y * scale + y;
    const lines = free - at > 30 ? row.lines : row.lines.slice(0, 1);
    if (free - at < 14 || at < 8 || at > picture.clientHeight - 4) continue;
    free = at;
    lines.forEach((text, number) => {
      const down = at + 4 + 13 * number - 6.5 * (lines.length - 1);
      const kind = number ? "row-count" : "row-name";
      ink(rows, "text", { x: 10, y: down, class: kind }, text);
    });
  }
  // Where a node is small, its number alone is large enough to be read.
  treePlace.classList.toggle("far", scale < 0.55);
  if (!net) return;
  for (const place of [net.outlines, net.nameplates]) {
    place.style.setProperty("--scale", scale);
  }
  for (const { element, size } of net.names) {
    element.classList.toggle("tiny", size * scale < 6);
  }
  placeRing();
}

// ---- what is shown

function wholeBox() {
  if (state.view === "modules") {
    return { left: 0, top: 0, right: hierarchy.width, bottom: hierarchy.height };
  }
  const { width, height } = network;
  return { left: -8, top: -46, right: width + 8, bottom: height + 46 };
}

function shownBox() {
  const places = visibleItems().map((item) => item.place);
  if (!places.length) return wholeBox();
  const [xs, ys] = [places.map(([x]) => x), places.map(([, y]) => y)];
  const rim = state.view === "modules" ? [hierarchy.node[0] / 2 + 4, 34] : [30, 46];
  const low = (values) => values.reduce((one, other) => Math.min(one, other));
  const high = (values) => values.reduce((one, other) => Math.max(one, other));
  return {
    left: low(xs) - rim[0],
    right: high(xs) + rim[0],
    top: low(ys) - rim[1],
    bottom: high(ys) + rim[1],
  };
}

function fit() {
  camera.whole = wholeBox();
  camera.fit(state.module === null ? wholeBox() : shownBox(), gutter());
}

function resize() {
  const box = wholeBox();
  const wide = picture.parentElement.clientWidth;
  const room = Math.max(picture.clientWidth - gutter() - 28, 100);
  const scale = Math.min(1.5, room / (box.right - box.left));
  const most = Math.max(360, 0.72 * window.innerHeight);
  const high = Math.min(most, Math.max(wide < 500 ? 280 : 360, scale * (box.bottom - box.top) + 28));
  picture.style.height = `${Math.round(high)}px`;
}

function show() {
  if (state.view === "units" && !net) net = drawNetwork(netPlace);
  netPlace.style.display = state.view === "units" ? "" : "none";
  treePlace.style.display = state.view === "modules" ? "" : "none";
  byId("show-units").setAttribute("aria-pressed", String(state.view === "units"));
  byId("show-modules").setAttribute("aria-pressed", String(state.view === "modules"));
  picture.setAttribute("aria-label", pictureLabel());
  showModule();
  showUnit();
  keepOneTabStop();
}

function pictureLabel() {
  const what = state.view === "units" ? "The units in their layers" : "The modules by level";
  const part = state.module === null ? "" : `, module M${state.module} alone`;
  return `${what}${part}. Arrow keys move from one to the next.`;
}

function showModule() {
  const id = state.module;
  const near = id === null ? null : modulesOnPaths(id);
  data.modules.forEach((module, number) => {
    const node = tree.nodes[number];
    node.classList.toggle("away", near !== null && !near.has(module.id));
    node.classList.toggle("chosen", module.id === id);
  });
  for (const { from, to, element } of tree.arrows) {
    const away = near !== null && !(near.has(from) && near.has(to));
    element.classList.toggle("away", away);
  }
  for (const row of document.querySelectorAll("tr[data-module]")) {
    row.classList.toggle("chosen", Number(row.dataset.module) === id);
  }
  if (state.view === "units") showModuleUnits(id);
}

function showModuleUnits(id) {
  net.alone.replaceChildren();
  netPlace.classList.toggle("isolated", id !== null);
  shown = null;
  if (id !== null) {
    const own = [...network.module.keys()].filter((unit) => network.module[unit] === id);
    const marks = pathsThrough(own);
    shown = marks.above.map((above, unit) => above | marks.below[unit]);
    drawEdges(net.alone, edgesOn(marks));
  }
  const alive = new Set(network.module.filter((_, unit) => !shown || shown[unit]));
  for (const box of net.outlines.children) {
    const module = Number(box.dataset.module);
    box.classList.toggle("away", !alive.has(module));
    box.classList.toggle("chosen", module === id);
  }
  net.dots.forEach((dot, unit) => {
    dot.classList.toggle("away", shown !== null && !shown[unit]);
  });
  for (const { element, unit } of net.names) {
    element.classList.toggle("away", shown !== null && !shown[unit]);
  }
}

function showUnit() {
  const unit = state.view === "units" ? state.unit : null;
  if (net) {
    net.traced.replaceChildren();
    netPlace.classList.toggle("tracing", unit !== null);
  }
  placeRing();
  if (unit === null) {
    const hint = state.view === "modules" ? state.hint : null;
    if (hint !== null && hint !== state.module) describeModule(hint, { isolate: actions().isolate });
    else if (state.module === null) describeNothing(state.view);
    else describeModule(state.module, actions());
    return;
  }
  const marks = pathsThrough([unit], shown);
  drawEdges(net.traced, edgesOn(marks));
  for (let other = 0; other < unitCount; other += 1) {
    if (!marks.above[other] && !marks.below[other]) continue;
    const [cx, cy] = unitPlace(other);
    const place = coloured(net.traced, network.module[other]);
    const { radius } = layerOf(other);
    ink(place, "circle", { cx, cy, r: radius, "stroke-width": 0.2 * radius });
  }
  const called = new Set([...marks.above.keys()].filter((x) => marks.above[x] || marks.below[x]));
  for (const { element, unit: named } of net.names) {
    element.classList.toggle("on", called.has(named));
  }
  describeUnit(unit, marks, actions().isolate);
}

function placeRing() {
  const item = state.ringed;
  if (!item || item.view !== state.view) {
    ring.setAttribute("visibility", "hidden");
    return;
  }
  const gap = 4 / camera.scale;
  const [wide, high] = item.size.map((side) => side + 2 * gap);
  const [x, y] = item.place;
  const round = state.view === "units" ? wide / 2 : 9 + gap;
  const box = { x: x - wide / 2, y: y - high / 2, width: wide, height: high, rx: round };
  for (const [key, value] of Object.entries(box)) ring.setAttribute(key, value);
  ring.setAttribute("visibility", "visible");
}

// ---- what the reader does

// The buttons beside the picture are made anew at each press: the focus goes to what
// stands there instead.
function keepingFocus(act) {
  return (...values) => {
    act(...values);
    details.querySelector("h3").focus();
  };
}

function actions() {
  const expands = network && state.view === "modules";
  return {
    isolate: keepingFocus(isolate),
    showUnits: expands ? keepingFocus(() => view("units")) : null,
    showAll: keepingFocus(showAll),
  };
}

function isolate(id) {
  if (!modules.has(id)) return;
  state.module = id;
  state.unit = state.ringed = state.hint = null;
  show();
  announce(`Module M${id} alone`);
}

function showAll() {
  state.module = state.unit = state.ringed = state.hint = null;
  show();
  announce("All is shown");
}

function view(name) {
  if (name === "units" && !network) return;
  state.view = name;
  state.unit = state.ringed = state.hint = null;
  show();
  resize();
  fit();
  announce(name === "units" ? "Expanded to the units" : "Collapsed to the modules");
}

function point(unit) {
  if (unit === state.unit) return;
  state.unit = unit;
  state.ringed = unit === null ? null : unitItem(unit);
  showUnit();
}

function hint(id) {
  if (id === state.hint) return;
  state.hint = id;
  showUnit();
}

function choose({ module, unit }) {
  if (module !== undefined) {
    isolate(module);
    fit();
    return;
  }
  if (state.view !== "units") view("units");
  if (shown && !shown[unit]) showAll();
  focusItem(unitItem(unit));
}

// ---- items: what the arrow keys move between

function unitItem(unit) {
  const side = 2 * layerOf(unit).radius;
  const element = net.dots[unit];
  return { view: "units", unit, element, place: unitPlace(unit), size: [side, side] };
}

function nodeItem(number) {
  const place = [hierarchy.x[number], hierarchy.y[number]];
  const module = data.modules[number].id;
  return { view: "modules", module, element: tree.nodes[number], place, size: hierarchy.node };
}

function visibleItems() {
  const all =
    state.view === "units"
      ? net.dots.map((_, unit) => unitItem(unit))
      : tree.nodes.map((_, number) => nodeItem(number));
  return all.filter((item) => !item.element.classList.contains("away"));
}

// One stop for the Tab key; the arrows do the rest.
function keepOneTabStop() {
  const items = visibleItems();
  const held = state.current[state.view];
  const next = items.find((item) => item.element === held) ?? items[0];
  if (held && held !== next?.element) held.setAttribute("tabindex", -1);
  state.current[state.view] = next?.element ?? null;
  next?.element.setAttribute("tabindex", 0);
}

function focusItem(item) {
  state.current[state.view]?.setAttribute("tabindex", -1);
  state.current[state.view] = item.element;
  item.element.setAttribute("tabindex", 0);
  item.element.focus({ preventScroll: true });
  camera.reveal(item.place);
}

function itemOf(element) {
  const dot = element?.closest?.("[data-unit]");
  if (dot) return unitItem(Number(dot.dataset.unit));
  const node = element?.closest?.(".node");
  return node ? nodeItem(tree.nodes.indexOf(node)) : null;
}

// The nearest item to the left or right in the same row, or in the next row: of those
// an edge leads to where there are any.
function neighbour(item, key) {
  const items = visibleItems();
  const [x, y] = item.place;
  if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(key)) {
    const row = items.filter((other) => other.place[1] === y);
    row.sort((one, other) => one.place[0] - other.place[0]);
    const here = row.findIndex((other) => other.element === item.element);
    if (key === "Home") return row[0];
    if (key === "End") return row.at(-1);
    return row[here + (key === "ArrowRight" ? 1 : -1)];
  }
  const up = key === "ArrowUp";
  const joined = new Set(linked(item, up));
  const beyond = items.filter((other) => (up ? other.place[1] < y : other.place[1] > y));
  const near = beyond.filter((other) => joined.has(other.unit ?? other.module));
  const among = near.length ? near : beyond;
  const away = (other) => [Math.abs(other.place[1] - y), Math.abs(other.place[0] - x)];
  const nearer = (one, other) => away(one)[0] - away(other)[0] || away(one)[1] - away(other)[1];
  return among.length ? among.reduce((one, other) => (nearer(one, other) <= 0 ? one : other)) : null;
}

function linked(item, up) {
  if (item.view === "modules") return modules.get(item.module)[up ? "used_by" : "reads"];
  return (up ? network.targets : sources)[item.unit];
}
