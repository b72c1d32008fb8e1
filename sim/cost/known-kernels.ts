/**
 * Kernels by what they are, whatever program they are of: the same ops on the same types cost the same and keep the same
 * from memory. Plans of a search have most of their kernels in common.
 */
import type { Chip, Stack } from '../../src/hardware/index.js';
import type { Op, Program, Role, Value, ValueId, ValueType } from '../../src/program/index.js';
import { ROLES, originOf } from '../../src/program/index.js';
import type { Widened } from './functions.js';
import { widenedOf } from './functions.js';
import type { ComputeChip, KernelCost } from './kernel.js';
import { kernelCost } from './kernel.js';
import { droppedElements } from './passes-beside.js';
import { unwrittenValues } from './pieces.js';

/** A number for each text, so that keys made of them are short. */
class Numbers<T extends object> {
  readonly #textOf: (one: T) => string;
  readonly #byText = new Map<string, number>();
  readonly #known = new WeakMap<T, number>();

  constructor(textOf: (one: T) => string) {
    this.#textOf = textOf;
  }

  of(one: T): number {
    let number = this.#known.get(one);
    if (number !== undefined) return number;
    const text = this.#textOf(one);
    number = this.#byText.get(text);
    if (number === undefined) this.#byText.set(text, (number = this.#byText.size));
    this.#known.set(one, number);
    return number;
  }
}

function typeText({ dtype, shape, states, stack }: ValueType): string {
  let text = `${dtype}[${shape.join()}]`;
  for (const axis in states) text += `${axis}${states[axis as keyof typeof states]}`;
  return stack === undefined ? text : `${text}*${stack}`;
}

interface Content {
  readonly key: string;
  /** Its values in the order in which they come. */
  readonly ids: readonly ValueId[];
}

/** What names of ops say of them beside what they do: which gradient it is. */
const tagOf = ({ id }: Op): string => (id.includes('#') ? id.slice(id.indexOf('#')) : '');

const opText = (op: Op): string => `${op.name}${tagOf(op)} ${op.phase} ${JSON.stringify(op.attributes)}`;

const ROLE_NUMBERS: Readonly<Record<Role, number>> = Object.fromEntries(
  ROLES.map((role, index) => [role, index]),
) as Record<Role, number>;

class KnownKernels {
  readonly #stack: Stack;
  readonly #types = new Numbers(typeText);
  readonly #ops = new Numbers(opText);
  readonly #unwritten = new Map<string, readonly number[]>();
  readonly #costs = new WeakMap<Chip, Map<string, KernelCost>>();

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  content(kernel: Op, values: readonly Value[], widened: Widened): Content {
    const ids: ValueId[] = [];
    const places = new Map<ValueId, number>();
    let key = '';
    const addValues = (all: readonly ValueId[]): void => {
      for (const id of all) {
        const known = places.get(id);
        if (known !== undefined) {
          key += ` ${known}`;
          continue;
        }
        places.set(id, ids.push(id) - 1);
        const { type, role } = values[id]!;
        key += ` ${ROLE_NUMBERS[role]}:${this.#types.of(type)}`;
        const narrow = widened.get(id);
        if (narrow !== undefined) key += `<${this.#types.of(values[narrow]!.type)}`;
      }
    };
    const add = (op: Op): void => {
      key += `,${this.#ops.of(op)}`;
      const dropped = droppedElements(op, values, this.#stack);
      if (dropped !== undefined) key += `/${dropped}`;
      addValues(op.operands);
      key += '>';
      addValues(op.results);
    };
    add(kernel);
    kernel.region?.ops.forEach(add);
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
