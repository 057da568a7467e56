"use strict";
// Sortable tables, and the items of the page with their votes. Texts are only ever set as text.

const make = (tag, text, attributes = {}) => {
  const node = document.createElement(tag);
  if (text !== null && text !== undefined) node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
};

// --- tables -------------------------------------------------------------------------------------

const numberIn = (text) => {
  const match = text.replace(/,(?=\d{3})/g, "").match(/-?\d+(\.\d+)?/);
  return match ? Number(match[0]) : null;
};

const cellOf = (row, column) => {
  let left = column;
  for (const cell of row.children) {
    left -= cell.colSpan || 1;
    if (left < 0) return cell;
  }
  return row.lastElementChild;
};

const compare = (left, right, numeric) => {
  if (!numeric) return left.localeCompare(right, undefined, { numeric: true });
  const [a, b] = [numberIn(left), numberIn(right)];
  if (a === null || b === null) return (a === null) - (b === null);
  return a - b;
};

const sortBy = (table, heading, column) => {
  const down = heading.getAttribute("aria-sort") === "ascending";
  for (const other of table.querySelectorAll("thead th")) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  for (const body of table.tBodies) {
    const rows = [...body.rows].map((row) => [cellOf(row, column).textContent.trim(), row]);
    const filled = rows.filter(([text]) => text !== "" && text !== "n/a");
    const numeric = filled.length > 0 && filled.every(([text]) => /^[-+<]?[\d.]/.test(text));
    const empty = rows.filter(([text]) => text === "" || text === "n/a");
    filled.sort(([a], [b]) => compare(a, b, numeric) * (down ? -1 : 1));
    body.append(...[...filled, ...empty].map(([, row]) => row));
  }
};

for (const table of document.querySelectorAll("table.sortable")) {
  let column = 0;
  for (const heading of table.tHead.rows[0].cells) {
    const span = heading.colSpan || 1;
    const place = column + span - 1; // of a heading over a drawing and a number: the number
    column += span;
    if (!heading.textContent.trim()) continue;
    const button = make("button", heading.textContent, { type: "button", class: "sort" });
    heading.replaceChildren(button);
    button.addEventListener("click", () => sortBy(table, heading, place));
  }
}

// --- items --------------------------------------------------------------------------------------

const block = document.getElementById("item-data");
if (block) browse(JSON.parse(block.textContent));

function browse(data) {
  const PAGE = 50;
  const SHOWN_VOTERS = 12;
  const find = (id) => document.getElementById(id);
  const answers = (i) => (data.classes.length ? data.classes : data.answers[i]);
  const name = (i, answer) => (answer < 0 ? "no answer" : answers(i)[answer] ?? "other");
  const votesOf = (i) => {
    const flat = data.votes[i];
    return Array.from({ length: flat.length / 2 }, (_, v) => [flat[2 * v], flat[2 * v + 1]]);
  };
  const dissent = data.id.map((_, i) => {
    const given = votesOf(i).filter(([, answer]) => answer >= 0);
    return given.length ? given.filter(([, answer]) => answer !== data.label[i]).length / given.length : 0;
  });
  const lower = data.id.map((id, i) => `${id}\n${data.text ? data.text[i] : ""}`.toLowerCase());
  const marked = new Set();
  let rows = [];
  let page = 0;

  const fill = (select, names, first) => {
    select.append(make("option", first, { value: "" }));
    names.forEach((text, value) => select.append(make("option", text, { value })));
  };
  const controls = ["search", "label", "voter", "how", "least", "most", "slice", "order", "wrong"];
  const field = Object.fromEntries(controls.map((id) => [id, find(`item-${id}`)]));
  if (data.classes.length) fill(field.label, data.classes, "any label");
  else field.label.parentElement.hidden = true;
  fill(field.voter, data.voters, "any voter");
  if (data.slices) fill(field.slice, data.slices.map((text) => text || "(none)"), "any slice");
  else field.slice.parentElement.hidden = true;
  if (!data.truth) field.wrong.parentElement.hidden = true;

  const chosen = (select) => (select.value === "" ? null : Number(select.value));

  function filter() {
    const words = field.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const [label, voter, slice] = [chosen(field.label), chosen(field.voter), chosen(field.slice)];
    const least = field.least.value === "" ? -Infinity : Number(field.least.value);
    const most = field.most.value === "" ? Infinity : Number(field.most.value);
    const how = field.how.value;
    rows = [];
    for (let i = 0; i < data.id.length; i += 1) {
      if (data.score[i] < least || data.score[i] > most) continue;
      if (label !== null && data.label[i] !== label) continue;
      if (slice !== null && data.slice[i] !== slice) continue;
      if (!words.every((word) => lower[i].includes(word))) continue;
      if (voter === null) {
        if (how === "against" && dissent[i] === 0) continue;
        if (how === "with" && dissent[i] > 0) continue;
      } else {
        const own = votesOf(i).filter(([who]) => who === voter).map(([, answer]) => answer);
        const given = own.filter((answer) => answer >= 0);
        if (how === "against" ? !given.some((a) => a !== data.label[i])
          : how === "with" ? !given.some((a) => a === data.label[i]) : !own.length) continue;
      }
      if (field.wrong.checked && !(data.truth[i] >= 0 && data.truth[i] !== data.label[i])) continue;
      rows.push(i);
    }
    const order = field.order.value;
    if (order === "sure") rows.sort((a, b) => data.score[b] - data.score[a]);
    if (order === "dissent") rows.sort((a, b) => dissent[b] - dissent[a]);
    if (order === "id") rows.sort((a, b) => data.id[a].localeCompare(data.id[b], undefined, { numeric: true }));
    page = 0;
    show();
  }

  function votesCell(i) {
    const cell = make("td", null, { class: "text", "data-label": "votes" });
    const groups = new Map();
    for (const [who, answer] of votesOf(i)) {
      if (!groups.has(answer)) groups.set(answer, []);
      groups.get(answer).push(data.voters[who]);
    }
    const sorted = [...groups].sort(([a], [b]) => (b === data.label[i]) - (a === data.label[i]));
    for (const [answer, names] of sorted) {
      const line = make("div", null, { class: answer === data.label[i] ? "agree" : answer < 0 ? "quiet" : "differ" });
      line.append(make("b", name(i, answer)));
      const rest = names.length - SHOWN_VOTERS;
      line.append(` ${names.length}: ${names.slice(0, SHOWN_VOTERS).join(", ")}`);
      if (rest > 0) {
        const more = make("button", `and ${rest} more`, { type: "button", class: "more" });
        more.addEventListener("click", () => more.replaceWith(`, ${names.slice(SHOWN_VOTERS).join(", ")}`));
        line.append(" ", more);
      }
      cell.append(line);
    }
    return cell;
  }

  function rowOf(i) {
    const row = make("tr");
    const pick = make("input", null, { type: "checkbox", "aria-label": `choose ${data.id[i]}` });
    pick.checked = marked.has(i);
    pick.addEventListener("change", () => {
      if (pick.checked) marked.add(i);
      else marked.delete(i);
      count();
    });
    const box = make("td");
    box.append(pick);
    const item = make("th", data.id[i], { scope: "row" });
    if (data.text && data.text[i]) item.append(make("small", data.text[i]));
    const label = make("td", name(i, data.label[i]), { class: "text", "data-label": "label" });
    if (data.truth && data.truth[i] >= 0 && data.truth[i] !== data.label[i]) {
      label.append(make("small", `true: ${name(i, data.truth[i])}`));
    }
    row.append(box, item, label, make("td", data.score[i].toFixed(3), { "data-label": "score" }), votesCell(i));
    return row;
  }

  function count() {
    const held = data.id.length;
    const of = rows.length === held ? "" : ` of ${held.toLocaleString("en")}`;
    const noun = held === 1 ? "item" : "items";
    const chosenToo = marked.size ? `; ${marked.size.toLocaleString("en")} chosen` : "";
    find("item-count").textContent = `${rows.length.toLocaleString("en")}${of} ${noun}${chosenToo}`;
    find("item-copy-chosen").disabled = marked.size === 0;
    find("item-copy").disabled = rows.length === 0;
  }

  function show() {
    const pages = Math.max(1, Math.ceil(rows.length / PAGE));
    find("item-rows").replaceChildren(...rows.slice(page * PAGE, (page + 1) * PAGE).map(rowOf));
    find("item-page").textContent = `page ${page + 1} of ${pages.toLocaleString("en")}`;
    find("item-previous").disabled = page === 0;
    find("item-next").disabled = page + 1 >= pages;
    count();
  }

  async function copy(list, button) {
    const text = list.map((i) => data.id[i]).join("\n");
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = make("textarea", text);
      document.body.append(area);
      area.select();
      done = document.execCommand("copy");
      area.remove();
    }
    const before = button.textContent;
    button.textContent = done ? "copied" : "the browser refused";
    setTimeout(() => { button.textContent = before; }, 1500);
  }

  for (const control of Object.values(field)) control.addEventListener("input", filter);
  find("item-reset").addEventListener("click", () => {
    for (const control of Object.values(field)) {
      if (control.type === "checkbox") control.checked = false;
      else if (control.tagName === "SELECT") control.selectedIndex = 0;
      else control.value = "";
    }
    filter();
  });
  find("item-previous").addEventListener("click", () => { page -= 1; show(); });
  find("item-next").addEventListener("click", () => { page += 1; show(); });
  find("item-copy").addEventListener("click", (event) => copy(rows, event.target));
  find("item-copy-chosen").addEventListener("click", (event) => copy([...marked].sort((a, b) => a - b), event.target));
  find("item-controls").hidden = false;
  find("item-pages").hidden = false;
  filter();
}
