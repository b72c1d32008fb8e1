/** The shape of the UI's whole state, and what changes it. */
import type { MeshwrightError } from '../../errors.js';
import type {
  CalibrationReport,
  HardwareChoice,
  ModelChoice,
  PlanLook,
  RunDetail,
  RunList,
  SearchProgress,
  SearchWish,
  TaskChoice,
  TrainEvent,
} from '../services.js';
import type { CompareState } from './compare.js';
import type { Size } from './layout.js';
import type { PickState } from './pick.js';
import type { PlansState, WantedLook } from './plans.js';
import type { Press } from './press.js';
import type { TrainState } from './train.js';

export type Screen =
  | { readonly at: 'pick' }
  | { readonly at: 'plans'; readonly plans: PlansState }
  | { readonly at: 'train'; readonly plans: PlansState; readonly train: TrainState }
  | {
      readonly at: 'compare';
      readonly compare: CompareState;
      /** Where Esc goes back to. */
      readonly back: Exclude<Screen, { at: 'compare' }>;
    };

/** What is to run now. The id tells its news from that of work that was left. */
export type Work =
  | { readonly id: number; readonly kind: 'search'; readonly task: TaskChoice; readonly wish: SearchWish }
  | { readonly id: number; readonly kind: 'train'; readonly task: TaskChoice; readonly label: string }
  /** Lists runs; one of them is then looked at. */
  | { readonly id: number; readonly kind: 'runs'; readonly runFolder?: string }
  | { readonly id: number; readonly kind: 'read'; readonly runFolder: string }
  | { readonly id: number; readonly kind: 'calibrate' };

/** Work of one place ends that which was there before; work of several goes on side by side. */
export const PLACES = ['work', 'reading', 'calibrating'] as const;

/** A plan that is to be written as a job file. */
export interface JobToWrite {
  readonly task: TaskChoice;
  readonly label: string;
  readonly path: string;
}

export interface AppState {
  /** Kept while other screens are shown: Esc comes back to the fields as they were. */
  readonly pick: PickState;
  readonly screen: Screen;
  /** A search or a training; other work of them, or none, ends it. */
  readonly work: Work | undefined;
  /** Runs that are over, being read. */
  readonly reading: Work | undefined;
  readonly calibrating: Work | undefined;
  readonly toWrite: JobToWrite | undefined;
  /** How many pieces of work there were: the next one's id. */
  readonly works: number;
  /** How often this machine's profile has become another: predictions of before are of no use then. */
  readonly profiles: number;
  readonly help: boolean;
  readonly failure: MeshwrightError | undefined;
  /** One line above the keys, until the next press. */
  readonly notice: string | undefined;
  /** What a second press of the same key will do, though a training run is under way. */
  readonly asked: 'quit' | 'back' | undefined;
  readonly quit: boolean;
}

/** News of a piece of work. */
export type News =
  | { readonly type: 'searching'; readonly work: number; readonly progress: SearchProgress }
  | { readonly type: 'searched'; readonly work: number; readonly progress: SearchProgress }
  | { readonly type: 'training'; readonly work: number; readonly event: TrainEvent }
  | { readonly type: 'trained'; readonly work: number; readonly runFolder: string }
  | { readonly type: 'listed'; readonly work: number; readonly list: RunList }
  | { readonly type: 'read'; readonly work: number; readonly detail: RunDetail }
  | { readonly type: 'calibrated'; readonly work: number; readonly report: CalibrationReport }
  | { readonly type: 'stopped'; readonly work: number }
  | { readonly type: 'failed'; readonly work: number; readonly error: MeshwrightError };

/** What was asked besides, which goes on whatever the work is. */
export type Answer =
  | {
      readonly type: 'files';
      readonly models: readonly ModelChoice[];
      readonly hardware: readonly HardwareChoice[];
    }
  | { readonly type: 'looked'; readonly at: WantedLook; readonly look: PlanLook | MeshwrightError }
  | { readonly type: 'written'; readonly job: JobToWrite; readonly error?: MeshwrightError };

export type Action =
  | { readonly type: 'press'; readonly press: Press; readonly size: Size }
  | { readonly type: 'news'; readonly news: readonly News[] }
  | { readonly type: 'answer'; readonly answer: Answer };
