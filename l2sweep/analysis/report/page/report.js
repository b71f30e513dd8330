"use strict";
(() => {
  const data = JSON.parse(document.getElementById("report-data").textContent);

  // A column with few different values has each of them once, with their positions.
  const unpacked = (column) => {
    if (Array.isArray(column)) return column;
    return column.at ? column.at.map((place) => column.of[place]) : Array(column.times).fill(column.of[0]);
  };
  const columnsOf = (name) =>
    Object.fromEntries(Object.entries(data.datasets[name]).map(([key, column]) => [key, unpacked(column)]));
  const rowsOf = (columns) => {
    const names = Object.keys(columns);
    const length = names.length ? columns[names[0]].length : 0;
    return Array.from({ length }, (_, row) => Object.fromEntries(names.map((name) => [name, columns[name][row]])));
  };

  // ---- figures ----
  const narrow = matchMedia("(max-width: 600px)");
  let drawing = 0;

  async function draw() {
    const own = ++drawing;
    delete document.documentElement.dataset.drawn;
    const known = new Map();
    const columnsOnce = (name) => known.get(name) ?? known.set(name, columnsOf(name)).get(name);
    for (const place of document.querySelectorAll("[data-chart]")) {
      if (own !== drawing) return;
      const { spec, rows: name, settings, panel, height, description } = data.charts[place.dataset.chart];
      const rows = rowsOf(columnsOnce(name)).filter((row) => row.panel === panel);
      if (settings) {
        const fields = Object.entries(columnsOnce(settings));
        for (const row of rows) for (const [field, values] of fields) row[field] = values[row.s];
      }
      const chart = { ...data.specs[spec], height, description, datasets: { rows } };
      // ast: Vega interprets its expressions, so that the page's policy need not allow eval().
      const options = { renderer: "svg", actions: false, ast: true, config: narrow.matches ? data.phone : data.config };
      try {
        await vegaEmbed(place, chart, options);
      } catch (error) {
        place.textContent = `This figure cannot be drawn: ${error.message}`;
        place.classList.add("failed");
        console.error(error);
      }
    }
    document.documentElement.dataset.drawn = "true";
  }
  narrow.addEventListener("change", draw);
  addEventListener("beforeprint", () => {
    for (const closed of document.querySelectorAll("details")) closed.open = true;
  });
  draw();

  // ---- the table of all points ----
  async function copy(text, button) {
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // A page that was opened over plain HTTP may not use the clipboard interface.
      const area = Object.assign(document.createElement("textarea"), { value: text });
      document.body.append(area);
      area.select();
      done = document.execCommand("copy");
      area.remove();
    }
    const label = button.textContent;
    button.textContent = done ? "Copied" : "Not copied";
    setTimeout(() => { button.textContent = label; }, 1500);
  }

  const csvCell = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };

  const digits = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });
  const whole = new Intl.NumberFormat("en-US");
  const formats = {
    text: String,
    whole: (value) => whole.format(value),
    number: (value) => digits.format(value),
    ms: (value) => digits.format(value * 1000),
    percent: (value) => `${digits.format(value * 100)}%`,
  };

  function fill(body, columns) {
    const length = columns.point_id.length;
    const rows = Array.from({ length }, (_, index) => {
      const row = document.createElement("tr");
      for (const { name, format, is_number: isNumber } of data.table) {
        const value = columns[name][index];
        const cell = row.insertCell();
        cell.className = isNumber ? "num" : "text";
        let text = value === null ? "-" : formats[format](value);
        if (value !== null && columns.lower_bounds[index].split(" ").includes(name)) text = `\u2265 ${text}`;
        if (name === "adapter" && columns.is_control[index]) text += " (control)";
        if (name === "status" && value !== "ok") cell.className = "text bad";
        cell.textContent = text;
      }
      return row;
    });
    body.append(...rows);
    return rows;
  }

  function setUp(table) {
    const columns = columnsOf(table.dataset.rows);
    const names = Object.keys(columns);
    const rows = fill(table.tBodies[0], columns);
    const body = table.tBodies[0];
    const numbers = new Map(rows.map((row, index) => [row, index]));
    const texts = new Map(rows.map((row) => [row, [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase()]));
    const tools = document.getElementById(table.dataset.tools);
    const filter = tools.querySelector("input");
    const count = tools.querySelector(".count");

    const apply = () => {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of rows) row.hidden = !words.every((word) => texts.get(row).includes(word));
      const shown = rows.filter((row) => !row.hidden).length;
      count.textContent = shown === rows.length ? `${shown} rows` : `${shown} of ${rows.length} rows`;
    };
    filter.addEventListener("input", apply);
    apply();

    const compare = (left, right, sign) => {
      if (left === null || right === null) return (left === null) - (right === null); // the missing ones last
      if (typeof left === "number" && typeof right === "number") return sign * (left - right);
      return sign * String(left).localeCompare(String(right), "en", { numeric: true });
    };
    for (const cell of table.tHead.rows[0].cells) {
      cell.querySelector("button").addEventListener("click", () => {
        const order = cell.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        cell.setAttribute("aria-sort", order);
        const values = columns[cell.dataset.column];
        const sign = order === "ascending" ? 1 : -1;
        rows.sort((one, two) => compare(values[numbers.get(one)], values[numbers.get(two)], sign));
        body.append(...rows);
      });
    }
    tools.querySelector("button").addEventListener("click", (event) => {
      const lines = rows
        .filter((row) => !row.hidden)
        .map((row) => names.map((name) => csvCell(columns[name][numbers.get(row)])).join(","));
      copy([names.join(","), ...lines, ""].join("\n"), event.currentTarget);
    });
  }
  for (const table of document.querySelectorAll("table[data-rows]")) setUp(table);
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.addEventListener("click", () => copy(document.getElementById(button.dataset.copy).textContent, button));
  }
})();
