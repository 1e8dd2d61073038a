// Every page works without this; with it they are quicker.
"use strict";

const find = (selector, within = document) => within.querySelector(selector);

const load = async (url, options = {}) => {
  const response = await fetch(url, { headers: { Accept: "text/html" }, ...options });
  return new DOMParser().parseFromString(await response.text(), "text/html");
};

// A page of somebody who has signed out since is not shown again by the back button.
addEventListener("pageshow", (event) => {
  if (event.persisted && "private" in document.body.dataset) location.reload();
});

// The message of a form that was done, and the summary of what is wrong, are where reading goes on.
const note = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
const wrong = find("form ~ .alert, .alert:has(~ form), #report .alert");
if (wrong) wrong.focus();
else if (note && note.matches(".done")) {
  note.focus();
  note.classList.add("shown");
  history.replaceState(null, "", location.pathname + location.search);
}

// Keys: / to search, n and p for the next and the previous page.
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  if (event.key === "/") {
    const box = find("input[type=search]");
    if (box) { event.preventDefault(); box.focus(); box.select(); }
  }
  const link = { n: "a[rel=next]", p: "a[rel=prev]" }[event.key];
  if (link) find(link)?.click();
});

// A form is sent once, however often its button is pressed.
addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "yes";
  addEventListener("pageshow", () => { delete form.dataset.sent; }, { once: true });
});

// On a phone the filters are folded, so that the books come first.
const fold = () => {
  if (matchMedia("(max-width: 46rem)").matches)
    document.querySelectorAll(".facet[open]").forEach((facet) => { facet.open = false; });
};
fold();

// Search as you type: the results of the same address, in place.
const search = find("form.search");
if (search && find("#results")) {
  let timer, latest = 0;
  const show = async (push) => {
    const given = [...new FormData(search)].filter(([, value]) => value !== "");
    const query = new URLSearchParams(given).toString();
    const url = search.getAttribute("action") + (query ? "?" + query : "");
    const own = ++latest;
    const results = find("#results");
    results.setAttribute("aria-busy", "true");
    try {
      const page = await load(url);
      const found = find("#results", page);
      if (own !== latest) return;
      if (!found) { location.assign(url); return; }
      results.replaceWith(document.adoptNode(found));
      fold();
      document.title = page.title;
      history[push ? "pushState" : "replaceState"](null, "", url);
    } catch { results.removeAttribute("aria-busy"); }
  };
  search.addEventListener("input", (event) => {
    clearTimeout(timer);
    if (event.target.type === "search") timer = setTimeout(show, 250);
  });
  find("select", search)?.addEventListener("change", () => show(true));
  addEventListener("popstate", () => location.reload());
}

// The ISBN is checked as it is typed, and a book that is there already is named.
const digitsOf = (text) => text.toUpperCase().replace(/[\s\u00ad\u2010-\u2015\u2212\ufe58\ufe63\uff0d-]/g, "");
const isRight = (isbn) => {
  const values = [...isbn].map((digit) => (digit === "X" ? 10 : Number(digit)));
  if (/^\d{9}[\dX]$/.test(isbn)) return values.reduce((sum, value, at) => sum + value * (10 - at), 0) % 11 === 0;
  return /^97[89]\d{10}$/.test(isbn) && values.reduce((sum, value, at) => sum + value * (at % 2 ? 3 : 1), 0) % 10 === 0;
};
const book = find("#book-form");
if (book) {
  const words = JSON.parse(find("#words").textContent);
  const say = (name, text, link) => {
    const field = find(`#field-${name}`, book);
    let place = find(`#note-${name}`, book);
    if (!place) {
      place = Object.assign(document.createElement("p"), { id: `note-${name}`, className: "hint" });
      place.setAttribute("aria-live", "polite");
      field.after(place);
      field.setAttribute("aria-describedby", `${field.getAttribute("aria-describedby") || ""} note-${name}`.trim());
    }
    place.textContent = text;
    place.classList.toggle("error", text === words.isbn);
    if (link) place.append(" ", Object.assign(document.createElement("a"), link));
  };
  const own = (find("[name=version]", book) && book.action.split("/").at(-2)) || "";
  const there = async (name, value) => {
    const query = new URLSearchParams({ [name]: value, fields: "title", limit: "2" });
    const answer = await fetch(`${book.dataset.isbn}?${query}`, { headers: { Accept: "application/json" } });
    const other = answer.ok && (await answer.json()).books.find(({ id }) => String(id) !== own);
    if (other) say(name, words.there, { href: `${book.dataset.isbn}/${other.id}`, textContent: other.title, target: "_blank" });
  };
  let timer;
  find("#field-isbn").addEventListener("input", ({ target }) => {
    clearTimeout(timer);
    const isbn = digitsOf(target.value);
    const done = isbn.length === 10 && !/^97[89]/.test(isbn) || isbn.length >= 13;
    say("isbn", done && !isRight(isbn) ? words.isbn : "");
    if (isRight(isbn)) timer = setTimeout(() => there("isbn", isbn), 250);
  });
  find("#field-title").addEventListener("change", ({ target }) => {
    say("title", "");
    if (target.value.trim()) there("title", target.value.trim());
  });
}

// An import: the file can be dropped, stays chosen after it was checked, and its way up is shown.
const upload = find("#import-form");
if (upload) {
  const file = find("[type=file]", upload), drop = find(".drop", upload), bar = find("progress", upload);
  for (const kind of ["dragenter", "dragover"])
    drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    file.files = event.dataTransfer.files;
  });
  upload.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    event.preventDefault();
    const buttons = upload.querySelectorAll("button");
    const data = new FormData(upload, event.submitter);
    const sent = new XMLHttpRequest();
    sent.open("POST", upload.action);
    sent.setRequestHeader("Accept", "text/html");
    sent.responseType = "document";
    sent.upload.onprogress = ({ loaded, total }) => { bar.value = (100 * loaded) / total; };
    sent.upload.onload = () => bar.removeAttribute("value");
    sent.onloadend = () => {
      bar.hidden = true;
      buttons.forEach((button) => { button.disabled = false; });
      const page = sent.response;
      if (!page || !find("#report", page)) { delete upload.dataset.sent; upload.replaceWith(page ? find("main", page) : upload); return; }
      const place = find("#report"), report = document.adoptNode(find("#report", page));
      find(".alert")?.remove();
      const fault = find(".alert", page);
      if (fault) report.prepend(document.adoptNode(fault));
      place.replaceWith(report);
      const first = find("[role=alert], [role=status]", report);
      if (first) { first.tabIndex = -1; first.focus(); }
    };
    bar.hidden = false;
    buttons.forEach((button) => { button.disabled = true; });
    sent.send(data);
  });
}
