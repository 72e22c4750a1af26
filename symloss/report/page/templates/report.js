// A click on a head of a table sorts its rows: up, then down. What has no number comes last.
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const each of heads) if (each.hasAttribute("aria-sort")) each.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
      const key = (row) => {
        const cell = row.cells[column];
        return head.classList.contains("number") ? parseFloat(cell.dataset.value) : cell.textContent.trim();
      };
      const before = (a, b) => {
        if (typeof a === "string") return sign * a.localeCompare(b);
        if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
        return sign * (a - b);
      };
      const rows = [...body.rows].map((row) => [key(row), row]);
      rows.sort((a, b) => before(a[0], b[0]));
      body.append(...rows.map((pair) => pair[1]));
    });
  });
}
