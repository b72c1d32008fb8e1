/** Predicted against measured step times as a drawing: both axes logarithmic, so that an error is as far off everywhere. */
import { View, parse } from 'vega';
import { compile } from 'vega-lite';
import type { PredictedRow } from './document.js';

interface Point {
  readonly set: string;
  readonly measured: number;
  readonly predicted: number;
  readonly href: string;
  readonly description: string;
}

const pointOf = (row: PredictedRow, index: number): Point[] => {
  const { measuredStepTimeSeconds: measured, predictedStepTimeSeconds: predicted } = row;
  if (measured === null || predicted === null) return [];
  return [{ set: row.set, measured, predicted, href: `#row-${index}`, description: row.id }];
};

/** The file's most and least, so that the line on which both are equal goes from corner to corner. */
function ends(points: readonly Point[]): [number, number] {
  const all = points.flatMap(({ measured, predicted }) => [measured, predicted]);
  return [Math.min(...all) / 1.2, Math.max(...all) * 1.2];
}

/** An SVG, in which each point leads to the row `#row-INDEX`; nothing where no row has both times. */
export async function scatter(rows: readonly PredictedRow[]): Promise<string | undefined> {
  const points = rows.flatMap(pointOf);
  if (points.length === 0) return undefined;
  const domain = ends(points);
  const axis = (field: 'measured' | 'predicted') => ({
    field,
    type: 'quantitative' as const,
    scale: { type: 'log' as const, domain, nice: false },
    title: `${field} step time, seconds`,
  });
  const line = (factor: number, dash: number[]) => ({
    data: { values: domain.map((value) => ({ measured: value, predicted: value * factor })) },
    mark: { type: 'line' as const, color: '#999', strokeWidth: 1, strokeDash: dash, clip: true },
    encoding: { x: axis('measured'), y: axis('predicted') },
  });
  const { spec } = compile({
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    width: 640,
    height: 640,
    layer: [
      line(1, []),
      line(1.1, [4, 4]),
      line(0.9, [4, 4]),
      {
        data: { values: points },
        mark: { type: 'point', filled: true, size: 30, opacity: 0.6 },
        encoding: {
          x: axis('measured'),
          y: axis('predicted'),
          color: { field: 'set', type: 'nominal', sort: null, scale: { scheme: 'category20' } },
          href: { field: 'href', type: 'nominal' },
          description: { field: 'description', type: 'nominal' },
        },
      },
    ],
  });
  return new View(parse(spec), { renderer: 'none' }).toSVG();
}
