// Draws the charts with Chart.js from JSON elements beside them. Tables beside them show the same data.
(() => {
  const drawn = new Map();

  function token(name) {
    // Custom properties keep `light-dark()` unresolved; a property of a real element resolves it.
    const probe = document.createElement("span");
    probe.style.color = `var(--${name})`;
    document.body.append(probe);
    const color = getComputedStyle(probe).color;
    probe.remove();
    return color;
  }

  // Pages with charts of their own add them before this script runs.
  const kinds = { probabilities, counts, days, shares, flips, ...window.chartKinds };

  function probabilities(rows) {
    return bars(rows.map((row) => (row.muted ? "line-strong" : row.name)), rows.map((row) => row.value), { max: 1 });
  }

  function counts(rows) {
    return bars(rows.map((row) => row.name), rows.map((row) => row.count || null), {});
  }

  // Horizontal bars without axes: each lies in its row of the table.
  function bars(names, values, scale) {
    return {
      type: "bar",
      data: {
        labels: names,
        datasets: [
          { data: values, backgroundColor: names.map(token), borderRadius: 2, barPercentage: 0.5, categoryPercentage: 1, minBarLength: 2 },
          ...(scale.max ? [{ data: names.map(() => scale.max), backgroundColor: token("surface-2"), borderRadius: 2, barPercentage: 0.5, categoryPercentage: 1, grouped: false, order: 1 }] : []),
        ].map((set) => ({ ...set, grouped: false })),
      },
      options: {
        indexAxis: "y",
        events: [],
        scales: { x: { display: false, min: 0, ...scale }, y: { display: false } },
      },
    };
  }

  function days(data) {
    const muted = token("muted");
    return {
      type: "bar",
      data: {
        labels: data.labels,
        datasets: [{ label: "Uploads", data: data.uploads, backgroundColor: token("accent"), borderRadius: 2, categoryPercentage: 0.9, barPercentage: 0.8 }],
      },
      options: {
        scales: {
          x: { grid: { display: false }, border: { color: token("line") }, ticks: { color: muted, maxRotation: 0, autoSkipPadding: 24 } },
          y: { beginAtZero: true, suggestedMax: 4, border: { display: false }, grid: { color: token("line") }, ticks: { color: muted, precision: 0, maxTicksLimit: 4 } },
        },
        plugins: { tooltip: { displayColors: false } },
      },
    };
  }

  function axes(y) {
    const muted = token("muted");
    return {
      x: { grid: { display: false }, border: { color: token("line") }, ticks: { color: muted, maxRotation: 0, autoSkipPadding: 16 } },
      y: { border: { display: false }, grid: { color: token("line") }, ...y, ticks: { color: muted, ...y.ticks } },
    };
  }

  // A share over time with its 95% interval. Withheld months are gaps.
  function shares(rows) {
    const percent = (value) => `${Math.round(100 * value)}%`;
    const edge = { borderWidth: 0, pointRadius: 0, pointHitRadius: 0, spanGaps: false };
    return {
      type: "line",
      data: {
        labels: rows.map((row) => row.label),
        datasets: [
          { data: rows.map((row) => row.value), borderColor: token("accent"), backgroundColor: token("accent"), borderWidth: 2, pointRadius: 3 },
          { ...edge, data: rows.map((row) => row.low), borderColor: "transparent" },
          { ...edge, data: rows.map((row) => row.high), borderColor: "transparent", backgroundColor: token("accent-soft"), fill: 1 },
        ],
      },
      options: {
        scales: axes({ min: 0, max: 1, ticks: { callback: percent, stepSize: 0.25 } }),
        plugins: {
          tooltip: {
            displayColors: false,
            filter: (item) => item.datasetIndex === 0,
            callbacks: {
              label: (item) => rows[item.dataIndex].text,
            },
          },
        },
      },
    };
  }

  function flips(rows) {
    const bar = (label, key, color) => ({ label, data: rows.map((row) => row[key]), backgroundColor: token(color), borderRadius: 2, maxBarThickness: 24 });
    return {
      type: "bar",
      data: {
        labels: rows.map((row) => row.label),
        datasets: [bar("Wrong → right", "to_right", "accent"), bar("Right → wrong", "to_wrong", "danger")],
      },
      options: {
        scales: axes({ beginAtZero: true, suggestedMax: 4, ticks: { precision: 0, maxTicksLimit: 5 } }),
        plugins: { legend: { display: true, position: "bottom", labels: { color: token("muted"), boxWidth: 12, boxHeight: 12 } } },
      },
    };
  }

  function draw() {
    for (const [canvas, chart] of drawn) {
      chart.destroy();
      drawn.delete(canvas);
    }
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    Chart.defaults.font.size = 12;
    Chart.defaults.maintainAspectRatio = false;
    // Only the duration: Chart.js animates by the other keys of this object.
    Chart.defaults.animation.duration = 250;
    Chart.defaults.plugins.legend.display = false;
    for (const canvas of document.querySelectorAll("canvas[data-chart]")) {
      const source = document.getElementById(canvas.dataset.source);
      const chart = kinds[canvas.dataset.chart](JSON.parse(source.textContent), token);
      if (still) chart.options.animation = false;
      drawn.set(canvas, new Chart(canvas, chart));
    }
  }

  document.addEventListener("DOMContentLoaded", draw);
  document.addEventListener("themechange", () => window.Chart && document.body && draw());
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.querySelector("canvas[data-chart]") || event.target.closest("#scan")) draw();
  });
})();
