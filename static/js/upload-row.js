// The row of one file in the list of uploads: its name, how far the upload is, or why the file was refused.
window.UploadRow = class UploadRow {
  constructor(file) {
    this.element = document.getElementById("upload-row").content.firstElementChild.cloneNode(true);
    this.element.querySelector("[data-name]").textContent = file.name;
    this.say(`Waiting, ${UploadRow.size(file.size)}`);
  }

  say(words) {
    const place = this.element.querySelector("[data-bytes]");
    if (place) place.textContent = words;
  }

  progress(loaded, total) {
    const bar = this.element.querySelector("progress");
    bar.max = total;
    bar.value = loaded;
    this.say(loaded < total ? `${UploadRow.size(loaded)} of ${UploadRow.size(total)}` : "Checking the image");
  }

  refuse(sentence) {
    const line = document.createElement("p");
    line.className = "refusal";
    line.textContent = sentence;
    this.element.querySelector(".upload-bytes").replaceWith(line);
    this.element.classList.add("is-refused");
  }

  offerRetry(retry) {
    const button = this.element.querySelector("[data-retry]");
    button.hidden = false;
    button.onclick = retry;
  }

  static size(bytes) {
    if (bytes < 1e5) return `${Math.max(1, Math.round(bytes / 1024))}\u00a0KB`;
    return `${(bytes / 2 ** 20).toFixed(1)}\u00a0MB`;
  }
};
