// Uploads each chosen file in its own request, with progress in bytes. A refused file does not affect the others.
(() => {
  const PARALLEL = 2; // More would only share the same bandwidth.
  const NAME_LENGTH = 100; // The server accepts 1,024 bytes of headers per file, and a character may take four.
  const form = document.querySelector("[data-upload]");
  if (!form) return;
  const input = form.querySelector("input[type=file]");
  const zone = form.querySelector("[data-dropzone]");
  const list = document.querySelector("[data-upload-list]");
  const limits = {
    bytes: Number(form.dataset.maxBytes),
    tooLarge: form.dataset.tooLarge,
    files: Number(form.dataset.maxFiles),
    tooMany: form.dataset.tooMany,
  };
  const waiting = [];
  let running = 0;
  let batch = 0;

  input.addEventListener("change", take);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    take();
  });
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => {
      event.preventDefault();
      zone.classList.add("is-over");
    });
  }
  for (const name of ["dragleave", "drop"]) zone.addEventListener(name, () => zone.classList.remove("is-over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    add([...event.dataTransfer.files]);
  });
  // Keep the browser from opening a file that is dropped outside the zone.
  for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());
  window.addEventListener("beforeunload", (event) => {
    if (running + waiting.length > 0) event.preventDefault();
  });

  // Files may have been chosen before this script was loaded.
  take();

  function take() {
    add([...input.files]);
    input.value = "";
  }

  function add(files) {
    if (files.length === 0) return;
    document.querySelector("[data-uploads]").hidden = false;
    // Replace the hint that there are no scans yet.
    const empty = document.querySelector("[data-after-upload]");
    if (empty) empty.textContent = empty.dataset.afterUpload;
    batch += 1;
    const key = `${form.elements.upload_key.value}-${batch}`;
    const fields = new FormData(form);
    fields.delete("image");
    files.forEach((file, number) => {
      const row = newRow(file);
      const job = { file, row, fields, key: `${key}-${number}`, alone: files.length === 1 };
      if (number >= limits.files) refuse(row, limits.tooMany);
      else if (file.size > limits.bytes) refuse(row, limits.tooLarge);
      else waiting.push(job);
    });
    list.firstElementChild.scrollIntoView({ block: "nearest" });
    next();
  }

  function newRow(file) {
    const row = document.getElementById("upload-row").content.firstElementChild.cloneNode(true);
    row.querySelector("[data-name]").textContent = file.name;
    row.querySelector("[data-bytes]").textContent = `Waiting, ${megabytes(file.size)}`;
    list.append(row);
    return row;
  }

  function next() {
    while (running < PARALLEL && waiting.length > 0) {
      running += 1;
      send(waiting.shift(), () => {
        running -= 1;
        next();
      });
    }
  }

  function send(job, done) {
    const request = new XMLHttpRequest();
    const body = new FormData();
    for (const [name, value] of job.fields) body.append(name, value);
    // The key identifies the file, so that a retry after a lost connection stores it once.
    body.set("upload_key", job.key);
    body.append("image", job.file, shortened(job.file.name));
    request.upload.addEventListener("progress", (event) => progress(job, event.loaded, event.total));
    request.upload.addEventListener("load", () => say(job.row, "Checking the image"));
    request.addEventListener("load", () => {
      done();
      answered(job, request);
    });
    for (const name of ["error", "timeout"]) {
      request.addEventListener(name, () => {
        done();
        interrupted(job, "The connection was lost before the upload was complete.");
      });
    }
    request.open("POST", form.action);
    request.setRequestHeader("HX-Request", "true");
    request.setRequestHeader("HX-Current-URL", location.href);
    request.send(body);
  }

  function progress(job, loaded, total) {
    const bar = job.row.querySelector("progress");
    bar.max = total;
    bar.value = loaded;
    say(job.row, loaded < total ? `${megabytes(loaded)} of ${megabytes(total)}` : "Checking the image");
  }

  function answered(job, request) {
    const elsewhere = request.getResponseHeader("HX-Redirect");
    if (elsewhere) {
      waiting.length = 0;
      location.assign(elsewhere);
      return;
    }
    const holder = document.createElement("template");
    holder.innerHTML = request.responseText;
    const row = holder.content.querySelector(".upload-row");
    if (!row) {
      const busy = request.status >= 500 || request.status === 0;
      interrupted(job, busy ? "The server could not accept the file. Try again in a moment." : "The server did not accept the file. Reload the page and try again.");
      return;
    }
    row.querySelector("[data-name]").textContent = job.file.name;
    if (job.alone && row.dataset.scan && running + waiting.length === 0) {
      location.assign(row.dataset.scan);
      return;
    }
    job.row.replaceWith(row);
    htmx.process(row);
  }

  function interrupted(job, sentence) {
    refuse(job.row, sentence);
    const button = job.row.querySelector("[data-retry]");
    button.hidden = false;
    button.onclick = () => {
      const row = newRow(job.file);
      job.row.replaceWith(row);
      waiting.push({ ...job, row });
      next();
    };
  }

  function refuse(row, sentence) {
    const line = document.createElement("p");
    line.className = "refusal";
    line.textContent = sentence;
    row.querySelector(".upload-bytes").replaceWith(line);
    row.classList.add("is-refused");
  }

  function say(row, words) {
    const place = row.querySelector("[data-bytes]");
    if (place) place.textContent = words;
  }

  // Keeps the file extension.
  function shortened(name) {
    const characters = [...name];
    if (characters.length <= NAME_LENGTH) return name;
    return [...characters.slice(0, NAME_LENGTH - 12), "…", ...characters.slice(-11)].join("");
  }

  function megabytes(bytes) {
    if (bytes < 1e5) return `${Math.max(1, Math.round(bytes / 1024))}\u00a0KB`;
    return `${(bytes / 2 ** 20).toFixed(1)}\u00a0MB`;
  }
})();
