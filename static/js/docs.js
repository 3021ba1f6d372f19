// Tells Swagger UI which theme is shown, and screen readers how its page is built.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const REGIONS = { ".information-container": "About this API", ".scheme-container": "Authorization" };

  // Its style sheet asks for a class.
  function applyTheme() {
    root.classList.toggle("dark-mode", root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  }

  function label() {
    for (const [selector, name] of Object.entries(REGIONS)) {
      for (const part of document.querySelectorAll(`${selector}:not([role])`)) {
        part.setAttribute("role", "region");
        part.setAttribute("aria-label", name);
      }
    }
    for (const heading of document.querySelectorAll(":is(h3.opblock-tag, .models h4):not([aria-level])")) {
      heading.setAttribute("aria-level", "2");
    }
  }

  applyTheme();
  document.addEventListener("themechange", applyTheme);
  document.addEventListener("DOMContentLoaded", () => {
    new MutationObserver(label).observe(document.getElementById("swagger-ui"), { childList: true, subtree: true });
    label();
  });
})();
