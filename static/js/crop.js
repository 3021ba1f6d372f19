// The frame of a crop: drawn on the image, or entered as numbers. The numbers are what is sent.
(() => {
  const form = document.querySelector("[data-crop]");
  const picture = form.querySelector(".crop-picture");
  const path = picture.querySelector("path");
  const sides = ["top", "bottom", "left", "right"];
  const field = (side) => form.elements[side];
  const most = 90;

  const read = (side) => Math.min(most, Math.max(0, Number(field(side).value) || 0));

  function show() {
    const [top, bottom, left, right] = sides.map(read);
    path.setAttribute("d", `M0 0H100V100H0Z M${left} ${top}H${100 - right}V${100 - bottom}H${left}Z`);
  }

  // The place of the pointer in percent of the image.
  function place(event) {
    const box = picture.getBoundingClientRect();
    const inside = (value) => Math.min(100, Math.max(0, value));
    return {
      x: inside((100 * (event.clientX - box.left)) / box.width),
      y: inside((100 * (event.clientY - box.top)) / box.height),
    };
  }

  let start = null;
  picture.addEventListener("pointerdown", (event) => {
    start = place(event);
    picture.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  picture.addEventListener("pointermove", (event) => {
    if (!start) return;
    const end = place(event);
    if (Math.abs(end.x - start.x) < 5 || Math.abs(end.y - start.y) < 5) return;
    field("left").value = Math.min(most, Math.round(Math.min(start.x, end.x)));
    field("right").value = Math.min(most, Math.round(100 - Math.max(start.x, end.x)));
    field("top").value = Math.min(most, Math.round(Math.min(start.y, end.y)));
    field("bottom").value = Math.min(most, Math.round(100 - Math.max(start.y, end.y)));
    show();
  });
  for (const name of ["pointerup", "pointercancel"]) {
    picture.addEventListener(name, () => {
      start = null;
    });
  }
  form.addEventListener("input", show);
  form.querySelector("[data-hint]").hidden = false;
  show();
})();
