// The files of a batch that were chosen but have not reached the server. Their names stay in this tab.
class Unsent {
  constructor(batch) {
    this.key = `unsent-${batch}`;
    try {
      this.files = JSON.parse(sessionStorage.getItem(this.key)) ?? [];
    } catch {
      this.files = [];
    }
  }

  add(number, file, reason = "") {
    this.files = this.files.filter((other) => other.number !== number);
    this.files.push({ number, name: file.name, size: file.size, reason });
    this.store();
  }

  remove(number) {
    this.files = this.files.filter((other) => other.number !== number);
    this.store();
  }

  has(file) {
    return this.numberOf(file) !== undefined;
  }

  // The number that the file had when it was chosen before, unless it is `taken`.
  numberOf(file, taken = new Set()) {
    return this.files.find((other) => other.name === file.name && other.size === file.size && !taken.has(other.number))?.number;
  }

  store() {
    try {
      if (this.files.length > 0) sessionStorage.setItem(this.key, JSON.stringify(this.files));
      else sessionStorage.removeItem(this.key);
    } catch {
      // Without storage, only the list of unsent files is missing after a reload.
    }
  }
}

(() => {
  const notice = document.querySelector("[data-unsent]");
  if (!notice) return;
  const { files } = new Unsent(notice.dataset.unsent);
  if (files.length === 0) return;
  const names = files.map((file) => file.name);
  const reasons = [...new Set(files.map((file) => file.reason))].filter(Boolean);
  const shown = names.slice(0, 5).join(", ") + (names.length > 5 ? ", …" : "");
  const sentence =
    names.length === 1 ? `1 file was not uploaded: ${shown}.` : `${names.length} files were not uploaded: ${shown}.`;
  notice.querySelector("[data-unsent-text]").textContent = [sentence, ...reasons].join(" ");
  notice.hidden = false;
})();
