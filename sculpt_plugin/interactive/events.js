// What keys, pointers and buttons do, the theme, and the way to paper.

// The dot at the pointer, or very near: in a crowd dots are smaller than a finger.
function unitAt([px, py]) {
  const [x, y] = camera.toScene(px, py);
  const near = 9 / camera.scale;
  let [best, least] = [null, Infinity];
  for (let unit = 0; unit < unitCount; unit += 1) {
    const [ux, uy] = unitPlace(unit);
    if (Math.abs(uy - y) > near + 10 || Math.abs(ux - x) > near + 10) continue;
    if (shown && !shown[unit]) continue;
    const away = Math.hypot(ux - x, uy - y);
    if (away < least && away < Math.max(near, layerOf(unit).radius + 3)) {
      [best, least] = [unit, away];
    }
  }
  return best;
}

const focused = () => itemOf(document.activeElement);

picture.addEventListener("pointermove", (event) => {
  if (event.pointerType === "touch" || picture.classList.contains("dragged")) return;
  if (state.view === "units") point(unitAt(pointers.spot(event)) ?? focused()?.unit ?? null);
  else hint(itemOf(event.target)?.module ?? focused()?.module ?? null);
});
picture.addEventListener("pointerleave", () => {
  if (state.view === "units") point(focused()?.unit ?? null);
  else hint(focused()?.module ?? null);
});
picture.addEventListener("click", (event) => {
  if (pointers.wasDrag()) return;
  if (state.view === "units") {
    const unit = unitAt(pointers.spot(event));
    if (unit !== null) {
      focusItem(unitItem(unit));
      return;
    }
  }
  const box = event.target.closest("[data-module]");
  document.activeElement?.blur?.();
  if (box) isolate(Number(box.dataset.module));
  else showAll();
});
picture.addEventListener("focusin", (event) => {
  const item = itemOf(event.target);
  if (!item) return;
  if (item.view === "units") point(item.unit);
  else hint(item.module);
  state.ringed = item;
  placeRing();
});
picture.addEventListener("focusout", (event) => {
  // A press on a button beside the picture takes the focus, or in some browsers takes
  // it nowhere; what it belongs to must still be there when the press ends.
  const next = event.relatedTarget;
  if (!next || details.contains(next)) return;
  state.ringed = null;
  if (state.view === "units") point(null);
  else hint(null);
  placeRing();
});

picture.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const item = focused();
  const pans = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
  const keys = {
    "+": () => camera.zoom(1.3),
    "=": () => camera.zoom(1.3),
    "-": () => camera.zoom(1 / 1.3),
    0: fit,
    c: () => view(state.view === "units" ? "modules" : "units"),
    "/": openSearch,
    Escape: () => {
      showAll();
      fit();
    },
    Enter: () => item && isolate(item.module ?? network.module[item.unit]),
    " ": () => item && isolate(item.module ?? network.module[item.unit]),
  };
  let act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (event.key in pans || event.key === "Home" || event.key === "End") {
    act = () => {
      if (event.shiftKey && event.key in pans) return camera.pan(...pans[event.key]);
      const next = item ? neighbour(item, event.key) : visibleItems()[0];
      if (next) focusItem(next);
      return null;
    };
  }
  if (!act) return;
  event.preventDefault();
  act();
  // What had the focus may be hidden now.
  if (item && ["c", "C", "Enter", " ", "Escape"].includes(event.key)) {
    const same = visibleItems().find((other) => other.element === item.element);
    const own = item.module ?? network.module[item.unit];
    const alike = (other) => (other.module ?? network.module[other.unit]) === own;
    const next = same ?? visibleItems().find(alike) ?? visibleItems()[0];
    if (next) focusItem(next);
  }
});

byId("show-units").addEventListener("click", () => view("units"));
byId("show-modules").addEventListener("click", () => view("modules"));
byId("zoom-in").addEventListener("click", () => camera.zoom(1.4));
byId("zoom-out").addEventListener("click", () => camera.zoom(1 / 1.4));
byId("fit").addEventListener("click", fit);
byId("show-all").addEventListener("click", () => {
  showAll();
  fit();
});

// The rows of the table lead to the picture.
for (const row of document.querySelectorAll("tr[data-module]")) {
  const name = row.querySelector(".name");
  const id = Number(row.dataset.module);
  const press = () => {
    isolate(id);
    fit();
    byId("drawing").scrollIntoView({ block: "start" });
  };
  const link = button(name.parentElement, name.textContent, press, "module-link");
  link.setAttribute("aria-label", `Show module M${id} alone`);
  name.remove();
}

// Paper is of another width than the window, so the picture is scaled as a whole.
let before = null;
window.addEventListener("beforeprint", () => {
  before = { scale: camera.scale, x: camera.x, y: camera.y };
  fit();
  const [wide, high] = [picture.clientWidth, picture.clientHeight];
  picture.setAttribute("viewBox", `0 0 ${wide} ${high}`);
});
window.addEventListener("afterprint", () => {
  picture.removeAttribute("viewBox");
  Object.assign(camera, before, { moved: true });
  camera.apply();
});

new ResizeObserver(() => {
  if (picture.hasAttribute("viewBox")) return;
  resize();
  if (!camera.moved) fit();
}).observe(picture.parentElement);

byId("drawing").hidden = false;
if (data.why) {
  byId("why").textContent = data.why;
  byId("why").hidden = false;
}
byId("show-units").disabled = !network;
show();
resize();
fit();
