// Sets the strength of the saliency overlay.
(() => {
  const KEY = "overlay-strength";
  // A slider left at 0 would make the next map look empty.
  const LEAST = 10;

  function apply(root) {
    for (const slider of root.querySelectorAll("[data-strength]")) {
      try {
        const kept = sessionStorage.getItem(KEY);
        if (kept !== null) slider.value = Math.max(LEAST, Number(kept));
      } catch {
        // Without storage every scan starts at the default strength.
      }
      show(slider);
    }
  }

  function show(slider) {
    const viewer = slider.closest("[data-viewer]");
    viewer.querySelector("[data-overlay]").style.opacity = slider.value / 100;
    viewer.querySelector("[data-strength-output]").textContent = `${slider.value}%`;
    slider.setAttribute("aria-valuetext", `${slider.value} percent`);
  }

  document.addEventListener("input", (event) => {
    if (!event.target.matches("[data-strength]")) return;
    show(event.target);
    try {
      sessionStorage.setItem(KEY, event.target.value);
    } catch {
      // As above.
    }
  });
  document.addEventListener("DOMContentLoaded", () => apply(document));
  document.addEventListener("htmx:afterSettle", () => apply(document));
})();
