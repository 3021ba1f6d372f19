// Behavior that all pages share: menus, screen reader announcements, and handling of network errors.
(() => {
  // A click elsewhere or Escape closes a menu.
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  // Disable a submit button after its first click.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.method === "dialog") return;
    const button = event.submitter;
    if (!button || button.dataset.repeatable) return;
    // After the submission has collected the button's own value.
    setTimeout(() => {
      button.disabled = true;
    }, 0);
  });
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const button of document.querySelectorAll("button[type=submit]:disabled")) button.disabled = false;
  });

  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      announce("Copied.");
    });
  }

  function announce(text) {
    const place = document.querySelector("[data-announce]");
    if (place) place.textContent = text;
  }

  // Pause polling while the page is hidden, and show when the server cannot be reached.
  const root = document.documentElement;
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && event.target.matches("[data-poll]")) event.preventDefault();
  });
  for (const name of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, () => root.classList.add("is-offline"));
  }
  document.addEventListener("htmx:afterRequest", (event) => {
    const status = event.detail.xhr ? event.detail.xhr.status : 0;
    if (status >= 502 && status <= 504) root.classList.add("is-offline");
    else if (status > 0) root.classList.remove("is-offline");
  });

  // A list of uploads polls all of its rows in one request, and less often after a while without changes.
  const list = document.querySelector("[data-rows]");
  if (list) {
    const FAST = 500, SLOW = 2500, LONG = 10000, ROWS = 40;
    let changed = Date.now();
    const ask = async () => {
      const rows = [...list.querySelectorAll("[data-row]")].slice(0, ROWS);
      if (rows.length > 0) {
        const query = new URLSearchParams(rows.map((row) => ["row", row.dataset.row]));
        await htmx.ajax("GET", `${list.dataset.rows}?${query}`, { source: list, swap: "none" }).catch(() => {});
        if (rows.some((row) => !row.isConnected)) changed = Date.now();
      } else {
        changed = Date.now();
      }
      setTimeout(ask, Date.now() - changed < LONG ? FAST : SLOW);
    };
    setTimeout(ask, FAST);
  }

  document.addEventListener("htmx:afterSettle", (event) => {
    const news = event.target.querySelector("[data-news]") || event.target.closest("[data-news]");
    if (news) announce(news.textContent.trim().replace(/\s+/g, " "));
  });
})();
