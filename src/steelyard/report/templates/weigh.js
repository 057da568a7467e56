"use strict";
// Text from the data is only ever set as text, never as markup.

const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
const plural = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
const by = (id) => document.getElementById(id);

// Tables: a click on a heading sorts, a second click reverses; long tables show their first rows.

const cellText = (cell) => (cell.querySelector(".key") ?? cell).textContent.trim();
const NUMBER = /^(?:p [=<] )?([-+]?\d[\d,]*(?:\.\d+)?)/;
const numberOf = (text) => {
  const match = NUMBER.exec(text);
  if (!match) return NaN;
  return Number(match[1].replaceAll(",", "")) - (text.startsWith("p <") ? 1e-9 : 0);
};

function sortRows(table, column, descending) {
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => ({ row, text: cellText(row.cells[column]) }));
  const isMissing = ({ text }) => text === "" || text === "n/a" || text === "p n/a";
  const known = rows.filter((entry) => !isMissing(entry));
  const isNumeric = known.every(({ text }) => !Number.isNaN(numberOf(text)));
  const compare = isNumeric
    ? (a, b) => numberOf(a.text) - numberOf(b.text)
    : (a, b) => a.text.localeCompare(b.text, "en", { numeric: true });
  known.sort((a, b) => (descending ? compare(b, a) : compare(a, b)));
  body.append(...[...known, ...rows.filter(isMissing)].map(({ row }) => row));
}

function makeSortable(table) {
  const most = Number(table.dataset.shown ?? Infinity);
  const showFirst = () => [...table.tBodies[0].rows].forEach((row, i) => (row.hidden = i >= most));
  let all = false;
  let column = 0;
  for (const heading of table.tHead.rows[0].cells) {
    column += heading.colSpan;
    const sorted = column - 1;
    const button = make("button", { type: "button", className: "sort" }, ...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const before = heading.getAttribute("aria-sort");
      const isText = heading.classList.contains("text") || heading === table.tHead.rows[0].cells[0];
      const descending = before ? before === "ascending" : !isText;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sortRows(table, sorted, descending);
      if (!all) showFirst();
    });
  }
  const note = table.closest(".wide").nextElementSibling;
  if (table.tBodies[0].rows.length > most && note?.classList.contains("more")) {
    const text = `Show all ${table.tBodies[0].rows.length} rows`;
    const button = make("button", { type: "button" }, text);
    note.prepend(button, " ");
    button.addEventListener("click", () => {
      all = true;
      for (const row of table.tBodies[0].rows) row.hidden = false;
      note.textContent = note.dataset.rest === "0" ? "" : `${note.dataset.rest} more in ${table.dataset.file}.`;
    });
  }
}

document.querySelectorAll("table.sortable").forEach(makeSortable);

// Items: filtered, ordered and shown in pages.

const PAGE = 25;
const LONG = 240; // characters of a text shown at first
const NAMES = 12; // voters of one answer shown at first
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const visible = (text) => text.replace(UNSAFE, "\ufffd");

function browse(data) {
  const form = by("item-filter");
  const field = (name) => form.elements[name];
  const selected = new Set();
  const answerOf = (number) => (number < 0 ? "no label" : visible(data.answers[number]));
  const searched = data.ids.map((id, i) => `${id}\n${data.texts?.[i] ?? ""}`.toLowerCase());
  const dissent = data.votes.map((votes, i) => {
    let count = 0;
    for (let k = 1; k < votes.length; k += 2) count += votes[k] >= 0 && votes[k] !== data.label[i];
    return count;
  });
  const readable = data.votes.map((votes) => votes.filter((value, k) => k % 2 && value >= 0).length);
  const share = (i) => dissent[i] / Math.max(readable[i], 1);
  let found = [];
  let page = 0;

  const fill = (name, names) => names.forEach((text, number) =>
    field(name)?.append(make("option", { value: number }, visible(text).slice(0, 80) || "(empty)")));
  fill("label", data.answers);
  field("label").append(make("option", { value: -1 }, "no label"));
  fill("voter", data.voters);
  if (data.slice) fill("slice", data.slices);

  const votedOtherwise = (i, voter) => {
    const votes = data.votes[i];
    for (let k = 0; k < votes.length; k += 2)
      if (votes[k] === voter && votes[k + 1] >= 0 && votes[k + 1] !== data.label[i]) return true;
    return false;
  };
  const hasVoted = (i, voter) => data.votes[i].some((value, k) => k % 2 === 0 && value === voter);

  function matches() {
    const value = (name) => field(name)?.value ?? "";
    const chosen = (name) => (value(name) === "" ? null : Number(value(name)));
    const [label, voter, slice] = ["label", "voter", "slice"].map(chosen);
    const [low, high] = [chosen("low") ?? 0, chosen("high") ?? 1];
    const words = value("search").toLowerCase().trim();
    const tests = [(i) => data.score[i] >= low && data.score[i] <= high];
    if (words) tests.push((i) => searched[i].includes(words));
    if (label !== null) tests.push((i) => data.label[i] === label);
    if (slice !== null) tests.push((i) => data.slice[i] === slice);
    if (voter !== null) tests.push((i) => hasVoted(i, voter));
    const differs = voter === null ? (i) => dissent[i] > 0 : (i) => votedOtherwise(i, voter);
    if (value("dissent") === "some") tests.push(differs);
    if (value("dissent") === "none") tests.push((i) => !differs(i));
    const isKnown = (i) => data.truth[i] !== -1;
    if (value("truth") === "right") tests.push((i) => isKnown(i) && data.truth[i] === data.label[i]);
    if (value("truth") === "wrong") tests.push((i) => isKnown(i) && data.truth[i] !== data.label[i]);
    return data.ids.map((_, i) => i).filter((i) => tests.every((test) => test(i)));
  }

  const ORDERS = {
    unsure: () => 0,
    sure: (a, b) => data.score[b] - data.score[a],
    disputed: (a, b) => share(b) - share(a),
    file: (a, b) => data.row[a] - data.row[b],
  };

  function update() {
    const [, some, none] = field("dissent").options;
    const hasVoter = field("voter").value !== "";
    some.text = hasVoter ? "the voter dissents" : "somebody dissents";
    none.text = hasVoter ? "the voter agrees" : "all agree";
    page = 0;
    found = matches().sort(ORDERS[field("order").value]);
    show();
  }

  function votesOf(i) {
    const groups = new Map();
    for (let k = 0; k < data.votes[i].length; k += 2) {
      const [voter, answer] = data.votes[i].slice(k, k + 2);
      if (!groups.has(answer)) groups.set(answer, new Map());
      const names = groups.get(answer);
      names.set(voter, (names.get(voter) ?? 0) + 1);
    }
    const size = (names) => [...names.values()].reduce((a, b) => a + b, 0);
    const rank = (answer) => (answer === data.label[i] ? 0 : answer < 0 ? 2 : 1);
    return [...groups].sort((a, b) => rank(a[0]) - rank(b[0]) || size(b[1]) - size(a[1])).map(
      ([answer, names]) => {
        const isDissent = rank(answer) === 1;
        const line = make("p", { className: isDissent ? "dissent" : "" });
        const title = answer < 0 ? "no answer" : answerOf(answer);
        line.append(make("b", {}, title), ` by ${size(names)}${isDissent ? " (dissent)" : ""}: `);
        const shown = [...names].map(
          ([voter, times]) => visible(data.voters[voter]) + (times > 1 ? ` ×${times}` : ""));
        if (shown.length <= NAMES) line.append(shown.join(", "));
        else line.append(folded(shown.slice(0, NAMES).join(", "), shown.slice(NAMES).join(", "),
          `and ${shown.length - NAMES} more`));
        return line;
      });
  }

  // A beginning that is always shown, and the rest after a click.
  function folded(beginning, rest, title) {
    const button = make("button", { type: "button", className: "inline" }, title);
    const text = make("span", {}, `${beginning} `, button);
    button.addEventListener("click", () => text.replaceChildren(`${beginning}, ${rest}`));
    return text;
  }

  function textOf(i) {
    const text = visible(data.texts?.[i] ?? "");
    if (!text) return [];
    const element = make("p", { className: "text" }, text);
    if (text.length <= LONG) return [element];
    const button = make("button", { type: "button", className: "inline" }, "show all");
    element.replaceChildren(`${text.slice(0, LONG)}… `, button);
    button.addEventListener("click", () => element.replaceChildren(text));
    return [element];
  }

  function truthOf(i) {
    if (!data.truth || data.truth[i] === -1) return [];
    if (data.truth[i] === data.label[i]) return [make("small", {}, "true label: the same")];
    const name = data.truth[i] < 0 ? "another answer" : answerOf(data.truth[i]);
    return [make("small", { className: "wrong" }, `true label: ${name}`)];
  }

  function rowOf(i) {
    const box = make("input", { type: "checkbox", checked: selected.has(i) });
    box.setAttribute("aria-label", `select ${visible(data.ids[i])}`);
    box.addEventListener("change", () => {
      box.checked ? selected.add(i) : selected.delete(i);
      count();
    });
    const slice = data.slice ? [make("small", {}, visible(data.slices[data.slice[i]]))] : [];
    const name = make("th", { scope: "row" }, box, " ", visible(data.ids[i]), ...slice, ...textOf(i));
    const label = make("td", {}, answerOf(data.label[i]), ...truthOf(i));
    label.dataset.label = "label";
    const score = make("td", {}, data.score[i].toFixed(3));
    score.dataset.label = "score";
    return make("tr", {}, name, label, score, make("td", { className: "votes" }, ...votesOf(i)));
  }

  function count() {
    const items = plural(found.length, "item");
    by("item-count").textContent =
      `${items} of ${data.ids.length.toLocaleString("en")}` +
      (selected.size ? `, ${selected.size.toLocaleString("en")} selected` : "");
    by("item-copy").textContent = selected.size
      ? `Copy ${plural(selected.size, "selected id")}` : `Copy ${plural(found.length, "id")}`;
    by("item-copy").disabled = !selected.size && !found.length;
    by("item-clear").disabled = !selected.size;
  }

  function show() {
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    page = Math.min(Math.max(page, 0), pages - 1);
    const rows = found.slice(page * PAGE, (page + 1) * PAGE).map(rowOf);
    by("item-rows").replaceChildren(...rows);
    by("item-page").textContent = `Page ${page + 1} of ${pages.toLocaleString("en")}`;
    by("item-before").disabled = page === 0;
    by("item-after").disabled = page === pages - 1;
    by("item-none").hidden = found.length > 0;
    count();
  }

  function turn(step) {
    page += step;
    show();
    by("items").scrollIntoView();
  }

  async function copy() {
    const rows = selected.size ? [...selected].sort((a, b) => a - b) : found;
    const text = rows.map((i) => data.ids[i]).join("\n");
    const area = by("item-ids");
    area.value = text;
    try {
      await navigator.clipboard.writeText(text);
      area.hidden = true;
      by("item-status").textContent = `Copied ${plural(rows.length, "id")}.`;
    } catch {
      area.hidden = false;
      area.select();
      by("item-status").textContent = "Press Ctrl+C (Cmd+C) to copy the ids below.";
    }
  }

  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(update));
  by("item-before").addEventListener("click", () => turn(-1));
  by("item-after").addEventListener("click", () => turn(1));
  by("item-copy").addEventListener("click", copy);
  by("item-select").addEventListener("click", () => {
    found.slice(page * PAGE, (page + 1) * PAGE).forEach((i) => selected.add(i));
    show();
  });
  by("item-clear").addEventListener("click", () => {
    selected.clear();
    show();
  });
  by("item-browser").hidden = false;
  by("item-fallback").hidden = true;
  update();
}

if (by("item-data")) browse(JSON.parse(by("item-data").textContent));
