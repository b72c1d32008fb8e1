/**
 * What a stack launches of a kernel's ops, one by one: matmuls, attention, and what lies between; and what each reads and
 * writes. What one makes for another is written and read, or made again by its reader, if the stack does that and fewer
 * bytes are moved.
 */
import type { Stack } from '../../src/hardware/index.js';
import { MeshwrightError } from '../../src/errors.js';
import type { ComputeName, MatmulWork, Op, Value, ValueId, Work } from '../../src/program/index.js';
import { isCompute, recordOf, typeBytes } from '../../src/program/index.js';
import type { AttentionGroup } from './attention.js';
import { isComputedOnce } from './fusion-rules.js';
import type { Widened } from './functions.js';
import { NONE_WIDENED, isView } from './functions.js';
import type { Placement } from './placement.js';
import { byCrossEntropy } from './cross-entropy.js';
import { passesBeside } from './passes-beside.js';
import { placeOps } from './placement.js';
import { readBytes } from './traffic.js';

export interface MatmulPart {
  readonly op: Op;
  readonly work: MatmulWork;
}

export interface Piece {
  /** Those of others that it makes again included. */
  readonly ops: readonly Op[];
  readonly matmuls: readonly MatmulPart[];
  readonly vectorFlops: number;
  readonly memoryBytes: number;
  readonly attention?: AttentionGroup;
}

function workOf(op: Op, values: readonly Value[]): Work {
  if (!isCompute(op.name)) {
    throw new MeshwrightError('INTERNAL', { place: op.id, expected: 'a compute op in a kernel', got: op.name });
  }
  const type = (id: ValueId) => values[id]!.type;
  return recordOf<ComputeName>(op.name).work(op.operands.map(type), op.results.map(type), op.attributes as never);
}

class Traffic {
  readonly #values: readonly Value[];
  readonly #placement: Placement;
  readonly #kept: ReadonlySet<ValueId>;
  readonly #stack: Stack;
  readonly #widened: Widened;
  /** By draft, what it reads of others and of outside. */
  readonly #reads: readonly ReadonlySet<ValueId>[];
  readonly #written = new Set<ValueId>();
  /** By draft, what it has to read in any case. */
  readonly #passReads: readonly Set<ValueId>[];

  constructor(
    ops: readonly Op[],
    values: readonly Value[],
    placement: Placement,
    stack: Stack,
    kept: ReadonlySet<ValueId>,
    widened: Widened,
  ) {
    this.#values = values;
    this.#widened = widened;
    this.#placement = placement;
    this.#stack = stack;
    this.#kept = kept;
    const { drafts, made } = placement;
    this.#reads = drafts.map((one, index) => {
      const operands = [...one.ops, ...one.sumsFor].flatMap((op) => op.operands);
      return new Set(operands.filter((id) => made.get(id)?.draft !== index));
    });
    this.#passReads = drafts.map(({ sumsFor }) => new Set(sumsFor.flatMap((op) => op.operands)));
    for (const op of ops) op.results.forEach((id) => this.#settle(id));
  }

  /** What a draft computes, reads and writes; nothing where others make again all that they would have of it. */
  piece(index: number): Piece | undefined {
    const { made } = this.#placement;
    const { kind, ops, sumsFor, attention } = this.#placement.drafts[index]!;
    const computed = new Set<Op>();
    const read = new Map<ValueId, number>();
    const reads = (op: Op): void =>
      op.operands.forEach((id, operand) => {
        const source = made.get(id);
        if (source !== undefined && this.#makes(source.op, id, index, read)) compute(source.op);
        else read.set(id, Math.max(read.get(id) ?? 0, this.#readBytes(op, operand)));
      });
    const compute = (op: Op): void => {
      if (computed.has(op)) return;
      computed.add(op);
      reads(op);
    };
    const all = kind !== 'loose' || this.#stack.elementwise === 'none';
    for (const [place, op] of ops.entries())
      if (kind === 'attention' || (all && place === 0) || op.results.some((id) => this.#written.has(id))) compute(op);
    sumsFor.forEach(reads);
    if (computed.size === 0 && sumsFor.length === 0) return undefined;
    let memoryBytes = 0;
    for (const size of read.values()) memoryBytes += size;
    let vectorFlops = 0;
    const matmuls: MatmulPart[] = [];
    for (const op of computed) {
      const work = workOf(op, this.#values);
      vectorFlops += work.vectorFlops;
      if (work.matmul !== undefined) matmuls.push({ op, work: work.matmul });
      for (const id of op.results)
        if (this.#written.has(id) && made.get(id)!.draft === index) memoryBytes += this.#bytes(id);
    }
    return { ops: [...computed], matmuls, vectorFlops, memoryBytes, ...(attention === undefined ? {} : { attention }) };
  }

  isWritten(id: ValueId): boolean {
    return this.#written.has(id);
  }

  #bytes(id: ValueId): number {
    return typeBytes(this.#values[id]!.type);
  }

  #readBytes(op: Op, operand: number): number {
    const id = op.operands[operand]!;
    const widened = this.#stack.elementwise === 'function' ? this.#widened.get(id) : undefined;
    return widened === undefined ? readBytes(op, operand, this.#values) : this.#bytes(widened);
  }

  /** Whether a draft computes a value that it needs, instead of reading it. */
  #makes(op: Op, id: ValueId, index: number, read: ReadonlyMap<ValueId, number>): boolean {
    if (this.#placement.made.get(id)!.draft === index || !this.#written.has(id)) return true;
    if (this.#stack.operands === 'separate' || !this.#canBeMadeAgain(id)) return false;
    let sources = 0;
    for (const source of this.#sourcesOf(op)) {
      if (this.#placement.made.has(source) && !this.#written.has(source)) return false;
      if (!read.has(source)) sources += this.#bytes(source);
    }
    return sources < this.#bytes(id);
  }

  /** Whether a value needs no memory of its own, whoever reads it: another shape, or a wider type, of what is there. */
  #isFree(id: ValueId): boolean {
    const { op } = this.#placement.made.get(id)!;
    return isView(op) || this.#widened.has(id);
  }

  #keep(id: ValueId): void {
    if (this.#placement.made.has(id)) this.#written.add(id);
  }

  /** The other drafts that need a value. */
  #readers(id: ValueId): number[] {
    const { draft } = this.#placement.made.get(id)!;
    return [...this.#reads.keys()].filter((index) => index !== draft && this.#reads[index]!.has(id));
  }

  /** Whether a value is worth computing in another place than its own. */
  #canBeMadeAgain(id: ValueId): boolean {
    const { op, draft, streams } = this.#placement.made.get(id)!;
    const { kind, ops } = this.#placement.drafts[draft]!;
    return streams && !isComputedOnce(op) && (kind === 'loose' || ops[0] !== op);
  }

  /** Decides, for values in the order they are made, which are written: those that are kept, and what readers can't make. */
  #settle(id: ValueId): void {
    const { operands, elementwise } = this.#stack;
    const readers = this.#readers(id);
    const inAttention = this.#placement.drafts[this.#placement.made.get(id)!.draft]!.kind === 'attention';
    if ((elementwise === 'none' && (readers.length > 0 || !inAttention)) || this.#kept.has(id)) this.#written.add(id);
    if (elementwise === 'function' && this.#isFree(id)) {
      // Another kernel has it as what it is made of.
      if (this.#written.delete(id))
        for (const source of this.#sourcesOf(this.#placement.made.get(id)!.op)) this.#keep(source);
      return;
    }
    if (readers.length === 0 || this.#written.has(id)) return;
    const { drafts, made } = this.#placement;
    const { op, draft } = made.get(id)!;
    const readByAttention = readers.some((index) => drafts[index]!.kind === 'attention');
    if (operands === 'separate' || readByAttention || !this.#canBeMadeAgain(id)) {
      this.#written.add(id);
      return;
    }
    const sources = [...this.#sourcesOf(op)];
    const unwritten = sources.filter((source) => made.has(source) && !this.#written.has(source));
    const sum = (ids: readonly ValueId[]): number => ids.reduce((total, one) => total + this.#bytes(one), 0);
    let again = sum(unwritten);
    for (const index of readers) again += sum(sources.filter((source) => !this.#reads[index]!.has(source)));
    let once = (1 + readers.length) * this.#bytes(id);
    // A pass that is there for it alone reads what it is made of.
    const loose = drafts[draft]!.kind === 'loose';
    const passReads = this.#passReads[draft]!;
    if (loose) once += sum(unwritten) + sum(sources.filter((source) => !passReads.has(source)));
    if (again > once) this.#written.add(id);
    if (again <= once || loose) unwritten.forEach((source) => this.#written.add(source));
    if (again > once) sources.forEach((source) => passReads.add(source));
  }

  /** What has to be read to make an op's results again: what is written, or can't be made again itself. */
  #sourcesOf(op: Op, found = new Set<ValueId>()): ReadonlySet<ValueId> {
    for (const id of op.operands) {
      const source = this.#placement.made.get(id);
      if (source === undefined || this.#written.has(id) || !this.#canBeMadeAgain(id)) found.add(id);
      else this.#sourcesOf(source.op, found);
    }
    return found;
  }
}

function trafficOf(
  ops: readonly Op[],
  values: readonly Value[],
  stack: Stack,
  kept: ReadonlySet<ValueId>,
  widened: Widened,
) {
  const placement = placeOps(ops, values, stack, kept, (op) => workOf(op, values).matmul !== undefined);
  return { placement, traffic: new Traffic(ops, values, placement, stack, kept, widened) };
}

/**
 * @param kept what the kernel leaves for others
 * @param widened by what is cast to a wider type and needs no memory of its own, what is cast
 */
export function piecesOf(
  ops: readonly Op[],
  values: readonly Value[],
  stack: Stack,
  kept: ReadonlySet<ValueId>,
  widened: Widened = NONE_WIDENED,
): Piece[] {
  const { placement, traffic } = trafficOf(ops, values, stack, kept, widened);
  const pieces = placement.drafts.flatMap((_, index) => traffic.piece(index) ?? []);
  const beside = ops.flatMap((op) =>
    passesBeside(op, values, stack).map((pass) => ({ ops: [op], matmuls: [], ...pass })),
  );
  return [...pieces.flatMap((piece) => byCrossEntropy(piece, values, stack)), ...beside];
}

/** What ops make that never reaches memory; as of `piecesOf`. */
export function unwrittenValues(
  ops: readonly Op[],
  values: readonly Value[],
  stack: Stack,
  kept: ReadonlySet<ValueId>,
  widened: Widened = NONE_WIDENED,
): ReadonlySet<ValueId> {
  const { placement, traffic } = trafficOf(ops, values, stack, kept, widened);
  return new Set([...placement.made.keys()].filter((id) => !traffic.isWritten(id)));
}
