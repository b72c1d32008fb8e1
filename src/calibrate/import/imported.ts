/** What importers give: evidence in the neutral form, and what of a file says nothing of hardware, with the reason. */
import { createHash } from 'node:crypto';
import { median, quantile } from 'simple-statistics';
import { MeshwrightError } from '../../errors.js';
import type { MeasuredEvidence, Work, WorkEvidence } from '../evidence.js';
import { EVIDENCE_SCHEMA } from '../evidence.js';

export interface LeftOut {
  readonly what: string;
  readonly why: string;
  /** How many times it is in the file. */
  readonly count: number;
}

export interface Imported {
  /** For people: `nccl-tests output`. */
  readonly format: string;
  readonly evidence: readonly MeasuredEvidence[];
  readonly leftOut: readonly LeftOut[];
}

/** A file's text, as it is named to people. */
export interface MeasurementFile {
  readonly name: string;
  readonly text: string;
}

export const refused = (place: string, expected: string, got: string, hint?: string): MeshwrightError =>
  new MeshwrightError('RUN_INVALID', { place, expected, got, ...(hint === undefined ? {} : { hint }) });

/** The same file has the same id wherever it lies. */
export const fileId = ({ text }: MeasurementFile): string =>
  createHash('sha256').update(text).digest('hex').slice(0, 16);

/** Counts what is left out, by what and why. */
export class LeftOuts {
  readonly #counts = new Map<string, LeftOut>();

  add(what: string, why: string): void {
    const key = JSON.stringify([what, why]);
    this.#counts.set(key, { what, why, count: (this.#counts.get(key)?.count ?? 0) + 1 });
  }

  /** The most frequent first. */
  get all(): LeftOut[] {
    return [...this.#counts.values()].toSorted((a, b) => b.count - a.count);
  }
}

/** Runs of the same work, put together into one span each. */
export class WorkRuns {
  readonly #runs = new Map<string, { readonly work: Work; readonly seconds: number[] }>();

  add(work: Work, seconds: number): void {
    const key = JSON.stringify(work);
    const known = this.#runs.get(key);
    if (known === undefined) this.#runs.set(key, { work, seconds: [seconds] });
    else known.seconds.push(seconds);
  }

  get isEmpty(): boolean {
    return this.#runs.size === 0;
  }

  /**
   * Kernels by their median. A collective's kernel also waits for the last rank to come, so that of its runs the first
   * decile is nearest to what it takes by itself.
   */
  spans(): WorkEvidence['spans'] {
    return [...this.#runs.values()].map(({ work, seconds }) => ({
      id: idOf(work),
      seconds: work.kind === 'collective' ? quantile(seconds, 0.1) : median(seconds),
      ...(seconds.length < FEW ? {} : { spreadSeconds: (quantile(seconds, 0.9) - quantile(seconds, 0.1)) / 2 }),
      runs: seconds.length,
      work,
    }));
  }
}

/** Of fewer runs a spread says little. */
const FEW = 5;

function idOf(work: Work): string {
  switch (work.kind) {
    case 'matmul':
      return `matmul/${work.dtype}/${work.batch}x${work.m}x${work.n}x${work.k}`;
    case 'memory':
      return `${work.class ?? 'memory'}/${work.bytes}B`;
    case 'vector':
      return `vector/${work.flops}`;
    case 'launch':
      return `launch/${work.ops}`;
    case 'collective':
      return `${work.name}/${work.ranks}/${work.bytes}B`;
  }
}

/** Of fewer, each part says too little by itself. */
const LEAST_OF_PART = 4;
const MOST_PARTS = 4;

/**
 * Evidence of one kind of work in up to four parts, so that some can be fitted to and others checked: spans are dealt from
 * the shortest to the longest, so that each part has all sizes.
 */
export function workEvidence(
  file: MeasurementFile,
  about: Pick<WorkEvidence, 'source' | 'group' | 'ranks' | 'spans'>,
): WorkEvidence[] {
  const parts = Math.max(1, Math.min(MOST_PARTS, Math.floor(about.spans.length / LEAST_OF_PART)));
  const sorted = about.spans.toSorted((a, b) => a.seconds - b.seconds);
  return Array.from({ length: parts }, (_, part) => {
    const ofAll = parts === 1 ? '' : `, part ${part + 1} of ${parts}`;
    const group = `${about.group}${ofAll}`;
    return {
      schema: EVIDENCE_SCHEMA,
      kind: 'work',
      ...about,
      id: `${fileId(file)}/${group}`,
      source: `${about.source}${ofAll}`,
      group,
      drift: 1,
      spans: sorted.filter((_, index) => index % parts === part),
    };
  });
}
