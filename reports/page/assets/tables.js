// Tables that sort, search and copy. Rows never leave their block: controls stay apart.
(() => {
  const FEW = 6; // rows that need no search

  const textOf = (cell) => {
    const main = cell.querySelector("b, bdi, span.head") ?? cell;
    const under = cell.querySelector("small");
    return [main.textContent.trim(), under ? under.textContent.trim() : ""];
  };
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    const given = cell.dataset.value;
    if (given !== undefined) return Number(given);
    const text = textOf(cell)[0];
    return text !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
  };
  const missing = (value) => typeof value === "string" && ["", "–", "not measured"].includes(value);
  const compare = (a, b, direction) => {
    // What is missing comes last in either direction.
    if (missing(a) || missing(b)) return missing(a) - missing(b);
    if (typeof a === "number" && typeof b === "number") return direction * (a - b);
    return direction * String(a).localeCompare(String(b), "en", { numeric: true });
  };
  const rowsOf = (body) => [...body.rows].filter((row) => !row.classList.contains("band"));

  const sort = (table, column, direction) => {
    for (const body of table.tBodies) {
      const rows = rowsOf(body).map((row) => [valueOf(row, column), row]);
      rows.sort(([a], [b]) => compare(a, b, direction));
      body.append(...rows.map(([, row]) => row));
    }
  };

  // What is copied: the rows that are shown, in the order that is shown.
  const copied = (table) => {
    const head = [...table.tHead.rows[0].cells].map((cell) => textOf(cell).filter(Boolean).join(", "));
    const rows = [...table.tBodies].flatMap(rowsOf).filter((row) => !row.hidden).map((row) =>
      [...row.cells].map((cell) => {
        const [text, under] = textOf(cell);
        const interval = under.includes("–");
        return { text: under ? `${text} ${interval ? `[${under}]` : `(${under})`}` : text,
          best: cell.classList.contains("best") };
      }));
    return { head, rows };
  };

  const SPECIAL = {
    "\\": "\\textbackslash{}", "{": "\\{", "}": "\\}", "$": "\\$", "&": "\\&", "#": "\\#", "%": "\\%",
    "_": "\\_", "^": "\\textasciicircum{}", "~": "\\textasciitilde{}", "<": "\\textless{}",
    ">": "\\textgreater{}", "–": "--", "↑": "$\\uparrow$", "↓": "$\\downarrow$", "·": "$\\cdot$",
    "“": "``", "”": "''", "…": "\\dots{}", '"': "''",
  };
  // At the beginning of a row, [ and * would belong to the line break before it.
  const latexText = (text) =>
    text.replace(/\s+/g, " ").replace(/[\\{}$&#%_^~<>–↑↓·“”…"]/g, (found) => SPECIAL[found])
      .replace(/^ ?([[*])/, "{$1}");
  const markdownText = (text) =>
    text.replace(/\s+/g, " ").replace(/[\\`*_[\]<>|&~$]/g, (found) => `\\${found}`);
  // A number, with its unit, percent or interval as tables show them; no other sign may follow.
  const NUMBERS = /^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?( ?(%|[a-zA-Z]+))?( \[[-+.\d]+ to [-+.\d]+\])?$/;
  // A spreadsheet would run a cell that begins like a formula; an apostrophe makes it text.
  const csvText = (text) => {
    const safe = /^[=+\-@\t\r\n]/.test(text) && !NUMBERS.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };

  const FORMATS = {
    LaTeX: ({ head, rows }) => [
      `\\begin{tabular}{l${"r".repeat(head.length - 1)}}`,
      "\\toprule",
      `${head.map(latexText).join(" & ")} \\\\`,
      "\\midrule",
      ...rows.map((row) => `${row.map(({ text, best }) =>
        best ? `\\textbf{${latexText(text)}}` : latexText(text)).join(" & ")} \\\\`),
      "\\bottomrule",
      "\\end{tabular}",
    ].join("\n"),
    Markdown: ({ head, rows }) => [
      `| ${head.map(markdownText).join(" | ")} |`,
      `| :--- |${" ---: |".repeat(head.length - 1)}`,
      ...rows.map((row) => `| ${row.map(({ text, best }) =>
        best ? `**${markdownText(text)}**` : markdownText(text)).join(" | ")} |`),
    ].join("\n"),
    CSV: ({ head, rows }) =>
      [head, ...rows.map((row) => row.map(({ text }) => text))]
        .map((row) => row.map(csvText).join(",")).join("\r\n"),
  };

  const toClipboard = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Some browsers give a page from disk no clipboard, but let it copy a selection.
      const area = element("textarea", { value: text, className: "heard" });
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      if (!done) throw new Error("the browser does not let this page copy");
    }
  };

  for (const grid of document.querySelectorAll("[data-grid]")) {
    const table = grid.querySelector("table");
    const box = grid.querySelector(".scroll");
    const name = box.getAttribute("aria-label");
    const heads = [...table.tHead.rows[0].cells];
    const count = [...table.tBodies].flatMap(rowsOf).length;
    const tools = grid.querySelector(".tools");
    const shown = element("span", { className: "soft", role: "status" });

    heads.forEach((head, column) => {
      const label = head.querySelector(".head");
      if (label.textContent.trim() === "" || count < 2) return;
      const button = element("button", { type: "button" });
      label.replaceWith(button);
      button.append(label);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        sort(table, column, down ? -1 : 1);
      });
    });

    if (count > FEW) {
      const search = element("input", { type: "search", placeholder: "Search", "aria-label": `Search in ${name}` });
      search.addEventListener("input", () => {
        const wanted = search.value.trim().toLowerCase();
        let found = 0;
        for (const row of [...table.tBodies].flatMap(rowsOf)) {
          row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
          found += !row.hidden;
        }
        shown.textContent = wanted === "" ? "" : `${found} of ${count} rows`;
      });
      tools.append(search);
    }
    for (const [format, write] of Object.entries(FORMATS)) {
      const button = element("button", { type: "button", textContent: format, title: `Copy as ${format}`, "aria-label": `Copy as ${format}: ${name}` });
      button.addEventListener("click", async () => {
        try {
          await toClipboard(write(copied(table)));
          shown.textContent = `Copied as ${format}`;
        } catch (error) {
          shown.textContent = `Not copied: ${error.message}`;
        }
      });
      tools.append(button);
    }
    tools.append(shown);
    tools.hidden = false;

    const hint = element("p", { className: "soft sideways", hidden: true, textContent: "More columns to the right: scroll sideways →" });
    box.before(hint);
    new ResizeObserver(() => { hint.hidden = box.scrollWidth <= box.clientWidth + 1; }).observe(box);
  }
})();
