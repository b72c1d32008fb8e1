/**
 * Published runs with their sources: what a change of a profile or of a mechanism must not make worse.
 *
 * What was measured was compared with the publications themselves on 2026-11-21 (papers as text, repositories' files), but
 * for Hagemann et al.: their sweeps are spreadsheets (data/ of
 * Aleph-Alpha/NeurIPS-WANT-submission-efficient-parallelization-layouts), and what stands here of them is second-hand. Networks between nodes and
 * vocabularies that a publication doesn't state are assumptions.
 */
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
