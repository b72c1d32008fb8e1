/** Trace Event Format: what Kineto and XLA have in common. */
import { z } from 'zod';
import type { MeasurementFile } from './imported.js';
import { refused } from './imported.js';

export interface TraceEvent {
  readonly ph?: string | undefined;
  readonly cat?: string | undefined;
  readonly name?: string | undefined;
  readonly pid?: number | string | undefined;
  readonly tid?: number | string | undefined;
  /** In µs. */
  readonly dur?: number | undefined;
  readonly args?: Readonly<Record<string, unknown>> | undefined;
}

export interface TraceFile {
  readonly events: readonly TraceEvent[];
  readonly deviceProperties: readonly { readonly name?: string | undefined }[];
}

const label = z.union([z.string(), z.number()]).optional().catch(undefined);
const text = z.string().optional().catch(undefined);
const event = z.object({
  ph: text,
  cat: text,
  name: text,
  pid: label,
  tid: label,
  dur: z.number().nonnegative().optional().catch(undefined),
  args: z.record(z.string(), z.unknown()).optional().catch(undefined),
});
const form = z.object({
  traceEvents: z.array(z.unknown()),
  deviceProperties: z.array(z.object({ name: text })).optional(),
});

/** @param document of a file with `traceEvents` @throws MeshwrightError RUN_INVALID */
export function readTrace(document: unknown, file: MeasurementFile): TraceFile {
  const { data, error } = form.safeParse(document);
  if (data === undefined)
    throw refused(file.name, 'a trace with a list traceEvents', error.issues[0]?.message ?? 'another form');
  const events = data.traceEvents.flatMap((one) => {
    const parsed = event.safeParse(one);
    return parsed.success ? [parsed.data] : [];
  });
  return { events, deviceProperties: data.deviceProperties ?? [] };
}

/** Numbers that a trace may have as text. */
export function numberOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}
