// Tells the server the time zone of the browser, so that pages show local times.
(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zone || document.cookie.split("; ").includes(`timezone=${zone}`)) return;
  const secure = location.protocol === "https:" ? "; secure" : "";
  // The Cookie Store API is missing in older browsers, and asynchronous.
  // biome-ignore lint/suspicious/noDocumentCookie: see above
  document.cookie = `timezone=${zone}; path=/; max-age=31536000; samesite=lax${secure}`;
})();

// Sets the chosen theme before the first paint. Without a choice the style sheet follows the system.
(() => {
  const root = document.documentElement;
  const choices = ["system", "light", "dark"];
  const words = { system: "system", light: "light", dark: "dark" };

  function stored() {
    try {
      const choice = localStorage.getItem("theme");
      // An earlier version stored "system", which the administration pages do not know.
      if (choice === "system") localStorage.setItem("theme", "auto");
      return choices.includes(choice) ? choice : "system";
    } catch {
      return "system"; // Storage is disabled: follow the system.
    }
  }

  function apply(choice) {
    root.dataset.themeChoice = choice;
    if (choice === "system") delete root.dataset.theme;
    else root.dataset.theme = choice;
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      button.setAttribute("aria-label", `Theme: ${words[choice]}`);
      button.title = `Theme: ${words[choice]}`;
    }
  }

  function change(choice) {
    apply(choice);
    document.dispatchEvent(new CustomEvent("themechange"));
  }

  root.classList.add("js");
  apply(stored());

  // The switch does not exist before this event.
  document.addEventListener("DOMContentLoaded", () => apply(stored()));
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-switch]")) return;
    const next = choices[(choices.indexOf(root.dataset.themeChoice) + 1) % choices.length];
    try {
      // The administration pages read the same key. Their name for "system" is "auto".
      localStorage.setItem("theme", next === "system" ? "auto" : next);
    } catch {
      // Without storage the choice lasts until the page is left.
    }
    change(next);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => change(root.dataset.themeChoice));
})();

// Tells the style sheet before the first paint whether scans open without the overlay; see viewer.js.
(() => {
  try {
    if (localStorage.getItem("read-first")) document.documentElement.dataset.readFirst = "";
  } catch {
    // Storage is disabled: as without a choice.
  }
})();
