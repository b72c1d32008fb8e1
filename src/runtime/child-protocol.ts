/** What a parent and its device process say to each other. */
import type { PackedError } from './failure.js';

/** What a kind of request carries; everything can be cloned. */
export interface ChildExchange {
  readonly args: unknown;
  /** What the handler tells while it works. */
  readonly event: unknown;
  readonly result: unknown;
  /** What the parent may ask while the handler works; nothing unless given. */
  readonly control?: unknown;
}

export type ToChild =
  | {
      readonly kind: 'request';
      readonly request: string;
      readonly args: unknown;
      /** A descriptor of the child's, see `Diary`; absent where no file could be made. */
      readonly diaryFile: number | undefined;
    }
  | { readonly kind: 'control'; readonly control: unknown }
  | { readonly kind: 'abort' };

export type FromChild =
  | { readonly kind: 'event'; readonly event: unknown }
  | { readonly kind: 'result'; readonly result: unknown }
  | { readonly kind: 'error'; readonly error: PackedError }
  /** It ended because it was asked to, and has no result. */
  | { readonly kind: 'aborted' };
