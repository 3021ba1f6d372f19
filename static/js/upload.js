// Uploads each chosen file in its own request, with progress in bytes. A refused file does not affect the others.
(() => {
  const PARALLEL = 2; // More would only share the same bandwidth.
  const NAME_LENGTH = 100; // The server accepts 1,024 bytes of headers per file, and a character may take four.
  const form = document.querySelector("[data-upload]");
  if (!form) return;
  const input = form.querySelector("input[type=file]");
  const zone = form.querySelector("[data-dropzone]");
  const list = document.querySelector("[data-upload-list]");
  const heading = document.querySelector("[data-uploads-heading]");
  const mistakes = form.querySelector("[data-mistakes]");
  const signIn = document.getElementById("sign-in");
  const { maxBytes, tooLarge, maxFiles, tooMany, maxNumber, fullBatch, batchUrl, nextNumber } = form.dataset;
  const unsent = new Unsent(form.elements.batch.value);
  const waiting = [];
  const inFlight = new Set(); // Numbers of the files that are waiting or being sent.
  let running = 0;
  let added = 0;
  let total = 0;
  let uploaded = 0;
  let paused = false;
  let edits = 0; // How often a field was changed.
  let next = Number(nextNumber);

  input.addEventListener("change", take);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    take();
  });
  // Files may be dropped anywhere on the page.
  for (const name of ["dragenter", "dragover"]) {
    window.addEventListener(name, (event) => {
      event.preventDefault();
      zone.classList.add("is-over");
    });
  }
  window.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) zone.classList.remove("is-over");
  });
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("is-over");
    add([...event.dataTransfer.files]);
  });
  window.addEventListener("beforeunload", (event) => {
    if (running + waiting.length > 0) event.preventDefault();
  });
  // Continue once a field was corrected.
  form.addEventListener("change", (event) => {
    if (event.target === input) return;
    edits += 1;
    if (mistakes.hidden) return;
    mistakes.hidden = true;
    for (const job of waiting) fill(job);
    resume();
  });
  // Polling must not leave the page for the sign-in form while files wait.
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    if (event.detail.xhr.status !== 401 || running + waiting.length === 0) return;
    event.preventDefault();
    askToSignIn();
  });
  signIn.querySelector("[data-sign-in]").addEventListener("submit", signInHere);
  // The person comes back from another tab.
  window.addEventListener("focus", () => {
    if (signIn.open) goOn();
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
    added += 1;
    const alone = files.length === 1 && total === 0 && !unsent.has(files[0]);
    files.forEach((file, position) => {
      const row = new UploadRow(file);
      list.append(row.element);
      // Slices of two series often have the same name and size: a number in flight is another file's.
      const number = unsent.numberOf(file, inFlight) ?? next++;
      const job = { file, row, number, alone, key: `${form.elements.upload_key.value}-${added}-${position}` };
      fill(job);
      total += 1;
      const refusal = refusalOf(file, position, number);
      if (refusal) row.refuse(refusal);
      else wait(job);
      if (!alone) unsent.add(number, file, refusal);
    });
    count();
    list.firstElementChild.scrollIntoView({ block: "nearest" });
    sendNext();
  }

  function fill(job) {
    job.fields = new FormData(form);
    job.edits = edits;
  }

  // Returns why a file is not sent at all, or "".
  function refusalOf(file, position, number) {
    if (position >= Number(maxFiles)) return tooMany;
    if (number > Number(maxNumber)) return fullBatch;
    return file.size > Number(maxBytes) ? tooLarge : "";
  }

  function wait(job) {
    inFlight.add(job.number);
    waiting.push(job);
  }

  function sendNext() {
    while (!paused && running < PARALLEL && waiting.length > 0) {
      running += 1;
      send(waiting.shift());
    }
  }

  function send(job) {
    const request = new XMLHttpRequest();
    const body = new FormData();
    for (const [name, value] of job.fields) {
      if (!["image", "batch", "number", "csrfmiddlewaretoken"].includes(name)) body.append(name, value);
    }
    body.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
    // The key identifies the file, so that a retry after a lost connection stores it once.
    body.set("upload_key", job.key);
    if (!job.alone) {
      body.set("batch", form.elements.batch.value);
      body.set("number", job.number);
    }
    body.append("image", job.file, shortened(job.file.name));
    request.upload.addEventListener("progress", (event) => job.row.progress(event.loaded, event.total));
    request.upload.addEventListener("load", () => job.row.say("Checking the image"));
    request.addEventListener("load", () => {
      running -= 1;
      answered(job, request);
      sendNext();
    });
    for (const name of ["error", "timeout"]) {
      request.addEventListener(name, () => {
        running -= 1;
        interrupted(job, "The connection was lost before the upload was complete.");
        sendNext();
      });
    }
    request.open("POST", form.action);
    request.setRequestHeader("HX-Request", "true");
    request.send(body);
  }

  function answered(job, request) {
    // The session has ended, or another sign-in has replaced the form's token.
    if (request.status === 401 || request.status === 403) {
      pause(job, "Waiting for you to sign in");
      askToSignIn();
      return;
    }
    if (request.status === 422) {
      // The fields were corrected while the file was being sent.
      if (job.edits !== edits) {
        fill(job);
        waiting.unshift(job);
        return;
      }
      pause(job, "Waiting until the fields above are corrected");
      mistakes.textContent = request.responseText;
      mistakes.hidden = false;
      form.querySelector("[data-pseudonym]").hidden = !/pseudonym/.test(request.responseText);
      mistakes.scrollIntoView({ block: "nearest" });
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
    uploaded += Boolean(row.dataset.scan);
    inFlight.delete(job.number);
    unsent.remove(job.number);
    count();
    row.querySelector("[data-name]").textContent = job.file.name;
    if (job.alone && row.dataset.scan && running + waiting.length === 0) {
      location.assign(row.dataset.scan);
      return;
    }
    // From now on a reload of the page shows the batch.
    if (!job.alone) history.replaceState(null, "", batchUrl);
    job.row.element.replaceWith(row);
    htmx.process(row);
    htmx.trigger(document.body, "file-uploaded");
  }

  function askToSignIn() {
    paused = true;
    if (!signIn.open) signIn.showModal();
  }

  function pause(job, words) {
    paused = true;
    waiting.unshift(job);
    job.row.say(words);
  }

  function resume() {
    paused = false;
    sendNext();
  }

  async function signInHere(event) {
    event.preventDefault();
    const fields = event.target;
    const wrong = signIn.querySelector("[data-sign-in-error]");
    wrong.textContent = "";
    try {
      // The sign-in page has a valid token of the form. Someone who has signed in already is redirected.
      const page = parsed(await (await fetch(fields.action)).text());
      const token = page.querySelector("[name=csrfmiddlewaretoken]").value;
      const body = new URLSearchParams({ ...Object.fromEntries(new FormData(fields)), csrfmiddlewaretoken: token });
      const answer = await fetch(fields.action, { method: "POST", body });
      const mistake = parsed(await answer.text()).querySelector("main .notice-error, main .field-error")?.textContent.trim();
      if (answer.ok && !mistake) await goOn();
      else wrong.textContent = mistake || "You could not be signed in here. Sign in in another tab.";
    } catch {
      wrong.textContent = "The server cannot be reached. Try again in a moment.";
    }
    wrong.hidden = !wrong.textContent || !signIn.open;
    if (!signIn.open) fields.reset();
  }

  function parsed(text) {
    return new DOMParser().parseFromString(text, "text/html");
  }

  // Fetches the page again, for the token of the new session.
  async function goOn() {
    const answer = await fetch(form.dataset.page, { credentials: "same-origin" }).catch(() => null);
    if (!answer?.ok) return;
    const page = parsed(await answer.text());
    const fresh = page.querySelector("[data-upload]");
    if (!fresh) return;
    if (fresh.dataset.user !== form.dataset.user) {
      signIn.querySelector("[data-other-user]").hidden = false;
      return;
    }
    form.elements.csrfmiddlewaretoken.value = fresh.elements.csrfmiddlewaretoken.value;
    signIn.close();
    resume();
  }

  function interrupted(job, sentence) {
    job.row.refuse(sentence);
    inFlight.delete(job.number);
    job.row.offerRetry(() => {
      const row = new UploadRow(job.file);
      job.row.element.replaceWith(row.element);
      wait({ ...job, row });
      sendNext();
    });
  }

  function count() {
    heading.textContent = total === 1 ? "This upload" : `${uploaded} of ${total} files uploaded`;
  }

  // Keeps the file extension.
  function shortened(name) {
    const characters = [...name];
    if (characters.length <= NAME_LENGTH) return name;
    return [...characters.slice(0, NAME_LENGTH - 12), "…", ...characters.slice(-11)].join("");
  }
})();
