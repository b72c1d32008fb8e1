/** Errors on their way between threads and processes: cloning one loses its class and what we add to it. */
import type { ErrorCode, ErrorDetail } from '../errors.js';
import { MeshwrightError } from '../errors.js';

export interface PackedError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
  /** Of a MeshwrightError only. */
  readonly known?: { readonly code: ErrorCode; readonly detail: ErrorDetail };
  readonly cause?: PackedError | undefined;
}

/** Deeper causes are dropped; nobody reads them, and a cycle would not end. */
const DEEPEST_CAUSE = 4;

export function packError(error: unknown, depth = 0): PackedError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const cause = error.cause === undefined || depth >= DEEPEST_CAUSE ? undefined : packError(error.cause, depth + 1);
  const { name, message, stack } = error;
  if (!(error instanceof MeshwrightError)) return { name, message, stack, cause };
  return { name, message, stack, cause, known: { code: error.code, detail: error.detail } };
}

/** @returns a MeshwrightError where one was packed, else an Error of the same name, message and stack */
export function unpackError({ name, message, stack, known, cause }: PackedError): Error {
  const options = cause === undefined ? {} : { cause: unpackError(cause) };
  const error = known ? new MeshwrightError(known.code, known.detail, options) : new Error(message, options);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
