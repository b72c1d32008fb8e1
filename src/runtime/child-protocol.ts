/** What a parent and its device process say to each other. */
import type { PackedError } from './failure.js';

/** What a kind of request carries; everything can be cloned. */
export interface ChildExchange {
  readonly args: unknown;
  /** What the handler tells while it works. */
  readonly event: unknown;
  readonly result: unknown;
}

export type ToChild =
  { readonly kind: 'request'; readonly request: string; readonly args: unknown } | { readonly kind: 'abort' };

export type FromChild =
  | { readonly kind: 'event'; readonly event: unknown }
  | { readonly kind: 'result'; readonly result: unknown }
  | { readonly kind: 'error'; readonly error: PackedError };
