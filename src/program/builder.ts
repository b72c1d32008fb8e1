/**
 * Builds programs: declares values, emits ops with inferred types and stable ids, nests regions. A builder is the only
 * mutable thing here; `finish` gives the immutable program.
 */
import type { Mesh } from '../mesh/index.js';
import type { Attributes, ComputeName, MoveName, TransferName } from './ops/index.js';
import { inferTypes, invalid } from './ops/index.js';
import type {
  Op,
  Phase,
  Program,
  ProgramInput,
  ProgramOutput,
  Region,
  Role,
  Value,
  ValueId,
  ValueType,
} from './types.js';
import { regionOps, unstacked } from './types.js';

type Recorded = ComputeName | MoveName | TransferName;

export interface EmitOptions {
  readonly id: string;
  readonly phase: Phase;
  readonly role?: Role;
  readonly asynchronous?: boolean;
  readonly queued?: boolean;
  readonly unread?: boolean;
}

export interface RepeatOptions extends Omit<EmitOptions, 'asynchronous' | 'queued' | 'unread'> {
  readonly count: number;
  readonly reverse?: boolean;
  readonly carried: readonly ValueId[];
  readonly stacked: readonly ValueId[];
}

export interface RepeatBody {
  readonly carried: readonly ValueId[];
  readonly stacked: readonly ValueId[];
}

export class Builder {
  readonly mesh: Mesh;
  readonly #values: Value[];
  readonly #ids = new Map<string, number>();
  #block: Op[] = [];

  constructor(mesh: Mesh, values: readonly Value[] = []) {
    this.mesh = mesh;
    this.#values = [...values];
  }

  /** Continues a program: same values, and its ops' ids are taken. Its ops are added with `append`. */
  static from(program: Program): Builder {
    return new Builder(program.mesh, program.values);
  }

  value(type: ValueType, role: Role, name?: string): ValueId {
    this.#values.push(name === undefined ? { type, role } : { type, role, name });
    return this.#values.length - 1;
  }

  type(id: ValueId): ValueType {
    return this.#values[id]!.type;
  }

  nameOf(id: ValueId): string | undefined {
    return this.#values[id]!.name;
  }

  role(id: ValueId): Role {
    return this.#values[id]!.role;
  }

  /** Adds ops that exist already, reserving their ids. */
  append(ops: readonly Op[]): void {
    this.reserve(ops);
    this.#block.push(...ops);
  }

  /** Takes the ids of ops that a pass will place itself, so that new ones do not collide with them. */
  reserve(ops: readonly Op[]): void {
    for (const op of ops) {
      this.#ids.set(op.id, Math.max(1, this.#ids.get(op.id) ?? 0));
      if (op.region) this.reserve(regionOps(op.region));
    }
  }

  /** What a value is for is known late for gradients: when it turns out to be a parameter's. */
  assignRole(id: ValueId, role: Role): void {
    this.#values[id] = { ...this.#values[id]!, role };
  }

  /** Adds an op whose results exist already; its id is made unique. */
  push(op: Op): void {
    this.#block.push({ ...op, id: this.uniqueId(op.id) });
  }

  /** Another type for a value that nothing was inferred from yet, or whose readers are made anew. */
  retype(id: ValueId, type: ValueType): void {
    this.#values[id] = { ...this.#values[id]!, type };
  }

  /** A value like another, with its role and name. */
  copyOf(id: ValueId): ValueId {
    this.#values.push(this.#values[id]!);
    return this.#values.length - 1;
  }

  /** Ids are unique: a second op of the same id gets `.2`. */
  uniqueId(id: string): string {
    const count = (this.#ids.get(id) ?? 0) + 1;
    this.#ids.set(id, count);
    if (count === 1) return id;
    return this.uniqueId(`${id}.${count}`);
  }

  emitAll<N extends Recorded>(
    name: N,
    operands: readonly ValueId[],
    attributes: Attributes[N],
    options: EmitOptions,
  ): ValueId[] {
    const types = inferTypes(
      name,
      operands.map((operand) => this.type(operand)),
      attributes,
      this.mesh,
    );
    const results = types.map((type) => this.value(type, options.role ?? 'activation'));
    const { phase, asynchronous = false, queued = false, unread = false } = options;
    const op: Op = { name, id: this.uniqueId(options.id), phase, operands, results, attributes };
    this.#block.push({
      ...op,
      ...(asynchronous ? { asynchronous } : {}),
      ...(asynchronous && queued ? { queued } : {}),
      ...(unread ? { unread } : {}),
    });
    return results;
  }

  emit<N extends Recorded>(
    name: N,
    operands: readonly ValueId[],
    attributes: Attributes[N],
    options: EmitOptions,
  ): ValueId {
    return this.emitAll(name, operands, attributes, options)[0]!;
  }

  /** Runs `build` with a block of its own and gives the ops it emitted. */
  block<T>(build: () => T): { ops: Op[]; result: T } {
    const outer = this.#block;
    this.#block = [];
    try {
      const result = build();
      return { ops: this.#block, result };
    } finally {
      this.#block = outer;
    }
  }

  /**
   * A region repeated `count` times; see `StructureAttributes.repeat`. `body` gets the carried values and one element
   * of each stacked value, and gives the next carried values and the elements to stack.
   */
  repeat(options: RepeatOptions, body: (args: RepeatBody) => RepeatBody): RepeatBody {
    const { count } = options;
    const carried = options.carried.map((id) => this.value(this.type(id), this.role(id)));
    const elements = options.stacked.map((id) => {
      const type = this.type(id);
      if (type.stack !== count)
        throw invalid(options.id, `stacks of ${count}`, `a value of ${type.stack ?? 'no'} elements`);
      return this.value(unstacked(type), this.role(id), this.#values[id]!.name);
    });
    const { ops, result } = this.block(() => body({ carried, stacked: elements }));
    const region: Region = { args: [...carried, ...elements], ops, results: [...result.carried, ...result.stacked] };
    const finals = result.carried.map((id) => this.value(this.type(id), this.role(id)));
    const stacks = result.stacked.map((id) => this.value({ ...this.type(id), stack: count }, this.role(id)));
    this.#block.push({
      name: 'repeat',
      id: this.uniqueId(options.id),
      phase: options.phase,
      operands: [...options.carried, ...options.stacked],
      results: [...finals, ...stacks],
      attributes: { count, carried: carried.length, reverse: options.reverse ?? false },
      region,
    });
    return { carried: finals, stacked: stacks };
  }

  finish(inputs: readonly ProgramInput[], outputs: readonly ProgramOutput[]): Program {
    return { mesh: this.mesh, values: this.#values, inputs, ops: this.#block, outputs };
  }
}

/** Attributes of an op whose name is known, which a union of all ops hides from the compiler. */
export const attributesOf = <N extends Op['name']>(op: Op, name: N): Attributes[N] => {
  if (op.name !== name) throw invalid(op.id, name, op.name);
  return op.attributes as Attributes[N];
};
