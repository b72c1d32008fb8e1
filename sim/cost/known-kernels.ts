/**
 * Kernels by what they are, whatever program they are of: the same ops on the same types cost the same and keep the same
 * from memory. Plans of a search have most of their kernels in common.
 */
import type { Chip, Stack } from '../../src/hardware/index.js';
import type { Op, Program, Value, ValueId, ValueType } from '../../src/program/index.js';
import { originOf } from '../../src/program/index.js';
import type { Widened } from './functions.js';
import { widenedOf } from './functions.js';
import type { ComputeChip, KernelCost } from './kernel.js';
import { kernelCost } from './kernel.js';
import { droppedElements } from './passes-beside.js';
import { unwrittenValues } from './pieces.js';

const typeTexts = new WeakMap<ValueType, string>();

function typeText(type: ValueType): string {
  let text = typeTexts.get(type);
  if (text === undefined) {
    const { dtype, shape, states, stack } = type;
    text = `${dtype}[${shape.join()}]`;
    for (const axis in states) text += `${axis}${states[axis as keyof typeof states]}`;
    if (stack !== undefined) text += `*${stack}`;
    typeTexts.set(type, text);
  }
  return text;
}

interface Content {
  readonly key: string;
  /** Its values in the order in which they come. */
  readonly ids: readonly ValueId[];
}

/** What names of ops say of them beside what they do: which gradient it is. */
const tagOf = ({ id }: Op): string => (id.includes('#') ? id.slice(id.indexOf('#')) : '');

class KnownKernels {
  readonly #stack: Stack;
  /** By all that is to be known of an op in its kernel: keys of kernels are made of numbers, so that they are short. */
  readonly #numbers = new Map<string, number>();
  readonly #unwritten = new Map<string, readonly number[]>();
  readonly #costs = new WeakMap<Chip, Map<string, KernelCost>>();

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  content(kernel: Op, values: readonly Value[], widened: Widened): Content {
    const ids: ValueId[] = [];
    const places = new Map<ValueId, number>();
    const valueText = (id: ValueId): string => {
      const known = places.get(id);
      if (known !== undefined) return ` ${known}`;
      places.set(id, ids.push(id) - 1);
      const { type, role } = values[id]!;
      const narrow = widened.get(id);
      return ` ${role} ${typeText(type)}${narrow === undefined ? '' : `<${typeText(values[narrow]!.type)}`}`;
    };
    const numberOf = (op: Op): number => {
      let text = `${op.name}${tagOf(op)} ${op.phase} ${JSON.stringify(op.attributes)}`;
      const dropped = droppedElements(op, values, this.#stack);
      if (dropped !== undefined) text += ` ${dropped}`;
      for (const id of op.operands) text += valueText(id);
      text += ' →';
      for (const id of op.results) text += valueText(id);
      let number = this.#numbers.get(text);
      if (number === undefined) this.#numbers.set(text, (number = this.#numbers.size));
      return number;
    };
    let key = `${numberOf(kernel)}`;
    for (const op of kernel.region?.ops ?? []) key += ` ${numberOf(op)}`;
    return { key, ids };
  }

  cost(kernel: Op, values: readonly Value[], content: Content, machine: ComputeChip, widened: Widened): KernelCost {
    const { chip, computeSlowdown, matmulSlowdown = 1 } = machine;
    let known = this.#costs.get(chip);
    if (known === undefined) this.#costs.set(chip, (known = new Map()));
    const key = `${computeSlowdown} ${matmulSlowdown} ${content.key}`;
    let cost = known.get(key);
    if (cost === undefined) known.set(key, (cost = kernelCost(kernel, values, machine, this.#stack, widened)));
    return cost;
  }

  unwritten(kernel: Op, values: readonly Value[], { key, ids }: Content, widened: Widened): ReadonlySet<ValueId> {
    let places = this.#unwritten.get(key);
    if (places === undefined) {
      const found = unwrittenValues(kernel.region!.ops, values, this.#stack, new Set(kernel.results), widened);
      places = [...found].map((id) => ids.indexOf(id));
      this.#unwritten.set(key, places);
    }
    return new Set(places.map((place) => ids[place]!));
  }
}

const known = new WeakMap<Stack, KnownKernels>();

/** A program's kernels as a stack runs them. */
export class ProgramKernels {
  readonly #values: readonly Value[];
  readonly #stack: Stack;
  readonly #widened: Widened;
  readonly #known: KnownKernels;
  readonly #contents = new Map<Op, Content>();

  constructor(program: Program, stack: Stack) {
    this.#values = program.values;
    this.#stack = stack;
    this.#widened = widenedOf(program, stack.norms);
    let shared = known.get(stack);
    if (shared === undefined) known.set(stack, (shared = new KnownKernels(stack)));
    this.#known = shared;
  }

  #content(kernel: Op): Content {
    let found = this.#contents.get(kernel);
    if (found === undefined)
      this.#contents.set(kernel, (found = this.#known.content(kernel, this.#values, this.#widened)));
    return found;
  }

  /**
   * As `kernelCost`.
   *
   * @throws MeshwrightError DTYPE_UNSUPPORTED for a matmul in a type without a rate
   */
  cost(kernel: Op, machine: ComputeChip): KernelCost {
    // What ranks do to each other is asked for kind by kind.
    if (machine.workSlowdown !== undefined)
      return kernelCost(kernel, this.#values, machine, this.#stack, this.#widened);
    return this.#known.cost(kernel, this.#values, this.#content(kernel), machine, this.#widened);
  }

  /** What of a kernel's values never reaches memory. */
  unwritten(kernel: Op): ReadonlySet<ValueId> {
    return this.#known.unwritten(kernel, this.#values, this.#content(kernel), this.#widened);
  }
}

const programs = new WeakMap<Program, WeakMap<Stack, ProgramKernels>>();

/** The same for the same program and stack. */
export function kernelsOf(program: Program, stack: Stack): ProgramKernels {
  const origin = originOf(program);
  let byStack = programs.get(origin);
  if (byStack === undefined) programs.set(origin, (byStack = new WeakMap()));
  let found = byStack.get(stack);
  if (found === undefined) byStack.set(stack, (found = new ProgramKernels(origin, stack)));
  return found;
}
