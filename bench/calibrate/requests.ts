/** What the measuring process of `bench:calibrate` is asked, and what it answers. */
import type { ChildExchange } from '../../src/runtime/index.js';
import type { TimedSpan } from '../../src/trace/index.js';
import type { BenchJob } from './jobs.js';

/** One job in one block. */
export interface Slot {
  readonly block: number;
  readonly job: string;
  readonly stepSeconds: readonly number[];
  /** Over these steps. */
  readonly spans: readonly TimedSpan[];
  /** What the reference took just before and just after. */
  readonly referenceSeconds: readonly [before: number, after: number];
}

export interface Turn {
  readonly block: number;
  /** Its name. */
  readonly job: string;
}

export interface MeasureBlocks extends ChildExchange {
  readonly args: { readonly turns: readonly Turn[]; readonly jobs: readonly BenchJob[] };
  readonly event: Slot;
  readonly result: number;
}

export interface MeasuringRequests {
  readonly blocks: MeasureBlocks;
}
