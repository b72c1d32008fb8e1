/** Measured work whose size is known, but no program of ours, beside what a profile says of it. */
import { createMesh } from '../mesh/index.js';
import { matmulFlops } from '../program/index.js';
import { bytes, computeTime, flops } from '../units.js';
import {
  achievableRate,
  createMachine,
  createNetwork,
  memoryTime,
  tilingOf,
  timeAlone,
  toSeconds,
} from '../../sim/index.js';
import type { Work, WorkEvidence } from './evidence.js';
import type { ResolvedProfile, Sample, Subject } from './subjects.js';

type MatmulWork = Extract<Work, { kind: 'matmul' }>;
type CollectiveWork = Extract<Work, { kind: 'collective' }>;

function matmulSeconds({ dtype, ...shape }: MatmulWork, { hardware }: ResolvedProfile): number | undefined {
  const { matmul, matrixUnit: unit, memoryBandwidth, corrections } = hardware.chip;
  const rate = matmul[dtype];
  if (rate === undefined) return undefined;
  const balance = rate.achievable / memoryBandwidth.achievable;
  const work = { batch: shape.batch, m: shape.m, n: shape.n, k: shape.k };
  const { paddedFlops = matmulFlops(work), splitBytes } = tilingOf(work, unit, balance);
  const kind = shape.batch > 1 ? 'batched-matmul' : 'matmul';
  const alone = computeTime(flops(paddedFlops), achievableRate(work, rate, unit, balance));
  return (corrections?.[kind] ?? 1) * (alone + memoryTime(bytes(splitBytes), hardware.chip));
}

function collectiveSeconds(work: CollectiveWork, { hardware, stack }: ResolvedProfile): number {
  const axis = 'data';
  const { name, ranks, bytes: held, algorithm } = work;
  const machine = createMachine({ hardware, mesh: createMesh({ [axis]: ranks }) });
  const offered =
    algorithm === undefined || name === 'permute' ? stack.collectives : { ...stack.collectives, [name]: [algorithm] };
  const network = createNetwork(machine, offered === undefined ? {} : { offered });
  const heldBytes = bytes(held);
  const shifts = name === 'permute' ? { shifts: [{ by: 1, bytes: heldBytes }] } : {};
  return toSeconds(timeAlone(network.collective({ name, axis, heldBytes, ...shifts }), network.sharing));
}

/** @returns undefined where the profile has no number for it */
function ownSeconds(work: Work, profile: ResolvedProfile): number | undefined {
  const { hardware } = profile;
  switch (work.kind) {
    case 'matmul':
      return matmulSeconds(work, profile);
    case 'memory':
      return memoryTime(bytes(work.bytes), hardware.chip);
    case 'vector':
      return computeTime(flops(work.flops), hardware.chip.vectorRate);
    case 'launch':
      return 0;
    case 'collective':
      return collectiveSeconds(work, profile);
  }
  const unknown: never = work;
  return unknown;
}

const launches = (work: Work): number => (work.kind === 'collective' ? 0 : work.kind === 'launch' ? work.ops : 1);

/** Standard deviation of the logarithm with a right profile: what a shape's kernel is off from what is interpolated. */
const NOISE = 0.1;

/** @returns nothing of work in types that the profile has no rate of */
export function workSubject({ group, source, ranks, spans, drift }: WorkEvidence): Subject {
  const samples = spans.map(({ id, seconds, spreadSeconds = 0 }): Sample => ({
    id,
    what: 'span',
    seconds: seconds / drift,
    floor: 0,
    noise: Math.hypot(NOISE, spreadSeconds / seconds),
  }));
  return {
    group,
    ranks,
    title: source,
    samples,
    predict: (profile) =>
      spans.map(({ work }, index) => {
        const { kernelLaunchOverhead, opOverhead } = profile.stack;
        const own = ownSeconds(work, profile);
        // What the profile says nothing of says nothing of the profile.
        if (own === undefined) return samples[index]!.seconds;
        return own + (launches(work) === 0 ? 0 : kernelLaunchOverhead + launches(work) * opOverhead);
      }),
  };
}
