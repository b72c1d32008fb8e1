/** Lists of instructions made by hand, on machines with round numbers. */
import type { Machine } from '../../../sim/index.js';
import { createNetwork } from '../../../sim/index.js';
import type { Instruction, RunId } from '../../../sim/instructions.js';
import type { KernelStep } from '../../../sim/plan.js';
import type { CollectiveRequest } from '../../../sim/network/index.js';
import type { UnfoldOptions } from '../../../sim/unfold/index.js';
import { bytes } from '../../../src/units.js';

/** What a chip does, with ids of runs counted. */
export class Steps {
  readonly instructions: Instruction[] = [];
  readonly #machine: Machine;
  #runs = 0;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  kernel(duration: number, after: readonly RunId[] = []): this {
    const step = {
      kind: 'kernel',
      op: { id: `kernel ${this.instructions.length}` },
      duration,
      hostDuration: 0,
      hostDelay: 0,
    } as unknown as KernelStep;
    this.instructions.push({ kind: 'kernel', step, after, iterations: [] });
    return this;
  }

  /** @returns its run */
  collective(
    name: CollectiveRequest['name'],
    axis: CollectiveRequest['axis'],
    heldBytes: number,
    { synchronous = false, after = [] as RunId[], operands = [] as RunId[] } = {},
  ): RunId {
    const run = this.#runs++;
    const shifts = [{ by: 1, bytes: bytes(heldBytes) }];
    const schedule = createNetwork(this.#machine).collective({ name, axis, heldBytes: bytes(heldBytes), shifts });
    const step = {
      kind: 'collective',
      op: { id: `${axis}/${run}` },
      index: run,
      name,
      axis,
      schedule,
      hostDuration: 0,
    };
    const instruction = { kind: 'collective', step, run, after, operands, synchronous, iterations: [] };
    this.instructions.push(instruction as unknown as Instruction);
    return run;
  }

  options(changes: Partial<UnfoldOptions> = {}): UnfoldOptions {
    const { chips, fabric } = this.#machine;
    return { chips, fabric, instructions: this.instructions, ...changes };
  }
}
