/** Measurements from elsewhere, told apart by what is in the file. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { notUtf8 } from '../../encoding.js';
import { reasonOf } from '../../reason.js';
import { EVIDENCE_SCHEMA, parseEvidence } from '../evidence.js';
import type { Imported, MeasurementFile } from './imported.js';
import { refused } from './imported.js';
import { importKineto, isKineto } from './kineto.js';
import { importNcclTests, isNcclTests } from './nccl-tests.js';
import type { Target } from './table.js';
import { importTable } from './table.js';
import { readTrace } from './trace-events.js';
import { importXla, isXla } from './xla.js';

export type { Imported, LeftOut } from './imported.js';
export type { Target } from './table.js';

const FORMATS =
  'nccl-tests output, a trace of the PyTorch profiler or of the JAX profiler (JSON, gzip or not), a table of runs (one JSON object a line), or evidence';

/** V8's longest text is somewhat longer. */
const MOST_BYTES = 500e6;
const SMALLER = 'profile fewer steps';

const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

function unpacked(bytes: Buffer, name: string): Buffer {
  if (!isGzip(bytes)) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: MOST_BYTES });
  } catch (error) {
    const isLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    throw isLarge
      ? refused(name, `at most ${MOST_BYTES / 1e6} MB unpacked`, 'more', SMALLER)
      : refused(name, 'a gzip file that can be unpacked', reasonOf(error));
  }
}

function readFile(path: string): MeasurementFile {
  const name = basename(path);
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw refused(path, 'a file that can be read', reasonOf(error));
  }
  const content = unpacked(bytes, path);
  if (content.length > MOST_BYTES)
    throw refused(path, `at most ${MOST_BYTES / 1e6} MB`, `${Math.round(content.length / 1e6)} MB`, SMALLER);
  const got = notUtf8(content);
  if (got !== undefined) throw refused(path, FORMATS, got);
  return { name, text: content.toString('utf8').replace(/^\uFEFF/, '') };
}

/** The whole text as JSON, or why it is none. */
function parsed(text: string): { readonly document: unknown } | { readonly fault: string } {
  try {
    return { document: JSON.parse(text) };
  } catch (error) {
    return { fault: reasonOf(error) };
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function importTrace(document: unknown, file: MeasurementFile): Imported {
  const trace = readTrace(document, file);
  // Devices of XLA first: its traces of GPUs have what Kineto's have too.
  if (isXla(trace)) return importXla(trace, file);
  if (isKineto(trace)) return importKineto(trace, file);
  throw refused(
    file.name,
    'a trace of the PyTorch profiler or of the JAX profiler',
    'a trace of neither: no ops of a host, no devices',
  );
}

/**
 * @param path of a file; run folders are read elsewhere
 * @param target what a table's rows have to be of
 * @throws MeshwrightError RUN_INVALID, which says what can be read, or what of the file is wrong
 */
export function importMeasurements(path: string, target: Target): Imported {
  const file = readFile(path);
  const { text } = file;
  if (text.trim() === '') throw refused(path, FORMATS, 'an empty file');
  if (isNcclTests(file)) return importNcclTests(file);
  if (!/^\s*[[{]/.test(text))
    throw refused(path, FORMATS, `text that begins with ${JSON.stringify(text.trim().slice(0, 24))}`);
  const whole = parsed(text);
  if ('document' in whole) {
    const { document } = whole;
    if (isObject(document) && document['schema'] === EVIDENCE_SCHEMA)
      return { format: 'evidence', evidence: [parseEvidence(document, path)], leftOut: [] };
    // The Trace Event Format may also be the list alone.
    if (Array.isArray(document)) return importTrace({ traceEvents: document }, file);
    if (isObject(document) && 'traceEvents' in document) return importTrace(document, file);
    if (isObject(document) && !('set' in document)) throw refused(path, FORMATS, `JSON with ${keysOf(document)}`);
  } else if (/^\s*(\{\s*"(schemaVersion|traceEvents|displayTimeUnit|deviceProperties)|\[)/.test(text)) {
    throw refused(path, 'a whole trace', `one that is cut short or damaged (${whole.fault})`);
  }
  return importTable(file, target);
}

const keysOf = (document: object): string => {
  const keys = Object.keys(document);
  return keys.length === 0 ? 'nothing in it' : keys.slice(0, 4).join(', ');
};
