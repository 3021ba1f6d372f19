// The keys for reading one scan after another. The page works without them.
(() => {
  const FINDINGS = ["glioma", "meningioma", "notumor", "pituitary"];

  function types(element) {
    return element.isContentEditable || element.matches("textarea, select, input:not([type=radio], [type=checkbox])");
  }

  function choose(finding) {
    const form = document.querySelector("form[data-reading]");
    if (!form) return;
    const agrees = form.dataset.finding === finding;
    check(form, "verdict", agrees ? "agree" : "correct");
    if (!agrees) check(form, "finding", finding);
    form.scrollIntoView({ block: "nearest" });
  }

  function check(form, name, value) {
    const button = form.querySelector(`input[name="${name}"][value="${value}"]`);
    if (button) button.checked = true;
  }

  function showKeys() {
    const dialog = document.querySelector("[data-keys]");
    if (dialog && !dialog.open) dialog.showModal();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || types(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    const link = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (link) link.click();
    else if (event.key === "?") showKeys();
    else if (/^[1-4]$/.test(event.key)) choose(FINDINGS[event.key - 1]);
    else return;
    event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-open-keys]")) showKeys();
  });
})();
