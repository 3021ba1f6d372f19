// Behavior that all pages share: menus, screen reader announcements, and handling of network errors.
(() => {
  const root = document.documentElement;

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

  // Answers in a conversation bring their buttons after the page was loaded.
  root.classList.toggle("no-clipboard", !navigator.clipboard);
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(button.dataset.copy);
    announce("Copied.");
  });

  for (const button of document.querySelectorAll("[data-show-password]")) {
    button.addEventListener("click", () => {
      const field = document.getElementById(button.dataset.showPassword);
      const show = field.type === "password";
      field.type = show ? "text" : "password";
      button.textContent = show ? "Hide" : "Show";
      button.setAttribute("aria-pressed", String(show));
    });
    // Password managers must not find a text field.
    button.form?.addEventListener("submit", () => {
      document.getElementById(button.dataset.showPassword).type = "password";
    });
  }

  // A form that was sent back shows its first mistake, also on a phone, where the form is far down the page.
  const mistake = document.querySelector("[data-mistake], .field-error");
  if (mistake && mistake.getBoundingClientRect().bottom > innerHeight) mistake.scrollIntoView({ block: "center" });

  // A box that checks all boxes of its form, also after the form was replaced.
  document.addEventListener("change", (event) => {
    const box = event.target;
    if (!box.matches("[data-check-all]")) return;
    for (const other of box.form.querySelectorAll("input[type=checkbox]:not(:disabled)")) other.checked = box.checked;
  });

  function announce(text) {
    const place = document.querySelector("[data-announce]");
    if (place) place.textContent = text;
  }

  // The server holds a polling request until something changes, so the next one follows at once. Polling pauses while
  // the page is hidden, when the server asks for it, and after errors.
  const ERROR_PAUSE = 2500;
  const pausedUntil = new WeakMap();
  document.addEventListener("htmx:beforeRequest", (event) => {
    const { elt } = event.detail;
    if (!elt.matches("[data-poll]")) return;
    // A list with checkboxes is not replaced while somebody uses it.
    const used = elt.dataset.poll === "unused" && (elt.querySelector(":checked") || elt.contains(document.activeElement));
    if (used || document.hidden || Date.now() < (pausedUntil.get(elt) ?? 0)) event.preventDefault();
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const { elt, xhr, successful } = event.detail;
    const pause = Math.max(1000 * (xhr?.getResponseHeader("Retry-After") ?? 0), successful ? 0 : ERROR_PAUSE);
    if (pause > 0) pausedUntil.set(elt, Date.now() + pause);
  });

  // Figures beside a list are replaced only when they change, so that charts are not drawn again each time.
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const { target, fragment } = event.detail;
    if (target.textContent === fragment.textContent) event.detail.shouldSwap = false;
  });

  // Show when the server cannot be reached.
  for (const name of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, () => root.classList.add("is-offline"));
  }
  document.addEventListener("htmx:afterRequest", (event) => {
    const status = event.detail.xhr ? event.detail.xhr.status : 0;
    if (status >= 502 && status <= 504) root.classList.add("is-offline");
    else if (status > 0) root.classList.remove("is-offline");
  });

  // A list of uploads asks for all of its unfinished rows in one request. While files are still being sent, the request
  // waits only briefly, because it does not cover the rows that are added in the meantime.
  const ROWS = 40, WAIT = 4, WAIT_DURING_UPLOAD = 1;
  document.addEventListener("htmx:configRequest", (event) => {
    const { elt, formData } = event.detail;
    if (!elt.matches("[data-rows]")) return;
    const rows = [...elt.querySelectorAll("[data-row]")].slice(0, ROWS);
    if (rows.length === 0) event.preventDefault();
    for (const row of rows) formData.append("row", row.dataset.row);
    formData.append("wait", elt.querySelector("progress") ? WAIT_DURING_UPLOAD : WAIT);
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    const news = event.target.querySelector("[data-news]") || event.target.closest("[data-news]");
    if (news) announce(news.textContent.trim().replace(/\s+/g, " "));
  });

  // The bell shows the number of unread notifications, also in tabs that stay open.
  const bell = document.querySelector("[data-bell]");
  const BELL_SECONDS = 20;
  async function countUnread() {
    if (document.hidden) return;
    try {
      const answer = await fetch(bell.dataset.bell, { headers: { Accept: "application/json" } });
      if (!answer.ok || answer.redirected) return;
      const { unread } = await answer.json();
      const count = bell.querySelector("[data-bell-count]");
      count.hidden = unread === 0;
      count.firstChild.textContent = String(unread);
    } catch {
      // The server cannot be reached: the next attempt may succeed.
    }
  }
  if (bell) {
    setInterval(countUnread, BELL_SECONDS * 1000);
    document.addEventListener("visibilitychange", countUnread);
  }
})();
