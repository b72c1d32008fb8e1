/** Buffers and the account of what is live: counted, not filled. */
import type { Op, Role } from '../types.js';

export const ROLES = ['parameter', 'gradient', 'optimizer', 'activation', 'input'] as const satisfies readonly Role[];

export interface Buffer {
  readonly size: number;
  readonly role: Role;
  /** Counts allocations. */
  readonly serial: number;
  /** Values, stacks and collectives under way that need it; it is freed with the last. */
  holders: number;
  /** The collective that is still to fill it. */
  pending?: Pending;
}

/** A tensor or a stack of them. */
export type Binding = Buffer | Buffer[];

/** A collective under way: it holds its operands until it is known to be done. */
export interface Pending {
  readonly op: Op;
  /** Emptied when it is done, with what it waited for. */
  operands: readonly Buffer[];
  /** Others, whose results it reads: done when it is. */
  after: readonly Pending[];
  settled: boolean;
}

const indexOf: Readonly<Record<Role, number>> = { parameter: 0, gradient: 1, optimizer: 2, activation: 3, input: 4 };

/** What was live, at its highest, while an op ran. */
export interface MemorySample {
  /** At which of the ops of a kernel that was, or of the structure after it. */
  readonly opId: string;
  readonly totalBytes: number;
  /** In the order of `ROLES`. */
  readonly liveBytes: readonly number[];
}

export class Account {
  /** Bytes by role, in the order of `ROLES`. */
  readonly live = ROLES.map(() => 0);
  total = 0;
  allocations = 0;
  peak = 0;
  peakByRole: readonly number[] = [...this.live];
  peakOpId = 'start';
  /** One for each kernel and collective in the order of issue, where they are kept; the first is what a step begins with. */
  readonly samples: MemorySample[] | undefined;

  readonly #only: Role | undefined;

  /** @param only the role that counts; all unless given */
  constructor(sampling: boolean, only?: Role) {
    this.samples = sampling ? [] : undefined;
    this.#only = only;
  }

  allocate(bytes: number, role: Role): Buffer {
    const size = this.#only === undefined || role === this.#only ? bytes : 0;
    this.add(indexOf[role], size);
    return { size, role, serial: this.allocations++, holders: 0 };
  }

  add(role: number, size: number): void {
    this.live[role]! += size;
    this.total += size;
  }

  hold(binding: Binding): void {
    if (Array.isArray(binding)) for (const buffer of binding) buffer.holders++;
    else binding.holders++;
  }

  release(binding: Binding): void {
    if (Array.isArray(binding)) for (const buffer of binding) this.#release(buffer);
    else this.#release(binding);
  }

  #release(buffer: Buffer): void {
    buffer.holders--;
    if (buffer.holders === 0) this.add(indexOf[buffer.role], -buffer.size);
  }

  /** A collective is known to be done. */
  settle(pending: Pending | undefined): void {
    if (pending === undefined || pending.settled) return;
    const { operands, after } = pending;
    pending.settled = true;
    pending.operands = [];
    pending.after = [];
    for (const buffer of operands) this.#release(buffer);
    for (const other of after) this.settle(other);
  }

  /** A kernel or collective begins. */
  begin(opId: string): void {
    this.samples?.push({ opId, totalBytes: this.total, liveBytes: [...this.live] });
  }

  mark(opId: string): void {
    if (this.samples && this.total > this.samples.at(-1)!.totalBytes)
      this.samples[this.samples.length - 1] = { opId, totalBytes: this.total, liveBytes: [...this.live] };
    if (this.total <= this.peak) return;
    this.peak = this.total;
    this.peakByRole = [...this.live];
    this.peakOpId = opId;
  }
}
