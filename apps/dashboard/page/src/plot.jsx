// SPDX-License-Identifier: Apache-2.0
// plot.jsx - lines over time or over scores, by uPlot, with the same numbers as text for who does
// not see them.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

export function Plot({ title, x, lines, time, height = 180, summary }) {
  const box = useRef(null);
  useEffect(() => {
    if (!x.length) return undefined;
    const css = getComputedStyle(document.documentElement);
    const ink = css.getPropertyValue("--ink").trim();
    const grid = { stroke: css.getPropertyValue("--line").trim(), width: 1 };
    const axis = { stroke: ink, grid, ticks: grid, font: "12px system-ui" };
    const plot = new uPlot(
      {
        width: box.current.clientWidth || 600,
        height,
        scales: { x: { time: Boolean(time) } },
        axes: [axis, { ...axis, size: 64 }],
        series: [
          {},
          ...lines.map((l) => ({
            label: l.label,
            stroke: css.getPropertyValue(l.colour).trim(),
            width: 2,
            dash: l.dash,
            paths: l.bars ? uPlot.paths.bars() : undefined,
            fill: l.bars ? css.getPropertyValue(l.colour).trim() + "55" : undefined,
          })),
        ],
      },
      [x, ...lines.map((l) => l.values)],
      box.current,
    );
    const fit = new ResizeObserver(([e]) => plot.setSize({ width: e.contentRect.width, height }));
    fit.observe(box.current);
    return () => {
      fit.disconnect();
      plot.destroy();
    };
  }, [x, lines]);
  return (
    <figure>
      <figcaption>{title}</figcaption>
      <div ref={box} role="img" aria-label={`${title}. ${summary || ""}`} />
    </figure>
  );
}
