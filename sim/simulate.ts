/** One simulated training step as a document: how long, how well used, and where the time goes. */
import type { Hardware, Stack } from '../src/hardware/index.js';
import { MeshwrightError } from '../src/errors.js';
import type { AxisName } from '../src/mesh/index.js';
import { formatMesh } from '../src/mesh/index.js';
import type { FloatType, Program, Role } from '../src/program/index.js';
import { forEachOp, hostBytes, isCompute, matmulFlops as matmulFlopsOf, recordOf } from '../src/program/index.js';
import type { Bytes, Flops } from '../src/units.js';
import { bytes } from '../src/units.js';
import type { Ticks } from './engine/index.js';
import { addTicks, ticks, toSeconds } from './engine/index.js';
import type { Execution, ExecutionOptions } from './executor.js';
import { execute } from './executor.js';
import type { TicksByCategory, TimeCategory } from './categories.js';
import { mapCategories, ticksByCategory } from './categories.js';
import type { ExposureTotals } from './exposure.js';
import type { LinkSummary } from './links.js';
import { linkUses, summarizeLinks } from './links.js';
import type { Machine } from './machine/index.js';
import { reservedMemory } from './reserved-memory.js';
import type { UnfoldedSummary } from './unfolded-summary.js';
import { summarizeUnfolded } from './unfolded-summary.js';
import type { UnfoldRequest } from './unfold/index.js';

/** The peak of a chip's memory, from the liveness analysis. */
export interface MemoryInput {
  readonly peakBytes: Bytes;
  readonly byRole: Readonly<Partial<Record<Role, Bytes>>>;
  readonly peakOpId: string;
}

export interface SimulationInput extends ExecutionOptions {
  /** After `fuse`. */
  readonly program: Program;
  /** Made for the program's mesh. */
  readonly machine: Machine;
  readonly stack: Stack;
  /** Matmul FLOPs of the unsharded step, forward and backward, nothing recomputed: what MFU counts. */
  readonly modelFlops: Flops;
  /** Of the whole step, over all chips. */
  readonly tokensPerStep: number;
  readonly memory: MemoryInput;
  /** Runs every chip and link, which is done in any case where the machine has slow chips. */
  readonly unfold?: UnfoldRequest;
}

export interface SimulationResult {
  readonly schema: 'meshwright/simulation@1';
  readonly hardware: string;
  readonly stack: string;
  readonly mesh: string;
  readonly chips: number;
  /** Lengths of the torus' dimensions, or null. */
  readonly slice: readonly number[] | null;
  /** What each mesh axis lies on. */
  readonly placement: Readonly<Partial<Record<AxisName, readonly string[]>>>;
  readonly dtype: FloatType;
  /**
   * One chip was simulated and stands for all, exactly; false where chips or links differ. Then every chip was run, or,
   * where `unfolded` is null, times are an estimate.
   */
  readonly folded: boolean;
  /** Every chip and link was run: times are those of the chip that ends last. Null where one chip was. */
  readonly unfolded: UnfoldedSummary | null;
  readonly stepTimeSeconds: number;
  readonly tokensPerSecond: number;
  readonly tokensPerSecondPerChip: number;
  readonly mfu: number;
  readonly hfu: number;
  readonly mfuConvention: string;
  readonly peakFlopsPerSecondPerChip: number;
  readonly peakVersion: number | null;
  readonly modelFlops: number;
  /** Of matmuls, without what a fused causal attention leaves out. */
  readonly executedFlopsPerChip: number;
  /** Adds up to the step time. */
  readonly timeByCategorySeconds: Readonly<Record<TimeCategory, number>> & { readonly bubble?: number };
  /** Matmul, memory, vector, contention and optimizer; not variation, which launches have a part in. */
  readonly computeSeconds: number;
  /** Overhead and host. */
  readonly overheadSeconds: number;
  readonly exposedCommunicationSeconds: number;
  readonly exposedCommunicationByAxisSeconds: Readonly<Partial<Record<AxisName, number>>>;
  /** Communication beside kernels or the host; what several collectives hide at once counts once. */
  readonly hiddenCommunicationSeconds: number;
  /** Hidden over hidden and exposed; null where nothing is sent. */
  readonly overlapFraction: number | null;
  readonly peakMemoryBytesPerChip: number;
  readonly memoryBytesByRole: Readonly<Partial<Record<Role, number>>>;
  readonly peakMemoryOpId: string;
  readonly memoryCapacityBytesPerChip: number;
  /** What the runtime keeps for itself. */
  readonly reservedMemoryBytesPerChip: number;
  /** Of a plan that keeps optimizer state in the memory of the chips' hosts: what a chip keeps there, of its share. */
  readonly hostMemory?: { readonly bytesPerChip: number; readonly capacityBytesPerChip: number };
  /** In the chip's memory, and in its share of the host's. */
  readonly fits: boolean;
  readonly links: LinkSummary;
}

const MFU_CONVENTION =
  'matmul FLOPs (attention included, causal not halved) of the unsharded forward and backward pass, nothing recomputed, over peak';

/** The type that most matmul FLOPs are computed in, which is the one whose peak counts. */
export function matmulDtype(programs: readonly Program[], fallback: FloatType): FloatType {
  const total = new Map<FloatType, number>();
  for (const program of programs) {
    const type = (id: number) => program.values[id]!.type;
    forEachOp(program.ops, (op, times) => {
      if (!isCompute(op.name)) return;
      const { matmul } = recordOf(op.name).work(op.operands.map(type), op.results.map(type), op.attributes as never);
      if (matmul === undefined) return;
      const dtype = type(op.operands[0]!).dtype as FloatType;
      total.set(dtype, (total.get(dtype) ?? 0) + times * matmulFlopsOf(matmul));
    });
  }
  return [...total].reduce((most, one) => (one[1] > most[1] ? one : most), [fallback, 0] as const)[0];
}

const sumOf = (of: TicksByCategory, categories: readonly TimeCategory[]): Ticks =>
  categories.reduce((total, category) => addTicks(total, of[category]), ticks(0));

/** What a step came to, however it was run. */
export interface StepFigures {
  readonly dtype: FloatType;
  readonly folded: boolean;
  readonly unfolded: UnfoldedSummary | null;
  readonly duration: Ticks;
  /** Adds up to the step, with what else `extra` has. */
  readonly byCategory: TicksByCategory;
  readonly extra?: { readonly bubble: Ticks };
  readonly exposure: ExposureTotals;
  /** Of a chip, on average. */
  readonly matmulFlops: number;
  readonly memory: MemoryInput;
  /** What a chip keeps in its host's memory. */
  readonly hostBytes: Bytes;
  readonly linkBytes: Float64Array;
}

/** A chip's share of its host's memory. */
export const hostShare = ({ host }: Pick<Hardware, 'host'>): Bytes =>
  bytes(host === undefined ? 0 : host.memoryCapacity / host.chips);

/** What is asked of a step, whether it is one program or a pipeline's. */
export type StepInput = Pick<SimulationInput, 'machine' | 'stack' | 'modelFlops' | 'tokensPerStep'>;

export function stepDocument(input: StepInput, figures: StepFigures): SimulationResult {
  const { machine, stack, modelFlops, tokensPerStep } = input;
  const {
    dtype,
    folded,
    unfolded,
    byCategory,
    extra,
    exposure,
    matmulFlops,
    memory,
    hostBytes: kept,
    linkBytes,
  } = figures;
  const { hardware, chip, chips } = machine;
  const { exposed, exposedByAxis, hidden } = exposure;
  const stepSeconds = toSeconds(figures.duration);
  const peak = (chip.matmul[dtype] ?? chip.matmul[hardware.defaultDtype]!).peak;
  const available = peak * chips * stepSeconds;
  const time = (value: Ticks): number => toSeconds(value);
  const reserved = reservedMemory(chip, stack, machine.mesh, memory);
  return {
    schema: 'meshwright/simulation@1',
    hardware: hardware.name,
    stack: stack.name,
    mesh: formatMesh(machine.mesh),
    chips,
    slice: machine.slice ?? null,
    placement: Object.fromEntries(
      [...machine.stages].map(([axis, stages]) => [axis, stages.map(({ label }) => label)]),
    ),
    dtype,
    folded,
    unfolded,
    stepTimeSeconds: stepSeconds,
    tokensPerSecond: tokensPerStep / stepSeconds,
    tokensPerSecondPerChip: tokensPerStep / stepSeconds / chips,
    mfu: modelFlops / available,
    hfu: (matmulFlops * chips) / available,
    mfuConvention: MFU_CONVENTION,
    peakFlopsPerSecondPerChip: peak,
    peakVersion: chip.peakVersion ?? null,
    modelFlops,
    executedFlopsPerChip: matmulFlops,
    timeByCategorySeconds: {
      ...mapCategories((category) => time(byCategory[category])),
      ...(extra === undefined ? {} : { bubble: time(extra.bubble) }),
    },
    computeSeconds: time(sumOf(byCategory, ['matmul', 'memory', 'vector', 'contention', 'optimizer'])),
    overheadSeconds: time(sumOf(byCategory, ['overhead', 'host'])),
    exposedCommunicationSeconds: time(exposed),
    exposedCommunicationByAxisSeconds: Object.fromEntries(
      Object.entries(exposedByAxis).map(([axis, value]) => [axis, time(value)]),
    ),
    hiddenCommunicationSeconds: time(hidden),
    overlapFraction: hidden + exposed === 0 ? null : hidden / (hidden + exposed),
    peakMemoryBytesPerChip: memory.peakBytes,
    memoryBytesByRole: { ...memory.byRole },
    peakMemoryOpId: memory.peakOpId,
    memoryCapacityBytesPerChip: chip.memoryCapacity,
    reservedMemoryBytesPerChip: reserved,
    ...(kept === 0 ? {} : { hostMemory: { bytesPerChip: kept, capacityBytesPerChip: hostShare(hardware) } }),
    fits: memory.peakBytes <= chip.memoryCapacity - reserved && kept <= hostShare(hardware),
    links: summarizeLinks(linkUses(machine, linkBytes, stepSeconds)),
  };
}

/** As `simulate`, with the execution behind it: its trace, and what every kernel costs. */
export function simulateExecution(input: SimulationInput): { result: SimulationResult; execution: Execution } {
  const { program, machine, stack, memory } = input;
  if (formatMesh(program.mesh) !== formatMesh(machine.mesh)) {
    const [expected, got] = [formatMesh(machine.mesh), formatMesh(program.mesh)];
    throw new MeshwrightError('INTERNAL', { place: "the program's mesh", expected, got });
  }
  const execution = execute(program, machine, stack, input);
  const { folded, duration, exposure, matmulFlops, linkBytes } = execution;
  const result = stepDocument(input, {
    dtype: matmulDtype([program], machine.hardware.defaultDtype),
    folded,
    unfolded: execution.unfolded ? summarizeUnfolded(execution.unfolded, input.unfold) : null,
    duration,
    byCategory: ticksByCategory(execution),
    exposure,
    matmulFlops,
    memory,
    hostBytes: hostBytes(program),
    linkBytes,
  });
  return { result, execution };
}

/**
 * Simulates one training step.
 *
 * @throws MeshwrightError DTYPE_UNSUPPORTED when the chip has no matmul rate for a type of the program
 */
export const simulate = (input: SimulationInput): SimulationResult => simulateExecution(input).result;
