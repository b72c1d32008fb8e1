/** The one error class of the project: what a person reads when something is wrong, and nothing else. */

/** Codes of wrong input (exit status 2). */
const INPUT_CODES = [
  'JOB_INVALID',
  'MODEL_UNKNOWN',
  'HARDWARE_UNKNOWN',
  'HARDWARE_INVALID',
  'FIELD_UNKNOWN',
  'QUANTITY_INVALID',
  'MESH_DOES_NOT_MULTIPLY',
  'PLAN_DOES_NOT_DIVIDE',
  'PLAN_INVALID',
  'PLAN_DOES_NOT_FIT',
  'DATA_NOT_FOUND',
  'DATA_EMPTY_CLASS',
  'DATA_NO_IMAGES',
  'DATA_TOO_SHORT',
  'DATA_INVALID',
  'RUN_EXISTS',
  'RUN_INVALID',
  'CHECKPOINT_INVALID',
  'DISK_FULL',
  'USAGE',
  'DTYPE_UNSUPPORTED',
  'DEVICE_MISSING',
] as const;

/** Codes of a job that failed on good input, or of a defect of ours (exit status 1). */
type FailureCode =
  | 'PROGRAM_INVALID'
  | 'DEVICE_FAILED'
  | 'RANK_FAILED'
  | 'TIMED_OUT'
  | 'LOSS_NOT_FINITE'
  | 'FIT_REFUSED'
  | 'WRITE_FAILED'
  | 'INTERNAL';

export type ErrorCode = (typeof INPUT_CODES)[number] | FailureCode;

export interface ErrorDetail {
  /** Where: a file and line, a field's path (`plan.mesh.model`) or a flag (`--mesh`). */
  readonly place: string;
  readonly expected: string;
  readonly got: string;
  /** What to do about it, when expected and got do not say it. */
  readonly hint?: string;
}

export class MeshwrightError extends Error {
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;

  constructor(code: ErrorCode, detail: ErrorDetail, options?: ErrorOptions) {
    const hint = detail.hint === undefined ? '' : `; ${detail.hint}`;
    super(`${code} at ${detail.place}: expected ${detail.expected}, got ${detail.got}${hint}`, options);
    this.name = 'MeshwrightError';
    this.code = code;
    this.detail = detail;
  }

  /** 2 when the input was wrong, 1 when the job failed. */
  get exitStatus(): 1 | 2 {
    return (INPUT_CODES as readonly string[]).includes(this.code) ? 2 : 1;
  }
}

/** For states that only a defect of ours can reach. */
export function unreachable(value: never): never {
  throw new MeshwrightError('INTERNAL', { place: 'exhaustive switch', expected: 'no value', got: String(value) });
}
