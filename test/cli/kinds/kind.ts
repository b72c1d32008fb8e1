/** A kind of bad input, and what many of them begin with. */
import type { Files } from '../refusals.js';

export interface Kind {
  readonly line: string;
  readonly code: string;
  readonly place: string;
  readonly says: readonly string[];
  readonly files?: Files;
  /** Links, by path. */
  readonly links?: Readonly<Record<string, string>>;
  /** Whether there is a run of 2 steps too, `run`, of which this is changed. */
  readonly run?: (checkpoint: string) => void;
  /** What is said before, where it only shows when work begins. */
  readonly before?: { readonly stdout: RegExp; readonly stderr: RegExp };
}

export const VIT = 'train --model vit-tiny --hardware local --batch 2 --steps 1';
export const GPT = 'train --model gpt-tiny --hardware local --batch 2 --steps 1';
export const SIMULATE = 'simulate --model vit-tiny --hardware local';
/** Names of images are enough where none is decoded. */
export const IMAGES: Files = { 'set/a/1.png': '', 'set/b/1.png': '' };
export const CHECKPOINT = 'run/checkpoints/step-000002.safetensors';
export const TEXT: Files = { 'a.txt': 'to be or not to be, '.repeat(100) };
export const GPT_JOB: Files = {
  ...TEXT,
  'job.yaml': 'model: gpt-tiny\nhardware: local\nbatch: 2\ntraining: { text: a.txt, steps: 1 }\n',
};

/** By what is wrong. */
export type Kinds = Readonly<Record<string, Kind>>;
