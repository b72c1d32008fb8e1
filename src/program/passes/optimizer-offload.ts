/**
 * Where optimizer state lies and who updates: the chip with its own memory; the chip with state that is fetched from the
 * host's memory and put back there (MaxText's `optimizer_memory_host_offload`); or the host, which gets gradients and
 * gives parameters (Ren et al. 2021, ZeRO-Offload, §4). All transfers go on beside what does not need them.
 */
import type { Builder } from '../builder.js';
import type { Op, ParameterInput, Program, ValueId } from '../types.js';

export const OPTIMIZER_OFFLOADS = ['none', 'streamed', 'host-update'] as const;
export type OptimizerOffload = (typeof OPTIMIZER_OFFLOADS)[number];

/** Of a tensor: (parameter, gradient, state…). */
interface Update {
  readonly parameter: ParameterInput;
  readonly operands: readonly ValueId[];
}

/** Emits one tensor's update: (parameter, gradient, state…) → (parameter, state…). */
export type EmitUpdate = (parameter: ParameterInput, operands: readonly ValueId[]) => ValueId[];

export interface Updater {
  readonly onHost: boolean;
  /** Whether the last slot of the state is the parameter itself, in the type of the update. */
  readonly copies: boolean;
  /** Updates of tensors that go together: of each (parameter, state…). */
  emit(updates: readonly Update[], id: string, inLayers: boolean): ValueId[][];
}

const PHASE = 'optimizer' as const;

export class OnChip implements Updater {
  readonly onHost = false;
  readonly copies = false;
  readonly #emit: EmitUpdate;

  constructor(emit: EmitUpdate) {
    this.#emit = emit;
  }

  emit(updates: readonly Update[]): ValueId[][] {
    return updates.map(({ parameter, operands }) => this.#emit(parameter, operands));
  }
}

/** Lists in turn, of the same lengths as `like`. */
function cutLike(ids: readonly ValueId[], like: readonly (readonly ValueId[])[]): ValueId[][] {
  let start = 0;
  return like.map(({ length }) => ids.slice(start, (start += length)));
}

class Transfers {
  readonly #builder: Builder;

  constructor(builder: Builder) {
    this.#builder = builder;
  }

  /** All in one launch. */
  move(
    name: 'to_host' | 'from_host',
    lists: readonly (readonly ValueId[])[],
    id: string,
    asynchronous = true,
  ): ValueId[][] {
    const ids = lists.flat();
    const role = this.#builder.role(ids[0]!);
    const options = { id: `${id}/${name.replace('_', '-')}`, phase: PHASE, role, asynchronous };
    return cutLike(this.#builder.emitAll(name, ids, {}, options), lists);
  }

  /** Tensors of the host into the memory of tensors of the chip, whose role they get. */
  replace(sent: readonly ValueId[], old: readonly ValueId[], id: string): ValueId[] {
    const options = { id: `${id}/from-host`, phase: PHASE, asynchronous: true };
    const results = this.#builder.emitAll('from_host', [...sent, ...old], { into: true }, options);
    results.forEach((result, index) => this.#builder.assignRole(result, this.#builder.role(old[index]!)));
    return results;
  }
}

export class FetchedState implements Updater {
  readonly onHost = true;
  readonly copies = false;
  readonly #emit: EmitUpdate;
  readonly #transfers: Transfers;

  constructor(builder: Builder, emit: EmitUpdate) {
    this.#emit = emit;
    this.#transfers = new Transfers(builder);
  }

  emit(updates: readonly Update[], id: string, inLayers: boolean): ValueId[][] {
    const states = updates.map(({ operands }) => operands.slice(2));
    const fetched = this.#transfers.move('from_host', states, id);
    const updated = updates.map(({ parameter, operands: [old, gradient] }, index) =>
      this.#emit(parameter, [old!, gradient!, ...fetched[index]!]),
    );
    const kept = this.#transfers.move(
      'to_host',
      updated.map(([, ...state]) => state),
      id,
      // A layer's is done before the next but one's state comes; of one tensor's the memory is to be free.
      inLayers,
    );
    return updated.map(([parameter], index) => [parameter!, ...kept[index]!]);
  }
}

export class HostUpdate implements Updater {
  readonly onHost = true;
  readonly copies = true;
  readonly #builder: Builder;
  readonly #emit: EmitUpdate;
  readonly #transfers: Transfers;

  constructor(builder: Builder, emit: EmitUpdate) {
    this.#builder = builder;
    this.#emit = emit;
    this.#transfers = new Transfers(builder);
  }

  emit(updates: readonly Update[], id: string): ValueId[][] {
    const gradients = this.#transfers.move(
      'to_host',
      updates.map(({ operands }) => [operands[1]!]),
      id,
    );
    const updated = updates.map(({ parameter, operands: [old, , ...state] }, index) => {
      const copy = state.at(-1)!;
      const [made, ...rest] = this.#emit(parameter, [copy, ...gradients[index]!, ...state.slice(0, -1)]);
      this.#builder.assignRole(made!, 'optimizer');
      return { sent: this.#inTypeOf(old!, made!, parameter), state: [...rest, made!] };
    });
    const parameters = this.#transfers.replace(
      updated.map(({ sent }) => sent),
      updates.map(({ operands: [old] }) => old!),
      id,
    );
    return updated.map(({ state }, index) => [parameters[index]!, ...state]);
  }

  #inTypeOf(old: ValueId, made: ValueId, { name }: ParameterInput): ValueId {
    const { dtype } = this.#builder.type(old);
    if (this.#builder.type(made).dtype === dtype) return made;
    return this.#builder.emit(
      'cast',
      [made],
      { dtype },
      { id: `update/${name}/cast-back`, phase: PHASE, role: 'optimizer' },
    );
  }
}

const isFetch = ({ name }: Op): boolean => name === 'from_host';

/** Fetches the state of a layer, or outside of layers of a tensor, while what comes before it is updated. */
export function fetchAhead(program: Program, layers: string): Program {
  const inLayers = (op: Op): Op => {
    const { region } = op;
    if (op.name !== 'repeat' || region === undefined || !op.id.startsWith(layers)) return op;
    const ahead = { by: 1, ops: region.ops.filter(isFetch) };
    return { ...op, region: { ...region, ahead, ops: region.ops.filter((one) => !isFetch(one)) } };
  };
  return { ...program, ops: oneEarlier(program.ops.map(inLayers)) };
}

/** Each fetch right after the one before. */
function oneEarlier(ops: readonly Op[]): Op[] {
  const fetches = ops.filter(isFetch);
  return ops.flatMap((op) => {
    const index = fetches.indexOf(op);
    return index < 0 ? [op] : fetches.slice(index === 0 ? 0 : index + 1, index + 2);
  });
}
