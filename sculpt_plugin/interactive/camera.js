// What part of the picture is looked at: zoom, pan, and what keeps its size meanwhile.

function makeCamera(scene, onMove) {
  const camera = { scale: 1, x: 0, y: 0, moved: false, whole: null, least: 0.05 };
  const size = () => [picture.clientWidth || 800, picture.clientHeight || 500];
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

  camera.apply = () => {
    const [wide, high] = size();
    const { scale, whole } = camera;
    // Some of the picture always stays in sight.
    camera.x = clamp(camera.x, 60 - whole.right * scale, wide - 60 - whole.left * scale);
    camera.y = clamp(camera.y, 60 - whole.bottom * scale, high - 60 - whole.top * scale);
    const move = `translate(${camera.x} ${camera.y}) scale(${scale})`;
    scene.setAttribute("transform", move);
    picture.classList.toggle("moved", camera.moved);
    onMove(camera);
  };

  // Fits a box; `gutter` is the room for the names of rows at the left.
  camera.fit = (box, gutter) => {
    const [wide, high] = size();
    const rim = 14;
    const room = [wide - gutter - 2 * rim, high - 2 * rim];
    const scale = Math.min(
      room[0] / Math.max(box.right - box.left, 1),
      room[1] / Math.max(box.bottom - box.top, 1),
      1.5,
    );
    camera.scale = camera.least = Math.max(scale, 0.01);
    camera.x = gutter + rim + (room[0] - (box.right + box.left) * camera.scale) / 2;
    camera.y = rim + (room[1] - (box.bottom + box.top) * camera.scale) / 2;
    camera.moved = false;
    camera.apply();
  };

  camera.zoom = (factor, at = size().map((side) => side / 2)) => {
    const scale = clamp(camera.scale * factor, camera.least / 2, 24);
    const ratio = scale / camera.scale;
    camera.x = at[0] - (at[0] - camera.x) * ratio;
    camera.y = at[1] - (at[1] - camera.y) * ratio;
    camera.scale = scale;
    camera.moved = true;
    camera.apply();
  };

  camera.pan = (dx, dy) => {
    camera.x += dx;
    camera.y += dy;
    camera.moved = true;
    camera.apply();
  };

  camera.toScene = (x, y) => [(x - camera.x) / camera.scale, (y - camera.y) / camera.scale];

  // Moves just so far that a place is in sight.
  camera.reveal = ([x, y]) => {
    const [wide, high] = size();
    const [left, top] = [x * camera.scale + camera.x, y * camera.scale + camera.y];
    const dx = clamp(left, 50, wide - 50) - left;
    const dy = clamp(top, 40, high - 40) - top;
    if (dx || dy) camera.pan(dx, dy);
  };
  return camera;
}

// Pointers on the picture: drag to pan, two fingers or Ctrl + wheel to zoom.
function followPointers(camera) {
  const held = new Map();
  let travelled = 0;
  const spot = (event) => {
    const box = picture.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const apart = ([one, other]) => Math.hypot(one[0] - other[0], one[1] - other[1]);
  const middle = ([one, other]) => [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2];

  picture.addEventListener("pointerdown", (event) => {
    if (!held.size) travelled = 0;
    held.set(event.pointerId, spot(event));
  });
  picture.addEventListener("pointermove", (event) => {
    const before = held.get(event.pointerId);
    if (!before) return;
    const was = [...held.values()];
    const now = spot(event);
    held.set(event.pointerId, now);
    if (held.size === 2) {
      const is = [...held.values()];
      travelled += 9;
      camera.zoom(apart(is) / Math.max(apart(was), 1), middle(is));
    } else if (held.size === 1) {
      const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
      travelled += Math.hypot(dx, dy);
      // A click that trembles is a click.
      if (travelled < 5) return;
      picture.classList.add("dragged");
      if (!picture.hasPointerCapture(event.pointerId)) {
        picture.setPointerCapture(event.pointerId);
      }
      camera.pan(dx, dy);
    }
  });
  for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
    picture.addEventListener(end, (event) => {
      held.delete(event.pointerId);
      if (!held.size) picture.classList.remove("dragged");
    });
  }
  // A wheel alone scrolls the page, as everywhere else on it.
  const onWheel = (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    camera.zoom(Math.exp(-event.deltaY / 300), spot(event));
  };
  picture.addEventListener("wheel", onWheel, { passive: false });
  return { wasDrag: () => travelled >= 5, spot };
}
