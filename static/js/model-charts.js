// The charts of the page that compares models. Each model keeps its color, dash, and point in every chart.
(() => {
  const DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3], [12, 4], [4, 4]];
  const POINTS = ["circle", "triangle", "rect", "rectRot", "star", "cross"];
  const names = [];

  function style(name, token) {
    if (!names.includes(name)) names.push(name);
    const place = names.indexOf(name) % DASHES.length;
    return { color: token(`model-${place + 1}`), dash: DASHES[place], point: POINTS[place] };
  }

  // Only all is 100%, and only none is 0%.
  function percent(share) {
    const whole = Math.round(share * 100);
    if (whole === 100 && share < 1) return ">99%";
    return whole === 0 && share > 0 ? "<1%" : `${whole}%`;
  }

  function axis(title, token, more) {
    return {
      title: { display: true, text: title, color: token("muted") },
      border: { color: token("line") },
      grid: { color: token("line") },
      ticks: { color: token("muted"), maxTicksLimit: 6, maxRotation: 0 },
      ...more,
    };
  }

  function percentAxis(title, token, more) {
    const shown = axis(title, token, { min: 0, max: 1, ...more });
    shown.ticks = { ...shown.ticks, callback: (value) => `${Math.round(value * 100)}%` };
    return shown;
  }

  function legend(token, { isLine = false } = {}) {
    const filter = (item) => item.text !== "";
    // Chart.js gives lines of a legend no dashes, and widens points to a given width.
    const dashed = (chart) => Chart.defaults.plugins.legend.labels.generateLabels(chart).map((item) => ({ ...item, lineDash: chart.data.datasets[item.datasetIndex].borderDash }));
    const shape = isLine ? { pointStyleWidth: 28, boxHeight: 6, generateLabels: dashed } : { boxHeight: 8 };
    return { display: true, position: "bottom", labels: { color: token("text"), usePointStyle: true, filter, ...shape } };
  }

  function lines(x, y, { diagonal = false, points = 0, xAxis = {}, yAxis = {} } = {}) {
    return (rows, token) => ({
      type: "scatter",
      data: {
        datasets: [
          ...rows.map((row) => {
            const { color, dash, point } = style(row.name, token);
            return { label: row.name, data: row.points.map(([a, b]) => ({ x: a, y: b })), showLine: true, borderColor: color, backgroundColor: color, borderDash: dash, borderWidth: 2, pointRadius: points, pointStyle: points ? point : "line", pointHitRadius: 6, clip: 6 };
          }),
          ...(diagonal ? [{ label: "", data: [{ x: 0, y: 0 }, { x: 1, y: 1 }], showLine: true, borderColor: token("line-strong"), borderWidth: 1, pointRadius: 0, pointHitRadius: 0 }] : []),
        ],
      },
      options: {
        scales: { x: percentAxis(x, token, xAxis), y: percentAxis(y, token, yAxis) },
        plugins: {
          legend: legend(token, { isLine: !points }),
          tooltip: { callbacks: { label: (item) => `${item.dataset.label}: ${percent(item.parsed.x)}, ${percent(item.parsed.y)}` } },
        },
      },
    });
  }

  function pareto(rows, token) {
    // Times of different engines or machines are not joined by a line.
    const comparable = new Set(rows.map((row) => row.timed_on.join())).size === 1;
    const efficient = comparable ? rows.filter((row) => row.efficient) : [];
    const ranked = efficient.sort((a, b) => a.milliseconds - b.milliseconds);
    const lowest = Math.min(...rows.map((row) => row.accuracy));
    return {
      type: "scatter",
      data: {
        datasets: [
          ...rows.map((row) => {
            const { color, point } = style(row.name, token);
            return { label: row.name, data: [{ x: row.milliseconds, y: row.accuracy }], backgroundColor: color, borderColor: color, pointStyle: point, pointRadius: 8, pointHoverRadius: 10, borderWidth: 2 };
          }),
          { label: "", data: ranked.map((row) => ({ x: row.milliseconds, y: row.accuracy })), showLine: true, borderColor: token("line-strong"), borderDash: [4, 4], borderWidth: 1, pointRadius: 0, pointHitRadius: 0 },
        ],
      },
      options: {
        scales: {
          x: axis("Milliseconds per image", token, { beginAtZero: true, grace: "10%" }),
          y: percentAxis("Accuracy", token, { min: Math.max(0, Math.floor(lowest * 20 - 1) / 20) }),
        },
        plugins: {
          legend: legend(token),
          tooltip: { callbacks: { label: (item) => `${item.dataset.label}: ${item.parsed.x} ms, ${(item.parsed.y * 100).toFixed(1)}%` } },
        },
      },
    };
  }

  function weekly(scale) {
    return (data, token) => ({
      type: "line",
      data: {
        labels: data.labels,
        datasets: data.lines.map((row) => {
          const { color, dash, point } = style(row.name, token);
          return { label: row.name, data: row.values, borderColor: color, backgroundColor: color, borderDash: dash, borderWidth: 2, pointRadius: 4, pointStyle: point, spanGaps: true, clip: 8 };
        }),
      },
      options: {
        scales: { x: axis("Week from", token, { grid: { display: false } }), y: scale(token) },
        plugins: { legend: legend(token) },
      },
    });
  }

  window.chartKinds = {
    weekly: weekly((token) => axis("", token, { title: { display: false }, beginAtZero: true, suggestedMax: 1 })),
    weekly_share: weekly((token) => percentAxis("", token, { title: { display: false } })),
    roc: lines("1 − specificity", "Sensitivity", { diagonal: true }),
    precision_recall: lines("Recall", "Precision"),
    selective: lines("Coverage", "Accuracy", { xAxis: { min: 0.2 }, yAxis: { min: undefined, suggestedMin: 0.8 } }),
    reliability: lines("Stated probability", "Observed share", { diagonal: true, points: 4 }),
    pareto,
  };
})();
