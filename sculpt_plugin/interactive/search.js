// Finding units and modules by name, as a list to choose from.

const MOST_FOUND = 30;

function candidates() {
  const all = data.modules.map(({ id, layers }) => ({
    name: `M${id}`,
    where: `module, ${layers.length === 1 ? layers[0][0] : counted(layers.length, "layer")}`,
    module: id,
  }));
  for (let unit = 0; unit < unitCount; unit += 1) {
    const { name } = layerOf(unit);
    all.push({ name: unitName(unit), where: `in ${name}`, unit });
  }
  return all.map((entry) => ({ ...entry, key: entry.name.toLowerCase() }));
}

// Names that are what was typed, then those that begin with it, then those that hold it.
function matching(entries, typed) {
  const text = typed.trim().toLowerCase();
  if (!text) return [];
  const ranks = [[], [], [], []];
  for (const entry of entries) {
    if (entry.key === text) ranks[0].push(entry);
    else if (entry.key.startsWith(text)) ranks[1].push(entry);
    else if (entry.key.includes(text)) ranks[2].push(entry);
    else if (entry.where.toLowerCase().includes(text)) ranks[3].push(entry);
  }
  return ranks.flat();
}

function makeSearch(choose, announce) {
  const field = document.getElementById("search");
  const list = document.getElementById("found");
  const entries = candidates();
  let found = [];
  let current = -1;

  const close = () => {
    list.hidden = true;
    current = -1;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  };
  const take = (entry) => {
    close();
    field.value = entry.name;
    choose(entry);
  };
  const mark = (place) => {
    current = place;
    [...list.children].forEach((item, number) => {
      item.setAttribute("aria-selected", String(number === place));
      if (number === place) item.scrollIntoView({ block: "nearest" });
    });
    field.setAttribute("aria-activedescendant", `found-${place}`);
  };
  const offer = () => {
    const all = matching(entries, field.value);
    found = all.slice(0, MOST_FOUND);
    list.replaceChildren();
    found.forEach((entry, number) => {
      const item = said(list, "li", "", "entry");
      item.id = `found-${number}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", "false");
      item.append(swatch(entry.module ?? network.module[entry.unit]));
      said(item, "b", entry.name);
      said(item, "span", entry.where);
      // Before the field loses the focus, which would close the list.
      item.addEventListener("pointerdown", (event) => event.preventDefault());
      item.addEventListener("click", () => take(entry));
    });
    const open = Boolean(field.value.trim());
    list.hidden = !open;
    field.setAttribute("aria-expanded", String(open && found.length > 0));
    if (!open) return;
    const more = all.length - found.length;
    if (more > 0) said(list, "li", `and ${more.toLocaleString("en")} more`, "rest");
    if (!all.length) said(list, "li", "Nothing of that name is alive here.", "rest");
    announce(`${all.length} found`);
  };
  field.addEventListener("input", offer);
  field.addEventListener("focus", offer);
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    if (event.key === "Enter" && found.length) take(found[Math.max(current, 0)]);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !found.length) return;
    event.preventDefault();
    mark((current + step + found.length + (current < 0 && step < 0)) % found.length);
  });
  return () => field.focus();
}
