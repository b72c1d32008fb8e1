/** Published runs with their sources: what a change of a profile or of a mechanism must not make worse. */
import { korthikanti, dgxCloud, vtrainMulti, vtrainSingle, zeroBubble } from './megatron.js';
import { alephAlpha, maxtextV4, maxtextV5e, maxtextV5p, mosaic, palm } from './others.js';
import type { Publication } from './row.js';

export { rowsOf } from './row.js';

export const PUBLICATIONS: readonly Publication[] = [
  korthikanti,
  vtrainMulti,
  vtrainSingle,
  alephAlpha,
  mosaic,
  dgxCloud,
  zeroBubble,
  maxtextV4,
  maxtextV5e,
  maxtextV5p,
  palm,
];
