/**
 * Looks for the first number that is not finite in a run of a program: it checks the results of every kernel, and runs
 * one that made it again op by op. Runs are slower meanwhile, so it is used on runs that are made again.
 */
import type { Op, Phase, Program, ProgramInput, ValueId } from '../program/index.js';
import type { Seconds } from '../units.js';
import { coordinate } from '../mesh/index.js';
import type { KernelStep } from './compile.js';
import type { Binding } from './handle.js';
import { handlesOf } from './handle.js';
import type { HostTensor, KernelFamily, KernelSpec } from './kernels/family.js';
import { numbersOf } from './kernels/tensors.js';

/** Where numbers that are not finite come from: nothing that led to them is. */
export interface NonFinite {
  readonly kind: 'data' | 'state' | 'kernel' | 'collective';
  /** Of data and state its name, else the op as spans name it; of a kernel the op in it. */
  readonly place: string;
  /** `softmax`, `all_reduce`; of a kernel whose ops alone make no such number `kernel`. */
  readonly name: string;
  readonly phase?: Phase;
  readonly rank: number;
  readonly value: number;
  /** The index of the first of them in what the rank has of the tensor, and how many there are. */
  readonly index: number;
  readonly count: number;
  readonly elements: number;
  /** The largest magnitude of each operand. */
  readonly operands: readonly number[];
  /** When it was seen, on the clock that all ranks share. */
  readonly at: Seconds;
}

/** What is looked at: all, or the forward pass alone where gradients may overflow and their step is left out. */
export type Inspection = 'all' | 'forward';

type Counted = Pick<NonFinite, 'value' | 'index' | 'count' | 'elements'>;

/** The first number that is not finite. */
function nonFinite(tensor: HostTensor): Counted | undefined {
  const numbers = numbersOf(tensor);
  let found: Counted | undefined;
  let count = 0;
  for (let index = 0; index < numbers.length; index++) {
    const value = numbers[index]!;
    if (Number.isFinite(value)) continue;
    count++;
    found ??= { value, index, count, elements: numbers.length };
  }
  return found === undefined ? undefined : { ...found, count };
}

function largest(tensor: HostTensor): number {
  let found = 0;
  for (const value of numbersOf(tensor)) found = Math.max(found, Math.abs(value));
  return found;
}

const firstOf = (tensors: readonly HostTensor[]): Counted | undefined => {
  for (const tensor of tensors) {
    const found = nonFinite(tensor);
    if (found !== undefined) return found;
  }
  return undefined;
};

export class Inspector {
  /** The first on this rank. */
  found: NonFinite | undefined;
  readonly #family: KernelFamily;
  readonly #rank: number;
  readonly #clock: () => Seconds;
  readonly #inspection: Inspection;

  constructor(family: KernelFamily, rank: number, clock: () => Seconds, inspection: Inspection) {
    this.#family = family;
    this.#rank = rank;
    this.#clock = clock;
    this.#inspection = inspection;
  }

  #isLookedAt(phase: Phase): boolean {
    return this.found === undefined && (this.#inspection === 'all' || phase === 'forward');
  }

  #report(found: Omit<NonFinite, 'rank' | 'at'>): void {
    this.found = { ...found, rank: this.#rank, at: this.#clock() };
  }

  /** Data, or what the rank keeps from step to step. */
  input(input: ProgramInput, binding: Binding): void {
    const isData = input.kind === 'data';
    if (this.found !== undefined || (!isData && input.kind !== 'parameter' && input.kind !== 'optimizer')) return;
    const counted = firstOf([...handlesOf(binding)].map(({ data }) => data));
    if (counted === undefined) return;
    const place = input.kind === 'optimizer' ? `${input.slot} of ${input.parameter}` : input.name;
    this.#report({ kind: isData ? 'data' : 'state', place, name: input.kind, operands: [], ...counted });
  }

  /** @param operands as they were before it ran */
  async kernel(
    program: Program,
    { op, operands: ids }: KernelStep,
    span: string,
    operands: readonly HostTensor[],
    results: readonly HostTensor[],
  ): Promise<void> {
    if (!this.#isLookedAt(op.phase)) return;
    const counted = firstOf(results);
    if (counted === undefined || firstOf(operands) !== undefined) return;
    const whole = { kind: 'kernel', place: span, name: op.name, phase: op.phase, ...counted } as const;
    const culprit = await this.#findOp(program, op, span, new Map(ids.map((id, index) => [id, operands[index]!])));
    this.#report({ ...whole, operands: operands.map(largest), ...culprit });
  }

  /** The first op of a kernel that makes such a number when it runs alone. */
  async #findOp(program: Program, { region }: Op, span: string, values: Map<ValueId, HostTensor>) {
    const type: KernelSpec['type'] = (id) => program.values[id]!.type;
    const along: KernelSpec['coordinate'] = (axis) => coordinate(program.mesh, this.#rank, axis);
    for (const op of region?.ops ?? []) {
      const operandIds = [...new Set(op.operands)];
      const operands = operandIds.map((id) => values.get(id)!);
      const kernel = await this.#family.compile({
        ops: [op],
        operands: operandIds,
        results: op.results,
        type,
        coordinate: along,
      });
      const results = await kernel.run(operands);
      const counted = firstOf(results);
      const [, iterations = ''] = /(@[\d.]+)$/.exec(span) ?? [];
      const place = `${op.id}${iterations}`;
      if (counted !== undefined) return { place, name: op.name, ...counted, operands: operands.map(largest) };
      op.results.forEach((id, index) => values.set(id, results[index]!));
    }
    return {};
  }

  /** What a collective brought: too large a sum, unless a rank before this one has already seen what was sent. */
  collective(op: Op, span: string, results: readonly HostTensor[]): void {
    if (!this.#isLookedAt(op.phase)) return;
    const counted = firstOf(results);
    if (counted === undefined) return;
    this.#report({ kind: 'collective', place: span, name: op.name, phase: op.phase, operands: [], ...counted });
  }
}

/** Clocks of two threads differ by less, and no message is faster. */
const CLOCK_SECONDS = 1e-5;

/**
 * Of what the ranks have found first, what was there first. What a collective brought counts where nothing was found
 * before it, since it only passes on what a rank has sent.
 */
export function earliest(found: readonly (NonFinite | undefined)[]): NonFinite | undefined {
  const all = found.filter((one) => one !== undefined).toSorted((a, b) => a.at - b.at);
  const made = all.find(({ kind }) => kind !== 'collective');
  const [first] = all;
  return first === undefined || made === undefined || made.at > first.at + CLOCK_SECONDS ? first : made;
}
