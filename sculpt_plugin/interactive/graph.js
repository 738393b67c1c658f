// The report's data, and which units lie on paths through others.

const data = JSON.parse(document.getElementById("data").textContent);
const { network, hierarchy } = data;
const modules = new Map(data.modules.map((module) => [module.id, module]));

const sources = network ? network.targets.map(() => []) : [];
if (network) {
  network.targets.forEach((targets, unit) => {
    for (const target of targets) sources[target].push(unit);
  });
}

const unitCount = network ? network.module.length : 0;
const layerOf = (unit) => network.layers[network.layer[unit]];
const lastLayer = network ? network.layers.length - 1 : 0;
const isEnd = (unit) => network.layer[unit] === 0 || network.layer[unit] === lastLayer;
// As in the report: x3 is an input, y0 an output; a hidden unit has its layer's name.
const unitName = (unit) => {
  const layer = network.layer[unit];
  const number = network.channel[unit];
  if (layer === 0) return `x${number}`;
  return layer === lastLayer ? `y${number}` : `${network.layers[layer].short}[${number}]`;
};
const unitPlace = (unit) => [network.x[unit], layerOf(unit).y];

// Which units lie on a path that leads through one of `seeds`. Units are numbered from
// the inputs up and every edge leads to a later one, so one sweep each way is enough.
function pathsThrough(seeds, allowed = null) {
  const above = new Uint8Array(unitCount);
  const below = new Uint8Array(unitCount);
  for (const unit of seeds) above[unit] = below[unit] = 1;
  const open = (unit) => !allowed || allowed[unit];
  for (let unit = 0; unit < unitCount; unit += 1) {
    if (!above[unit]) continue;
    for (const next of network.targets[unit]) if (open(next)) above[next] = 1;
  }
  for (let unit = unitCount - 1; unit >= 0; unit -= 1) {
    if (!below[unit]) continue;
    for (const next of sources[unit]) if (open(next)) below[next] = 1;
  }
  return { above, below };
}

// The edges of such paths, as pairs, in the order of their sources.
function* edgesOn({ above, below }) {
  for (let unit = 0; unit < unitCount; unit += 1) {
    if (!above[unit] && !below[unit]) continue;
    for (const target of network.targets[unit]) {
      if ((above[unit] && above[target]) || (below[unit] && below[target])) {
        yield [unit, target];
      }
    }
  }
}

// The modules from which arrows lead to `start`, those it leads to, and itself.
function modulesOnPaths(start) {
  const reach = (next) => {
    const found = new Set([start]);
    for (const id of found) {
      for (const other of modules.get(id)[next]) found.add(other);
    }
    return found;
  };
  return new Set([...reach("used_by"), ...reach("reads")]);
}
