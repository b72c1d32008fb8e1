/** What the device process is asked, for both sides. Types only: the parent loads none of the child's modules. */
import type { MeasureEvent, MeasureRequest } from '../calibrate/index.js';
import type { JobInput } from '../job/index.js';
import type { ChildExchange, FamilyName } from '../runtime/index.js';
import type {
  SessionOptions,
  Timing,
  TrainControl,
  TrainEvent,
  TrainOptions,
  TrainReport,
  TurnsOptions,
} from '../train/index.js';

/** Gives the arguments back; tells whether the process can be started and talked to. */
export interface Ping extends ChildExchange {
  readonly args: string;
  readonly event: string;
  readonly result: string;
}

/** What the child adds. */
type OfChild = 'workerUrls' | 'diaryFile' | 'controls';

export interface Train extends ChildExchange {
  readonly args: Omit<TrainOptions, 'job' | OfChild> & { readonly job: JobInput };
  readonly event: TrainEvent;
  readonly result: TrainReport;
  readonly control: TrainControl;
}

export interface Turns extends ChildExchange {
  readonly args: Omit<TurnsOptions, 'jobs' | OfChild> & {
    readonly jobs: readonly (Pick<SessionOptions, 'schedule'> & { readonly job: JobInput })[];
  };
  /** The number of the turn that is over. */
  readonly event: number;
  readonly result: Timing[];
}

export interface Measure extends ChildExchange {
  readonly args: Omit<MeasureRequest, 'workerUrl' | 'diaryFile'>;
  readonly event: MeasureEvent;
  readonly result: void;
}

/** Of `probe-host.ts`: what a kernel family computes on, where it can be had. */
export interface Probe extends ChildExchange {
  readonly args: { readonly family: FamilyName; readonly threads: number };
  readonly event: never;
  readonly result: string;
}

export interface ChildRequests {
  readonly ping: Ping;
  readonly train: Train;
  readonly turns: Turns;
  readonly measure: Measure;
}
