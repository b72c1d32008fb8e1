/** `trace.json` of a run, read again: what `traceText` writes of spans. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { MeshwrightError } from '../errors.js';
import { MESH_AXES } from '../mesh/index.js';
import { reasonOf } from '../reason.js';
import type { Span } from '../trace/index.js';
import { seconds } from '../units.js';

const FILE = 'trace.json';

const slice = z.looseObject({
  ph: z.literal('X'),
  pid: z.number(),
  tid: z.number(),
  name: z.string(),
  cat: z.string(),
  ts: z.number(),
  dur: z.number(),
});
const named = z.looseObject({
  ph: z.literal('M'),
  pid: z.number(),
  tid: z.number(),
  args: z.object({ name: z.string() }),
});
const form = z.looseObject({ traceEvents: z.array(z.looseObject({ ph: z.string() })) });

/** Of a track: `rank 0 collectives over data`. */
function placeOf(track: string): Pick<Span, 'rank' | 'axis'> | undefined {
  const [, rank, lane = ''] = /^rank (\d+) (.*)$/.exec(track) ?? [];
  if (rank === undefined) return undefined;
  const axis = MESH_AXES.find((name) => lane === `collectives over ${name}`);
  return { rank: Number(rank), ...(axis === undefined ? {} : { axis }) };
}

/**
 * The spans that a run recorded, rank by rank; undefined of a run without the file.
 *
 * @throws MeshwrightError RUN_INVALID
 */
export function readMeasuredSpans(folder: string): Span[] | undefined {
  const path = join(folder, FILE);
  if (!existsSync(path)) return undefined;
  const invalid = (got: string) =>
    new MeshwrightError('RUN_INVALID', { place: path, expected: 'a trace that train wrote', got });
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw invalid(reasonOf(error));
  }
  const { data, error } = form.safeParse(document);
  if (error !== undefined) throw invalid(error.issues[0]!.message);
  const names = new Map<string, string>();
  let measured: number | undefined;
  for (const event of data.traceEvents) {
    const found = named.safeParse(event).data;
    if (found === undefined) continue;
    names.set(`${found.pid} ${found.tid}`, found.args.name);
    if (found.tid === 0 && found.args.name === 'measured') measured = found.pid;
  }
  if (measured === undefined) throw invalid('one without a process named measured');
  return data.traceEvents.flatMap((event): Span[] => {
    const found = slice.safeParse(event).data;
    if (found === undefined || found.pid !== measured) return [];
    const place = placeOf(names.get(`${found.pid} ${found.tid}`) ?? '');
    const [kind, phase] = found.cat.split(',') as [Span['kind'], Span['phase']];
    if (place === undefined) return [];
    const { name: id, ts, dur } = found;
    return [{ id, kind, phase, name: kind, ...place, start: seconds(ts * 1e-6), end: seconds((ts + dur) * 1e-6) }];
  });
}
