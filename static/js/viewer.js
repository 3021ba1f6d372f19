// Shows and hides the saliency overlay, and sets its strength.
(() => {
  const root = document.documentElement;
  const READ_FIRST = "read-first";
  const KEY = "overlay-strength";
  // A slider left at 0 would make the next map look empty.
  const LEAST = 10;

  // Without a choice the style sheet decides: phones, and people who asked for it, see the plain image first.
  function shows(viewer) {
    return getComputedStyle(viewer.querySelector(".frame-overlay")).display !== "none";
  }

  function name(viewer) {
    const button = viewer.querySelector("[data-overlay-switch]");
    button.textContent = shows(viewer) ? "Hide overlay" : "Show overlay";
  }

  function apply() {
    for (const viewer of document.querySelectorAll(".viewer-pair")) {
      viewer.querySelector("[data-read-first]").checked = root.dataset.readFirst !== undefined;
      name(viewer);
    }
    for (const slider of document.querySelectorAll("[data-strength]")) {
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
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-overlay-switch]");
    if (!button) return;
    const viewer = button.closest("[data-viewer]");
    viewer.dataset.view = shows(viewer) ? "plain" : "overlay";
    name(viewer);
  });
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-read-first]")) return;
    const viewer = event.target.closest("[data-viewer]");
    delete viewer.dataset.view;
    if (event.target.checked) root.dataset.readFirst = "";
    else delete root.dataset.readFirst;
    try {
      if (event.target.checked) localStorage.setItem(READ_FIRST, "yes");
      else localStorage.removeItem(READ_FIRST);
    } catch {
      // Without storage the choice lasts until the page is left.
    }
    name(viewer);
  });
  matchMedia("(max-width: 767.98px)").addEventListener("change", apply);
  document.addEventListener("DOMContentLoaded", apply);
  document.addEventListener("htmx:afterSettle", apply);
})();
